"""What a result depends on except its seed: the settings that all cells share, the plan, the cells, and the rates they get.

The cells are seven recurrent layers that differ in their equations, or in the initial bias of their gates. Three of them have
a chrono start (Tallec & Ollivier 2018): two are drawn for the gap of the task, which no other cell is told; the third for 100
steps, whatever the gap.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

import lstm_engine as le
from experiments.study.choosing import best, by_accuracy
from experiments.study.networks import EngineNetwork, Learning, chrono_bias, chrono_update_bias
from experiments.study.seeds import Result
from experiments.study.tasks.late_digits import SILENCES, Condition, LateDigits


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


Start = Callable[[int, LateDigits, Settings, np.random.Generator], np.ndarray]  # units, ... -> the layer's bias


@dataclass(frozen=True)
class GapCell:
    """bias: the layer's initial bias, where it is not Keras's. knows_gap: whether the bias depends on the gap's length."""

    name: str
    layer: type[le.SimpleRNN | le.GRU | le.LSTM]
    bias: Start | None = None
    knows_gap: bool = False
    further: bool = False  # whether Settings.further_rates are tried too

    def rates(self, settings: Settings) -> list[float]:
        return [*settings.rates, *(settings.further_rates if self.further else ())]

    def network(self, task: LateDigits, settings: Settings, rate: float, seed: int) -> EngineNetwork:
        """The layer, whose recurrent kernel starts orthogonal as Keras's does, and a softmax on its last state."""
        layer = self.layer(settings.units)
        learning = Learning(settings.batch_size, rate, settings.halved_every, settings.clip)
        network = EngineNetwork(layer, task, learning, seed)
        if self.bias is not None:
            layer.weights["bias"][:] = self.bias(settings.units, task, settings, np.random.default_rng([seed, 1]))
        return network


CELLS = {
    "rnn": GapCell("SimpleRNN", le.SimpleRNN, further=True),
    "gru": GapCell("GRU", le.GRU),
    "gru-chrono": GapCell(
        "GRU, chrono, told the gap",
        le.GRU,
        lambda H, task, _, rng: chrono_update_bias(H, task.longest, rng),
        knows_gap=True,
    ),
    "lstm0": GapCell("LSTM, forget bias 0", le.LSTM, lambda H, *_: np.zeros(4 * H)),
    "lstm1": GapCell("LSTM, forget bias 1", le.LSTM),
    "chrono-fixed": GapCell(
        "LSTM, chrono for 100", le.LSTM, lambda H, _, settings, rng: chrono_bias(H, settings.fixed, rng)
    ),
    "chrono": GapCell(
        "LSTM, chrono, told the gap", le.LSTM, lambda H, task, _, rng: chrono_bias(H, task.longest, rng), knows_gap=True
    ),
}


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
