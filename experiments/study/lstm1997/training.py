"""One training: a row's network with one seed, until its goal is met or its limit reached."""

import time
from typing import Any

import numpy as np

from experiments.study.lstm1997.experiments import Setup
from experiments.study.lstm1997.goals import errors

TESTED = 2_560  # fresh sequences, as in the paper
POINT = 500  # sequences a point of the learning curve

DATA, TEST = 2, 3  # beside a seed: what the generator of a part is made of; the network has its own


def train(setup: Setup, cell: str, seed: int) -> dict[str, Any]:
    """A row's training as JSON values.

    sequences: how many it took, None where the limit came first; trained: how many it has learnt from. wrong: of TESTED
    fresh ones, None where the row has no such test or the goal was not met. curve: by POINT sequences, the mean absolute
    error at their ends. seconds: of this process on the machine's cores.
    """
    settings = setup.settings(cell)
    started, network = time.process_time(), settings.network(setup.task, seed)
    watch = setup.goal.watch(setup.task, np.random.default_rng([seed, DATA]))
    trained, needed, curve, point = 0, None, [], []
    for batch in watch.batches(settings.batch_size):
        p = network.learn(batch)
        trained += len(batch)
        point += errors(p, batch).tolist()
        if len(point) >= POINT:
            curve.append([trained, float(np.mean(point))])
            point = []
        if watch.met(trained, batch, p, network):
            needed = trained - setup.goal.leads
            break
        if trained >= setup.limit_of(cell):
            break
    wrong = None
    if setup.tested and needed is not None:
        fresh = setup.task.draw(TESTED, np.random.default_rng([seed, TEST]))
        wrong = int((~setup.task.right(network.answer(fresh), fresh)).sum())
    return {
        "sequences": needed,
        "trained": trained,
        "wrong": wrong,
        "weights": network.count_params(),
        "seconds": time.process_time() - started,
        "curve": curve,
    }
