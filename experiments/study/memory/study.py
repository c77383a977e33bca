"""The study: every cell on every task at every lag, a process each; then a report of all that the folder holds.

And the search for learning rates, the same for every cell, task and lag.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.study import solving
from experiments.study.choosing import tried
from experiments.study.memory import beside_keras, report
from experiments.study.memory import settings as grid
from experiments.study.memory.gradients import measure
from experiments.study.memory.settings import CELLS, TASKS, Point, Settings, points
from experiments.study.seeds import Job, Result, Stage, begin, command_line, gather, made_by, silent, standing

COMMAND, TUNE = "study memory", "study memory --tune"
QUICK_SEEDS = 2
MEASURED = 4  # sequences whose gradients are measured
GRADIENTS = 4  # with a seed, the seed of their generator (solving uses 2 and 3, a network another one)


def study(*arguments: Any, **options: Any) -> dict[str, Any]:
    """`train`, and a report of it: report.html, memory.json, PNGs, trainings.csv. Returns the report's numbers."""
    return report.write(*train(*arguments, **options))


def train(
    out: str | Path, tasks: Sequence[str] = (), cells: Sequence[str] = (), seeds: int = 3, quick: bool = False,
    keras: bool = False, jobs: int = 1, force: bool = False, settings: Settings | None = None, stage: Stage = silent,
) -> tuple[Any, ...]:  # fmt: skip
    """Runs the missing trainings in the folder `out`, and returns what `report.write` takes.

    tasks, cells: names of `TASKS` and `CELLS`; none is all. quick: few points (see `points`), with QUICK_SEEDS seeds. keras:
    one task by Keras too, see `beside_keras`. What `out` holds already is not trained again, and all of it is reported.
    ValueError for an unknown name, FileExistsError for a folder of other settings; force empties it.
    """
    settings = settings or Settings()
    wanted = points(tasks, cells, quick)
    seeds = min(seeds, QUICK_SEEDS) if quick else seeds
    known = [p for p in points() if p in wanted or (not force and standing(out, p.what))]
    depends = {p.what: p.as_json(settings) | {"tested": solving.TESTED, "measured": MEASURED} for p in known}
    point = beside_keras.POINT
    depends |= {"keras": point.as_json(settings) | {"cell": point.cell}}
    run = begin(out, COMMAND, depends, force)
    trainings = [Job(p.what, seed, training, (p, settings)) for seed in range(seeds) for p in wanted]
    gather(run, trainings, jobs, stage("Training"))
    if keras:
        gather(run, beside_keras.jobs(settings), jobs, stage("Beside Keras"))
    command = command_line(COMMAND, task=tasks, cell=cells, quick=quick, seeds=None if quick else seeds, keras=keras)
    commands = made_by(run.folder / report.NUMBERS, command, force)
    results = {p: standing(out, p.what) for p in known}
    return run, results, beside_keras.results_of(out), settings, quick, commands


def training(point: Point, settings: Settings, seed: int) -> Result:
    """One training, see `solving.solve`, and the gradients before and after it, see `gradients.measure`.

    after is None where the training has diverged: weights that are not finite have no gradient.
    """
    task, network = point.network(settings, point.rate, seed)
    measured = task.draw(MEASURED, np.random.default_rng([seed, GRADIENTS]))

    before = measure(network, measured, point.lag)
    result = solving.solve(network, task, settings.goal, settings.limit, seed)
    finite = all(np.isfinite(w).all() for w in network.weights.values())
    return result | {
        "rate": point.rate,
        "before": before,
        "after": measure(network, measured, point.lag) if finite else None,
    }


# -- the search for learning rates -------------------------------------------------------------------------------------


def search(
    out: str | Path, tasks: Sequence[str] = (), cells: Sequence[str] = (), settings: Settings | None = None, jobs: int = 1,
    force: bool = False, stage: Stage = silent,
) -> pd.DataFrame:  # fmt: skip
    """Trains every cell on every task and lag with every rate; writes and returns the rows of rates.csv.

    The first of SEARCH_SEEDS tries every rate; the next one those with which the first solved the task. tasks, cells: names;
    none is all. What `out` holds already is not trained again. ValueError for an unknown name, FileExistsError for a
    folder of other settings.
    """
    settings = settings or Settings()
    searched = [point for point in points(tasks, cells) if point.lag in grid.SEARCHED_LAGS]
    depends = {f"{p.task}-{p.lag}": grid.as_json(settings, TASKS[p.task](p.lag)) for p in searched}
    depends |= {p.cell: asdict(CELLS[p.cell]) for p in searched}
    run = begin(out, TUNE, depends, force)
    candidates = {
        p: {rate: Job(f"{p.what}-{rate:g}", 0, trial, (p, rate, settings)) for rate in grid.RATES} for p in searched
    }
    rows = []
    for seed in grid.SEARCH_SEEDS:
        trials = tried(run, candidates, (seed,), jobs, stage(f"Search, seed {seed}"))
        rows += [_row(p, rate, result) for p, by_rate in trials.items() for rate, (result,) in by_rate.items()]
        candidates = {
            p: {rate: job for rate, job in by_rate.items() if trials[p][rate][0]["sequences"] is not None}
            for p, by_rate in candidates.items()
        }
    table = pd.DataFrame(rows).astype({"sequences": "Int64"})
    run.write("rates.csv", table.to_csv(index=False))
    return table


def _row(point: Point, rate: float, result: Result) -> dict[str, Any]:
    return asdict(point) | {
        "rate": rate,
        "seed": result["seed"],
        "sequences": result["sequences"],
        "error": round(result["curve"][-1][1], 5),
        "seconds": round(result["seconds"], 2),
    }


def trial(point: Point, rate: float, settings: Settings, seed: int) -> Result:
    """One training of the search: see `solving.solve`."""
    task, network = point.network(settings, rate, seed)
    return solving.solve(network, task, settings.goal, settings.limit, seed, tested=False)
