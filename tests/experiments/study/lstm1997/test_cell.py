"""The cell of 1997: its equations, its truncated gradient by the complex step, its number of weights."""

import numpy as np
import pytest

from experiments.study.lstm1997.cell import Cell1997, Network1997, Tape, compiled_forward, forward, truncated_backward
from experiments.study.lstm1997.experiments import SETUPS
from experiments.study.tasks import Sequences
from experiments.study.tasks.adding import Adding
from experiments.study.tasks.reber import EmbeddedReber

T, D, J, S, K = 7, 3, 2, 3, 2
N, C = 2 * J + J * S, J * S
STEP = 1e-30


@pytest.fixture
def weights():
    """At a scale at which every gate and state moves."""
    rng = np.random.default_rng(0)
    shapes = {"W": (D, N), "U": (N, N), "b": (N,), "V": (C, K), "a": (K,)}
    return {name: rng.standard_normal(shape) / np.sqrt(shape[0]) for name, shape in shapes.items()}


@pytest.fixture
def x():
    return np.random.default_rng(1).standard_normal((T, D))


def sigma(z):
    return 1 / (1 + np.exp(-z))


def by_the_equations(x, w):
    """y (T + 1, N) and c (T + 1, C), unit by unit."""
    y, c = np.zeros((T + 1, N)), np.zeros((T + 1, C))
    for t in range(T):
        z = [
            sum(x[t, k] * w["W"][k, n] for k in range(D)) + sum(y[t, m] * w["U"][m, n] for m in range(N))
            for n in range(N)
        ]
        z = np.array(z) + w["b"]
        for j in range(J):
            y[t + 1, j], y[t + 1, J + j] = sigma(z[j]), sigma(z[J + j])
            for v in range(j * S, (j + 1) * S):
                g = 4 * sigma(z[2 * J + v]) - 2
                c[t + 1, v] = c[t, v] + y[t + 1, j] * g
                y[t + 1, 2 * J + v] = y[t + 1, J + j] * (2 * sigma(c[t + 1, v]) - 1)
    return y, c


def held(x, w, y_before):
    """p, where each step hears y_before (T, N) instead of its own past: the function whose gradient the truncated one is."""
    z = x @ w["W"] + y_before @ w["U"] + w["b"]
    gates, block = sigma(z[:, : 2 * J]), np.repeat(np.arange(J), S)
    c = np.cumsum(gates[:, block] * (4 * sigma(z[:, 2 * J :]) - 2), axis=0)
    y_c = gates[:, J + block] * (2 * sigma(c) - 1)
    return sigma(y_c[-1] @ w["V"] + w["a"])


@pytest.mark.parametrize("function", [forward, pytest.param(compiled_forward, marks=pytest.mark.slow)])  # it compiles
def test_forward_is_the_paper_s_equations(function, x, weights):
    y, c, g = function(x @ weights["W"] + weights["b"], weights["U"], J)
    expected = by_the_equations(x, weights)
    np.testing.assert_allclose(y, expected[0], rtol=0, atol=1e-14)  # a few roundings of numbers up to 1
    np.testing.assert_allclose(c, expected[1], rtol=0, atol=1e-14)
    assert np.abs(g).max() > 1  # g reaches beyond 1, to 2


def network(weights):
    net = Network1997(Adding(30), Cell1997(J, S, 0.5, (-1.0, -2.0)), seed=0)
    net.weights = {name: w.copy() for name, w in weights.items()}
    return net


@pytest.mark.parametrize("name", ["W", "U", "b", "V", "a"])
def test_the_gradient_is_the_complex_step_s_with_the_past_held(name, x, weights, rel):
    y = np.array([0.2, 0.9])
    tape = Tape(*forward(x @ weights["W"] + weights["b"], weights["U"], J))
    p = held(x, weights, tape.y[:-1])
    found = network(weights).gradients(x, tape, p, y)[name]
    expected = np.empty_like(found)
    for at in np.ndindex(found.shape):
        moved = {k: w.astype(complex) for k, w in weights.items()}
        moved[name][at] += 1j * STEP
        expected[at] = (0.5 * ((held(x, moved, tape.y[:-1]) - y) ** 2).sum()).imag / STEP
    assert rel(found, expected) < 1e-14  # the complex step has no error but rounding's


def test_the_gradient_is_not_the_whole_one(x, weights, rel):
    y = np.array([0.2, 0.9])
    tape = Tape(*forward(x @ weights["W"] + weights["b"], weights["U"], J))
    found = network(weights).gradients(x, tape, held(x, weights, tape.y[:-1]), y)["W"]
    whole = np.empty_like(found)
    for at in np.ndindex(found.shape):
        moved = {k: w.astype(complex) for k, w in weights.items()}
        moved["W"][at] += 1j * STEP
        own = forward(x @ moved["W"] + moved["b"], moved["U"], J)[0]  # the past moves too
        p = sigma(own[-1, 2 * J :] @ moved["V"] + moved["a"])
        whole[at] = (0.5 * ((p - y) ** 2).sum()).imag / STEP
    assert rel(found, whole) > 0.01  # what truncation leaves out


def test_errors_of_every_step_reach_all_earlier_ones(x, weights, rel):
    tape = Tape(*forward(x @ weights["W"] + weights["b"], weights["U"], J))
    dy_c = np.random.default_rng(2).standard_normal((T, C))
    block, expected = np.repeat(np.arange(J), S), np.empty((T, N))
    z = x @ weights["W"] + tape.y[:-1] @ weights["U"] + weights["b"]
    for at in np.ndindex(T, N):
        moved = z.astype(complex)
        moved[at] += 1j * STEP
        gates = sigma(moved[:, : 2 * J])
        c = np.cumsum(gates[:, block] * (4 * sigma(moved[:, 2 * J :]) - 2), axis=0)
        expected[at] = (dy_c * gates[:, J + block] * (2 * sigma(c) - 1)).sum().imag / STEP
    assert rel(truncated_backward(tape, dy_c, J), expected) < 1e-14


def test_networks_have_as_many_weights_as_the_paper_s():
    old = [s for s in SETUPS if s.old]
    assert [s.key for s in old] == ["4-T100", "6a", "6b"]
    assert [s.old.network(s.task, 0).count_params() for s in old] == [s.paper.weights for s in old] == [93, 156, 308]


def test_learning_answers_first_and_then_steps_down_the_gradient():
    task = Adding(30)
    net = Network1997(task, Cell1997(2, 2, 0.1, (-1.0, -2.0)), seed=3)
    drawn = task.draw(1, np.random.default_rng(0))
    before, w = net.answer(drawn), {name: v.copy() for name, v in net.weights.items()}
    np.testing.assert_array_equal(net.learn(drawn), before)
    tape = Tape(*forward(drawn.x[0].astype(float) @ w["W"] + w["b"], w["U"], 2))
    gradients = Network1997(task, Cell1997(2, 2, 0.1, (-1.0, -2.0)), seed=3).gradients(
        drawn.x[0], tape, before[0], drawn.y[0]
    )
    for name, g in gradients.items():
        np.testing.assert_allclose(net.weights[name], w[name] - 0.1 * g, rtol=0, atol=1e-15)
        assert np.abs(g).max() > 0


def test_padding_is_not_heard():
    task = Adding(30)
    net, drawn = Network1997(task, Cell1997(2, 2, 0.1, (-1.0, -2.0)), seed=3), task.draw(20, np.random.default_rng(0))
    longer = Sequences(np.concatenate([drawn.x, np.ones_like(drawn.x)], axis=1), drawn.lengths, drawn.y)
    np.testing.assert_array_equal(net.answer(drawn), net.answer(longer))


def test_what_the_cell_cannot_do_is_refused():
    with pytest.raises(ValueError, match="answers at the end of a sequence"):
        Network1997(EmbeddedReber(), Cell1997(1, 1, 0.1, (-1.0,)), 0)
    with pytest.raises(ValueError, match="one number a block: 2"):
        Cell1997(2, 1, 0.1, (-1.0,))
