"""The network for spoken digits: a recipe, what it makes of a clip, the bidirectional LSTMs, and what they answer."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

import lstm_engine as le
from experiments.tutorial.task import Label, Scaling
from features.dataset import Scaler
from features.digits import Digits
from lstm_engine.samples import pad
from lstm_engine.schema import fitting

LABELS = {"digit": list("0123456789"), "sex": ["female", "male"]}


@dataclass(frozen=True)
class DigitRecipe:
    """How a clip becomes numbers, and how the network is built and trained.

    per_clip: each coefficient is standardised over the clip, which removes differences of voice and microphone. deltas:
    the slopes of the coefficients are added. every_step: every frame has an output, and the clip's answer is their geometric
    mean; otherwise the last states give the answer. stretch: in training, a clip is made longer or shorter by up to this
    share. AdamW's learning rate decays along half a cosine.
    """

    per_clip: bool = False
    deltas: bool = False
    layers: int = 1
    units: int = 64
    dropout: float = 0.0
    every_step: bool = False
    stretch: float = 0.0
    weight_decay: float = 0.0
    epochs: int = 8
    batch_size: int = 64
    learning_rate: float = 2e-3

    def __post_init__(self) -> None:
        if not self.learning_rate >= 0:
            raise ValueError(f"learning_rate must be a number of at least 0, got {self.learning_rate}")

    def __str__(self) -> str:
        changed = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return ", ".join(name if value is True else f"{name} {value}" for name, value in changed.items()) or "plain"


DEEP = DigitRecipe(deltas=True, layers=2, dropout=0.3)
RECIPES = {"digit": replace(DEEP, per_clip=True, every_step=True), "sex": DigitRecipe(deltas=True)}


def classes(clips: Digits, target: str) -> np.ndarray:
    """(N,) int: the digit, or 1 for male and 0 for female."""
    return clips.digits if target == "digit" else clips.sexes


def coefficients(x: np.ndarray, recipe: DigitRecipe) -> np.ndarray:
    """A clip (T, D) as the recipe reads it, before scaling: (T, D), or (T, 2 D) with slopes."""
    if recipe.per_clip:
        x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 0.01)  # a clip of one frame has no spread
    return np.concatenate([x, slopes(x)], axis=1) if recipe.deltas else x


def slopes(x: np.ndarray) -> np.ndarray:
    """(T, D): the slope of the least-squares line through the five frames around each; the clip's ends are repeated."""
    p = np.pad(x, ((2, 2), (0, 0)), mode="edge")  # (T + 4, D)
    return (2 * (p[4:] - p[:-4]) + (p[3:-1] - p[1:-3])) / 10


def stretched(x: np.ndarray, factor: float) -> np.ndarray:
    """A clip (T, D) with round(factor T) frames (at least 2), on straight lines between the old ones."""
    at = np.linspace(0, len(x) - 1, max(2, round(factor * len(x))))  # (T',) in old frames
    below = np.minimum(at.astype(int), max(len(x) - 2, 0))
    above = np.minimum(below + 1, len(x) - 1)
    return x[below] + (at - below)[:, None].astype(x.dtype) * (x[above] - x[below])


@dataclass(frozen=True)
class Preparation:
    """From a clip (T, D) to the network's (T, D') float32: the recipe's coefficients, scaled as in training."""

    recipe: DigitRecipe
    scaler: Scaler

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self.scaler(coefficients(x, self.recipe)).astype(np.float32)


class Metadata(Struct):
    """What a file says of such a model beside its weights."""

    recipe: DigitRecipe
    scaler: Scaling
    labels: list[Label]


def load_digit_model(path: str | Path) -> tuple[le.Sequential, Preparation, list[str]]:
    """A model of `train_on_digits`, its preparation of a clip (T, D), and its labels in the order of its outputs."""
    model = le.load(path)
    stored = model.metadata
    if stored.get("task") != "digits":
        raise ValueError(f"{path} is no model of spoken digits: use one that `lstm-engine train --task digits` wrote")
    said = fitting(stored, f"{path}: its metadata", Metadata)
    return model, Preparation(said.recipe, Scaler(np.array(said.scaler.mean), np.array(said.scaler.scale))), said.labels


def network(recipe: DigitRecipe, features: int, outputs: int, steps: int, seed: int) -> le.Sequential:
    """Bidirectional LSTMs, dropout above each, and a softmax over (N, outputs), or (N, T, outputs) with every_step."""
    layers: list[Any] = [le.Masking()]  # Keras's twin gets padded arrays; the engine knows the lengths
    for n in range(recipe.layers):
        sequences = recipe.every_step or n + 1 < recipe.layers
        layers += [le.Bidirectional(le.LSTM(recipe.units, return_sequences=sequences)), le.Dropout(recipe.dropout)]
    model = le.Sequential([*layers, le.Dense(outputs, activation="softmax")], seed=seed)
    model.build((None, features))
    rate = le.schedules.CosineDecay(recipe.learning_rate, steps)
    optimizer = le.AdamW(rate, weight_decay=recipe.weight_decay)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def padded(rows: list[np.ndarray]) -> np.ndarray:
    """(B, T, ...), zeros after each end; T is a multiple of 32, since Keras compiles anew for every length."""
    longest = max(map(len, rows))
    return pad([*rows, np.zeros((-(-longest // 32) * 32, *rows[0].shape[1:]), rows[0].dtype)])[:-1]


def clip_answers(p: Any) -> np.ndarray:
    """(N, K) as it is; a list of (T_n, K), an answer a frame, becomes their geometric means, brought to sum 1."""
    if isinstance(p, np.ndarray):
        return p
    means = np.exp([np.log(np.maximum(steps, 1e-7)).mean(axis=0) for steps in p])  # (N, K)
    return means / means.sum(axis=1, keepdims=True)
