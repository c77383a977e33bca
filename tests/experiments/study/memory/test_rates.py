"""The learning rates: chosen by a rule from a search that covers the whole grid, on seeds that no result is from."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from experiments.study.memory import rates
from experiments.study.memory.cells import CELLS
from experiments.study.memory.settings import LAGS, TASKS

COLUMNS = ["task", "cell", "lag", "rate", "seed", "sequences", "error"]
NONE = np.nan


def searched(*rows):
    """Rows of (rate, sequences of both seeds, error)."""
    return pd.DataFrame(
        [
            ("it", "rnn", 10, rate, seed, n, error)
            for rate, needed, error in rows
            for seed, n in zip(rates.SEEDS, needed, strict=True)
        ],
        columns=COLUMNS,
    )


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([(0.03, (500, NONE), 0.0), (0.01, (900, 950), 0.2)], 0.01),  # more seeds before fewer sequences
        ([(0.03, (900, 900), 0.0), (0.01, (500, 700), 0.2)], 0.01),  # fewer sequences before a smaller error
        ([(0.03, (NONE, NONE), 0.2), (0.01, (NONE, NONE), 0.1)], 0.01),  # of two that failed the smaller error
        ([(0.03, (NONE, NONE), 0.1), (0.01, (NONE, 900), 0.3)], 0.01),
    ],
)
def test_the_best_rate_is_that_of_most_seeds_then_fewest_sequences_then_smallest_error(rows, wanted):
    assert rates.best(searched(*rows)) == {("it", "rnn", 10): wanted}
    assert rates.best(searched(*rows[::-1])) == {("it", "rnn", 10): wanted}


def test_the_shipped_search_is_whole():
    """The first seed tried every cell, task, lag and rate once, the second what the first one solved."""
    found = pd.read_csv(rates.FILE).set_index(["task", "cell", "lag", "rate"])
    first, second = (found[found["seed"] == seed] for seed in rates.SEEDS)
    assert first.index.is_unique
    assert second.index.is_unique
    assert set(first.index) == set(product(TASKS, CELLS, rates.LAGS, rates.RATES))
    assert set(second.index) == set(first[first["sequences"].notna()].index)
    assert len(found) == len(first) + len(second)


def test_no_choice_seed_is_one_that_results_are_from():
    assert min(rates.SEEDS) >= 100


def test_a_lag_that_was_not_searched_takes_the_rate_of_the_longest_shorter_one():
    assert max(LAGS) > max(rates.LAGS)
    for task in TASKS:
        assert rates.chosen(task, "chrono", 200) == rates.chosen(task, "chrono", 100)
        assert rates.chosen(task, "chrono", 30) == rates.chosen(task, "chrono", 25)
