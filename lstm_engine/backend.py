"""What runs a cell: its readable NumPy pair in `cells/`, or the compiled twins in `kernels/`.

This is the one place that knows the kernels exist. Numba is imported when a kernel is first needed, so that
`backend="numpy"` works without it.
"""

import contextlib
import importlib
import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

BACKENDS = ("auto", "numba", "numpy")
KERNELS = {"lstm", "gru", "simple_rnn"}  # the cells that have compiled twins


class Pair(NamedTuple):
    """A cell as `cells/` writes it: the forward and backward function, and what the trace reads off their results.

    `forward(x, W, U, b, states..., mask, recurrent_dropout, **activations) -> tape` and
    `backward(tape, dh, dstates..., lean) -> gradients`. `values(tape)` and `value_gradients(tape, gradients)` give every
    intermediate value, and its gradient, by name.
    """

    forward: Callable[..., Any]  # of an LSTM: lstm_forward in cells/lstm.py; LSTM.pair there names the functions
    backward: Callable[..., Any]  # of an LSTM: lstm_backward in cells/lstm.py
    values: Callable[..., dict[str, Any]]
    value_gradients: Callable[..., dict[str, Any]]

    def infer(self, *inputs: Any, mask: Any, sequences: bool, **activations: str) -> tuple[Any, list[Any]]:
        """h (T, B, H) and the last states, for callers that need no tape."""
        tape = self.forward(*inputs, mask=mask, **activations)
        return tape.h, [states[-1] for states in tape.states]

    def stream(self, W: Any, U: Any, b: Any, *states: Any, **activations: str) -> Callable[[Any], Any]:
        """A function that takes one step x (B, D), returns its h (B, H), and keeps the states for the next call."""

        def step(x: Any) -> Any:
            nonlocal states
            h, last = self.infer(x[None], W, U, b, *states, mask=None, sequences=False, **activations)
            states = tuple(last)
            return h[-1].copy()  # the caller may write into it; the state is ours

        return step


class Kernels(NamedTuple):
    """The compiled twins of a cell's functions, which take and return what the methods of `Pair` do.

    `infer` keeps no tape; with sequences=False its h may be the last step alone, (1, B, H).
    """

    forward: Callable[..., Any]
    backward: Callable[..., Any]
    infer: Callable[..., tuple[Any, list[Any]]]
    stream: Callable[..., Callable[[Any], Any]]


@cache
def compiled(module: str) -> Any:
    """COMPILED of a module of `kernels/`: a cell's `Kernels`, or Adam's update. Numba is imported here."""
    return importlib.import_module(f"{__package__}.kernels.{module}").COMPILED


def resolve(cell: str, backend: str, other_activations: Mapping[str, str] = MappingProxyType({})) -> str:
    """ "numpy" or "numba": what runs `cell` on this backend. "auto" takes the kernel wherever there is one.

    other_activations, by option: those of the layer that no kernel has. ValueError for backend="numba" without a kernel for
    the cell and its activations, or without numba.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend {backend!r} is not one of {', '.join(BACKENDS)}")
    if backend == "numpy":
        return "numpy"
    missing = ""
    if cell not in KERNELS or other_activations:
        activations = ", ".join(f"{option}={name!r}" for option, name in other_activations.items())
        missing = f"there is no numba kernel for {cell}{' with ' if activations else ''}{activations}"
    elif importlib.util.find_spec("numba") is None:
        missing = "numba is not installed"
    if missing and backend == "numba":
        raise ValueError(f'{missing}; use backend="numpy" (or "auto", which takes numpy where numba cannot serve)')
    return "numpy" if missing else "numba"


class _Pool:
    """The state of this process: callers that need BLAS on one thread now, and whether kernels have run."""

    lock = threading.Lock()
    users = 0
    before: list[tuple[Any, int]] = []  # noqa: RUF012  # BLAS libraries with their threads before the first of the users
    used = False  # kernels have run in this process
    forked = False  # kernels had run in the process from which this one was forked


def _after_fork() -> None:
    for library, threads in _Pool.before:  # the fork interrupted a step
        library.set_num_threads(threads)
    _Pool.lock = threading.Lock()
    _Pool.users = 0
    _Pool.before = []
    _Pool.forked = _Pool.used


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextlib.contextmanager
def one_thread_pool(backends: set[str]) -> Iterator[None]:
    """Limits BLAS to one thread while kernels run: Numba's threads spin between steps and would starve BLAS's threads.

    RuntimeError in a process forked from one that has run kernels: GNU OpenMP would end the process without a message.
    """
    if "numba" not in backends:
        yield
        return
    if _Pool.forked:
        raise RuntimeError(
            "this process was forked from one that had run the compiled kernels, and their threads do not survive a fork: "
            'start processes with multiprocessing\'s "spawn", or use backend="numpy" here'
        )
    _Pool.used = True
    with one_blas_thread():
        yield


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limits BLAS to one thread; of several callers at once, the last one restores what the first one found."""
    with _Pool.lock:
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


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Limits the kernels to one thread: for small networks, and beside other trainings, where threads would wait."""
    import numba

    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        yield
    finally:
        numba.set_num_threads(before)


@lru_cache(maxsize=1)
def _blas(modules: int) -> list[Any]:
    """The loaded BLAS libraries, as threadpoolctl controls them.

    The search takes longer than a small training step, so it is repeated only after further modules were imported: SciPy
    brings another library with it.
    """
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas").lib_controllers
