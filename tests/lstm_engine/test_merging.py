"""Merge layers: values by hand, shapes that are broadcast, calls on arrays and Tensors, what is refused."""

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine import layers

A, B = np.array([[1.0, 2.0], [3.0, -4.0]]), np.array([[5.0, 0.5], [3.0, 2.0]])
BY_HAND = {
    layers.add: A + B,
    layers.average: (A + B) / 2,
    layers.subtract: A - B,
    layers.multiply: A * B,
    layers.maximum: [[5, 2], [3, 2]],
    layers.minimum: [[1, 0.5], [3, -4]],
    layers.concatenate: np.hstack([A, B]),
}


@pytest.mark.parametrize("function", BY_HAND, ids=lambda f: f.__name__)
def test_each_is_what_its_name_says(function):
    np.testing.assert_array_equal(function([A, B]), BY_HAND[function])


def test_a_product_is_over_the_axes_that_it_names():
    a, b = np.arange(12.0).reshape(1, 4, 3), np.arange(6.0).reshape(1, 3, 2)
    np.testing.assert_array_equal(layers.dot([a, b], axes=(2, 1))[0], a[0] @ b[0])
    np.testing.assert_array_equal(layers.dot([a, a], axes=2)[0], a[0] @ a[0].T)
    np.testing.assert_array_equal(layers.dot([A, B], axes=-1), (A * B).sum(axis=1, keepdims=True))


def test_a_vector_is_added_at_every_step_and_its_gradient_is_the_sum_over_them():
    steps, vector, dy = np.ones((2, 3, 4)), np.ones((2, 4)), np.arange(24.0).reshape(2, 3, 4)
    layer = le.Add()
    y, _, tape = layer.forward([steps, vector])
    assert y.shape == (2, 3, 4)
    d_steps, d_vector = layer.backward(tape, dy)[0]
    np.testing.assert_array_equal(d_steps, dy)
    np.testing.assert_array_equal(d_vector, dy.sum(axis=1))


def test_equal_numbers_share_the_gradient_as_in_jax():
    layer = le.Maximum()
    _, _, tape = layer.forward([np.array([[1.0, 2.0]]), np.array([[1.0, 0.0]])])
    da, db = layer.backward(tape, np.ones((1, 2)))[0]
    assert (da.tolist(), db.tolist()) == ([[0.5, 1.0]], [[0.5, 0.0]])


@pytest.mark.parametrize("make", [le.Add, le.Average, le.Multiply, le.Maximum, le.Concatenate])
def test_what_is_handed_out_may_be_written_to(make):
    layer, x = make(), [np.ones((2, 3))] * 3
    y, _, tape = layer.forward(x)
    dy = np.ones(y.shape)
    dx = layer.backward(tape, dy)[0]
    for a in (y, *dx):
        a += 1.0  # in one of the others it would show
    assert all((a == 1).all() for a in (*x, dy))
    assert len({a.__array_interface__["data"][0] for a in dx}) == 3
    np.testing.assert_array_equal(layer.forward(x)[0] + 1, y)


def test_on_tensors_the_shape_is_known_before_any_number():
    x, unknown = le.Input((5, 4)), le.Input((None, 3))
    assert layers.concatenate([x, x]).shape == (None, 5, 8)
    assert layers.concatenate([x, x], axis=1).shape == (None, 10, 4)
    assert layers.concatenate([unknown, unknown], axis=1).shape == (None, None, 3)
    assert layers.add([unknown, le.Input((3,))]).shape == (None, None, 3)
    assert layers.dot([x, x], axes=2).shape == (None, 5, 5)
    assert layers.dot([le.Input((4,)), le.Input((4,))], axes=1).shape == (None, 1)


def test_float32_stays_float32():
    single = A.astype("float32")
    assert {f([single, single]).dtype.name for f in BY_HAND} == {"float32"}
    assert layers.multiply([single, B]).dtype == np.float64


def test_a_model_with_attention_is_saved_and_trained(tmp_path):
    rng = np.random.default_rng(0)
    inputs = [le.Input((4, 2)), le.Input((6, 2))]
    queries, keys = (le.LSTM(3, return_sequences=True)(x) for x in inputs)
    weights = le.Dense(6, activation="softmax")(le.Dot(axes=2)([queries, keys]))
    context = layers.dot([weights, keys], axes=(2, 1))
    model = le.Model(inputs, le.Dense(1)(layers.concatenate([queries, context])), seed=0)
    model.compile("adam", "mae")
    x, y = [rng.standard_normal((8, 4, 2)), rng.standard_normal((8, 6, 2))], rng.standard_normal((8, 4, 1))
    before = model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=5, verbose=0)
    assert model.evaluate(x, y, verbose=0) < before
    model.save(tmp_path / "m.safetensors")
    again = le.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize(
    ("make", "error", "named"),
    [
        (lambda: le.Add()(A), ValueError, r"called on a list, as \[a, b\]"),
        (lambda: le.Add()([]), ValueError, "merges a list of arrays, got none"),
        (lambda: le.Add()([A, np.ones((2, 3))]), ValueError, r"shapes \(None, 2\) and \(None, 3\)"),
        (lambda: le.Add()([A, np.ones((3, 2))]), ValueError, "as many samples"),
        (lambda: le.Subtract()([A, A, A]), ValueError, "exactly two arrays, got 3"),
        (lambda: le.Dot(1)([A]), ValueError, "exactly two arrays, got 1"),
        (lambda: le.Dot(1, normalize=True), TypeError, "no normalize=True in this engine"),
        (lambda: le.Dot(0), ValueError, "axis 0 and cannot be summed over"),
        (lambda: le.Dot("time"), ValueError, "axes must be a whole number, or two of them, got 'time'"),
        (lambda: le.Dot(3)([A, A]), ValueError, "axes=3, the arrays have shapes"),
        (lambda: le.Dot(1)([A, np.ones((2, 3))]), ValueError, "must be as long"),
        (lambda: le.Concatenate(axis=0), ValueError, "other than 0, which is the batch"),
        (lambda: le.Concatenate(axis=1)([np.ones((2, 3, 4)), np.ones((2, 3, 5))]), ValueError, "differ in axis 1 alone"),
        (lambda: le.Concatenate(axis=2)([A, A]), ValueError, "axis=2, the arrays have 2 axes"),
        (lambda: le.Add(axis=1), TypeError, "no axis=1 in this engine"),
        (lambda: le.Add()([A, A], initial_state=[A]), TypeError, "has no states"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(make, error, named):
    with pytest.raises(error, match=named):
        make()
