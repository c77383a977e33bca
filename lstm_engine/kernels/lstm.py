"""The LSTM's compiled twin: `lstm_forward` and `lstm_backward` of `cells/lstm.py`, with the same tape and gradients.

How rows are dealt to threads and masked steps passed over stands in `rows.py`, how the products and the equations become
vector instructions in `vectors.py`.
"""

from typing import Any

import numba as nb
import numpy as np

from ..activations import Array
from ..buffers import empty
from ..cells.lstm import LSTMGradients, LSTMTape
from ..layers import check_shapes
from .product import INNER, THESE_FILES, compiled_product, packed, packed_transposed
from .rows import (
    add_product_back,
    add_rows,
    blocks_of,
    copy_rows,
    dropout_of,
    from_above,
    gradient_products,
    guarded,
    last_from_above,
    of_one_dtype,
    rows_where,
    set_product,
    zero_rows,
)
from .vectors import flush_denormals, gates_of, pointwise, restore, tanh


def lstm_forward(
    x: Array, W: Array, U: Array, b: Array, h0: Array, c0: Array,
    mask: Array | None = None, recurrent_dropout: Array | None = None,
) -> LSTMTape:  # fmt: skip
    """`cells.lstm.lstm_forward`, compiled. TypeError unless all arrays are float32 or all are float64."""
    x, W, U, b, h0, c0 = of_one_dtype(x, W, U, b, h0, c0)
    tape = LSTMTape(x, W, U, b, h0, c0, mask, recurrent_dropout)
    with guarded("LSTM"):
        _forward(
            *blocks_of(tape), x, W, b, U, dropout_of(tape), tape.gates, tape.tanh_c, tape.h_states, tape.c_states,
            compiled_product(x.dtype.name),
        )  # fmt: skip
    return tape


def lstm_backward(
    tape: LSTMTape,
    dh: Array | None = None,
    dh_T: Array | None = None,
    dc_T: Array | None = None,
    want_dx: bool = True,
) -> LSTMGradients:
    """`cells.lstm.lstm_backward`, compiled."""
    check_shapes(dh=(dh, tape.h.shape), dh_T=(dh_T, tape.h0.shape), dc_T=(dc_T, tape.c0.shape))
    (T, B, H), dtype = tape.h.shape, tape.gates.dtype
    dz, dc, dh_total = empty((T, B, 4 * H), dtype), empty((T, B, H), dtype), empty((T, B, H), dtype)
    dh0, dc0 = last_from_above(dh_T, tape.h0), last_from_above(dc_T, tape.c0)
    with guarded("LSTM"):
        _backward(
            *blocks_of(tape), from_above(dh, tape), tape.U, dropout_of(tape), tape.gates, tape.tanh_c, tape.c_states,
            dz, dc, dh_total, dh0, dc0, compiled_product(dtype.name),
        )  # fmt: skip
        x, dW, dU, db, _ = gradient_products(tape, want_dx, dz)
    return LSTMGradients(x=x, W=dW, U=dU, b=db, h0=dh0, c0=dc0, z=dz, c=dc, h=dh_total)


# -- the equations, for as many units at a time as a vector holds ------------------------------------------------------


def step(z_i: Any, z_f: Any, z_g: Any, z_o: Any, c_prev: Any) -> Any:
    i, f, o, g = gates_of((z_i, z_f, z_o), (z_g,))
    c = f * c_prev + i * g
    (tanh_c,) = tanh(c)
    return i, f, g, o, c, tanh_c, o * tanh_c


def step_back(i: Any, f: Any, g: Any, o: Any, tanh_c: Any, c_prev: Any, dh: Any, dc_next: Any) -> Any:
    dc = dc_next + dh * o * (1.0 - tanh_c * tanh_c)
    dz_i, dz_f, dz_g = dc * g * i * (1.0 - i), dc * c_prev * f * (1.0 - f), dc * i * (1.0 - g * g)
    return dz_i, dz_f, dz_g, dh * tanh_c * o * (1.0 - o), dc, dc * f, 0.0


step_rows = pointwise(step, reads=[4, 1], writes=[4, 1, 1, 1])  # z, c' -> gates, c, tanh_c, h
step_back_rows = pointwise(step_back, reads=[4, 1, 1, 1, 1], writes=[4, 1, 1, 1])


# -- what a worker does with its block, and a parallel loop over blocks, kept bare to compile fast ---------------------


@nb.njit(**INNER)
def forward_block(
    rows: Array, mask: Array, x: Array, panels: Array, r: Array,
    gates: Array, tanh_c: Array, h: Array, c: Array, space: Array, address: int,
) -> None:  # fmt: skip
    state, live_space, H = flush_denormals(), np.empty_like(rows), h.shape[2]
    for t in range(len(x)):
        live = rows_where(mask, t, True, rows, live_space)
        set_product(address, h[t], x[t], panels, r, gates[t], 0, 4 * H, live, space)
        step_rows(H, live, (gates[t], c[t], gates[t], c[t + 1], tanh_c[t], h[t + 1]))
        if len(live) < len(rows):
            asleep = rows_where(mask, t, False, rows, live_space)
            zero_rows(4 * H, asleep, (gates[t],))
            zero_rows(H, asleep, (tanh_c[t],))
            copy_rows(H, asleep, (h[t], h[t + 1]))
            copy_rows(H, asleep, (c[t], c[t + 1]))
    restore(state)


@nb.njit(parallel=True, cache=True)
def _forward(
    rows: Array, cuts: Array, mask: Array, x: Array, W: Array, b: Array, U: Array, r: Array,
    gates: Array, tanh_c: Array, h: Array, c: Array, address: int, helpers: int = THESE_FILES,
) -> None:  # fmt: skip
    """Fills gates (T, B, 4H), tanh_c (T, B, H) and, from their slot 1 on, h and c (T + 1, B, H)."""
    panels, space = packed(b, U, W, len(r)), np.empty_like(h[0])
    for n in nb.prange(len(cuts) - 1):
        forward_block(rows[cuts[n] : cuts[n + 1]], mask, x, panels, r, gates, tanh_c, h, c, space, address)


@nb.njit(**INNER)
def backward_block(
    rows: Array, mask: Array, dh: Array, panels: Array, r: Array, gates: Array, tanh_c: Array, c: Array,
    dz: Array, dc: Array, dh_total: Array, dh_next: Array, dc_next: Array, space: Array, address: int,
) -> None:  # fmt: skip
    state, live_space, H = flush_denormals(), np.empty_like(rows), dh_next.shape[1]
    for t in range(len(dz) - 1, -1, -1):
        if len(dh):
            add_rows(H, rows, (dh_next, dh[t], dh_total[t]))
        else:
            copy_rows(H, rows, (dh_next, dh_total[t]))
        if len(mask):
            asleep = rows_where(mask, t, False, rows, live_space)
            zero_rows(4 * H, asleep, (dz[t],))
            copy_rows(H, asleep, (dc_next, dc[t]))
            copy_rows(H, asleep, (dh_total[t], dh_next))
        live = rows_where(mask, t, True, rows, live_space)
        step_back_rows(H, live, (gates[t], tanh_c[t], c[t], dh_total[t], dc_next, dz[t], dc[t], dc_next, dh_next))
        add_product_back(address, dz[t], 0, 4 * H, panels, r, dh_next, live, space)
    restore(state)


@nb.njit(parallel=True, cache=True)
def _backward(
    rows: Array, cuts: Array, mask: Array, dh: Array, U: Array, r: Array, gates: Array, tanh_c: Array, c: Array,
    dz: Array, dc: Array, dh_total: Array, dh_next: Array, dc_next: Array, address: int, helpers: int = THESE_FILES,
) -> None:  # fmt: skip
    """Fills dz (T, B, 4H), dc and dh_total (T, B, H); dh_next and dc_next (B, H) run from T to 0."""
    panels, space = packed_transposed(U, len(r)), np.empty_like(dh_next)
    for n in nb.prange(len(cuts) - 1):
        block = rows[cuts[n] : cuts[n + 1]]
        backward_block(block, mask, dh, panels, r, gates, tanh_c, c, dz, dc, dh_total, dh_next, dc_next, space, address)
