"""The simple recurrent network: its equation, forward pass, backpropagation through time, and the layer.

The same contract as `lstm.py`, with one gate, its output h, and no cell state. Time-major:
x (T, B, D), W (D, H), U (H, H), b (H,), h (T, B, H).
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
class SimpleRNNTape:
    """Everything that a forward pass computed. At a masked step h stays as it was."""

    x: Array  # (T, B, D)
    W: Array  # (D, H)
    U: Array  # (H, H)
    b: Array  # (H,)
    h0: Array  # (B, H)
    mask: Array | None = None  # (T, B), True where there is a step to take
    recurrent_dropout: Array | None = None  # (1, B, H): multiplies h at all steps
    activation: str = "tanh"
    h_states: Array = field(init=False)  # (T + 1, B, H): h0, then h of every step

    def __post_init__(self) -> None:
        (T, B, D), (_, H) = self.x.shape, self.h0.shape
        check_shapes(W=(self.W, (D, H)), U=(self.U, (H, H)), b=(self.b, (H,)), h0=(self.h0, (B, H)))
        check_shapes(mask=(self.mask, (T, B)), recurrent_dropout=(self.recurrent_dropout, (1, B, H)))
        self.mask = None if self.mask is None else self.mask.astype(bool)
        self.h_states = empty((T + 1, B, H), np.result_type(self.x, self.W, self.U, self.b, self.h0))
        self.h_states[0] = self.h0

    states = property(lambda self: (self.h_states,))  # in the order of `state_names`
    h = property(lambda self: self.h_states[1:])


@dataclass
class SimpleRNNGradients:
    """The loss's gradient with respect to the inputs, and to z = xW + h'U + b and h of every step."""

    x: Any  # (T, B, D), or None where it is not wanted
    W: Array
    U: Array
    b: Array
    h0: Array
    z: Array  # (T, B, H)
    h: Any  # (T, B, H); None from a kernel where x is not wanted
    initial_states = property(lambda self: (self.h0,))


def simple_rnn_forward(
    x: Array, W: Array, U: Array, b: Array, h0: Array,
    mask: Array | None = None, recurrent_dropout: Array | None = None, activation: str = "tanh",
) -> SimpleRNNTape:  # fmt: skip
    """h = tanh(xW + h'U + b)               (Elman 1990)"""
    tape = SimpleRNNTape(x, W, U, b, h0, mask, recurrent_dropout, activation)
    h = h0  # (B, H)
    for t, xW in enumerate(x @ W + b):  # (B, H)
        h_new = ACTIVATIONS[activation].forward(xW + recurrent_product(h, U, recurrent_dropout))
        h = h_new if tape.mask is None else np.where(tape.mask[t][:, None], h_new, h)
        tape.h_states[t + 1] = h
    return tape


def simple_rnn_backward(
    tape: SimpleRNNTape, dh: Array | None = None, dh_T: Array | None = None, lean: bool = False
) -> SimpleRNNGradients:
    """δz = δh∘(1 - h²)     δh' = δz Uᵀ     δx = δz Wᵀ     δW = Σ xᵀδz   δU = Σ h'ᵀδz   δb = Σ δz

    dh (T, B, H) is the upstream gradient of every h, dh_T (B, H) that of the last; None is zero. `lean` leaves dx out.
    """
    check_shapes(dh=(dh, tape.h.shape), dh_T=(dh_T, tape.h0.shape))
    dz, dh_total = np.empty_like(tape.h), np.empty_like(tape.h)
    dh_next = np.zeros_like(tape.h_states[0]) if dh_T is None else dh_T  # (B, H): from the step after
    for t in reversed(range(len(tape.x))):
        dh_total[t] = dh_next if dh is None else dh_next + dh[t]
        dz[t] = ACTIVATIONS[tape.activation].backward(tape.h[t], dh_total[t])
        if tape.mask is not None:
            dz[t, ~tape.mask[t]] = 0.0
        dh_next = recurrent_product_backward(dz[t], tape.U, tape.recurrent_dropout)
        if tape.mask is not None:
            dh_next = dh_next + ~tape.mask[t][:, None] * dh_total[t]  # a masked step passes it on
    return SimpleRNNGradients(
        x=dz @ tape.W.T if not lean else None, h0=dh_next, z=dz, h=dh_total,
        W=sum_over_steps(tape.x, dz), b=dz.sum(axis=(0, 1)),
        U=recurrent_kernel_gradient(tape.h_states[:-1], dz, tape.recurrent_dropout),
    )  # fmt: skip


def simple_rnn_values(tape: SimpleRNNTape) -> dict[str, Array]:
    """Both intermediate values (T, B, H) by name, for the trace; z = xW + h'U + b is computed again."""
    z = tape.x @ tape.W + tape.b + recurrent_product(tape.h_states[:-1], tape.U, tape.recurrent_dropout)
    return {"z_h": z, "h": tape.h}


def simple_rnn_value_gradients(tape: SimpleRNNTape, grads: SimpleRNNGradients) -> dict[str, Array]:
    return {"z_h": grads.z, "h": grads.h}


class SimpleRNN(Recurrent):
    """Keras's `SimpleRNN`: (N, T, D) -> (N, units), or (N, T, units) with return_sequences. Options: see `Recurrent`."""

    cell = "simple_rnn"
    pair = Pair(simple_rnn_forward, simple_rnn_backward, simple_rnn_values, simple_rnn_value_gradients)
    gate_names, state_names = ("h",), ("h",)
