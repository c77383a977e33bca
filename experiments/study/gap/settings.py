"""Everything that a result of the study depends on except its cell and its seed; and which rate a cell trains with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from experiments.study.choosing import best, by_accuracy
from experiments.study.seeds import Result
from experiments.study.tasks.late_digits import SILENCES, Condition


@dataclass(frozen=True)
class Settings:
    """The same for every cell. Adam's rate halves every `halved_every` sequences; clip: the largest joint norm of a gradient.

    rates are tried for every cell in every condition, further_rates also for the SimpleRNN, which is said to need small
    ones: with each choice seed, on the third of the training speakers that the seed holds out (folds = 3). A cell has learnt
    nothing if no rate reaches an accuracy of `guesses` there. silence: "drawn", each frame one of the quietest, or
    "constant", each their mean. fixed: the longest lag that a chrono start is drawn for where it is not told the gap.
    """

    units: int = 32
    batch_size: int = 16
    sequences: int = 12_000
    halved_every: int = 6_000
    clip: float = 1.0
    quietest: float = 0.02  # of the frames of the speakers that are learnt from: what silence is made of
    rates: tuple[float, ...] = (0.03, 0.01, 0.003)
    further_rates: tuple[float, ...] = (0.001, 0.0003)
    folds: int = 3
    guesses: float = 0.15
    silence: str = "drawn"
    fixed: int = 100
    traced: int = 16  # clips whose gradient is followed back through the gap

    def __post_init__(self) -> None:
        if self.silence not in SILENCES:
            raise ValueError(f"silence must be {' or '.join(SILENCES)}, got {self.silence!r}")


@dataclass(frozen=True)
class Plan:
    """What each cell is trained on: gaps in rising order, conditions without one; and the seeds that rates are tried with."""

    gaps: tuple[int, ...]
    others: tuple[Condition, ...]
    choice_seeds: tuple[int, ...]

    @property
    def conditions(self) -> list[Condition]:
        return [*map(Condition, self.gaps), *self.others]


class Choice(NamedTuple):
    """The rate of a cell in a condition. tried: by rate, the accuracy of each seed on its held-out speakers."""

    cell: str
    condition: Condition
    tried: dict[float, list[float]]
    rate: float
    held_out: float  # the mean accuracy of this rate
    learnt: bool  # whether that is more than guessing
    seconds: float  # of one core


def choice_of(cell: str, condition: Condition, trials: Mapping[float, list[Result]], guesses: float) -> Choice:
    """The best rate of these trials. guesses: a cell whose mean accuracy is below this has learnt nothing."""
    tried = {rate: [result["accuracy"] for result in results] for rate, results in trials.items()}
    rate = best(trials, by_accuracy)
    held_out = float(np.mean(tried[rate]))
    seconds = sum(result["seconds"] for results in trials.values() for result in results)
    return Choice(cell, condition, tried, rate, held_out, held_out >= guesses, seconds)
