"""Masks between layers called by hand, beside Keras called the same way with the same weights."""

import copy
import pickle

import numpy as np
import pytest

import lstm_engine as le

N, T, D, H = 3, 5, 4, 3
x = np.random.default_rng(0).standard_normal((N, T, D)).astype("float32")
x[0, 3:] = x[1, 1] = 0  # an end and a gap
START = [np.random.default_rng(1).standard_normal((N, H)).astype("float32") for _ in range(2)]
ROUNDING = 1e-6  # float32: T steps of sums of D + H products, each rounded by 6e-8

CHAINS = {
    "LSTM": lambda k: k.LSTM(H),
    "sequences": lambda k: k.LSTM(H, return_sequences=True),
    "states": lambda k: k.GRU(H, return_sequences=True, return_state=True),
    "last and states": lambda k: k.LSTM(H, return_state=True),
    "Dense": lambda k: k.Dense(H),
    "Dropout": lambda k: k.Dropout(0.5),
    "TimeDistributed": lambda k: k.TimeDistributed(k.Dense(H)),
    "two ways": lambda k: k.Bidirectional(k.LSTM(H, return_sequences=True)),
    "two ways, last": lambda k: k.Bidirectional(k.SimpleRNN(H)),
    "two ways, apart": lambda k: k.Bidirectional(k.GRU(H, return_sequences=True, return_state=True), merge_mode=None),
}


@pytest.fixture(scope="module")
def keras():
    return pytest.importorskip("experiments.beside_keras.twins").import_keras()


def outputs(called):
    return list(called) if isinstance(called, list | tuple) else [called]


FAST = ("LSTM", "Dense", "two ways, apart")


@pytest.mark.parametrize("chain", [c if c in FAST else pytest.param(c, marks=pytest.mark.slow) for c in CHAINS])
def test_a_layer_called_by_hand_reads_and_hands_on_the_mask_as_keras_does(keras, chain):
    ours, theirs = CHAINS[chain](le.layers), CHAINS[chain](keras.layers)
    masked, reference = le.Masking()(x), keras.layers.Masking()(x)
    expected = outputs(theirs(reference))
    ours(masked)
    ours.set_weights(theirs.get_weights())
    got = outputs(ours(masked))
    for y, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(y, other, atol=ROUNDING)
        mask, other_mask = getattr(y, "_keras_mask", None), getattr(other, "_keras_mask", None)
        assert (mask is None) == (other_mask is None)
        if mask is not None:
            np.testing.assert_array_equal(mask, other_mask)
    masks, other_masks = ours.compute_mask(x, masked._keras_mask), theirs.compute_mask(reference, reference._keras_mask)
    if isinstance(masks, list):
        other_masks = [m for part in other_masks for m in (part if isinstance(part, list | tuple) else [part])]
        absent = [m is None for m in masks]
        assert absent[: len(other_masks)] == [m is None for m in other_masks]
        assert all(absent[len(other_masks) :])  # Keras leaves out those of a Bidirectional's states
    else:
        assert (masks is None) == (other_masks is None)
    if isinstance(ours, le.LSTM | le.GRU):
        plain = outputs(ours(np.asarray(masked)))
        assert np.abs(np.subtract(plain[0], got[0])).max() > 1e-3  # the mask counts


def test_three_layers_by_hand_are_the_network_in_a_row():
    model = le.Sequential([le.Masking(), le.Bidirectional(le.LSTM(H, return_sequences=True)), le.GRU(H)], seed=0)
    expected = model.predict(x, verbose=0)
    y = x
    for layer in model.layers:
        y = layer(y)
    np.testing.assert_array_equal(y, expected)
    part = le.Sequential(model.layers[1:])  # a model reads and hands on masks too
    np.testing.assert_array_equal(part(le.Masking()(x)), expected)
    sequences = le.Sequential(model.layers[1:2])
    np.testing.assert_array_equal(sequences(le.Masking()(x))._keras_mask, x.any(axis=-1))


def test_a_mask_that_is_given_wins():
    lstm, given = le.LSTM(H), np.arange(T) < np.array([[5], [4], [1]])
    y = lstm(le.Masking()(x), mask=given)
    np.testing.assert_array_equal(y, lstm(x, mask=given))
    np.testing.assert_array_equal(le.Dense(2)(le.Masking()(x), mask=given)._keras_mask, given)


def test_with_initial_states_only_a_given_mask_is_read_as_in_keras(keras):
    ours, theirs = le.LSTM(H, return_sequences=True), keras.layers.LSTM(H, return_sequences=True)
    masked, reference = le.Masking()(x), keras.layers.Masking()(x)
    expected = theirs(reference, initial_state=START)
    ours(x)
    ours.set_weights(theirs.get_weights())
    got = ours(masked, initial_state=START)
    np.testing.assert_allclose(got, expected, atol=ROUNDING)
    np.testing.assert_array_equal(got._keras_mask, expected._keras_mask)
    mask = masked._keras_mask
    explicit = ours(masked, initial_state=START, mask=mask)
    np.testing.assert_allclose(explicit, theirs(reference, initial_state=START, mask=mask), atol=ROUNDING)
    assert np.abs(explicit - got).max() > 1e-2


class Twice(le.layers.Layer):
    def forward(self, x, training=False, mask=None, initial_state=None, taped=True):
        return 2 * x, [], None

    def backward(self, tape, dy, dstates=None, want_dx=True):
        return 2 * dy, [], {}


class MaskedTwice(Twice):
    supports_masking = True


def test_a_layer_without_masks_ends_the_mask_and_says_so():
    """As Keras's Layer: by hand, and in a network."""
    lstm, plain = le.LSTM(H), le.Sequential([Twice(), le.LSTM(H)], seed=0)
    with pytest.warns(UserWarning, match=r"<Twice> ends the mask .*supports_masking = True"):
        assert not hasattr(Twice()(le.Masking()(x)), "_keras_mask")
    np.testing.assert_array_equal(MaskedTwice()(le.Masking()(x))._keras_mask, x.any(axis=-1))
    expected = plain.predict(x, verbose=0)
    model = le.Sequential([le.Masking(), Twice(), plain.layers[1]])
    with pytest.warns(UserWarning, match="ends the mask"):
        np.testing.assert_array_equal(model.predict(x, verbose=0), expected)
    kept = le.Sequential([le.Masking(), MaskedTwice(), plain.layers[1]])
    assert np.abs(kept.predict(x, verbose=0) - expected).max() > 1e-3
    assert lstm.supports_masking


NEW = {
    "arithmetic": lambda y: y + 1,
    "a function": np.tanh,
    "a part": lambda y: y[:1],
    "a step": lambda y: y[:, 0],
    "several": lambda y: np.concatenate([y, y]),
    "a choice": lambda y: np.where(y > 0, y, 0),
    "asarray": np.asarray,
    "pickle": lambda y: pickle.loads(pickle.dumps(y)),
    "a sum": lambda y: y.sum(axis=0),
}


@pytest.mark.parametrize("what", NEW)
def test_what_is_made_of_a_masked_array_is_an_ordinary_array(what):
    y = le.Masking()(x)
    new = NEW[what](y)
    assert type(new) is np.ndarray
    np.testing.assert_array_equal(new, NEW[what](np.where(x.any(axis=-1, keepdims=True), x, 0)))


def test_copies_and_shapes_of_a_masked_array_have_no_mask():
    y = le.Masking()(x)
    for new in (y.copy(), copy.deepcopy(y), y.reshape(-1), y.astype("float64"), y.T):
        assert new._keras_mask is None
    assert repr(y) == repr(np.asarray(y))
    assert float(y[0, 0, 0]) == x[0, 0, 0]
    y -= 1  # in place, as any array
    np.testing.assert_array_equal(y, x - 1)


def test_compute_mask_of_masking_is_keras_s():
    layer = le.Masking(mask_value=-1.0)
    values = np.where(np.arange(T)[:, None] < 2, -1.0, x)
    np.testing.assert_array_equal(layer.compute_mask(values), np.broadcast_to(np.arange(T) >= 2, (N, T)))
    assert le.Dense(2).compute_mask(x) is None
