"""How much of a gradient is left, step by step back: measured, and what theory predicts.

Every gradient from the end to step t is multiplied by the Jacobian of the last state by that earlier one, ∂h_T/∂h_t or
∂c_T/∂c_t. The Jacobian's norm is the largest factor by which it lengthens a gradient. Theory (Hochreiter 1991; Bengio, Simard
& Frasconi 1994; Pascanu, Mikolov & Bengio 2013), k = T - t:

    SimpleRNN   ∂h_T/∂h_t = Π diag(1 - h²) Uᵀ    changes as (ρ(U) · mean of 1 - h²)^k, ρ: the spectral radius
    LSTM        ∂c_T/∂c_t = Π diag(f) + the paths through the gates' recurrent inputs; the first is the cell's direct path
    GRU         ∂h_T/∂h_t = Π diag(z) + the paths through the gates and the candidate

Peepholes add to f, at each step, the paths through the gates that see the cell state.
"""

from typing import Any

import numpy as np

from experiments.study.memory.jacobians import layer_of
from experiments.study.networks import EngineNetwork
from experiments.study.tasks import Sequences
from experiments.study.variants.network import VariantNetwork


def measure(network: EngineNetwork | VariantNetwork, drawn: Sequences, longest: int) -> dict[str, Any]:
    """By lag k = 0 ... longest - 1, medians over the sequences, as JSON values.

    h, c: the norm of ∂h_T/∂h_t and, of an LSTM, of ∂c_T/∂c_t. along: the same of the product of a gated layer's gates.
    radius: the spectral radius of a SimpleRNN's U; slope: its mean 1 - h².
    """
    layer = layer_of(network)
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
