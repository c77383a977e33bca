"""One training: with a rate that is tried, on training speakers alone, or with the chosen one, for the test speakers.

And how much of the gradient reaches the word when a training begins.
"""

import time

import numpy as np

from experiments.study.gap.settings import CELLS, Settings
from experiments.study.networks import AT_ONCE, EngineNetwork
from experiments.study.seeds import Result
from experiments.study.solving import DATA, TEST
from experiments.study.tasks.late_digits import Condition, LateDigits, clips_of, late_digits
from features.digits import Digits, speaker_folds

UNDERFLOW = np.finfo(float).tiny  # smaller gradients are counted as this


def trial(folder: str, cell: str, condition: Condition, settings: Settings, rate: float, seed: int) -> Result:
    """With a rate that is tried: judged on a fold of the training speakers, which the seed holds out. See `_training`."""
    learnt, _ = clips_of(folder)
    held_out = speaker_folds(learnt, settings.folds, seed) == 0
    return _training(learnt.take(~held_out), learnt.take(held_out), cell, condition, settings, rate, seed)


def final(folder: str, cell: str, condition: Condition, settings: Settings, rate: float, seed: int) -> Result:
    """With the chosen rate: learns from all training speakers, judged on the test speakers. See `_training`."""
    return _training(*clips_of(folder), cell, condition, settings, rate, seed)


def _training(
    learnt: Digits, judged: Digits, cell: str, condition: Condition, settings: Settings, rate: float, seed: int
) -> Result:  # fmt: skip
    """JSON values. right: "1101...", one digit for each judged clip; accuracy: the share of 1; seconds: of this process."""
    started = time.process_time()
    task, test = late_digits(learnt, judged, condition, settings.quietest, settings.silence)
    network = CELLS[cell].network(task, settings, rate, seed)
    rng = np.random.default_rng([seed, DATA])
    for _ in range(settings.sequences // settings.batch_size):
        network.learn(task.draw(settings.batch_size, rng))
    right = answers(network, test, np.random.default_rng([seed, TEST]))
    return {
        "cell": cell,
        "condition": condition.key,
        "rate": rate,
        "right": "".join(map(str, right.astype(int))),
        "accuracy": float(right.mean()),
        "weights": network.count_params(),
        "seconds": time.process_time() - started,
    }


def answers(network: EngineNetwork, test: LateDigits, rng: np.random.Generator) -> np.ndarray:
    """(N,) bool: which words are recognised, each after a silence that is drawn for it."""
    right = []
    for start in range(0, len(test), AT_ONCE):  # all at once would be 2,200 clips of 1,093 frames
        drawn = test.sequences(np.arange(start, min(start + AT_ONCE, len(test))), rng)
        right.append(test.right(network.answer(drawn), drawn))
    return np.concatenate(right)


def arrival(folder: str, cell: str, condition: Condition, settings: Settings, seed: int) -> Result:
    """How much of the gradient arrives at the word's last frame, before the first step: see `arriving`. Training clips."""
    started = time.process_time()
    learnt, judged = clips_of(folder)
    task, _ = late_digits(learnt, judged.take(np.arange(1)), condition, settings.quietest, settings.silence)
    network = CELLS[cell].network(task, settings, settings.rates[0], seed)
    shares = arriving(network, task, settings.traced, np.random.default_rng([seed, DATA]))
    return {
        "cell": cell,
        "gap": condition.gap,
        "log10": float(np.log10(shares).mean()),
        "seconds": time.process_time() - started,
    }


def arriving(network: EngineNetwork, task: LateDigits, n: int, rng: np.random.Generator) -> np.ndarray:
    """(n,): ‖∂L/∂s_w‖ / ‖∂L/∂s_T‖ of n sequences drawn, with s the carrying state, w a word's last frame, T the decision.

    L is the cross-entropy. float64, in which a share below 2e-308 is counted as that.
    """
    drawn = task.draw(n, rng)
    traced = network.model.trace(drawn.x, drawn.y, mask=drawn.mask)
    (layer,) = traced.layers.values()
    assert layer.grad is not None  # because the trace has y
    state = network.model.layers[0].state_names[-1]  # the one that gates hand on: c of an LSTM, h of the others
    norms = np.linalg.norm(layer.grad[state], axis=-1)  # (n, T)
    rows, last = np.arange(n), drawn.lengths - 1
    return np.maximum(norms[rows, last - task.gap] / norms[rows, last], UNDERFLOW)
