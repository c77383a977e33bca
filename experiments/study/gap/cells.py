"""The cells: seven recurrent layers that differ in their equations, or in the initial bias of their gates.

Three of them have a chrono start (Tallec & Ollivier 2018). Two of these three are drawn for the gap of the task, which no
other cell is told; the third is drawn for 100 steps, whatever the gap.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import lstm_engine as le
from experiments.study.gap.settings import Settings
from experiments.study.networks import EngineNetwork, Learning, chrono_bias, chrono_update_bias
from experiments.study.tasks.late_digits import LateDigits

Start = Callable[[int, LateDigits, Settings, np.random.Generator], np.ndarray]  # units, ... -> the layer's bias


@dataclass(frozen=True)
class GapCell:
    """bias: the layer's initial bias, where it is not Keras's. told: whether it is drawn for the gap.

    carrier: the state that gates hand on, whose gradient is followed back: c of an LSTM, h of the others.
    """

    name: str
    layer: type[le.SimpleRNN | le.GRU | le.LSTM]
    bias: Start | None = None
    told: bool = False
    further: bool = False  # whether Settings.further_rates are tried too

    @property
    def carrier(self) -> str:
        return "c" if self.layer is le.LSTM else "h"

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
        "GRU, chrono, told the gap", le.GRU, lambda H, task, _, rng: chrono_update_bias(H, task.longest, rng), told=True
    ),
    "lstm0": GapCell("LSTM, forget bias 0", le.LSTM, lambda H, *_: np.zeros(4 * H)),
    "lstm1": GapCell("LSTM, forget bias 1", le.LSTM),
    "chrono-fixed": GapCell(
        "LSTM, chrono for 100", le.LSTM, lambda H, _, settings, rng: chrono_bias(H, settings.fixed, rng)
    ),
    "chrono": GapCell(
        "LSTM, chrono, told the gap", le.LSTM, lambda H, task, _, rng: chrono_bias(H, task.longest, rng), told=True
    ),
}
