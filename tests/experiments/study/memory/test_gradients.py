"""What is left of a gradient: Jacobians against the complex step, theory's lines against cases that have a closed form."""

import numpy as np
import pytest

import lstm_engine as le
from experiments.study.memory import gradients
from experiments.study.memory.gradients import jacobian, measure, norms, products, spectral_radius, tape_of
from experiments.study.networks import EngineNetwork, Learning
from experiments.study.tasks.recall import Recall
from lstm_engine.backend import pair

H, T = 5, 9
TASK = Recall(lag=6, shown=2, symbols=4)  # T = 2 + 6 + 1


def network(kind, seed=0, **options):
    made = EngineNetwork(getattr(le, kind)(H, **options), TASK, Learning(), seed)
    for w in made.model.layers[0].weights.values():
        w += np.random.default_rng(seed).normal(0, 0.3, w.shape).astype("float32")
    return made


def one_sequence():
    return TASK.draw(1, np.random.default_rng(1)).x[0]


@pytest.mark.parametrize(("kind", "state"), [("SimpleRNN", "h"), ("GRU", "h"), ("LSTM", "h"), ("LSTM", "c")])
def test_the_jacobian_is_what_the_complex_step_finds(kind, state):
    """The steps behind t are run again from a state that is moved by iε in one unit."""
    layer = network(kind).model.layers[0]
    x, ε = one_sequence(), 1e-30
    tape = tape_of(layer, x)
    found = jacobian(layer, tape, state)
    weights = [layer.weights[name].astype(complex) for name in ("kernel", "recurrent_kernel", "bias")]
    for t in (0, 4, T - 2):
        states = {name: np.repeat(getattr(tape, name)[t, :1], H, axis=0).astype(complex) for name in layer.state_names}
        states[state] += 1j * ε * np.eye(H)  # the batch's row j moves unit j
        if state == "c":
            states["h"] = tape.o[t, :1] * np.tanh(states["c"])  # c reaches the next step by h too
        later = np.repeat(x[t + 1 :, None].astype(complex), H, axis=1)
        last = getattr(pair(layer.cell, "numpy").forward(later, *weights, *states.values()), state)[-1]
        np.testing.assert_allclose(found[t], last.imag.T / ε, rtol=1e-12, atol=1e-15)  # [j, i]: s_T[j] by s_t[i]


@pytest.mark.parametrize(("kind", "state"), [("LSTM", "c"), ("GRU", "h")])
def test_without_recurrent_inputs_the_product_of_gates_is_all_there_is(kind, state):
    layer = network(kind).model.layers[0]
    layer.weights["recurrent_kernel"][...] = 0
    if kind == "GRU":
        layer.weights["bias"][1] = 0  # what the reset gate would meet
    tape = tape_of(layer, one_sequence())
    np.testing.assert_allclose(norms(jacobian(layer, tape, state)), products(layer, tape).max(axis=-1), rtol=1e-12)


def test_a_linear_network_loses_its_spectral_radius_each_step():
    net = network("SimpleRNN", activation="linear")
    U = net.model.layers[0].weights["recurrent_kernel"]
    U[...] = 0.8 * np.linalg.qr(np.random.default_rng(0).normal(size=(H, H)))[0]
    np.testing.assert_allclose(spectral_radius(U), 0.8, rtol=1e-6)  # float32's rounding of U
    left = norms(jacobian(net.model.layers[0], tape_of(net.model.layers[0], one_sequence()), "h"))
    np.testing.assert_allclose(left[::-1], 0.8 ** np.arange(T), rtol=1e-5)


def test_a_jacobian_that_overflowed_is_as_large_as_numbers_are():
    np.testing.assert_array_equal(norms(np.array([np.eye(2), np.full((2, 2), np.inf)])), [1, np.finfo(float).max])


def test_a_measure_counts_lags_from_each_sequence_s_own_end():
    net = network("LSTM")
    long, short = one_sequence(), one_sequence()[:7]
    drawn = TASK.draw(2, np.random.default_rng(1))
    drawn.x[0], drawn.x[1, :7], drawn.x[1, 7:] = long, short, 0
    drawn.lengths[1] = 7
    found = measure(net, drawn, longest=6)
    layer = net.model.layers[0]
    own = [norms(jacobian(layer, tape_of(layer, x), "h"))[::-1][:6] for x in (long, short)]
    np.testing.assert_allclose(
        found["h"], np.mean(own, axis=0), rtol=6e-4
    )  # four digits; of two the median is the mean
    assert found["c"][0] == found["along"][0] == 1.0


def test_a_simple_rnn_has_a_radius_and_the_mean_of_its_slopes():
    net, drawn = network("SimpleRNN"), TASK.draw(3, np.random.default_rng(2))
    found = measure(net, drawn, longest=4)
    trace = net.model.trace(drawn.x)["simple_rnn"]
    assert found["slope"] == pytest.approx(1 - np.mean(trace.h**2), rel=1e-6)
    assert found["radius"] == gradients.spectral_radius(net.model.layers[0].weights["recurrent_kernel"])
    assert "along" not in found
