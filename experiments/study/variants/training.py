"""One training of a variant: on adding, as in `lstm1997`, or on spoken digits.

On the digits the last state gives the answer, and whole speakers are held out: the rates are chosen on folds of the training
speakers; the published test speakers are used once, at the end.
"""

import time
from dataclasses import dataclass, field, replace

import numpy as np

from experiments.study.goals import MostRecent
from experiments.study.networks import Learning
from experiments.study.seeds import Result
from experiments.study.solving import DATA, solve
from experiments.study.tasks.adding import Adding
from experiments.study.tasks.late_digits import LateDigits, clips_of, late_digits
from experiments.study.variants.cells import CELLS
from experiments.study.variants.network import VariantNetwork, count_weights
from features.digits import Digits, speaker_folds
from lstm_engine.samples import Samples


@dataclass(frozen=True)
class OnAdding:
    """Settings. memory: the lag that the biases are drawn for; limit: after so many sequences a training has failed."""

    task: Adding = field(default_factory=Adding)
    goal: MostRecent = field(default_factory=lambda: MostRecent(error=0.01))
    limit: int = 40_000
    units: int = 16
    memory: int = 100
    learning: Learning = field(default_factory=Learning)


def on_adding(settings: OnAdding, tested: bool, variant: str, rate: float, seed: int) -> Result:
    """One training: see `solve`. tested: whether fresh sequences are answered afterwards."""
    learning = replace(settings.learning, rate=rate)
    network = VariantNetwork(variant, settings.task, learning, seed, settings.units, settings.memory)
    result = solve(network, settings.task, settings.goal, settings.limit, seed, tested)
    return {"variant": variant, "rate": rate, "units": settings.units} | result


@dataclass(frozen=True)
class OnDigits:
    """Settings. memory: the lag that the biases are drawn for, a clip's median length; folds: of the training speakers."""

    units: int = 32
    memory: int = 39
    epochs: int = 5
    folds: int = 5
    learning: Learning = field(default_factory=lambda: Learning(batch_size=32, halved_every=13_200))


def held_out(settings: OnDigits, folder: str, variant: str, rate: float, seed: int) -> Result:
    """One training without a fold of the training speakers, another fold for each seed, judged on that fold."""
    clips, _ = clips_of(folder)
    fold = speaker_folds(clips, settings.folds) == seed % settings.folds
    return _on_digits(settings, clips.take(~fold), clips.take(fold), variant, rate, settings.units, seed)


def tested(settings: OnDigits, folder: str, equal: bool, variant: str, rate: float, seed: int) -> Result:
    """One training on all training speakers, judged on the test speakers. equal: with as many weights as V has."""
    learnt, judged = clips_of(folder)
    units = equal_units(settings, learnt.sequences[0].shape[1], variant) if equal else settings.units
    return _on_digits(settings, learnt, judged, variant, rate, units, seed)


def equal_units(settings: OnDigits, features: int, variant: str) -> int:
    """The number of units that brings a variant nearest to V's number of weights."""

    def weights(variant: str, units: int) -> int:
        return count_weights(variant, features, units, LateDigits.outputs)

    wanted = weights("V", settings.units)
    return min(range(1, 2 * settings.units), key=lambda units: abs(weights(variant, units) - wanted))


def _on_digits(
    settings: OnDigits, learnt: Digits, judged: Digits, variant: str, rate: float, units: int, seed: int
) -> Result:
    """JSON values: accuracy, and of every speaker the sex and which clips were right, "1101..."."""
    started = time.process_time()
    task, test = late_digits(learnt, judged)
    learning = replace(settings.learning, rate=rate)
    network = VariantNetwork(variant, task, learning, seed, units, settings.memory)
    rng = np.random.default_rng([seed, DATA])
    for _ in range(settings.epochs):
        for rows in Samples(task.words, "float32").batches(learning.batch_size, rng):
            network.learn(task.sequences(rows, rng))  # without silence nothing is drawn
    drawn = test.sequences(np.arange(len(test)), rng)
    right = test.right(network.answer(drawn), drawn)
    by_speaker = {
        str(who): {
            "sex": int(judged.sexes[judged.speakers == who][0]),
            "right": "".join(map(str, right[judged.speakers == who].astype(int))),
        }
        for who in np.unique(judged.speakers)
    }
    return {
        "variant": variant,
        "rate": rate,
        "units": units,
        "weights": network.count_params(),
        "accuracy": float(right.mean()),
        "by_speaker": by_speaker,
        "seconds": time.process_time() - started,
    }


@dataclass(frozen=True)
class Settings:
    """rates: the candidates, tried with the seeds `choosing`."""

    variants: tuple[str, ...] = tuple(CELLS)
    rates: tuple[float, ...] = (0.003, 0.01, 0.03)
    choosing: tuple[int, ...] = (100, 101)
    adding: OnAdding = field(default_factory=OnAdding)
    digits: OnDigits = field(default_factory=OnDigits)
