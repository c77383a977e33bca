"""The network of today: the engine's LSTM with forget gates, whole gradients by its compiled kernels, and Adam.

Its forget gates start by the lag that a task may have, "chrono initialisation" (Tallec & Ollivier 2018, "Can recurrent
neural networks warp time?"): a gate of bias log τ keeps 1/e of what a cell holds for about τ steps.
"""

from dataclasses import dataclass

import numpy as np

import lstm_engine as le
from experiments.study.tasks import Sequences, Task
from lstm_engine import passes
from lstm_engine.backend import one_thread_pool
from lstm_engine.schedules import ExponentialDecay

AT_ONCE = 256  # sequences that are answered together


@dataclass(frozen=True)
class Modern:
    """Settings. The learning rate is halved every `halved_every` sequences; clip is the largest joint norm of a gradient.

    memory: the longest lag that the forget gates' biases are drawn for; forget_bias, where given, is that of all
    of them instead, as in Keras (1); ValueError where it is not finite.
    """

    memory: int
    units: int = 16
    batch_size: int = 4
    learning_rate: float = 0.01
    halved_every: int = 20_000
    clip: float = 1.0
    forget_bias: float | None = None

    def __post_init__(self) -> None:
        if self.forget_bias is not None and not np.isfinite(self.forget_bias):
            raise ValueError(f"the forget gates' bias must be a finite number, got {self.forget_bias}")

    @property
    def words(self) -> str:
        return f"{self.units} units"

    def network(self, task: Task, seed: int) -> "ModernNetwork":
        return ModernNetwork(task, self, seed)


class ModernNetwork:
    """LSTM(units), Dense(outputs, activation=the task's head)."""

    def __init__(self, task: Task, settings: Modern, seed: int) -> None:
        lstm = le.LSTM(settings.units, return_sequences=task.per_step)
        head = le.Dense(task.outputs, activation=task.head)
        self.model = le.Sequential([le.Input((None, task.features)), lstm, head], seed=seed)
        rate = ExponentialDecay(settings.learning_rate, settings.halved_every / settings.batch_size, 0.5)
        self.model.compile(le.Adam(rate, global_clipnorm=settings.clip), task.loss)
        bias = lstm.weights["bias"]
        if settings.forget_bias is None:
            bias[:] = chrono_bias(settings.units, settings.memory, np.random.default_rng([seed, 1]))
        else:
            bias[settings.units : 2 * settings.units] = settings.forget_bias

    def learn(self, batch: Sequences) -> np.ndarray:
        """What `train_on_batch` does; it hands the answers out, which were there before the step."""
        layers, loss, optimizer = self.model.layers, self.model.loss, self.model.optimizer
        with one_thread_pool({"numba"}):
            way = passes.there(layers, loss, passes.Batch(batch.x, batch.y, batch.mask), training=True)
            gradients = passes.back(layers, loss, way, to_x=False).weights
            optimizer.apply(self.model.weights, gradients, "numba")
        return way.p

    def answer(self, drawn: Sequences) -> np.ndarray:
        parts = [slice(start, start + AT_ONCE) for start in range(0, len(drawn), AT_ONCE)]
        return np.concatenate([self.model(drawn.x[part], mask=drawn.mask[part]) for part in parts])

    def count_params(self) -> int:
        return self.model.count_params()


def chrono_bias(units: int, longest: int, rng: np.random.Generator) -> np.ndarray:
    """(4 units,): b_f = log u with u from 1 to longest - 1, evenly, b_i = -b_f, the others 0."""
    b_f = np.log(rng.uniform(1, longest - 1, units))
    return np.concatenate([-b_f, b_f, np.zeros(2 * units)])
