"""What the three compiled cells share: the row arithmetic, the products, and who computes which rows when.

A worker takes a block of sequences through all steps, so no step waits for another worker and a row stays in cache. At a
step only rows that the mask lets through are computed. Blocks are cut by the batch and its mask alone and weight gradients
summed from a fixed number of parts in one order, so the bits do not depend on the thread count. float32 and float64.
"""

import hashlib
import logging
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numba as nb
import numpy as np
from numba.extending import overload

from ..activations import Array
from ..buffers import empty

FAST: dict[str, Any] = {
    "fastmath": {"contract", "reassoc", "arcp", "nsz", "afn"},  # all of it but what would delete NaN and infinity
    "error_model": "numpy",  # Python's would look for a zero before every division, and nothing would vectorise
}
INNER: dict[str, Any] = {
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}  # called by kernels alone: compiles faster
PARTS = 8  # the weight gradients' partial sums

# Numba's cache does not see edits in another file's jitted functions. The value of a default argument is part of its key:
# kernels in other files take this one's hash as an argument that nobody passes, and so are compiled anew when it changes.
THIS_FILE = int.from_bytes(hashlib.sha256(Path(__file__).read_bytes()).digest()[:7], "big")

_one_caller = threading.Lock()  # Numba's workqueue layer aborts the process when two threads run kernels at once
_told: set[str] = set()


# -- from a tape to what kernels take: no None, one dtype, one signature ---------------------------------------------------


def of_one_dtype(*arrays: Array) -> list[Array]:
    dtypes = {a.dtype for a in arrays}
    if dtypes not in ({np.dtype("float32")}, {np.dtype("float64")}):
        got = ", ".join(sorted(map(str, dtypes)))
        raise TypeError(f'kernels take all float32 or all float64, got {got}; backend="numpy" takes any')
    return [plain(a, a.dtype) for a in arrays]


def plain(a: Array, dtype: Any) -> Array:
    """Contiguous and writable: for a read-only array everything would be compiled once more."""
    return np.require(a, dtype, ["C", "W"])


def dropout_of(tape: Any, gates: slice = slice(None)) -> Array:
    """(G, B, H), or empty (0, B, H) for none."""
    r, h0 = tape.recurrent_dropout, tape.h0
    return np.empty((0, *h0.shape), h0.dtype) if r is None else plain(r[gates], h0.dtype)


def per_gate(U: Array, r: Array) -> Array:
    """U (H, GH) as kernels walk it: (1, H, GH), or (G, H, H) when recurrent dropout r gives every gate an h of its own."""
    U = U[None] if len(r) == 0 else U.reshape(len(U), len(r), -1).swapaxes(0, 1)
    return np.ascontiguousarray(U)


def from_above(dh: Array | None, tape: Any) -> Array:
    """dh on every h (T, B, H), or empty (0, B, H) for none."""
    return np.empty((0, *tape.h0.shape), tape.h0.dtype) if dh is None else plain(dh, tape.h0.dtype)


def last_from_above(d: Array | None, like: Array) -> Array:
    """The gradient of the last state (B, H), to be changed in place; None is zero."""
    return np.zeros_like(like) if d is None else np.array(d, like.dtype, order="C")


def blocks_of(tape: Any) -> tuple[Array, Array, Array]:
    """The batch's rows (B,), where blocks of them are cut (n + 1,), and the mask (T, B), empty for none.

    Blocks are small, so that all threads have some; larger for a U beyond cache, and under a mask, since rows are computed
    by four and some sleep. The cuts then give every block as many live steps.
    """
    (T, B, _), H, mask = tape.x.shape, tape.h0.shape[1], tape.mask
    size = 4 if mask is None and H <= 128 else min(16, max(4, B // 4))
    cuts, no_mask = np.array([*range(0, B, size), B]), np.empty((0, 0), np.bool_)
    if mask is None:
        return np.arange(B), cuts, no_mask
    work = np.cumsum(mask.sum(axis=0) + T / 8)  # (B,): a masked step is not free, its states are written
    cuts = np.searchsorted(work, work[-1] * np.linspace(0, 1, len(cuts)), side="right")
    return np.arange(B), cuts, np.ascontiguousarray(mask)


@contextmanager
def guarded(cell: str) -> Iterator[None]:
    """One caller at a time; and if a cell's first call takes long, the person waiting is told, once, that it compiles."""
    with _one_caller:
        if cell in _told:  # every call but the first: a timer would cost a tenth of a small step
            yield
            return
        _told.add(cell)
        words = f"compiling the {cell}'s kernels, once on this machine: ten to twenty seconds ..."
        notice = threading.Timer(1.5, logging.getLogger("lstm_engine").warning, [words])
        notice.start()
        try:
            yield
        finally:
            notice.cancel()


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


# Rows are written as loops: compiling an array expression takes seconds, a loop milliseconds. Short loops over few arrays
# are what the compiler vectorises. forceinline stands where a call would cost more than what it does.


@nb.njit(**INNER)
def fill_row(out: Array, value: Any) -> None:
    for j in range(len(out)):
        out[j] = value


@nb.njit(**INNER)
def set_row(out: Array, a: Array) -> None:
    for j in range(len(out)):
        out[j] = a[j]


@nb.njit(**INNER)
def add_row(out: Array, a: Array) -> None:
    for j in range(len(out)):
        out[j] += a[j]


@nb.njit(**INNER)
def multiply_row(out: Array, a: Array, b: Array) -> None:
    for j in range(len(out)):
        out[j] = a[j] * b[j]


@nb.njit(**INNER, **FAST)
def add_product_row(out: Array, a: Array, b: Array) -> None:
    for j in range(len(out)):
        out[j] += a[j] * b[j]


@nb.njit(**INNER, **FAST, forceinline=True)
def tanh_row(z: Array) -> None:
    for j in range(len(z)):
        z[j] = tanh(z[j])


@nb.njit(**INNER, **FAST, forceinline=True)
def sigmoid_row(z: Array) -> None:
    half = z.dtype.type(0.5)
    for j in range(len(z)):
        z[j] = half * tanh(half * z[j]) + half


# -- the products of a step, for some rows of the batch ---------------------------------------------------------------


@nb.njit(**INNER, forceinline=True)
def live_rows(mask: Array, t: int, rows: Array, space: Array) -> Array:
    """Those of a block's rows that take step t, in `space`."""
    n = 0
    for row in rows:
        if len(mask) == 0 or mask[t, row]:
            space[n] = row
            n += 1
    return space[:n]


@nb.njit(**INNER, **FAST)
def add_product(a: Array, a_at: int, B: Array, out: Array, out_at: int, rows: Array) -> None:
    """out[row, out_at:] += a[row, a_at:] @ B (K, N): four rows by four k at a time (then two, then one), n innermost."""
    K, N = B.shape
    fours = len(rows) - len(rows) % 4
    for r in range(0, fours, 4):
        n0, n1, n2, n3 = rows[r], rows[r + 1], rows[r + 2], rows[r + 3]
        a0, a1, a2, a3 = a[n0, a_at:], a[n1, a_at:], a[n2, a_at:], a[n3, a_at:]
        o0, o1, o2, o3 = out[n0, out_at:], out[n1, out_at:], out[n2, out_at:], out[n3, out_at:]
        for k in range(0, K - 3, 4):
            b0, b1, b2, b3 = B[k], B[k + 1], B[k + 2], B[k + 3]
            a00, a01, a02, a03 = a0[k], a0[k + 1], a0[k + 2], a0[k + 3]
            a10, a11, a12, a13 = a1[k], a1[k + 1], a1[k + 2], a1[k + 3]
            a20, a21, a22, a23 = a2[k], a2[k + 1], a2[k + 2], a2[k + 3]
            a30, a31, a32, a33 = a3[k], a3[k + 1], a3[k + 2], a3[k + 3]
            for n in range(N):
                o0[n] += a00 * b0[n] + a01 * b1[n] + a02 * b2[n] + a03 * b3[n]
                o1[n] += a10 * b0[n] + a11 * b1[n] + a12 * b2[n] + a13 * b3[n]
                o2[n] += a20 * b0[n] + a21 * b1[n] + a22 * b2[n] + a23 * b3[n]
                o3[n] += a30 * b0[n] + a31 * b1[n] + a32 * b2[n] + a33 * b3[n]
    for r in range(fours, len(rows) - 1, 2):
        a0, a1, o0, o1 = a[rows[r], a_at:], a[rows[r + 1], a_at:], out[rows[r], out_at:], out[rows[r + 1], out_at:]
        for k in range(0, K - 3, 4):
            b0, b1, b2, b3 = B[k], B[k + 1], B[k + 2], B[k + 3]
            a00, a01, a02, a03 = a0[k], a0[k + 1], a0[k + 2], a0[k + 3]
            a10, a11, a12, a13 = a1[k], a1[k + 1], a1[k + 2], a1[k + 3]
            for n in range(N):
                o0[n] += a00 * b0[n] + a01 * b1[n] + a02 * b2[n] + a03 * b3[n]
                o1[n] += a10 * b0[n] + a11 * b1[n] + a12 * b2[n] + a13 * b3[n]
    for row in rows[len(rows) - len(rows) % 2 :]:
        a0, o0 = a[row, a_at:], out[row, out_at:]
        for k in range(0, K - 3, 4):
            b0, b1, b2, b3 = B[k], B[k + 1], B[k + 2], B[k + 3]
            a00, a01, a02, a03 = a0[k], a0[k + 1], a0[k + 2], a0[k + 3]
            for n in range(N):
                o0[n] += a00 * b0[n] + a01 * b1[n] + a02 * b2[n] + a03 * b3[n]
    for k in range(K - K % 4, K):  # what the fours left over
        for row in rows:
            a_k, b_k, o = a[row, a_at + k], B[k], out[row, out_at:]
            for n in range(N):
                o[n] += a_k * b_k[n]


@nb.njit(**INNER)
def add_dropped(h: Array, U: Array, r: Array, z: Array, z_at: int, rows: Array, space: Array) -> None:
    """z[row, z_at:] += h∘r_k @ U[k], gate after gate, under recurrent dropout r (G, B, H)."""
    for k in range(len(r)):
        for row in rows:
            multiply_row(space[row], h[row], r[k, row])
        add_product(space, np.intp(0), U[k], z, z_at + k * U.shape[2], rows)


@nb.njit(**INNER)
def add_dropped_backward(dz: Array, z_at: int, U_T: Array, r: Array, dh: Array, rows: Array, space: Array) -> None:
    """dh[row] += the sum of dz_k @ U_kᵀ ∘ r_k over the gates."""
    for k in range(len(r)):
        for row in rows:
            fill_row(space[row], space.dtype.type(0))
        add_product(dz, z_at + k * U_T.shape[1], U_T[k], space, np.intp(0), rows)
        for row in rows:
            add_product_row(dh[row], space[row], r[k, row])


# -- the products over all steps: the gradients of the input and the weights, from live rows alone --------------------


def gradient_products(tape: Any, dz: Array, dz_h: Array | None = None) -> tuple[Array, Array, Array, Array, Array]:
    """dx (T, B, D), dW (D, GH), dU (H, GH), and the sums of dz and dz_h (GH,) each, the latter 0 without dz_h.

    `dz_h` (T, B, GH) is the gradient of the recurrent product where it is not dz itself.
    """
    (T, B, D), (H, GH), dtype = tape.x.shape, tape.U.shape, dz.dtype
    flat = [a.reshape(-1, a.shape[-1]) for a in (tape.x, tape.h_states[:-1], dz, dz[:0] if dz_h is None else dz_h)]
    live = np.arange(0) if tape.mask is None else np.flatnonzero(tape.mask)
    dx, W_T = empty((T * B, D), dtype), np.ascontiguousarray(tape.W.T)
    if tape.mask is not None:
        dx[:] = 0
    sums = [empty((PARTS, *shape), dtype) for shape in ((D, GH), (H, GH), (GH,))]  # dW, dU and db by parts
    sums.append(np.zeros_like(sums[-1]))  # and db_h, where it is not db
    _products(T * B if tape.mask is None else len(live), live, *flat, W_T, dropout_of(tape), dx, *sums)
    dW, dU, db, db_h = (a.sum(axis=0) for a in sums)
    return dx.reshape(tape.x.shape), dW, dU, db, db_h


@nb.njit(parallel=True, cache=True)
def _products(
    M: int, live: Array, x: Array, h: Array, dz: Array, dz_h: Array, W_T: Array, r: Array, dx: Array,
    dW: Array, dU: Array, db: Array, db_h: Array,
) -> None:  # fmt: skip
    """dx, and the rest by PARTS of the M rows that `live` names; where it is empty they are all rows."""
    for p in nb.prange(PARTS):
        lo, hi = p * M // PARTS, (p + 1) * M // PARTS
        products_part(lo, hi, live, x, h, dz, dz_h, W_T, r, dx, dW[p], dU[p], db[p], db_h[p])


@nb.njit(**INNER, **FAST)
def products_part(
    lo: int, hi: int, live: Array, x: Array, h: Array, dz: Array, dz_h: Array, W_T: Array, r: Array, dx: Array,
    dW: Array, dU: Array, db: Array, db_h: Array,
) -> None:  # fmt: skip
    x_part, h_part, dz_part = picked(x, live, lo, hi), picked(h, live, lo, hi), picked(dz, live, lo, hi)
    dx_part = np.empty_like(x_part) if len(live) else dx[lo:hi]
    np.dot(dz_part, W_T, dx_part)
    for m in range(lo, lo if len(live) == 0 else hi):
        set_row(dx[live[m]], dx_part[m - lo])
    np.dot(x_part.T, dz_part, dW)
    sum_rows(dz_part, db)
    if len(dz_h):  # the recurrent product's own
        dz_part = picked(dz_h, live, lo, hi)
        sum_rows(dz_part, db_h)
    if len(r) == 0:
        np.dot(h_part.T, dz_part, dU)
    for k in range(len(r)):  # recurrent dropout: every gate has seen an h of its own
        (B, H), zero = r.shape[1:], k * h.shape[1]
        h_k, dz_k, dU_k = np.empty_like(h_part), np.empty_like(h_part), np.empty((H, H), h.dtype)
        for m in range(hi - lo):
            multiply_row(h_k[m], h_part[m], r[k, (live[lo + m] if len(live) else lo + m) % B])
            set_row(dz_k[m], dz_part[m, zero : zero + H])
        np.dot(h_k.T, dz_k, dU_k)
        for j in range(H):
            set_row(dU[j, zero : zero + H], dU_k[j])


@nb.njit(**INNER)
def picked(a: Array, live: Array, lo: int, hi: int) -> Array:
    """Rows lo to hi of those that `live` names, or of all when it is empty."""
    if len(live) == 0:
        return a[lo:hi]
    rows = np.empty((hi - lo, a.shape[1]), a.dtype)
    for m in range(hi - lo):
        set_row(rows[m], a[live[lo + m]])
    return rows


@nb.njit(**INNER)
def sum_rows(a: Array, out: Array) -> None:
    fill_row(out, out.dtype.type(0))
    for m in range(len(a)):
        add_row(out, a[m])
