"""The derivative of a layer's last state by each earlier one, ∂h_T/∂h_t or ∂c_T/∂c_t, over all paths from t to T.

A sequence x (T, D) runs in H copies, one for each unit, in float64. The backward pass of copy j starts from s_T[j] alone
(s is h or c), so that the gradient at step t is row j of the derivative.
"""

from typing import Any, Protocol

import numpy as np

from experiments.study.networks import EngineNetwork
from experiments.study.variants import through_time
from experiments.study.variants.cells import CELLS
from experiments.study.variants.network import VariantNetwork

KEEPS = {"lstm": "f", "gru": "z"}  # the gate that multiplies the state of the step before


class Layer(Protocol):
    """A recurrent layer with fixed weights. states: the names of its states; U: the recurrent kernel, which multiplies h."""

    states: tuple[str, ...]
    U: np.ndarray

    def tape(self, x: np.ndarray) -> Any: ...

    def jacobian(self, tape: Any, state: str) -> np.ndarray:
        """(T, H, H): ∂s_T[j]/∂s_t[i] at [t, j, i]."""

    def kept(self, tape: Any) -> np.ndarray | None:
        """(T, H): the gate that multiplies the state of the step before; None without one."""


def layer_of(network: EngineNetwork | VariantNetwork) -> Layer:
    return PeepholeLayer(network) if isinstance(network, VariantNetwork) else EngineLayer(network)


class EngineLayer:
    """A recurrent layer of the engine, by its readable pair."""

    def __init__(self, network: EngineNetwork) -> None:
        self.layer = network.model.layers[0]
        self.states = self.layer.state_names
        self.U = self.layer.weights["recurrent_kernel"].astype(float)

    def tape(self, x: np.ndarray) -> Any:
        H, weights = self.layer.units, self.layer.weights
        cast = [weights[name].astype(float) for name in ("kernel", "recurrent_kernel", "bias")]
        zeros = [np.zeros((H, H)) for _ in self.states]
        return self.layer.pair.forward(copies(x, H), *cast, *zeros, **self.layer.activations)

    def jacobian(self, tape: Any, state: str) -> np.ndarray:
        gradients = self.layer.pair.backward(tape, **{f"d{state}_T": np.eye(self.layer.units)})
        return getattr(gradients, state)

    def kept(self, tape: Any) -> np.ndarray | None:
        return getattr(tape, KEEPS[self.layer.cell])[:, 0] if self.layer.cell in KEEPS else None


class PeepholeLayer:
    """The LSTM with peepholes, by the forward and backward steps of `variants.cells`."""

    states = ("h", "c")

    def __init__(self, network: VariantNetwork) -> None:
        self.cell, self.w, self.U, self.units = (
            CELLS["V"],
            network.cell_weights,
            network.cell_weights["U"],
            network.units,
        )

    def tape(self, x: np.ndarray) -> through_time.Tape:
        zeros = np.zeros((self.units, self.units))
        return through_time.forward(self.cell, self.w, copies(x, self.units), zeros, zeros)

    def jacobian(self, tape: through_time.Tape, state: str) -> np.ndarray:
        """δh_t = δz_(t+1) Uᵀ   δc_t = δc' of step t + 1, + δh∘o∘(1 - tanh²c) + δz_o∘p_o: c reaches later steps by h too."""
        H, p = self.units, tuple(np.split(self.w["p"], 3))
        dh, dc = (np.eye(H) if state == name else np.zeros((H, H)) for name in self.states)
        jacobians = np.empty((len(tape.a), H, H))
        for t in reversed(range(len(jacobians))):
            a, c = tuple(np.split(tape.a[t], 4, axis=-1)), tape.c[t]
            dz, dc_ = self.cell.back((dh,), dc, a, c, tape.c_states[t], p)
            o, dz_o, p_o = a[3], dz[3], p[2]
            jacobians[t] = dh if state == "h" else dc + dh * o * (1 - np.tanh(c) ** 2) + dz_o * p_o
            dh, dc = np.concatenate(dz, axis=-1) @ self.U.T, dc_
        return jacobians

    def kept(self, tape: through_time.Tape) -> np.ndarray:
        return tape.a[:, 0, self.units : 2 * self.units]  # f of i f g o


def copies(x: np.ndarray, H: int) -> np.ndarray:
    """(T, H, D) of x (T, D), float64."""
    return np.repeat(x.astype(float)[:, None], H, axis=1)
