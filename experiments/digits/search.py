"""How the recipes for spoken digits were chosen: `python -m experiments.digits DATA` (docs/digits.md has the table)."""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.digits.network import DEEP, LABELS, RECIPES, DigitRecipe
from experiments.digits.training import Training, scores
from features.digits import read_digits, speaker_folds

CANDIDATES = {
    "digit": [
        DigitRecipe(),
        DigitRecipe(per_clip=True),
        DigitRecipe(per_clip=True, deltas=True),
        replace(DEEP, per_clip=True),
        replace(DEEP, per_clip=True, every_step=True),
        replace(DEEP, per_clip=True, every_step=True, stretch=0.2),
        replace(DEEP, per_clip=True, every_step=True, units=96, dropout=0.5),
        replace(DEEP, every_step=True),
    ],
    "sex": [DigitRecipe(), DigitRecipe(per_clip=True), DigitRecipe(deltas=True), DEEP, replace(DEEP, every_step=True)],
}


def search(
    data: str | Path, target: str, recipes: list[DigitRecipe], folds: int = 4, seed: int = 0, keras: bool = False
) -> Iterator[dict[str, Any]]:
    """Accuracy of each recipe on every fold of the training speakers, trained on the other folds; one dict a recipe.

    With keras=True also that of Keras's twin. The test speakers are removed before anything else happens.
    """
    clips = read_digits(data)
    clips = clips.take(clips.splits == "train")
    fold = speaker_folds(clips, folds)
    for recipe in recipes:
        started, accuracies = time.perf_counter(), {side: [] for side in ["reference"] * keras + ["engine"]}
        for k in range(folds):
            training, dev = Training(clips.take(fold != k), target, recipe, seed), clips.take(fold == k)
            for side, of_folds in accuracies.items():
                _, predict = training.run_engine() if side == "engine" else training.run_keras()
                of_folds.append(scores(dev, target, training.answers(predict, dev))["accuracy"])
        means = {f"{side}_mean": float(np.mean(of_folds)) for side, of_folds in accuracies.items()}
        row = {"target": target, "recipe": str(recipe)} | means | accuracies
        yield row | {"seconds": time.perf_counter() - started}


def main() -> None:
    """Prints the accuracy of every recipe on training speakers that it has not heard, one line of JSON a recipe."""
    parser = argparse.ArgumentParser(prog="python -m experiments.digits", description=main.__doc__)
    parser.add_argument("data", help="folder with sad.npz and metadata.csv")
    parser.add_argument(
        "--target", choices=list(LABELS), action="append", help="digit or sex (both without this option)"
    )
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keras", action="store_true", help="only the chosen recipe, beside Keras's twin")
    options = parser.parse_args()
    try:
        for target in options.target or list(LABELS):
            recipes = [RECIPES[target]] if options.keras else CANDIDATES[target]
            for row in search(options.data, target, recipes, options.folds, options.seed, options.keras):
                print(json.dumps(row), flush=True)
    except (ValueError, OSError) as error:
        parser.error(str(error))
