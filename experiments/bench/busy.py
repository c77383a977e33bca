"""Training steps while other programs compute on every core, and on the quiet machine."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from experiments.bench.sides import ENGINE
from experiments.bench.task import GRID
from experiments.bench.turns import Seat, Timing, Turns
from features.processes import set_apart

SHAPES = tuple(GRID[name] for name in ("tutorial", "structured", "frames", "digits"))
BURNER = "one process a core that multiplies NumPy matrices of 64 x 64, on one thread, in the core's own cache"
COMPARED = {  # title: whose time over whose
    "engine, 2 threads / 1 thread": ("engine, 2 threads", "engine, 1 thread"),
    "engine / PyTorch, both by default": ("engine", "torch"),
    "engine / PyTorch, 1 thread each": ("engine, 1 thread", "torch, 1 thread"),
}


def timings(present: Sequence[str], measure: Callable[[Turns], list[Timing]]) -> Iterator[tuple[str, Timing]]:
    """ "quiet" and its timings, then "busy" and its own. Libraries may choose their threads by the load when they start.

    measure(turns) times the sides: the engine and PyTorch by default and on one thread, the engine on two as well.
    """
    seats = [Seat(ENGINE), Seat(ENGINE, 1), Seat(ENGINE, 2)]
    seats += [Seat("torch"), Seat("torch", 1)] if "torch" in present else []
    for name, load in (("quiet", nullcontext()), ("busy", burners(os.cpu_count() or 1))):
        with load, Turns(seats) as turns:
            yield from ((name, timing) for timing in measure(turns))


@contextmanager
def burners(n: int) -> Iterator[None]:
    """So many other programs compute meanwhile."""
    context = multiprocessing.get_context("spawn")
    begun = context.Barrier(n + 1)
    programs = [context.Process(target=burn, args=(begun.wait,), daemon=True) for _ in range(n)]
    with set_apart():
        for program in programs:
            program.start()
    try:
        try:
            begun.wait(60)
        except threading.BrokenBarrierError:
            raise ValueError("the programs that should keep the cores busy have not started within a minute") from None
        yield
    finally:
        for program in programs:
            program.terminate()
            program.join()


def burn(begin: Callable[[], Any], products: float = float("inf")) -> None:
    """The program: `products` matrix products, 48 KiB in all, so that only the core is shared and not the memory."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends this process
    A, B = np.random.default_rng(0).standard_normal((2, 64, 64), dtype="float32")
    C = np.empty((64, 64), "float32")
    begin()
    with threadpool_limits(1, user_api="blas"):
        while products > 0:
            np.matmul(A, B, out=C)
            products -= 1
