"""How much of a gradient is left, step by step back: measured, and what theory predicts.

Every gradient from the end to step t is multiplied by the Jacobian of the last state by that earlier one, ∂h_T/∂h_t or
∂c_T/∂c_t. The Jacobian's norm is the largest factor by which it lengthens a gradient. Theory (Hochreiter 1991; Bengio, Simard
& Frasconi 1994; Pascanu, Mikolov & Bengio 2013), k = T - t:

    SimpleRNN   ∂h_T/∂h_t = Π diag(1 - h²) Uᵀ    changes as (ρ(U) · mean of 1 - h²)^k, ρ: the spectral radius
    LSTM        ∂c_T/∂c_t = Π diag(f) + the paths through the gates' recurrent inputs; the first is the cell's direct path
    GRU         ∂h_T/∂h_t = Π diag(z) + the paths through the gates and the candidate

Peepholes add to f, at each step, the paths through the gates that see the cell state.

The Jacobians are measured in float64: a sequence x (T, D) runs in H copies, one for each unit, and the backward pass of copy
j starts from s_T[j] alone (s is h or c), so that the gradient at step t is row j of the derivative, over all paths.
"""

from typing import Any

import numpy as np

from experiments.study.networks import EngineNetwork
from experiments.study.tasks import Sequences
from experiments.study.variants import through_time
from experiments.study.variants.cells import CELLS
from experiments.study.variants.network import VariantNetwork

KEEPS = {"lstm": "f", "gru": "z"}  # the gate that multiplies the state of the step before


def measure(network: EngineNetwork | VariantNetwork, drawn: Sequences, longest: int) -> dict[str, Any]:
    """By lag k = 0 ... longest - 1, medians over the sequences, as JSON values.

    h, c: the norm of ∂h_T/∂h_t and, of an LSTM, of ∂c_T/∂c_t. along: the same of the product of a gated layer's gates.
    radius: the spectral radius of a SimpleRNN's U; slope: its mean 1 - h².
    """
    layer = PeepholeLayer(network) if isinstance(network, VariantNetwork) else EngineLayer(network)
    tapes = [layer.tape(x) for x in drawn.as_list()]
    measured: dict[str, Any] = {
        state: _median([norms(layer.jacobian(tape, state)) for tape in tapes], longest) for state in layer.states
    }
    kept = [gate for tape in tapes if (gate := layer.kept(tape)) is not None]
    if kept:
        return measured | {"along": _median([products(gate).max(axis=-1) for gate in kept], longest)}
    slopes = [1 - tape.h[:, 0] ** 2 for tape in tapes]
    return measured | {"radius": spectral_radius(layer.U), "slope": float(np.mean(np.concatenate(slopes)))}


def norms(jacobians: np.ndarray) -> np.ndarray:
    """(T,): the largest singular value of each; the largest float of one that has overflowed."""
    finite = np.isfinite(jacobians).all(axis=(1, 2))
    sizes = np.full(len(jacobians), np.finfo(float).max)
    sizes[finite] = np.linalg.norm(jacobians[finite], ord=2, axis=(1, 2))
    return sizes


def products(kept: np.ndarray) -> np.ndarray:
    """(T, H): s_T ∘ ... ∘ s_(t+1) of a gate s (T, H) that keeps the state: the direct path from t to T."""
    return np.cumprod(np.concatenate([np.ones_like(kept[:1]), kept[:0:-1]]), axis=0)[::-1]


def spectral_radius(U: np.ndarray) -> float:
    """The size of U's largest eigenvalue."""
    return float(np.abs(np.linalg.eigvals(U.astype(float))).max())


def _median(by_step: list[np.ndarray], longest: int) -> list[float]:
    """By lag, of arrays (T_n,) that begin at the first step."""
    return [float(f"{value:.4g}") for value in np.median([a[::-1][:longest] for a in by_step], axis=0)]


# -- the derivative of the last state by each earlier one --------------------------------------------------------------


class EngineLayer:
    """A recurrent layer of the engine with fixed weights, by its readable pair.

    states: the names of its states; U: the recurrent kernel; tape(x): its forward pass; jacobian(tape, state) (T, H, H) has
    ∂s_T[j]/∂s_t[i] at [t, j, i]; kept(tape) (T, H): the gate that multiplies the state of the step before, None where there
    is none.
    """

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
    """The same of the LSTM with peepholes, by the forward and backward steps of `variants.cells`."""

    states = ("h", "c")

    def __init__(self, network: VariantNetwork) -> None:
        self.cell, self.w, self.units = CELLS["V"], network.cell_weights, network.units
        self.U = self.w["U"]

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
