"""A trace's values beside Keras's cell stepped by hand, and its gradients beside a complex step into each value."""

import numpy as np
import pytest

import lstm_engine as le
from experiments.beside_keras.twins import exact_tanh
from lstm_engine.gradient_check import unit_scale

N, T, D, H = 3, 9, 4, 5
STEP = 1e-30  # of the complex step: no difference is formed, so nothing is lost
EXACT = 1e-12  # float64: a few roundings a step, relative to arrays of size 1
VALUES = ("z_i", "z_f", "z_g", "z_o", "i", "f", "g", "o", "c", "tanh_c", "h")


@pytest.fixture
def model():
    made = le.Sequential([le.LSTM(H, return_sequences=True), le.Dense(2)], seed=0, dtype="float64")
    made.build((T, D))
    made.compile("sgd", "mse")
    return unit_scale(made)


@pytest.fixture
def batch():
    rng = np.random.default_rng(1)
    return rng.standard_normal((N, T, D)), rng.standard_normal((N, T, 2))


def test_values_are_those_of_keras_cell_and_of_gates_rebuilt_from_its_weights(keras, model, batch):
    cell = exact_tanh(keras.layers.LSTMCell(H, dtype="float64"))
    cell.build((N, D))
    cell.set_weights(model.layers[0].get_weights())
    W, U, b = (np.asarray(w) for w in cell.get_weights())
    layer = model.trace(*batch)["lstm"]
    h, c = np.zeros((N, H)), np.zeros((N, H))

    def tensor(a):  # Keras makes float32 of anything else
        return keras.ops.convert_to_tensor(a, dtype="float64")

    for t in range(T):
        x = batch[0][:, t]
        for name, z in zip("ifgo", np.split(x @ W + h @ U + b, 4, axis=-1), strict=True):
            gate = np.asarray((cell.activation if name == "g" else cell.recurrent_activation)(tensor(z)))
            np.testing.assert_allclose(layer[f"z_{name}"][:, t], z, rtol=0, atol=EXACT)
            np.testing.assert_allclose(layer[name][:, t], gate, rtol=0, atol=EXACT)
        _, (h, c) = cell(tensor(x), [tensor(h), tensor(c)])
        h, c = np.asarray(h), np.asarray(c)
        np.testing.assert_allclose(layer.c[:, t], c, rtol=0, atol=EXACT)
        np.testing.assert_allclose(layer.h[:, t], h, rtol=0, atol=EXACT)


def loss(model, x, y, moved, at, by):
    """The loss by the equations, where the value `moved` has `by` added to it at sample, step and unit `at`."""
    W, U, b, V, d = model.get_weights()
    sample, step, unit = at
    total = 0.0
    for n in range(N):
        h, c = np.zeros(H), np.zeros(H)
        for t in range(T):
            moves = by * (np.arange(H) == unit) if (n, t) == (sample, step) else 0.0
            z = dict(zip("ifgo", np.split(x[n, t] @ W + h @ U + b, 4), strict=True))
            z = {k: v + moves * (moved == f"z_{k}") for k, v in z.items()}
            gate = {k: np.tanh(v) if k == "g" else 1 / (1 + np.exp(-v)) for k, v in z.items()}
            gate = {k: v + moves * (moved == k) for k, v in gate.items()}
            c = gate["f"] * c + gate["i"] * gate["g"] + moves * (moved == "c")
            tanh_c = np.tanh(c) + moves * (moved == "tanh_c")
            h = gate["o"] * tanh_c + moves * (moved == "h")
            total = total + ((h @ V + d - y[n, t]) ** 2).sum()
    return total / y.size


@pytest.mark.parametrize("name", VALUES)
def test_the_gradient_of_every_value_is_the_complex_steps(model, batch, name):
    gradient = model.trace(*batch)["lstm"].grad[name]
    for at in np.ndindex(1, T, H):
        slope = loss(model, *batch, name, at, 1j * STEP).imag / STEP
        assert gradient[at] == pytest.approx(slope, abs=EXACT), at
    assert np.abs(gradient).max() > 1e-4
