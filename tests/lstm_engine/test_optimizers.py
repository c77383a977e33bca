"""Optimizers: three steps by hand, and 200 beside Keras."""

import numpy as np
import pytest

import lstm_engine as le

GRADIENTS = (0.5, -1.0, 2.0)  # of one scalar weight, three steps


def three_steps(optimizer):
    w = {"w": np.array([1.0])}
    path = []
    for g in GRADIENTS:
        optimizer.apply(w, {"w": np.array([g])})
        path.append(w["w"][0])
    return path


def test_sgd_by_hand():
    np.testing.assert_allclose(three_steps(le.SGD(0.1)), [0.95, 1.05, 0.85], rtol=1e-15)


def test_momentum_by_hand():
    # m: -0.05, -0.05·0.9 + 0.1 = 0.055, 0.055·0.9 - 0.2 = -0.1505
    np.testing.assert_allclose(three_steps(le.SGD(0.1, momentum=0.9)), [0.95, 1.005, 0.8545], rtol=1e-15)


def test_nesterov_by_hand():
    # w += 0.9 m - 0.1 g with the same m
    expected = np.cumsum([-0.045 - 0.05, 0.0495 + 0.1, -0.13545 - 0.2]) + 1
    np.testing.assert_allclose(three_steps(le.SGD(0.1, momentum=0.9, nesterov=True)), expected, rtol=1e-15)


def test_adam_by_hand():
    w, m, v, path = 1.0, 0.0, 0.0, []
    for t, g in enumerate(GRADIENTS, start=1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        w -= 0.01 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-7)
        path.append(w)
    np.testing.assert_allclose(three_steps(le.Adam(0.01)), path, rtol=1e-14)
    assert path[0] == pytest.approx(1 - 0.01, rel=1e-6)  # the first step is the learning rate, whatever the gradient


def test_adam_has_keras_epsilon_not_the_papers():
    """For gradients near epsilon the two placements part: with Keras's, ε is added before the bias correction."""
    w = {"w": np.array([0.0])}
    le.Adam(1.0).apply(w, {"w": np.array([1e-6])})
    keras_step = np.sqrt(0.001) * 1e-6 / (np.sqrt(0.001 * 1e-12) + 1e-7)
    np.testing.assert_allclose(w["w"][0], -keras_step, rtol=1e-10)
    assert keras_step < 0.25 < 1e-6 / (1e-6 + 1e-7)  # Algorithm 1 would step 0.91


def test_an_optimizer_belongs_to_one_model():
    optimizer = le.Adam()
    optimizer.apply({"w": np.zeros(2)}, {"w": np.ones(2)})
    with pytest.raises(ValueError, match="make a new one for every model"):
        optimizer.apply({"w": np.zeros(2)}, {"w": np.ones(2)})


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Adam", {"learning_rate": 0.01}),
        ("Adam", {"learning_rate": 0.003, "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3}),
        ("SGD", {"learning_rate": 0.1}),
        ("SGD", {"learning_rate": 0.01, "momentum": 0.9}),
        ("SGD", {"learning_rate": 0.01, "momentum": 0.9, "nesterov": True}),
    ],
)
def test_200_steps_beside_keras(float64_keras, rel, name, arguments):
    keras = float64_keras
    rng = np.random.default_rng(0)
    start = {"lstm/kernel": rng.standard_normal((3, 8)), "dense/bias": rng.standard_normal(4)}
    theirs = [keras.Variable(w, dtype="float64") for w in start.values()]
    ours = {name: w.copy() for name, w in start.items()}
    optimizer, reference = getattr(le, name)(**arguments), getattr(keras.optimizers, name)(**arguments)
    for _ in range(200):
        gradients = {name: rng.standard_normal(w.shape) * 10.0 ** rng.integers(-7, 1) for name, w in ours.items()}
        optimizer.apply(ours, gradients)
        reference.apply([keras.ops.convert_to_tensor(g) for g in gradients.values()], theirs)
    for w, variable in zip(ours.values(), theirs, strict=True):
        assert rel(w, np.asarray(variable)) < 1e-12
