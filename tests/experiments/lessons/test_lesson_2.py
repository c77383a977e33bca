"""Lesson 2: the right answers to its exercises, and that the numbers in its equations are the engine's."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.lessons.solutions import lesson_2 as solution


def played(lesson, listen=0, x=(0.0, 1.0, *6 * [0.0]), step=2, **gates):
    """The lesson with its sliders moved."""
    from experiments.lessons.lesson_2_lstm_cell import PRESETS  # not above: it needs marimo

    values = {
        "listen": list(PRESETS)[listen], "inputs": list(x), "at": step, "gates": {"i": 0.5, "f": 0.9, "o": 0.8} | gates,
    }  # fmt: skip
    return lesson(2, **{name: SimpleNamespace(value=value) for name, value in values.items()})


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (solution.answer_1, "right"),
        (lambda i, f, g, k: i * g / (1 - f), "wrong"),  # where it ends, not where it is
        (lambda i, f, g, k: k * i * g * f, "wrong"),
        (lambda i, f, g, k: i * g * f**k, "wrong"),  # one pulse, not one at each step
    ],
)
def test_a_leaky_memory_is_a_geometric_series(lesson, answer, state):
    assert lesson(2, answer_1=answer)["check_1"].state == state


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (solution.answer_2, "right"),
        (lambda k: (1, np.tanh(1)), "wrong"),  # at f = 1 the cell has no ceiling
        (lambda k: (k, k), "wrong"),  # the output has
    ],
)
def test_open_gates_count(lesson, answer, state):
    assert lesson(2, answer_2=answer)["check_2"].state == state


@pytest.mark.parametrize(
    ("weights", "state"),
    [
        (solution.answer_3(), "right"),
        ((10, -5, 0, 5), "wrong"),  # f stays open: notes add up
        ((10, -5, 10, -5), "wrong"),  # f opens with the signal: the note is forgotten at once after it
        ((-10, 5, 10, -5), "wrong"),  # notes everything but what it should
    ],
)
def test_a_note_is_taken_when_i_opens_and_f_shuts(lesson, weights, state):
    assert lesson(2, answer_3=lambda: weights)["check_3"].state == state


@pytest.mark.parametrize("listen", range(3))
def test_the_cell_by_hand_is_the_engines(lesson, listen):
    defined = played(lesson, listen, [0.3, -1.0, 0.7, 1.0, 0.0, -0.4, 0.9, 0.1], i=0.3, f=0.7, o=0.6)
    assert defined["apart"] < 1e-15  # values below 1, a few roundings each


@pytest.mark.parametrize("step", [0, 3, 7])
def test_the_equations_say_what_the_engine_has(lesson, step):
    defined = played(lesson, 2, [0.3, -1.0, 0.7, 1.0, 0.0, -0.4, 0.9, 0.1], step)
    for line in defined["equations"]:
        name, said = line[0], float(re.findall(r"-?\d+\.\d\d", line)[-1])
        assert said == pytest.approx(defined["inside"][name][0, step, 0], abs=0.005 + 1e-12)  # two decimals


def test_the_drawing_has_the_numbers_of_the_step(lesson):
    defined = played(lesson, 2, [0.3, -1.0, 0.7, 1.0, 0.0, -0.4, 0.9, 0.1], 3)
    for name in "ifgoch":
        assert defined["values"][name] == pytest.approx(defined["traces"][name][3], rel=1e-12)
    assert defined["values"]["c_prev"] == pytest.approx(defined["traces"]["c"][2], rel=1e-12)
    assert defined["values"]["x"] == 1.0


def test_resting_gates_keep_a_power_of_f(lesson):
    c = played(lesson, f=0.9)["traces"]["c"]
    np.testing.assert_allclose(c[6], c[1] * 0.9**5, rtol=1e-12)


def test_a_shut_output_gate_hides_the_memory_and_does_not_change_it(lesson):
    shown, hidden = (played(lesson, o=o)["traces"] for o in (0.8, 0.02))
    np.testing.assert_array_equal(shown["c"], hidden["c"])
    assert np.abs(hidden["h"]).max() < 0.02


@pytest.mark.parametrize(("i", "f"), [(0.5, 0.98), (0.98, 0.9), (0.3, 0.5)])
def test_the_memorys_ceiling_is_what_the_engine_ends_at(lesson, i, f):
    defined = played(lesson, x=8 * [1.0], i=i, f=f)
    end = defined["resting"](i, f, np.tanh(1), 0.8, 3000)[0]  # .98 to the 3000th is 5e-27
    assert defined["ceiling"] == pytest.approx(end, rel=1e-12)
    assert defined["traces"]["c"].max() < defined["ceiling"]


def test_the_memory_climbs_past_1_and_the_output_cannot(lesson):
    defined = played(lesson, x=8 * [1.0], f=0.98)
    assert defined["ceiling"] > 10  # "far up"
    assert defined["traces"]["c"].max() > 1 > defined["traces"]["h"].max()


def test_listening_to_the_input_replaces_at_a_positive_one_and_ignores_a_negative(lesson):
    c = played(lesson, 1, [1.0, -1.0, 0.0, 0.0, 0.3, 0.0, 0.0, 0.0], i=0.02, f=0.98)["traces"]["c"]
    assert c[1] == pytest.approx(c[0], rel=1e-3)
    assert c[1] > 0.5 * np.tanh(1)
