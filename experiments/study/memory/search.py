"""The search for learning rates: the same for every cell, task and lag."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.study import solving
from experiments.study.choosing import tried
from experiments.study.memory.settings import (
    CELLS,
    RATES,
    SEARCH_SEEDS,
    SEARCHED_LAGS,
    TASKS,
    Point,
    Settings,
    as_json,
    points,
)  # fmt: skip
from experiments.study.seeds import Job, Result, Stage, begin, silent

COMMAND = "study memory --tune"


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
    searched = [point for point in points(tasks, cells) if point.lag in SEARCHED_LAGS]
    depends = {f"{p.task}-{p.lag}": as_json(settings, TASKS[p.task](p.lag)) for p in searched}
    depends |= {p.cell: asdict(CELLS[p.cell]) for p in searched}  # type: ignore[call-overload]
    run = begin(out, COMMAND, depends, force)
    candidates = {
        p: {rate: Job(f"{p.what}-{rate:g}", 0, training, (p, rate, settings)) for rate in RATES} for p in searched
    }
    rows = []
    for seed in SEARCH_SEEDS:
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


def training(point: Point, rate: float, settings: Settings, seed: int) -> Result:
    """One training of the search: see `solving.solve`."""
    task, network = point.network(settings, rate, seed)
    return solving.solve(network, task, settings.goal, settings.limit, seed, tested=False)
