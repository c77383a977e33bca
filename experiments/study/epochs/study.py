"""How far does accuracy rise with more epochs? Training and held-out speakers after every epoch, over several seeds.

For `lstm-engine study epochs`. A training's rows are written once it is done, and a study that was stopped goes on with
the trainings that are missing.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.reports.run import Run, versions
from experiments.reports.scores import balanced_accuracy
from experiments.study.epochs import report
from experiments.study.epochs.subjects import Answers, Subject, frames_subject, table_subjects

COMMAND, TABLE = "study epochs", "epochs.csv"
FIGURES = ("accuracy", "balanced_accuracy", "loss")
Stage = Callable[[str], Callable[[int, int], None]]


def study(
    out: str | Path, tables: str | Path | None = None, frames: str | Path | None = None, epochs: int = 200,
    seeds: int = 5, force: bool = False, stage: Stage | None = None, say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:  # fmt: skip
    """Trains every subject with seeds 0 to seeds - 1; writes epochs.csv, epochs.png, report.html, ... into `out`.

    tables: a folder of the tutorial's tables; frames: an extraction by the recipe `frames`. epochs.csv has a row for each
    what, seed, epoch and part ("train", "held_out"): accuracy, balanced accuracy, log loss. The same study that stands in
    `out`, begun or with fewer seeds, is gone on with; `say` tells so. Returns the report's numbers. Raises
    FileExistsError for another one there, ValueError and FileNotFoundError for data that cannot be studied.
    """
    if tables is None and frames is None:
        raise ValueError(
            "name what to study: --tables FOLDER for the tutorial's tables, --frames FOLDER for an extraction"
        )
    if epochs < 2:
        raise ValueError(f"epochs must be at least 2, since a point is no curve, got {epochs}")
    subjects = [*(table_subjects(tables) if tables else []), *([frames_subject(frames)] if frames else [])]
    settings = {
        "tables": tables and str(tables),
        "frames": frames and str(frames),
        "epochs": epochs,
        "seeds": seeds,
        "made_from": {subject.name: subject.made_from for subject in subjects},
    }
    begun = None if force else _begun(Path(out), settings)
    run, done = Run(out, force or begun is not None), begun or {}
    if not done:
        (run.folder / TABLE).unlink(missing_ok=True)  # another study's rows must not stand beside this one's settings
    run.write_config(COMMAND, **settings)
    wanted = [(subject.name, seed) for subject in subjects for seed in range(seeds)]
    if there := sum(key in done for key in wanted):
        say(f"going on: {there} of {len(wanted)} trainings are there")
    for subject in subjects:
        update = stage(subject.title) if stage else lambda at, total: None
        for seed in range(seeds):
            if (subject.name, seed) not in done:
                done[subject.name, seed] = _training(subject, seed, epochs, update, seed * epochs, seeds * epochs)
                run.write(TABLE, _table(done, subjects).to_csv(index=False))
            update((seed + 1) * epochs, seeds * epochs)
    table = _table(done, subjects)
    return report.write(run, subjects, table[table["seed"] < seeds], f"lstm-engine {COMMAND}")


def _training(
    subject: Subject, seed: int, epochs: int, update: Callable[[int, int], None], before: int, total: int
) -> pd.DataFrame:
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
    said = (z > 0).astype(int)
    return {
        "accuracy": float(np.mean(said == y)),
        "balanced_accuracy": balanced_accuracy(y, said),
        "loss": float(np.mean(np.logaddexp(0.0, z) - y * z)),
    }


# -- going on ----------------------------------------------------------------------------------------------------------


def _begun(folder: Path, settings: dict[str, Any]) -> dict[tuple[str, int], pd.DataFrame] | None:
    """{(what, seed): rows} of the study that stands in a folder; None where there is none.

    FileExistsError when it was made of other data, with other settings or by other versions.
    """
    config = folder / "config.json"
    there = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    if there.get("command") != COMMAND:
        return None
    if other := _differences(there, settings):
        raise FileExistsError(
            f"{folder} holds a study that was made differently (there and now: {'; '.join(other)}): choose another --out, or "
            "replace it with --force"
        )
    if not (folder / TABLE).exists():
        return {}
    table = pd.read_csv(folder / TABLE, converters=dict.fromkeys(FIGURES, float))  # to the last bit, in any pandas
    return dict(iter(table.groupby(["what", "seed"])))


def _differences(there: dict[str, Any], settings: dict[str, Any]) -> list[str]:
    """What tells a config.json from these settings, in words; more seeds or fewer are no difference."""
    old, new = there["settings"] | there["versions"], settings | versions()
    words = [
        f"{name} {old.get(name)} and {new[name]}" for name in ("epochs", *versions()) if old.get(name) != new[name]
    ]
    made = old["made_from"], new["made_from"]
    if made[0].keys() != made[1].keys():
        words.append(f"what is trained, {', '.join(made[0])} and {', '.join(made[1])}")
    words += [f"data or settings of {name}" for name in made[1] if made[0].get(name, made[1][name]) != made[1][name]]
    return words


def _table(done: dict[tuple[str, int], pd.DataFrame], subjects: list[Subject]) -> pd.DataFrame:
    """All rows, in the order of subjects and seeds."""
    place = {subject.name: k for k, subject in enumerate(subjects)}
    return pd.concat([done[key] for key in sorted(done, key=lambda key: (place[key[0]], key[1]))], ignore_index=True)
