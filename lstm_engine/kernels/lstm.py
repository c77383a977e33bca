"""The LSTM's compiled twin: `lstm_forward` and `lstm_backward` of `cells/lstm.py`, with the same tape and gradients.

Every worker takes a block of sequences through all steps, so no step waits for another worker, and a row's product,
gates and cell update follow each other in cache. The blocks are cut by the batch alone and weight gradients summed from a
fixed number of parts in one order, so the bits do not depend on the thread count. float32 and float64. All kernels
stand in this one file, because Numba's cache does not see edits in another.
"""

import logging
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numba as nb
import numpy as np
from numba.extending import overload

from ..activations import Array
from ..buffers import empty
from ..cells.lstm import LSTMGradients, LSTMTape, recurrent_kernel_gradient
from ..layers import check_shapes

FAST: dict[str, Any] = {
    "fastmath": {"contract", "reassoc", "arcp", "nsz", "afn"},  # all of it but what would delete NaN and infinity
    "error_model": "numpy",  # Python's would look for a zero before every division, and nothing would vectorise
}
PARTS = 8  # the weight gradients' partial sums

_one_caller = threading.Lock()  # Numba's workqueue layer aborts the process when two threads run kernels at once
_compiling = "compiling the LSTM's kernels, once on this machine: about ten seconds ..."
_notice: threading.Timer | None = threading.Timer(1.5, logging.getLogger("lstm_engine").warning, [_compiling])


def lstm_forward(
    x: Array, W: Array, U: Array, b: Array, h0: Array, c0: Array,
    mask: Array | None = None, recurrent_dropout: Array | None = None,
) -> LSTMTape:  # fmt: skip
    """`cells.lstm.lstm_forward`, compiled. TypeError unless all arrays are float32 or all are float64."""
    x, W, U, b, h0, c0 = of_one_dtype(x, W, U, b, h0, c0)
    tape = LSTMTape(x, W, U, b, h0, c0, mask, recurrent_dropout)
    with guarded():
        gates, tanh_c, h, c = tape.gates, tape.tanh_c, tape.h_states, tape.c_states
        _forward(x, W, b, per_gate(U, tape), dropout_of(tape), mask_of(tape), gates, tanh_c, h, c)
    return tape


def lstm_backward(
    tape: LSTMTape, dh: Array | None = None, dh_T: Array | None = None, dc_T: Array | None = None
) -> LSTMGradients:
    """`cells.lstm.lstm_backward`, compiled."""
    check_shapes(dh=(dh, tape.h.shape), dh_T=(dh_T, tape.h0.shape), dc_T=(dc_T, tape.c0.shape))
    (T, B, H), dtype = tape.h.shape, tape.gates.dtype
    dz, dc, dh_total = empty((T, B, 4 * H), dtype), empty((T, B, H), dtype), empty((T, B, H), dtype)
    upstream = np.empty((0, B, H), dtype) if dh is None else np.ascontiguousarray(dh, dtype)
    dh0 = np.zeros((B, H), dtype) if dh_T is None else np.array(dh_T, dtype, order="C")  # changed in place
    dc0 = np.zeros((B, H), dtype) if dc_T is None else np.array(dc_T, dtype, order="C")
    U_T = np.ascontiguousarray(per_gate(tape.U, tape).transpose(0, 2, 1))  # (1, 4H, H) or (4, H, H)
    rows = (T * B, -1)
    shapes = tape.x.shape, (PARTS, *tape.W.shape), (PARTS, *tape.U.shape), (PARTS, 4 * H)
    dx, dW, dU, db = (empty(shape, dtype) for shape in shapes)
    with guarded():
        _backward(
            upstream, U_T, dropout_of(tape), mask_of(tape), tape.gates, tape.tanh_c, tape.c_states,
            dz, dc, dh_total, dh0, dc0,
        )  # fmt: skip
        _products(
            tape.x.reshape(rows), tape.h_states[:-1].reshape(rows), dz.reshape(rows), np.ascontiguousarray(tape.W.T),
            dx.reshape(rows), dW, dU, db,
        )  # fmt: skip
    U_gradient = dU.sum(axis=0) if tape.recurrent_dropout is None else recurrent_kernel_gradient(tape, dz)
    return LSTMGradients(x=dx, W=dW.sum(axis=0), U=U_gradient, b=db.sum(axis=0), h0=dh0, c0=dc0, z=dz, c=dc, h=dh_total)


def of_one_dtype(*arrays: Array) -> list[Array]:
    dtypes = {a.dtype for a in arrays}
    if dtypes not in ({np.dtype("float32")}, {np.dtype("float64")}):
        got = ", ".join(sorted(map(str, dtypes)))
        raise TypeError(f'kernels take all float32 or all float64, got {got}; backend="numpy" takes any')
    return [np.ascontiguousarray(a) for a in arrays]


def per_gate(U: Array, tape: LSTMTape) -> Array:
    """U as the kernels walk it: (1, H, 4H), or (4, H, H) when recurrent dropout gives every gate an h of its own."""
    none = tape.recurrent_dropout is None
    return U[None] if none else np.ascontiguousarray(U.reshape(len(U), 4, -1).swapaxes(0, 1))


def dropout_of(tape: LSTMTape) -> Array:
    """(4, B, H), or empty (0, B, H) for none: a kernel has one signature."""
    r = tape.recurrent_dropout
    return np.empty((0, *tape.h0.shape), tape.gates.dtype) if r is None else np.ascontiguousarray(r, tape.gates.dtype)


def mask_of(tape: LSTMTape) -> Array:
    """(T, B) of bool, or empty for none."""
    return np.empty((0, 0), np.bool_) if tape.mask is None else np.ascontiguousarray(tape.mask, np.bool_)


@contextmanager
def guarded() -> Iterator[None]:
    """One caller at a time; and if the first call takes long, the person waiting is told, once, that it compiles."""
    global _notice
    with _one_caller:
        if _notice:
            _notice.start()
        try:
            yield
        finally:
            if _notice:
                _notice.cancel()
            _notice = None


# -- the arithmetic of one row. Constants are typed: a Python float would turn float32 arithmetic into float64 ---------


def tanh(x: Any) -> Any:
    """The math library's tanh in float64; in float32 x P(x²) / Q(x²) on [-8, 8], which vectorises.

    Fitted to the smallest largest relative error (6e-9); evaluated in float32 within 4e-7 of tanh. NaN passes.
    """
    raise TypeError("for compiled code only")


@overload(tanh, jit_options=FAST)
def _tanh_of(x: Any) -> Any:
    def exact(x: Any) -> Any:
        return math.tanh(x)

    p = (9.99999994e-01, 1.34445050e-01, 3.57160645e-03, 2.18948027e-05, 1.52306187e-08)
    q = (1.0, 4.67778324e-01, 2.61644749e-02, 3.41130588e-04, 8.52252750e-07)
    p0, p1, p2, p3, p4, q0, q1, q2, q3, q4, end = (np.float32(v) for v in (*p, *q, 8.0))

    def rational(x: Any) -> Any:
        if x > end:
            x = end
        elif x < -end:
            x = -end
        s = x * x
        numerator = (((p4 * s + p3) * s + p2) * s + p1) * s + p0
        denominator = (((q4 * s + q3) * s + q2) * s + q1) * s + q0
        return x * numerator / denominator

    return exact if x is nb.float64 else rational


# Rows are written as loops: compiling an array expression takes seconds, a loop milliseconds.


@nb.njit
def set_row(out: Array, a: Array) -> None:
    for j in range(len(out)):
        out[j] = a[j]


@nb.njit
def add_row(out: Array, a: Array) -> None:
    for j in range(len(out)):
        out[j] += a[j]


@nb.njit
def multiply_row(out: Array, a: Array, b: Array) -> None:
    for j in range(len(out)):
        out[j] = a[j] * b[j]


@nb.njit(**FAST)
def forward_row(gates: Array, c_prev: Array, c: Array, tanh_c: Array, h: Array) -> None:
    """Gates (4H,) comes in as z; the rest is (H,). Short loops over few arrays are what the compiler vectorises."""
    H, half = len(c), c.dtype.type(0.5)
    i, f, g, o = gates[:H], gates[H : 2 * H], gates[2 * H : 3 * H], gates[3 * H :]
    for j in range(2 * H):
        gates[j] = half * tanh(half * gates[j]) + half  # σ
    for j in range(H):
        g[j] = tanh(g[j])
    for j in range(H):
        o[j] = half * tanh(half * o[j]) + half
    for j in range(H):
        c[j] = f[j] * c_prev[j] + i[j] * g[j]
    for j in range(H):
        tanh_c[j] = tanh(c[j])
    for j in range(H):
        h[j] = o[j] * tanh_c[j]


@nb.njit(**FAST)
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


@nb.njit(**FAST)
def add_product(a: Array, B: Array, out: Array) -> None:
    """Out (R, N) += a (R, K) @ B (K, N): four rows by four k at a time, the contiguous n innermost."""
    R, K = a.shape
    N = B.shape[1]
    for r in range(0, R - 3, 4):
        o0, o1, o2, o3 = out[r], out[r + 1], out[r + 2], out[r + 3]
        for k in range(0, K - 3, 4):
            b0, b1, b2, b3 = B[k], B[k + 1], B[k + 2], B[k + 3]
            a00, a01, a02, a03 = a[r, k], a[r, k + 1], a[r, k + 2], a[r, k + 3]
            a10, a11, a12, a13 = a[r + 1, k], a[r + 1, k + 1], a[r + 1, k + 2], a[r + 1, k + 3]
            a20, a21, a22, a23 = a[r + 2, k], a[r + 2, k + 1], a[r + 2, k + 2], a[r + 2, k + 3]
            a30, a31, a32, a33 = a[r + 3, k], a[r + 3, k + 1], a[r + 3, k + 2], a[r + 3, k + 3]
            for n in range(N):
                o0[n] += a00 * b0[n] + a01 * b1[n] + a02 * b2[n] + a03 * b3[n]
                o1[n] += a10 * b0[n] + a11 * b1[n] + a12 * b2[n] + a13 * b3[n]
                o2[n] += a20 * b0[n] + a21 * b1[n] + a22 * b2[n] + a23 * b3[n]
                o3[n] += a30 * b0[n] + a31 * b1[n] + a32 * b2[n] + a33 * b3[n]
    for r in range(R):
        for k in range(K - K % 4 if r < R - R % 4 else 0, K):  # what the blocks of four left over
            a_rk, row, b_k = a[r, k], out[r], B[k]
            for n in range(N):
                row[n] += a_rk * b_k[n]


@nb.njit
def block_rows(
    B: int, H: int
) -> int:  # sequences a block: few, so that all workers have some; more for a U beyond cache
    return 4 if H <= 128 else min(16, max(4, B // 4))


# -- the kernels: what a worker does with its block, and a parallel loop over blocks, kept bare to compile fast --------


@nb.njit(**FAST)
def forward_block(
    lo: int, hi: int, x: Array, W: Array, b: Array, U: Array, r: Array, mask: Array,
    gates: Array, tanh_c: Array, h: Array, c: Array,
) -> None:  # fmt: skip
    T, _, H = tanh_c.shape
    zero = x.dtype.type(0)
    h_r, z_k = np.empty((hi - lo, H), x.dtype), np.empty((hi - lo, H), x.dtype)  # recurrent dropout's h∘r and product
    for t in range(T):
        z = gates[t, lo:hi]  # (R, 4H)
        for n in range(hi - lo):
            set_row(z[n], b)
        add_product(x[t, lo:hi], W, z)
        if len(r) == 0:
            add_product(h[t, lo:hi], U[0], z)
        for k in range(len(r)):
            z_k[:] = zero
            for n in range(hi - lo):
                multiply_row(h_r[n], h[t, lo + n], r[k, lo + n])
            add_product(h_r, U[k], z_k)
            for n in range(hi - lo):
                add_row(z[n, k * H : (k + 1) * H], z_k[n])
        for n in range(lo, hi):
            if len(mask) == 0 or mask[t, n]:
                forward_row(gates[t, n], c[t, n], c[t + 1, n], tanh_c[t, n], h[t + 1, n])
            else:
                gates[t, n] = tanh_c[t, n] = zero
                set_row(h[t + 1, n], h[t, n])
                set_row(c[t + 1, n], c[t, n])


@nb.njit(parallel=True, cache=True)
def _forward(
    x: Array, W: Array, b: Array, U: Array, r: Array, mask: Array, gates: Array, tanh_c: Array, h: Array, c: Array
) -> None:
    """Fills gates (T, B, 4H), tanh_c (T, B, H) and, from their slot 1 on, h and c (T + 1, B, H)."""
    B, H = h.shape[1:]
    R = block_rows(B, H)
    for block in nb.prange((B + R - 1) // R):
        forward_block(block * R, min(B, block * R + R), x, W, b, U, r, mask, gates, tanh_c, h, c)


@nb.njit(**FAST)
def backward_block(
    lo: int, hi: int, dh: Array, U_T: Array, r: Array, mask: Array, gates: Array, tanh_c: Array, c: Array,
    dz: Array, dc: Array, dh_total: Array, dh_next: Array, dc_next: Array,
) -> None:  # fmt: skip
    T, _, H = tanh_c.shape
    zero = dz.dtype.type(0)
    dz_k, dh_k = np.empty((hi - lo, H), dz.dtype), np.empty((hi - lo, H), dz.dtype)  # recurrent dropout's, one gate
    for t in range(T - 1, -1, -1):
        for n in range(lo, hi):
            set_row(dh_total[t, n], dh_next[n])
            if len(dh):
                add_row(dh_total[t, n], dh[t, n])
            if len(mask) == 0 or mask[t, n]:
                backward_row(gates[t, n], tanh_c[t, n], c[t, n], dh_total[t, n], dc_next[n], dc[t, n], dz[t, n])
                dh_next[n] = zero
            else:
                dz[t, n] = zero
                set_row(dc[t, n], dc_next[n])
                set_row(dh_next[n], dh_total[t, n])
        if len(r) == 0:
            add_product(dz[t, lo:hi], U_T[0], dh_next[lo:hi])
        for k in range(len(r)):
            dh_k[:] = zero
            for n in range(hi - lo):
                set_row(dz_k[n], dz[t, lo + n, k * H : (k + 1) * H])
            add_product(dz_k, U_T[k], dh_k)
            for n in range(hi - lo):
                multiply_row(dh_k[n], dh_k[n], r[k, lo + n])
                add_row(dh_next[lo + n], dh_k[n])


@nb.njit(parallel=True, cache=True)
def _backward(
    dh: Array, U_T: Array, r: Array, mask: Array, gates: Array, tanh_c: Array, c: Array,
    dz: Array, dc: Array, dh_total: Array, dh_next: Array, dc_next: Array,
) -> None:  # fmt: skip
    """Fills dz (T, B, 4H), dc and dh_total (T, B, H); dh_next and dc_next (B, H) run from T to 0."""
    B, H = dh_next.shape
    R = block_rows(B, H)
    for block in nb.prange((B + R - 1) // R):
        lo, hi = block * R, min(B, block * R + R)
        backward_block(lo, hi, dh, U_T, r, mask, gates, tanh_c, c, dz, dc, dh_total, dh_next, dc_next)


@nb.njit(**FAST)
def products_part(
    lo: int, hi: int, x: Array, h_prev: Array, dz: Array, W_T: Array, dx: Array, dW: Array, dU: Array, db: Array
) -> None:
    np.dot(dz[lo:hi], W_T, dx[lo:hi])
    np.dot(x[lo:hi].T, dz[lo:hi], dW)
    np.dot(h_prev[lo:hi].T, dz[lo:hi], dU)
    db[:] = 0
    for m in range(lo, hi):
        add_row(db, dz[m])


@nb.njit(parallel=True, cache=True)
def _products(x: Array, h_prev: Array, dz: Array, W_T: Array, dx: Array, dW: Array, dU: Array, db: Array) -> None:
    """dx (M, D) of M = T B rows, and by parts of the rows dW (P, D, 4H), dU (P, H, 4H), db (P, 4H)."""
    P, M = len(db), len(dz)
    for part in nb.prange(P):
        lo, hi = part * M // P, (part + 1) * M // P
        products_part(lo, hi, x, h_prev, dz, W_T, dx, dW[part], dU[part], db[part])
