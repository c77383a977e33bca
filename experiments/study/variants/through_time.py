"""Forward and backward through a sequence, in NumPy or compiled: what the nine cells have in common.

Arrays are time-major and of one dtype: x (T, B, D), h and c (B, H). Weights are W (D, nH), U (H, nH) and b (nH,) for n parts
of z, p (kH,) for k gates that see the state, and in full gate recurrence R (3H, 3H), from the gates i f o to the gates i f o.
"""

from typing import NamedTuple

import numpy as np

from experiments.study.variants.cells import VariantCell
from experiments.study.variants.loops import loops
from lstm_engine.activations import Array
from lstm_engine.cells.products import sum_over_steps

Weights = dict[str, Array]


class Tape(NamedTuple):
    """What the backward pass reads. A masked step hands y and c on; its a means nothing."""

    x: Array  # (T, B, D)
    mask: Array  # (T, B) bool
    a: Array  # (T, B, nH): z after the activations
    y_states: Array  # (T + 1, B, H), in full gate recurrence (T + 1, B, 4H); slot 0 is before the first step
    c_states: Array  # (T + 1, B, H)

    @property
    def h(self) -> Array:
        return self.y_states[1:, :, : self.c_states.shape[-1]]

    @property
    def c(self) -> Array:
        return self.c_states[1:]


def forward(
    cell: VariantCell, w: Weights, x: Array, h0: Array, c0: Array, mask: Array | None = None, fast: bool = False
) -> Tape:
    """All steps from h0 and c0 (B, H). mask (T, B): True where a step exists. fast: compiled, for float64."""
    mask = np.ones(x.shape[:2], bool) if mask is None else np.ascontiguousarray(mask)  # compiled for one layout
    y0 = np.concatenate([h0, *[np.zeros_like(h0)] * (len(cell.heard) - 1)], axis=-1)  # before the first step no gates
    return Tape(x, mask, *loops(cell.name, fast).forward(x @ w["W"] + w["b"], heard_kernel(w), w["p"], y0, c0, mask))


def backward(
    cell: VariantCell, w: Weights, tape: Tape, dh: Array, dc_T: Array, fast: bool = False
) -> tuple[Weights, dict[str, Array]]:
    """The gradients of the weights, and of x, h0 and c0, from dh (T, B, H) on every h and dc_T (B, H) on the last c.

    δx = δz Wᵀ   δW = Σ xᵀδz   δU = Σ y'ᵀδz   δb = Σ δz   δp_i = Σ c'∘δz_i   δp_f = Σ c'∘δz_f   δp_o = Σ c∘δz_o
    """
    H, c_ = dh.shape[-1], tape.c_states[:-1]
    dz, dy0, dc0 = loops(cell.name, fast).backward(dh, dc_T, heard_kernel(w), w["p"], *tape[1:])
    dz_of = dict(zip(cell.parts, np.split(dz, len(cell.parts), axis=-1), strict=True))  # (T, B, H) each
    dp = [((tape.c if gate == "o" else c_) * dz_of[gate]).sum(axis=(0, 1)) for gate in cell.peepholes]  # (H,) each
    dU = sum_over_steps(tape.y_states[:-1], dz)
    gradients = {
        "W": sum_over_steps(tape.x, dz),
        "U": dU[:H],
        "b": dz.sum(axis=(0, 1)),
        "p": np.concatenate(dp) if dp else np.zeros_like(w["p"]),
    }
    if "R" in w:
        gradients["R"] = dU[H:, gate_columns(H)]
    return gradients, {"x": dz @ w["W"].T, "h0": dy0[:, :H], "c0": dc0}


def heard_kernel(w: Weights) -> Array:
    """The kernel that multiplies y': U, or (4H, 4H) with R below it, whose columns leave g out."""
    if "R" not in w:
        return w["U"]
    H = len(w["U"])
    below = np.zeros((3 * H, 4 * H), w["R"].dtype)
    below[:, gate_columns(H)] = w["R"]
    return np.concatenate([w["U"], below])


def gate_columns(H: int) -> Array:
    """The columns of i, f and o among i f g o."""
    return np.r_[: 2 * H, 3 * H : 4 * H]
