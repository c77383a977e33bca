"""One training on a task with one seed, until the task counts as solved or the limit is reached."""

import time
from typing import Any

import numpy as np

from experiments.study.goals import Goal, Network, errors
from experiments.study.tasks import Task

TESTED = 2_560  # fresh sequences, as in Hochreiter & Schmidhuber 1997
POINT = 500  # sequences a point of the learning curve

DATA, TEST = 2, 3  # beside a seed: what the generator of a part is made of; the network has its own


def solve(network: Network, task: Task, goal: Goal, limit: int, seed: int, tested: bool = True) -> dict[str, Any]:
    """Trains the network, and returns JSON values.

    sequences: how many it took, None where the limit came first; trained: how many it has learnt from. wrong: of TESTED
    fresh ones, None where not tested or the goal was not met. curve: by POINT sequences, the mean absolute error at their
    ends; of fewer, where there were no more. seconds: of this process on the machine's cores.
    """
    started = time.process_time()
    watch = goal.watch(task, np.random.default_rng([seed, DATA]))
    trained, needed, curve, point = 0, None, [], []
    for batch in watch.batches(network.batch_size):
        p = network.learn(batch)
        trained += len(batch)
        point += errors(p, batch).tolist()
        if len(point) >= POINT:
            curve.append([trained, float(np.mean(point))])
            point = []
        if watch.met(trained, batch, p, network):
            needed = trained - goal.leads
            break
        if trained >= limit:
            break
    if not curve:
        curve = [[trained, float(np.mean(point))]]
    wrong = None
    if tested and needed is not None:
        fresh = task.draw(TESTED, np.random.default_rng([seed, TEST]))
        wrong = int((~task.right(network.answer(fresh), fresh)).sum())
    return {
        "sequences": needed,
        "trained": trained,
        "wrong": wrong,
        "weights": network.count_params(),
        "seconds": time.process_time() - started,
        "curve": curve,
    }
