"""Lesson 11: the right answers to its exercises, and that its GRU and its two directions are the engine's."""

from types import SimpleNamespace

import numpy as np
import pytest

from experiments.lessons.solutions import lesson_11 as solution

X = [0.3, -1.0, 0.7, 1.0, 0.0, -0.4, 0.9, 0.1]


def played(lesson, variant=0, listen=1, step=3, **rest):
    """The lesson with its sliders moved."""
    from experiments.lessons.lesson_11_gru import LISTEN, VARIANTS  # not above: it needs marimo

    values = {
        "variant": list(VARIANTS)[variant], "listen": list(LISTEN)[listen], "inputs": X, "at": step,
        "rest": {"z": 0.8, "r": 0.5, "u": 1.5, "b": 0.0} | rest,
    }  # fmt: skip
    return lesson(11, **{name: SimpleNamespace(value=value) for name, value in values.items()})


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (solution.answer_1, "right"),
        (lambda z, k: z**k, "wrong"),  # what is left of the start
        (lambda z, k: 1 - (1 - z) ** k, "wrong"),  # z taken for the share that is written
    ],
)
def test_a_constant_candidate_is_approached_by_powers_of_z(lesson, answer, state):
    assert lesson(11, answer_1=answer)["check_1"].state == state


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (solution.answer_2, "right"),
        (lambda D, H: 3 * (D * H + H * H + H), "wrong"),  # one bias: the variant before the product
        (lambda D, H: 4 * (D * H + H * H + H), "wrong"),  # an LSTM
    ],
)
def test_the_weights_are_counted_with_both_biases(lesson, answer, state):
    assert lesson(11, answer_2=answer)["check_2"].state == state


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (solution.answer_3, "right"),
        (lambda read, x: np.concatenate([read(x), read(x[::-1])], axis=1), "wrong"),  # left in the order it was read
        (lambda read, x: np.concatenate([read(x), read(x)[::-1]], axis=1), "wrong"),  # turned, and never read backwards
    ],
)
def test_both_ways_are_turned_to_the_same_order(lesson, answer, state):
    assert lesson(11, answer_3=answer)["check_3"].state == state


@pytest.mark.parametrize("variant", [0, 1])
def test_the_unit_by_hand_is_the_engines(lesson, variant):
    defined = played(lesson, variant, b=0.7)
    assert defined["apart"] < 1e-15  # values below 1, a few roundings each
    for name in ("z", "r", "candidate", "h"):
        assert defined["values"][name] == pytest.approx(defined["traces"][name][3], rel=1e-12)


def test_the_variants_agree_for_one_unit_without_the_second_bias_and_differ_with_it(lesson):
    after, before = (played(lesson, variant)["traces"]["h"] for variant in (0, 1))
    np.testing.assert_allclose(after, before, rtol=1e-12)
    after, before = (played(lesson, variant, b=2.0)["traces"]["h"] for variant in (0, 1))
    assert np.abs(after - before).max() > 0.1


def test_a_closed_reset_gate_leaves_the_memory(lesson):
    kept = played(lesson, listen=0, z=0.98, r=0.02)["traces"]["h"]
    assert kept[4] == pytest.approx(0.98 * kept[3] + 0.02 * np.tanh(0.02 * 1.5 * kept[3]), rel=1e-12)


@pytest.mark.parametrize("step", [0, 3, 7])
def test_each_direction_knows_the_pulse_on_its_side_only(lesson, step):
    forward, backward = lesson(11, where=SimpleNamespace(value=step))["ways"]
    np.testing.assert_array_equal(forward != 0, np.arange(8) >= step)
    np.testing.assert_array_equal(backward != 0, np.arange(8) <= step)
