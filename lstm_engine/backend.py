"""Which pair of functions runs a cell: the readable NumPy one in `cells/`, or its compiled twin in `kernels/`.

This is the one place that knows the kernels exist. Numba is imported when a kernel is first asked for, so that
`backend="numpy"` works without it.
"""

import contextlib
import importlib
import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Iterator
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple

BACKENDS = ("auto", "numba", "numpy")
KERNELS = {"lstm", "gru", "simple_rnn"}  # the cells that have a compiled twin


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


@cache
def inference(cell: str, backend: str) -> Callable[..., Any]:
    """`infer(x, weights..., states..., mask, sequences) -> (h, last states)`: forward, without a tape where a kernel runs it.

    h is (T, B, H), or with sequences=False perhaps its last step alone, (1, B, H).
    """
    if resolve(cell, backend) == "numba":
        return getattr(importlib.import_module(f"lstm_engine.kernels.{cell}"), f"{cell}_infer")
    forward = pair(cell, backend).forward

    def infer(*inputs: Any, mask: Any, sequences: bool, **activations: str) -> tuple[Any, list[Any]]:
        tape = forward(*inputs, mask=mask, **activations)
        return tape.h, [getattr(tape, name)[-1] for name in ("h_states", "c_states") if hasattr(tape, name)]

    return infer


@cache
def stream(cell: str, backend: str) -> Callable[..., Callable[[Any], Any]]:
    """`start(W, U, b, states...) -> step`, and `step(x) -> h` goes on from call to call: x (B, D), h (B, H)."""
    if resolve(cell, backend) == "numba":
        return getattr(importlib.import_module(f"lstm_engine.kernels.{cell}"), f"{cell}_stream")
    infer = inference(cell, backend)

    def start(W: Any, U: Any, b: Any, *states: Any, **activations: str) -> Callable[[Any], Any]:
        def step(x: Any) -> Any:
            nonlocal states
            h, states = infer(x[None], W, U, b, *states, mask=None, sequences=False, **activations)
            return h[-1].copy()  # the caller may write into it; the state is ours

        return step

    return start


def update_of(optimizer: Any, backend: str) -> Callable[..., None]:
    """`optimizer.update`, or its compiled twin: Adam has one, for itself and for whoever inherits its update."""
    from .optimizers import Adam

    if backend == "numba" and type(optimizer).update is Adam.update:
        return partial(importlib.import_module("lstm_engine.kernels.adam").adam_update, optimizer)
    return optimizer.update


class _Pool:
    """How many are running kernels now, and the numbers of BLAS threads from before the first, which the last restores."""

    lock = threading.Lock()
    users = 0
    before: list[tuple[Any, int]] = []  # noqa: RUF012  # one of them for the process
    used = forked = False  # kernels have run here; and in the process that this one was forked from


def _after_fork() -> None:
    for library, threads in _Pool.before:  # of a step that the fork interrupted
        library.set_num_threads(threads)
    _Pool.lock, _Pool.users, _Pool.before, _Pool.forked = threading.Lock(), 0, [], _Pool.used


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextlib.contextmanager
def one_thread_pool(backends: set[str]) -> Iterator[None]:
    """Limits BLAS to one thread while kernels run: Numba's threads spin between steps and starve a second pool.

    RuntimeError in a process forked from one that has run kernels: GNU OpenMP would end it without a word.
    """
    if "numba" not in backends:
        yield
        return
    if _Pool.forked:
        raise RuntimeError(
            "this process was forked from one that had run the compiled kernels, and their threads do not survive a fork: "
            'start processes with multiprocessing\'s "spawn", or use backend="numpy" here'
        )
    with _Pool.lock:
        _Pool.used = True
        _Pool.users += 1
        if _Pool.users == 1:
            _Pool.before = [(library, library.get_num_threads()) for library in _blas(len(sys.modules))]
            for library, _ in _Pool.before:
                library.set_num_threads(1)
    try:
        yield
    finally:
        with _Pool.lock:
            _Pool.users -= 1
            if _Pool.users == 0:
                for library, threads in _Pool.before:
                    library.set_num_threads(threads)


@lru_cache(maxsize=1)
def _blas(modules: int) -> list[Any]:
    """The loaded BLAS libraries, as threadpoolctl controls them. Looked for once for as many modules as are loaded, since
    it takes longer than a small step: SciPy brings a library of its own.
    """
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas").lib_controllers
