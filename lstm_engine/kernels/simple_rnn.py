"""The SimpleRNN's compiled twin: the pair of `cells/simple_rnn.py`, with the same tape and gradients.

How rows are dealt to threads and masked steps passed over stands in `rows.py`.
"""

import numba as nb
import numpy as np

from ..activations import Array
from ..buffers import empty
from ..cells.simple_rnn import SimpleRNNGradients, SimpleRNNTape
from ..layers import check_shapes
from .rows import (
    FAST,
    INNER,
    THIS_FILE,
    add_dropped,
    add_dropped_backward,
    add_product,
    add_row,
    blocks_of,
    dropout_of,
    fill_row,
    from_above,
    gradient_products,
    guarded,
    last_from_above,
    live_rows,
    of_one_dtype,
    per_gate,
    set_row,
    tanh_row,
)


def simple_rnn_forward(
    x: Array, W: Array, U: Array, b: Array, h0: Array, mask: Array | None = None, recurrent_dropout: Array | None = None
) -> SimpleRNNTape:
    """`cells.simple_rnn.simple_rnn_forward`, compiled. TypeError unless all arrays are float32 or all are float64."""
    x, W, U, b, h0 = of_one_dtype(x, W, U, b, h0)
    tape = SimpleRNNTape(x, W, U, b, h0, mask, recurrent_dropout)
    r = dropout_of(tape)
    with guarded("SimpleRNN"):
        _forward(*blocks_of(tape), x, W, b, per_gate(U, r), r, tape.h_states, np.empty_like(h0))
    return tape


def simple_rnn_backward(tape: SimpleRNNTape, dh: Array | None = None, dh_T: Array | None = None) -> SimpleRNNGradients:
    """`cells.simple_rnn.simple_rnn_backward`, compiled."""
    check_shapes(dh=(dh, tape.h.shape), dh_T=(dh_T, tape.h0.shape))
    (T, B, H), dtype, r = tape.h.shape, tape.h.dtype, dropout_of(tape)
    dz, dh_total, dh0 = empty((T, B, H), dtype), empty((T, B, H), dtype), last_from_above(dh_T, tape.h0)
    U_T = np.ascontiguousarray(per_gate(tape.U, r).transpose(0, 2, 1))  # (1, H, H)
    with guarded("SimpleRNN"):
        _backward(*blocks_of(tape), from_above(dh, tape), U_T, r, tape.h_states, dz, dh_total, dh0, np.empty_like(dh0))
        dx, dW, dU, db, _ = gradient_products(tape, dz)
    return SimpleRNNGradients(x=dx, W=dW, U=dU, b=db, h0=dh0, z=dz, h=dh_total)


@nb.njit(**INNER, **FAST)
def backward_row(h: Array, dh: Array, dz: Array) -> None:
    one = h.dtype.type(1)
    for j in range(len(h)):
        dz[j] = dh[j] * (one - h[j] * h[j])


# -- what a worker does with its block, and a parallel loop over blocks, kept bare to compile fast ---------------------


@nb.njit(**INNER, **FAST)
def forward_block(
    rows: Array, mask: Array, x: Array, W: Array, b: Array, U: Array, r: Array, h: Array, space: Array
) -> None:
    start, live_space = np.intp(0), np.empty_like(rows)
    for t in range(len(x)):
        live = live_rows(mask, t, rows, live_space)
        for row in live:
            set_row(h[t + 1, row], b)
        add_product(x[t], start, W, h[t + 1], start, live)
        if len(r) == 0:
            add_product(h[t], start, U[0], h[t + 1], start, live)
        else:
            add_dropped(h[t], U, r, h[t + 1], start, live, space)
        for row in live:
            tanh_row(h[t + 1, row])
        for row in rows:
            if len(mask) and not mask[t, row]:
                set_row(h[t + 1, row], h[t, row])


@nb.njit(parallel=True, cache=True)
def _forward(
    rows: Array, cuts: Array, mask: Array, x: Array, W: Array, b: Array, U: Array, r: Array,
    h: Array, space: Array, helpers: int = THIS_FILE,
) -> None:  # fmt: skip
    """Fills h (T + 1, B, H) from its slot 1 on."""
    for n in nb.prange(len(cuts) - 1):
        forward_block(rows[cuts[n] : cuts[n + 1]], mask, x, W, b, U, r, h, space)


@nb.njit(**INNER, **FAST)
def backward_block(
    rows: Array, mask: Array, dh: Array, U_T: Array, r: Array, h: Array,
    dz: Array, dh_total: Array, dh_next: Array, space: Array,
) -> None:  # fmt: skip
    zero, start, live_space = dz.dtype.type(0), np.intp(0), np.empty_like(rows)
    for t in range(len(dz) - 1, -1, -1):
        live = live_rows(mask, t, rows, live_space)
        for row in rows:
            set_row(dh_total[t, row], dh_next[row])
            if len(dh):
                add_row(dh_total[t, row], dh[t, row])
            if len(mask) and not mask[t, row]:
                fill_row(dz[t, row], zero)
                set_row(dh_next[row], dh_total[t, row])
        for row in live:
            backward_row(h[t + 1, row], dh_total[t, row], dz[t, row])
            fill_row(dh_next[row], zero)
        if len(r) == 0:
            add_product(dz[t], start, U_T[0], dh_next, start, live)
        else:
            add_dropped_backward(dz[t], start, U_T, r, dh_next, live, space)


@nb.njit(parallel=True, cache=True)
def _backward(
    rows: Array, cuts: Array, mask: Array, dh: Array, U_T: Array, r: Array, h: Array,
    dz: Array, dh_total: Array, dh_next: Array, space: Array, helpers: int = THIS_FILE,
) -> None:  # fmt: skip
    """Fills dz and dh_total (T, B, H); dh_next (B, H) runs from T to 0."""
    for n in nb.prange(len(cuts) - 1):
        backward_block(rows[cuts[n] : cuts[n + 1]], mask, dh, U_T, r, h, dz, dh_total, dh_next, space)
