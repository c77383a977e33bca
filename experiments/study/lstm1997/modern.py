"""The network of today: the engine's LSTM with forget gates, whole gradients by its compiled kernels, and Adam."""

from dataclasses import dataclass, field

import numpy as np

import lstm_engine as le
from experiments.study.networks import EngineNetwork, Learning, chrono_bias
from experiments.study.tasks import Task


@dataclass(frozen=True)
class Modern:
    """Settings. memory: the longest lag that the forget gates' biases are drawn for (chrono initialisation).

    forget_bias, where given, is that of all of them instead, as in Keras (1); ValueError where it is not finite.
    """

    memory: int
    units: int = 16
    learning: Learning = field(default_factory=Learning)
    forget_bias: float | None = None

    def __post_init__(self) -> None:
        if self.forget_bias is not None and not np.isfinite(self.forget_bias):
            raise ValueError(f"the forget gates' bias must be a finite number, got {self.forget_bias}")

    @property
    def words(self) -> str:
        return f"{self.units} units"

    def network(self, task: Task, seed: int) -> EngineNetwork:
        lstm = le.LSTM(self.units, return_sequences=task.per_step)
        network = EngineNetwork(lstm, task, self.learning, seed)
        bias = lstm.weights["bias"]
        if self.forget_bias is None:
            bias[:] = chrono_bias(self.units, self.memory, np.random.default_rng([seed, 1]))
        else:
            bias[self.units : 2 * self.units] = self.forget_bias
        return network
