"""What the study trains, and until when: tasks, cells, lags, learning rates, and the settings that all cells share.

A cell makes a network for a task, with about as many weights as the others. It has the best of six learning rates for each
task and lag, tried with seeds that no result uses: `rates.csv` is what `lstm-engine study memory --tune` found, one row for
each training, with the sequences that it needed and its error at the end. The second seed tries the rates with which the
first one solved the task.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import lstm_engine as le
from experiments.study.choosing import best, by_solved
from experiments.study.goals import Learner, MostRecent
from experiments.study.networks import EngineNetwork, Learning, chrono_bias
from experiments.study.seeds import digest_of_task
from experiments.study.tasks import Task
from experiments.study.tasks.adding import Adding
from experiments.study.tasks.delayed_reference import DelayedReference
from experiments.study.tasks.recall import Recall
from experiments.study.tasks.temporal_order import TemporalOrder
from experiments.study.variants.network import VariantNetwork

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
RATES = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
SEARCH_SEEDS = (100, 101)
SEARCHED_LAGS = (10, 25, 50, 100)  # a longer one takes the rate of the longest of these
RATES_FILE = Path(__file__).with_name("rates.csv")


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


# -- cells -------------------------------------------------------------------------------------------------------------

# How many blocks of units * (features + units), and how many biases per unit.
PARTS = {"SimpleRNN": (1, 1), "GRU": (3, 2), "LSTM": (4, 1)}


@dataclass(frozen=True)
class EngineCell:
    """A layer of the engine by its name. forget_bias: the initial bias of an LSTM's forget gates; None leaves Keras's.

    chrono: the biases of forget and input gates are drawn by the lag, so this cell alone is told the lag.
    """

    name: str
    kind: str
    forget_bias: float | None = None
    chrono: bool = False

    def network(self, task: Task, lag: int, settings: Settings, rate: float, seed: int) -> EngineNetwork:
        layer = getattr(le, self.kind)(units_of(self.kind, task.features, settings.units))
        network = EngineNetwork(layer, task, settings.learning(rate), seed)
        if self.chrono:
            layer.weights["bias"][:] = chrono_bias(layer.units, lag, np.random.default_rng([seed, 1]))
        elif self.forget_bias is not None:
            layer.weights["bias"][layer.units : 2 * layer.units] = self.forget_bias
        return network


@dataclass(frozen=True)
class PeepholeLSTM:
    """Starts as the network that `start` makes with an LSTM, with peepholes of 0 added: three more weights for each unit."""

    name: str
    start: EngineCell

    def network(self, task: Task, lag: int, settings: Settings, rate: float, seed: int) -> VariantNetwork:
        lstm, head = self.start.network(task, lag, settings, rate, seed).model.layers
        network = VariantNetwork("V", task, settings.learning(rate), seed, lstm.units, lag)
        for letter, name in (("W", "kernel"), ("U", "recurrent_kernel"), ("b", "bias")):
            network.cell_weights[letter][...] = lstm.weights[name]
        network.head.set_weights(list(head.weights.values()))
        return network


LSTM_1 = EngineCell("LSTM, forget bias 1", "LSTM", forget_bias=1.0)
CELLS: dict[str, EngineCell | PeepholeLSTM] = {
    "rnn": EngineCell("SimpleRNN", "SimpleRNN"),
    "gru": EngineCell("GRU", "GRU"),
    "lstm0": EngineCell("LSTM, forget bias 0", "LSTM", forget_bias=0.0),
    "lstm1": LSTM_1,
    "peephole": PeepholeLSTM("LSTM, peepholes", LSTM_1),
    "chrono": EngineCell("LSTM, chrono", "LSTM", chrono=True),
}


def count_weights(kind: str, features: int, units: int) -> int:
    """Of a layer of the engine; a GRU has two biases for each unit and gate."""
    gates, biases = PARTS[kind]
    return gates * units * (features + units + biases)


def units_of(kind: str, features: int, lstm_units: int) -> int:
    """The most units that have no more weights than an LSTM of `lstm_units`: more units in a SimpleRNN and in a GRU."""
    most = count_weights("LSTM", features, lstm_units)
    return max(n for n in range(1, 4 * lstm_units) if count_weights(kind, features, n) <= most)


# -- learning rates ----------------------------------------------------------------------------------------------------


def chosen(task: str, cell: str, lag: int) -> float:
    """The best rate by `choosing.by_solved`. KeyError for a cell that was not tuned."""
    return best_of(_searched())[task, cell, max(searched for searched in SEARCHED_LAGS if searched <= lag)]


def best_of(table: pd.DataFrame) -> dict[tuple[str, str, int], float]:
    """By task, cell and lag; from a row for each training: task, cell, lag, rate, seed, sequences (or NaN), error."""
    return {
        place: best({rate: trials.to_dict("records") for rate, trials in rows.groupby("rate")}, by_solved)
        for place, rows in table.groupby(["task", "cell", "lag"])
    }


@cache
def _searched() -> pd.DataFrame:
    return pd.read_csv(RATES_FILE)


# -- the grid ----------------------------------------------------------------------------------------------------------


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
        return chosen(self.task, self.cell, self.lag)

    def network(self, settings: Settings, rate: float, seed: int) -> tuple[Task, Learner]:
        """The task, and the cell's network for it."""
        task = TASKS[self.task](self.lag)
        return task, CELLS[self.cell].network(task, self.lag, settings, rate, seed)

    def as_json(self, settings: Settings) -> dict[str, Any]:
        """Everything that a result depends on except the seed."""
        shared = as_json(settings, TASKS[self.task](self.lag))
        return shared | {"cell": asdict(CELLS[self.cell]), "rate": self.rate}


def points(tasks: Sequence[str] = (), cells: Sequence[str] = (), quick: bool = False) -> list[Point]:
    """Which cell on which task at which lag. ValueError for unknown names."""
    for kind, names, known in (("task", tasks, TASKS), ("cell", cells, CELLS)):
        if unknown := [name for name in names if name not in known]:
            raise ValueError(f"there is no {kind} {', '.join(unknown)}: choose from {', '.join(known)}")
    tasks = tuple(tasks) or (QUICK_TASKS if quick else tuple(TASKS))
    cells = tuple(cells) or (QUICK_CELLS if quick else tuple(CELLS))
    grid = [Point(*point) for point in product(tasks, cells, QUICK_LAGS if quick else LAGS)]
    return [p for p in grid if p.lag <= LONGEST.get(p.cell, max(LAGS))]
