"""A few symbols are shown, then blanks, then a cue: repeat the symbols.

The copy task (Hochreiter & Schmidhuber 1997; Graves, Wayne & Danihelka 2014, section 4.1) with one answer that holds all
symbols, instead of one after the other. Nothing new happens in between, so a cell can only lose them by leaking.
"""

from dataclasses import dataclass

import numpy as np

from experiments.study.tasks import AllWithin, Sequences, one_hot


@dataclass(frozen=True)
class Recall(AllWithin):
    """`shown` symbols out of `symbols`, each drawn on its own, `lag` blanks, and a cue. y: their one-hot codes side by side.

    Inputs are numbered: the symbols, the blank, the cue.
    """

    lag: int = 100
    shown: int = 3
    symbols: int = 4

    per_step, head, loss, within = False, "sigmoid", "binary_crossentropy", 0.3

    def __post_init__(self) -> None:
        if self.lag < 1 or self.shown < 1 or self.symbols < 2:
            raise ValueError(
                "a recall takes a lag of 1 or more, 1 symbol or more to show, and 2 or more to choose from, got "
                f"{self.lag}, {self.shown} and {self.symbols}"
            )

    @property
    def name(self) -> str:
        return f"recall of {self.shown} symbols, lag = {self.lag}"

    @property
    def features(self) -> int:
        return self.symbols + 2

    @property
    def outputs(self) -> int:
        return self.shown * self.symbols

    def draw(self, n: int, rng: np.random.Generator) -> Sequences:
        symbols = rng.integers(self.symbols, size=(n, self.shown))
        blanks, cue = np.full((n, self.lag), self.symbols), np.full((n, 1), self.symbols + 1)
        inputs = np.concatenate([symbols, blanks, cue], axis=1)  # (n, shown + lag + 1)
        lengths = np.full(n, inputs.shape[1])
        y = np.eye(self.symbols, dtype="float32")[symbols].reshape(n, self.outputs)
        return Sequences(one_hot(inputs, lengths, self.features), lengths, y)
