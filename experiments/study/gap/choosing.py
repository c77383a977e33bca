"""The rate that a cell learns with: for every cell and condition anew, from the same search, among training speakers alone.

A cell that no rate teaches anything at some gap is not tried at longer ones. That, too, is seen on training speakers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.reports.run import Run
from experiments.study.gap.cells import CELLS
from experiments.study.gap.settings import Condition, Settings
from experiments.study.gap.training import choose
from experiments.study.seeds import Job, Stage, gather


@dataclass(frozen=True)
class Plan:
    """What each cell is trained on: gaps in rising order, conditions without one; and the seeds that rates are tried with."""

    gaps: tuple[int, ...]
    others: tuple[Condition, ...]
    choice_seeds: tuple[int, ...]

    @property
    def conditions(self) -> list[Condition]:
        return [*map(Condition, self.gaps), *self.others]


@dataclass(frozen=True)
class Choice:
    """What the search found for a cell in a condition. tried: by rate, the accuracy of each seed on its held-out speakers."""

    cell: str
    condition: Condition
    tried: dict[float, list[float]]
    guesses: float  # a mean below this is of a cell that has learnt nothing
    seconds: float  # of one core

    @property
    def rate(self) -> float:
        """The one of the best mean; of two that are alike, the first."""
        return max(self.tried, key=lambda rate: np.mean(self.tried[rate]))

    @property
    def held_out(self) -> float:
        """The mean accuracy that this rate came to."""
        return float(np.mean(self.tried[self.rate]))

    @property
    def learnt(self) -> bool:
        """Whether that is more than guessing."""
        return self.held_out >= self.guesses


def search(
    run: Run, folder: str, cells: Sequence[str], plan: Plan, settings: Settings, workers: int, stage: Stage
) -> list[Choice]:
    """A choice for each cell and condition, but for gaps beyond the first at which the cell has learnt nothing."""
    choices: list[Choice] = []
    lost: set[str] = set()
    for condition in plan.conditions:
        there = [cell for cell in cells if condition.gap == 0 or cell not in lost]
        tried = [(cell, rate) for cell in there for rate in CELLS[cell].rates(settings)]
        trials = [(trial(cell, condition, rate), (folder, cell, condition, settings, rate)) for cell, rate in tried]
        title = f"Choosing rates: {condition.words}"
        found = gather(run, jobs(trials, choose, plan.choice_seeds), workers, stage(title))
        for cell in there:
            own = [one for one in found if one["cell"] == cell]
            by_rate = {
                rate: [one["accuracy"] for one in own if one["rate"] == rate] for rate in CELLS[cell].rates(settings)
            }
            choices.append(Choice(cell, condition, by_rate, settings.guesses, sum(one["seconds"] for one in own)))
        lost |= {choice.cell for choice in choices if choice.condition.gap and not choice.learnt}
    return choices


def trial(cell: str, condition: Condition, rate: float) -> str:
    """What the results of a rate that is tried are named by."""
    return f"choice-{cell}-{condition.key}-rate{rate}"


def jobs(
    trainings: Sequence[tuple[str, tuple[Any, ...]]], run: Callable[..., dict[str, Any]], seeds: Sequence[int]
) -> list[Job]:
    """Each of the trainings, (name, arguments), with each seed."""
    return [Job(what, seed, run, arguments) for what, arguments in trainings for seed in seeds]
