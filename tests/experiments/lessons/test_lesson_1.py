"""Lesson 1: the right answers to its exercises, and what it says of a recurrent unit."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import brentq

from experiments.lessons.solutions import lesson_1 as solution


def at(w=1.0, u=0.9, b=0.0, signal="one pulse"):
    """The sliders moved."""
    values = {"w": w, "u": u, "b": b, "signal": signal}
    signals = ["one pulse", "a pulse and its opposite", "three syllables"]
    return {name: SimpleNamespace(value=value) for name, value in values.items()} | {"signals": signals}


def test_each_input_counts_with_a_power_of_u(lesson):
    assert lesson(1, answer_1=solution.answer_1)["check_1"].state == "right"


@pytest.mark.parametrize(
    "answer",
    [
        lambda x, w, u: sum(w * u**t * x_t for t, x_t in enumerate(x)),  # the first input counts most
        lambda x, w, u: sum(w * u ** (len(x) - t) * x_t for t, x_t in enumerate(x)),  # off by one
        lambda x, w, u: w * x[-1] + u * sum(x[:-1]),  # all past inputs alike
    ],
)
def test_no_other_weighting_of_the_inputs_is_right(lesson, answer):
    assert lesson(1, answer_1=answer)["check_1"].state == "wrong"


@pytest.mark.parametrize(
    ("weights", "state"),
    [
        (solution.answer_2(), "right"),  # |u| > 1: the tanh catches what would grow
        ((2.0, 0.9, 0.0), "wrong"),  # fades
        ((2.0, 1.0, 0.0), "wrong"),  # fades, too, if slowly
        ((2.0, 1.5, 0.8), "wrong"),  # holds something even if there was no pulse
        ((2.0, -1.5, 0.0), "right"),  # swings, and is back after an even number of steps
    ],
)
def test_a_switch_listens_to_itself_more_than_it_forgets(lesson, weights, state):
    assert lesson(1, answer_2=lambda: weights)["check_2"].state == state


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (solution.answer_3, "right"),
        (lambda T, D, H: T * (D * H + H * H + H), "wrong"),  # every step has the same ones
        (lambda T, D, H: D * H + H + H, "wrong"),  # every unit hears every other
    ],
)
def test_the_number_of_weights_does_not_know_how_long_a_sequence_is(lesson, answer, state):
    assert lesson(1, answer_3=answer)["check_3"].state == state


@pytest.mark.parametrize("signal", at()["signals"])
def test_the_loop_is_the_engines_unit(lesson, signal):
    defined = lesson(1, **at(w=1.7, u=-0.8, b=0.3, signal=signal))
    np.testing.assert_allclose(defined["h"], defined["engine_h"], rtol=0, atol=1e-15)  # rounding, |h| < 1
    assert defined["model"].count_params() == 3


def test_a_pulse_fades_at_least_as_fast_as_the_powers_of_u(lesson):
    defined = lesson(1, **at(u=0.9, b=0.2))
    share = defined["share"][:100]  # afterwards two runs differ by rounding alone
    assert (share <= 0.9 ** np.arange(100) * (1 + 1e-9)).all()
    assert "It fades.**" in defined["what"]


@pytest.mark.parametrize("w", [1.0, 2.0])
@pytest.mark.parametrize("u", [1.05, 1.5, -1.05, -1.5])
def test_a_unit_that_listens_to_itself_too_much_sticks(lesson, w, u):
    defined = lesson(1, **at(w=w, u=u))
    held = brentq(
        lambda h: np.tanh(abs(u) * h) - h, 0.1, 1
    )  # the unit's other resting place, or what it swings between
    assert defined["stays"]
    assert defined["share"][-1] == pytest.approx(held / np.tanh(w), rel=1e-9)
    assert f"**It stays:** {held / np.tanh(w):.0%} is there" in defined["what"]


@pytest.mark.parametrize(("u", "b"), [(1.2, 1.0), (1.0, 0.0), (-1.0, 0.0), (1.05, 0.1), (1.25, -0.1), (-1.05, 1.0)])
def test_it_forgets_all_the_same_where_it_has_one_resting_place(lesson, u, b):
    h = np.linspace(-1, 1, 100_001)
    away = np.tanh(u * h + b) - h
    assert np.count_nonzero(np.diff(away[away != 0] > 0)) == 1  # of h = tanh(u h + b)
    defined = lesson(1, **at(u=u, b=b))
    assert not defined["stays"]
    assert "It fades all the same" in defined["what"]


def test_the_loop_is_shown_where_code_is_not(read_lesson):
    before, after = read_lesson(1).split("in code it is a loop:")
    assert after.strip().startswith("def unroll(")
    assert "def unroll(" not in before


def test_a_unit_that_does_not_listen_never_heard_it(lesson):
    assert "never heard" in lesson(1, **at(w=0.0, u=1.5))["what"]
