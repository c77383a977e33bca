"""The engine beside Keras, which nobody here wrote: forward, every gradient, losses and a whole training run.

"float64" Keras computes parts in float32 on JAX. Its tanh does unless jax.numpy's is passed in. Its mean does too: the
value of a loss is then right to 1e-7 alone, and the gradients to 1e-15 when the mean is over a power of two.
"""

import functools

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.gradient_check import unit_scale

keras = pytest.importorskip("keras")
if keras.backend.backend() != "jax":
    pytest.skip("the float64 reference needs KERAS_BACKEND=jax", allow_module_level=True)

jax = pytest.importorskip("jax")
jnp = jax.numpy

FLOAT32_MEAN = 2e-7  # relative rounding of a float32 mean


def keras_model(layers, input_shape):
    return keras.Sequential([keras.Input(input_shape), *layers])


def keras_loss_and_gradients(model, X, y):
    """Keras's own forward and loss, differentiated by JAX."""

    def loss(trainable):
        p, _ = model.stateless_call(trainable, [v.value for v in model.non_trainable_variables], X)
        return model.compute_loss(x=X, y=y, y_pred=p)

    value, gradients = jax.jit(jax.value_and_grad(loss))([v.value for v in model.trainable_variables])
    return float(value), [np.asarray(g) for g in gradients]


def at_unit_scale(sequences, backend):
    """LSTM and Dense with a batch (X, y): 4 · 64 outputs, so that Keras's float32 mean over sequences is exact."""
    D, H, B, T = 4, 32, 4, 64 if sequences else 50
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((B, T, D)), rng.random((B, T, 2) if sequences else (B, 2))
    layers = [le.Input((T, D)), le.LSTM(H, return_sequences=sequences), le.Dense(2)]
    model = le.Sequential(layers, dtype="float64", backend=backend)
    model.compile("sgd", "mean_squared_error")
    return unit_scale(model), X, y


@functools.cache
def keras_at_unit_scale(sequences):
    """What Keras computes from the same weights and batch: predictions, loss, gradients. Compiled once for all backends."""
    ours, X, y = at_unit_scale(sequences, "numpy")
    lstm = keras.layers.LSTM(ours.layers[0].units, activation=jnp.tanh, return_sequences=sequences)
    theirs = keras_model([lstm, keras.layers.Dense(2)], X.shape[1:])
    theirs.compile("sgd", "mean_squared_error")
    theirs.set_weights(ours.get_weights())
    return np.asarray(theirs(X)), *keras_loss_and_gradients(theirs, X, y)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("sequences", [False, True])
def test_forward_and_every_gradient_at_unit_scale(float64_keras, rel, backend, sequences):
    ours, X, y = at_unit_scale(sequences, backend)
    expected_p, expected_loss, expected = keras_at_unit_scale(sequences)
    assert rel(ours.predict(X, verbose=0), expected_p) < 1e-10
    loss, gradients = ours.gradients(X, y)
    assert loss == pytest.approx(expected_loss, rel=FLOAT32_MEAN)
    for (name, g), reference in zip(gradients.items(), expected, strict=True):
        assert reference.dtype == np.float64
        assert rel(g, reference) < 1e-10, name


HEADS = [
    ("sigmoid", 1, "binary_crossentropy"),
    ("sigmoid", 4, "binary_crossentropy"),
    ("softmax", 3, "categorical_crossentropy"),
    ("softmax", 3, "sparse_categorical_crossentropy"),
    ("relu", 2, "mean_squared_error"),
]


@pytest.mark.parametrize(("activation", "units", "loss"), HEADS)
def test_heads_and_losses(float64_keras, rel, activation, units, loss):
    rng = np.random.default_rng(1)
    X = 3 * rng.standard_normal((16, 6))
    targets = {
        "binary_crossentropy": rng.integers(0, 2, (16, units)).astype(float),
        "categorical_crossentropy": np.eye(3)[rng.integers(0, 3, 16)],
        "sparse_categorical_crossentropy": rng.integers(0, 3, 16),
        "mean_squared_error": rng.standard_normal((16, units)),
    }
    theirs = keras_model([keras.layers.Dense(units, activation=activation)], (6,))
    theirs.compile("sgd", loss)
    ours = le.Sequential([le.Dense(units, activation=activation)], dtype="float64")
    ours.compile("sgd", loss)
    ours.build((6,))
    ours.set_weights([rng.standard_normal((6, units)), rng.standard_normal(units)])
    theirs.set_weights(ours.get_weights())
    value, gradients = ours.gradients(X, targets[loss])
    expected, reference = keras_loss_and_gradients(theirs, X, targets[loss])
    assert value == pytest.approx(expected, rel=FLOAT32_MEAN)
    for g, r in zip(gradients.values(), reference, strict=True):
        assert rel(g, r) < 1e-12


def test_a_clipped_loss_has_keras_gradient_of_zero(float64_keras):
    theirs = keras_model([keras.layers.Dense(1, activation="sigmoid")], (1,))
    theirs.compile("sgd", "binary_crossentropy")
    theirs.set_weights([np.array([[1.0]]), np.array([0.0])])
    _, gradients = keras_loss_and_gradients(theirs, np.array([[-17.0]]), np.array([[1.0]]))
    assert gradients[1][0] == 0


@pytest.mark.slow  # Keras compiles a training step and an evaluation
def test_training_run_in_float64(float64_keras, rel):
    """Ten epochs on the same batches from the same weights: history and weights stay together."""
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((50, 12, 3)), rng.integers(0, 2, 50)
    ours = le.Sequential([le.LSTM(8), le.Dense(1, activation="sigmoid")], seed=0, dtype="float64")
    ours.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    ours.build((12, 3))
    layers = [keras.layers.LSTM(8, activation=jnp.tanh), keras.layers.Dense(1, activation="sigmoid")]
    theirs = keras_model(layers, (12, 3))
    theirs.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    theirs.set_weights(ours.get_weights())
    orders = [rng.permutation(50) for _ in range(10)]
    batches = [[rows[k : k + 16] for k in range(0, 50, 16)] for rows in orders]
    history = ours.fit(X, y, epochs=10, order=batches, validation_data=(X[:20], y[:20]), verbose=0).history
    for epoch, rows in enumerate(orders):
        logs = theirs.fit(
            X[rows], y[rows], batch_size=16, shuffle=False, validation_data=(X[:20], y[:20]), verbose=0
        ).history
        for name, values in logs.items():
            # Keras keeps its running means in float32
            assert history[name][epoch] == pytest.approx(values[0], rel=1e-6), name
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert rel(a, b) < 1e-11  # rounding of 1e-16, through 40 steps of a smooth map
