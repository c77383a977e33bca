"""When a task counts as solved, by the paper's criteria: each goal watches a training and decides.

`watch(task, rng)` makes the state of one training: `batches(size)` gives the sequences to learn from, without end, and
`met(n, batch, p, network)` says after each batch whether the goal is met: the network has learnt from n sequences, and p is
its answer to the last batch before it learnt from that batch.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from experiments.study.tasks import Sequences, Task
from experiments.study.tasks.reber import training_and_test

DRAWN_AT_ONCE = 1 << 20  # numbers: a bound on the memory; to draw few sequences at a time would take long


class Learner(Protocol):
    """What is trained: learn(batch) answers the batch and then makes one step; answer(drawn) leaves the network as it is."""

    batch_size: int  # sequences per step

    def learn(self, batch: Sequences) -> np.ndarray: ...
    def answer(self, drawn: Sequences) -> np.ndarray: ...
    def count_params(self) -> int: ...


class Watch(Protocol):
    """The state of one training under a goal."""

    def batches(self, size: int) -> Iterator[Sequences]: ...
    def met(self, n: int, batch: Sequences, p: np.ndarray, network: Learner) -> bool: ...


class Goal(Protocol):
    """leads: sequences to subtract from the count at which `met` is True, where the paper does not count them."""

    leads: int

    def watch(self, task: Task, rng: np.random.Generator) -> Watch: ...


def fresh(task: Task, size: int, rng: np.random.Generator) -> Iterator[Sequences]:
    """Batches of sequences that are each seen once."""
    longest = int(task.draw(1, np.random.default_rng(0)).lengths[0])
    batches = max(1, DRAWN_AT_ONCE // (size * longest * task.features))
    while True:
        drawn = task.draw(min(batches, 250) * size, rng)
        for start in range(0, len(drawn), size):
            yield drawn.take(slice(start, start + size))


def errors(p: np.ndarray, batch: Sequences) -> np.ndarray:
    """(n,): the mean absolute error of a sequence's outputs at its end."""
    if p.ndim == 2:
        return np.abs(p - batch.truth).mean(axis=-1)
    rows = np.arange(len(p))
    return np.abs(p[rows, batch.lengths - 1] - batch.truth[rows, batch.lengths - 1]).mean(axis=-1)


# -- the most recent sequences -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MostRecent:
    """At most `wrong` of the `count` most recent sequences wrong, and their mean absolute error below `error`.

    Each sequence is judged before the network learns from it. The paper's "average training error" is read as this mean,
    the strictest reading: the mean of the squares would be smaller. leads: the length of the stretch of right answers,
    where the paper's figure is too small to include it (experiments 2a to 2c).
    """

    count: int = 2000
    wrong: int = 0
    error: float = np.inf
    leads: int = 0

    def watch(self, task: Task, rng: np.random.Generator) -> Watch:
        return _MostRecent(self, task, rng)


class _MostRecent:
    def __init__(self, goal: MostRecent, task: Task, rng: np.random.Generator) -> None:
        self.goal, self.task, self.rng = goal, task, rng
        self.wrong: deque[bool] = deque(maxlen=goal.count)
        self.errors: deque[float] = deque(maxlen=goal.count)
        self.wrong_sum = 0

    def batches(self, size: int) -> Iterator[Sequences]:
        return fresh(self.task, size, self.rng)

    def met(self, n: int, batch: Sequences, p: np.ndarray, network: Learner) -> bool:
        for is_right, error in zip(self.task.right(p, batch), errors(p, batch), strict=True):
            self.wrong_sum += int(not is_right) - (int(self.wrong[0]) if len(self.wrong) == self.goal.count else 0)
            self.wrong.append(not is_right)
            self.errors.append(float(error))
        if len(self.wrong) < self.goal.count or self.wrong_sum > self.goal.wrong:
            return False
        return float(np.mean(self.errors)) < self.goal.error


# -- sets that are checked from time to time ---------------------------------------------------------------------------


@dataclass(frozen=True)
class BothSets:
    """Experiment 1: every string of a training set and of a test set right, checked after every `every` strings.

    The strings to learn from are picked from the training set at random.
    """

    strings: int = 256
    every: int = 100
    leads: int = 0

    def watch(self, task: Task, rng: np.random.Generator) -> Watch:
        train, test = training_and_test(self.strings, rng)
        return _Checked(task, [train, test], lambda size: _picked(train, size, rng), self.every)


@dataclass(frozen=True)
class OnATestSet:
    """Experiment 3: at most `wrong` of a test set wrong, and a mean absolute error below `error`, checked likewise."""

    count: int = 256
    wrong: int = 0
    error: float = np.inf
    every: int = 100
    leads: int = 0

    def watch(self, task: Task, rng: np.random.Generator) -> Watch:
        test = task.draw(self.count, rng)
        return _Checked(task, [test], lambda size: fresh(task, size, rng), self.every, self.wrong, self.error)


@dataclass
class _Checked:
    """At most `wrong` sequences of each of the sets wrong, and each set's mean error below `error`."""

    task: Task
    sets: Sequence[Sequences]
    batches: Callable[[int], Iterator[Sequences]]
    every: int
    wrong: int = 0
    error: float = np.inf

    def met(self, n: int, batch: Sequences, p: np.ndarray, network: Learner) -> bool:
        return n % self.every < len(batch) and all(self._solved(network.answer(part), part) for part in self.sets)

    def _solved(self, p: np.ndarray, part: Sequences) -> bool:
        wrong = (~self.task.right(p, part)).sum()
        return bool(wrong <= self.wrong and errors(p, part).mean() < self.error)


def _picked(strings: Sequences, size: int, rng: np.random.Generator) -> Iterator[Sequences]:
    while True:
        yield strings.take(rng.integers(len(strings), size=size))
