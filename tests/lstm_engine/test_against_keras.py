"""The engine beside Keras, which nobody here wrote: forward, every gradient, losses and whole training runs.

"float64" Keras computes parts in float32 on JAX. Its tanh does unless jax.numpy's is passed in. Its mean does too: the
value of a loss is then right to 1e-7 alone, and the gradients to 1e-15 when the mean is over a power of two.
"""

import numpy as np
import pytest

import lstm_engine as le

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


def unit_scale_weights(model, rng):
    """Kernels N(0, 1/fan in), recurrent kernels with orthonormal rows, biases N(0, 1)."""
    drawn = []
    for name, w in model.weights.items():
        if name.endswith("recurrent_kernel"):
            drawn.append(np.linalg.qr(rng.standard_normal(w.T.shape))[0].T)
        else:
            drawn.append(rng.standard_normal(w.shape) / (np.sqrt(len(w)) if w.ndim > 1 else 1))
    return drawn


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("sequences", [False, True])
def test_forward_and_every_gradient_at_unit_scale(float64_keras, rel, backend, sequences):
    D, H, B, T = 4, 32, 4, 64 if sequences else 50  # 4 · 64 outputs, so that Keras's float32 mean is exact
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((B, T, D)), rng.random((B, T, 2) if sequences else (B, 2))
    theirs = keras_model(
        [keras.layers.LSTM(H, activation=jnp.tanh, return_sequences=sequences), keras.layers.Dense(2)], (T, D)
    )
    theirs.compile("sgd", "mean_squared_error")
    ours = le.Sequential([le.LSTM(H, return_sequences=sequences), le.Dense(2)], dtype="float64", backend=backend)
    ours.compile("sgd", "mean_squared_error")
    ours.build((T, D))
    ours.set_weights(unit_scale_weights(ours, rng))
    theirs.set_weights(ours.get_weights())
    assert rel(ours.predict(X, verbose=0), np.asarray(theirs(X))) < 1e-10
    loss, gradients = ours.gradients(X, y)
    expected_loss, expected = keras_loss_and_gradients(theirs, X, y)
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


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_training_run_in_float64(float64_keras, rel, optimizer):
    """Ten epochs on the same batches from the same weights: history and weights stay together."""
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((50, 12, 3)), rng.integers(0, 2, 50)
    ours = le.Sequential([le.LSTM(8), le.Dense(1, activation="sigmoid")], seed=0, dtype="float64")
    ours.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
    ours.build((12, 3))
    layers = [keras.layers.LSTM(8, activation=jnp.tanh), keras.layers.Dense(1, activation="sigmoid")]
    theirs = keras_model(layers, (12, 3))
    theirs.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
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


def test_initial_weights_are_distributed_as_keras_draws_them():
    theirs = keras_model([keras.layers.LSTM(40, seed=0), keras.layers.Dense(30)], (5, 20)).get_weights()
    model = le.Sequential([le.LSTM(40), le.Dense(30)], seed=0)
    model.build((5, 20))
    for w, reference in zip(model.get_weights(), theirs, strict=True):
        assert w.shape == reference.shape
        # 1,200 numbers and more: the standard deviation is known to 2 %
        assert w.std() == pytest.approx(reference.std(), rel=0.08, abs=1e-12)
        assert np.abs(w).max() == pytest.approx(np.abs(reference).max(), rel=0.25, abs=1e-12)
    np.testing.assert_array_equal(model.get_weights()[2], theirs[2])
