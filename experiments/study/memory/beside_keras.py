"""One task learnt by Keras too, from the same initial weights, by the same batches and the same Adam.

In exact arithmetic both would take the same steps. In float32 they round differently, and a training carries that on, so they
are compared with the engine beside itself: the same batches with their rows in reverse order, whose gradients are the same
sums in another order.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from experiments.beside_keras.twins import to_keras
from experiments.study import solving
from experiments.study.goals import Learner
from experiments.study.memory.settings import Point, Settings
from experiments.study.networks import EngineNetwork
from experiments.study.seeds import Job, Result, standing
from experiments.study.tasks import Sequences

POINT, SEEDS = Point("it", "lstm1", 10), 5  # a task of one length: Keras compiles once


class KerasNetwork:
    """The Keras twin of a network: a `goals.Learner`."""

    def __init__(self, network: EngineNetwork) -> None:
        self.batch_size = network.batch_size
        self.model = to_keras(network.model)

    def learn(self, batch: Sequences) -> np.ndarray:
        p = self.model.predict_on_batch(batch.x)
        self.model.train_on_batch(batch.x, batch.y)
        return np.asarray(p)

    def answer(self, drawn: Sequences) -> np.ndarray:
        return np.asarray(self.model.predict(drawn.x, verbose=0))

    def count_params(self) -> int:
        return int(self.model.count_params())


class Reversed:
    """The same network, which learns from each batch with its rows in reverse order: a `goals.Learner`."""

    def __init__(self, network: EngineNetwork) -> None:
        self.network, self.batch_size = network, network.batch_size
        self.answer, self.count_params = network.answer, network.count_params

    def learn(self, batch: Sequences) -> np.ndarray:
        return self.network.learn(batch.take(slice(None, None, -1)))[::-1]


SIDES: dict[str, Callable[[EngineNetwork], Learner]] = {
    "engine": lambda network: network,
    "reversed": Reversed,
    "keras": KerasNetwork,
}


def jobs(settings: Settings) -> list[Job]:
    return [Job(f"beside-{side}", seed, training, (side, settings)) for side in SIDES for seed in range(SEEDS)]


def training(side: str, settings: Settings, seed: int) -> Result:
    """One training of a side: see `solving.solve`."""
    task, network = POINT.network(settings, POINT.rate, seed)
    return solving.solve(SIDES[side](network), task, settings.goal, settings.limit, seed)


def results_of(out: str | Path) -> dict[str, list[Result]]:
    """The results of each side, by seed, of those seeds that the folder holds of every side; empty where there are none."""
    sides = {side: standing(out, f"beside-{side}") for side in SIDES}
    common = set.intersection(*({result["seed"] for result in results} for results in sides.values()))
    return {side: [r for r in results if r["seed"] in common] for side, results in sides.items() if common}
