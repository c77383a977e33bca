"""Which learning rate a cell trains with: the best of six, tried for every task and lag with seeds that no result uses.

`rates.csv` is what `lstm-engine study memory --tune` found: one row for each training, with the sequences that it needed and
its error at the end. The second seed tries the rates with which the first one solved the task.
"""

from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.study.choosing import best, by_solved

RATES = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
SEEDS = (100, 101)
LAGS = (10, 25, 50, 100)  # a longer one takes the rate of the longest of these
FILE = Path(__file__).with_name("rates.csv")


def chosen(task: str, cell: str, lag: int) -> float:
    """The best rate by `choosing.by_solved`. KeyError for a cell that was not tuned."""
    return best_of(_searched())[task, cell, max(searched for searched in LAGS if searched <= lag)]


def best_of(table: pd.DataFrame) -> dict[tuple[str, str, int], float]:
    """By task, cell and lag; from a row for each training: task, cell, lag, rate, seed, sequences (or NaN), error."""
    trials: dict[tuple[str, str, int], dict[float, list[dict[str, Any]]]] = {}
    for row in table.sort_values("rate", kind="stable").to_dict("records"):
        place = row["task"], row["cell"], row["lag"]
        trials.setdefault(place, {}).setdefault(row["rate"], []).append(row)
    return {place: best(by_rate, by_solved) for place, by_rate in trials.items()}


@cache
def _searched() -> pd.DataFrame:
    return pd.read_csv(FILE)
