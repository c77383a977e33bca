"""The short way of a training step has the bits of the long one, and is taken by the networks that it is for alone."""

import subprocess
import sys

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine import small_step
from lstm_engine.network import Batch, Network

rng = np.random.default_rng(0)
X = rng.standard_normal((9, 7, 3))
HEADS = {
    "binary": (lambda: le.Dense(1, activation="sigmoid"), "binary_crossentropy", rng.integers(0, 2, (9, 1))),
    "classes": (lambda: le.Dense(3, activation="softmax"), "sparse_categorical_crossentropy", rng.integers(0, 3, 9)),
    "numbers": (lambda: le.Dense(2, use_bias=False), "mse", rng.standard_normal((9, 2))),
}
LAYERS = {
    "lstm": lambda: le.LSTM(8),
    "lstm-relu": lambda: le.LSTM(5, activation="relu", use_bias=False),
    "gru": lambda: le.GRU(6),
    "gru-before": lambda: le.GRU(6, reset_after=False),
    "rnn": lambda: le.SimpleRNN(6),
}


class OwnLSTM(le.LSTM):
    """A reader's own, which may do anything in forward."""


class OwnDense(le.Dense):
    """The same."""


def network(*layers, loss="mse", **how):
    model = le.Sequential([le.Input((7, 3)), *layers], seed=1, **how)
    model.compile("adam", loss)
    return model


@pytest.mark.parametrize("backend", ["numpy", "auto"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("layer", LAYERS)
def test_both_ways_give_the_same_bits(monkeypatch, layer, head, dtype, backend):
    make_head, loss, y = HEADS[head]
    short, long = (network(LAYERS[layer](), make_head(), loss=loss, dtype=dtype, backend=backend) for _ in range(2))
    losses = [short.train_on_batch(X, y) for _ in range(3)]
    monkeypatch.setattr(small_step, "trains", lambda *_: False)
    assert losses == [long.train_on_batch(X, y) for _ in range(3)]
    for a, b in zip(short.get_weights(), long.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_it_is_the_way_of_one_recurrent_layer_and_a_dense_layer():
    model = network(le.GRU(4), le.Dense(1))
    assert small_step.trains(model, Batch(X, None))
    assert not small_step.trains(model, Batch(X, None, sample_weight=np.ones(9)))
    assert not small_step.trains(model, Batch(X, None, mask=np.ones((9, 7), bool)))


@pytest.mark.parametrize(
    "layers",
    [
        lambda: [le.LSTM(4, return_sequences=True), le.LSTM(4)],
        lambda: [le.LSTM(4, return_sequences=True), le.Dense(1)],
        lambda: [le.LSTM(4, stateful=True), le.Dense(1)],
        lambda: [le.LSTM(4, go_backwards=True), le.Dense(1)],
        lambda: [le.LSTM(4, dropout=0.1), le.Dense(1)],
        lambda: [le.GRU(4, recurrent_dropout=0.1), le.Dense(1)],
        lambda: [le.LSTM(4, kernel_regularizer="l2"), le.Dense(1)],
        lambda: [le.LSTM(4), le.Dense(1, bias_regularizer="l2")],
        lambda: [le.LSTM(4, trainable=False), le.Dense(1)],
        lambda: [le.LSTM(4), le.Dense(1, trainable=False)],
        lambda: [le.Bidirectional(le.LSTM(4)), le.Dense(1)],
        lambda: [le.LSTM(4), le.Dense(1), le.Dense(1)],
        lambda: [OwnLSTM(4), le.Dense(1)],
        lambda: [le.LSTM(4), OwnDense(1)],
    ],
)  # fmt: skip
def test_other_networks_take_the_long_way(layers):
    model = network(*layers())
    assert not small_step.trains(model, Batch(X, None))


@pytest.mark.parametrize("backend", ["numpy", "auto"])
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("layer", LAYERS)
def test_a_prediction_has_the_bits_of_predict(layer, head, backend):
    model = network(LAYERS[layer](), HEADS[head][0](), backend=backend)
    x = X[:1].astype("float32")
    assert small_step.predicts(model, x)
    np.testing.assert_array_equal(model(x), model.predict(x, verbose=0))
    longer = np.concatenate([x, x], axis=1)
    np.testing.assert_array_equal(model(longer), model.predict(longer, verbose=0))


def test_other_inputs_take_the_long_way():
    model, x = network(le.LSTM(4), le.Dense(1)), X[:1].astype("float32")
    others = [x.astype("float64"), x[0], X[:2].astype("float32"), x[:, :0], x[..., :2], x.tolist(), np.ma.array(x)]
    assert small_step.predicts(model, x)
    assert not any(small_step.predicts(model, other) for other in others)
    with pytest.raises(ValueError, match="the model was built for X of shape"):
        model(x[..., :2])
    whole = le.Sequential([le.Input((7, 3), dtype="int32"), le.LSTM(4), le.Dense(1)])
    assert not small_step.predicts(whole, x)


class Still(le.Sequential):
    """Its backward_pass lets nothing move."""

    def backward_pass(self, forward_pass, want_dx=True):
        found = super().backward_pass(forward_pass, want_dx)
        return found._replace(weights={name: np.zeros_like(g) for name, g in found.weights.items()})


def test_a_reader_s_own_backward_pass_is_the_one_that_trains():
    model = Still([le.Input((7, 3)), le.LSTM(4), le.Dense(1)], seed=1)
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.train_on_batch(X, np.ones(9))
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def assert_it_runs_when_replaced(monkeypatch, model, owner, name):
    """The owner's method of this name is replaced by one that notes its calls; a training step makes one."""
    original, seen = getattr(owner, name), []

    def watched(*args, **how):
        seen.append(name)
        return original(*args, **how)

    monkeypatch.setattr(owner, name, watched)
    model.train_on_batch(X, np.ones(9))
    assert seen == [name]


@pytest.mark.parametrize("name", small_step.OF_LAYER)
@pytest.mark.parametrize("of", ["first", "second", "LSTM", "Dense"])
def test_a_layer_s_method_that_is_replaced_runs(monkeypatch, of, name):
    model = network(le.LSTM(4), le.Dense(1))
    owner = {"first": model.layers[0], "second": model.layers[1], "LSTM": le.LSTM, "Dense": le.Dense}[of]
    assert_it_runs_when_replaced(monkeypatch, model, owner, name)


@pytest.mark.parametrize("name", small_step.OF_NETWORK)
@pytest.mark.parametrize("of", ["model", "class"])
def test_a_network_s_method_that_is_replaced_runs(monkeypatch, of, name):
    model = network(le.LSTM(4), le.Dense(1))
    assert_it_runs_when_replaced(monkeypatch, model, model if of == "model" else Network, name)


def test_initial_states_among_the_inputs_are_read():
    x, h = le.Input((7, 3)), le.Input((4,))
    model = le.Model([x, h], le.Dense(1)(le.GRU(4)(x, initial_state=h)), seed=1)
    model.compile("sgd", "mse")
    loss = model.evaluate([X, X[:, 0, :1] * np.ones(4)], np.ones(9), verbose=0)
    batch = Batch([a.astype("float32") for a in (X, X[:, 0, :1] * np.ones(4))], np.ones((9, 1), "float32"))
    assert not small_step.trains(model, batch)
    assert model.step(batch).loss == pytest.approx(loss, rel=1e-6)  # float32


def test_an_option_that_is_set_later_counts():
    model = network(le.LSTM(4), le.Dense(1))
    assert small_step.trains(model, Batch(X, None))
    model.layers[0].dropout = 0.5
    assert not small_step.trains(model, Batch(X, None))


def test_a_model_with_two_outputs_hands_out_both():
    x = le.Input((7, 3))
    h = le.LSTM(4)(x)
    model, one = le.Model(x, [h, le.Dense(2)(h)], seed=1), X[:1].astype("float32")
    assert not small_step.predicts(model, one)
    for called, predicted in zip(model(one), model.predict(one, verbose=0), strict=True):
        np.testing.assert_array_equal(called, predicted)


def test_a_method_that_is_replaced_before_the_first_step_of_a_process_runs():
    code = """
import numpy as np, lstm_engine as le
from lstm_engine.network import Network
original = Network.forward_pass
Network.forward_pass = lambda *args, **how: print("mine") or original(*args, **how)
model = le.Sequential([le.Input((7, 3)), le.LSTM(4), le.Dense(1)], backend="numpy")
model.compile("sgd", "mse")
model.train_on_batch(np.ones((2, 7, 3)), np.ones(2))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "mine\n"
