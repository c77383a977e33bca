"""Tasks whose answer lies far back in a sequence, drawn for every training step; only spoken digits are read from a file.

A task is a frozen dataclass with the attributes of `Task`. `task.draw(n, np.random.default_rng(seed))` gives n `Sequences`:
arrays padded to the longest, with the length of each. A network that masks the padding keeps its state there, so its last
output is that of each sequence's last step. Open `adding.py` first.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Sequences:
    """Sequences of a task, float32. What lies behind a sequence's end is 0.

    y has a target for the end of each sequence, or for each of its steps. possible, where several answers are right: all of
    them. expected, where y is noisy: its mean, by which answers are judged.
    """

    x: np.ndarray  # (N, T, D)
    lengths: np.ndarray  # (N,) int
    y: np.ndarray  # (N, K), or (N, T, K)
    possible: np.ndarray | None = None  # (N, T, K) bool
    expected: np.ndarray | None = None  # of y's shape

    @property
    def truth(self) -> np.ndarray:
        """The target without noise, of y's shape."""
        return self.y if self.expected is None else self.expected

    @property
    def mask(self) -> np.ndarray:
        """(N, T) bool: which steps there are."""
        return np.arange(self.x.shape[1]) < self.lengths[:, None]

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: slice | np.ndarray) -> "Sequences":
        """These sequences, padded to the longest of them."""
        lengths = self.lengths[rows]
        T = int(lengths.max())
        possible = None if self.possible is None else self.possible[rows][:, :T]
        y, expected = (
            part if part is None or part.ndim == 2 else part[:, :T]
            for part in (self.y[rows], None if self.expected is None else self.expected[rows])
        )
        return replace(self, x=self.x[rows][:, :T], lengths=lengths, y=y, possible=possible, expected=expected)

    def as_list(self) -> list[np.ndarray]:
        """N arrays (T_n, D), as `Sequential.fit` takes them."""
        return [x[:length] for x, length in zip(self.x, self.lengths, strict=True)]


class Task(Protocol):
    """What a task has. features: D numbers a step; outputs: K numbers an answer.

    per_step: whether y has a target at every step. head and loss suit a network that ends in Dense(outputs, activation=head).
    within: every output of a right answer is nearer than this to the truth; None where `right` asks something else.
    """

    name: str
    features: int
    outputs: int
    per_step: bool
    head: str
    loss: str
    within: float | None

    def draw(self, n: int, rng: np.random.Generator) -> Sequences:
        """n sequences; the same ones for a generator in the same state."""
        ...

    def right(self, p: np.ndarray, drawn: Sequences) -> np.ndarray:
        """(n,) bool: which sequences the answers p, of drawn.y's shape, get right by the criterion of the task's source."""
        ...


class AllWithin:
    """For tasks whose answers are right when every output is nearer to the truth than `within`."""

    within: float

    def right(self, p: np.ndarray, drawn: Sequences) -> np.ndarray:
        return (np.abs(p - drawn.truth) < self.within).all(axis=-1)


def one_hot(symbols: np.ndarray, lengths: np.ndarray, K: int) -> np.ndarray:
    """(N, T, K) float32 from symbol numbers (N, T); 0 behind a sequence's end."""
    there = np.arange(symbols.shape[1]) < lengths[:, None]
    return np.eye(K, dtype="float32")[symbols] * there[..., None]
