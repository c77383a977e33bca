"""The contract of a layer without recurrence, checked over every one of them, as `test_contract.py` does for the others.

To add a layer, add it to LAYERS; what holds of one is then asked of the new one too.
"""

import json

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.gradient_check import unit_scale

N = 4
some = le.regularizers.L1L2(0.1, 0.2)
LAYERS = {  # how it is made, and the shape of a sample
    "Dense": (lambda: le.Dense(3, "tanh", kernel_regularizer=some, bias_initializer="ones"), (5, 2)),
    "Activation": (lambda: le.Activation("softmax"), (5, 2)),
    "Dropout": (lambda: le.Dropout(0.5, seed=3), (5, 2)),
    "Masking": (lambda: le.Masking(-1.0), (5, 2)),
    "Embedding": (lambda: le.Embedding(6, 3, "normal", embeddings_regularizer=some, mask_zero=True), (5,)),
    "LayerNormalization": (lambda: le.LayerNormalization(gamma_initializer="he_normal", beta_regularizer=some), (5, 3)),
    "LayerNormalization of steps": (lambda: le.LayerNormalization([1, 2], 0.1, center=False), (5, 3)),
    "Flatten": (lambda: le.Flatten(), (5, 2)),
    "Reshape": (lambda: le.Reshape((2, -1)), (5, 2)),
    "Permute": (lambda: le.Permute((2, 1)), (5, 2)),
    "RepeatVector": (lambda: le.RepeatVector(3), (5,)),
    "Embedding at every step": (lambda: le.TimeDistributed(le.Embedding(6, 3)), (5, 2)),
    "LayerNormalization at every step": (lambda: le.TimeDistributed(le.LayerNormalization()), (5, 2, 3)),
    "LSTM at every step": (lambda: le.TimeDistributed(le.LSTM(2, kernel_regularizer=some)), (3, 4, 2)),
    "GRU at every step": (lambda: le.TimeDistributed(le.GRU(2, return_sequences=True)), (2, 3, 2)),
    "Reshape at every step": (lambda: le.TimeDistributed(le.Reshape((3, 1))), (5, 3)),
}
# float32 rounds at 6e-8, and a value is a sum of at most 15 products of size 1; float64's other order rounds at 1e-16
AGREE = {"float32": 3e-6, "float64": 1e-13}
pytestmark = [
    pytest.mark.parametrize("dtype", AGREE),
    pytest.mark.parametrize("name", LAYERS),
    pytest.mark.filterwarnings("ignore:.*drops it, as Keras"),
]


def built(name, dtype, seed=0):
    make, shape = LAYERS[name]
    layer = make()
    layer.build(shape, dtype, "numpy", np.random.default_rng(seed))
    return unit_scale(layer, 1)


def data(name, dtype):
    """x, of ids for an Embedding, and an upstream gradient."""
    rng = np.random.default_rng(2)
    shape = (N, *LAYERS[name][1])
    x = rng.integers(0, 6, shape) if "Embedding" in name else rng.standard_normal(shape)
    dy = rng.standard_normal((N, *LAYERS[name][0]().output_shape(LAYERS[name][1])))
    return x.astype(dtype), dy.astype(dtype)


def run(layer, x, dy):
    """y, dx and the weights' gradients in training, always with the same dropout."""
    layer.rng = np.random.default_rng(5)
    y, states, tape = layer.forward(x, True)
    assert states == []
    dx, dstates, gradients = layer.backward(tape, dy)
    assert dstates == []
    return {"y": y, **({} if dx is None else {"dx": dx}), **gradients}


def test_shapes_and_dtypes_are_those_promised(name, dtype):
    layer, (x, dy) = built(name, dtype), data(name, dtype)
    results = run(layer, x, dy)
    expected = {"y": (N, *layer.output_shape(x.shape[1:])), "dx": x.shape} | {
        k: w.shape for k, w in layer.weights.items()
    }
    expected = {k: shape for k, shape in expected.items() if k != "dx" or "Embedding" not in name}
    assert {k: a.shape for k, a in results.items()} == expected
    assert all(a.dtype == dtype and np.isfinite(a).all() for a in results.values())


def test_nothing_that_is_given_is_changed(name, dtype):
    layer, (x, dy) = built(name, dtype), data(name, dtype)
    mask = np.arange(x.shape[1]) < np.array([[1], [5], [0], [3]])
    before = [a.copy() for a in (x, dy, mask, *layer.weights.values())]
    run(layer, x, dy)
    layer.output_mask(x, mask)
    for a, kept in zip((x, dy, mask, *layer.weights.values()), before, strict=True):
        np.testing.assert_array_equal(a, kept)


def test_two_passes_do_not_meet(name, dtype):
    layer, (x, dy) = built(name, dtype), data(name, dtype)
    expected = run(layer, x, dy)
    layer.rng = np.random.default_rng(5)
    _, _, tape = layer.forward(x, True)
    layer.forward(x[::-1].copy(), True)  # another pass in between
    dx, _, gradients = layer.backward(tape, dy)
    for key, a in {"dx": dx, **gradients}.items():
        if a is not None:
            np.testing.assert_array_equal(a, expected[key])


def test_gradients_are_the_derivatives(name, dtype):
    """Along a random direction in each array: Im f(a + i h v) / h, on the numbers that float32 has."""
    layer, (x, dy) = built(name, dtype), data(name, dtype)
    results, twin, rng = run(layer, x, dy), built(name, "float64"), np.random.default_rng(3)
    arrays = {"dx": x, **layer.weights}
    for key, gradient in results.items():
        if key == "y":
            continue
        v = rng.standard_normal(gradient.shape)
        moved = {k: a.astype(np.complex128) + (1e-30j * v if k == key else 0) for k, a in arrays.items()}
        for part in twin.parts.values():
            part.weights = {k: moved[k] for k in part.weights}
        twin.rng = np.random.default_rng(5)
        derivative = (twin.forward(moved["dx"], True)[0] * dy).sum().imag / 1e-30
        scale = np.linalg.norm(gradient.astype(np.float64)) * np.linalg.norm(v)
        assert abs((gradient * v).sum() - derivative) <= AGREE[dtype] * scale, key


def test_rows_of_a_batch_do_not_meet(name, dtype):
    layer, (x, dy) = built(name, dtype), data(name, dtype)
    if name == "Dropout":
        return  # another batch size draws another mask
    together, alone = run(layer, x, dy), run(layer, x[:1], dy[:1])
    for key in {"y", "dx"} & set(together):
        np.testing.assert_allclose(together[key][:1], alone[key], rtol=AGREE[dtype], atol=AGREE[dtype])


def test_the_config_makes_the_layer_again(name, dtype):
    make, shape = LAYERS[name]
    config = json.loads(json.dumps(make().config()))
    again = type(make())(**config)
    assert again.config() == make().config()
    first, second = make(), again
    for layer in (first, second):
        layer.build(shape, dtype, "numpy", np.random.default_rng(11))
    assert list(first.weights) == list(second.weights)
    for w, other in zip(first.weights.values(), second.weights.values(), strict=True):
        np.testing.assert_array_equal(w, other)


def test_a_file_keeps_it(name, dtype, tmp_path):
    make, shape = LAYERS[name]
    model = unit_scale(le.Sequential([le.Input(shape), make()], seed=0, dtype=dtype))
    model.save(tmp_path / "m.safetensors")
    again = le.load(tmp_path / "m.safetensors")
    assert again.layers[0].config() == model.layers[0].config()
    x, _ = data(name, dtype)
    np.testing.assert_array_equal(again(x), model(x))
