"""The learning rates: chosen by a rule from a search that covers the whole grid, on seeds that no result is from."""

from itertools import product

import numpy as np
import pandas as pd

from experiments.study.memory import settings as grid
from experiments.study.memory.settings import CELLS, LAGS, RATES, SEARCH_SEEDS, SEARCHED_LAGS, TASKS


def test_each_cell_on_each_task_at_each_lag_has_the_best_of_its_own_rates():
    columns = ["task", "cell", "lag", "rate", "seed", "sequences", "error"]
    rows = [
        ("it", "rnn", 10, 0.03, 100, 500, 0.0), ("it", "rnn", 10, 0.03, 101, np.nan, 0.0),
        ("it", "rnn", 10, 0.01, 100, 900, 0.2), ("it", "rnn", 10, 0.01, 101, 950, 0.2),
        ("it", "rnn", 25, 0.03, 100, 500, 0.0),
        ("it", "gru", 10, 0.03, 100, 500, 0.0), ("it", "gru", 10, 0.01, 100, 400, 0.0),
    ]  # fmt: skip
    wanted = {("it", "rnn", 10): 0.01, ("it", "rnn", 25): 0.03, ("it", "gru", 10): 0.01}
    for order in (rows, rows[::-1]):
        assert grid.best_of(pd.DataFrame(order, columns=columns)) == wanted


def test_the_shipped_search_is_whole():
    """The first seed tried every cell, task, lag and rate once, the second what the first one solved."""
    table = pd.read_csv(grid.RATES_FILE).set_index(["task", "cell", "lag", "rate"])
    first, second = (table[table["seed"] == seed] for seed in SEARCH_SEEDS)
    assert first.index.is_unique
    assert second.index.is_unique
    assert set(first.index) == set(product(TASKS, CELLS, SEARCHED_LAGS, RATES))
    assert set(second.index) == set(first[first["sequences"].notna()].index)
    assert len(table) == len(first) + len(second)


def test_no_choice_seed_is_one_that_results_are_from():
    assert min(SEARCH_SEEDS) >= 100


def test_a_lag_that_was_not_searched_takes_the_rate_of_the_longest_shorter_one():
    assert max(LAGS) > max(SEARCHED_LAGS)
    for task in TASKS:
        assert grid.chosen(task, "chrono", 200) == grid.chosen(task, "chrono", 100)
        assert grid.chosen(task, "chrono", 30) == grid.chosen(task, "chrono", 25)
