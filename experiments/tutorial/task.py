"""From tables on disk to a network's input: X (N, T, D) and y (N,), split by speaker and scaled on the training part.

The choices made here (reading, scaler, split) go into the model's metadata, and `predict` repeats them.
"""

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import lstm_engine as le
from experiments.reports import memory
from experiments.reports.scores import best_threshold
from features.dataset import Scaler, Voices, read_voices, shuffled, train_and_held_out
from features.recipes import READINGS, TUTORIAL

LABEL_NAMES = {"1": "male", "0": "female"}


@dataclass(frozen=True)
class VoiceTask:
    """Training and held-out voices, and how a row becomes a sequence."""

    train: Voices
    held_out: Voices
    reading: str  # "steps": (N, 112, 1), or "frames": (N, 11, 11)
    scaler: Scaler | None

    def inputs(self, voices: Voices) -> np.ndarray:
        """X (N, T, D) float64."""
        return sequences(voices.features, self.reading, self.scaler)

    def pitch_baseline(self, voices: Voices) -> tuple[float, np.ndarray]:
        """A threshold on the pitch column, chosen on the training rows, and its answers (N,) for `voices`."""
        threshold = best_threshold(self.train.features[:, 1], self.train.labels)
        return threshold, (voices.features[:, 1] < threshold).astype(int)


def read_task(folder: str | Path, reading: str = "frames", scale: bool = True, seed: int = 0) -> VoiceTask:
    """The tables of a folder, shuffled with `seed`, split as rows.csv says or else by speaker (a fifth held out)."""
    if reading not in READINGS:
        raise ValueError(f"reading must be one of {', '.join(READINGS)}, got {reading!r}")
    train, held_out = train_and_held_out(shuffled(read_voices(folder), seed), seed=seed)
    return VoiceTask(train, held_out, reading, Scaler.fit(train.features) if scale else None)


def sequences(features: np.ndarray, reading: str, scaler: Scaler | None) -> np.ndarray:
    """(N, 112) to X (N, T, D) under a reading; scaling comes first, column by column."""
    return READINGS[reading](features if scaler is None else scaler(features))


def require_memory(units: int) -> None:
    """MemoryError for more units than fit."""
    memory.require(memory.of_training(112, 11, units, 32), f"{units:,} units")


def voice_model(units: int = 64, learning_rate: float = 1e-3, seed: int = 0, dtype: str = "float32") -> le.Sequential:
    """The tutorial's network: an LSTM, one sigmoid, Adam and binary cross-entropy. MemoryError for more units than fit."""
    require_memory(units)
    model = le.Sequential([le.LSTM(units), le.Dense(1, activation="sigmoid")], seed=seed, dtype=dtype)
    model.compile(le.Adam(learning_rate), "binary_crossentropy", metrics=["accuracy"])
    return model


def batches(n: int, batch_size: int, epochs: int, seed: int) -> list[list[np.ndarray]]:
    """The batches of row numbers of every epoch, a new permutation each; two trainings that are compared share them."""
    rng = np.random.default_rng([seed, 7])
    orders = [rng.permutation(n) for _ in range(epochs)]
    return [[rows[k : k + batch_size] for k in range(0, n, batch_size)] for rows in orders]


def recipe_of(folder: str | Path) -> tuple[dict[str, Any], bool]:
    """The stamp of a folder's tables, and whether their voices are synthetic (a SYNTHETIC.txt lies beside them).

    Tables without a stamp, such as the tutorial's, are taken for the tutorial's recipe, with a warning. ValueError for a
    stamp that cannot be read, or of a recipe with other settings than this version's.
    """
    stamp, synthetic = Path(folder) / "recipe.json", (Path(folder) / "SYNTHETIC.txt").exists()
    if stamp.exists():
        try:
            recipe = json.loads(stamp.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{stamp} is not JSON: {error}; extract the features again") from None
        if not isinstance(recipe, dict):
            raise ValueError(f"{stamp} holds {recipe!r}, not a recipe's stamp; extract the features again")
        check_recipe(recipe, str(stamp))
        return recipe, synthetic
    warnings.warn(f"{folder} has no recipe.json: its tables are taken for the tutorial's recipe", stacklevel=2)
    return TUTORIAL.stamp() | {"versions": {}}, synthetic


def metadata(task: VoiceTask, recipe: dict[str, Any], synthetic: bool, split_seed: int) -> dict[str, Any]:
    """All that a prediction needs beside the weights, as JSON values."""
    scaler = task.scaler
    return {
        "recipe": recipe,
        "reading": task.reading,
        "scaler": scaler and {"mean": scaler.mean.tolist(), "scale": scaler.scale.tolist()},
        "labels": LABEL_NAMES,
        "threshold": 0.5,
        "temperature": 1.0,
        "synthetic": synthetic,
        "split_seed": split_seed,
        "trained_on": {"clips": len(task.train), "speakers": len({s for s in task.train.speakers if s is not None})},
    }


def scaler_from(stored: dict[str, list[float]] | None) -> Scaler | None:
    return stored and Scaler(np.array(stored["mean"]), np.array(stored["scale"]))


def check_recipe(stored: dict[str, Any], what: str) -> None:
    """ValueError when this version would measure other numbers than `stored`: another recipe or other settings."""
    ours = TUTORIAL.stamp()
    for key in ("recipe", "parameters"):
        if stored.get(key) != ours[key]:
            raise ValueError(
                f"{what} was made with {key} {stored.get(key)!r}; this version measures with {ours[key]!r}"
            )
