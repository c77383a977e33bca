"""The study: every cell on every task at every lag, a process each; then a report of all that the folder holds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.study import solving
from experiments.study.memory import beside_keras, report
from experiments.study.memory.cells import CELLS
from experiments.study.memory.gradients import measure
from experiments.study.memory.points import Point, points
from experiments.study.memory.settings import TASKS, Settings
from experiments.study.seeds import Job, Stage, begin, gather, made_by, silent, standing

COMMAND = "study memory"
QUICK_SEEDS = 2
MEASURED = 4  # sequences whose gradients are looked at
GRADIENTS = 4  # beside a seed: what their generator is made of (solving has 2 and 3, a network its own)


def study(
    out: str | Path, tasks: Sequence[str] = (), cells: Sequence[str] = (), seeds: int = 3, quick: bool = False,
    keras: bool = False, jobs: int = 1, force: bool = False, settings: Settings | None = None, stage: Stage = silent,
) -> dict[str, Any]:  # fmt: skip
    """Trains and reports into `out`: report.html, memory.json, PNGs, trainings.csv, results/. Returns the numbers.

    tasks, cells: names of `TASKS` and `CELLS`; none is all. quick: few points (see `points`), with QUICK_SEEDS seeds. keras:
    one task by Keras too, see `beside_keras`. What is in `out` already is not trained again, and is reported with the
    rest whether asked for or not. ValueError for a name that is not there, FileExistsError for a folder of other
    settings; force empties it.
    """
    settings = settings or Settings()
    asked = points(tasks, cells, quick)
    seeds = min(seeds, QUICK_SEEDS) if quick else seeds
    known = [p for p in points() if p in asked or (not force and standing(out, p.what))]
    depends = {p.what: p.as_json(settings) | {"tested": solving.TESTED, "measured": MEASURED} for p in known}
    depends |= {"keras": beside_keras.as_json(settings)}
    run = begin(out, COMMAND, depends, force)
    trainings = [Job(p.what, seed, train, (p, settings)) for seed in range(seeds) for p in asked]
    gather(run, trainings, jobs, stage("Training"))
    if keras:
        gather(run, beside_keras.jobs(settings), jobs, stage("Beside Keras"))
    found = {p: standing(out, p.what) for p in known}
    commands = made_by(run.folder / report.NUMBERS, _command(tasks, cells, seeds, quick, keras), force)
    return report.write(run, found, beside_keras.found(out), settings, quick, commands)


def train(point: Point, settings: Settings, seed: int) -> dict[str, Any]:
    """One training, see `solving.solve`, and the gradients before and after it, see `gradients.measure`.

    after is None where the training has diverged: of weights that are not finite there is no gradient.
    """
    task = TASKS[point.task](point.lag)
    network = CELLS[point.cell].network(task, point.lag, settings, point.rate, seed)
    looked_at = task.draw(MEASURED, np.random.default_rng([seed, GRADIENTS]))

    before = measure(network, looked_at, point.lag)
    result = solving.solve(network, task, settings.goal, settings.limit, seed)
    there = all(np.isfinite(w).all() for w in network.weights.values())
    return result | {
        "rate": point.rate,
        "before": before,
        "after": measure(network, looked_at, point.lag) if there else None,
    }


def _command(tasks: Sequence[str], cells: Sequence[str], seeds: int, quick: bool, keras: bool) -> str:
    """What trains the same again."""
    options = [f"--task {name}" for name in tasks] + [f"--cell {name}" for name in cells]
    options += ["--quick"] if quick else [f"--seeds {seeds}"]
    return " ".join([f"lstm-engine {COMMAND}", *options, *(["--keras"] if keras else [])])
