"""The learning rates: costs that decide; and in the gap study, who learns nothing at a gap is not asked for more."""

import numpy as np
import pytest

from experiments.study import choosing
from experiments.study.gap import study as gap
from experiments.study.gap.settings import Plan, Settings, choice_of
from experiments.study.seeds import begin
from experiments.study.tasks.late_digits import Condition

# -- costs -------------------------------------------------------------------------------------------------------------


def test_the_best_mean_accuracy_is_chosen_and_of_equal_ones_the_first():
    def trials(*accuracies):
        return {rate: [{"accuracy": a} for a in own] for rate, own in zip((0.1, 0.01), accuracies, strict=True)}

    assert choosing.best(trials((0.9, 0.8), (0.8, 0.8)), choosing.by_accuracy) == 0.1
    assert choosing.best(trials((0.7, 0.8), (0.8, 0.8)), choosing.by_accuracy) == 0.01
    assert choosing.best(trials((0.8, 0.8), (0.8, 0.8)), choosing.by_accuracy) == 0.1


def test_where_all_fail_the_lowest_error_chooses_and_what_diverged_is_last():
    curves = ([[80, 0.1]], [[80, 0.3]], [[80, float("nan")]], [[80, None]], [])  # a file has null for NaN
    failed = [choosing.by_sequences([{"trained": 80, "curve": curve}]) for curve in curves]
    assert failed[0] < failed[1] < failed[2] == failed[3] == failed[4]
    assert choosing.by_sequences([{"trained": 60, "curve": [[60, 0.2]]}]) < failed[0]


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ([(900, 0.2), (950, 0.2)], [(500, 0.0), (None, 0.0)]),  # more seeds before fewer sequences
        ([(500, 0.2), (700, 0.2)], [(900, 0.0), (900, 0.0)]),  # fewer sequences before a smaller error
        ([(None, 0.1), (np.nan, 0.1)], [(None, 0.2), (np.nan, 0.2)]),  # of two that failed the smaller error
        ([(None, 0.3), (900, 0.3)], [(None, 0.1), (None, 0.1)]),
    ],
)
def test_most_seeds_then_fewest_sequences_then_the_smallest_error(better, worse):
    costs = [
        choosing.by_solved([{"sequences": n, "error": error} for n, error in trials]) for trials in (better, worse)
    ]
    assert costs[0] < costs[1]


# -- the gap study -----------------------------------------------------------------------------------------------------

CELLS = ("lstm0", "lstm1")
PLAN = Plan(gaps=(0, 10, 20, 50), others=(Condition(first=10),), choice_seeds=(100, 101))
SETTINGS = Settings(rates=(0.1, 0.01))

# the accuracy of rates .1 and .01 by cell and condition; whatever is not here is of a training that must not be
TEACHES = {
    ("lstm0", "gap0"): (0.5, 0.8), ("lstm0", "gap10"): (0.14, 0.11), ("lstm0", "first10"): (0.3, 0.2),
    ("lstm1", "gap0"): (0.9, 0.8), ("lstm1", "gap10"): (0.1, 0.15), ("lstm1", "gap20"): (0.1, 0.12),
    ("lstm1", "first10"): (0.1, 0.1),
}  # fmt: skip


@pytest.fixture(scope="module")
def chosen(tmp_path_factory):
    """The choices by cell and condition, and the trials that were made, in their order. Not to be changed.

    No network is trained: the accuracy is that of TEACHES, and the seed moves it up or down by .02.
    """
    made = []

    def trial(folder, cell, condition, settings, rate, seed):
        made.append((cell, condition.key, rate, seed))
        accuracy = TEACHES[cell, condition.key][settings.rates.index(rate)] + 0.02 * (-1) ** seed
        return {"cell": cell, "rate": rate, "accuracy": accuracy, "seconds": 2.0}

    run = begin(tmp_path_factory.mktemp("choices"), "study gap", {})
    with pytest.MonkeyPatch.context() as m:
        m.setattr(gap, "trial", trial)
        choices = gap.choose(run, "data", CELLS, PLAN, SETTINGS, 1, lambda title: lambda done, total: None)
    return {(choice.cell, choice.condition.key): choice for choice in choices}, made


@pytest.fixture
def choices(chosen):
    return chosen[0]


def test_each_rate_is_tried_by_each_cell_with_each_seed(chosen):
    _, made = chosen
    assert {(cell, rate, seed) for cell, key, rate, seed in made if key == "gap0"} == {
        (cell, rate, seed) for cell in CELLS for rate in (0.1, 0.01) for seed in (100, 101)
    }
    assert len(set(made)) == len(made)


def test_the_rate_is_that_of_the_condition_itself(choices):
    assert {key: choices["lstm1", key].rate for key in ("gap0", "gap10")} == {"gap0": 0.1, "gap10": 0.01}
    assert choices["lstm0", "gap0"].rate == 0.01


def test_a_cell_that_no_rate_teaches_is_not_tried_at_longer_gaps_but_without_one(choices):
    assert [key for key in choices if key[0] == "lstm0"] == [("lstm0", key) for key in ("gap0", "gap10", "first10")]
    assert [key for key in choices if key[0] == "lstm1"] == [
        ("lstm1", key) for key in ("gap0", "gap10", "gap20", "first10")
    ]
    assert [choices[key].learnt for key in choices if key[1] in ("gap10", "gap20")] == [False, True, False]


def test_what_was_tried_is_kept_by_rate_and_its_time_added_up(choices):
    choice = choices["lstm0", "gap0"]
    assert choice.tried == {0.1: pytest.approx([0.52, 0.48]), 0.01: pytest.approx([0.82, 0.78])}
    assert choice.held_out == pytest.approx(0.8)
    assert choice.seconds == 8.0


def test_guessing_is_below_the_mark():
    def choice(accuracy):
        return choice_of("gru", Condition(), {0.1: [{"accuracy": accuracy, "seconds": 0.0}]}, 0.15)

    assert choice(0.15).learnt
    assert not choice(0.1499).learnt
