"""A network's way through its training, by its files: one an epoch, and what each of them does with the same recording.

For a model of frames with one bidirectional LSTM, as `lstm-engine train` makes them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from scipy.special import expit

import lstm_engine as le
from experiments.voices import clip_model
from experiments.voices.clip_model import spoken
from experiments.voices.inside.look import SHOWN
from features.audio import duration, read_clip
from features.frames import RATE_HZ
from features.recipes import Recipe
from features.speech import find_speech
from lstm_engine.callbacks import Logs

MOST_S = 10.0  # of a recording; more would leave room for few epochs


class KeepEpochs(le.Callback):
    """Files of the network before its training and after each epoch: 00.safetensors, 01.safetensors, ... in a folder.

    save(network, path) writes one. `forget` is called first, so that the folder has one training's files.
    """

    def __init__(self, folder: Path, epochs: int, save: Callable[[le.Sequential, Path], None]) -> None:
        self.folder, self.digits, self.save = folder, max(2, len(str(epochs))), save
        forget(folder)
        folder.mkdir(parents=True, exist_ok=True)

    def on_train_begin(self, logs: Logs) -> None:
        if self.model.epochs_done == 0:
            self.keep()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self.keep()

    def keep(self) -> None:
        self.save(self.model, self.folder / f"{self.model.epochs_done:0{self.digits}d}.safetensors")


def kept(folder: Path) -> dict[int, Path]:
    """The files that `KeepEpochs` wrote, by epoch."""
    return {int(path.stem): path for path in sorted(folder.glob("*.safetensors")) if path.stem.isdecimal()}


def forget(folder: Path) -> None:
    """Removes those files."""
    for path in kept(folder).values():
        path.unlink()


@dataclass(frozen=True)
class Heard:
    """A recording as every network gets it: sound (n,) at 16 kHz, its frames (S, D), and the part in which somebody speaks.

    seconds: how much of the file, from its beginning, of whole_s.
    """

    file: str
    seconds: float
    whole_s: float
    sound: np.ndarray
    frames: np.ndarray
    part: slice


def hear(file: str | Path, recipe: Recipe) -> Heard:
    """The first MOST_S seconds of a file. BadClip for one that cannot be read; ValueError where nobody speaks."""
    samples, rate = read_clip(file, 0.0, MOST_S)
    frames = recipe.measure(samples, rate)  # (S, D)
    speech = find_speech(frames)
    if not speech.voice.any():
        raise ValueError(f"{file}: nothing to watch, {speech.tone or 'no voice in its first seconds'}")
    start, stop, _ = spoken(speech.voice).indices(len(frames))
    sound = soxr.resample(samples, rate, RATE_HZ) if rate != RATE_HZ else samples
    return Heard(str(file), len(samples) / rate, duration(file), sound, frames, slice(start, stop))


@dataclass(frozen=True)
class EpochSeen:
    """What one epoch's network does with it. p (T,): probability of male by frame; probability: of the clip, as `predict`.

    values: by direction and name, i f g o c h, (T, H) float32.
    """

    p: np.ndarray
    probability: float
    values: dict[str, dict[str, np.ndarray]]


def see(heard: Heard, file: Path) -> EpochSeen:
    """What the network in a file does with the recording."""
    model = clip_model.load(file)
    x = heard.frames[heard.part]  # (T, D)
    z = model.frame_log_odds(x) / model.network.metadata["temperature"]
    trace = model.network.trace(model.prepare(x)[None], dtype=model.network.dtype)
    values = {
        way: {name: layer[name][0] for name in SHOWN}
        for way, layer in zip(("forward", "backward"), trace.layers.values(), strict=True)
    }
    return EpochSeen(expit(z), float(expit(z.mean())), values)
