"""Adding for the variants: as in `lstm1997`, until the 2,000 most recent sequences are right."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from experiments.study.goals import MostRecent
from experiments.study.networks import Learning
from experiments.study.solving import solve
from experiments.study.tasks.adding import Adding
from experiments.study.variants.network import VariantNetwork


@dataclass(frozen=True)
class OnAdding:
    """Settings. memory: the lag that the biases are drawn for; limit: after so many sequences a training has failed."""

    task: Adding = field(default_factory=Adding)
    goal: MostRecent = field(default_factory=lambda: MostRecent(error=0.01))
    limit: int = 40_000
    units: int = 16
    memory: int = 100
    learning: Learning = field(default_factory=Learning)


def training(settings: OnAdding, tested: bool, variant: str, rate: float, seed: int) -> dict[str, Any]:
    """One training: see `solve`. tested: whether fresh sequences are answered afterwards."""
    learning = replace(settings.learning, rate=rate)
    network = VariantNetwork(variant, settings.task, learning, seed, settings.units, settings.memory)
    found = solve(network, settings.task, settings.goal, settings.limit, seed, tested)
    return {"variant": variant, "rate": rate, "units": settings.units} | found


def cost(found: Sequence[dict[str, Any]]) -> tuple[float, ...]:
    """What the rate with the lowest is chosen by: the mean number of sequences, the limit where one failed.

    Where all failed, at every rate alike, the mean error at the end: infinite for a training that diverged, or that was too
    short to have a point.
    """
    return float(np.mean([one["trained"] for one in found])), float(np.mean([_last_error(one) for one in found]))


def _last_error(one: dict[str, Any]) -> float:
    error = one["curve"][-1][1] if one["curve"] else None
    return np.inf if error is None or np.isnan(error) else error
