"""From tables on disk to a network's input: X (N, T, D) and y (N,), split by speaker and scaled on the training part.

The choices made here (reading, scaler, split) go into the model's metadata, and `predict` repeats them.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta, Struct

import lstm_engine as le
from experiments.reports.scores import best_threshold
from features.dataset import Scaler, Voices, read_voices, shuffled, train_and_held_out
from features.recipes import READINGS, TUTORIAL
from lstm_engine.schema import fitting, parse

LABEL_NAMES = {"1": "male", "0": "female"}
Label = Annotated[str, Meta(min_length=1, max_length=100)]
Temperature = Annotated[float, Meta(gt=0, le=1e6)]  # by which log-odds are divided


class Stamp(Struct):
    """A recipe with its settings, and the versions of the libraries that measured by it."""

    recipe: Label
    parameters: dict[str, Any] = {}
    versions: dict[str, str] | None = None


class Labels(Struct, forbid_unknown_fields=True, rename={"one": "1", "zero": "0"}):
    """What a model calls the two classes."""

    one: Label
    zero: Label


class Scaling(Struct, forbid_unknown_fields=True):
    """Mean and standard deviation of every column."""

    mean: list[float]
    scale: list[Annotated[float, Meta(ge=0)]]


class Metadata(Struct):
    """What a model of `train_on_tables` says of itself: all that a prediction needs beside the weights."""

    recipe: Stamp
    reading: Literal["steps", "frames"]
    scaler: Scaling | None
    labels: Labels
    threshold: Annotated[float, Meta(ge=0, le=1)]
    temperature: Temperature
    split_seed: Annotated[int, Meta(ge=0)] = 0


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


def voice_model(units: int = 64, learning_rate: float = 1e-3, seed: int = 0, dtype: str = "float32") -> le.Sequential:
    """The tutorial's network: an LSTM, one sigmoid, Adam and binary cross-entropy."""
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
        recipe = parse(stamp.read_bytes(), f"{stamp}, extract the features again: it")
        fitting(recipe, f"{stamp}, extract the features again: it", Stamp)
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
    """The scaler of a model's metadata. ValueError unless it has a mean and a scale for each of the 112 columns."""
    if stored is None:
        return None
    mean, scale = np.array(stored["mean"]), np.array(stored["scale"])
    if not len(mean) == len(scale) == 1 + len(TUTORIAL.columns):
        raise ValueError(f"its scaler has {len(mean)} means and {len(scale)} scales, expected 112 of each")
    return Scaler(mean, scale)


def require_one_probability(model: Any) -> None:
    """ValueError unless the network's last layer is a single sigmoid, whose output is a probability."""
    last = model.layers[-1]
    if getattr(last, "activation", None) != "sigmoid" or last.output_shape((1,)) != (1,):
        raise ValueError(f"its last layer, {last!r}, is no single sigmoid, so its output is no probability")


def check_recipe(stored: dict[str, Any], what: str) -> None:
    """ValueError when this version would measure other numbers than `stored`: another recipe or other settings."""
    ours = TUTORIAL.stamp()
    for key in ("recipe", "parameters"):
        if stored.get(key) != ours[key]:
            raise ValueError(
                f"{what} was made with {key} {stored.get(key)!r}; this version measures with {ours[key]!r}"
            )
