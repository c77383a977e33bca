"""The LSTM: its equations, forward, backpropagation through time, and the Keras-like layer that wraps the two.

The pair is the definition; `kernels/lstm.py` is its fast twin. Arrays are time-major here, so that a step is one
contiguous slice, and the gates lie in Keras's order i f g o:
x (T, B, D), W (D, 4H), U (H, 4H), b (4H,), h and c (T, B, H) for T steps, B sequences, D features and H units.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..activations import Array, sigmoid
from ..backend import pair
from ..buffers import empty
from ..initializers import glorot_uniform, orthogonal, unit_forget_bias
from ..layers import Layer, Shape, check_shapes, positive_int, require_sequences, time_major


@dataclass
class LSTMTape:
    """All that happened in a forward pass. A masked step has gates and tanh_c of 0 and carries h and c on."""

    x: Array  # (T, B, D)
    W: Array  # (D, 4H)
    U: Array  # (H, 4H)
    b: Array  # (4H,)
    h0: Array  # (B, H)
    c0: Array  # (B, H)
    mask: Array | None = None  # (T, B), True where there is a step to take
    recurrent_dropout: Array | None = None  # (4, B, H): multiplies h on its way into each gate, at all steps
    gates: Array = field(init=False)  # (T, B, 4H): i f g o after their activations
    tanh_c: Array = field(init=False)  # (T, B, H)
    h_states: Array = field(init=False)  # (T + 1, B, H): h0, then h of every step
    c_states: Array = field(init=False)  # (T + 1, B, H)

    def __post_init__(self) -> None:
        (T, B, D), (_, H) = self.x.shape, self.h0.shape
        check_shapes(W=(self.W, (D, 4 * H)), U=(self.U, (H, 4 * H)), b=(self.b, (4 * H,)), h0=(self.h0, (B, H)))
        check_shapes(
            c0=(self.c0, (B, H)), mask=(self.mask, (T, B)), recurrent_dropout=(self.recurrent_dropout, (4, B, H))
        )
        self.mask = None if self.mask is None else self.mask.astype(bool)  # 0 and 1 serve too
        dtype = np.result_type(self.x, self.W, self.U, self.b, self.h0, self.c0)
        self.gates, self.tanh_c = empty((T, B, 4 * H), dtype), empty((T, B, H), dtype)
        self.h_states, self.c_states = empty((T + 1, B, H), dtype), empty((T + 1, B, H), dtype)
        self.h_states[0], self.c_states[0] = self.h0, self.c0

    i, f, g, o = (property(lambda self, k=k: np.split(self.gates, 4, -1)[k]) for k in range(4))  # type: ignore[misc]  # views
    h = property(lambda self: self.h_states[1:])
    c = property(lambda self: self.c_states[1:])


@dataclass
class LSTMGradients:
    """The loss's gradient with respect to what went in, and to z = xW + h'U + b, c and h of every step."""

    x: Array
    W: Array
    U: Array
    b: Array
    h0: Array
    c0: Array
    z: Array  # (T, B, 4H), gate order i f g o
    c: Array  # (T, B, H)
    h: Array  # (T, B, H)


def lstm_forward(
    x: Array, W: Array, U: Array, b: Array, h0: Array, c0: Array,
    mask: Array | None = None, recurrent_dropout: Array | None = None,
) -> LSTMTape:  # fmt: skip
    """i = σ(xWᵢ + h'Uᵢ + bᵢ)   f = σ(xW_f + h'U_f + b_f)   g = tanh(xW_g + h'U_g + b_g)   o = σ(xWₒ + h'Uₒ + bₒ)
    c = f∘c' + i∘g             h = o∘tanh(c)               (Hochreiter & Schmidhuber 1997; Gers et al. 2000)
    """
    tape = LSTMTape(x, W, U, b, h0, c0, mask, recurrent_dropout)
    h, c = h0, c0  # (B, H) each
    for t, xW in enumerate(x @ W + b):  # (B, 4H): every step's input product at once
        z = xW + recurrent_product(h, U, recurrent_dropout)  # (B, 4H)
        i, f, g, o = np.split(z, 4, axis=-1)  # (B, H) each
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c_new = f * c + i * g
        tanh_c = np.tanh(c_new)
        h_new = o * tanh_c
        tape.gates[t], tape.tanh_c[t] = np.concatenate((i, f, g, o), axis=-1), tanh_c
        if tape.mask is not None:
            tape.gates[t, ~tape.mask[t]] = tape.tanh_c[t, ~tape.mask[t]] = 0.0
            live = tape.mask[t][:, None]  # (B, 1)
            h_new, c_new = np.where(live, h_new, h), np.where(live, c_new, c)
        h, c = tape.h_states[t + 1], tape.c_states[t + 1] = h_new, c_new
    return tape


def lstm_backward(
    tape: LSTMTape, dh: Array | None = None, dh_T: Array | None = None, dc_T: Array | None = None
) -> LSTMGradients:
    """δc += δh∘o∘(1 - tanh²c)     δc' = δc∘f     δh' = δz Uᵀ     δx = δz Wᵀ
    δz = (δc∘g∘i(1-i), δc∘c'∘f(1-f), δc∘i∘(1-g²), δh∘tanh(c)∘o(1-o))     δW = Σ xᵀδz   δU = Σ h'ᵀδz   δb = Σ δz

    From above come dh (T, B, H) on every h, dh_T and dc_T (B, H) on the last state; None is zero.
    """
    check_shapes(dh=(dh, tape.h.shape), dh_T=(dh_T, tape.h0.shape), dc_T=(dc_T, tape.c0.shape))
    dz, dc, dh_total = np.empty_like(tape.gates), np.empty_like(tape.c), np.empty_like(tape.h)
    dh_next = np.zeros_like(tape.h_states[0]) if dh_T is None else dh_T  # (B, H): what the step after sends back
    dc_next = np.zeros_like(tape.c_states[0]) if dc_T is None else dc_T
    for t in reversed(range(len(tape.x))):
        i, f, g, o = np.split(tape.gates[t], 4, axis=-1)  # (B, H) each
        dh_total[t] = dh_next if dh is None else dh_next + dh[t]
        dc[t] = dc_next + dh_total[t] * o * (1.0 - tape.tanh_c[t] ** 2)
        di, df, dg, do = dc[t] * g, dc[t] * tape.c_states[t], dc[t] * i, dh_total[t] * tape.tanh_c[t]
        dz[t] = np.concatenate((di * i * (1.0 - i), df * f * (1.0 - f), dg * (1.0 - g**2), do * o * (1.0 - o)), axis=-1)
        dh_next = recurrent_product_backward(dz[t], tape.U, tape.recurrent_dropout)
        dc_next = dc[t] * f
        if tape.mask is not None:
            asleep = ~tape.mask[t][:, None]  # (B, 1): a masked step, whose gates are 0, hands its state's gradient on
            dh_next, dc_next = dh_next + asleep * dh_total[t], dc_next + asleep * dc[t]
    return LSTMGradients(
        x=dz @ tape.W.T, W=sum_over_steps(tape.x, dz), U=recurrent_kernel_gradient(tape, dz), b=dz.sum(axis=(0, 1)),
        h0=dh_next, c0=dc_next, z=dz, c=dc, h=dh_total,
    )  # fmt: skip


def recurrent_product(h: Array, U: Array, r: Array | None) -> Array:
    if r is None:
        return h @ U  # (B, 4H); under recurrent dropout each gate sees an h∘r of its own
    return np.concatenate([(h * r_k) @ U_k for r_k, U_k in zip(r, np.split(U, 4, axis=-1), strict=True)], axis=-1)


def recurrent_product_backward(dz: Array, U: Array, r: Array | None) -> Array:
    if r is None:
        return dz @ U.T  # (B, H)
    return sum((dz_k @ U_k.T) * r_k for dz_k, U_k, r_k in zip(np.split(dz, 4, -1), np.split(U, 4, -1), r, strict=True))


def recurrent_kernel_gradient(tape: LSTMTape, dz: Array) -> Array:
    h_prev, r = tape.h_states[:-1], tape.recurrent_dropout  # (T, B, H), (4, B, H)
    if r is None:
        return sum_over_steps(h_prev, dz)  # (H, 4H)
    gates = zip(r, np.split(dz, 4, axis=-1), strict=True)
    return np.concatenate([sum_over_steps(h_prev * r_k, dz_k) for r_k, dz_k in gates], axis=-1)


def sum_over_steps(a: Array, dz: Array) -> Array:
    """Σ over steps and sequences of aᵀδz, as one matrix product: (T, B, K) and (T, B, 4H) -> (K, 4H)."""
    return np.tensordot(a, dz, axes=((0, 1), (0, 1)))


class LSTM(Layer):
    """Keras's `LSTM` with its default activations: (N, T, D) -> (N, units), or (N, T, units) with return_sequences."""

    cell = "lstm"

    def __init__(self, units: int, *, return_sequences: bool = False, **general: Any) -> None:
        super().__init__(**general)
        self.units = positive_int("units", units)
        self.return_sequences = return_sequences

    def config(self) -> dict[str, Any]:
        return {"units": self.units, "return_sequences": self.return_sequences}

    def output_shape(self, input_shape: Shape) -> Shape:
        require_sequences(self.name, input_shape)
        return (input_shape[0], self.units) if self.return_sequences else (self.units,)

    def initial_weights(self, input_shape: Shape, rng: np.random.Generator) -> dict[str, Array]:
        H = self.units
        W, U = glorot_uniform((input_shape[-1], 4 * H), rng), orthogonal((H, 4 * H), rng)
        return {"kernel": W, "recurrent_kernel": U, "bias": unit_forget_bias(H)}

    def forward(self, x: Array, training: bool) -> tuple[Array, LSTMTape]:
        W, U, b = self.weights.values()
        zero = np.zeros((len(x), self.units), x.dtype)  # (N, H)
        tape = pair(self.cell, self.backend).forward(time_major(x), W, U, b, zero, zero)
        return time_major(tape.h) if self.return_sequences else tape.h[-1].copy(), tape

    def backward(self, tape: LSTMTape, dy: Array) -> tuple[Array, dict[str, Array]]:
        upstream = {"dh": time_major(dy)} if self.return_sequences else {"dh_T": dy}
        grads = pair(self.cell, self.backend).backward(tape, **upstream)
        return time_major(grads.x), {"kernel": grads.W, "recurrent_kernel": grads.U, "bias": grads.b}
