"""Lesson 3: the right answers to its exercises, and that its walks back, its nudges and its bugs are what it says."""

import inspect
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.lessons import way_back
from experiments.lessons.solutions import lesson_3 as solution
from lstm_engine.cells.lstm import lstm_backward


def at(w=1.2, u=0.7, y=-0.5):
    """The sliders of the first part moved."""
    return {name: SimpleNamespace(value=value) for name, value in {"w": w, "u": u, "y": y}.items()}


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (solution.answer_1, "right"),
        (lambda dc, i, g, c_before: dc * g, "wrong"),  # i goes two ways
        (lambda dc, i, g, c_before: dc * (g + c_before), "wrong"),
    ],
)
def test_a_coupled_gate_goes_two_ways(lesson, answer, state):
    assert lesson(3, answer_1=answer)["check_1"].state == state


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (solution.answer_2, "right"),
        (lambda dz, x: dz[-1] * x[-1], "wrong"),  # what was handed in
        (lambda dz, x: (dz * x).mean(), "wrong"),
    ],
)
def test_a_weight_gathers_a_term_from_every_step(lesson, answer, state):
    assert lesson(3, answer_2=answer)["check_2"].state == state


def test_the_report_on_what_was_handed_in_passes_x_alone(lesson):
    report = lesson(3)["handed_in_report"]
    assert {row.parameter: row.verdict for row in report.rows} == {
        "x": "passed",
        "w": "failed",
        "u": "failed",
        "b": "failed",
    }


@pytest.mark.parametrize("moved", [at(), at(w=-1.6, u=1.9, y=0.8), at(u=0.0)])
def test_the_sums_of_the_table_are_the_engines_gradients_and_the_nudged_loss_agrees(lesson, moved):
    defined = lesson(3, **moved)
    np.testing.assert_allclose(defined["by_hand"], defined["engine"], rtol=0, atol=1e-14)  # of size 1
    np.testing.assert_allclose(defined["nudged"], defined["engine"], rtol=0, atol=1e-6)  # h² = 1e-8 times L'''/6


def test_each_row_hands_its_last_number_to_the_next(lesson):
    rows = lesson(3)["rows"]
    assert [row[0] for row in rows] == [2, 1, 0]
    assert [row[-1] for row in rows[:-1]] == [row[1] for row in rows[1:]]


def test_with_u_at_0_only_the_last_step_teaches(lesson):
    last, *earlier = lesson(3, **at(u=0.0))["rows"]
    assert last[3] != 0
    assert not np.any([row[1:] for row in earlier])


def test_the_walk_through_the_lstm_is_the_engines(lesson):
    defined = lesson(3)
    assert set(defined["deltas"][0]) == {"h", "c", "i", "f", "g", "o", "z_i", "z_f", "z_g", "z_o", "h'", "c'"}
    assert defined["apart"] < 1e-14


def test_what_is_above_is_above_where_code_is_not_shown(read_lesson):
    before, after = read_lesson(3).split("Let it read")
    for name in ("forward", "walk_back", "backward"):
        assert f"\ndef {name}(" in f"\n{before.split('two terms:')[1].strip()}"
        assert f"def {name}(" not in after


def test_our_own_functions_are_proved(lesson):
    assert lesson(3)["gradcheck_report"].ok


def test_every_way_stands_in_the_engine_as_it_is_quoted():
    ways = way_back.ways()
    assert len(ways) == 6
    for way in ways:
        assert way.line in inspect.getsource(lstm_backward)


def test_every_bug_is_named_at_its_line():
    assert list(way_back.BUGS) == list(way_back.NAMES)
    for bug in way_back.BUGS.values():
        report = way_back.report(bug)
        assert not report.ok
        assert report.departure.quantity == bug.departs
        assert report.departure.code in inspect.getsource(lstm_backward)


def test_a_network_with_a_bug_learns_all_the_same():
    right = way_back.losses()
    for bug in way_back.BUGS.values():
        wrong = way_back.losses(bug)
        assert wrong[-1] < 0.1 * wrong[0]
        assert not np.array_equal(wrong, right)
