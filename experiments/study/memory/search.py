"""The search for learning rates: the same for every cell, task and lag."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.study import solving
from experiments.study.memory import rates
from experiments.study.memory.cells import CELLS
from experiments.study.memory.settings import TASKS, Settings, as_json
from experiments.study.seeds import Job, begin, gather

COMMAND = "study memory --tune"


def search(
    out: str | Path, tasks: tuple[str, ...], cells: tuple[str, ...], settings: Settings, jobs: int = 1,
    force: bool = False, update: Callable[[int, int], None] = lambda done, total: None,
) -> pd.DataFrame:  # fmt: skip
    """Trains every cell on every task and lag with every rate and choice seed; writes and returns rates.csv's rows."""
    grid = [
        (task, cell, lag, rate, seed)
        for seed in rates.SEEDS for task in tasks for lag in rates.LAGS for cell in cells for rate in rates.RATES
    ]  # fmt: skip
    depends = {f"{t}-{lag}": as_json(settings, TASKS[t](lag)) for t in tasks for lag in rates.LAGS}
    depends |= {cell: asdict(CELLS[cell]) for cell in cells}  # type: ignore[call-overload]
    run = begin(out, COMMAND, depends, force)
    trainings = [
        Job(f"{task}-{cell}-{lag}-{rate:g}", seed, train, (task, cell, lag, rate, settings))
        for task, cell, lag, rate, seed in grid
    ]
    found = gather(run, trainings, jobs, update)
    rows = [
        dict(zip(("task", "cell", "lag", "rate", "seed"), point, strict=True))
        | {"sequences": one["sequences"], "error": round(one["curve"][-1][1], 5), "seconds": round(one["seconds"], 2)}
        for point, one in zip(grid, found, strict=True)
    ]
    table = pd.DataFrame(rows).astype({"sequences": "Int64"})
    run.write("rates.csv", table.to_csv(index=False))
    return table


def train(task: str, cell: str, lag: int, rate: float, settings: Settings, seed: int) -> dict[str, Any]:
    """One training of the search: see `solving.solve`."""
    drawn = TASKS[task](lag)
    network = CELLS[cell].network(drawn, lag, settings, rate, seed)
    return solving.solve(network, drawn, settings.goal, settings.limit, seed, tested=False)
