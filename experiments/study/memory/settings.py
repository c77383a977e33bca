"""What the study trains, and until when: tasks, lags, the settings that all cells share, and the points of the grid."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Any

from experiments.study.goals import MostRecent
from experiments.study.memory import rates
from experiments.study.memory.cells import CELLS
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
LONGEST = {"peephole": 100}  # this cell takes twice the engine's time, so it has one lag less
QUICK_TASKS, QUICK_CELLS, QUICK_LAGS = ("order", "it"), ("rnn", "lstm1", "chrono"), (10, 50)


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


@dataclass(frozen=True)
class Point:
    """A cell on a task at a lag."""

    task: str
    cell: str
    lag: int

    @property
    def what(self) -> str:
        """The name of its results."""
        return f"{self.task}-{self.cell}-{self.lag}"

    @property
    def rate(self) -> float:
        return rates.chosen(self.task, self.cell, self.lag)

    def as_json(self, settings: Settings) -> dict[str, Any]:
        """Everything that a result depends on except the seed."""
        cell = asdict(CELLS[self.cell])  # type: ignore[call-overload]
        return as_json(settings, TASKS[self.task](self.lag)) | {"cell": cell, "rate": self.rate}


def points(tasks: Sequence[str] = (), cells: Sequence[str] = (), quick: bool = False) -> list[Point]:
    """Which cell on which task at which lag. ValueError for unknown names."""
    for kind, names, known in (("task", tasks, TASKS), ("cell", cells, CELLS)):
        if unknown := [name for name in names if name not in known]:
            raise ValueError(f"there is no {kind} {', '.join(unknown)}: choose from {', '.join(known)}")
    tasks = tuple(tasks) or (QUICK_TASKS if quick else tuple(TASKS))
    cells = tuple(cells) or (QUICK_CELLS if quick else tuple(CELLS))
    grid = [Point(*point) for point in product(tasks, cells, QUICK_LAGS if quick else LAGS)]
    return [p for p in grid if p.lag <= LONGEST.get(p.cell, max(LAGS))]
