"""How far does accuracy rise with more epochs? Training and held-out speakers after every epoch, over several seeds.

For `lstm-engine study epochs`. A training's rows are written once it is done, and a study that was stopped continues with
the trainings that are missing.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.reports.scores import balanced_accuracy
from experiments.study.epochs import report
from experiments.study.epochs.subjects import Answers, Subject, frames_subject, table_subjects
from experiments.study.seeds import Stage, Update, begin, silent

COMMAND, TABLE = "study epochs", "epochs.csv"
FIGURES = ("accuracy", "balanced_accuracy", "loss")
Done = dict[tuple[str, int], pd.DataFrame]  # by subject and seed, the rows of the training


def study(*arguments: Any, **options: Any) -> dict[str, Any]:
    """`train`, and a report of it: report.html, epochs.json, epochs.png. Returns the report's numbers."""
    return report.write(*train(*arguments, **options))


def train(
    out: str | Path, tables: str | Path | None = None, frames: str | Path | None = None, epochs: int = 200,
    seeds: int = 5, force: bool = False, stage: Stage = silent, say: Callable[[str], None] = lambda text: None,
) -> tuple[Any, ...]:  # fmt: skip
    """Runs the missing trainings in the folder `out`, and returns what `report.write` takes.

    tables: a folder of the tutorial's tables; frames: an extraction by the recipe `frames`. epochs.csv has a row for each
    what, seed, epoch and part ("train", "held_out"): accuracy, balanced accuracy, log loss. The same study in `out`, begun
    or with fewer seeds, is continued; `say` reports this. FileExistsError for another study there,
    ValueError and FileNotFoundError for data that cannot be studied.
    """
    if tables is None and frames is None:
        raise ValueError(
            "name what to study: --tables FOLDER for the tutorial's tables, --frames FOLDER for an extraction"
        )
    if epochs < 2:
        raise ValueError(f"epochs must be at least 2, because one point is not a curve, got {epochs}")
    subjects = [*(table_subjects(tables) if tables else []), *([frames_subject(frames)] if frames else [])]
    depends = {"epochs": epochs, "made_from": {subject.name: subject.made_from for subject in subjects}}
    noted = {"tables": tables and str(tables), "frames": frames and str(frames), "seeds": seeds}
    run = begin(out, COMMAND, depends, force, noted=noted, table=TABLE)
    done = _read(run.folder / TABLE)
    wanted = [(subject.name, seed) for subject in subjects for seed in range(seeds)]
    if there := sum(key in done for key in wanted):
        say(f"continuing: {there} of {len(wanted)} trainings are done")
    for subject in subjects:
        update = stage(subject.title)
        for seed in range(seeds):
            if (subject.name, seed) not in done:
                done[subject.name, seed] = _training(subject, seed, epochs, update, seed * epochs, seeds * epochs)
                run.write(TABLE, _table(done, subjects).to_csv(index=False))
            update((seed + 1) * epochs, seeds * epochs)
    table = _table(done, subjects)
    return run, table[table["seed"] < seeds], subjects, f"lstm-engine {COMMAND}"


def _training(subject: Subject, seed: int, epochs: int, update: Update, before: int, total: int) -> pd.DataFrame:
    """One training's rows."""
    rows: list[dict[str, Any]] = []

    def after_epoch(epoch: int, answers: Answers) -> None:
        for part, (y, z) in answers.items():
            rows.append({"what": subject.name, "seed": seed, "epoch": epoch, "part": part} | scores(y, z))
        update(before + epoch, total)

    subject.train(seed, epochs, after_epoch)
    return pd.DataFrame(rows)


def scores(y: np.ndarray, z: np.ndarray) -> dict[str, float]:
    """Accuracy, balanced accuracy and log loss (nats) of log-odds z (N,) for labels y (N,)."""
    predicted = (z > 0).astype(int)
    return {
        "accuracy": float(np.mean(predicted == y)),
        "balanced_accuracy": balanced_accuracy(y, predicted),
        "loss": float(np.mean(np.logaddexp(0.0, z) - y * z)),
    }


def _read(file: Path) -> Done:
    """The trainings that are done."""
    if not file.exists():
        return {}
    table = pd.read_csv(file, converters=dict.fromkeys(FIGURES, float))  # to the last bit, in any pandas
    return dict(iter(table.groupby(["what", "seed"])))


def _table(done: Done, subjects: list[Subject]) -> pd.DataFrame:
    """All rows, in the order of subjects and seeds."""
    place = {subject.name: k for k, subject in enumerate(subjects)}
    return pd.concat([done[key] for key in sorted(done, key=lambda key: (place[key[0]], key[1]))], ignore_index=True)
