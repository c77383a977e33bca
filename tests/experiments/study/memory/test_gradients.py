"""What is left of a gradient: Jacobians against the complex step, theory's lines against cases that have a closed form."""

import numpy as np
import pytest

import lstm_engine as le
from experiments.study.memory.gradients import EngineLayer, PeepholeLayer, measure, norms, products, spectral_radius
from experiments.study.networks import EngineNetwork, Learning
from experiments.study.tasks.recall import Recall
from experiments.study.variants.network import VariantNetwork
from experiments.study.variants.through_time import forward
from lstm_engine.activations import sigmoid

H, T = 5, 9
TASK = Recall(lag=6, shown=2, symbols=4)  # T = 2 + 6 + 1


def network(kind, seed=0, **options):
    made = EngineNetwork(getattr(le, kind)(H, **options), TASK, Learning(), seed)
    for w in made.model.layers[0].weights.values():
        w += np.random.default_rng(seed).normal(0, 0.3, w.shape).astype("float32")
    return made


def with_peepholes(seed=0):
    made, rng = VariantNetwork("V", TASK, Learning(), seed, H, memory=6), np.random.default_rng(seed)
    for w in made.cell_weights.values():
        w += rng.normal(0, 0.3, w.shape)
    return made


def one_sequence():
    return TASK.draw(1, np.random.default_rng(1)).x[0]


@pytest.mark.parametrize(("kind", "state"), [("SimpleRNN", "h"), ("GRU", "h"), ("LSTM", "h"), ("LSTM", "c")])
def test_the_jacobian_is_what_the_complex_step_finds(kind, state):
    """The steps behind t are run again from a state that is moved by iε in one unit."""
    layer, x, ε = EngineLayer(network(kind)), one_sequence(), 1e-30
    tape = layer.tape(x)
    found = layer.jacobian(tape, state)
    weights = [layer.layer.weights[name].astype(complex) for name in ("kernel", "recurrent_kernel", "bias")]
    for t in (0, 4, T - 2):
        states = {name: np.repeat(getattr(tape, name)[t, :1], H, axis=0).astype(complex) for name in layer.states}
        states[state] += 1j * ε * np.eye(H)  # the batch's row j moves unit j
        if state == "c":
            states["h"] = tape.o[t, :1] * np.tanh(states["c"])  # c reaches the next step by h too
        later = np.repeat(x[t + 1 :, None].astype(complex), H, axis=1)
        last = getattr(layer.layer.pair.forward(later, *weights, *states.values()), state)[-1]
        np.testing.assert_allclose(found[t], last.imag.T / ε, rtol=1e-12, atol=1e-15)  # [j, i]: s_T[j] by s_t[i]


@pytest.mark.parametrize("state", ["h", "c"])
def test_so_is_that_of_the_lstm_with_peepholes(state):
    layer, x, ε = PeepholeLayer(with_peepholes()), one_sequence(), 1e-30
    tape, p_o = layer.tape(x), layer.w["p"][2 * H :]
    found = layer.jacobian(tape, state)
    np.testing.assert_array_equal(found[-1], np.eye(H))
    for t in range(T - 1):
        h, c = (np.repeat(a[t, :1], H, axis=0).astype(complex) for a in (tape.h, tape.c))
        if state == "h":
            h += 1j * ε * np.eye(H)
        else:
            o = tape.a[t, :1, 3 * H :]
            z_o = np.log(o / (1 - o)) - p_o * c  # what c is not in
            c += 1j * ε * np.eye(H)
            h = sigmoid(z_o + p_o * c) * np.tanh(c)
        later = np.repeat(x[t + 1 :, None].astype(complex), H, axis=1)
        last = getattr(forward(layer.cell, layer.w, later, h, c), state)[-1]
        np.testing.assert_allclose(found[t], last.imag.T / ε, rtol=1e-12, atol=1e-15)


def test_with_peepholes_of_zero_it_is_the_engine_s_lstm():
    peepholes, engine = with_peepholes(), network("LSTM")
    peepholes.cell_weights["p"][:] = 0
    for own, name in (("W", "kernel"), ("U", "recurrent_kernel"), ("b", "bias")):
        engine.model.layers[0].weights[name][...] = peepholes.cell_weights[own]
        peepholes.cell_weights[own][...] = engine.model.layers[0].weights[name]  # as float32 holds it
    drawn = TASK.draw(3, np.random.default_rng(2))
    one, two = measure(peepholes, drawn, longest=T), measure(engine, drawn, longest=T)
    assert one.keys() == two.keys() == {"h", "c", "along"}
    for name in one:
        np.testing.assert_allclose(one[name], two[name], rtol=2e-3)  # both are rounded to four digits


@pytest.mark.parametrize(("kind", "state"), [("LSTM", "c"), ("GRU", "h")])
def test_without_recurrent_inputs_the_product_of_gates_is_all_there_is(kind, state):
    layer = EngineLayer(network(kind))
    layer.layer.weights["recurrent_kernel"][...] = 0
    if kind == "GRU":
        layer.layer.weights["bias"][1] = 0  # what the reset gate would meet
    tape = layer.tape(one_sequence())
    left = norms(layer.jacobian(tape, state))
    np.testing.assert_allclose(left, products(layer.kept(tape)).max(axis=-1), rtol=1e-12)


def test_a_linear_network_loses_its_spectral_radius_each_step():
    net = network("SimpleRNN", activation="linear")
    U = net.model.layers[0].weights["recurrent_kernel"]
    U[...] = 0.8 * np.linalg.qr(np.random.default_rng(0).normal(size=(H, H)))[0]
    np.testing.assert_allclose(spectral_radius(U), 0.8, rtol=1e-6)  # float32's rounding of U
    layer = EngineLayer(net)
    left = norms(layer.jacobian(layer.tape(one_sequence()), "h"))
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
    layer = EngineLayer(net)
    own = [norms(layer.jacobian(layer.tape(x), "h"))[::-1][:6] for x in (long, short)]
    np.testing.assert_allclose(
        found["h"], np.mean(own, axis=0), rtol=6e-4
    )  # four digits; of two the median is the mean
    assert found["c"][0] == found["along"][0] == 1.0


def test_a_simple_rnn_has_a_radius_and_the_mean_of_its_slopes():
    net, drawn = network("SimpleRNN"), TASK.draw(3, np.random.default_rng(2))
    found = measure(net, drawn, longest=4)
    trace = net.model.trace(drawn.x)["simple_rnn"]
    assert found["slope"] == pytest.approx(1 - np.mean(trace.h**2), rel=1e-6)
    assert found["radius"] == spectral_radius(net.model.layers[0].weights["recurrent_kernel"])
    assert "along" not in found
