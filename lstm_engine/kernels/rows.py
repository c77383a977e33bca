"""Shared by the three compiled cells: the products of a step and of all steps, and the division of rows among workers.

    worker 0  rows 0-15   step 0   step 1   step 2   ...   a worker takes its sequences through all steps, so that no step
    worker 1  rows 16-31  step 0   step 1   step 2   ...   waits for another worker; masked rows are left out of a step

    forward   z = [1 h' x] [b; U; W]     backward   δh' = δz Uᵀ     `product.py`, for the unmasked rows of a worker
    gradients [h' x 1]ᵀ δz = [δU; δW; δb]   a worker takes some columns, or one of PARTS of the rows

Every number is computed by one worker, by the same operations in the same order however the work is divided; whether there
are PARTS depends on the shape alone. So the bits do not depend on the number of threads. float32 and float64.
"""

import math
import threading
import time
from functools import cache, lru_cache
from typing import Any

import numba as nb
import numpy as np

from ..activations import Array
from ..buffers import empty
from ..threads import ALWAYS_ALL, crew_of
from .disk_cache import kernel
from .jobs import ALL, KERNEL, compiled_loop, in_parallel
from .product import INNER, THESE_FILES, WIDE, compiled_product, lined_up, numbers, packed_transposed, product
from .vectors import BYTES, flush_denormals, gather, pointwise, restore

PARTS = 4  # a large batch is summed in this many parts, so that no two workers read the same rows
CHUNK = 128  # the weight gradients take so many rows of [h' x 1] at a time: these stay in cache for all columns

REAL = {np.dtype("float32"), np.dtype("float64")}
NO_MASK = np.empty((0, 0), np.bool_)
# Numba's workqueue layer aborts the process when two threads run kernels at once. A signal's handler that calls the engine
# waits for no kernel: it runs between two of them, in the thread that holds the lock.
one_caller = threading.RLock()


# -- from a tape to what kernels take: no None, one dtype, one signature ---------------------------------------------------


def of_one_dtype(*arrays: Array) -> list[Array]:
    dtype = arrays[0].dtype
    if dtype not in REAL or any(a.dtype != dtype for a in arrays):
        got = ", ".join(sorted({str(a.dtype) for a in arrays}))
        raise TypeError(f'kernels take all float32 or all float64, got {got}; backend="numpy" takes any')
    return [plain(a, dtype) for a in arrays]


def plain(a: Array, dtype: Any) -> Array:
    """The array, contiguous and writable: for a read-only one all kernels would be compiled again."""
    if a.dtype == dtype and a.flags.c_contiguous and a.flags.writeable:
        return a  # np.require would take as long for this as the product of a small step
    return np.require(a, dtype, ["C", "W"])


def dropout_of(tape: Any, gates: slice = slice(None)) -> Array:
    """(G, B, H), or empty (0, B, H) for none."""
    r, h0 = tape.recurrent_dropout, tape.h0
    return none_like(h0.shape, h0.dtype) if r is None else plain(r[gates], h0.dtype)


def from_above(dh: Array | None, tape: Any) -> Array:
    """dh on every h (T, B, H), or empty (0, B, H) for none."""
    return none_like(tape.h0.shape, tape.h0.dtype) if dh is None else plain(dh, tape.h0.dtype)


@lru_cache
def none_like(shape: tuple[int, ...], dtype: Any) -> Array:
    """(0, *shape): stands for an array that is not given."""
    return np.empty((0, *shape), dtype)


def gates_from(tape: Any, last: bool) -> Array:
    """The tape's gates; with `last` they are removed from it, because δz is written over them. ValueError after that."""
    gates: Array | None = tape.gates
    if gates is None:
        raise ValueError(
            "this tape is used up: a lean backward pass has written δz in the place of its gates. Run forward again, or use "
            "lean in the last pass only"
        )
    tape.gates = None if last else gates
    return gates


def last_from_above(d: Array | None, like: Array) -> Array:
    """A copy of the last state's gradient (B, H), which kernels change in place; None is zero."""
    return np.zeros(like.shape, like.dtype) if d is None else np.array(d, like.dtype, order="C")


class fastest_crew:
    """Meanwhile Numba's threads are as many as have been fastest for this work on x (T, B, D), which falls into `pieces`.

    At most the user's number, which is restored even if an interrupt comes on the way.
    """

    __slots__ = ("crew", "number", "share", "start", "users")

    def __init__(self, work: str, x: Array, units: int, pieces: int) -> None:
        T, B, D = x.shape
        self.users = self.number = users = nb.get_num_threads()
        self.crew = None
        if users > 1 and not ALWAYS_ALL:
            # sequences whose lengths are within a factor of two share a crew, whose seconds are those of the longest
            longest = T.bit_length()
            self.crew = crew_of(min(users, pieces or 1), work, x.dtype, units, B, D, longest)
            self.number, self.share = self.crew.number, (T or 1) / (1 << longest)

    def __enter__(self) -> None:
        try:
            if self.number != self.users:
                nb.set_num_threads(self.number)
        except BaseException:
            self.__exit__(BaseException)
            raise
        self.start = time.perf_counter()

    def __exit__(self, error: Any, *_: Any) -> None:
        try:
            if self.crew is not None and error is None:
                self.crew.took(self.number, (time.perf_counter() - self.start) / self.share)
        finally:
            try:
                if self.number != self.users:
                    nb.set_num_threads(self.users)
            except BaseException:
                nb.set_num_threads(self.users)
                raise


def blocks_of(x: Array, mask: Array | None) -> tuple[Array, Array, Array]:
    """The rows (B,) of the batch, the limits (n + 1,) of the workers' blocks in them, and the mask (T, B), empty for none."""
    T, B, _ = x.shape
    workers = nb.get_num_threads()
    if mask is None:
        return *equal_blocks(B, workers), NO_MASK
    work = np.cumsum(mask.sum(axis=0) + T / 8)  # (B,): a masked step costs something too, its states are written
    cuts = np.searchsorted(work, work[-1] * np.linspace(0, 1, workers + 1), side="right")
    return np.arange(B), cuts, np.ascontiguousarray(mask)


def jobs_of(x: Array, mask: Array | None) -> tuple[int, Array, Array, Array]:
    """What a kernel begins with: ALL jobs or one, and the blocks of the jobs. One row needs no second thread."""
    rows, cuts, mask = blocks_of(x, mask)
    if len(rows) == 1:
        cuts = equal_blocks(1, 1)[1]
    return ALL if len(cuts) > 2 else 0, rows, cuts, mask


@lru_cache
def equal_blocks(B: int, workers: int) -> tuple[Array, Array]:
    """`blocks_of` without a mask; cached, since nothing writes to the arrays."""
    return np.arange(B), np.arange(workers + 1) * B // workers


def room_for(state: Array) -> tuple[Array, Array]:
    """Space for a state (B, H) and for the numbers of rows (B,)."""
    return np.empty_like(state), np.empty(len(state), np.int64)


@cache
def addresses(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Of the product for this dtype and of the parallel loop, which kernels call by their addresses."""
    return compiled_product(dtype), compiled_loop()


def without_tape(state: Array, slots: int) -> Array:
    """An array for a state (B, H) and for `slots` steps after it; a longer sequence uses the slots in turn."""
    states = np.empty((slots + 1, *state.shape), state.dtype)
    states[0] = state
    return states


# -- whole rows: called with the length of a row, the rows, and the arrays (B, ...) that are read and written ----------

copy_rows = pointwise(lambda a: a, reads=[1], writes=[1])
zero_rows = pointwise(lambda: 0.0, reads=[], writes=[1])
add_rows = pointwise(lambda a, b: a + b, reads=[1, 1], writes=[1])
multiply_rows = pointwise(lambda a, b: a * b, reads=[1, 1], writes=[1])
add_product_rows = pointwise(lambda out, a, b: out + a * b, reads=[1, 1, 1], writes=[1])


@nb.njit(**INNER)
def slot(a: Array, t: int) -> Array:
    """Step t in an array (slots, B, ...): a tape has a slot for every step; without a tape, a few are used in turn."""
    return a[t % len(a)]


@nb.njit(**INNER)
def divided(mask: Array, t: int, rows: Array, space: Array) -> tuple[Array, Array]:
    """The rows of a block that take step t, and those that do not; `space` (B,) holds them."""
    if len(mask) == 0:
        return rows, rows[:0]
    live, asleep = 0, len(rows)
    for row in rows:
        if mask[t, row]:
            space[live] = row
            live += 1
        else:
            asleep -= 1
            space[asleep] = row
    return space[:live], space[live : len(rows)]


# -- the products of a step, for some rows of the batch ---------------------------------------------------------------


@nb.njit(**INNER)
def set_product(
    address: int, h: Array, x: Array, panels: Array, r: Array, z: Array, z_at: int, N: int, rows: Array, space: Array
) -> None:  # fmt: skip
    """z[row, z_at : z_at + N] = start + h @ U + x @ W; under recurrent dropout r (G, B, H) gate k reads h∘rₖ."""
    H, G = h.shape[1], len(r)
    if G == 0:
        product(address, h, rows, 0, H, x, panels[0], False, z, z_at, N)
    for k in range(G):
        multiply_rows(H, rows, (h, r[k], space))
        product(address, space, rows, 0, H, x, panels[k], False, z, z_at + k * N // G, N // G)


@nb.njit(**INNER)
def add_product_back(
    address: int, dz: Array, dz_at: int, N: int, panels: Array, r: Array, dh: Array, rows: Array, space: Array
) -> None:
    """dh[row] += dz[row, dz_at : dz_at + N] @ Uᵀ; under recurrent dropout the sum of dzₖ @ Uₖᵀ ∘ rₖ over the gates."""
    H, G = dh.shape[1], len(r)
    nothing = dz[:0, :0]
    if G == 0:
        product(address, dz, rows, dz_at, N, nothing, panels[0], True, dh, 0, H)
    for k in range(G):
        zero_rows(H, rows, (space,))
        product(address, dz, rows, dz_at + k * N // G, N // G, nothing, panels[k], True, space, 0, H)
        add_product_rows(H, rows, (dh, space, r[k], dh))


# -- the products over all steps: the gradients of the input and the weights, from live rows alone --------------------


def gradient_products(
    tape: Any, want_dx: bool, dz: Array, dz_h: Array | None = None
) -> tuple[Any, Array, Array, Array, Any]:
    """dx (T, B, D) or None, dW (D, GH), dU (H, GH), and the sums of dz and dz_h (GH,) each, None without dz_h.

    `dz_h` (T, B, GH) is the gradient of the recurrent product where it is not dz itself.
    """
    (T, B, D), (H, GH) = tape.x.shape, tape.U.shape
    dtype = dz.dtype
    x, h = tape.x.reshape(-1, D), tape.h_states[:-1].reshape(-1, H)
    flat = dz.reshape(-1, GH)
    live = np.arange(T * B) if tape.mask is None else np.flatnonzero(tape.mask)
    r = dropout_of(tape)
    workers = nb.get_num_threads()
    dx = None
    if want_dx:
        dx = np.zeros((T, B, D), dtype)
        panels = packed_transposed(tape.W, 0)[0]
        _input_gradient(ALL, workers, live, flat, panels, dx.reshape(-1, D), *addresses(dtype))
    if dz_h is None:
        d = weight_gradient(workers, live, h, x, flat, r)
        dU, dW, db, db_h = d[:H], d[H : H + D], d[-1], None
    else:
        d = weight_gradient(workers, live, h[:, :0], x, flat, r[:0])
        d_h = weight_gradient(workers, live, h, x[:, :0], dz_h.reshape(-1, GH), r)
        dU, dW, db, db_h = d_h[:H], d[:D], d[-1], d_h[-1]
    return dx, dW, dU, db, db_h


def weight_gradient(workers: int, live: Array, h: Array, x: Array, dz: Array, r: Array) -> Array:
    """[h x 1]ᵀ dz over the `live` rows: (H + D + 1, GH). If rows are many and the result small, the sum of PARTS sums."""
    shape = h.shape[1] + x.shape[1] + 1, dz.shape[1]
    parts = PARTS if len(live) >= 2048 and math.prod(shape) < 1 << 17 else 1
    stripes = -(-workers // parts)
    out = empty((parts, *shape), dz.dtype)
    jobs = parts * stripes
    space = space_of_jobs(jobs, shape[0], dz.dtype)
    job = ALL if jobs > 1 else 0
    _weight_gradient(job, stripes, live, h, x, dz, r, out, *space, numbers(shape[0]), *addresses(dz.dtype))
    return out[0] if parts == 1 else out.sum(axis=0)


@lru_cache(maxsize=8)
def space_of_jobs(jobs: int, C: int, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """For `_weight_gradient`; cached, because kernels run one at a time. The last column of [h x 1] is set here."""
    inputs = lined_up((jobs, CHUNK, C), dtype)
    inputs[..., -1] = 1.0
    return inputs, lined_up((jobs, CHUNK * WIDE * BYTES // dtype.itemsize), dtype)


@kernel(**KERNEL)
def _input_gradient(
    job: int, workers: int, live: Array, dz: Array, panels: Array, dx: Array, address: int, loop: int,
    helpers: int = THESE_FILES,
) -> None:  # fmt: skip
    if job == ALL:
        in_parallel(loop, workers)
        return
    state = flush_denormals()
    rows = live[job * len(live) // workers : (job + 1) * len(live) // workers]
    product(address, dz, rows, 0, dz.shape[1], dz[:0, :0], panels, True, dx, 0, dx.shape[1])
    restore(state)


@kernel(**KERNEL)
def _weight_gradient(
    job: int, stripes: int, live: Array, h: Array, x: Array, dz: Array, r: Array, out: Array,
    inputs: Array, panels: Array, every: Array, address: int, loop: int, helpers: int = THESE_FILES,
) -> None:  # fmt: skip
    """A job is a stripe of the columns of one part. Under recurrent dropout gate k has read h∘rₖ.

    `inputs` (jobs, CHUNK, C) and `panels` (jobs, ...) are `space_of_jobs`; `every` holds the numbers of out's rows.
    """
    if job == ALL:
        in_parallel(loop, len(inputs))
        return
    state = flush_denormals()
    part, stripe, lanes = job // stripes, job % stripes, BYTES // out.itemsize
    live = live[part * len(live) // len(out) : (part + 1) * len(live) // len(out)]
    out, a, panel = out[part], inputs[job], panels[job]
    C, GH = out.shape
    H, D, G = h.shape[1], x.shape[1], max(1, len(r))
    vectors = -(-GH // lanes)
    lo, hi = stripe * vectors // stripes * lanes, min(GH, (stripe + 1) * vectors // stripes * lanes)
    zero_rows(hi - lo, every, (out[:, lo:hi],))
    for k in range(G):
        first, last = max(lo, k * GH // G), min(hi, (k + 1) * GH // G)
        for start in range(0, len(live) if first < last else 0, CHUNK):
            m = min(CHUNK, len(live) - start)
            gather(h, live, start, m, 0, a, 0, C, H)
            gather(x, live, start, m, 0, a, H, C, D)
            for row in range(m if len(r) else 0):
                for j in range(H):
                    a[row, j] *= r[k, live[start + row] % r.shape[1], j]
            for j in range(first, last, WIDE * lanes):
                n = min(WIDE * lanes, last - j)
                gather(dz, live, start, m, j, panel, 0, -(-n // lanes) * lanes, n)
                product(address, a.T, every, 0, m, a[:0, :0], panel, True, out, j, n)
    restore(state)
