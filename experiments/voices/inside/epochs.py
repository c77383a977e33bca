"""A network at each epoch of its training, one file an epoch, and what each of them does with the same recording.

For a model of frames with one bidirectional LSTM, as `lstm-engine train` makes them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit

import lstm_engine as le
from experiments.voices import clip_model
from experiments.voices.inside.look import SHOWN, Heard
from lstm_engine.callbacks import Logs


class KeepEpochs(le.Callback):
    """Writes the network before its training and after each epoch: 00.safetensors, 01.safetensors, ... in a folder.

    save(network, path) writes one file. Files of an earlier training in the folder are removed.
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
    """Remove those files."""
    for path in kept(folder).values():
        path.unlink()


@dataclass(frozen=True)
class EpochSeen:
    """One epoch's network on a recording. p (T,): probability of male by frame; probability: of the clip, as `predict`.

    values: by direction and name, i f g o c h, (T, H) float32.
    """

    p: np.ndarray
    probability: float
    values: dict[str, dict[str, np.ndarray]]


def see(heard: Heard, file: Path) -> EpochSeen:
    """What the network in a file does with the recording."""
    model = clip_model.load(file)
    x = heard.frames[heard.part]  # (T, D)
    z = model.frame_log_odds(x) / model.temperature
    trace = model.network.trace(model.prepare(x)[None], dtype=model.network.dtype)
    values = {
        way: {name: layer[name][0] for name in SHOWN}
        for way, layer in zip(("forward", "backward"), trace.layers.values(), strict=True)
    }
    return EpochSeen(expit(z), float(expit(z.mean())), values)
