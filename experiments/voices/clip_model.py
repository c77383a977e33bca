"""A voice as frames: a bidirectional LSTM answers at every frame; a clip's answer is the mean of its frames' log-odds.

For the recipe `frames`: how a clip is normalised, the network, its training, and `ClipModel`, which answers. docs/voices.md
says why the settings are what they are; `python -m experiments.voices.search` measures it again.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta, Struct
from scipy.special import logit

import lstm_engine as le
from experiments.reports import memory
from experiments.reports.checkpoints import Checkpoints
from experiments.tutorial.task import Labels, Stamp, Temperature, require_one_probability
from features.clips import Clips
from features.dataset import LABELS
from features.frames import ENERGY_DB, LOG_F0, MEL_HZ, MELS, N_MFCC, VOICING
from features.recipes import Recipe, recipe_from
from features.speech import FRAME_S, find_speech
from lstm_engine.samples import Samples
from lstm_engine.schema import fitting

SURE = 0.8  # if the likelier sex has a lower probability, the answer is "uncertain"
LOUD_DB = 35.0  # frames further below the clip's loudest are pauses, and tell nothing of the voice or the microphone
CENTRE, SPREAD = np.log(160.0), 0.35  # of log F0: midway between men's and women's means; their distance from it
PAUSE = 200  # frames (4 s): what a longer pause separates is heard apart, and the pause has no vote
MARGIN = 10  # frames (0.2 s) kept before the first voiced frame and after the last: consonants have no pitch
VOICED = (0.3, 0.7)  # the pitch fades in between these values of `voicing`; below, log_f0 is the period of noise
ROUSED = (-4.0, 12.0)  # semitones by which feeling or a raised voice moves the pitch, while the vocal tract stays
TRACT = (93, 108)  # per cent, from and below: less than half of the way to the other sex, as in `features.augment`


@dataclass(frozen=True)
class Settings:
    """How a clip is normalised, and how the network is built and trained.

    removed: subtract the mean over the clip of so many of the first coefficients. They hold the microphone, whose response is
    smooth over frequency; those after them hold the length of the vocal tract. answer: "frames" (every frame answers) or
    "last" (the last states answer once). In an epoch, `crops` stretches of crop_s seconds are cut from every clip. Of the
    stretches, a share `roused` has its pitch moved by ROUSED, at random, a share `whispered` has no pitch, and in a share
    `stretched` the envelope is stretched by TRACT; of each stretch, a share `hidden` of the coefficients is set to its mean.
    AdamW's learning rate falls along half a cosine to `last_rate` times its first value.
    """

    removed: int = 3
    answer: Literal["frames", "last"] = "frames"
    units: int = 32
    dropout: float = 0.3
    crop_s: float = 2.0
    crops: int = 4
    roused: float = 0.7
    whispered: float = 0.2
    stretched: float = 1.0
    hidden: float = 0.2
    batch_size: int = 32
    epochs: int = 40
    learning_rate: float = 3e-3
    last_rate: float = 0.0
    weight_decay: float = 1e-2


class Stored(Struct):
    """The settings that an answer needs."""

    answer: Literal["frames", "last"]
    per_clip: bool = False  # of files that do not say how many means are removed: all or none


class StoredPreparation(Struct):
    """See `Preparation`."""

    mean: list[float]
    scale: list[Annotated[float, Meta(gt=0)]]
    removed: Annotated[int, Meta(ge=0)] | None = None


class Metadata(Struct):
    """What a file says of such a model beside its weights, see `save`."""

    task: Literal["frames"]
    recipe: Stamp
    settings: Stored
    preparation: StoredPreparation
    labels: Labels
    temperature: Temperature
    uncertain: Annotated[float, Meta(ge=0.5, le=1)]


# -- from a clip to the network's input ------------------------------------------------------------------------------------


def loud(x: np.ndarray) -> np.ndarray:
    """(T,) bool: the frames of a clip (T, D) within LOUD_DB of its loudest."""
    return x[:, ENERGY_DB] > x[:, ENERGY_DB].max() - LOUD_DB


def spoken(voice: np.ndarray) -> slice:
    """From the first voiced frame to the last, with MARGIN frames on either side: the part of a clip that is judged.

    voice (T,) bool, as `features.speech` finds it. Without any voice all frames: the caller decides whether to answer.
    """
    at = np.flatnonzero(voice)
    return slice(max(at[0] - MARGIN, 0), at[-1] + MARGIN + 1) if len(at) else slice(None)


def utterances(voice: np.ndarray) -> list[slice]:
    """The `spoken` part of voice (T,) bool, divided at pauses longer than PAUSE, which are left out."""
    at = np.flatnonzero(voice)
    if not len(at):
        return [slice(None)]
    parts = np.split(at, np.flatnonzero(np.diff(at) > PAUSE) + 1)
    return [slice(max(part[0] - MARGIN, 0), part[-1] + MARGIN + 1) for part in parts]


def centred(x: np.ndarray, removed: int) -> np.ndarray:
    """(T, D - 3): the coefficients, the first `removed` of them minus their mean over the clip's loud frames."""
    shape = x[:, ENERGY_DB + 1 :]
    mean = shape[loud(x)].mean(axis=0)
    mean[removed:] = 0
    return shape - mean


@dataclass(frozen=True)
class Preparation:
    """Turns a clip's frames (T, D) into the network's input (T, D) float32.

    Pitch: (log F0 - CENTRE) / SPREAD, times how voiced the frame is. Energy: 1 at the clip's loudest frame, 1 less for each
    20 dB below. Spectral coefficients: standardised by `mean` and `scale` (D - 3,) of the training clips.
    """

    removed: int
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, sequences: Sequence[np.ndarray], removed: int) -> "Preparation":
        shapes = np.concatenate([centred(x, removed)[loud(x)] for x in sequences])
        return cls(removed, shapes.mean(axis=0, dtype=float), shapes.std(axis=0, dtype=float))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        low, high = VOICED
        voiced = np.clip((x[:, VOICING] - low) / (high - low), 0, 1)
        pitch = (x[:, LOG_F0] - CENTRE) / SPREAD * voiced
        energy = 1 + (x[:, ENERGY_DB] - x[:, ENERGY_DB].max()) / 20
        shape = (centred(x, self.removed) - self.mean) / np.maximum(self.scale, 1e-6)
        return np.column_stack([pitch, voiced, energy, shape]).astype(np.float32)


# -- network and training ----------------------------------------------------------------------------------------------


def require_memory(settings: Settings) -> None:
    """MemoryError for a larger network, or larger batches of stretches, than fit."""
    needed = memory.of_training(200, 64, settings.units, settings.batch_size, 2)
    memory.require(needed, f"{settings.units:,} units, both ways, with {settings.batch_size:,} stretches a batch")


def network(settings: Settings, features: int, seed: int = 0) -> le.Sequential:
    """A bidirectional LSTM, dropout and one sigmoid: the output is (N, T, 1), or (N, 1) if the last states answer."""
    every_frame = {"frames": True, "last": False}[settings.answer]
    require_memory(settings)
    layers = [le.Bidirectional(le.LSTM(settings.units, return_sequences=every_frame)), le.Dropout(settings.dropout)]
    model = le.Sequential([*layers, le.Dense(1, activation="sigmoid")], seed=seed)
    model.build((None, features))
    return model


def batches(
    variants: list[list[np.ndarray]],
    prepare: Preparation,
    labels: np.ndarray,
    settings: Settings,
    rng: np.random.Generator,
) -> tuple[list[np.ndarray], list[np.ndarray] | np.ndarray]:
    """An epoch's stretches X, a list of (T_n, D), and targets y: `crops` stretches a clip, each from a random variant and
    `disguised`.
    """
    length, X = round(settings.crop_s / FRAME_S), []
    for _ in range(settings.crops):
        for clip in variants:
            x = clip[rng.integers(len(clip))]
            start = rng.integers(max(len(x) - length, 0) + 1)
            X.append(disguised(x[start : start + length], prepare, settings, rng))
    y = np.tile(labels, settings.crops)
    if settings.answer == "frames":
        return X, [np.full((len(x), 1), k, np.float32) for x, k in zip(X, y, strict=True)]
    return X, y


def disguised(x: np.ndarray, prepare: Preparation, settings: Settings, rng: np.random.Generator) -> np.ndarray:
    """A copy of prepared frames (T, D), with the pitch moved or taken away, the envelope stretched, coefficients hidden.

    How often and how far is in `Settings`. The label stays, since the vocal tract stays what it is, within TRACT.
    """
    x = x.copy()
    if settings.roused and rng.random() < settings.roused:
        x[:, 0] += rng.uniform(*ROUSED) * np.log(2) / 12 / SPREAD * x[:, 1]
    if settings.whispered and rng.random() < settings.whispered:
        x[:, :2] = 0
    if settings.stretched and rng.random() < settings.stretched:
        mean, scale = prepare.mean[:N_MFCC], np.maximum(prepare.scale[:N_MFCC], 1e-6)
        shape = x[:, 3 : 3 + N_MFCC]  # (T, 20)
        shape[:] = ((shape * scale + mean) @ stretching(int(rng.integers(*TRACT))).T - mean) / scale
    if settings.hidden:
        x[:, 3:] *= rng.random(x.shape[1] - 3) >= settings.hidden
    return x


@cache
def stretching(percent: int) -> np.ndarray:
    """(20, 20): makes of an envelope's MFCC 1 to 20 those of the envelope with its frequencies times percent / 100."""
    from librosa import mel_frequencies

    bands = mel_frequencies(MELS + 2, fmin=MEL_HZ[0], fmax=MEL_HZ[1])[1:-1]  # (40,) their centres in Hz
    stretched = np.interp(
        bands * 100 / percent, bands, np.arange(MELS)
    )  # (40,) the place that each band's level comes from
    k = np.arange(1, 1 + N_MFCC)
    to, come_from = (
        np.sqrt(2 / MELS) * np.cos(np.pi / MELS * np.outer(place + 0.5, k)) for place in (np.arange(MELS), stretched)
    )
    return to.T @ come_from


def train(
    clips: Clips, settings: Settings, seed: int = 0, variants: Sequence[Clips] = (),
    progress: Callable[[int, int], None] | None = None,
    after_epoch: Callable[[int, "ClipModel"], None] = lambda epoch, model: None,
    callbacks: Sequence[le.Callback] = (), keep: Checkpoints | None = None,
) -> tuple["ClipModel", list[dict[str, float]]]:  # fmt: skip
    """Train a network on the clips. Returns the model, and the loss and accuracy of every epoch.

    variants: the same clips, row by row, as `features.augment` changed them; each stretch is cut from the clip itself or
    from one of its variants. after_epoch(epoch, model) is called before the training, as epoch 0, and after each epoch.
    keep: checkpoints from which the training goes on, and which it writes.
    Raises ValueError if the rows of a variant are other clips, or if a sex is missing.
    """
    if missing := [sex for sex, label in LABELS.items() if label not in clips.labels]:
        raise ValueError(f"there is no {' and no '.join(missing)} clip to learn from")
    for other in variants:
        if len(other) != len(clips) or (other.paths != clips.paths).any():
            raise ValueError("the augmented clips are not the same clips, row by row: extract both from one corpus")
    prepare = Preparation.fit(clips.sequences, settings.removed)
    prepared = [[prepare(x) for x in same] for same in zip(*(c.sequences for c in (clips, *variants)), strict=True)]
    steps = settings.epochs * -(-len(clips) * settings.crops // settings.batch_size)
    model = ClipModel(network(settings, prepared[0][0].shape[1], seed), prepare, settings.answer)
    rate = le.schedules.CosineDecay(settings.learning_rate, steps, settings.last_rate)
    adam = le.AdamW(rate, weight_decay=settings.weight_decay)
    model.network.compile(adam, "binary_crossentropy", metrics=["accuracy"])
    history: list[dict[str, float]] = []
    if keep is not None:
        history, callbacks = keep.restore(model.network), [*callbacks, keep]
        keep.metadata = described(model, clips, settings)
    if not history:
        after_epoch(0, model)
    for epoch in range(len(history), settings.epochs):
        X, y = batches(prepared, prepare, clips.labels, settings, rng := np.random.default_rng([seed, epoch]))
        order = Samples(X, "float32").batches(settings.batch_size, rng)
        logs = model.network.fit(X, y, order=[order], verbose=0, callbacks=callbacks).history
        history.append({k: v[0] for k, v in logs.items()})
        after_epoch(epoch + 1, model)
        if keep:
            keep.after_epoch(model.network, history[-1])
        if progress:
            progress(epoch + 1, settings.epochs)
    return model, history


@dataclass(frozen=True)
class ClipModel:
    """A trained network with all that it needs to answer for clips of its recipe. Log-odds are natural, of male."""

    network: le.Sequential
    prepare: Preparation
    answer: str = "frames"

    @property
    def temperature(self) -> float:
        """What the log-odds are divided by."""
        return float(self.network.metadata["temperature"])

    @property
    def recipe(self) -> Recipe:
        """How the model's clips were measured. ValueError if this version measures otherwise."""
        return recipe_from(self.network.metadata["recipe"], "the model")

    def frame_log_odds(self, x: np.ndarray) -> np.ndarray:
        """(T,) for a clip's frames (T, D), each frame's answer knowing the whole clip; (1,) if the last states answer."""
        return self.all_frames([x])[0]

    def log_odds(self, clips: Clips) -> np.ndarray:
        """(N,) for N clips, before any temperature: the mean over the `utterances` of each."""
        pitch = clips.stamp["parameters"]["pitch"]
        parts = [[x[part] for part in utterances(find_speech(x, pitch).voice)] for x in clips.sequences]
        z = iter(self.all_frames([x for clip in parts for x in clip]))
        return np.array([np.concatenate([next(z) for _ in clip]).mean() for clip in parts])

    def all_frames(self, sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
        """N arrays (T_n,) of log-odds."""
        answers = self.network.predict([self.prepare(x) for x in sequences], 64, verbose=0)
        tiny = 1e-7  # a float32 probability may round to 0 or 1
        return [logit(np.clip(p.ravel().astype(float), tiny, 1 - tiny)) for p in answers]


# -- files -------------------------------------------------------------------------------------------------------------


def save(model: ClipModel, path: str | Path, clips: Clips, settings: Settings, **more: Any) -> None:
    """Write the model with all that an answer needs; clips: those it was trained on.

    more: temperature, uncertain (the lowest probability of the likelier sex that gives an answer), and anything else for
    the metadata. The optimizer's state is left out: the file is for answers, and a third of the size.
    """
    without_optimizer = network(settings, len(clips.columns))
    without_optimizer.set_weights(model.network.get_weights())
    without_optimizer.save(path, metadata=described(model, clips, settings) | more)


def described(model: ClipModel, clips: Clips, settings: Settings) -> dict[str, Any]:
    """The metadata of a model that was trained on these clips, but for what only an evaluation knows."""
    return {
        "task": "frames",
        "recipe": clips.stamp,
        "settings": asdict(settings),
        "preparation": {k: np.array(v).tolist() for k, v in asdict(model.prepare).items()},
        "labels": {"1": "male", "0": "female"},
        "temperature": 1.0,
        "uncertain": 0.5,
    }


def load(path: str | Path) -> ClipModel:
    """A model that `save` wrote, its metadata in `.network.metadata`. ValueError, with what to do, for any other file."""
    return of_network(le.load(path), path)


def reads_frames(network: le.Sequential) -> bool:
    """Whether a loaded network is one that `save` wrote."""
    return network.metadata.get("task") == "frames"


def of_network(network: le.Sequential, path: str | Path) -> ClipModel:
    """The model whose file `path` was loaded as `network`; errors as for `load`."""
    stored = network.metadata
    if not reads_frames(network):
        why = (
            "reads one row a clip, so it has no pitch and no probability over time to show"
            if "reading" in stored  # the tutorial's model
            else "is no model of voices as frames: its metadata has another task or none"
        )
        raise ValueError(f"{path} {why}. Use a model of the recipe frames, or leave --model out for the shipped one")
    said = fitting(stored, f"{path} is no complete model of voices; train or fetch it again: its metadata", Metadata)
    columns = recipe_from(stored["recipe"], str(path)).columns
    mean, scale = np.array(said.preparation.mean), np.array(said.preparation.scale)
    if not len(mean) == len(scale) == len(columns) - ENERGY_DB - 1:
        raise ValueError(f"{path}: its preparation does not fit its recipe's {len(columns)} columns; train it again")
    try:
        require_one_probability(network)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    removed = said.preparation.removed
    if removed is None:
        removed = len(mean) * said.settings.per_clip
    return ClipModel(network, Preparation(removed, mean, scale), said.settings.answer)
