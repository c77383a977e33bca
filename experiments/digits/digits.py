"""Spoken digits: a bidirectional LSTM that tells, from some 13 numbers a frame, which digit is said or the speaker's sex.

What `lstm-engine train --task digits` runs, on clips of 4 to 93 frames. `RECIPES` were chosen by folds of the training
speakers alone, with `python -m experiments.digits.digits DATA` (docs/digits.md has the table); `train` then takes all of
those speakers, and looks at the test speakers once. With compare=True Keras's twin goes through the same training beside it.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import lstm_engine as le
from experiments.microscope import watching_report
from experiments.microscope.watching import Watch, probe
from experiments.reports import page, pictures
from experiments.reports.run import Run, footer, versions
from experiments.reports.scores import balanced_accuracy_interval
from features.dataset import Scaler
from features.digits import Digits, published_split, read_digits, speaker_folds
from lstm_engine.samples import Samples, pad

LABELS = {"digit": list("0123456789"), "sex": ["female", "male"]}
Batches = list[np.ndarray]
Predict = Callable[[list[np.ndarray]], Any]


@dataclass(frozen=True)
class Recipe:
    """How a clip becomes numbers, and how the network is built and trained.

    per_clip: each coefficient standardised over the clip, which takes voice and microphone away. deltas: their slopes
    beside them. every_step: every frame answers, and the clip takes the mean of their logarithms; otherwise the last
    states answer. stretch: while training, a clip is made longer or shorter by up to this share. AdamW's rate falls along
    half a cosine.
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
        given = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return ", ".join(name if value is True else f"{name} {value}" for name, value in given.items()) or "plain"


DEEP = Recipe(deltas=True, layers=2, dropout=0.3)
CANDIDATES = {
    "digit": [
        Recipe(),
        Recipe(per_clip=True),
        Recipe(per_clip=True, deltas=True),
        replace(DEEP, per_clip=True),
        replace(DEEP, per_clip=True, every_step=True),
        replace(DEEP, per_clip=True, every_step=True, stretch=0.2),
        replace(DEEP, per_clip=True, every_step=True, units=96, dropout=0.5),
        replace(DEEP, every_step=True),
    ],
    "sex": [Recipe(), Recipe(per_clip=True), Recipe(deltas=True), DEEP, replace(DEEP, every_step=True)],
}
RECIPES = {"digit": replace(DEEP, per_clip=True, every_step=True), "sex": Recipe(deltas=True)}


# -- a clip's way into the network -------------------------------------------------------------------------------------


def classes(clips: Digits, target: str) -> np.ndarray:
    """(N,) int: the digit, or 1 for male and 0 for female."""
    return clips.digits if target == "digit" else clips.sexes


def coefficients(x: np.ndarray, recipe: Recipe) -> np.ndarray:
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

    recipe: Recipe
    scaler: Scaler

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self.scaler(coefficients(x, self.recipe)).astype(np.float32)


def load_digit_model(path: str | Path) -> tuple[le.Sequential, Preparation, list[str]]:
    """A model that `train` wrote, what it does to a clip (T, D) first, and its labels in the order of its answers."""
    model = le.load(path)
    stored = model.metadata
    if stored.get("task") != "digits":
        raise ValueError(f"{path} is no model of spoken digits: use one that `lstm-engine train --task digits` wrote")
    scaler = Scaler(np.array(stored["scaler"]["mean"]), np.array(stored["scaler"]["scale"]))
    return model, Preparation(Recipe(**stored["recipe"]), scaler), stored["labels"]


# -- network and training ----------------------------------------------------------------------------------------------


def network(recipe: Recipe, features: int, outputs: int, steps: int, seed: int) -> le.Sequential:
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


class Training:
    """Clips on their way through a recipe: the preparation fitted on them, a new network, and what each epoch gives it."""

    def __init__(self, clips: Digits, target: str, recipe: Recipe, seed: int) -> None:
        self.recipe, self.seed = recipe, seed
        raw = [coefficients(x, recipe) for x in clips.sequences]
        self.prepare = Preparation(recipe, Scaler.fit(np.concatenate(raw)))
        self.X, self.y = [self.prepare(x) for x in clips.sequences], classes(clips, target)
        steps = recipe.epochs * -(-len(self.y) // recipe.batch_size)
        self.model = network(recipe, self.X[0].shape[1], len(LABELS[target]), steps, seed)

    def epochs(self) -> Iterator[tuple[list[np.ndarray], Any, Batches]]:
        """X, y and the batches of row numbers, epoch by epoch: the same each time, so that two networks can be compared."""
        for epoch in range(self.recipe.epochs):
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
        self, progress: Callable[[int, int], None] | None = None, callbacks: Sequence[le.Callback] = ()
    ) -> tuple[list[dict[str, float]], Predict]:
        """Trains the model; loss, accuracy and seconds of every epoch, and the trained network's predict."""

        def epoch(X: list[np.ndarray], y: Any, order: Batches) -> dict[str, float]:
            history = self.model.fit(X, y, order=[order], verbose=0, callbacks=callbacks).history
            return {k: v[0] for k, v in history.items()}

        return self._run(epoch, progress), lambda X: self.model.predict(X, 256, verbose=0)

    def run_keras(self, progress: Callable[[int, int], None] | None = None) -> tuple[list[dict[str, float]], Predict]:
        """The same for Keras's twin of the model. Call it before `run_engine`: it takes the weights as they are."""
        from experiments.beside_keras.twins import import_keras, to_keras

        import_keras().utils.set_random_seed(self.seed)  # draws the twin's dropout
        twin = to_keras(self.model)

        def batch(X: list[np.ndarray], y: Any, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return padded([X[n] for n in rows]), padded([y[n] for n in rows]) if self.recipe.every_step else y[rows]

        def epoch(X: list[np.ndarray], y: Any, order: Batches) -> dict[str, float]:
            given = (batch(X, y, rows) for rows in order)
            history = twin.fit(given, steps_per_epoch=len(order), shuffle=False, verbose=0).history
            return {name: float(values[0]) for name, values in history.items()}

        def predict(X: list[np.ndarray]) -> Any:
            p = np.asarray(twin.predict(padded(X), 256, verbose=0))
            return [steps[: len(x)] for steps, x in zip(p, X, strict=True)] if self.recipe.every_step else p

        return self._run(epoch, progress), predict

    def _run(self, epoch: Callable[..., dict[str, float]], progress: Any) -> list[dict[str, float]]:
        history = []
        for n, data in enumerate(self.epochs()):
            started = time.perf_counter()
            history.append(epoch(*data) | {"seconds": time.perf_counter() - started})
            if progress:
                progress(n + 1, self.recipe.epochs)
        return history

    def answers(self, predict: Predict, clips: Digits) -> np.ndarray:
        """(N, K) probabilities of the classes."""
        return clip_answers(predict([self.prepare(x) for x in clips.sequences]))


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


# -- how good ----------------------------------------------------------------------------------------------------------


def scores(clips: Digits, target: str, p: np.ndarray) -> dict[str, Any]:
    """All the numbers of one evaluation as JSON values; p (N, K). confusion[true][answered] counts clips.

    interval_95 draws speakers within each sex, with all their clips, and is about the mean of the sexes' accuracies.
    """
    y, labels, answered = classes(clips, target), LABELS[target], p.argmax(axis=1)
    confusion = np.zeros((len(labels), len(labels)), int)
    np.add.at(confusion, (y, answered), 1)
    by_speaker = pd.Series(answered == y).groupby(clips.speakers).mean().sort_values()
    as_sex = np.where(answered == y, clips.sexes, 1 - clips.sexes)  # right or wrong, in the interval's own terms
    return {
        "clips": len(y),
        "speakers": len(by_speaker),
        "accuracy": float((answered == y).mean()),
        "interval_95": list(balanced_accuracy_interval(clips.sexes, as_sex, clips.speakers)),
        "labels": labels,
        "confusion": confusion.tolist(),
        "by_speaker": {str(name): float(share) for name, share in by_speaker.items()},
    }


# -- the command -------------------------------------------------------------------------------------------------------


def train(
    data: str | Path, out: str | Path, target: str = "digit", seed: int = 0, compare: bool = False,
    force: bool = False, stage: Callable[[str], Callable[[int, int], None]] | None = None, **settings: Any,
) -> dict[str, Any]:  # fmt: skip
    """Trains on the published training speakers and scores the published test speakers, once.

    target: "digit", "sex", or "both", in folders of their own. settings: fields of `Recipe` to change. Writes
    model.safetensors, history.csv, watched.csv, scores.json, config.json, report.html into out. Returns the scores; under
    "reference" Keras's with compare. ValueError names what is wrong with data or settings.
    """
    if target == "both":
        return {t: train(data, Path(out) / t, t, seed, compare, force, stage, **settings) for t in LABELS}
    if target not in LABELS:
        raise ValueError(f"target must be digit, sex or both, got {target!r}")
    learn, test = published_split(read_digits(data), data)
    recipe, run = replace(RECIPES[target], **settings), Run(out, force)
    training, stage = Training(learn, target, recipe, seed), stage or (lambda title: lambda done, total: None)
    watch = training.watch()
    sides = {"reference": training.run_keras} if compare else {}
    results, tables, answered = {}, {}, {}
    for side, runs in {**sides, "engine": partial(training.run_engine, callbacks=[watch])}.items():
        history, predict = runs(stage(f"{target}: {'Keras' if side == 'reference' else 'engine'}"))
        p = training.answers(predict, test)
        answered[side], results[side] = p.argmax(axis=1), scores(test, target, p)
        results[side]["seconds"] = float(sum(row["seconds"] for row in history))
        tables[side] = pd.DataFrame(history, index=pd.RangeIndex(1, len(history) + 1, name="epoch"))
    result: dict[str, Any] = {"target": target, "recipe": asdict(recipe)} | results["engine"]
    if compare:
        result["reference"] = results["reference"]
        result["agreement"] = float((answered["engine"] == answered["reference"]).mean())
    training.model.save(run.folder / "model.safetensors", metadata(training, target, learn))
    table = pd.concat({side: tables[side] for side in reversed(tables)}, axis=1)
    table.columns = ["_".join(names) for names in table.columns]
    run.write("history.csv", table.to_csv())
    run.write("watched.csv", watch.table().to_csv(index=False))
    run.write_json("scores.json", result)
    run.write_config(
        "train --task digits", data=str(data), target=target, seed=seed, compare=compare, recipe=asdict(recipe)
    )
    parts = page_parts(result, table, watch.table())
    run.write("report.html", page.page(f"Spoken digits: {target}", parts, footer("lstm-engine train")))
    return result | {"run": str(run.folder)}


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


def words(result: dict[str, Any]) -> str:
    """The result in a sentence or two."""
    (low, high), reference = result["interval_95"], result.get("reference")
    worst = next(iter(result["by_speaker"].items()))
    text = (
        f"{result['target']}: accuracy {result['accuracy']:.4f} on {result['clips']} clips of {result['speakers']} test "
        f"speakers (95 % interval {low:.3f} to {high:.3f}, by speaker; the worst of them, {worst[0]}, {worst[1]:.2f}), "
        f"trained in {result['seconds']:.0f} s"
    )
    if reference:
        text += (
            f"; the same network in Keras {reference['accuracy']:.4f} in {reference['seconds']:.0f} s, the same answer for "
            f"{result['agreement']:.1%} of the clips"
        )
    return text + "."


def page_parts(result: dict[str, Any], table: pd.DataFrame, watched: pd.DataFrame) -> list[str]:
    """The parts of the report."""
    fig, axes = pictures.figure(2)
    for ax, quantity in zip(axes, ("loss", "accuracy"), strict=True):
        for side, name, style in (("engine", "engine", "-"), ("reference", "Keras", "o")):
            if f"{side}_{quantity}" in table:
                ax.plot(table.index, table[f"{side}_{quantity}"], style, color=pictures.BLUE, mfc="none", label=name)
        ax.set(xlabel="epoch", title=f"{quantity} in training")
    axes[1].legend(fontsize=8)
    names = [f"said {label}" if result["target"] == "digit" else label for label in result["labels"]]
    confusion = pd.DataFrame(result["confusion"], index=names, columns=[f"taken for {x}" for x in result["labels"]])
    by_speaker = pd.DataFrame({"engine": result["by_speaker"]})
    if "reference" in result:
        by_speaker["Keras"] = pd.Series(result["reference"]["by_speaker"])
    note = (
        "The recipe was chosen on training speakers alone; the test speakers were looked at once, after the training."
    )
    caption = "While the weights move, dropout on where the recipe has it."
    if "reference" in result and result["recipe"]["every_step"]:
        caption += " On JAX Keras counts padded steps as wrong here, though not in its loss and not when it evaluates."
    return [
        page.paragraph(words(result), "lead"),
        page.paragraph(note),
        page.heading("Learning"),
        pictures.inline(fig, caption),
        page.heading("What was taken for what"),
        page.table(confusion),
        page.heading("Each test speaker's share of right answers"),
        page.table(by_speaker, dict.fromkeys(by_speaker, "{:.2f}")),
        *watching_report.parts(watched),
        page.folded("Every epoch", page.table(table, dict.fromkeys(table, "{:.4f}"))),
    ]


# -- how the recipes were chosen ---------------------------------------------------------------------------------------


def search(
    data: str | Path, target: str, recipes: list[Recipe], folds: int = 4, seed: int = 0, keras: bool = False
) -> Iterator[dict[str, Any]]:
    """Accuracy of each recipe on every fold of the training speakers, learnt from the other folds; a dict a recipe.

    With keras its twin's beside it. The test speakers are taken out before anything else happens.
    """
    clips = read_digits(data)
    clips = clips.take(clips.splits == "train")
    fold = speaker_folds(clips, folds)
    for recipe in recipes:
        started, accuracies = time.perf_counter(), {side: [] for side in ["reference"] * keras + ["engine"]}
        for k in range(folds):
            training, dev = Training(clips.take(fold != k), target, recipe, seed), clips.take(fold == k)
            for side, own in accuracies.items():
                _, predict = training.run_engine() if side == "engine" else training.run_keras()
                own.append(scores(dev, target, training.answers(predict, dev))["accuracy"])
        means = {f"{side}_mean": float(np.mean(own)) for side, own in accuracies.items()}
        yield (
            {"target": target, "recipe": str(recipe)} | means | accuracies | {"seconds": time.perf_counter() - started}
        )


def main() -> None:
    """python -m experiments.digits.digits DATA: the table of recipes, each by its accuracy on unheard training speakers."""
    parser = argparse.ArgumentParser(prog="python -m experiments.digits.digits", description=main.__doc__)
    parser.add_argument("data", help="folder with sad.npz and metadata.csv")
    parser.add_argument("--target", choices=list(LABELS), action="append", help="digit or sex; both when not given")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keras", action="store_true", help="the chosen recipe alone, with Keras's twin beside it")
    options = parser.parse_args()
    try:
        for target in options.target or list(LABELS):
            recipes = [RECIPES[target]] if options.keras else CANDIDATES[target]
            for row in search(options.data, target, recipes, options.folds, options.seed, options.keras):
                print(json.dumps(row), flush=True)
    except (ValueError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
