"""The analyses, each held against a loop written here, a complex step, or a closed form."""

import numpy as np
import pytest

import lstm_engine as le
from experiments.microscope import analyses
from lstm_engine.gradient_check import unit_scale

N, T, D, H = 2, 7, 3, 4
STEP = 1e-30  # of the complex step: no difference is formed, so nothing is lost
EXACT = 1e-12  # float64: a few hundred roundings, relative to numbers of size 1


def model(*layers, dtype="float64", **options):
    made = le.Sequential([le.Input((None, D)), *layers], seed=0, dtype=dtype, **options)
    made.compile("sgd", "mse")
    return unit_scale(made)


@pytest.fixture
def x():
    return np.random.default_rng(1).standard_normal((N, T, D))


@pytest.fixture
def y():
    return np.random.default_rng(2).standard_normal((N, T, 1))


def every_step():
    return model(le.Bidirectional(le.LSTM(H, return_sequences=True)), le.Dense(1, activation="sigmoid"))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def run(layer, x, start=0, c=None, h=None, hold=None):
    """(c, h) of every step of x (T, D), by the equations; from step `start` with the state c, h; hold: gates by step."""
    W, U, b = (layer.weights[k] for k in ("kernel", "recurrent_kernel", "bias"))
    c, h = (np.zeros(H) if a is None else a for a in (c, h))
    states = []
    for t in range(start, len(x)):
        i, f, g, o = np.split(x[t] @ W + h @ U + b, 4)
        i, f, g, o = (sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)) if hold is None else hold[t]
        c = f * c + i * g
        h = o * np.tanh(c)
        states.append((c, h))
    return states


def test_pulled_back_gives_the_losss_gradients_for_the_losss_slope(x, y):
    net = every_step()
    trace, pulled = net.trace(x, y), analyses.pulled_back(net, x, lambda p: 2 * (p - y) / y.size)
    np.testing.assert_allclose(pulled.grad.x, trace.grad.x, rtol=0, atol=EXACT)
    for name, layer in trace.layers.items():
        for value, gradient in layer.grad.items():
            np.testing.assert_allclose(
                pulled[name].grad[value], gradient, rtol=0, atol=EXACT, err_msg=f"{name} {value}"
            )


@pytest.mark.parametrize("answer", [("sigmoid", 1), ("softmax", 3)])
@pytest.mark.parametrize("sequences", [True, False])
def test_connectivity_is_the_norm_of_the_answers_derivative(answer, sequences, x):
    """By complex steps through the model; the numbers of a softmax add up to 1, so that the derivative of their sum is 0."""
    activation, K = answer
    layers = le.Bidirectional(le.LSTM(H, return_sequences=sequences)), le.Dense(K, activation=activation)
    net = model(*layers, backend="numpy")
    moved = x[0] + 1j * STEP * np.eye(T * D).reshape(T * D, T, D)  # a sequence for each number of x[0]
    slopes = net.forward(moved)[0].imag / STEP  # (T D, T_out, K), or (T D, K)
    slopes = slopes.reshape(T, D, -1, K).transpose(2, 0, 3, 1)  # (T_out, T, K, D)
    found = analyses.connectivity(net, x[0])
    np.testing.assert_allclose(found, np.linalg.norm(slopes, axis=(2, 3)), rtol=0, atol=EXACT)
    assert (found > 1e-4).all()


def test_one_answer_rests_on_no_later_step_than_it_has_read(x):
    net = model(le.LSTM(H, return_sequences=True), le.Dense(1))
    found = analyses.connectivity(net, x[0])
    assert (np.triu(found, 1) == 0).all()
    assert (np.tril(found) + np.triu(np.ones((T, T)), 1) > 0).all()
    last = analyses.connectivity(model(le.LSTM(H), le.Dense(1)), x[0])
    assert last.shape == (1, T)


def test_more_answers_than_one_batch_takes_keep_their_order():
    net = model(le.LSTM(2, return_sequences=True), le.Dense(3))
    x = np.random.default_rng(0).standard_normal((70, D))
    found = analyses.connectivity(net, x)
    assert found.shape == (70, 70)
    assert (np.triu(found, 1) == 0).all()
    assert (np.diag(found) > 0).all()
    np.testing.assert_allclose(found[:22, :22], analyses.connectivity(net, x[:22]), rtol=0, atol=EXACT)  # 64 < 3 · 22


def test_the_split_adds_up_to_the_complex_steps_derivative(x):
    layer = model(le.LSTM(H), le.Dense(1)).layers[0]
    split, states = analyses.split_by_path(layer, x[0]), run(layer, x[0])
    for t in range(T):
        c, h = states[t]
        for j in range(H):
            moved = c + 1j * STEP * np.eye(H)[j]
            o = np.tanh(moved) * (h / np.tanh(c))  # h_t follows its cell, with its own output gate
            last = o if t == T - 1 else run(layer, x[0], t + 1, moved, o)[-1][1]
            np.testing.assert_allclose(split.total[t, :, j], last.imag / STEP, rtol=0, atol=EXACT)
    np.testing.assert_allclose(split.forget + split.gates, split.total, rtol=0, atol=EXACT)


def test_the_forget_path_is_what_is_left_with_the_gates_held(x):
    layer = model(le.LSTM(H), le.Dense(1)).layers[0]
    W, U, b = (layer.weights[k] for k in ("kernel", "recurrent_kernel", "bias"))
    states, split = run(layer, x[0]), analyses.split_by_path(layer, x[0])
    before = [np.zeros(H), *(h for _, h in states)]
    gates = []
    for t in range(T):
        i, f, g, o = np.split(x[0, t] @ W + before[t] @ U + b, 4)
        gates.append((sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)))
    for t in range(T - 1):
        for j in range(H):
            moved = states[t][0] + 1j * STEP * np.eye(H)[j]
            last = run(layer, x[0], t + 1, moved, hold=gates)[-1][1]
            np.testing.assert_allclose(split.forget[t, :, j], last.imag / STEP, rtol=0, atol=EXACT)
    assert np.abs(split.gates[0]).max() > 1e-3  # there is something to split
    np.testing.assert_allclose(split.gates[-1], 0, rtol=0, atol=EXACT)  # no step lies between


def test_a_layer_that_reads_backwards_splits_the_same_the_other_way_round(x):
    forward = model(le.LSTM(H), le.Dense(1))
    backward = model(le.LSTM(H, go_backwards=True), le.Dense(1))
    backward.set_weights(forward.get_weights())
    one = analyses.split_by_path(forward.layers[0], x[0])
    other = analyses.split_by_path(backward.layers[0], x[0, ::-1])
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b[::-1])


def test_lags_are_counted_from_the_last_step_read(x):
    net = model(le.Bidirectional(le.LSTM(H)), le.Dense(1))
    mask = np.array([[1] * T, [1, 1, 0, 1, 1, 0, 0]], bool)
    trace = net.trace(x, np.ones((N, 1)), mask=mask)
    forward, backward = trace["bidirectional/forward_lstm"], trace["bidirectional/backward_lstm"]
    norm = np.linalg.norm(forward.grad.h, axis=-1)
    found = analyses.gradient_by_lag(forward)
    np.testing.assert_allclose(found[:4], [(norm[0, -1 - k] + norm[1, (4, 3, 1, 0)[k]]) / 2 for k in range(4)])
    np.testing.assert_allclose(found[4:], norm[0, 2::-1])
    assert analyses.gradient_by_lag(backward)[0] == pytest.approx(np.linalg.norm(backward.grad.h[:, 0], axis=-1).mean())
    with pytest.raises(ValueError, match="no gradients"):
        analyses.gradient_by_lag(net.trace(x)["bidirectional/forward_lstm"])


def test_saturation_counts_steps_that_there_are():
    gate = np.array([[[0.05, 0.5], [0.95, 0.95], [np.nan, np.nan], [0.05, 0.2], [0.05, 0.99]]])  # (1, 5, 2)
    low, high = analyses.saturation(gate)
    assert low.tolist() == [0.75, 0.0]
    assert high.tolist() == [0.25, 0.5]


def test_half_of_what_a_cell_held_is_left_after_its_half_life():
    f = np.broadcast_to([0.5, 0.5**0.1, 1.0, 0.0], (2, 6, 4))
    found = analyses.half_life(f)
    np.testing.assert_allclose(found[:2], [1, 10])
    assert found[2] > 1e300
    assert found[3] == 0
    mixed = np.array([0.9, 0.3, np.nan, 0.7]).reshape(1, 4, 1)
    assert (0.9 * 0.3 * 0.7) ** (analyses.half_life(mixed)[0] / 3) == pytest.approx(0.5)


def test_ablation_is_the_difference_that_a_unit_makes(x):
    net = every_step()
    found = analyses.by_ablation(net, "bidirectional/backward_lstm", x, lambda p: float(p.mean()))
    assert found.shape == (H,)
    W, U, b = (net.weights[f"bidirectional/backward_lstm/{k}"] for k in ("kernel", "recurrent_kernel", "bias"))
    dense, bias = net.weights["dense/kernel"], net.weights["dense/bias"]
    forward = net.trace(x)["bidirectional/forward_lstm"].h
    for u in range(H):
        heard = np.arange(H) != u
        outputs = np.zeros((N, T, H))
        for n in range(N):
            c, h = np.zeros(H), np.zeros(H)
            for t in reversed(range(T)):
                i, f, g, o = np.split(x[n, t] @ W + (h * heard) @ U + b, 4)
                c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
                h = sigmoid(o) * np.tanh(c)
                outputs[n, t] = h * heard
        p = sigmoid(np.concatenate([forward, outputs], axis=-1) @ dense + bias)
        assert found[u] == pytest.approx(p.mean() - net(x).mean(), abs=EXACT)


def test_the_gradients_ranking_is_the_slope_of_shrinking_a_units_rows(x):
    net, small = every_step(), 1e-6
    layer = analyses.pulled_back(net, x, 1.0)["bidirectional/forward_lstm"]
    for u, found in enumerate(analyses.by_gradient(layer)):
        answers = []
        for share in (1 - small, 1 + small):
            shrunk = net.twin()
            shrunk.weights["bidirectional/forward_lstm/recurrent_kernel"][u] *= share
            shrunk.weights["dense/kernel"][u] *= share
            answers.append(shrunk(x).sum())
        assert found == pytest.approx((answers[0] - answers[1]) / (2 * small), abs=1e-8)  # rounding 1e-15 / 1e-6
