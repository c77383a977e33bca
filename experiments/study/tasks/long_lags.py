"""The last symbol depends on the first or second one, a hundred or a thousand symbols before.

Hochreiter & Schmidhuber 1997, section 5.2: tasks 2a (nothing random between), 2b (all random between) and 2c (random, and
long).
"""

from dataclasses import dataclass

import numpy as np

from experiments.study.tasks import AllWithin, Sequences, one_hot

MORE = 0.9  # 2c: how likely another distractor is, once there are q


@dataclass(frozen=True)
class LongLag:
    """2a: x a1 ... a(p-1) x, or y a1 ... a(p-1) y. 2b, `regular` being False: the p - 1 between drawn from a1 ... a(p-1).

    Every step has the next symbol as its target, but only the answer at the last step is judged, because only it needs
    memory: it is the first symbol. Symbols are numbered a1 ... a(p-1), x, y.
    """

    p: int = 100
    regular: bool = True

    per_step, head, loss, within = True, "softmax", "categorical_crossentropy", 0.25

    def __post_init__(self) -> None:
        if self.p < 2:
            raise ValueError(f"p must be 2 or more, so that something lies between the two ends, got {self.p}")

    @property
    def name(self) -> str:
        return f"long lag, p = {self.p}, {'' if self.regular else 'ir'}regular"

    @property
    def features(self) -> int:
        return self.p + 1

    outputs = features

    def draw(self, n: int, rng: np.random.Generator) -> Sequences:
        symbols = np.empty((n, self.p + 1), int)
        symbols[:, 0] = symbols[:, -1] = self.p - 1 + rng.integers(2, size=n)  # x or y
        symbols[:, 1:-1] = np.arange(self.p - 1) if self.regular else rng.integers(self.p - 1, size=(n, self.p - 1))
        lengths = np.full(n, self.p)
        x, y = (one_hot(part, lengths, self.features) for part in (symbols[:, :-1], symbols[:, 1:]))
        return Sequences(x, lengths, y)

    def right(self, p: np.ndarray, drawn: Sequences) -> np.ndarray:
        return (np.abs(p[:, -1] - drawn.y[:, -1]) < self.within).all(axis=-1)


@dataclass(frozen=True)
class VeryLongLag(AllWithin):
    """2c: b, x or y, q or more distractors out of p, e; the answer, after e, is x or y again.

    After q distractors each further one comes with probability 9/10, so that there are q + 9 on average.
    """

    q: int = 50
    p: int = 50

    outputs, per_step = 2, False
    head, loss, within = "softmax", "categorical_crossentropy", 0.2

    @property
    def name(self) -> str:
        return f"very long lag, q = {self.q}, p = {self.p}"

    @property
    def features(self) -> int:
        return self.p + 4  # the distractors, e, b, x and y

    def draw(self, n: int, rng: np.random.Generator) -> Sequences:
        distractors = self.q + rng.geometric(1 - MORE, n) - 1
        lengths, is_y, e, b = distractors + 3, rng.integers(2, size=n), self.p, self.p + 1
        symbols = rng.integers(self.p, size=(n, int(lengths.max())))
        symbols[:, 0], symbols[:, 1], symbols[np.arange(n), lengths - 1] = b, self.p + 2 + is_y, e
        return Sequences(one_hot(symbols, lengths, self.features), lengths, np.eye(2, dtype="float32")[is_y])
