"""Weights by name: one truth, wherever a value is given."""

import numpy as np
import pytest

import lstm_engine as le

X, y = np.random.default_rng(0).standard_normal((4, 5, 3)), np.zeros((4, 1))


def model():
    m = le.Sequential(
        [le.Bidirectional(le.LSTM(2, return_sequences=True)), le.TimeDistributed(le.Dense(2)), le.GRU(2), le.Dense(1)],
        seed=0, backend="numpy",
    )  # fmt: skip
    m.compile(le.SGD(0.5), "mse")
    m.build((5, 3))
    return m


WAYS = {
    "the model": lambda m, name, new: m.weights.__setitem__(name, new),
    "the layer": lambda m, name, new: layer(m, name).weights.__setitem__(name.partition("/")[2], new),
    "in place": lambda m, name, new: m.weights[name].__setitem__(..., new),
    "update": lambda m, name, new: m.weights.update({name: new}),
    "all at once": lambda m, name, new: setattr(
        layer(m, name), "weights", {**layer(m, name).weights, name.partition("/")[2]: new}
    ),
    "set_weights": lambda m, name, new: m.set_weights([new if k == name else w for k, w in m.weights.items()]),
}


def layer(m, name):
    return next(layer for layer in m.layers if layer.name == name.partition("/")[0])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "name", ["bidirectional/forward_lstm/bias", "time_distributed/bias", "gru/kernel", "dense/bias"]
)
def test_a_weight_has_one_value_wherever_it_is_set(way, name):
    m = model()
    m.fit(X, y, verbose=0)  # the optimizer has its slots already
    before, arrays = m.predict(X, verbose=0), dict(m.weights)
    new = np.random.default_rng(1).standard_normal(m.weights[name].shape)
    WAYS[way](m, name, new)
    np.testing.assert_array_equal(m.get_weights()[list(m.weights).index(name)], new.astype("float32"))
    assert np.abs(m.predict(X, verbose=0) - before).max() > 1e-3  # what computes has it
    assert all(m.weights[k] is w for k, w in arrays.items())
    expected = model()
    expected.set_weights(m.get_weights())
    for trained in (m, expected):
        trained.fit(X, y, shuffle=False, verbose=0)  # and what trains moves it
    for ours, other in zip(m.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, other)


REFUSED = {
    "a number": (lambda w: w[0], KeyError, r"weights\[0\]: weights have names here \(bidirectional.*get_weights\(\)"),
    "a slice": (lambda w: w[:2], TypeError, "unhashable type: .slice"),
    "another name": (lambda w: w["gru/b"], KeyError, "no weight 'gru/b', but .*gru/bias"),
    "a new name": (lambda w: w.__setitem__("gru/b", 1), KeyError, "no weight 'gru/b'"),
    "another shape": (lambda w: w.__setitem__("dense/kernel", np.ones(2)), ValueError, r"shape \(2, 1\), got \(2,\)"),
    "a scalar": (lambda w: w.__setitem__("dense/bias", 0.0), ValueError, r"dense/bias has shape \(1,\), got \(\)"),
    "words": (lambda w: w.__setitem__("dense/bias", ["a"]), ValueError, "holds real numbers, float32"),
    "complex": (lambda w: w.__setitem__("dense/bias", [1j]), ValueError, "holds real numbers, float32"),
    "one of several": (
        lambda w: w.update({"dense/kernel": np.ones((2, 1)), "dense/bias": np.ones(3)}),
        ValueError,
        "dense/bias",
    ),
    "one new name of several": (
        lambda w: w.update({"dense/kernel": np.ones((2, 1)), "dense/b": np.ones(1)}),
        KeyError,
        "no weight 'dense/b'",
    ),
    "removal": (lambda w: w.pop("dense/bias"), TypeError, "cannot be removed"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_value_of_a_weight_is_refused_and_changes_nothing(what):
    do, error, words = REFUSED[what]
    m = model()
    before = m.get_weights()
    with pytest.raises(error, match=words):
        do(m.weights)
    for now, then in zip(m.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_layer_s_weights_are_all_set_or_none():
    m = model()
    dense, before = m.layers[-1], m.get_weights()
    with pytest.raises(ValueError, match="the weights are kernel, bias; got kernel"):
        dense.weights = {"kernel": np.ones((2, 1))}
    with pytest.raises(ValueError, match="bias"):
        dense.weights = {"kernel": np.ones((2, 1)), "bias": np.ones(2)}
    for now, then in zip(m.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    assert repr(dense.weights) == "Weights(kernel (2, 1) float32, bias (1,) float32)"
