"""Two or three symbols X or Y lie far apart among others: in which order?

Hochreiter & Schmidhuber 1997, section 5.6: tasks 6a (two symbols, four classes) and 6b (three symbols, eight classes).
"""

from dataclasses import dataclass

import numpy as np

from experiments.study.tasks import AllWithin, Sequences, one_hot

SYMBOLS = "abcdXYEB"
# Where an X or Y may stand, for lengths about 100.
PLACES = {2: ((10, 20), (50, 60)), 3: ((10, 20), (33, 43), (66, 76))}


@dataclass(frozen=True)
class TemporalOrder(AllWithin):
    """E, then a, b, c or d at random, but X or Y at one place in each of two (6a) or three (6b) stretches, and B at the end.

    The stretches are steps 10 to 20 and 50 to 60, or 10 to 20, 33 to 43 and 66 to 76, where E is step 1; lengths are
    from 100 to 110. Other T scale all of it, behind E. Class numbers are binary, Y being 1: XX, XY, YX, YY.
    """

    relevant: int = 2
    T: int = 100

    features, per_step = len(SYMBOLS), False
    head, loss, within = "softmax", "categorical_crossentropy", 0.3

    def __post_init__(self) -> None:
        if self.relevant not in PLACES:
            raise ValueError(f"the paper's tasks have 2 relevant symbols (6a) or 3 (6b), got {self.relevant}")
        if self.T < 10:
            raise ValueError(f"T must be 10 or more, so that E, the relevant symbols and B have places, got {self.T}")

    @property
    def name(self) -> str:
        return f"temporal order, {self.relevant} symbols" + (f", T = {self.T}" if self.T != 100 else "")

    @property
    def outputs(self) -> int:
        return int(2**self.relevant)

    @property
    def places(self) -> tuple[tuple[int, int], ...]:
        """The first and the last step, counted from 1, at which each relevant symbol may stand."""
        return tuple((max(2, low * self.T // 100), high * self.T // 100) for low, high in PLACES[self.relevant])

    def draw(self, n: int, rng: np.random.Generator) -> Sequences:
        lengths = rng.integers(self.T, self.T + self.T // 10, n, endpoint=True)
        rows, classes = np.arange(n), np.zeros(n, int)
        symbols = rng.integers(4, size=(n, int(lengths.max())))  # a, b, c, d
        symbols[:, 0], symbols[rows, lengths - 1] = SYMBOLS.index("E"), SYMBOLS.index("B")
        for low, high in self.places:
            is_y = rng.integers(2, size=n)
            symbols[rows, rng.integers(low, high, n, endpoint=True) - 1] = SYMBOLS.index("X") + is_y
            classes = 2 * classes + is_y
        return Sequences(
            one_hot(symbols, lengths, len(SYMBOLS)), lengths, np.eye(self.outputs, dtype="float32")[classes]
        )
