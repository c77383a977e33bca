"""Whatever the engine hands out may be written into: no tape, no input and no other result changes with it."""

import copy

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine import layers

SHAPES = [(2, 3), (1, 3), (2, 1)]  # of batch and steps: arrays of one of each are contiguous both ways
D = 3

RECURRENT = {
    f"{cell.__name__} {options} {backend}": (lambda cell=cell, options=options: cell(2, **options), backend)
    for cell in (le.LSTM, le.GRU, le.SimpleRNN)
    for options in (
        {}, {"return_sequences": True}, {"return_sequences": True, "go_backwards": True},
        {"dropout": 0.5, "recurrent_dropout": 0.5},
    )
    for backend in ("numpy", "numba")
}  # fmt: skip
CASES = RECURRENT | {
    f"{name} {k}": (make, "numpy")
    for name, makes in {
        "Activation": [lambda: layers.Activation("linear"), lambda: layers.Activation("tanh")],
        "Bidirectional": [
            lambda merge=merge, own=own: le.Bidirectional(le.GRU(2, return_sequences=own), merge)
            for merge in ("concat", "sum", "mul", "ave", None)
            for own in (True, False)
        ],
        "Dense": [lambda a=a: le.Dense(2, a) for a in (None, "relu", "tanh", "softmax", "softplus", "selu")],
        "Dropout": [lambda: le.Dropout(0.5), lambda: le.Dropout(0.0)],
        "Flatten": [lambda: layers.Flatten()],
        "LayerNormalization": [lambda: layers.LayerNormalization()],
        "Masking": [lambda: le.Masking(0.5)],
        "Permute": [lambda: layers.Permute((2, 1)), lambda: layers.Permute((1, 2))],
        "Reshape": [lambda: layers.Reshape((-1,)), lambda: layers.Reshape((-1, D))],
        "TimeDistributed": [
            lambda: le.TimeDistributed(le.Dense(2, "tanh")),
            lambda: le.TimeDistributed(le.Dropout(0.0)),
        ],
    }.items()
    if hasattr(layers, name)
    for k, make in enumerate(makes)
}
ELSEWHERE = {"Embedding", "Input", "InputLayer", "Layer", "RepeatVector"}  # of another input, or of none


def test_every_layer_with_one_input_of_numbers_is_here():
    named = {name for name in layers.__all__ if isinstance(c := getattr(layers, name), type) and not c.many_inputs}
    assert named - ELSEWHERE == {name.split()[0] for name in CASES}


def overwrite(value):
    """Writes into every array in lists and dicts."""
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]:
        if isinstance(item, np.ndarray):
            item[...] = 7.0
        elif item is not None:
            overwrite(item)


def copied(value):
    return copy.deepcopy(value)


def upstream(y, states):
    rng = np.random.default_rng(3)
    dy = [rng.standard_normal(a.shape).astype(a.dtype) for a in (y if isinstance(y, list) else [y])]
    return dy if isinstance(y, list) else dy[0], [rng.standard_normal(a.shape).astype(a.dtype) for a in states]


def assert_same(got, expected):
    for a, b in zip(np.atleast_1d(got) if isinstance(got, np.ndarray) else got, expected, strict=True):
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b)
        elif a is not None and not isinstance(a, str):
            assert_same(a, b)


@pytest.mark.parametrize("case", CASES)
def test_writing_into_what_a_layer_hands_out_changes_no_gradient(case):
    make, backend = CASES[case]
    for N, T in SHAPES:
        layer = make()
        layer.build((T, D), "float32", backend, np.random.default_rng(0))
        x = np.random.default_rng(1).standard_normal((N, T, D)).astype(np.float32)
        x_before, other = x.copy(), copy.deepcopy(layer)
        y, states, tape = layer.forward(x, training=True)
        dy, dstates = upstream(y, states)
        expected = copied((y, states, layer.backward(tape, dy, dstates)))
        y, states, tape = other.forward(x, training=True)
        assert_same((y, states), expected[:2])
        overwrite([y, states])
        np.testing.assert_array_equal(x, x_before)
        before = copied((dy, dstates))
        found = other.backward(tape, dy, dstates)
        assert_same((found[0], found[1], list(found[2].values())), (*expected[2][:2], list(expected[2][2].values())))
        overwrite(list(found))
        assert_same((dy, dstates), before)
        assert_same((x, other.get_weights()), (x_before, layer.get_weights()))
        again = other.backward(tape, dy, dstates)
        assert_same((again[0], again[1], list(again[2].values())), (*expected[2][:2], list(expected[2][2].values())))


def networks():
    """A row whose last layer has a gradient that reads its output; a row of one; a graph whose outputs are read by others."""
    yield le.Sequential([le.LSTM(3, return_sequences=True), le.Dropout(0.5), le.Dense(2, "tanh")], seed=0)
    yield le.Sequential([le.GRU(3, return_sequences=True)], seed=0)
    yield le.Sequential([le.Bidirectional(le.SimpleRNN(3, return_sequences=True), "mul")], seed=0)
    x = le.Input((3, D))
    h = le.GRU(3, return_sequences=True)(x)
    yield le.Model(x, [x, h, h, le.Dense(2, "sigmoid")(h)], seed=0)


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("N", [1, 2])
def test_writing_into_predictions_and_gradients_changes_nothing_in_a_network(which, N):
    model = list(networks())[which]
    x = np.random.default_rng(1).standard_normal((N, 3, D)).astype(np.float32)
    if not model.built:
        model.build((3, D))
    x_before = x.copy()
    p, _, tapes = model.forward(x, training=False)
    dp, _ = upstream(p, [])
    expected = copied(model.backward(tapes, dp))
    p, _, tapes = model.forward(x, training=False)
    first = copied(p)
    outputs = p if isinstance(p, list) else [p]
    outputs[0][...] = 7.0  # no other output is in the same memory
    assert_same(outputs[1:], first[1:] if isinstance(p, list) else [])
    overwrite(p)
    np.testing.assert_array_equal(x, x_before)
    dp_before = copied(dp)
    found = model.backward(tapes, dp)
    assert_same(list(found.weights.values()), list(expected.weights.values()))
    assert_same([found.x], [expected.x])
    overwrite([found.x, found.weights, found.states])
    assert_same([dp], [dp_before])
    assert_same([model.predict(x, verbose=0)], [first])


@pytest.mark.parametrize("N", [1, 2])
def test_arrays_of_a_trace_are_its_own(N):
    model = le.Sequential([le.LSTM(2, return_sequences=True)], seed=0, dtype="float64")
    model.compile("sgd", "mse")
    x = np.random.default_rng(1).standard_normal((N, 3, D))
    traced = model.trace(x, np.zeros((N, 3, 2)))
    arrays = {f"grad {name}": a for name, a in traced["lstm"].grad.items()} | dict(traced["lstm"])
    arrays |= {"p": traced.p, "by_now": traced.by_now, "X": x} | {f"model {k}": g for k, g in traced.grad.items()}
    names = list(arrays)
    shared = [(a, b) for k, a in enumerate(names) for b in names[:k] if np.shares_memory(arrays[a], arrays[b])]
    assert shared == []


@pytest.mark.parametrize(
    "make", [lambda: le.LSTM(2, return_sequences=True), lambda: le.Dropout(0.5), lambda: le.Dense(2)]
)
def test_calls_and_streams_hand_out_arrays_of_their_own(make):
    x = np.random.default_rng(1).standard_normal((1, 1, D)).astype(np.float32)
    x_before, layer = x.copy(), make()
    expected = layer(x).copy()
    overwrite(layer(x))
    np.testing.assert_array_equal(x, x_before)
    np.testing.assert_array_equal(layer(x), expected)
    model = le.Sequential([layer], seed=0)
    model.build((1, D))
    stream, step = model.stream(1), x[:, 0]
    first = stream.step(step).copy()
    stream.reset()
    overwrite(stream.step(step))
    np.testing.assert_array_equal(x, x_before)
    second = stream.step(step)
    stream.reset()
    np.testing.assert_array_equal(stream.step(step), first)
    np.testing.assert_array_equal(stream.step(step), second)
