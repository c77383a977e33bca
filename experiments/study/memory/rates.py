"""Which learning rate a cell trains with: the best of six, tried for every task and lag with seeds that no result is from.

`rates.csv` is what `lstm-engine study memory --tune` found: a row for each training, with the sequences that it needed and
the error that it ended with. The second seed tries the rates that the first one solved the task with.
"""

from functools import cache
from pathlib import Path

import pandas as pd

RATES = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
SEEDS = (100, 101)
LAGS = (10, 25, 50, 100)  # a longer one takes the rate of the longest of these
FILE = Path(__file__).with_name("rates.csv")


def chosen(task: str, cell: str, lag: int) -> float:
    """The rate that most seeds solved the task with; of several the one that took the fewest sequences.

    Where no seed did: the one that ended with the smallest error. KeyError for a cell that was not tuned.
    """
    return best(_searched())[task, cell, max(tried for tried in LAGS if tried <= lag)]


def best(searched: pd.DataFrame) -> dict[tuple[str, str, int], float]:
    """By task, cell and lag, from a row for each training: task, cell, lag, rate, seed, sequences (or NaN), error."""
    scores = searched.assign(solved=searched["sequences"].notna()).groupby(["task", "cell", "lag", "rate"])
    table = scores.agg(solved=("solved", "sum"), sequences=("sequences", "mean"), error=("error", "mean")).reset_index()
    order = table.sort_values(["solved", "sequences", "error"], ascending=[False, True, True], kind="stable")
    first = order.drop_duplicates(["task", "cell", "lag"])
    return {(row.task, row.cell, int(row.lag)): float(row.rate) for row in first.itertuples()}


@cache
def _searched() -> pd.DataFrame:
    return pd.read_csv(FILE)
