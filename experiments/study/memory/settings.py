"""What the study trains, and until when: tasks, lags, and the settings that all cells share."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from experiments.study.goals import MostRecent
from experiments.study.networks import Learning
from experiments.study.seeds import digest_of_task
from experiments.study.tasks import Task
from experiments.study.tasks.adding import Adding
from experiments.study.tasks.delayed_reference import DelayedReference
from experiments.study.tasks.recall import Recall
from experiments.study.tasks.temporal_order import TemporalOrder

TASKS: dict[str, Callable[[int], Task]] = {
    "adding": Adding,
    "order": lambda lag: TemporalOrder(2, lag),
    "recall": lambda lag: Recall(lag, shown=2),
    "it": DelayedReference,
}
TITLES = {"adding": "adding", "order": "temporal order", "recall": "recall", "it": "the word after It"}
LAGS = (10, 25, 50, 100, 200)


@dataclass(frozen=True)
class Settings:
    """units: of an LSTM; other cells have no more weights than it has. limit: after so many sequences a training has failed.

    The goal: at most 1 % of the 500 most recent sequences wrong, each judged before the network learns from it.
    """

    units: int = 16
    batch_size: int = 16
    halved_every: int = 10_000
    clip: float = 1.0
    goal: MostRecent = field(default_factory=lambda: MostRecent(500, wrong=5))
    limit: int = 30_000

    def learning(self, rate: float) -> Learning:
        return Learning(self.batch_size, rate, self.halved_every, self.clip)


def as_json(settings: Settings, task: Task) -> dict[str, Any]:
    """What a result depends on except cell, rate and seed; of the task also what it draws and what counts as right."""
    described = asdict(task) | {"within": task.within, "draws": digest_of_task(task)}  # type: ignore[call-overload]
    return {"settings": asdict(settings), "task": described}
