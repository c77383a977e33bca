"""Train the engine on a folder of tables, evaluate a model on such a folder, and predict clips."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import lstm_engine as le
from experiments.microscope import watching_report
from experiments.microscope.watching import Watch, probe
from experiments.reports import page, pictures
from experiments.reports.checkpoints import digest, trainings
from experiments.reports.run import Run, footer
from experiments.reports.scores import classification
from experiments.tutorial.prediction import Prediction
from experiments.tutorial.task import (
    Metadata,
    VoiceTask,
    check_recipe,
    metadata,
    read_task,
    recipe_of,
    require_one_probability,
    scaler_from,
    sequences,
    voice_model,
)  # fmt: skip
from features.audio import BadClip, read_clip
from features.dataset import Voices, read_voices
from features.recipes import TUTORIAL, with_index
from lstm_engine.schema import fitting

PARTS = ("held-out", "train", "test", "all")
NEEDED = {"recipe", "reading", "scaler", "labels", "threshold", "temperature"}  # of a model's metadata, to predict


def train_on_tables(
    data: str | Path, out: str | Path, reading: str = "frames", scale: bool = True, units: int = 64, epochs: int = 20,
    batch_size: int = 32, learning_rate: float = 1e-3, seed: int = 0, force: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None, every: int | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:  # fmt: skip
    """Trains on a folder's tables and returns the scores on the held-out voices, as `evaluate` does.

    Writes model.safetensors, history.csv, watched.csv, config.json, curves.png and report.html into out. progress(done,
    epochs) is called after each epoch. A training that was stopped goes on from its last checkpoint (one every `every`
    epochs), and say(text) tells so; see `checkpoints.trainings`, and its errors.
    """
    task = read_task(data, reading, scale, seed)
    recipe, synthetic = recipe_of(data)
    X, y = task.inputs(task.train), task.train.labels
    held_out = (task.inputs(task.held_out), task.held_out.labels)
    options = {"reading": reading, "scale": scale, "units": units, "epochs": epochs}
    options |= {"batch_size": batch_size, "learning_rate": learning_rate}
    settings = {"data": Path(data)} | options | {"seed": seed, "examples": digest([X, y, *held_out])}
    arguments = {"task": "voices", "data": os.path.abspath(data), "seed": seed, "options": options}
    stored = metadata(task, recipe, synthetic, seed)
    with trainings(out, "train", settings, arguments, force=force, every=every, say=say) as kept:
        run = kept.run
        if kept.done:
            result = scores(le.load(run.folder / "model.safetensors"), task, task.held_out)
            del result["probabilities"]
            return result | {"run": str(run.folder)}
        model = voice_model(units, learning_rate, seed)
        model.build(X.shape[1:])
        watch = Watch(X[probe(y)], y[probe(y)])
        with kept.training("all", epochs, watch, stored) as keep:

            def after_epoch(epoch: int, logs: dict[str, float]) -> None:
                keep.after_epoch(model, logs)
                progress(epoch + 1, epochs)

            callbacks = [watch, keep, le.LambdaCallback(on_epoch_end=after_epoch)]
            begin = {"initial_epoch": len(keep.restore(model)), "validation_data": held_out}
            model.fit(X, y, batch_size, epochs, 0, callbacks, **begin)
        result = scores(model, task, task.held_out)
        table = pd.DataFrame(keep.history, index=pd.RangeIndex(1, epochs + 1, name="epoch"))
        run.begin()
        model.save(run.folder / "model.safetensors", metadata=stored)
        run.write("history.csv", table.to_csv())
        run.write("watched.csv", watch.table().to_csv(index=False))
        p = np.array(result.pop("probabilities"))
        write_report(run, result, p, task.held_out.labels, table, watch.table(), synthetic)
        kept.write_config()
    return result | {"run": str(run.folder)}


def write_report(
    run: Run, result: dict[str, Any], p: np.ndarray, labels: np.ndarray, history: pd.DataFrame, watched: pd.DataFrame,
    synthetic: bool,
) -> None:  # fmt: skip
    """Writes curves.png and report.html. p (N,) and labels (N,): the held-out voices."""
    curves = pictures.training_curves(history.add_prefix("engine_"), {"engine": "engine"})
    run.write("curves.png", pictures.png(curves))
    parts = [
        paragraph_on(result),
        *synthetic_note(synthetic),
        page.heading("Learning"),
        pictures.inline(curves, "Where the held-out line leaves the training line, the network begins to overfit."),
        page.heading("The held-out voices"),
        pictures.inline(
            pictures.by_sex(p, labels, 0.5, "probability of male", "the network's answers"),
            "A good classifier is sure: men near 1, women near 0.",
        ),
        *watching_report.parts(watched),
        page.folded("Every epoch", page.table(history, dict.fromkeys(history, "{:.4f}"))),
    ]
    run.write("report.html", page.page("Training an LSTM on voices", parts, footer("lstm-engine train")))


def evaluate(model_file: str | Path, data: str | Path, part: str = "held-out") -> dict[str, Any]:
    """Scores of a saved model on a part of a folder's tables, with the pitch threshold's beside them.

    part: "held-out" (as `train` split it), "train", "all", or "test" (the *_test_* tables).
    """
    if part not in PARTS:
        raise ValueError(f"part must be one of {', '.join(PARTS)}, got {part!r}")
    model = load_voice_model(model_file)
    stored = model.metadata
    check_recipe(stored["recipe"], str(model_file))
    recipe_of(data)  # refuses tables of another recipe
    task = read_task(data, stored["reading"], scale=False, seed=stored.get("split_seed", 0))
    task = VoiceTask(task.train, task.held_out, stored["reading"], scaler_from(stored["scaler"]))
    sides = {"held-out": task.held_out, "train": task.train}
    voices = sides[part] if part in sides else read_voices(data, test=part == "test")
    heard = {s for s in task.train.speakers if s is not None} & set(voices.speakers)
    if part == "test" and heard:
        warnings.warn(
            f"{len(heard)} of the test speakers, {min(heard)!r} for one, are among the training speakers: "
            "the score will be too optimistic",
            stacklevel=2,
        )
    trained = {row.tobytes() for row in task.train.features}
    if part == "test" and (copies := sum(row.tobytes() in trained for row in voices.features)):
        warnings.warn(
            f"{copies} of the {len(voices)} test rows are training rows too: the score will be too optimistic",
            stacklevel=2,
        )
    return scores(model, task, voices) | {"part": part}


def scores(model: le.Sequential, task: VoiceTask, voices: Voices) -> dict[str, Any]:
    """The scores of a model on some voices, and of the baseline: a threshold on pitch, chosen on the training voices."""
    p = model.predict(task.inputs(voices), verbose=0)[:, 0]
    threshold, answers = task.pitch_baseline(voices)
    baseline = classification(voices.labels, answers.astype(float), voices.speakers) | {"threshold_hz": threshold}
    return classification(voices.labels, p, voices.speakers) | {
        "loss": float(model.evaluate(task.inputs(voices), voices.labels, verbose=0)[0]),
        "pitch_baseline": baseline,
        "probabilities": [float(v) for v in p],
    }


def paragraph_on(result: dict[str, Any]) -> str:
    """The result in a sentence."""
    low, high = result["interval_95"]
    people = f" of {page.counted(result['speakers'], 'speaker')}" if result["speakers"] else " (speakers unknown)"
    baseline = result["pitch_baseline"]
    return page.paragraph(
        f"On {page.counted(result['clips'], 'held-out clip')}{people} the balanced accuracy is "
        f"{result['balanced_accuracy']:.3f} (95 % interval {low:.3f} to {high:.3f}, by speaker). A threshold on "
        f"pitch alone, {baseline['threshold_hz']:.0f} Hz chosen on the training voices, reaches "
        f"{baseline['balanced_accuracy']:.3f}.",
        "lead",
    )


def synthetic_note(synthetic: bool) -> list[str]:
    text = "These voices are synthetic: the figures describe a source-filter model, not people."
    return [page.paragraph(text, "note")] if synthetic else []


def predict(model_file: str | Path, files: list[str], model: le.Sequential | None = None) -> list[Prediction]:
    """The answer of a saved model for each file; a clip that cannot be measured has an error instead.

    model: the network in model_file, if the caller has loaded it already.
    """
    model = load_voice_model(model_file, model)
    stored = model.metadata
    check_recipe(stored["recipe"], str(model_file))
    scaler = scaler_from(stored["scaler"])
    predictions = []
    for file in files:
        try:
            row = with_index(TUTORIAL.measure(*read_clip(file)))  # (1, 112)
        except BadClip as bad:
            predictions.append(Prediction(file, error=bad.detail))
            continue
        p = float(model.predict(sequences(row, stored["reading"], scaler), verbose=0)[0, 0])
        p = at_temperature(p, stored["temperature"])
        label = stored["labels"]["1" if p > stored["threshold"] else "0"]
        predictions.append(Prediction(file, p, label, float(row[0, 1])))
    return predictions


def at_temperature(p: float, temperature: float) -> float:
    """σ(logit(p) / temperature). 1 changes nothing; a larger temperature makes the model less sure (Guo et al. 2017)."""
    q = np.clip(p, 1e-7, 1 - 1e-7)
    return p if temperature == 1 else float(1 / (1 + np.exp(-np.log(q / (1 - q)) / temperature)))


def load_voice_model(path: str | Path, model: le.Sequential | None = None) -> le.Sequential:
    """A model with all that a prediction needs: the file's, or `model` if it is loaded. ValueError names what is missing."""
    model = model or le.load(path)
    if missing := NEEDED - model.metadata.keys():
        raise ValueError(
            f"{path} was not written by `lstm-engine train`: its metadata lacks {', '.join(sorted(missing))}"
        )
    fitting(model.metadata, f"{path}: its metadata", Metadata)
    try:
        scaler_from(model.metadata["scaler"])
        require_one_probability(model)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return model
