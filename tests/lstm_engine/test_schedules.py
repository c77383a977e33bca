"""Learning-rate schedules: by hand at the turning points, and beside Keras on every step."""

import json

import pytest

from lstm_engine import schedules
from lstm_engine.schedules import CosineDecay, ExponentialDecay, PiecewiseConstantDecay


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


EXAMPLES = [
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
        (lambda: ExponentialDecay(0.1, -1, 0.9), "decay_steps must be above 0, got -1"),
        (lambda: CosineDecay(0.1, 5, warmup_steps=3), "warmup_steps=3 needs a warmup_target"),
        (lambda: PiecewiseConstantDecay([1, 2], [0.1, 0.2]), "one boundary less"),
        (lambda: PiecewiseConstantDecay([2, 2], [0.1, 0.2, 0.3]), "boundaries must rise"),
        (lambda: schedules.from_config({"class_name": "PolynomialDecay", "config": {}}), "'PolynomialDecay' is not in"),
    ],
)
def test_what_makes_no_schedule_is_named(make, named):
    with pytest.raises(ValueError, match=named):
        make()
