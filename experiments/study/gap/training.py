"""One training: with a rate that is tried, on training speakers alone, or with the chosen one, for the test speakers.

And beside it, how much of the gradient reaches the word when a training begins.
"""

import time
from typing import Any

import numpy as np

from experiments.study.gap.cells import CELLS
from experiments.study.gap.sequences import LateDigits, tasks
from experiments.study.gap.settings import Condition, Settings
from experiments.study.networks import AT_ONCE, EngineNetwork
from experiments.study.solving import DATA, TEST
from experiments.study.spoken_digits import clips_of
from features.digits import Digits, speaker_folds

UNDERFLOW = np.finfo(float).tiny  # a gradient that is less is counted as this


def choose(
    folder: str, cell: str, condition: Condition, settings: Settings, rate: float, seed: int
) -> dict[str, Any]:  # fmt: skip
    """With a rate that is tried: the seed holds a fold of the training speakers out, and asks them. See `_train`."""
    learn, _ = clips_of(folder)
    held_out = speaker_folds(learn, settings.folds, seed) == 0
    return _train(learn.take(~held_out), learn.take(held_out), cell, condition, settings, rate, seed)


def train(folder: str, cell: str, condition: Condition, settings: Settings, rate: float, seed: int) -> dict[str, Any]:
    """With the rate that was chosen: learns from all training speakers, and asks the test speakers. See `_train`."""
    return _train(*clips_of(folder), cell, condition, settings, rate, seed)


def _train(
    learn: Digits, ask: Digits, cell: str, condition: Condition, settings: Settings, rate: float, seed: int
) -> dict[str, Any]:  # fmt: skip
    """JSON values. right: a 1 or a 0 for each clip asked, in a word; accuracy: the share of 1; seconds: of this process."""
    started = time.process_time()
    learnt, asked = tasks(learn, ask, condition, settings)
    network = CELLS[cell].network(learnt, settings, rate, seed)
    rng = np.random.default_rng([seed, DATA])
    for _ in range(settings.sequences // settings.batch_size):
        network.learn(learnt.draw(settings.batch_size, rng))
    right = answers(network, asked, np.random.default_rng([seed, TEST]))
    return {
        "cell": cell,
        "condition": condition.key,
        "rate": rate,
        "right": "".join(map(str, right.astype(int))),
        "accuracy": float(right.mean()),
        "weights": network.count_params(),
        "seconds": time.process_time() - started,
    }


def answers(network: EngineNetwork, asked: LateDigits, rng: np.random.Generator) -> np.ndarray:
    """(N,) bool: which words are told right, each after a silence that was drawn for it alone."""
    right = []
    for start in range(0, len(asked), AT_ONCE):  # all at once would be 2,200 clips of 1,093 frames
        drawn = asked.sequences(np.arange(start, min(start + AT_ONCE, len(asked))), rng)
        right.append(asked.right(network.answer(drawn), drawn))
    return np.concatenate(right)


def arrival(folder: str, cell: str, condition: Condition, settings: Settings, seed: int) -> dict[str, Any]:
    """How much of the gradient arrives at the word's last frame, before the first step: see `arriving`. Training clips."""
    started = time.process_time()
    learn, ask = clips_of(folder)
    learnt, _ = tasks(learn, ask.take(np.arange(1)), condition, settings)
    network = CELLS[cell].network(learnt, settings, settings.rates[0], seed)
    shares = arriving(network, learnt, CELLS[cell].carrier, settings.traced, np.random.default_rng([seed, DATA]))
    return {
        "cell": cell,
        "gap": condition.gap,
        "log10": float(np.log10(shares).mean()),
        "seconds": time.process_time() - started,
    }


def arriving(network: EngineNetwork, task: LateDigits, carrier: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """(n,): ‖∂L/∂s_w‖ / ‖∂L/∂s_T‖ of n sequences drawn, with s the carrying state, w a word's last frame, T the decision.

    L is the cross-entropy. float64, in which a share below 2e-308 is counted as that.
    """
    drawn = task.draw(n, rng)
    traced = network.model.trace(drawn.x, drawn.y, mask=drawn.mask)
    (layer,) = traced.layers.values()
    assert layer.grad is not None  # y was given
    norms = np.linalg.norm(layer.grad[carrier], axis=-1)  # (n, T)
    rows, last = np.arange(n), drawn.lengths - 1
    return np.maximum(norms[rows, last - task.gap] / norms[rows, last], UNDERFLOW)
