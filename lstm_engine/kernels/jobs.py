"""A kernel's jobs in parallel: one loop for all kernels, so that Numba compiles one parallel function instead of one each.

A kernel is a compiled function whose first argument is the number of a job. For ALL it calls `in_parallel`, which calls it
again for every job, on Numba's threads. Numba compiles the body of a parallel loop three times; this loop's body is a call.
"""

from functools import cache
from typing import Any

import numba as nb
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .disk_cache import callback
from .vectors import INDEX

ALL = -1  # in the place of a job's number
KERNEL: dict[str, Any] = {"no_cfunc_wrapper": True, "error_model": "numpy"}  # how kernels are compiled
NUMBER = types.int64


@intrinsic
def in_parallel(typing: Any, loop: Any, jobs: Any) -> Any:
    """Calls the kernel that this stands in with job = 0 ... jobs - 1 and otherwise with its own arguments.

    `loop` is `compiled_loop`. Kernels return nothing, and neither raise nor allocate: an exception would be lost.
    """

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kernel, (loop, jobs) = builder.function, args
        first = len(kernel.args) - len(context.call_conv.get_arguments(kernel))  # Numba's own two arguments come before
        place = cgutils.alloca_once_value(builder, cgutils.pack_struct(builder, kernel.args))

        body = ir.Function(builder.module, ir.FunctionType(ir.VoidType(), [INDEX, INDEX]), f"{kernel.name}.job")
        body.linkage = "internal"
        b = ir.IRBuilder(body.append_basic_block())
        job, arguments = body.args
        values = cgutils.unpack_tuple(b, b.load(b.inttoptr(arguments, place.type)))
        for n in range(first):  # where a call puts what it returns: each has its own
            values[n] = b.alloca(kernel.args[n].type.pointee)
        values[first] = job
        b.call(kernel, values)
        b.ret_void()

        function = ir.FunctionType(ir.VoidType(), [INDEX] * 3).as_pointer()
        addresses = [builder.ptrtoint(a, INDEX) for a in (body, place)]
        builder.call(builder.inttoptr(loop, function), [jobs, *addresses])
        return context.get_dummy_value()

    return types.none(NUMBER, NUMBER), write


@cache
def compiled_loop() -> int:
    """The address of the loop: f(jobs, body, arguments) calls body(job, arguments) for every job; both are addresses."""

    def run(jobs: int, body: int, arguments: int) -> None:
        for job in nb.prange(jobs):
            call_body(body, job, arguments)

    _compiled.append(callback(types.void(NUMBER, NUMBER, NUMBER), parallel=True)(run))
    return _compiled[-1].address


_compiled: list[Any] = []  # keeps the code alive


@intrinsic
def call_body(typing: Any, body: Any, job: Any, arguments: Any) -> Any:
    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = ir.FunctionType(ir.VoidType(), [INDEX, INDEX]).as_pointer()
        builder.call(builder.inttoptr(args[0], function), args[1:])
        return context.get_dummy_value()

    return types.none(NUMBER, NUMBER, NUMBER), write
