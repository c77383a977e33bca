"""Sides that take turns: each in a process of its own, a burst each, round after round.

While one side computes, all others sleep: the next side starts only when the threads of this one have stopped spinning. Every
round begins with another side, so that no side always follows the same one.
"""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from experiments.bench.processor import used_avx512
from experiments.bench.sides import ENGINE, LIMITS, SIDES, Entry, Way
from experiments.bench.task import Shape, Task
from experiments.reports.page import counted
from features.processes import set_apart, shut

CHECKED_STEPS = 3  # losses before training, and after one and two steps of Adam
TOLERANCE = 1e-5  # relative: some hundred roundings of 6e-8, since a gate sums up to some 500 products
TRIALS = 2  # bursts of every way, before the fastest is kept


@dataclass(frozen=True)
class Seat:
    """A side in a process; threads None is the library's own choice.

    `version`, which then stands in the label, is that of another lstm_engine, in the folder `source`.
    """

    side: str
    threads: int | None = None
    version: str = ""
    source: Path | None = None

    @property
    def label(self) -> str:
        threads = "" if self.threads is None else counted(self.threads, "thread")
        return ", ".join(filter(None, (self.side, self.version, threads)))


@dataclass
class Timing:
    """All rounds of one shape. The keys are the seats' labels; seconds are those of a step, the median of each burst."""

    what: str  # "train", "infer" or "stream"
    shape: Shape
    seconds: dict[str, list[float]] = field(default_factory=dict)
    ways: dict[str, str] = field(default_factory=dict)  # the fastest, which was timed
    differences: dict[str, float] = field(default_factory=dict)  # of losses or predictions from the engine's, relative
    failed: dict[str, str] = field(default_factory=dict)
    still_running: list[str] = field(default_factory=list)  # whose threads still ran at the next side's turn
    avx512: list[str] = field(default_factory=list)  # who used it, as far as the system tells

    def median(self, label: str) -> float:
        return float(np.median(self.seconds[label]))


class Turns:
    """The processes of some seats; use with `with`, which ends them."""

    def __init__(self, seats: Sequence[Seat]) -> None:
        own_process = multiprocessing.get_context("spawn")
        self.seats = list(seats)
        self.pools = {}
        for seat in seats:
            self.pools[seat.label] = ProcessPoolExecutor(1, own_process, initializer=_sit_down, initargs=(seat,))
            with _first_on_the_path(seat.source), set_apart():
                self.pools[seat.label].submit(os.getpid)  # starts the process, which takes the path of this one

    def __enter__(self) -> "Turns":
        return self

    def __exit__(self, *error: object) -> None:
        shut(self.pools.values())

    def time(
        self, shape: Shape, what: str, rounds: int, seconds: float, progress: Callable[[], None] = lambda: None
    ) -> Timing:
        """Each side's fastest way, checked and then timed for `rounds` bursts of `seconds`.

        A peer that cannot be run, or computes something else, is left out with its reason in `failed`; RuntimeError when
        that is the engine. progress() is called after each round.
        """
        timing = Timing(what, shape)
        seated = [seat.label for seat in self.seats if what in entry_of(seat.side).does]
        preparing: dict[str, Future[dict[str, list[Any]]]] = {}
        outcomes: dict[str, dict[str, list[Any]]] = {}
        for label in seated:
            with _failure_noted(timing, label):  # a process that has ended takes nothing more
                preparing[label] = self.pools[label].submit(_prepare, shape, what)
        for label, prepared in preparing.items():
            with _failure_noted(timing, label):
                outcomes[label] = prepared.result()
        reference = next((o for label, o in outcomes.items() if label.startswith(ENGINE)), None)
        if reference is None:
            raise RuntimeError(f"the engine itself cannot be timed at {shape}: {timing.failed}")
        expected = next(iter(reference.values()))
        for label in list(outcomes):
            apart = [difference(outcome, expected) for outcome in outcomes[label].values() if outcome]
            timing.differences |= {label: max(apart)} if apart else {}
            if apart and not max(apart) <= TOLERANCE:
                del outcomes[label]
                timing.failed[label] = f"computes something else: {max(apart):.1e} from the engine, relative"
        for label in outcomes:
            timing.ways[label] = self.pools[label].submit(_keep_the_fastest, seconds).result()
            timing.seconds[label] = []
        for n in range(rounds):
            order = list(outcomes)
            for label in order[n % len(order) :] + order[: n % len(order)]:
                times, asleep, avx512 = self.pools[label].submit(_burst, seconds).result()
                timing.seconds[label].append(float(np.median(times)))
                for true, labels in ((not asleep, timing.still_running), (avx512, timing.avx512)):
                    if true and label not in labels:
                        labels.append(label)
            progress()
        return timing


@contextmanager
def _failure_noted(timing: Timing, label: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        timing.failed[label] = f"{type(error).__name__}: {error}".splitlines()[0]


@contextmanager
def _first_on_the_path(folder: Path | None) -> Iterator[None]:
    """Python looks for packages here first."""
    added = [] if folder is None else [str(folder)]
    sys.path[:0] = added
    try:
        yield
    finally:
        del sys.path[: len(added)]


def difference(outcome: Sequence[Any], expected: Sequence[Any]) -> float:
    """The largest difference of losses or predictions, relative to the largest expected one; NaN when one is NaN."""
    a, b = (np.asarray(values, dtype=float).reshape(len(values), -1) for values in (outcome, expected))
    return float(np.abs(a - b).max() / np.abs(b).max())


# This part runs in the process of one side, which is kept between calls.

_seat: Seat
_ways: dict[str, Way] = {}


def _sit_down(seat: Seat) -> None:
    global _seat
    _seat = seat
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends this process
    set_environment(entry_of(seat.side))
    if seat.threads is None:
        return
    os.environ["NUMBA_NUM_THREADS"] = str(seat.threads)
    if seat.side == "torch":
        import torch

        torch.set_num_threads(seat.threads)
    else:
        from threadpoolctl import threadpool_limits

        threadpool_limits(seat.threads, user_api="blas")


def entry_of(side: str) -> Entry:
    return (SIDES | LIMITS)[side]


def set_environment(entry: Entry) -> None:
    """What libraries read once, when they are imported. The processor is compared: no library is to find another device."""
    os.environ |= {"CUDA_VISIBLE_DEVICES": "", **entry.environment}


def _prepare(shape: Shape, what: str) -> dict[str, list[Any]]:
    """Makes the side ready for a shape, warm and compiled; returns what each of its ways computes first."""
    global _ways
    _ways = {}  # the last shape's arrays go before the next one's come
    entry = entry_of(_seat.side)
    side = entry.load()(Task.of(shape), **entry.options)
    _ways = getattr(side, what)()
    outcomes = {}
    for name, way in _ways.items():
        outcomes[name] = [np.array(way.check(), dtype=float) for _ in range(CHECKED_STEPS)] if way.check else []
        way.call()
    settle()
    return outcomes


def _keep_the_fastest(seconds: float) -> str:
    """Tries every way in turn, lets go of all but the fastest, and returns its name."""
    global _ways
    if len(_ways) > 1:
        trials: dict[str, list[float]] = {name: [] for name in _ways}
        for _ in range(TRIALS):
            for name, way in _ways.items():
                trials[name] += _times(way, seconds)
        fastest = min(trials, key=lambda name: np.median(trials[name]))
        _ways = {fastest: _ways[fastest]}
    settle()
    return next(iter(_ways))


def _burst(seconds: float) -> tuple[list[float], bool, bool]:
    """Seconds of each step, whether the process then went to sleep, and whether it used AVX-512."""
    (way,), start = _ways.values(), time.perf_counter()
    return _times(way, seconds), settle(), used_avx512(time.perf_counter() - start)


def _times(way: Way, seconds: float) -> list[float]:
    """Steps for so many seconds; at least three, whose median leaves out a slow awakening, unless these take too long."""
    times: list[float] = []
    used = 0.0
    while used < seconds or (len(times) < 3 and used < 4 * seconds):
        start = time.perf_counter()
        way.call()
        elapsed = time.perf_counter() - start
        used += elapsed
        times.append(elapsed / way.steps)
    return times


def settle(patience: float = 0.5) -> bool:
    """Waits until this process's threads sleep: OpenMP's and others' spin for a while first. False when they never do."""
    ends = time.perf_counter() + patience
    while time.perf_counter() < ends:
        worked = time.process_time()
        time.sleep(0.01)
        if time.process_time() - worked < 0.001:
            return True
    return False
