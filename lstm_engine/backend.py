"""What runs a cell: its readable NumPy pair in `cells/`, or the compiled twins in `kernels/`.

This is the one place that knows the kernels exist. Numba is imported when a kernel is first needed, so that
`backend="numpy"` works without it.
"""

import contextlib
import importlib
import logging
import os
import sys
import threading
import weakref
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


def clear_session(free_memory: bool = True) -> None:
    """Keras's, for scripts that call it: nothing happens, since the engine keeps nothing between models."""


@cache
def compiled(module: str) -> Any:
    """COMPILED of a module of `kernels/`: a cell's `Kernels`, or Adam's update. Numba is imported here."""
    _Pool.used = True  # also by a stream, or by a single sequence, with which Numba's threads begin but do nothing
    return importlib.import_module(f"{__package__}.kernels.{module}").COMPILED


@cache
def without_kernels() -> str:
    """Why no kernel can run in this process; "" where they can.

    Numba is imported to know it: an installed one may refuse its import, as one that is older than NumPy does.
    """
    try:
        import numba
    except ModuleNotFoundError as error:
        return "numba is not installed" if error.name == "numba" else f"numba cannot be imported ({error})"
    except Exception as error:  # whatever a broken installation raises
        reason = f"numba cannot be imported ({type(error).__name__}: {error})"
        logging.getLogger("lstm_engine").warning('%s: backend="auto" takes NumPy', reason)
        return reason
    if numba.config.DISABLE_JIT:
        return "numba's compiler is switched off (NUMBA_DISABLE_JIT)"
    if (layer := numba.config.THREADING_LAYER) != "default":  # which somebody has asked for, and which may be missing
        _Pool.used = True  # with this question Numba's threads begin
        try:
            numba.get_num_threads()
        except ValueError:
            reason = f"numba has no threading layer {layer!r} here: unset NUMBA_THREADING_LAYER, or install that layer"
            logging.getLogger("lstm_engine").warning('%s; backend="auto" takes NumPy', reason)
            return reason
    return ""


def resolve(cell: str, backend: str, other_activations: Mapping[str, str] = MappingProxyType({})) -> str:
    """ "numpy" or "numba": what runs `cell` on this backend. "auto" takes the kernel wherever there is one.

    other_activations, by option: those of the layer that no kernel has. ValueError for backend="numba" without a kernel for
    the cell and its activations, or where no kernel can run: see `without_kernels`.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend {backend!r} is not one of {', '.join(BACKENDS)}")
    if backend == "numpy":
        return "numpy"
    missing = ""
    if cell not in KERNELS or other_activations:
        activations = ", ".join(f"{option}={name!r}" for option, name in other_activations.items())
        missing = f"there is no numba kernel for {cell}{' with ' if activations else ''}{activations}"
    elif reason := without_kernels():
        missing = reason
    if missing and backend == "numba":
        raise ValueError(f'{missing}; use backend="numpy" (or "auto", which takes numpy where numba cannot serve)')
    return "numpy" if missing else "numba"


class _Pool:
    """The state of this process: callers that need BLAS on one thread now, and whether kernels have run."""

    lock = threading.RLock()  # a signal's handler may call the engine while its own thread holds the lock
    users: set[weakref.ref["one_blas_thread"]] = set()  # noqa: RUF012
    before: list[tuple[Any, int]] | None = None  # BLAS libraries with their threads before the first of the users
    used = False  # kernels have run in this process
    forked = False  # kernels had run in the process from which this one was forked


def _after_fork() -> None:
    for library, threads in _Pool.before or ():  # the fork interrupted a step
        library.set_num_threads(threads)
    _Pool.lock = threading.RLock()
    _Pool.users = set()
    _Pool.before = None
    _Pool.forked = _Pool.used


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def forked() -> bool:
    """Whether this process was forked from one in which kernels had run."""
    return _Pool.forked


def one_thread_pool(backends: set[str]) -> contextlib.AbstractContextManager[Any]:
    """Limits BLAS to one thread while kernels run: Numba's threads spin between steps and would starve BLAS's threads.

    RuntimeError in a process forked from one that has run kernels: GNU OpenMP would end the process without a message.
    """
    if "numba" not in backends:
        return contextlib.nullcontext()
    if forked():
        raise RuntimeError(
            "this process was forked from one that had run the compiled kernels, and their threads do not survive a fork: "
            'start processes with multiprocessing\'s "spawn", or use backend="numpy" here'
        )
    return one_blas_thread()


class one_blas_thread:
    """Limits BLAS to one thread; of several callers at once, the last one restores what the first one found.

    An exception may come between any two instructions: from the handler of a signal, a timeout's or Ctrl-C's. So `_enter` and
    `_leave` can be called again after they were interrupted, and `__exit__` calls `_leave` twice. A user is this object: one
    whose `__exit__` could not even begin leaves when it is deleted.
    """

    def __enter__(self) -> None:
        try:
            self._enter()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *exception: Any) -> None:
        try:
            _leave(weakref.ref(self))
        finally:
            _leave(weakref.ref(self))

    def _enter(self) -> None:
        with _Pool.lock:
            _Pool.users.add(weakref.ref(self, _leave))
            if _Pool.before is None:
                _Pool.before = [(library, library.get_num_threads()) for library in _blas(len(sys.modules))]
                for library, _ in _Pool.before:
                    library.set_num_threads(1)


def _leave(user: weakref.ref[one_blas_thread]) -> None:
    with _Pool.lock:
        _Pool.users.discard(user)
        if not _Pool.users and _Pool.before is not None:
            for library, threads in _Pool.before:
                library.set_num_threads(threads)
            _Pool.before = None


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Limits the kernels to one thread: for small networks, and beside other trainings, where threads would wait."""
    if without_kernels():
        yield
        return
    import numba

    _Pool.used = True  # with this question Numba's threads begin
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
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
