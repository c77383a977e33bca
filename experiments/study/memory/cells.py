"""The cells that are compared: each makes a network for a task, with about as many weights as the others.

A cell has a name and `network(task, lag, settings, rate, seed)`: an `EngineCell`, or a `PeepholeLSTM`, which comes from the
study of variants because the engine does not have it.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

import lstm_engine as le
from experiments.study.goals import Network
from experiments.study.memory.settings import Settings
from experiments.study.networks import EngineNetwork, chrono_bias
from experiments.study.tasks import Task
from experiments.study.variants.network import VariantNetwork

PARTS = {
    "SimpleRNN": (1, 1),
    "GRU": (3, 2),
    "LSTM": (4, 1),
}  # how many blocks of units * (features + units), and how many biases per unit


class MemoryCell(Protocol):
    """A frozen dataclass; its networks depend only on its fields and on the arguments of `network`."""

    name: str

    def network(self, task: Task, lag: int, settings: Settings, rate: float, seed: int) -> Network: ...


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
CELLS: dict[str, MemoryCell] = {
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
