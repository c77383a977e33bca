"""Keras beside the engine: one network on both sides, and a control that differs by rounding alone."""

import numpy as np
import pytest

pytest.importorskip("keras")

from experiments.study.memory import beside_keras
from experiments.study.memory.beside_keras import POINT, SIDES
from experiments.study.memory.settings import TASKS


@pytest.fixture(scope="module")
def drawn():
    return TASKS[POINT.task](POINT.lag).draw(48, np.random.default_rng(0))


def network(settings):
    return POINT.network(settings, 0.01, 0)[1]


def weights(side):
    model = side.model if hasattr(side, "model") else side.network.model
    return np.concatenate([w.ravel() for w in model.get_weights()])


@pytest.mark.parametrize("side", ["reversed", pytest.param("keras", marks=pytest.mark.slow)])  # Keras compiles
def test_three_steps_of_a_side_are_the_engine_s_but_for_rounding(settings, drawn, side):
    engine, other = network(settings), SIDES[side](network(settings))
    start = weights(engine)
    np.testing.assert_array_equal(weights(other), start)
    for k in range(3):
        batch = drawn.take(slice(16 * k, 16 * k + 16))
        # Answers below 1 from about ten float32 steps of sums below 10; a gradient near 0 may turn, of which Adam makes a
        # step of its own size, so that weights are held together by their norm.
        np.testing.assert_allclose(other.learn(batch), engine.learn(batch), atol=2e-5)
    moved = np.linalg.norm(weights(engine) - start)
    assert np.linalg.norm(weights(other) - weights(engine)) < 1e-3 * moved
    np.testing.assert_allclose(other.answer(drawn), engine.answer(drawn), atol=2e-5)
    assert other.count_params() == engine.count_params()


def test_the_control_sums_in_another_order(settings, drawn):
    engine, other = network(settings), SIDES["reversed"](network(settings))
    for k in range(3):
        batch = drawn.take(slice(16 * k, 16 * k + 16))
        engine.learn(batch)
        other.learn(batch)
    assert not np.array_equal(weights(other), weights(engine))


def test_each_side_is_trained_with_every_seed(small):
    jobs = beside_keras.jobs(small)
    assert [(job.what, job.seed) for job in jobs] == [(f"beside-{side}", seed) for side in SIDES for seed in range(2)]
    engine, control = (one.run(*one.arguments, one.seed) for one in jobs[1:4:2])
    assert engine["sequences"] == control["sequences"] == 32
    assert engine["curve"][0][1] == pytest.approx(control["curve"][0][1], rel=1e-5)  # one step of rounding at most
