"""Two numbers of a long sequence are marked: what is their sum, or their product?

Hochreiter & Schmidhuber 1997, sections 5.4 (adding) and 5.5 (multiplication). The lag is long, and a cell must keep a
number, not a symbol, so a memory that leaks a little gives a wrong answer.
"""

from dataclasses import dataclass

import numpy as np

from experiments.study.tasks import AllWithin, Sequences

EARLY = 10  # the first marked pair is among so many, or among T/2 - 2 where these are fewer


@dataclass(frozen=True)
class Adding(AllWithin):
    """Pairs (number from -1 to 1, marker); the target is 0.5 + (X1 + X2) / 4. Lengths are from T to T + T/10.

    One of the first ten pairs is marked by 1 (below T = 24, of the first T/2 - 2), then another one of the first T/2 - 1.
    The first and the last pair have the marker -1, all others 0. A marked pair that is the first keeps its -1, and counts
    as the number 0: the paper says so of X1, and the same holds here of X2.
    """

    T: int = 100

    features, outputs, per_step = 2, 1, False
    head, loss, within = "linear", "mean_squared_error", 0.04

    def __post_init__(self) -> None:
        if self.T < 8:
            raise ValueError(
                f"one of the first T/2 - 2 pairs is marked and one of T/2 - 1, so T must be 8 or more, got {self.T}"
            )

    @property
    def name(self) -> str:
        return f"adding, T = {self.T}"

    def draw(self, n: int, rng: np.random.Generator) -> Sequences:
        values, x, lengths, first, second = _pairs(self.T, n, -1.0, rng)
        X1, X2 = _marked(values, first, 0.0), _marked(values, second, 0.0)
        return Sequences(x, lengths, (0.5 + (X1 + X2) / 4)[:, None])


@dataclass(frozen=True)
class Multiplication(Adding):
    """As `Adding`, with numbers from 0 to 1 and the target X1 X2. A marked pair that is the first counts as 1."""

    @property
    def name(self) -> str:
        return f"multiplication, T = {self.T}"

    def draw(self, n: int, rng: np.random.Generator) -> Sequences:
        values, x, lengths, first, second = _pairs(self.T, n, 0.0, rng)
        return Sequences(x, lengths, (_marked(values, first, 1.0) * _marked(values, second, 1.0))[:, None])


def _pairs(T: int, n: int, lowest: float, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """The numbers (n, L), x (n, L, 2) which shows them beside their markers, lengths, and the places of the marks (n,)."""
    lengths = rng.integers(T, T + T // 10, n, endpoint=True)
    L, rows = int(lengths.max()), np.arange(n)
    values = rng.uniform(lowest, 1.0, (n, L)).astype("float32")
    first, second = rng.integers(min(EARLY, T // 2 - 2), size=n), rng.integers(T // 2 - 2, size=n)
    second += second >= first  # any pair but the one that is marked
    markers = np.zeros((n, L), "float32")
    markers[rows, first] = markers[rows, second] = 1.0
    markers[:, 0] = markers[rows, lengths - 1] = -1.0
    there = np.arange(L) < lengths[:, None]
    return values, np.stack([values * there, markers * there], axis=-1), lengths, first, second


def _marked(values: np.ndarray, at: np.ndarray, instead: float) -> np.ndarray:
    """(n,): the marked number, or what stands for it in the first pair."""
    return np.where(at == 0, np.float32(instead), values[np.arange(len(at)), at])
