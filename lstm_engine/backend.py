"""Which pair of functions runs a cell: the readable NumPy one in `cells/`, or its compiled twin in `kernels/`.

This is the one place that knows the kernels exist. Numba is imported when a kernel is first asked for, so that
`backend="numpy"` works without it.
"""

import contextlib
import importlib
import importlib.util
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

BACKENDS = ("auto", "numba", "numpy")
KERNELS = {"lstm"}  # the cells that have a compiled twin


class Pair(NamedTuple):
    """`forward(x, weights..., states..., mask) -> tape` and `backward(tape, dh, dh_T, ...) -> gradients`."""

    forward: Callable[..., Any]
    backward: Callable[..., Any]


def resolve(cell: str, backend: str) -> str:
    """ "numpy" or "numba": what runs `cell` under this choice. "auto" takes the kernel wherever there is one.

    ValueError when numba is asked for by name and there is no kernel, or no numba.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend {backend!r} is not one of {', '.join(BACKENDS)}")
    if backend == "numpy":
        return "numpy"
    missing = ""
    if cell not in KERNELS:
        missing = f"there is no numba kernel for {cell}"
    elif importlib.util.find_spec("numba") is None:
        missing = "numba is not installed"
    if missing and backend == "numba":
        raise ValueError(f'{missing}; use backend="numpy" (or "auto", which takes numpy where numba cannot serve)')
    return "numpy" if missing else "numba"


@cache
def pair(cell: str, backend: str) -> Pair:
    """The forward and backward function of `cell` ("lstm") under `backend`."""
    folder = "kernels" if resolve(cell, backend) == "numba" else "cells"
    module = importlib.import_module(f"lstm_engine.{folder}.{cell}")
    return Pair(getattr(module, f"{cell}_forward"), getattr(module, f"{cell}_backward"))


@contextlib.contextmanager
def one_thread_pool(backends: set[str]) -> Iterator[None]:
    """Limits BLAS to one thread while kernels run: Numba's threads spin between steps and starve a second pool."""
    if "numba" not in backends:
        yield
        return
    with _blas().limit(limits=1, user_api="blas"):
        yield


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    importlib.import_module(
        "scipy.linalg.cython_blas"
    )  # the BLAS that compiled code calls: load it, then count the pools
    return ThreadpoolController()
