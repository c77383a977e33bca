"""The modern network: the engine's LSTM with forget gates, whole gradients by its compiled kernels, and Adam."""

from dataclasses import dataclass, field, replace

import numpy as np

import lstm_engine as le
from experiments.study.goals import Network
from experiments.study.lstm1997.late_memory import BesideInput, HeadStart, LateMemory
from experiments.study.networks import EngineNetwork, Learning, chrono_bias
from experiments.study.tasks import Task


@dataclass(frozen=True)
class Modern:
    """Settings. memory: the longest lag that the forget gates' biases are drawn for (chrono initialisation).

    forget_bias: the bias of all of them instead, as in Keras (1); ValueError where it is not finite. head_start: the outputs
    are also connected to the inputs, and at first to nothing else.
    """

    memory: int
    units: int = 16
    learning: Learning = field(default_factory=Learning)
    forget_bias: float | None = None
    head_start: HeadStart | None = None

    def __post_init__(self) -> None:
        if self.forget_bias is not None and not np.isfinite(self.forget_bias):
            raise ValueError(f"the forget gates' bias must be a finite number, got {self.forget_bias}")

    @property
    def words(self) -> str:
        added = f" beside the inputs, after {self.head_start.sequences:,} sequences" if self.head_start else ""
        learning = self.learning
        steps = f", batches of {learning.batch_size} at a rate of {learning.rate:g}" if learning != Learning() else ""
        return f"{self.units} units{added}{steps}"

    def network(self, task: Task, seed: int) -> Network:
        lstm = le.LSTM(self.units, return_sequences=task.per_step)
        network = EngineNetwork(BesideInput(lstm) if self.head_start else lstm, task, self.learning, seed)
        bias = lstm.weights["bias"]
        if self.forget_bias is None:
            bias[:] = chrono_bias(self.units, self.memory, np.random.default_rng([seed, 1]))
        else:
            bias[self.units : 2 * self.units] = self.forget_bias
        if self.head_start is None:
            return network
        alone = EngineNetwork(None, task, replace(self.learning, rate=self.head_start.rate), seed)
        return LateMemory(alone, network, self.head_start.sequences)
