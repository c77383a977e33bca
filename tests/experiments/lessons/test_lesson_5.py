"""Adam by hand is the engine's and Keras's, what the lesson says of its first steps holds, and its exercises' answers."""

import importlib.util
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.lessons.solutions import lesson_5 as solution


@pytest.fixture(scope="module")
def adam(lesson):
    return lesson(5, answer_1=solution.answer_1, answer_2=solution.answer_2)


def test_adam_by_hand_is_the_engines_and_keras_s(adam):
    """Both do the same operations in the same order; a power may be rounded otherwise, once a step: some 1e-16 each."""
    assert adam["engine_apart"] <= 80 * np.finfo(float).eps
    if importlib.util.find_spec("keras"):
        assert adam["keras_apart"] <= 80 * np.finfo(float).eps


def test_without_keras_the_lesson_runs_and_says_so(lesson_run_anew, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)  # an import then says that it is not there
    without = lesson_run_anew(5)
    assert without["keras_apart"] is None
    assert without["engine_apart"] is not None


def test_the_first_step_is_the_learning_rate_whatever_the_gradient(adam):
    """But for ε, which is at most 1e-7 / √0.001 of the smaller gradient, 1."""
    gradients, moves = adam["gs"][1], adam["path"][1] - adam["path"][0]
    assert gradients[0] == 30 * gradients[1]
    np.testing.assert_allclose(moves, -0.05, rtol=1e-7 / np.sqrt(0.001))


def test_the_numbers_in_the_equation_are_those_of_the_step(adam):
    g, m, v = (adam[name][1, 0] for name in ("gs", "ms", "vs"))
    assert adam["moved"] == pytest.approx(-adam["alpha_t"] * m / (np.sqrt(v) + 1e-7), rel=1e-13)
    assert (m, v) == (pytest.approx(0.1 * g), pytest.approx(0.001 * g * g))


def test_not_made_good_the_first_steps_are_too_long(adam):
    made_good, plain = adam["moments"]["the step"].values()
    assert (np.abs(plain[:10]) > 3 * np.abs(made_good[:10])).all()


def adam_at(lesson, **values):
    """The lesson with its sliders moved."""
    still = {"lr": 0.05, "beta_1": 0.9, "beta_2": 0.999, "noise": 0, "steep": 30} | values
    return lesson(5, **{name: SimpleNamespace(value=value) for name, value in still.items()})


@pytest.mark.parametrize(
    ("betas", "says"),
    [((0.9, 0.999), "too **long**"), ((0.9, 0.9), "too **short**"), ((0.9, 0.99), "right"), ((0, 0), "right")],
)
def test_what_the_lesson_says_of_the_first_step_not_made_good_follows_the_sliders(lesson, monkeypatch, betas, says):
    monkeypatch.setitem(sys.modules, "keras", None)  # slow to import, and not asked here
    moved = adam_at(lesson, beta_1=betas[0], beta_2=betas[1])
    made_good, plain = (step[0] for step in moved["moments"]["the step"].values())
    assert moved["times"] == pytest.approx(plain / made_good, rel=1e-5)  # ε is 1e-7 of √v, and √v at least 0.03 g
    assert says in moved["wrong"]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "nearer to 0"),
        ({"lr": 0.005}, "still on its way"),
        ({"lr": 0.1, "beta_1": 0.94}, "past 0"),
        ({"lr": 0.3, "beta_1": 0.96}, "past 0"),
    ],
)
def test_what_the_lesson_says_of_the_walk_follows_the_sliders(lesson, monkeypatch, values, says):
    monkeypatch.setitem(sys.modules, "keras", None)
    moved = adam_at(lesson, **values)
    assert says in moved["nearer"]
    assert ("nearer" in moved["nearer"]) == (abs(moved["path"][20, 1]) < abs(moved["downhill"][20][1]))


def test_keras_s_epsilon_stops_gradients_thirty_times_as_large_as_the_papers(adam):
    keras, paper = (np.searchsorted(steps, 0.5) for steps in adam["first"].values())
    step_of_g = 9 / 399  # decades between two gradients of the picture
    assert (keras - paper) * step_of_g == pytest.approx(np.log10(1 / np.sqrt(0.001)), abs=step_of_g)


def test_the_right_answers_are_right(adam):
    assert (adam["check_1"].state, adam["check_2"].state) == ("right", "right")


def test_misconceptions_are_wrong(lesson):
    """That v falls short as m does (its root counts), and that a gradient that changes its sign leaves no step at all."""
    answered = lesson(5, answer_1=lambda b1, b2: (1 - b1) / (1 - b2), answer_2=lambda b1: 0.0)
    assert (answered["check_1"].state, answered["check_2"].state) == ("wrong", "wrong")
