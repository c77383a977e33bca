"""The GRU's compiled twin: `gru_forward` and `gru_backward` of `cells/gru.py`, with the same tape and gradients.

How rows are dealt to threads and masked steps passed over stands in `rows.py`. U is taken apart into the update and reset
gates' U_zr and the candidate's U_h, since the candidate's product stands apart in both readings.
"""

import numba as nb
import numpy as np

from ..activations import Array
from ..buffers import empty
from ..cells.gru import GRUGradients, GRUTape
from ..cells.products import recurrent_kernel_gradient
from ..layers import check_shapes
from .rows import (
    FAST,
    INNER,
    THIS_FILE,
    add_dropped,
    add_dropped_backward,
    add_product,
    add_product_row,
    add_row,
    blocks_of,
    dropout_of,
    fill_row,
    from_above,
    gradient_products,
    guarded,
    last_from_above,
    live_rows,
    multiply_row,
    of_one_dtype,
    per_gate,
    set_row,
    sigmoid_row,
    tanh_row,
)

ZR, CANDIDATE = slice(0, 2), slice(2, 3)  # of recurrent dropout's three masks


def gru_forward(
    x: Array, W: Array, U: Array, b: Array, h0: Array, mask: Array | None = None, recurrent_dropout: Array | None = None
) -> GRUTape:
    """`cells.gru.gru_forward`, compiled. TypeError unless all arrays are float32 or all are float64."""
    x, W, U, b, h0 = of_one_dtype(x, W, U, b, h0)
    tape, H2 = GRUTape(x, W, U, b, h0, mask, recurrent_dropout), 2 * len(U)
    r_zr, r_h = dropout_of(tape, ZR), dropout_of(tape, CANDIDATE)
    b_z, b_inner = b.reshape(-1, len(W[0]))[0].copy(), b[-1, H2:] if tape.reset_after else b[:0]  # (3H,), (H,)
    if tape.reset_after:
        b_z[:H2] += b[1, :H2]
    with guarded("GRU"):
        _forward(
            *blocks_of(tape), tape.reset_after, x, W, b_z, b_inner, per_gate(U[:, :H2], r_zr), per_gate(U[:, H2:], r_h),
            r_zr, r_h, tape.gates, tape.inner, tape.h_states, np.empty_like(h0), np.empty_like(h0),
        )  # fmt: skip
    return tape


def gru_backward(tape: GRUTape, dh: Array | None = None, dh_T: Array | None = None) -> GRUGradients:
    """`cells.gru.gru_backward`, compiled."""
    check_shapes(dh=(dh, tape.h.shape), dh_T=(dh_T, tape.h0.shape))
    (T, B, H), dtype, after = tape.h.shape, tape.gates.dtype, tape.reset_after
    dz, dh_total, dh0 = empty((T, B, 3 * H), dtype), empty((T, B, H), dtype), last_from_above(dh_T, tape.h0)
    dproduct = empty(dz.shape, dtype) if after else dz  # (T, B, 3H): of the recurrent product
    r_zr, r_h = dropout_of(tape, ZR), dropout_of(tape, CANDIDATE)
    U_T_zr = np.ascontiguousarray(per_gate(tape.U[:, : 2 * H], r_zr).transpose(0, 2, 1))  # (1, 2H, H) or (2, H, H)
    U_T_h = np.ascontiguousarray(tape.U[None, :, 2 * H :].transpose(0, 2, 1))  # (1, H, H)
    with guarded("GRU"):
        _backward(
            *blocks_of(tape), after, from_above(dh, tape), U_T_zr, U_T_h, r_zr, r_h, tape.gates, tape.inner, tape.h_states,
            dz, dproduct, dh_total, dh0, np.empty_like(dh0), np.empty_like(dh0),
        )  # fmt: skip
        dx, dW, dU, db, db_h = gradient_products(tape, dz, dproduct if after else None)
    if not after:  # the candidate has seen r∘h', not h'
        rho = None if tape.recurrent_dropout is None else tape.recurrent_dropout[CANDIDATE]
        dU[:, 2 * H :] = recurrent_kernel_gradient(tape.r * tape.h_states[:-1], dz[..., 2 * H :], rho)
    return GRUGradients(
        x=dx, W=dW, U=dU, b=np.stack([db, db_h]) if after else db, h0=dh0, z=dz, recurrent_z=dproduct, h=dh_total
    )


# -- the arithmetic of one row: gates (3H,) in the order z r ĥ, the rest (H,) ------------------------------------------


@nb.njit(**INNER, **FAST)
def mix_row(gates: Array, h_prev: Array, h: Array) -> None:
    """The new h from z and the candidate, which comes in before its tanh."""
    H = len(h)
    z, candidate, one = gates[:H], gates[2 * H :], h.dtype.type(1)
    tanh_row(candidate)
    for j in range(H):
        h[j] = z[j] * h_prev[j] + (one - z[j]) * candidate[j]


@nb.njit(**INNER, **FAST)
def mix_row_backward(gates: Array, h_prev: Array, dh: Array, dz: Array, dh_prev: Array) -> None:
    """Dz of the update gate and the candidate, and what h' receives beside the products."""
    H = len(dh)
    z, candidate, one = gates[:H], gates[2 * H :], dh.dtype.type(1)
    dz_z, dz_h = dz[:H], dz[2 * H :]
    for j in range(H):
        dz_h[j] = dh[j] * (one - z[j]) * (one - candidate[j] * candidate[j])
        dz_z[j] = dh[j] * (h_prev[j] - candidate[j]) * z[j] * (one - z[j])
    for j in range(H):
        dh_prev[j] = dh[j] * z[j]


@nb.njit(**INNER, **FAST)
def reset_row_backward(r: Array, inner: Array, ds: Array, dz_r: Array) -> None:
    one = r.dtype.type(1)
    for j in range(len(r)):
        dz_r[j] = ds[j] * inner[j] * r[j] * (one - r[j])


# -- what a worker does with its block, and a parallel loop over blocks, kept bare to compile fast ---------------------


@nb.njit(**INNER, **FAST)
def forward_block(
    rows: Array, mask: Array, after: bool, x: Array, W: Array, b: Array, b_inner: Array, U_zr: Array, U_h: Array,
    r_zr: Array, r_h: Array, gates: Array, inner: Array, h: Array, reset: Array, space: Array,
) -> None:  # fmt: skip
    zero, start, live_space, H = x.dtype.type(0), np.intp(0), np.empty_like(rows), h.shape[2]
    for t in range(len(x)):
        live = live_rows(mask, t, rows, live_space)
        for row in live:
            set_row(gates[t, row], b)
        add_product(x[t], start, W, gates[t], start, live)
        if len(r_zr) == 0:
            add_product(h[t], start, U_zr[0], gates[t], start, live)
        else:
            add_dropped(h[t], U_zr, r_zr, gates[t], start, live, space)
        for row in live:
            sigmoid_row(gates[t, row, : 2 * H])
        for row in live:
            if after:
                set_row(inner[t, row], b_inner)
            else:
                set_row(inner[t, row], h[t, row])
                multiply_row(reset[row], h[t, row], gates[t, row, H : 2 * H])
        meets, product, at = (h[t], inner[t], start) if after else (reset, gates[t], start + 2 * H)
        if len(r_h) == 0:
            add_product(meets, start, U_h[0], product, at, live)
        else:
            add_dropped(meets, U_h, r_h, product, at, live, space)
        for row in live:
            if after:
                add_product_row(gates[t, row, 2 * H :], gates[t, row, H : 2 * H], inner[t, row])
            mix_row(gates[t, row], h[t, row], h[t + 1, row])
        for row in rows:
            if len(mask) and not mask[t, row]:
                fill_row(gates[t, row], zero)
                fill_row(inner[t, row], zero)
                set_row(h[t + 1, row], h[t, row])


@nb.njit(parallel=True, cache=True)
def _forward(
    rows: Array, cuts: Array, mask: Array, after: bool, x: Array, W: Array, b: Array, b_inner: Array,
    U_zr: Array, U_h: Array, r_zr: Array, r_h: Array, gates: Array, inner: Array, h: Array, reset: Array, space: Array,
    helpers: int = THIS_FILE,
) -> None:  # fmt: skip
    """Fills gates (T, B, 3H), inner (T, B, H) and h (T + 1, B, H) from its slot 1 on. `reset` (B, H) holds r∘h'."""
    for n in nb.prange(len(cuts) - 1):
        block = rows[cuts[n] : cuts[n + 1]]
        forward_block(block, mask, after, x, W, b, b_inner, U_zr, U_h, r_zr, r_h, gates, inner, h, reset, space)


@nb.njit(**INNER, **FAST)
def backward_block(
    rows: Array, mask: Array, after: bool, dh: Array, U_T_zr: Array, U_T_h: Array, r_zr: Array, r_h: Array,
    gates: Array, inner: Array, h: Array,
    dz: Array, dproduct: Array, dh_total: Array, dh_next: Array, ds: Array, space: Array,
) -> None:  # fmt: skip
    zero, start, live_space, H = dz.dtype.type(0), np.intp(0), np.empty_like(rows), h.shape[2]
    for t in range(len(dz) - 1, -1, -1):
        live = live_rows(mask, t, rows, live_space)
        for row in rows:
            set_row(dh_total[t, row], dh_next[row])
            if len(dh):
                add_row(dh_total[t, row], dh[t, row])
            if len(mask) and not mask[t, row]:
                fill_row(dz[t, row], zero)
                fill_row(dproduct[t, row], zero)
                set_row(dh_next[row], dh_total[t, row])
        for row in live:
            mix_row_backward(gates[t, row], h[t, row], dh_total[t, row], dz[t, row], dh_next[row])
            if after:
                multiply_row(dproduct[t, row, 2 * H :], dz[t, row, 2 * H :], gates[t, row, H : 2 * H])
            else:
                fill_row(ds[row], zero)
        if len(r_h) == 0:
            add_product(dproduct[t], start + 2 * H, U_T_h[0], dh_next if after else ds, start, live)
        else:
            add_dropped_backward(dproduct[t], start + 2 * H, U_T_h, r_h, dh_next if after else ds, live, space)
        for row in live:
            r = gates[t, row, H : 2 * H]
            reset_row_backward(r, inner[t, row], dz[t, row, 2 * H :] if after else ds[row], dz[t, row, H : 2 * H])
            if after:
                set_row(dproduct[t, row, : 2 * H], dz[t, row, : 2 * H])
            else:
                add_product_row(dh_next[row], ds[row], r)
        if len(r_zr) == 0:
            add_product(dz[t], start, U_T_zr[0], dh_next, start, live)
        else:
            add_dropped_backward(dz[t], start, U_T_zr, r_zr, dh_next, live, space)


@nb.njit(parallel=True, cache=True)
def _backward(
    rows: Array, cuts: Array, mask: Array, after: bool, dh: Array, U_T_zr: Array, U_T_h: Array,
    r_zr: Array, r_h: Array, gates: Array, inner: Array, h: Array,
    dz: Array, dproduct: Array, dh_total: Array, dh_next: Array, ds: Array, space: Array, helpers: int = THIS_FILE,
) -> None:  # fmt: skip
    """Fills dz and dproduct (T, B, 3H) and dh_total (T, B, H); dh_next (B, H) runs from T to 0. `ds` (B, H) is of r∘h'."""
    for n in nb.prange(len(cuts) - 1):
        block = rows[cuts[n] : cuts[n + 1]]
        backward_block(
            block, mask, after, dh, U_T_zr, U_T_h, r_zr, r_h, gates, inner, h, dz, dproduct, dh_total, dh_next, ds, space
        )  # fmt: skip
