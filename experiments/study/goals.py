"""When a task counts as solved, by the paper's criteria: each goal watches a training and says so.

`watch(task, rng)` makes the state of one training: `batches(size)` gives what is learnt from, without end, and
`met(n, batch, p, network)`, after each batch, whether the goal is met: n sequences have been learnt from, and p is what the
network said of the last batch before it learnt from it.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from experiments.study.tasks import Sequences, Task
from experiments.study.tasks.reber import training_and_test

DRAWN_AT_ONCE = 1 << 20  # numbers, which bounds the memory; drawing few sequences at a time would take long


class Network(Protocol):
    """What is trained: learn(batch) answers the batch and then makes one step; answer(drawn) leaves the network as it is."""

    batch_size: int  # sequences a step

    def learn(self, batch: Sequences) -> np.ndarray: ...
    def answer(self, drawn: Sequences) -> np.ndarray: ...
    def count_params(self) -> int: ...


class Watch(Protocol):
    """The state of one training under a goal."""

    def batches(self, size: int) -> Iterator[Sequences]: ...
    def met(self, n: int, batch: Sequences, p: np.ndarray, network: Network) -> bool: ...


class Goal(Protocol):
    """leads: how many sequences before `met` says so the paper counts to."""

    @property
    def leads(self) -> int: ...
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

    Each is judged before it is learnt from. The paper's "average training error" is read as this mean, the strictest
    reading: that of the squares would be smaller. leads: where the paper's figure cannot hold the stretch of right
    ones itself (experiments 2a to 2c), its length.
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

    def met(self, n: int, batch: Sequences, p: np.ndarray, network: Network) -> bool:
        for is_right, error in zip(self.task.right(p, batch), errors(p, batch), strict=True):
            self.wrong_sum += int(not is_right) - (int(self.wrong[0]) if len(self.wrong) == self.goal.count else 0)
            self.wrong.append(not is_right)
            self.errors.append(float(error))
        if len(self.wrong) < self.goal.count or self.wrong_sum > self.goal.wrong:
            return False
        return float(np.mean(self.errors)) < self.goal.error


# -- a training set and a test set (experiment 1) ----------------------------------------------------------------------


@dataclass(frozen=True)
class BothSets:
    """Every string of a training and of a test set right, looked at after every `every` strings learnt from.

    Strings to learn from are picked from the training set at random.
    """

    strings: int = 256
    every: int = 100
    leads: int = 0

    def watch(self, task: Task, rng: np.random.Generator) -> Watch:
        return _BothSets(self, task, rng)


class _BothSets:
    def __init__(self, goal: BothSets, task: Task, rng: np.random.Generator) -> None:
        self.goal, self.task, self.rng = goal, task, rng
        self.train, self.test = training_and_test(goal.strings, rng)

    def batches(self, size: int) -> Iterator[Sequences]:
        while True:
            yield self.train.take(self.rng.integers(len(self.train), size=size))

    def met(self, n: int, batch: Sequences, p: np.ndarray, network: Network) -> bool:
        if n % self.goal.every >= len(batch):
            return False
        return all(self.task.right(network.answer(part), part).all() for part in (self.train, self.test))


# -- a test set (experiment 3) -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OnATestSet:
    """At most `wrong` of a test set wrong, and their mean absolute error below `error`, looked at after every `every`."""

    count: int = 256
    wrong: int = 0
    error: float = np.inf
    every: int = 100
    leads: int = 0

    def watch(self, task: Task, rng: np.random.Generator) -> Watch:
        return _OnATestSet(self, task, rng)


class _OnATestSet:
    def __init__(self, goal: OnATestSet, task: Task, rng: np.random.Generator) -> None:
        self.goal, self.task, self.rng = goal, task, rng
        self.test = task.draw(goal.count, rng)

    def batches(self, size: int) -> Iterator[Sequences]:
        return fresh(self.task, size, self.rng)

    def met(self, n: int, batch: Sequences, p: np.ndarray, network: Network) -> bool:
        if n % self.goal.every >= len(batch):
            return False
        said = network.answer(self.test)
        wrong = (~self.task.right(said, self.test)).sum()
        return bool(wrong <= self.goal.wrong and errors(said, self.test).mean() < self.goal.error)
