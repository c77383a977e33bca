"""A voice as frames: a bidirectional LSTM answers at every frame, and a clip takes the mean of its frames' log-odds.

For the recipe `frames`: how a clip is normalised, the network, its training, and `ClipModel`, which answers. What was
chosen, and by which evidence, is in docs/voices.md; `python -m experiments.voices.search` makes that evidence again.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import logit

import lstm_engine as le
from features.clips import Clips
from features.dataset import LABELS
from features.frames import ENERGY_DB, LOG_F0, VOICING
from features.recipes import recipe_from
from features.speech import FRAME_S, find_speech
from lstm_engine.samples import Samples

SURE = 0.8  # the least probability of the likelier sex that makes an answer; below, a model says "uncertain"
LOUD_DB = 35.0  # frames so far below the clip's loudest are pauses: they say nothing of the voice nor of the microphone
CENTRE, SPREAD = np.log(160.0), 0.35  # of log F0: between men's and women's middles; about what either is away from it
MARGIN = 10  # frames, 0.2 s, kept before the first voice and after the last: consonants have no pitch
VOICED = (0.3, 0.7)  # from here to there the pitch fades in: below, log_f0 is the period of noise


@dataclass(frozen=True)
class Settings:
    """How a clip is read, and how the network is built and trained.

    per_clip: each coefficient's mean over the clip is taken away, and with it the microphone. answer: "frames", all frames
    vote; "last", the last states answer once. An epoch takes `crops` stretches of crop_s seconds from every clip. AdamW's
    rate falls along half a cosine to the share `last_rate` of itself.
    """

    per_clip: bool = True
    answer: str = "frames"
    units: int = 32
    dropout: float = 0.3
    crop_s: float = 2.0
    crops: int = 4
    batch_size: int = 32
    epochs: int = 40
    learning_rate: float = 3e-3
    last_rate: float = 0.0
    weight_decay: float = 1e-2


# -- a clip's way into the network -------------------------------------------------------------------------------------


def loud(x: np.ndarray) -> np.ndarray:
    """(T,) bool: the frames of a clip (T, D) within LOUD_DB of its loudest."""
    return x[:, ENERGY_DB] > x[:, ENERGY_DB].max() - LOUD_DB


def spoken(voice: np.ndarray) -> slice:
    """From the first voice to the last, and MARGIN frames on either side: the part of a clip that is judged.

    voice (T,) bool, as `features.speech` finds it. Where there is none, all: somebody else decides whether to answer.
    """
    at = np.flatnonzero(voice)
    return slice(max(at[0] - MARGIN, 0), at[-1] + MARGIN + 1) if len(at) else slice(None)


def centred(x: np.ndarray, per_clip: bool) -> np.ndarray:
    """(T, D - 3): the coefficients without their mean over the clip's loud frames, or as they are."""
    shape = x[:, ENERGY_DB + 1 :]
    return shape - shape[loud(x)].mean(axis=0) if per_clip else shape


@dataclass(frozen=True)
class Preparation:
    """From a clip's frames (T, D) to the network's (T, D) float32; mean and scale (D - 3,) are the training clips'.

    Pitch: log F0 about CENTRE in units of SPREAD, times how voiced the frame is. Energy: 0 at the clip's loudest frame, in
    units of 20 dB, and 1 added. The spectrum's coefficients: standardised by the training clips.
    """

    per_clip: bool
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, sequences: Sequence[np.ndarray], per_clip: bool) -> "Preparation":
        shapes = np.concatenate([centred(x, per_clip)[loud(x)] for x in sequences])
        return cls(per_clip, shapes.mean(axis=0, dtype=float), shapes.std(axis=0, dtype=float))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        low, high = VOICED
        voiced = np.clip((x[:, VOICING] - low) / (high - low), 0, 1)
        pitch = (x[:, LOG_F0] - CENTRE) / SPREAD * voiced
        energy = 1 + (x[:, ENERGY_DB] - x[:, ENERGY_DB].max()) / 20
        shape = (centred(x, self.per_clip) - self.mean) / np.maximum(self.scale, 1e-6)
        return np.column_stack([pitch, voiced, energy, shape]).astype(np.float32)


# -- network and training ----------------------------------------------------------------------------------------------


def network(settings: Settings, features: int, seed: int = 0) -> le.Sequential:
    """A bidirectional LSTM, dropout and one sigmoid: (N, T, 1), or (N, 1) where the last states answer."""
    every_frame = {"frames": True, "last": False}[settings.answer]
    layers = [le.Bidirectional(le.LSTM(settings.units, return_sequences=every_frame)), le.Dropout(settings.dropout)]
    model = le.Sequential([*layers, le.Dense(1, activation="sigmoid")], seed=seed)
    model.build((None, features))
    return model


def batches(
    variants: list[list[np.ndarray]], labels: np.ndarray, settings: Settings, rng: np.random.Generator
) -> tuple[list[np.ndarray], list[np.ndarray] | np.ndarray]:
    """An epoch's stretches X, a list of (T_n, D), and answers y: of each clip `crops`, each from any of its variants."""
    length, X = round(settings.crop_s / FRAME_S), []
    for _ in range(settings.crops):
        for clip in variants:
            x = clip[rng.integers(len(clip))]
            start = rng.integers(max(len(x) - length, 0) + 1)
            X.append(x[start : start + length])
    y = np.tile(labels, settings.crops)
    return X, [
        np.full((len(x), 1), k, np.float32) for x, k in zip(X, y, strict=True)
    ] if settings.answer == "frames" else y


def train(
    clips: Clips, settings: Settings, seed: int = 0, variants: Sequence[Clips] = (),
    progress: Callable[[int, int], None] | None = None,
    after_epoch: Callable[[int, "ClipModel"], None] = lambda epoch, model: None,
    callbacks: Sequence[le.Callback] = (),
) -> tuple["ClipModel", list[dict[str, float]]]:  # fmt: skip
    """A network trained on the clips, and the loss and accuracy of every epoch.

    variants: the same clips, row by row, as `features.augment` changed them; each stretch is cut from the clip itself or
    from one of them. after_epoch(epoch, model), from epoch 1 on, may ask the model what it has learnt so far. ValueError
    when a variant's rows are others, or a sex is missing.
    """
    if missing := [sex for sex, label in LABELS.items() if label not in clips.labels]:
        raise ValueError(f"there is no {' and no '.join(missing)} clip to learn from")
    for other in variants:
        if len(other) != len(clips) or (other.paths != clips.paths).any():
            raise ValueError("the augmented clips are not the same clips, row by row: extract both from one corpus")
    prepare = Preparation.fit(clips.sequences, settings.per_clip)
    prepared = [[prepare(x) for x in same] for same in zip(*(c.sequences for c in (clips, *variants)), strict=True)]
    steps = settings.epochs * -(-len(clips) * settings.crops // settings.batch_size)
    model = ClipModel(network(settings, prepared[0][0].shape[1], seed), prepare, settings.answer)
    rate = le.schedules.CosineDecay(settings.learning_rate, steps, settings.last_rate)
    adam = le.AdamW(rate, weight_decay=settings.weight_decay)
    model.network.compile(adam, "binary_crossentropy", metrics=["accuracy"])
    history = []
    for epoch in range(settings.epochs):
        X, y = batches(prepared, clips.labels, settings, rng := np.random.default_rng([seed, epoch]))
        order = Samples(X, "float32").batches(settings.batch_size, rng)
        own = model.network.fit(X, y, order=[order], verbose=0, callbacks=callbacks).history
        history.append({k: v[0] for k, v in own.items()})
        after_epoch(epoch + 1, model)
        if progress:
            progress(epoch + 1, settings.epochs)
    return model, history


@dataclass(frozen=True)
class ClipModel:
    """A trained network with all that it needs to answer for clips of its recipe. Log-odds are those of male, natural."""

    network: le.Sequential
    prepare: Preparation
    answer: str = "frames"

    def frame_log_odds(self, x: np.ndarray) -> np.ndarray:
        """What each frame says that knows the whole clip: (T,) for frames (T, D), or (1,) where the last states answer."""
        return self.all_frames([x])[0]

    def log_odds(self, clips: Clips) -> np.ndarray:
        """(N,) for N clips, before any temperature: the mean over the spoken part of each."""
        parts = [x[spoken(find_speech(x).voice)] for x in clips.sequences]
        return np.array([own.mean() for own in self.all_frames(parts)])

    def all_frames(self, sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
        """N arrays (T_n,) of log-odds."""
        p = self.network.predict([self.prepare(x) for x in sequences], 64, verbose=0)
        return [
            logit(np.clip(own.ravel().astype(float), 1e-7, 1 - 1e-7)) for own in p
        ]  # a float32's rounding from 0 and 1


# -- files -------------------------------------------------------------------------------------------------------------


def save(model: ClipModel, path: str | Path, clips: Clips, settings: Settings, **more: Any) -> None:
    """Write the model with all that an answer needs; more: temperature, uncertain (the least
    probability of the likelier sex that makes an answer), and what a reader should know.

    The optimizer's state is left out: the file is for answers, and a third of the size.
    """
    prepare = model.prepare
    bare = network(settings, len(clips.columns))
    bare.set_weights(model.network.get_weights())
    told = {
        "task": "frames",
        "recipe": clips.stamp,
        "settings": asdict(settings),
        "preparation": {"mean": prepare.mean.tolist(), "scale": prepare.scale.tolist()},
        "labels": {"1": "male", "0": "female"},
        "temperature": 1.0,
        "uncertain": 0.5,
    }
    bare.save(path, told | more)


def load(path: str | Path) -> ClipModel:
    """A model that `save` wrote, its metadata in `.network.metadata`. ValueError for any other file."""
    network = le.load(path)
    stored = network.metadata
    if stored.get("task") != "frames":
        raise ValueError(f"{path} is no model of voices as frames: use one that `lstm-engine train` wrote from frames")
    try:
        settings = Settings(**stored["settings"])
        mean, scale = (np.array(stored["preparation"][k], float) for k in ("mean", "scale"))
        numbers = float(stored["temperature"]), float(stored["uncertain"])
        columns = recipe_from(stored["recipe"], str(path)).columns
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is no whole model of voices: {error!r}; train or fetch it again") from None
    if (
        mean.shape != scale.shape
        or mean.shape != (len(columns) - ENERGY_DB - 1,)
        or not np.isfinite([mean, scale]).all()
    ):
        raise ValueError(f"{path}: its preparation does not fit its recipe's {len(columns)} columns; train it again")
    if not (0 < numbers[0] < np.inf and 0.5 <= numbers[1] <= 1):
        raise ValueError(
            f"{path}: expected a temperature above 0 and a probability from .5 to 1 that makes an answer, got {numbers}"
        )
    return ClipModel(network, Preparation(settings.per_clip, mean, scale), settings.answer)
