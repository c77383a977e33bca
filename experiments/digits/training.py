"""Training on spoken digits, what `lstm-engine train --task digits` runs.

`RECIPES` were chosen on folds of the training speakers alone (search.py). `train_on_digits` then takes all of those speakers
and looks at the test speakers once. With compare=True Keras's twin goes through the same training beside the engine.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import lstm_engine as le
from experiments.digits.network import (
    LABELS,
    RECIPES,
    DigitRecipe,
    Preparation,
    classes,
    clip_answers,
    coefficients,
    network,
    padded,
    stretched,
)
from experiments.digits.page import page_parts
from experiments.microscope.watching import Watch, probe
from experiments.reports import page
from experiments.reports.checkpoints import Checkpoints, Trainings, digest, read_json, trainings
from experiments.reports.run import SURROUNDINGS, footer, versions
from experiments.reports.scores import class_mean_interval
from features.dataset import Scaler
from features.digits import Digits, published_split, read_digits
from lstm_engine.samples import Samples

TRAINING_CLIPS = 6600  # of the published training speakers
Batches = list[np.ndarray]
Predict = Callable[[list[np.ndarray]], Any]


class Training:
    """The clips as a recipe prepares them, a new network for them, and the data of each epoch."""

    def __init__(self, clips: Digits, target: str, recipe: DigitRecipe, seed: int) -> None:
        self.recipe, self.seed = recipe, seed
        raw = [coefficients(x, recipe) for x in clips.sequences]
        self.prepare = Preparation(recipe, Scaler.fit(np.concatenate(raw)))
        self.X, self.y = [self.prepare(x) for x in clips.sequences], classes(clips, target)
        steps = recipe.epochs * -(-len(self.y) // recipe.batch_size)
        self.model = network(recipe, self.X[0].shape[1], len(LABELS[target]), steps, seed)

    def epochs(self, first: int = 0) -> Iterator[tuple[list[np.ndarray], Any, Batches]]:
        """X, y and the batches of row numbers, epoch by epoch; the same at every call, to compare two networks."""
        for epoch in range(first, self.recipe.epochs):
            rng, X, share = np.random.default_rng([self.seed, epoch]), self.X, self.recipe.stretch
            if share:
                X = [stretched(x, f) for x, f in zip(X, rng.uniform(1 - share, 1 + share, len(X)), strict=True)]
            yield X, self.targets(X, self.y), Samples(X, "float32").batches(self.recipe.batch_size, rng)

    def watch(self) -> Watch:
        """A callback that looks at the network, on some of the clips."""
        X, y = [self.X[n] for n in probe(self.y)], self.y[probe(self.y)]
        return Watch(X, self.targets(X, y))

    def targets(self, X: list[np.ndarray], y: np.ndarray) -> Any:
        """The classes (N,) as the network is to answer: as they are, or repeated over the frames of each clip."""
        return [np.full(len(x), k) for x, k in zip(X, y, strict=True)] if self.recipe.every_step else y

    def run_engine(
        self, progress: Callable[[int, int], None] | None = None, callbacks: Sequence[le.Callback] = (),
        keep: Checkpoints | None = None,
    ) -> tuple[list[dict[str, float]], Predict]:  # fmt: skip
        """Trains the model; loss, accuracy and seconds of every epoch, and the trained network's predict.

        keep: checkpoints from which the training goes on, and which it writes.
        """
        callbacks = [*callbacks, *([keep] if keep else [])]

        def epoch(X: list[np.ndarray], y: Any, order: Batches) -> dict[str, float]:
            history = self.model.fit(X, y, order=[order], verbose=0, callbacks=callbacks).history
            return {k: v[0] for k, v in history.items()}

        return self._run(epoch, progress, keep), lambda X: self.model.predict(X, 256, verbose=0)

    def run_keras(self, progress: Callable[[int, int], None] | None = None) -> tuple[list[dict[str, float]], Predict]:
        """The same for Keras's twin of the model. Call it before `run_engine`: it takes the weights as they are."""
        from experiments.beside_keras.twins import import_keras, to_keras

        import_keras().utils.set_random_seed(self.seed)  # draws the twin's dropout
        twin = to_keras(self.model)

        def batch(X: list[np.ndarray], y: Any, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return padded([X[n] for n in rows]), padded([y[n] for n in rows]) if self.recipe.every_step else y[rows]

        def epoch(X: list[np.ndarray], y: Any, order: Batches) -> dict[str, float]:
            batches = (batch(X, y, rows) for rows in order)
            history = twin.fit(batches, steps_per_epoch=len(order), shuffle=False, verbose=0).history
            return {name: float(values[0]) for name, values in history.items()}

        def predict(X: list[np.ndarray]) -> Any:
            p = np.asarray(twin.predict(padded(X), 256, verbose=0))
            return [steps[: len(x)] for steps, x in zip(p, X, strict=True)] if self.recipe.every_step else p

        return self._run(epoch, progress), predict

    def _run(
        self, epoch: Callable[..., dict[str, float]], progress: Any, keep: Checkpoints | None = None
    ) -> list[dict[str, float]]:
        history = keep.restore(self.model) if keep else []
        for n, data in enumerate(self.epochs(len(history)), len(history)):
            started = time.perf_counter()
            history.append(epoch(*data) | {"seconds": time.perf_counter() - started})
            if keep:
                keep.after_epoch(self.model, history[-1])
            if progress:
                progress(n + 1, self.recipe.epochs)
        return history

    def answers(self, predict: Predict, clips: Digits) -> np.ndarray:
        """(N, K) probabilities of the classes."""
        return clip_answers(predict([self.prepare(x) for x in clips.sequences]))


def scores(clips: Digits, target: str, p: np.ndarray) -> dict[str, Any]:
    """All the numbers of one evaluation as JSON values; p (N, K). confusion[true][answered] counts clips.

    interval_95 draws speakers within each sex, with all their clips: the interval of the mean of both sexes' accuracies.
    """
    y, labels, answered = classes(clips, target), LABELS[target], p.argmax(axis=1)
    confusion = np.zeros((len(labels), len(labels)), int)
    np.add.at(confusion, (y, answered), 1)
    by_speaker = pd.Series(answered == y).groupby(clips.speakers).mean().sort_values()
    return {
        "clips": len(y),
        "speakers": len(by_speaker),
        "accuracy": float((answered == y).mean()),
        "interval_95": list(class_mean_interval((answered == y).astype(float), clips.sexes, clips.speakers)),
        "labels": labels,
        "confusion": confusion.tolist(),
        "by_speaker": {str(name): float(share) for name, share in by_speaker.items()},
    }


def train_on_digits(
    data: str | Path, out: str | Path, target: str = "digit", seed: int = 0, compare: bool = False,
    force: bool = False, stage: Callable[[str], Callable[[int, int], None]] | None = None, every: int | None = None,
    say: Callable[[str], None] = lambda text: None, **settings: Any,
) -> dict[str, Any]:  # fmt: skip
    """Trains on the published training speakers, then scores the published test speakers once.

    target: "digit", "sex", or "both", in folders of their own. settings: fields of `DigitRecipe` to change. Writes
    model.safetensors, history.csv, watched.csv, scores.json, config.json, report.html into out, and the seconds of each epoch
    into surroundings.json. Returns the scores and the seconds of each side; under "reference" Keras's scores with compare.
    A training that was stopped goes on from its last checkpoint (one every `every` epochs), Keras's from its start, and
    say(text) tells so. ValueError names what is wrong with data or settings; see the errors of `checkpoints.trainings` too.
    """
    if target == "both":
        more = {"force": force, "stage": stage, "every": every, "say": say}
        return {t: train_on_digits(data, Path(out) / t, t, seed, compare, **more, **settings) for t in LABELS}
    if target not in LABELS:
        raise ValueError(f"target must be digit, sex or both, got {target!r}")
    learn, test = published_split(read_digits(data), data)
    recipe, stage = replace(RECIPES[target], **settings), stage or (lambda title: lambda done, total: None)
    facts = {"data": Path(data), "target": target, "seed": seed, "compare": compare, "recipe": asdict(recipe)}
    facts["examples"] = digest(part for clips in (learn, test) for part in (clips.sequences, classes(clips, target)))
    options = settings | {"target": target, "compare": compare}
    arguments = {"task": "digits", "data": os.path.abspath(data), "seed": seed, "options": options}
    command = "train --task digits"
    with trainings(out, command, facts, arguments, force=force, every=every, say=say) as kept:
        if kept.done:
            result, around = (read_json(kept.run.folder / name) for name in ("scores.json", SURROUNDINGS))
            result["seconds"] = {side: sum(each) for side, each in around.get("seconds", {}).items()}
        else:
            result = _train(Training(learn, target, recipe, seed), learn, test, target, compare, stage, kept)
    return result | {"run": str(kept.run.folder)}


def _train(
    training: Training, learn: Digits, test: Digits, target: str, compare: bool,
    stage: Callable[[str], Callable[[int, int], None]], kept: Trainings,
) -> dict[str, Any]:  # fmt: skip
    """The training, Keras's before it with compare, and all files of the run. Returns the scores, and the seconds."""
    watch, results, tables, answered, seconds = training.watch(), {}, {}, {}, {}
    stored = metadata(training, target, learn)

    def run_engine(progress: Callable[[int, int], None]) -> tuple[list[dict[str, float]], Predict]:
        with kept.training("engine", training.recipe.epochs, watch, stored) as keep:
            return training.run_engine(progress, [watch], keep)

    sides = {"reference": training.run_keras} if compare else {}
    for side, runs in {**sides, "engine": run_engine}.items():
        history, predict = runs(stage(f"{target}: {'Keras' if side == 'reference' else 'engine'}"))
        p = training.answers(predict, test)
        answered[side], results[side] = p.argmax(axis=1), scores(test, target, p)
        seconds[side] = [row.pop("seconds") for row in history]
        tables[side] = pd.DataFrame(history, index=pd.RangeIndex(1, len(history) + 1, name="epoch"))
    result: dict[str, Any] = {"target": target, "recipe": asdict(training.recipe)} | results["engine"]
    if compare:
        result["reference"] = results["reference"]
        result["agreement"] = float((answered["engine"] == answered["reference"]).mean())
    run = kept.run
    run.begin()
    training.model.save(run.folder / "model.safetensors", metadata=stored)
    table = pd.concat({side: tables[side] for side in reversed(tables)}, axis=1)
    table.columns = ["_".join(names) for names in table.columns]
    run.write("history.csv", table.to_csv())
    run.write("watched.csv", watch.table().to_csv(index=False))
    run.write_json("scores.json", result)
    parts = page_parts(result, table, watch.table())
    run.write("report.html", page.page(f"Spoken digits: {target}", parts, footer("lstm-engine train")))
    kept.write_config(seconds)
    return result | {"seconds": {side: sum(each) for side, each in seconds.items()}}


def metadata(training: Training, target: str, clips: Digits) -> dict[str, Any]:
    """All that a prediction needs beside the weights, as JSON values."""
    scaler = training.prepare.scaler
    return {
        "task": "digits",
        "target": target,
        "labels": LABELS[target],
        "recipe": asdict(training.recipe),
        "scaler": {"mean": scaler.mean.tolist(), "scale": scaler.scale.tolist()},
        "trained_on": {"clips": len(clips), "speakers": len(set(clips.speakers))},
        "versions": versions(),
    }
