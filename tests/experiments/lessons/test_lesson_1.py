"""Lesson 1: the right answers to its exercises, and what it says of a recurrent unit."""

from types import SimpleNamespace

import numpy as np
import pytest


def at(w=1.0, u=0.9, b=0.0, signal="one pulse"):
    """The sliders moved."""
    values = {"w": w, "u": u, "b": b, "signal": signal}
    signals = ["one pulse", "a pulse and its opposite", "three syllables"]
    return {name: SimpleNamespace(value=value) for name, value in values.items()} | {"signals": signals}


def test_each_input_counts_with_a_power_of_u(lesson):
    def answer(x, w, u):
        return sum(w * u ** (len(x) - 1 - t) * x_t for t, x_t in enumerate(x))

    assert lesson(1, answer_1=answer)["check_1"].state == "right"


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
        ((2.0, 1.5, 0.0), "right"),  # |u| > 1: the tanh catches what would grow
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
        (lambda T, D, H: D * H + H * H + H, "right"),
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
    assert (defined["share"] <= 0.9 ** np.arange(len(defined["share"])) * (1 + 1e-12)).all()


def test_a_unit_that_listens_to_itself_too_much_sticks(lesson):
    defined = lesson(1, **at(u=1.5))
    assert defined["share"][-1] > 0.5


def test_at_a_high_rest_it_forgets_all_the_same(lesson):
    assert lesson(1, **at(u=1.2, b=1.0))["share"][-1] < 1e-3
