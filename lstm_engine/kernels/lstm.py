"""The LSTM's compiled twin: `lstm_forward` and `lstm_backward` of `cells/lstm.py`, with the same tape and gradients.

How rows are dealt to threads and masked steps passed over stands in `rows.py`.
"""

import numba as nb
import numpy as np

from ..activations import Array
from ..buffers import empty
from ..cells.lstm import LSTMGradients, LSTMTape
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
    sigmoid_row,
    tanh,
    tanh_row,
)


def lstm_forward(
    x: Array, W: Array, U: Array, b: Array, h0: Array, c0: Array,
    mask: Array | None = None, recurrent_dropout: Array | None = None,
) -> LSTMTape:  # fmt: skip
    """`cells.lstm.lstm_forward`, compiled. TypeError unless all arrays are float32 or all are float64."""
    x, W, U, b, h0, c0 = of_one_dtype(x, W, U, b, h0, c0)
    tape = LSTMTape(x, W, U, b, h0, c0, mask, recurrent_dropout)
    r = dropout_of(tape)
    states = tape.gates, tape.tanh_c, tape.h_states, tape.c_states
    with guarded("LSTM"):
        _forward(*blocks_of(tape), x, W, b, per_gate(U, r), r, *states, np.empty_like(h0))
    return tape


def lstm_backward(
    tape: LSTMTape, dh: Array | None = None, dh_T: Array | None = None, dc_T: Array | None = None
) -> LSTMGradients:
    """`cells.lstm.lstm_backward`, compiled."""
    check_shapes(dh=(dh, tape.h.shape), dh_T=(dh_T, tape.h0.shape), dc_T=(dc_T, tape.c0.shape))
    (T, B, H), dtype, r = tape.h.shape, tape.gates.dtype, dropout_of(tape)
    dz, dc, dh_total = empty((T, B, 4 * H), dtype), empty((T, B, H), dtype), empty((T, B, H), dtype)
    dh0, dc0 = last_from_above(dh_T, tape.h0), last_from_above(dc_T, tape.c0)
    U_T = np.ascontiguousarray(per_gate(tape.U, r).transpose(0, 2, 1))  # (1, 4H, H) or (4, H, H)
    with guarded("LSTM"):
        _backward(
            *blocks_of(tape), from_above(dh, tape), U_T, r, tape.gates, tape.tanh_c, tape.c_states,
            dz, dc, dh_total, dh0, dc0, np.empty_like(dh0),
        )  # fmt: skip
        dx, dW, dU, db, _ = gradient_products(tape, dz)
    return LSTMGradients(x=dx, W=dW, U=dU, b=db, h0=dh0, c0=dc0, z=dz, c=dc, h=dh_total)


@nb.njit(**INNER, **FAST)
def forward_row(gates: Array, c_prev: Array, c: Array, tanh_c: Array, h: Array) -> None:
    """Gates (4H,) comes in as z; the rest is (H,)."""
    H = len(c)
    i, f, g, o = gates[:H], gates[H : 2 * H], gates[2 * H : 3 * H], gates[3 * H :]
    sigmoid_row(gates[: 2 * H])
    tanh_row(g)
    sigmoid_row(o)
    for j in range(H):
        c[j] = f[j] * c_prev[j] + i[j] * g[j]
    for j in range(H):
        tanh_c[j] = tanh(c[j])
    for j in range(H):
        h[j] = o[j] * tanh_c[j]


@nb.njit(**INNER, **FAST)
def backward_row(gates: Array, tanh_c: Array, c_prev: Array, dh: Array, dc_next: Array, dc: Array, dz: Array) -> None:
    """Dc and dz of a row from dh and dc_next, which becomes what the step before receives."""
    H = len(dc)
    one = dc.dtype.type(1)
    i, f, g, o = gates[:H], gates[H : 2 * H], gates[2 * H : 3 * H], gates[3 * H :]
    di, df, dg, do = dz[:H], dz[H : 2 * H], dz[2 * H : 3 * H], dz[3 * H :]
    for j in range(H):
        dc[j] = dc_next[j] + dh[j] * o[j] * (one - tanh_c[j] * tanh_c[j])
    for j in range(H):
        do[j] = dh[j] * tanh_c[j] * o[j] * (one - o[j])
    for j in range(H):
        di[j] = dc[j] * g[j] * i[j] * (one - i[j])
        dg[j] = dc[j] * i[j] * (one - g[j] * g[j])
    for j in range(H):
        df[j] = dc[j] * c_prev[j] * f[j] * (one - f[j])
        dc_next[j] = dc[j] * f[j]


# -- what a worker does with its block, and a parallel loop over blocks, kept bare to compile fast ---------------------


@nb.njit(**INNER, **FAST)
def forward_block(
    rows: Array, mask: Array, x: Array, W: Array, b: Array, U: Array, r: Array,
    gates: Array, tanh_c: Array, h: Array, c: Array, space: Array,
) -> None:  # fmt: skip
    zero, start, live_space = x.dtype.type(0), np.intp(0), np.empty_like(rows)
    for t in range(len(x)):
        live = live_rows(mask, t, rows, live_space)
        for row in live:
            set_row(gates[t, row], b)
        add_product(x[t], start, W, gates[t], start, live)
        if len(r) == 0:
            add_product(h[t], start, U[0], gates[t], start, live)
        else:
            add_dropped(h[t], U, r, gates[t], start, live, space)
        for row in live:
            forward_row(gates[t, row], c[t, row], c[t + 1, row], tanh_c[t, row], h[t + 1, row])
        for row in rows:
            if len(mask) and not mask[t, row]:
                fill_row(gates[t, row], zero)
                fill_row(tanh_c[t, row], zero)
                set_row(h[t + 1, row], h[t, row])
                set_row(c[t + 1, row], c[t, row])


@nb.njit(parallel=True, cache=True)
def _forward(
    rows: Array, cuts: Array, mask: Array, x: Array, W: Array, b: Array, U: Array, r: Array,
    gates: Array, tanh_c: Array, h: Array, c: Array, space: Array, helpers: int = THIS_FILE,
) -> None:  # fmt: skip
    """Fills gates (T, B, 4H), tanh_c (T, B, H) and, from their slot 1 on, h and c (T + 1, B, H)."""
    for n in nb.prange(len(cuts) - 1):
        block = rows[cuts[n] : cuts[n + 1]]
        forward_block(block, mask, x, W, b, U, r, gates, tanh_c, h, c, space)


@nb.njit(**INNER, **FAST)
def backward_block(
    rows: Array, mask: Array, dh: Array, U_T: Array, r: Array, gates: Array, tanh_c: Array, c: Array,
    dz: Array, dc: Array, dh_total: Array, dh_next: Array, dc_next: Array, space: Array,
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
                set_row(dc[t, row], dc_next[row])
                set_row(dh_next[row], dh_total[t, row])
        for row in live:
            backward_row(
                gates[t, row], tanh_c[t, row], c[t, row], dh_total[t, row], dc_next[row], dc[t, row], dz[t, row]
            )
            fill_row(dh_next[row], zero)
        if len(r) == 0:
            add_product(dz[t], start, U_T[0], dh_next, start, live)
        else:
            add_dropped_backward(dz[t], start, U_T, r, dh_next, live, space)


@nb.njit(parallel=True, cache=True)
def _backward(
    rows: Array, cuts: Array, mask: Array, dh: Array, U_T: Array, r: Array, gates: Array, tanh_c: Array, c: Array,
    dz: Array, dc: Array, dh_total: Array, dh_next: Array, dc_next: Array, space: Array, helpers: int = THIS_FILE,
) -> None:  # fmt: skip
    """Fills dz (T, B, 4H), dc and dh_total (T, B, H); dh_next and dc_next (B, H) run from T to 0."""
    for n in nb.prange(len(cuts) - 1):
        block = rows[cuts[n] : cuts[n + 1]]
        backward_block(block, mask, dh, U_T, r, gates, tanh_c, c, dz, dc, dh_total, dh_next, dc_next, space)
