"""The GRU: its equations in both variants, forward pass, backpropagation through time, and the layer.

The same contract as `lstm.py`. The gates are in Keras's order z r ĥ: update, reset, candidate. Time-major:
x (T, B, D), W (D, 3H), U (H, 3H), h (T, B, H). As in Keras the bias's shape selects the variant: b (2, 3H), one for each
product, resets *after* the recurrent product (Keras's and PyTorch's default); b (3H,) resets before it.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..activations import ACTIVATIONS, Array
from ..backend import Pair
from ..buffers import empty
from ..checks import Shape, check_shapes
from ..recurrent import Recurrent
from .products import recurrent_kernel_gradient, recurrent_product, recurrent_product_backward, sum_over_steps


@dataclass
class GRUTape:
    """Everything that a forward pass computed. At a masked step gates and inner are 0, and h stays as it was.

    In the equations σ stands for `recurrent_activation` and tanh for `activation`, which are their defaults.
    """

    x: Array  # (T, B, D)
    W: Array  # (D, 3H)
    U: Array  # (H, 3H)
    b: Array  # (2, 3H): reset after the product, or (3H,): before
    h0: Array  # (B, H)
    mask: Array | None = None  # (T, B), True where there is a step to take
    recurrent_dropout: Array | None = None  # (3, B, H): multiplies h on its way into each gate, at all steps
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    gates: Array = field(init=False)  # (T, B, 3H): z r ĥ after their activations
    inner: Array = field(init=False)  # (T, B, H): the factor of r: h'Uₕ + b'ₕ, or h' with the reset before the product
    h_states: Array = field(init=False)  # (T + 1, B, H): h0, then h of every step

    def __post_init__(self) -> None:
        (T, B, D), (_, H) = self.x.shape, self.h0.shape
        bias = (2, 3 * H) if self.b.ndim == 2 else (3 * H,)
        check_shapes(W=(self.W, (D, 3 * H)), U=(self.U, (H, 3 * H)), b=(self.b, bias), h0=(self.h0, (B, H)))
        check_shapes(mask=(self.mask, (T, B)), recurrent_dropout=(self.recurrent_dropout, (3, B, H)))
        self.mask = None if self.mask is None else self.mask.astype(bool)
        dtype = np.result_type(self.x, self.W, self.U, self.b, self.h0)
        self.gates = empty((T, B, 3 * H), dtype)
        self.inner = empty((T, B, H), dtype)
        self.h_states = empty((T + 1, B, H), dtype)
        self.h_states[0] = self.h0

    z, r, candidate = (property(lambda self, k=k: np.split(self.gates, 3, -1)[k]) for k in range(3))  # type: ignore[misc]  # views
    states = property(lambda self: (self.h_states,))  # in the order of `state_names`
    h = property(lambda self: self.h_states[1:])
    reset_after = property(lambda self: self.b.ndim == 2)


@dataclass
class GRUGradients:
    """The loss's gradient with respect to the inputs, and to the pre-activations and h of every step.

    `recurrent_z` is the gradient of the recurrent product h'U + b'. It differs from `z` in the candidate only; with the reset
    before the product both are the same array.
    """

    x: Any  # (T, B, D), or None where it is not wanted
    W: Array
    U: Array
    b: Array
    h0: Array
    z: Array  # (T, B, 3H), order z r ĥ
    recurrent_z: Array  # (T, B, 3H)
    h: Any  # (T, B, H); None from a kernel where x is not wanted
    initial_states = property(lambda self: (self.h0,))


def gru_forward(
    x: Array, W: Array, U: Array, b: Array, h0: Array,
    mask: Array | None = None, recurrent_dropout: Array | None = None,
    activation: str = "tanh", recurrent_activation: str = "sigmoid",
) -> GRUTape:  # fmt: skip
    """z = σ(xW_z + h'U_z + b_z + b'_z)     r = σ(xWᵣ + h'Uᵣ + bᵣ + b'ᵣ)     h = z∘h' + (1 - z)∘ĥ     (Cho et al. 2014)
    after:  ĥ = tanh(xWₕ + bₕ + r∘(h'Uₕ + b'ₕ))          before:  ĥ = tanh(xWₕ + bₕ + (r∘h')Uₕ)
    """
    tape = GRUTape(x, W, U, b, h0, mask, recurrent_dropout, activation, recurrent_activation)
    tanh, σ = ACTIVATIONS[activation].forward, ACTIVATIONS[recurrent_activation].forward
    b_x, b_h = b if tape.reset_after else (b, 0.0)  # (3H,) each
    H2 = 2 * U.shape[0]
    h = h0  # (B, H)
    rho_zr, rho_h = (None, None) if recurrent_dropout is None else (recurrent_dropout[:2], recurrent_dropout[2:])
    for t, xW in enumerate(x @ W + b_x):  # (B, 3H)
        if tape.reset_after:
            hU = recurrent_product(h, U, recurrent_dropout) + b_h  # (B, 3H)
            z, r = map(σ, np.split(xW[:, :H2] + hU[:, :H2], 2, axis=-1))  # (B, H) each
            tape.inner[t] = hU[:, H2:]
            candidate = tanh(xW[:, H2:] + r * hU[:, H2:])
        else:
            z, r = map(σ, np.split(xW[:, :H2] + recurrent_product(h, U[:, :H2], rho_zr), 2, axis=-1))
            tape.inner[t] = h
            candidate = tanh(xW[:, H2:] + recurrent_product(r * h, U[:, H2:], rho_h))
        h_new = z * h + (1.0 - z) * candidate
        tape.gates[t] = np.concatenate((z, r, candidate), axis=-1)
        if tape.mask is not None:
            tape.gates[t, ~tape.mask[t]] = tape.inner[t, ~tape.mask[t]] = 0.0
            h_new = np.where(tape.mask[t][:, None], h_new, h)
        h = tape.h_states[t + 1] = h_new
    return tape


def gru_backward(tape: GRUTape, dh: Array | None = None, dh_T: Array | None = None, lean: bool = False) -> GRUGradients:
    """δz = dσ(z, δh∘(h' - ĥ))     δĥ = dtanh(ĥ, δh∘(1 - z))     δh' = δh∘z + what comes back through the products
    after:  δr = dσ(r, δĥ∘(h'Uₕ + b'ₕ)),  δh' += (δz, δr, δĥ∘r) Uᵀ
    before: δs = δĥ Uₕᵀ with s = r∘h',  δr = dσ(r, δs∘h'),  δh' += δs∘r + (δz, δr) U_zrᵀ

    dh (T, B, H) is the upstream gradient of every h, dh_T (B, H) that of the last; None is zero. `lean` leaves dx out.
    """
    check_shapes(dh=(dh, tape.h.shape), dh_T=(dh_T, tape.h0.shape))
    dtanh, dσ = ACTIVATIONS[tape.activation].backward, ACTIVATIONS[tape.recurrent_activation].backward
    dz, dh_total = np.empty_like(tape.gates), np.empty_like(tape.h)
    H2 = 2 * tape.U.shape[0]
    drecurrent = np.empty_like(dz) if tape.reset_after else dz  # (T, B, 3H)
    dh_next = np.zeros_like(tape.h_states[0]) if dh_T is None else dh_T  # (B, H): from the step after
    rho = tape.recurrent_dropout
    rho_zr, rho_h = (None, None) if rho is None else (rho[:2], rho[2:])
    for t in reversed(range(len(tape.x))):
        z, r, candidate = np.split(tape.gates[t], 3, axis=-1)  # (B, H) each
        h_prev = tape.h_states[t]
        dh_total[t] = dh_next if dh is None else dh_next + dh[t]
        dz_h = dtanh(candidate, dh_total[t] * (1.0 - z))
        ds = dz_h if tape.reset_after else recurrent_product_backward(dz_h, tape.U[:, H2:], rho_h)
        dz_z, dz_r = dσ(z, dh_total[t] * (h_prev - candidate)), dσ(r, ds * tape.inner[t])
        dz[t] = np.concatenate((dz_z, dz_r, dz_h), axis=-1)
        if tape.reset_after:
            drecurrent[t] = np.concatenate((dz_z, dz_r, dz_h * r), axis=-1)
        if tape.mask is not None:
            dz[t, ~tape.mask[t]] = drecurrent[t, ~tape.mask[t]] = 0.0
        if tape.reset_after:
            dh_next = dh_total[t] * z + recurrent_product_backward(drecurrent[t], tape.U, rho)
        else:
            dh_next = dh_total[t] * z + ds * r + recurrent_product_backward(dz[t, :, :H2], tape.U[:, :H2], rho_zr)
        if tape.mask is not None:
            dh_next = np.where(tape.mask[t][:, None], dh_next, dh_total[t])  # a masked step passes it on
    h_prev = tape.h_states[:-1]  # (T, B, H)
    if tape.reset_after:
        dU = recurrent_kernel_gradient(h_prev, drecurrent, rho)
        db = np.stack([dz.sum((0, 1)), drecurrent.sum((0, 1))])
    else:
        dU_zr = recurrent_kernel_gradient(h_prev, dz[..., :H2], rho_zr)
        dU_h = recurrent_kernel_gradient(tape.r * h_prev, dz[..., H2:], rho_h)
        dU = np.concatenate((dU_zr, dU_h), axis=-1)
        db = dz.sum(axis=(0, 1))
    return GRUGradients(
        x=dz @ tape.W.T if not lean else None, W=sum_over_steps(tape.x, dz), U=dU, b=db, h0=dh_next,
        z=dz, recurrent_z=drecurrent, h=dh_total,
    )  # fmt: skip


def gru_values(tape: GRUTape) -> dict[str, Array]:
    """Every intermediate value (T, B, H) by name, for the trace; the pre-activations z_z z_r z_ĥ are computed again."""
    H2, h_prev, rho = 2 * tape.U.shape[0], tape.h_states[:-1], tape.recurrent_dropout
    rho_zr, rho_h = (None, None) if rho is None else (rho[:2], rho[2:])
    b_x, b_h = tape.b if tape.reset_after else (tape.b, np.zeros_like(tape.b))
    xW = tape.x @ tape.W + b_x  # (T, B, 3H)
    z_z, z_r = np.split(xW[..., :H2] + recurrent_product(h_prev, tape.U[:, :H2], rho_zr) + b_h[:H2], 2, axis=-1)
    reset = tape.r * tape.inner  # (T, B, H): r∘(h'Uₕ + b'ₕ), or r∘h' before the product
    z_h = xW[..., H2:] + (reset if tape.reset_after else recurrent_product(reset, tape.U[:, H2:], rho_h))
    gates = {"z": tape.z, "r": tape.r, "candidate": tape.candidate}
    return {"z_z": z_z, "z_r": z_r, "z_candidate": z_h} | gates | {"h": tape.h}


def gru_value_gradients(tape: GRUTape, grads: GRUGradients) -> dict[str, Array]:
    """The gradient with respect to each of them: δz = δh∘(h' - ĥ)   δĥ = δh∘(1 - z)   δr = δz_ĥ∘inner or (δz_ĥ Uₕᵀ)∘h'."""
    dz_z, dz_r, dz_h = np.split(grads.z, 3, axis=-1)
    rho = None if tape.recurrent_dropout is None else tape.recurrent_dropout[2:]
    ds = dz_h if tape.reset_after else recurrent_product_backward(dz_h, tape.U[:, 2 * tape.U.shape[0] :], rho)
    z, r, candidate = grads.h * (tape.h_states[:-1] - tape.candidate), ds * tape.inner, grads.h * (1.0 - tape.z)
    return {"z_z": dz_z, "z_r": dz_r, "z_candidate": dz_h, "z": z, "r": r, "candidate": candidate, "h": grads.h}


class GRU(Recurrent):
    """Keras's `GRU`: (N, T, D) -> (N, units), or (N, T, units) with return_sequences. Options: see `Recurrent`.

    reset_after=False is the variant of the paper, with one bias (3 units,) instead of two (2, 3 units).
    """

    cell = "gru"
    pair = Pair(gru_forward, gru_backward, gru_values, gru_value_gradients)
    gate_names, state_names = ("z", "r", "candidate"), ("h",)

    def __init__(
        self, units: int, *, recurrent_activation: str | None = "sigmoid", reset_after: bool = True, **general: Any
    ) -> None:
        super().__init__(units, recurrent_activation=recurrent_activation, **general)
        self.reset_after = reset_after

    def bias_shape(self) -> Shape:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)
