"""Adding for the variants: as in `lstm1997`, until the 2,000 most recent sequences are right."""

from dataclasses import dataclass, field, replace

from experiments.study.goals import MostRecent
from experiments.study.networks import Learning
from experiments.study.seeds import Result
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


def training(settings: OnAdding, tested: bool, variant: str, rate: float, seed: int) -> Result:
    """One training: see `solve`. tested: whether fresh sequences are answered afterwards."""
    learning = replace(settings.learning, rate=rate)
    network = VariantNetwork(variant, settings.task, learning, seed, settings.units, settings.memory)
    result = solve(network, settings.task, settings.goal, settings.limit, seed, tested)
    return {"variant": variant, "rate": rate, "units": settings.units} | result
