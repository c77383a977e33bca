"""The points of the study's grid: a cell on a task at a lag."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

from experiments.study.memory import rates
from experiments.study.memory.cells import CELLS
from experiments.study.memory.settings import LAGS, TASKS, Settings, as_json

LONGEST = {"peephole": 100}  # this cell takes twice the engine's time, so it has one lag less

QUICK_TASKS, QUICK_CELLS, QUICK_LAGS = ("order", "it"), ("rnn", "lstm1", "chrono"), (10, 50)


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
