"""Vector instructions for compiled code, because Numba's loops are too slow.

A loop that LLVM vectorises by itself uses half the width of AVX-512 and keeps the sums of a product in memory. So the inner
parts of every kernel are written with LLVM's vectors: products in `product.py`, and here `pointwise`, which turns
equations into code for as many units at a time as a register holds. The equations are called once, with `Vector`s that
record the operations. float32 and float64.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

INDEX = ir.IntType(64)
FEATURES = llvm.get_host_cpu_features()


def widths() -> list[int]:
    """The bytes that a vector can have on this processor, in ascending order."""
    most = 64 if FEATURES.get("avx512f") else 32 if FEATURES.get("avx2") else 16
    return [n for n in (16, 32, 64) if n <= most]


def vector_bytes() -> int:
    """Bytes of a vector register: LSTM_ENGINE_VECTOR_BYTES, by default the most that the processor has."""
    has = [str(n) for n in widths()]
    wanted = os.environ.get("LSTM_ENGINE_VECTOR_BYTES") or has[-1]
    if wanted not in has:
        raise ValueError(
            f"LSTM_ENGINE_VECTOR_BYTES is {wanted!r}; this processor's kernels can have vectors of {', '.join(has)} bytes"
        )
    return int(wanted)


BYTES = vector_bytes()


def lanes(itemsize: int) -> int:
    return BYTES // itemsize


# -- vectors and what equations do with them --------------------------------------------------------------------------


class Code:
    """LLVM's builder, and the vector type of the code that is being written with it."""

    def __init__(self, context: Any, builder: Any, dtype: Any) -> None:
        self.builder, self.real = builder, context.get_value_type(dtype)
        self.size = dtype.bitwidth // 8
        self.lanes = lanes(self.size)
        self.vector = ir.VectorType(self.real, self.lanes)
        self.suffix = f"v{self.lanes}f{dtype.bitwidth}"

    def spread(self, number: Any) -> Any:
        """The same number in all lanes."""
        one = self.builder.insert_element(ir.Constant(self.vector, ir.Undefined), number, ir.IntType(32)(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(one, ir.Constant(self.vector, ir.Undefined), zeros)

    def value(self, a: Any) -> Any:
        """A Vector's value, or a Python number in all lanes."""
        return a.value if isinstance(a, Vector) else self.spread(self.real(a))

    def first(self, n: Any) -> Any:
        """The lanes below n, as a mask."""
        numbers, n = ir.VectorType(ir.IntType(32), self.lanes), self.builder.trunc(n, ir.IntType(32))
        limit = self.builder.insert_element(ir.Constant(numbers, ir.Undefined), n, ir.IntType(32)(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        limit = self.builder.shuffle_vector(limit, ir.Constant(numbers, ir.Undefined), zeros)
        return self.builder.icmp_signed("<", ir.Constant(numbers, list(range(self.lanes))), limit)

    def vectors(self, length: Any) -> Iterator[tuple[Any, Any]]:
        """Code for numbers from 0 to `length`, written twice: in a loop for whole vectors, and for the rest.

        Yields where the vector begins, and how many of its lanes are meant: None for all of them.
        """
        b = self.builder
        whole = b.and_(length, INDEX(-self.lanes))
        with cgutils.for_range_slice(b, INDEX(0), whole, INDEX(self.lanes), intp=INDEX) as (j, _):
            yield j, None
        rest = b.sub(length, whole)
        with b.if_then(b.icmp_unsigned("!=", rest, INDEX(0))):
            yield whole, rest

    def load(self, pointer: Any, n: Any = None) -> Any:
        """A vector; with n its lanes below n, and zeros."""
        pointer = self.builder.bitcast(pointer, self.vector.as_pointer())
        if n is None:
            return self.builder.load(pointer, align=self.size)
        zero, align = ir.Constant(self.vector, None), ir.IntType(32)(self.size)
        return call(
            self.builder, f"llvm.masked.load.{self.suffix}.p0", self.vector, pointer, align, self.first(n), zero
        )

    def store(self, value: Any, pointer: Any, n: Any = None) -> None:
        """Stores a vector; with n its lanes below n, by halves: 5 of 8 are 4 lanes and 1.

        LLVM's masked store would be microcode on AMD's processors with AVX2, and lane after lane with 16 bytes.
        """
        b = self.builder
        if n is None:
            b.store(value, b.bitcast(pointer, value.type.as_pointer()), align=self.size)
            return
        half = self.lanes // 2
        while half:
            low, high = (self.lanes_of(value, range(at, at + half)) for at in (0, half))
            some = b.icmp_unsigned("!=", b.and_(n, INDEX(half)), INDEX(0))
            with b.if_then(some):
                self.store(low, pointer)
            value, pointer = b.select(some, high, low), b.gep(pointer, [b.and_(n, INDEX(half))])
            half //= 2

    def prefetch(self, pointer: Any, write: bool, level: int) -> None:
        """Fetches the cache line of an address that will be written, or read; level 3 is the first cache, 2 the second."""
        number = ir.IntType(32)
        pointer = self.builder.bitcast(pointer, ir.IntType(8).as_pointer())
        call(self.builder, "llvm.prefetch.p0", ir.VoidType(), pointer, number(int(write)), number(level), number(1))

    def lanes_of(self, value: Any, which: Sequence[int]) -> Any:
        """A vector of these lanes of a vector."""
        numbers = ir.Constant(ir.VectorType(ir.IntType(32), len(which)), list(which))
        return self.builder.shuffle_vector(value, ir.Constant(value.type, ir.Undefined), numbers)


class Vector:
    """A vector of `lanes` numbers, one per unit. In operations a Python number stands for a vector of equal numbers."""

    def __init__(self, code: Code, value: Any) -> None:
        self.code, self.value = code, value

    def _operate(self, operation: str, a: Any, b: Any) -> Vector:
        a, b = self.code.value(a), self.code.value(b)
        return Vector(self.code, getattr(self.code.builder, operation)(a, b, flags=("contract",)))

    def __add__(self, other: Any) -> Vector:
        return self._operate("fadd", self, other)

    def __sub__(self, other: Any) -> Vector:
        return self._operate("fsub", self, other)

    def __rsub__(self, other: Any) -> Vector:
        return self._operate("fsub", other, self)

    def __mul__(self, other: Any) -> Vector:
        return self._operate("fmul", self, other)

    def __truediv__(self, other: Any) -> Vector:
        return self._operate("fdiv", self, other)

    def __rtruediv__(self, other: Any) -> Vector:
        return self._operate("fdiv", other, self)

    __radd__, __rmul__ = __add__, __mul__

    def at_most(self, limit: float) -> Vector:
        """The smaller of each number and the limit. NaN stays NaN."""
        return self._where(">", limit)

    def within(self, limit: float) -> Vector:
        """The numbers, clipped to [-limit, limit]. NaN stays NaN."""
        return self.at_most(limit)._where("<", -limit)

    def _where(self, comparison: str, bound: float) -> Vector:
        """The bound in place of the numbers that compare so with it."""
        b, end = self.code.builder, self.code.spread(self.code.real(bound))
        return Vector(self.code, b.select(b.fcmp_ordered(comparison, self.value, end), end, self.value))

    def each(self, name: str) -> Vector:
        """The math library's function of this name, lane after lane."""
        b, out = self.code.builder, ir.Constant(self.code.vector, ir.Undefined)
        for lane in map(ir.IntType(32), range(self.code.lanes)):
            number = call(b, name, self.code.real, b.extract_element(self.value, lane))
            out = b.insert_element(out, number, lane)
        return Vector(self.code, out)


# tanh in float32 is x P(x²) / Q(x²) up to LIMIT, fitted to the smallest largest relative error there (2e-8). From LIMIT on
# float32's nearest number to tanh is 1. There x² stays at LIMIT², so that the quotient grows with x beyond 1, and is cut off
# at exactly 1: a gate that is closed or open has to be 0 or 1, since its error would be repeated at every step.
LIMIT = 9.011
P = (1.0, 1.338327080e-01, 3.498192411e-03, 2.064976252e-05, 1.340686318e-08)
Q = (1.0, 4.671659172e-01, 2.588704415e-02, 3.289798333e-04, 7.798822708e-07)


def tanh(*xs: Vector) -> list[Vector]:
    """tanh of each: see `gates_of`."""
    return gates_of((), xs)


def gates_of(sigmoid: Sequence[Vector], tanhs: Sequence[Vector]) -> list[Vector]:
    """σ of some and tanh of others; σ(z) is ½ + ½tanh(½z). NaN in one may reach the others of its lane.

    In float64 tanh is the math library's. In float32 tanh is within 4e-7 and σ within 2e-7, and both are exact where float32
    has no nearer number than ±1, or 0 and 1. Divisions take most of the time, so two quotients share one: a/b and c/d are ad
    and cb, each times 1/bd.
    """
    scales = [0.5] * len(sigmoid) + [1.0] * len(tanhs)
    if (*sigmoid, *tanhs)[0].code.size == 8:
        y = [scale * (scale * x).each("tanh") for x, scale in zip((*sigmoid, *tanhs), scales, strict=True)]
        return [0.5 + t for t in y[: len(sigmoid)]] + y[len(sigmoid) :]
    quotients = [_quotient(x, scale) for x, scale in zip((*sigmoid, *tanhs), scales, strict=True)]
    y = []
    for (a, b), (c, d) in zip(quotients[::2], quotients[1::2], strict=False):
        one_over = 1.0 / (b * d)
        y += [a * d * one_over, c * b * one_over]
    if len(quotients) % 2:
        a, b = quotients[-1]
        y.append(a / b)
    y = [t.within(scale) for t, scale in zip(y, scales, strict=True)]
    return [0.5 + t for t in y[: len(sigmoid)]] + y[len(sigmoid) :]


def _quotient(x: Vector, scale: float) -> tuple[Vector, Vector]:
    """The numerator and denominator of scale·tanh(scale·x); the scale, a power of 2, is put into the coefficients."""
    s = (x * x).at_most((LIMIT / scale) ** 2)
    P_s = [scale**2 * c * scale ** (2 * k) for k, c in enumerate(P)]
    Q_s = [c * scale ** (2 * k) for k, c in enumerate(Q)]
    p, q = P_s[-1] * s + P_s[-2], Q_s[-1] * s + Q_s[-2]
    for a, b in zip(P_s[-3::-1], Q_s[-3::-1], strict=True):
        p, q = p * s + a, q * s + b
    return x * p, q


# -- what kernels call -------------------------------------------------------------------------------------------------


def pointwise(equations: Callable[..., Any], reads: Sequence[int], writes: Sequence[int]) -> Any:
    """Compiled `equations`: f(H, rows, arrays) evaluates them for some rows (n,) of arrays (B, G H).

    `arrays` are those that are read, then those that are written; `reads` and `writes` give G for each. The equations take
    the vectors of the arrays that are read as arguments, and return those of the arrays that are written, in this order.
    """

    @intrinsic
    def run(typing: Any, H: Any, rows: Any, arrays: Any) -> Any:
        def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            H, rows, _ = args
            code = Code(context, builder, signature.args[2][0].dtype)
            row_numbers = context.make_array(signature.args[1])(context, builder, rows)
            arrays = [
                context.make_array(t)(context, builder, a)
                for t, a in zip(signature.args[2], cgutils.unpack_tuple(builder, args[2]), strict=True)
            ]
            n = builder.extract_value(row_numbers.shape, 0)
            with cgutils.for_range(builder, n) as r:
                row = builder.load(builder.gep(row_numbers.data, [r.index]))
                starts = [row_of(code, a, row) for a in arrays]
                for j, rest in code.vectors(H):
                    at = [
                        builder.gep(start, [builder.add(j, builder.mul(H, INDEX(k)))])
                        for start, width in zip(starts, (*reads, *writes), strict=True)
                        for k in range(width)
                    ]
                    values = [Vector(code, code.load(p, rest)) for p in at[: sum(reads)]]
                    for value, p in zip(_listed(equations(*values)), at[sum(reads) :], strict=True):
                        code.store(code.value(value), p, rest)
            return context.get_dummy_value()

        return types.none(types.intp, rows, arrays), write

    return run


@intrinsic
def gather(
    typing: Any, a: Any, rows: Any, lo: Any, n: Any, at: Any, out: Any, out_at: Any, apart: Any, width: Any
) -> Any:
    """a[rows[lo + m], at : at + width] for m < n into the numbers of `out` from out_at + m apart on.

    It fetches what lies n rows behind into the second-level cache, since that is what the next call mostly gathers.
    """

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        t, (a, rows, lo, n, at, out, out_at, apart, width) = signature.args, args
        code = Code(context, builder, t[0].dtype)
        a, rows, out = (context.make_array(t[k])(context, builder, v) for k, v in ((0, a), (1, rows), (5, out)))
        with cgutils.for_range(builder, n) as m:
            row = builder.load(builder.gep(rows.data, [builder.add(lo, m.index)]))
            source = builder.gep(row_of(code, a, row), [at])
            target = builder.gep(out.data, [builder.add(out_at, builder.mul(m.index, apart))])
            ahead = moved(code, source, builder.mul(n, builder.extract_value(a.strides, 0)))
            for j, rest in code.vectors(width):
                code.prefetch(builder.gep(ahead, [j]), write=False, level=2)
                code.store(code.load(builder.gep(source, [j]), rest), builder.gep(target, [j]), rest)
        return context.get_dummy_value()

    number = types.intp
    return types.none(a, rows, number, number, number, out, number, number, number), write


def _listed(values: Any) -> Any:
    return values if isinstance(values, tuple | list) else (values,)


def row_of(code: Code, array: Any, row: Any) -> Any:
    """A pointer to the start of a row of an array."""
    return moved(code, array.data, code.builder.mul(row, code.builder.extract_value(array.strides, 0)))


def moved(code: Code, pointer: Any, by: Any) -> Any:
    """The pointer, moved by so many bytes."""
    b, byte = code.builder, ir.IntType(8).as_pointer()
    return b.bitcast(b.gep(b.bitcast(pointer, byte), [by]), code.real.as_pointer())


@intrinsic
def flush_denormals(typing: Any) -> Any:
    """Makes this thread treat numbers below 1e-38 (in float64 1e-308) as 0. Returns the state for `restore`.

    Gradients that vanish over many steps become that small, and a processor then takes a hundred times as long.
    """

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        state = get_control(builder)
        set_control(builder, builder.or_(state, INDEX(FLUSH)))
        return state

    return types.int64(), write


@intrinsic
def restore(typing: Any, state: Any) -> Any:
    """Undoes `flush_denormals`."""

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        set_control(builder, args[0])
        return context.get_dummy_value()

    return types.none(types.int64), write


# The floating-point control register: x86 has MXCSR, whose bits are "flush to zero" and "denormals are zeros", ARM has FPCR
# with one bit for both. Another processor keeps its denormals.
X86, ARM = (llvm.get_process_triple().startswith(names) for names in (("x86", "i386"), ("aarch64", "arm64")))
FLUSH = 0x8040 if X86 else 1 << 24


def get_control(builder: Any) -> Any:
    if ARM:
        return call(builder, "llvm.aarch64.get.fpcr", INDEX)
    if not X86:
        return INDEX(0)
    place = cgutils.alloca_once(builder, ir.IntType(32))
    call(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), builder.bitcast(place, ir.IntType(8).as_pointer()))
    return builder.zext(builder.load(place), INDEX)


def set_control(builder: Any, state: Any) -> None:
    if ARM:
        call(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), state)
    elif X86:
        place = cgutils.alloca_once_value(builder, builder.trunc(state, ir.IntType(32)))
        call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), builder.bitcast(place, ir.IntType(8).as_pointer()))


def call(builder: Any, name: str, result: Any, *args: Any) -> Any:
    """LLVM's intrinsic of this name."""
    signature = ir.FunctionType(result, [a.type for a in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), args)
