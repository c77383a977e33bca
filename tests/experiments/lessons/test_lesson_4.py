"""Lesson 4: the right answers to its exercises, and what it says of gradients, biases and learning."""

from types import SimpleNamespace

import numpy as np
import pytest

from experiments.lessons.solutions import lesson_4 as solution


def at(lesson, ρ=None, activation="tanh", b_f=None, between=None):
    """The lesson with some sliders moved."""
    moved = {} if ρ is None else {"ρ": ρ, "activation": activation}
    moved |= {} if b_f is None else {"b_f": b_f}
    moved |= {} if between is None else {"between": between}
    return lesson(4, **{name: SimpleNamespace(value=value) for name, value in moved.items()})


def answered(lesson, **answers):
    """The lesson with answers; its networks are not trained again."""
    trained = lesson(4)
    names = ("lstm_loss", "lstm_right", "rnn_loss", "rnn_right")
    return lesson(4, **answers, **{name: trained[name] for name in names})


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (solution.answer_1, "right"),
        (lambda k: 0.5 ** (1 / k), "wrong"),  # the gate, not its bias
        (lambda k: np.log(k), "wrong"),
    ],
)
def test_the_bias_for_a_half_life(lesson, answer, state):
    assert answered(lesson, answer_1=answer)["check_1"].state == state


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (solution.answer_2, "right"),
        (lambda U: np.linalg.norm(U, 2), "wrong"),  # the most that one step can do
        (lambda U: np.linalg.eigvals(U).max(), "wrong"),  # the largest, not the largest in size
        (lambda U: np.abs(U).max(), "wrong"),
    ],
)
def test_the_long_run_is_the_spectral_radius(lesson, answer, state):
    assert answered(lesson, answer_2=answer)["check_2"].state == state


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (solution.answer_3, "right"),
        (lambda f: np.cumprod(f[::-1])[::-1], "wrong"),  # c_t is behind its own gate f_t
        (lambda f: np.cumprod(f), "wrong"),
    ],
)
def test_along_the_cell_the_later_gates_are_multiplied(lesson, answer, state):
    assert answered(lesson, answer_3=answer)["check_3"].state == state


def test_a_linear_network_of_rotations_loses_a_power_of_the_radius(lesson):
    lags = at(lesson, 0.8, "linear")["rnn_lags"]
    np.testing.assert_allclose(lags, lags[0] * 0.8 ** np.arange(len(lags)), rtol=1e-12)


def test_the_tanh_makes_it_less(lesson):
    lags = at(lesson, 1.2)["rnn_lags"]
    assert (lags[1:] < lags[0] * 1.2 ** np.arange(1, len(lags))).all()


def test_the_forget_bias_sets_how_far_back_the_cell_reaches(lesson):
    short, long = at(lesson, b_f=0), at(lesson, b_f=5)
    assert short["halves"] < 2 < 50 < long["halves"]
    for defined in (short, long):
        np.testing.assert_allclose(defined["split"].total, defined["split"].forget + defined["split"].gates, rtol=1e-12)
    assert long["lags"]["forget"][40] > 0.5 * long["lags"]["forget"][0]
    assert short["lags"]["forget"][40] < 1e-9 * short["lags"]["forget"][0]


def test_a_sentence_is_settled_by_its_first_word(lesson):
    x, y = lesson(4)["sentences"](12, 50, seed=3)
    np.testing.assert_array_equal(x[:, 0, 1], y[:, 0])  # planes
    np.testing.assert_array_equal(x.sum(axis=-1), 1)
    assert not x[:, 1:, :2].any()  # and no other says anything


def test_forty_words_later_the_lstm_notices_and_the_simple_network_does_not(lesson):
    defined = at(lesson, 0.8, b_f=5, between=40)
    assert defined["rnn_right"] < 0.65 < 0.95 < defined["lstm_right"]


def test_it_takes_the_high_forget_bias(lesson):
    assert at(lesson, b_f=1, between=40)["lstm_right"] < 0.65


def test_few_words_later_both_notice(lesson):
    defined = at(lesson, 0.8, b_f=1, between=10)
    assert min(defined["rnn_right"], defined["lstm_right"]) > 0.95
