"""Spoken digits for the variants: read in one direction, the last state answers. Whole speakers are held out.

Choices are made on folds of the training speakers; the published test speakers are heard once, at the end.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from experiments.study.networks import Learning
from experiments.study.spoken_digits import clips_of
from experiments.study.tasks import Sequences
from experiments.study.variants.network import VariantNetwork, count_weights
from features.dataset import Scaler
from features.digits import Digits, speaker_folds
from lstm_engine.samples import Samples, pad


@dataclass(frozen=True)
class DigitTask:
    """What a network must know of the task."""

    features: int

    name: ClassVar[str] = "spoken digits"
    outputs: ClassVar[int] = 10
    per_step: ClassVar[bool] = False
    head: ClassVar[str] = "softmax"
    loss: ClassVar[str] = "categorical_crossentropy"


@dataclass(frozen=True)
class OnDigits:
    """Settings. memory: the lag that the biases are drawn for, a clip's median length; folds: of the training speakers."""

    units: int = 32
    memory: int = 39
    epochs: int = 5
    folds: int = 5
    learning: Learning = field(default_factory=lambda: Learning(batch_size=32, halved_every=13_200))


def held_out(settings: OnDigits, folder: str, variant: str, rate: float, seed: int) -> dict[str, Any]:
    """One training without a fold of the training speakers, another with each seed, judged on that fold."""
    clips, _ = clips_of(folder)
    fold = speaker_folds(clips, settings.folds)
    mine = fold == seed % settings.folds
    return training(settings, clips.take(~mine), clips.take(mine), variant, rate, settings.units, seed)


def tested(settings: OnDigits, folder: str, equal: bool, variant: str, rate: float, seed: int) -> dict[str, Any]:
    """One training on all training speakers, judged on the test speakers. equal: with as many weights as V has."""
    learnt, judged = clips_of(folder)
    units = equal_units(settings, learnt.sequences[0].shape[1], variant) if equal else settings.units
    return training(settings, learnt, judged, variant, rate, units, seed)


def equal_units(settings: OnDigits, features: int, variant: str) -> int:
    """How many units bring a variant nearest to V's number of weights."""
    task = DigitTask(features)
    wanted = count_weights("V", task, settings.units)
    return min(range(1, 2 * settings.units), key=lambda units: abs(count_weights(variant, task, units) - wanted))


def cost(found: Sequence[dict[str, Any]]) -> tuple[float, ...]:
    """What the rate with the lowest is chosen by: the mean error rate."""
    return (float(np.mean([1 - one["accuracy"] for one in found])),)


def training(
    settings: OnDigits, learnt: Digits, judged: Digits, variant: str, rate: float, units: int, seed: int
) -> dict[str, Any]:
    """JSON values: accuracy, and of every speaker the sex and which clips were right, "1101..."."""
    started = time.process_time()
    scaler = Scaler.fit(np.concatenate(learnt.sequences))
    X = [scaler(x).astype("float32") for x in learnt.sequences]
    task, learning = DigitTask(X[0].shape[1]), replace(settings.learning, rate=rate)
    network, rng = (
        VariantNetwork(variant, task, learning, seed, units, settings.memory),
        np.random.default_rng([seed, 2]),
    )
    for _ in range(settings.epochs):
        for rows in Samples(X, "float32").batches(learning.batch_size, rng):
            network.learn(sequences([X[n] for n in rows], learnt.digits[rows]))
    p = network.answer(sequences([scaler(x).astype("float32") for x in judged.sequences], judged.digits))
    right = p.argmax(axis=1) == judged.digits
    by_speaker = {
        str(who): {
            "sex": int(judged.sexes[judged.speakers == who][0]),
            "right": "".join("01"[int(one)] for one in right[judged.speakers == who]),
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


def sequences(X: list[np.ndarray], digits: np.ndarray) -> Sequences:
    """Clips (T_n, D), padded, with one-hot digits."""
    return Sequences(pad(X), np.array([len(x) for x in X]), np.eye(DigitTask.outputs, dtype="float32")[digits])
