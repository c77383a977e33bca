"""Learning-rate schedules: by hand at the turning points, and beside Keras on every step."""

import json

import pytest

from lstm_engine import schedules
from lstm_engine.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)


def test_cosine_decay_falls_along_half_a_cosine_to_alpha_of_the_start():
    schedule = CosineDecay(0.2, 8, alpha=0.25)
    assert [schedule(step) for step in (0, 4, 8, 100)] == pytest.approx([0.2, 0.125, 0.05, 0.05], rel=1e-15)


def test_cosine_decay_climbs_to_the_target_first():
    schedule = CosineDecay(0.1, 8, warmup_target=0.5, warmup_steps=4)
    steps = (0, 1, 4, 8, 12, 13)
    assert [schedule(step) for step in steps] == pytest.approx([0.1, 0.2, 0.5, 0.25, 0, 0], rel=1e-15, abs=1e-17)


def test_exponential_decay_by_hand():
    assert [ExponentialDecay(8.0, 2, 0.25)(step) for step in range(4)] == [8, 4, 2, 1]
    assert [ExponentialDecay(8.0, 2, 0.25, staircase=True)(step) for step in range(5)] == [8, 8, 2, 2, 0.5]


def test_a_piece_holds_up_to_and_with_its_boundary():
    assert [PiecewiseConstantDecay([1, 3], [1.0, 0.5, 0.1])(step) for step in range(6)] == [1, 1, 0.5, 0.5, 0.1, 0.1]


def test_inverse_time_decay_by_hand():
    assert [InverseTimeDecay(6.0, 2, 2.0)(step) for step in range(3)] == [6, 3, 2]
    assert [InverseTimeDecay(6.0, 2, 1.0, staircase=True)(step) for step in range(5)] == [6, 6, 3, 3, 2]


def test_polynomial_decay_ends_or_begins_again_from_a_longer_way():
    assert [PolynomialDecay(1.0, 4, 0.0)(step) for step in (0, 1, 4, 9)] == [1, 0.75, 0, 0]
    assert [PolynomialDecay(1.0, 4, 0.0, power=2.0)(step) for step in (0, 2, 4)] == [1, 0.25, 0]
    assert [PolynomialDecay(1.0, 4, 0.0, cycle=True)(step) for step in (0, 4, 6, 8)] == [1, 0, 0.25, 0]


def test_cosine_decay_restarts_from_a_lower_rate_and_takes_longer():
    schedule = CosineDecayRestarts(1.0, 4, t_mul=2.0, m_mul=0.5)
    assert [schedule(step) for step in (0, 2, 4, 8, 12)] == pytest.approx([1, 0.5, 0.5, 0.25, 0.25], rel=1e-15)


EXAMPLES = [
    CosineDecayRestarts(0.1, 4),
    CosineDecayRestarts(0.1, 3, t_mul=1.0, m_mul=0.7, alpha=0.1),
    InverseTimeDecay(0.1, 3, 0.9),
    InverseTimeDecay(0.1, 3, 0.9, staircase=True),
    PolynomialDecay(0.1, 7, power=2.0),
    PolynomialDecay(0.1, 4, 0.01, cycle=True),
    CosineDecay(0.1, 10),
    CosineDecay(0.1, 7, alpha=0.2, warmup_target=0.4, warmup_steps=5),
    CosineDecay(0.1, 7, warmup_target=0.4),
    ExponentialDecay(0.1, 3, 0.9),
    ExponentialDecay(0.1, 3, 0.9, staircase=True),
    PiecewiseConstantDecay([2, 3, 11], [1.0, 0.5, 0.25, 0.1]),
]


@pytest.mark.parametrize("schedule", EXAMPLES, ids=repr)
def test_every_step_is_keras_s(schedule):
    keras = pytest.importorskip("keras")
    reference = keras.optimizers.schedules.deserialize(schedules.to_config(schedule))
    for step in (0, 2, 3, 4, 5, 9, 12, 19):
        # Keras computes in float32, in some five operations of relative error 6e-8 each; near 0 it is 1 + cos that errs
        assert schedule(step) == pytest.approx(float(reference(step)), rel=5e-7, abs=2e-8)


@pytest.mark.parametrize("schedule", EXAMPLES, ids=repr)
def test_a_file_keeps_a_schedule_and_keras_writes_the_same(schedule):
    keras = pytest.importorskip("keras")
    config = json.loads(json.dumps(schedules.to_config(schedule)))
    assert schedules.from_config(config) == schedule
    assert keras.optimizers.schedules.serialize(keras.optimizers.schedules.deserialize(config)) == config


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: CosineDecay(0.1, 0), "decay_steps must be above 0, got 0"),
        (lambda: CosineDecayRestarts(0.1, 0), "first_decay_steps must be above 0, got 0"),
        (lambda: CosineDecayRestarts(0.1, 5, t_mul=0.5), "t_mul must be at least 1"),
        (lambda: ExponentialDecay(0.1, -1, 0.9), "decay_steps must be above 0, got -1"),
        (lambda: CosineDecay(0.1, 5, warmup_steps=3), "warmup_steps=3 needs a warmup_target"),
        (lambda: PiecewiseConstantDecay([1, 2], [0.1, 0.2]), "one boundary less"),
        (lambda: PiecewiseConstantDecay([2, 2], [0.1, 0.2, 0.3]), "boundaries must rise"),
        (lambda: schedules.from_config({"class_name": "StepDecay", "config": {}}), "'StepDecay' is not in"),
    ],
)
def test_what_makes_no_schedule_is_named(make, named):
    with pytest.raises(ValueError, match=named):
        make()
