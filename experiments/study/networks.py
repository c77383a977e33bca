"""The engine's networks that a study trains on a task: any recurrent layer, then Dense, with whole gradients and Adam.

The gates of a gated layer may start by the lag of the task, "chrono initialisation" (Tallec & Ollivier 2018, "Can recurrent
neural networks warp time?"): with a gate of bias log τ a state decays to 1/e in about τ steps.
"""

from dataclasses import dataclass

import numpy as np

import lstm_engine as le
from experiments.study.tasks import Sequences, Task
from lstm_engine.backend import one_thread_pool
from lstm_engine.layer import Layer
from lstm_engine.network import Batch
from lstm_engine.schedules import ExponentialDecay

AT_ONCE = 256  # sequences in one forward pass


@dataclass(frozen=True)
class Learning:
    """Adam on small batches. The rate halves every `halved_every` sequences; clip: the largest joint norm of a gradient."""

    batch_size: int = 4
    rate: float = 0.01
    halved_every: int = 20_000
    clip: float = 1.0

    def optimizer(self) -> le.Adam:
        return le.Adam(ExponentialDecay(self.rate, self.halved_every / self.batch_size, 0.5), global_clipnorm=self.clip)


class EngineNetwork:
    """layer, then Dense with the task's head: a `goals.Learner`. The layer returns sequences where the task asks per step.

    Without a layer, Dense answers every step from its input alone.
    """

    def __init__(self, layer: Layer | None, task: Task, learning: Learning, seed: int) -> None:
        self.batch_size = learning.batch_size
        below = [le.Input((None, task.features))] + ([] if layer is None else [layer])
        self.model = le.Sequential([*below, le.Dense(task.outputs, activation=task.head)], seed=seed)
        self.model.compile(learning.optimizer(), task.loss)

    @property
    def weights(self) -> dict[str, np.ndarray]:
        return self.model.weights

    def learn(self, batch: Sequences) -> np.ndarray:
        """One training step. Returns the answers from before it."""
        with one_thread_pool({"numba"}):
            return self.model.step(Batch(batch.x, batch.y, batch.mask)).p

    def answer(self, drawn: Sequences) -> np.ndarray:
        parts = [slice(start, start + AT_ONCE) for start in range(0, len(drawn), AT_ONCE)]
        return np.concatenate([self.model(drawn.x[part], mask=drawn.mask[part]) for part in parts])

    def count_params(self) -> int:
        return self.model.count_params()


def chrono_bias(units: int, longest: int, rng: np.random.Generator) -> np.ndarray:
    """(4 units,): an LSTM's b_f = log u with u uniform from 1 to longest - 1, b_i = -b_f, the others 0."""
    b_f = np.log(rng.uniform(1, longest - 1, units))
    return np.concatenate([-b_f, b_f, np.zeros(2 * units)])


def chrono_update_bias(units: int, longest: int, rng: np.random.Generator) -> np.ndarray:
    """(2, 3 units): a GRU's b_z = log u with u uniform from 1 to longest - 1, the others 0.

    In h = z∘h' + (1 - z)∘ĥ one gate z both keeps and lets in, so there is no second bias to set.
    """
    b = np.zeros((2, 3 * units))
    b[0, :units] = np.log(rng.uniform(1, longest - 1, units))
    return b
