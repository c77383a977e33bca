"""The matrix product of every kernel, forward, backward and for the weight gradients: tiles whose sums stay in registers.

    panels   | b | U | W | 64 columns | b | U | W | the next 64 | ...    (float32 with AVX-512: WIDE vectors of 16 numbers)

`product` multiplies ROWS rows by a panel at a time. For each k it loads WIDE vectors of the panel and one number of each row;
24 sums, one per row and vector, stay in registers over the whole inner dimension. A panel is read from end to end, and stays
in cache while all rows of a block are multiplied by it. Each sum is computed by the same additions in the same order,
whichever other rows and columns are computed with it.
"""

import hashlib
import math
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..activations import Array
from ..buffers import LINE
from .disk_cache import callback, kernel
from .jobs import KERNEL
from .vectors import ARM, BYTES, INDEX, Code, call, gather, moved, row_of

MANY = BYTES == 64 or ARM  # the processor has 32 vector registers, else 16
ROWS, WIDE = 6, 4 if MANY else 2  # the sums of a tile take 24 of 32 registers, or 12 of 16
ALONE = 8  # vectors that a single row takes at a time, of several panels: a sum waits for the addition before it
INNER: dict[str, Any] = {  # of functions that only kernels call: without the wrappers they compile faster
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "error_model": "numpy",  # Python's would test for zero before every division
}

# Numba's disk cache does not notice edits in the functions of another file. Its key has the types, the default arguments and
# the variables of a closure. So kernels have, as the default of an unused argument, the hash of the files that they share and
# of the width of their vectors.
SHARED = [Path(__file__).with_name(f"{name}.py") for name in ("jobs", "vectors", "product", "rows")]


def hash_for(vector_bytes: int) -> int:
    parts = [bytes([vector_bytes]), *(p.read_bytes() for p in SHARED)]
    return int.from_bytes(hashlib.sha256(b"".join(parts)).digest()[:7], "big")


THESE_FILES = hash_for(BYTES)


def lined_up(shape: tuple[int, ...], dtype: Any) -> Array:
    """np.empty that starts at a cache line: a vector that lies across two lines takes twice as long to load."""
    size = math.prod(shape)
    space = np.empty(size + LINE // dtype.itemsize, dtype)
    at = -space.ctypes.data % LINE // dtype.itemsize
    return space[at : at + size].reshape(shape)


@lru_cache
def numbers(n: int) -> Array:
    """0 ... n - 1; cached, since nothing writes to it."""
    return np.arange(n)


def packed(start: Array, A: Array, X: Array, G: int) -> Array:
    """start (N,), A (K, N) and X (D, N) as panels (1, ...): see above. With G > 0 panels of each gate, (G, ...)."""
    n, lanes, height = max(1, G), BYTES // A.itemsize, 1 + len(A) + len(X)
    panels = lined_up((n, height * (-(-A.shape[1] // n // lanes) * lanes)), A.dtype)
    _pack(start, A, X, numbers(height), panels)
    return panels


@kernel(**KERNEL)
def _pack(start: Array, A: Array, X: Array, rows: Array, panels: Array, helpers: int = THESE_FILES) -> None:
    lanes = BYTES // A.itemsize
    n, N, K, D = len(panels), A.shape[1] // len(panels), len(A), len(X)
    for gate in range(n):
        to, end = 0, (gate + 1) * N
        panel = panels[gate]
        for j in range(gate * N, end, WIDE * lanes):
            columns = min(WIDE * lanes, end - j)
            width = -(-columns // lanes) * lanes
            if columns < width:  # zeros fill the last vector
                for k in range(to, to + (1 + K + D) * width):
                    panel[k] = 0
            gather(start, rows, 0, 1, j, panel, to, width, columns)
            gather(A, rows, 0, K, j, panel, to + width, width, columns)
            gather(X, rows, 0, D, j, panel, to + (1 + K) * width, width, columns)
            to += (1 + K + D) * width


def packed_transposed(U: Array, G: int) -> Array:
    """Uᵀ as panels (max(1, G), ...) without a start, where U (H, GH) holds the gates side by side."""
    n, lanes = max(1, G), BYTES // U.itemsize
    panels = lined_up((n, U.shape[1] // n * (-(-len(U) // lanes) * lanes)), U.dtype)
    _pack_transposed(U, panels)
    return panels


@kernel(**KERNEL)
def _pack_transposed(U: Array, panels: Array, helpers: int = THESE_FILES) -> None:
    lanes = BYTES // U.itemsize
    n, H, N = len(panels), len(U), U.shape[1] // len(panels)
    for gate in range(n):
        to, panel = 0, panels[gate]
        for j in range(0, H, WIDE * lanes):
            columns = min(WIDE * lanes, H - j)
            width = -(-columns // lanes) * lanes
            if columns < width:
                for k in range(to, to + N * width):
                    panel[k] = 0
            for block in range(0, N, lanes):  # a cache line of U at a time
                for i in range(columns):
                    row, at = U[j + i, gate * N + block :], np.uint64(to + block * width + i)
                    for k in range(np.uint64(min(lanes, N - block))):  # unsigned: no test for indices from the end
                        panel[at + k * np.uint64(width)] = row[k]
            to += N * width


@intrinsic
def product(
    typing: Any, address: Any, a: Any, rows: Any, a_at: Any, K: Any, x: Any, panels: Any, add: Any, out: Any, out_at: Any,
    N: Any,
) -> Any:  # fmt: skip
    """out[row, out_at : out_at + N] = start + a[row, a_at : a_at + K] @ A + x[row] @ X for each of `rows`.

    start, A and X come as the panels that `packed` makes. With `add` the sum starts from out itself, and the panels have no
    start. `address` is `compiled_product` of the arrays' dtype.
    """

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        called = [context.get_value_type(t) for t in signature.args[1:]]
        function = ir.FunctionType(context.get_value_type(types.void), called).as_pointer()
        builder.call(builder.inttoptr(args[0], function), args[1:])
        return context.get_dummy_value()

    n = types.intp
    return types.none(n, a, rows, n, n, x, panels, types.boolean, out, n, n), write


@cache
def compiled_product(dtype: np.dtype[Any]) -> int:
    """The address of `product` for this dtype. It is compiled once, not into every kernel: that saves twenty seconds."""
    real, number, version = getattr(types, dtype.name), types.intp, THESE_FILES

    def run(
        a: Any, rows: Any, a_at: int, K: int, x: Any, panels: Any, add: bool, out: Any, out_at: int, N: int
    ) -> None:
        version  # noqa: B018  # a variable of the closure, and so part of the key of Numba's cache
        n, width = len(rows), WIDE * BYTES // a.itemsize
        tiles, height = -(-n // ROWS), (0 if add else 1) + K + x.shape[1]
        alone, j = ALONE * BYTES // a.itemsize, 0
        while j < N:
            columns = alone if n == 1 and N - j >= alone else min(width, N - j)
            for i in range(tiles):
                lo, hi = i * n // tiles, (i + 1) * n // tiles
                tile(
                    a, rows, lo, hi - lo, a_at, K, x, panels, j * height, height * width, add, out, out_at + j, columns
                )
            j += columns

    matrix, rows, panels = types.Array(real, 2, "A"), types.Array(number, 1, "C"), types.Array(real, 1, "C")
    signature = types.void(matrix, rows, number, number, matrix, panels, types.boolean, matrix, number, number)
    _compiled.append(callback(signature, error_model="numpy")(run))
    return _compiled[-1].address


_compiled: list[Any] = []  # keeps the code alive


@intrinsic
def tile(
    typing: Any, a: Any, rows: Any, lo: Any, n: Any, a_at: Any, K: Any, x: Any, panel: Any, panel_at: Any, apart: Any,
    add: Any, out: Any, out_at: Any, width: Any,
) -> Any:  # fmt: skip
    """`product` for n of `rows`, from number `lo` on, and for one panel: the innermost loop of all kernels.

    A single row takes several panels that are wholly full, whose beginnings are `apart`.
    """

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (a, rows, lo, n, a_at, K, x, panel, panel_at, apart, add, out, out_at, width), t = args, signature.args
        a, rows, x, panel, out = (
            context.make_array(t[k])(context, builder, v) for k, v in ((0, a), (1, rows), (6, x), (7, panel), (11, out))
        )
        code, D = Code(context, builder, t[0].dtype), builder.extract_value(x.shape, 1)
        a_step, x_step = (builder.extract_value(array.strides, 1) for array in (a, x))
        panel = builder.gep(panel.data, [panel_at])

        def of_shape(R: int, V: int) -> None:
            row = [builder.load(builder.gep(rows.data, [builder.add(lo, INDEX(r))])) for r in range(R)]
            a_rows = [moved(code, row_of(code, a, r), builder.mul(a_step, a_at)) for r in row]
            x_rows, to = [row_of(code, x, r) for r in row], [builder.gep(row_of(code, out, r), [out_at]) for r in row]
            rest, step = builder.sub(width, INDEX((V - 1) * code.lanes)), INDEX(min(V, WIDE) * code.lanes)
            ns = [None] * (V - 1) + [rest]  # the lanes of each vector: all, but for the last one
            for p in to:  # the sums take long enough for the lines to arrive
                for at in range(0, V * code.lanes, LINE // code.size):
                    code.prefetch(builder.gep(p, [INDEX(at)]), write=True, level=3)
            starts = [
                builder.gep(panel, [builder.add(builder.mul(apart, INDEX(v // WIDE)), INDEX(v % WIDE * code.lanes))])
                for v in range(V)
            ]
            sums = [
                [
                    code.load(builder.select(add, builder.gep(p, [INDEX(v * code.lanes)]), starts[v]), n)
                    for v, n in enumerate(ns)
                ]
                for p in to
            ]
            A = [builder.select(add, start, builder.gep(start, [step])) for start in starts]
            X = [builder.gep(start, [builder.mul(step, K)]) for start in A]
            sums = _sums(code, sums, K, a_rows, a_step, A, step)
            sums = _sums(code, sums, D, x_rows, x_step, X, step)
            with builder.if_else(builder.icmp_signed("==", rest, INDEX(code.lanes))) as (whole, part):
                for branch, n in ((whole, None), (part, rest)):
                    with branch:
                        for p, row_sums in zip(to, sums, strict=True):
                            for v, total in enumerate(row_sums):
                                code.store(total, builder.gep(p, [INDEX(v * code.lanes)]), n if v == V - 1 else None)

        _for_each_shape(code, n, width, of_shape)
        return context.get_dummy_value()

    number = types.intp
    return types.none(
        a, rows, number, number, number, number, x, panel, number, number, types.boolean, out, number, number
    ), write


def _sums(code: Code, sums: Any, K: Any, a: Any, a_step: Any, B: Any, B_step: Any) -> Any:
    """sums[r][v] += Σₖ a[r][k] B[v][k]: a loop over k that keeps all sums in registers; a_step is k's stride in bytes."""
    b, R, V = code.builder, len(sums), len(sums[0])
    before, loop, after = b.block, b.append_basic_block("loop"), b.append_basic_block("after")
    b.cbranch(b.icmp_signed(">", K, INDEX(0)), loop, after)
    b.position_at_end(loop)
    k = b.phi(INDEX)
    held = [[b.phi(code.vector) for _ in range(V)] for _ in range(R)]
    columns = [code.load(b.gep(B_v, [b.mul(k, B_step)])) for B_v in B]
    new = []
    for r in range(R):
        a_k = code.spread(b.load(moved(code, a[r], b.mul(k, a_step))))
        new.append([call(b, f"llvm.fma.{code.suffix}", code.vector, a_k, columns[v], held[r][v]) for v in range(V)])
    k_next = b.add(k, INDEX(1))
    for phi, start, again in [(k, INDEX(0), k_next)] + [
        (held[r][v], sums[r][v], new[r][v]) for r in range(R) for v in range(V)
    ]:
        phi.add_incoming(start, before)
        phi.add_incoming(again, loop)
    b.cbranch(b.icmp_signed("<", k_next, K), loop, after)
    b.position_at_end(after)
    out = [[b.phi(code.vector) for _ in range(V)] for _ in range(R)]
    for r in range(R):
        for v in range(V):
            out[r][v].add_incoming(sums[r][v], before)
            out[r][v].add_incoming(new[r][v], loop)
    return out


def _for_each_shape(code: Code, n: Any, width: Any, write: Callable[[int, int], None]) -> None:
    """Code for every number of rows and of vectors, and a jump to the one that is needed."""
    b, number = code.builder, ir.IntType(64)
    V = b.sdiv(b.add(width, INDEX(code.lanes - 1)), INDEX(code.lanes))
    nothing, done = b.append_basic_block("nothing"), b.append_basic_block("done")
    jump = b.switch(b.add(b.mul(n, INDEX(16)), V), nothing)
    for R in range(1, ROWS + 1):
        for wide in [*range(1, WIDE + 1), *([ALONE] if R == 1 else [])]:
            block = b.append_basic_block(f"tile_{R}_{wide}")
            jump.add_case(number(16 * R + wide), block)
            b.position_at_end(block)
            write(R, wide)
            b.branch(done)
    b.position_at_end(nothing)
    b.branch(done)
    b.position_at_end(done)
