"""A copy of a model can be trained, also one whose large arrays are read-only maps of a file, as in a worker of joblib."""

import copy
import pickle

import joblib
import numpy as np
import pytest

import lstm_engine as le

X = np.random.default_rng(0).standard_normal((6, 4, 2)).astype(np.float32)
Y = X.sum(axis=(1, 2))


def model():
    """With weights inside wrappers, slots, and kept states."""
    layers = [
        le.Bidirectional(le.LSTM(3, return_sequences=True)),
        le.TimeDistributed(le.Dense(3)),
        le.GRU(3, stateful=True),
        le.Dense(1),
    ]
    network = le.Sequential(layers, seed=0, backend="numpy")
    network.compile(le.Adam(1e-2), "mse")
    network.train_on_batch(X, Y)
    return network


def mapped(network, tmp_path):
    joblib.dump(network, tmp_path / "model")
    return joblib.load(tmp_path / "model", mmap_mode="r")


@pytest.fixture(scope="module")
def trained():
    network = model()
    return network, [network.train_on_batch(X, Y) for _ in range(3)], network.get_weights()


@pytest.mark.parametrize(
    "copied", [mapped, lambda network, _: pickle.loads(pickle.dumps(network)), lambda network, _: copy.deepcopy(network)]
)  # fmt: skip
def test_a_copy_of_a_model_goes_on_as_the_model_itself(copied, tmp_path, trained):
    _, losses, weights = trained
    network = copied(model(), tmp_path)
    assert [network.train_on_batch(X, Y) for _ in range(3)] == losses
    for a, b in zip(network.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(a, b)
    network.set_weights(weights)
    network.reset_states()


def test_layers_and_their_wrapper_share_weights_after_a_copy(tmp_path):
    wrapper = mapped(model(), tmp_path).layers[0]
    wrapper.weights["forward_lstm/bias"][...] = 0.5
    np.testing.assert_array_equal(wrapper.forward_half.weights["bias"], 0.5)


def test_a_copied_optimizer_refuses_other_weights(trained):
    optimizer = copy.deepcopy(trained[0].optimizer)
    with pytest.raises(ValueError, match="slots belong to other weights"):
        optimizer.apply({"kernel": np.zeros(3)}, {"kernel": np.ones(3)})


def test_a_read_only_weight_is_named_before_anything_moves():
    network = model()
    before = network.get_weights()
    network.layers[-1].weights["bias"].flags.writeable = False
    with pytest.raises(ValueError, match="dense/bias cannot be trained: the array is read-only"):
        network.train_on_batch(X, Y)
    for a, b in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("change", [
    lambda a, _: np.asfortranarray(a),
    lambda a, _: np.repeat(a, 2, axis=0)[::2],
    lambda a, _: a[::-1].copy()[::-1],
    lambda a, _: a.astype(">f4"),
    lambda a, _: a.astype(">f8"),
    lambda a, _: a.astype(np.longdouble),
    lambda a, path: np.save(path / f"{a.ndim}.npy", a) or np.load(path / f"{a.ndim}.npy", mmap_mode="r"),
])  # fmt: skip
def test_any_array_of_the_same_numbers_trains_alike(change, tmp_path, trained):
    network = model()
    for loss in trained[1]:
        assert network.train_on_batch(change(X, tmp_path), change(Y, tmp_path)) == loss


LAYERS = [lambda: le.LSTM(2), lambda: le.Dense(2), lambda: le.Bidirectional(le.GRU(2)), lambda: le.Masking()]


@pytest.mark.parametrize("make", LAYERS)
@pytest.mark.parametrize(
    ("kinds", "dtype"),
    [(["f8", ">f8", "<f8", "g"], "float64"), (["f4", ">f4", "f2", ">i4", "u1", "?"], "float32")],
)
def test_a_layer_computes_in_the_precision_of_its_input_whatever_the_byte_order(make, kinds, dtype):
    for kind in kinds:
        layer = make()
        y = layer(np.ones((2, 3, 2), kind))
        assert y.dtype == np.dtype(dtype)
        assert {w.dtype for w in layer.weights.values()} <= {np.dtype(dtype)}


def test_complex_numbers_and_text_are_refused_by_a_layer():
    with pytest.raises(TypeError, match=r"real numbers, got dtype complex128"):
        le.LSTM(2)(np.ones((2, 3, 2), complex))
    with pytest.raises(TypeError, match=r"real numbers, got dtype <U1"):
        le.Dense(2)([["a"]])


def train_in_worker(network):
    return network.fit(X, Y, epochs=2, verbose=0).history["loss"]


@pytest.mark.slow
def test_a_model_over_a_megabyte_trains_in_workers():
    network = le.Sequential([le.LSTM(260), le.Dense(1)], seed=0)
    network.compile("adam", "mse")
    network.build((4, 2))
    assert network.layers[0].weights["recurrent_kernel"].nbytes > 1 << 20
    losses = joblib.Parallel(n_jobs=2)(joblib.delayed(train_in_worker)(network) for _ in range(2))
    assert losses[0] == losses[1] == train_in_worker(network)
