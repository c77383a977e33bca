"""The LSTM: its equations, forward pass, backpropagation through time, and at the end the layer.

The pair is the definition; `kernels/lstm.py` has its compiled twins. Arrays are time-major here, so that a step is one
contiguous slice, and the gates are in Keras's order i f g o:
x (T, B, D), W (D, 4H), U (H, 4H), b (4H,), h and c (T, B, H) for T steps, B sequences, D features and H units.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..activations import ACTIVATIONS, Array
from ..backend import Pair
from ..buffers import empty
from ..checks import check_shapes
from ..recurrent import Recurrent
from .products import recurrent_kernel_gradient, recurrent_product, recurrent_product_backward, sum_over_steps


@dataclass
class LSTMTape:
    """Everything that a forward pass computed. At a masked step gates and tanh_c are 0, and h and c stay as they were.

    In the equations σ stands for `recurrent_activation` and tanh for `activation`, which are their defaults.
    """

    x: Array  # (T, B, D)
    W: Array  # (D, 4H)
    U: Array  # (H, 4H)
    b: Array  # (4H,)
    h0: Array  # (B, H)
    c0: Array  # (B, H)
    mask: Array | None = None  # (T, B), True where there is a step to take
    recurrent_dropout: Array | None = None  # (4, B, H): multiplies h on its way into each gate, at all steps
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    gates: Array = field(init=False)  # (T, B, 4H): i f g o after their activations
    tanh_c: Array = field(init=False)  # (T, B, H)
    h_states: Array = field(init=False)  # (T + 1, B, H): h0, then h of every step
    c_states: Array = field(init=False)  # (T + 1, B, H)

    def __post_init__(self) -> None:
        (T, B, D), (_, H) = self.x.shape, self.h0.shape
        check_shapes(
            W=(self.W, (D, 4 * H)), U=(self.U, (H, 4 * H)), b=(self.b, (4 * H,)), h0=(self.h0, (B, H)), c0=(self.c0, (B, H)),
            mask=(self.mask, (T, B)), recurrent_dropout=(self.recurrent_dropout, (4, B, H)),
        )  # fmt: skip
        self.mask = None if self.mask is None else self.mask.astype(bool)  # 0 and 1 serve too
        dtype = np.result_type(self.x, self.W, self.U, self.b, self.h0, self.c0)
        self.gates = empty((T, B, 4 * H), dtype)
        self.tanh_c = empty((T, B, H), dtype)
        self.h_states = empty((T + 1, B, H), dtype)
        self.c_states = empty((T + 1, B, H), dtype)
        self.h_states[0] = self.h0
        self.c_states[0] = self.c0

    i, f, g, o = (property(lambda self, k=k: np.split(self.gates, 4, -1)[k]) for k in range(4))  # type: ignore[misc]  # views
    states = property(lambda self: (self.h_states, self.c_states))  # in the order of `state_names`
    h = property(lambda self: self.h_states[1:])
    c = property(lambda self: self.c_states[1:])


@dataclass
class LSTMGradients:
    """The loss's gradient with respect to the inputs, and to z = xW + h'U + b, c and h of every step."""

    x: Any  # (T, B, D), or None where it is not wanted
    W: Array
    U: Array
    b: Array
    h0: Array
    c0: Array
    z: Array  # (T, B, 4H), gate order i f g o
    c: Any  # (T, B, H); None from a kernel where x is not wanted
    h: Any  # (T, B, H), or None as c
    initial_states = property(lambda self: (self.h0, self.c0))


def lstm_forward(
    x: Array, W: Array, U: Array, b: Array, h0: Array, c0: Array,
    mask: Array | None = None, recurrent_dropout: Array | None = None,
    activation: str = "tanh", recurrent_activation: str = "sigmoid",
) -> LSTMTape:  # fmt: skip
    """i = σ(xW_i + h'U_i + b_i)   f = σ(xW_f + h'U_f + b_f)   g = tanh(xW_g + h'U_g + b_g)   o = σ(xW_o + h'U_o + b_o)
    c = f∘c' + i∘g             h = o∘tanh(c)               (Hochreiter & Schmidhuber 1997; Gers et al. 2000)
    """
    tape = LSTMTape(x, W, U, b, h0, c0, mask, recurrent_dropout, activation, recurrent_activation)
    tanh, σ = ACTIVATIONS[activation].forward, ACTIVATIONS[recurrent_activation].forward
    h, c = h0, c0  # (B, H) each
    for t, xW in enumerate(x @ W + b):  # (B, 4H): every step's input product at once
        z = xW + recurrent_product(h, U, recurrent_dropout)  # (B, 4H)
        i, f, g, o = np.split(z, 4, axis=-1)  # (B, H) each
        i, f, g, o = σ(i), σ(f), tanh(g), σ(o)
        c_new = f * c + i * g
        tanh_c = tanh(c_new)
        h_new = o * tanh_c
        tape.gates[t], tape.tanh_c[t] = np.concatenate((i, f, g, o), axis=-1), tanh_c
        if tape.mask is not None:
            tape.gates[t, ~tape.mask[t]] = tape.tanh_c[t, ~tape.mask[t]] = 0.0
            live = tape.mask[t][:, None]  # (B, 1)
            h_new, c_new = np.where(live, h_new, h), np.where(live, c_new, c)
        h, c = tape.h_states[t + 1], tape.c_states[t + 1] = h_new, c_new
    return tape


def lstm_backward(
    tape: LSTMTape, dh: Array | None = None, dh_T: Array | None = None, dc_T: Array | None = None, lean: bool = False
) -> LSTMGradients:
    """δc += δh∘o∘(1 - tanh²c)     δc' = δc∘f     δh' = δz Uᵀ     δx = δz Wᵀ
    δz = (δc∘g∘i(1-i), δc∘c'∘f(1-f), δc∘i∘(1-g²), δh∘tanh(c)∘o(1-o))     δW = Σ xᵀδz   δU = Σ h'ᵀδz   δb = Σ δz

    dh (T, B, H) is the upstream gradient of every h; dh_T and dc_T (B, H) are those of the last states; None is zero.
    `lean` leaves dx out. dtanh(y, δy) is δy (1 - y²), from the output y, and dσ(y, δy) is δy y(1-y).
    """
    check_shapes(dh=(dh, tape.h.shape), dh_T=(dh_T, tape.h0.shape), dc_T=(dc_T, tape.c0.shape))
    dtanh, dσ = ACTIVATIONS[tape.activation].backward, ACTIVATIONS[tape.recurrent_activation].backward
    dz, dc, dh_total = np.empty_like(tape.gates), np.empty_like(tape.c), np.empty_like(tape.h)
    dh_next = np.zeros_like(tape.h_states[0]) if dh_T is None else dh_T  # (B, H): from the step after
    dc_next = np.zeros_like(tape.c_states[0]) if dc_T is None else dc_T
    for t in reversed(range(len(tape.x))):
        i, f, g, o = np.split(tape.gates[t], 4, axis=-1)  # (B, H) each
        dh_total[t] = dh_next if dh is None else dh_next + dh[t]
        dc[t] = dc_next + dtanh(tape.tanh_c[t], dh_total[t] * o)
        di, df, dg, do = dc[t] * g, dc[t] * tape.c_states[t], dc[t] * i, dh_total[t] * tape.tanh_c[t]
        dz[t] = np.concatenate((dσ(i, di), dσ(f, df), dtanh(g, dg), dσ(o, do)), axis=-1)
        if tape.mask is not None:
            dz[t, ~tape.mask[t]] = 0.0
        dh_next = recurrent_product_backward(dz[t], tape.U, tape.recurrent_dropout)
        dc_next = dc[t] * f
        if tape.mask is not None:
            asleep = ~tape.mask[t][:, None]  # (B, 1): a masked step, whose gates are 0, passes its states' gradients on
            dh_next, dc_next = dh_next + asleep * dh_total[t], dc_next + asleep * dc[t]
    return LSTMGradients(
        x=dz @ tape.W.T if not lean else None, h0=dh_next, c0=dc_next, z=dz, c=dc, h=dh_total,
        W=sum_over_steps(tape.x, dz), b=dz.sum(axis=(0, 1)),
        U=recurrent_kernel_gradient(tape.h_states[:-1], dz, tape.recurrent_dropout),
    )  # fmt: skip


def lstm_values(tape: LSTMTape) -> dict[str, Array]:
    """Every intermediate value (T, B, H) by name, for the trace; z = xW + h'U + b is computed again."""
    z = tape.x @ tape.W + tape.b + recurrent_product(tape.h_states[:-1], tape.U, tape.recurrent_dropout)  # (T, B, 4H)
    z_i, z_f, z_g, z_o = np.split(z, 4, axis=-1)
    gates = {"z_i": z_i, "z_f": z_f, "z_g": z_g, "z_o": z_o, "i": tape.i, "f": tape.f, "g": tape.g, "o": tape.o}
    return gates | {"c": tape.c, "tanh_c": tape.tanh_c, "h": tape.h}


def lstm_value_gradients(tape: LSTMTape, grads: LSTMGradients) -> dict[str, Array]:
    """The gradient with respect to each of them: δi = δc∘g   δf = δc∘c'   δg = δc∘i   δo = δh∘tanh(c)."""
    dz_i, dz_f, dz_g, dz_o = np.split(grads.z, 4, axis=-1)
    di, df, dg, do = grads.c * tape.g, grads.c * tape.c_states[:-1], grads.c * tape.i, grads.h * tape.tanh_c
    gates = {"z_i": dz_i, "z_f": dz_f, "z_g": dz_g, "z_o": dz_o, "i": di, "f": df, "g": dg, "o": do}
    return gates | {"c": grads.c, "tanh_c": grads.h * tape.o, "h": grads.h}


class LSTM(Recurrent):
    """Keras's `LSTM`: (N, T, D) -> (N, units), or (N, T, units) with return_sequences. Options: see `Recurrent`.

    unit_forget_bias sets the initial bias of the forget gate to 1, so that the cell first remembers (Jozefowicz et al. 2015).
    """

    cell = "lstm"
    pair = Pair(lstm_forward, lstm_backward, lstm_values, lstm_value_gradients)
    gate_names, state_names = ("i", "f", "g", "o"), ("h", "c")

    def __init__(
        self, units: int, *, recurrent_activation: str | None = "sigmoid", unit_forget_bias: bool = True, **general: Any
    ) -> None:
        super().__init__(units, recurrent_activation=recurrent_activation, **general)
        self.unit_forget_bias = unit_forget_bias

    def initial_bias(self, rng: np.random.Generator) -> Array:
        bias = super().initial_bias(rng)  # (4H,)
        if self.unit_forget_bias:
            bias[self.units : 2 * self.units] = 1.0
        return bias
