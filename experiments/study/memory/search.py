"""The search for learning rates: the same for every cell, task and lag."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.study import solving
from experiments.study.memory import rates
from experiments.study.memory.cells import CELLS
from experiments.study.memory.points import Point, points
from experiments.study.memory.settings import TASKS, Settings, as_json
from experiments.study.seeds import Job, Stage, begin, gather, silent

COMMAND = "study memory --tune"


def search(
    out: str | Path, tasks: Sequence[str] = (), cells: Sequence[str] = (), settings: Settings | None = None, jobs: int = 1,
    force: bool = False, stage: Stage = silent,
) -> pd.DataFrame:  # fmt: skip
    """Trains every cell on every task and lag with every rate; writes and returns rates.csv's rows.

    The first choice seed tries every rate; the next one those that it solved the task with. tasks, cells: names; none is
    all. What is in `out` already is not trained again. ValueError for a name that is not there, FileExistsError for a
    folder of other settings.
    """
    settings = settings or Settings()
    places = [p for p in points(tasks, cells) if p.lag in rates.LAGS]
    depends = {f"{p.task}-{p.lag}": as_json(settings, TASKS[p.task](p.lag)) for p in places}
    depends |= {p.cell: asdict(CELLS[p.cell]) for p in places}  # type: ignore[call-overload]
    run = begin(out, COMMAND, depends, force)
    tried, rows = [(p, rate) for p in places for rate in rates.RATES], []
    for seed in rates.SEEDS:
        trainings = [Job(f"{p.what}-{rate:g}", seed, train, (p, rate, settings)) for p, rate in tried]
        found = gather(run, trainings, jobs, stage(f"Search, seed {seed}"))
        rows += [_row(p, rate, one) for (p, rate), one in zip(tried, found, strict=True)]
        tried = [which for which, one in zip(tried, found, strict=True) if one["sequences"] is not None]
    table = pd.DataFrame(rows).astype({"sequences": "Int64"})
    run.write("rates.csv", table.to_csv(index=False))
    return table


def _row(point: Point, rate: float, one: dict[str, Any]) -> dict[str, Any]:
    error, seconds = round(one["curve"][-1][1], 5), round(one["seconds"], 2)
    return asdict(point) | {
        "rate": rate,
        "seed": one["seed"],
        "sequences": one["sequences"],
        "error": error,
        "seconds": seconds,
    }


def train(point: Point, rate: float, settings: Settings, seed: int) -> dict[str, Any]:
    """One training of the search: see `solving.solve`."""
    task = TASKS[point.task](point.lag)
    network = CELLS[point.cell].network(task, point.lag, settings, rate, seed)
    return solving.solve(network, task, settings.goal, settings.limit, seed, tested=False)
