"""Random models beside Keras: Masking or a mask, recurrent layers in a stack, heads at the end or at
every step, penalties, weights of samples and steps. The loss and every gradient.

Keras on JAX takes means in float32: over a power of two a division is exact, so the batch, the outputs and the number of
steps that a mask leaves are powers of two, and of the loss itself seven digits are compared.
"""

import numpy as np
import pytest

import lstm_engine as le

pytest.importorskip("keras")
jax = pytest.importorskip("jax")

from experiments.beside_keras.jax_by_numpy import call  # noqa: E402
from experiments.beside_keras.random_layers import FLAGS, draw_layer, error, make, pick  # noqa: E402
from experiments.beside_keras.twins import exact_tanh  # noqa: E402
from lstm_engine.gradient_check import unit_scale  # noqa: E402

# Keras says that a Sequential "does not support masking", and masks all the same: its layers hand the mask on.
pytestmark = [pytest.mark.usefixtures("keras"), pytest.mark.filterwarnings("ignore:Layer 'sequential")]
N, T, D, K = 4, 8, 3, 4  # sequences, steps, features, outputs
FLOAT32_MEAN = 3e-7
TOLERANCE = 1e-9
HEADS = {
    "mean_squared_error": None, "binary_crossentropy": "sigmoid", "categorical_crossentropy": "softmax",
    "sparse_categorical_crossentropy": "softmax",
}  # fmt: skip
PENALTIES = ("kernel_regularizer", "recurrent_regularizer", "bias_regularizer")
BOUNDED = ("tanh", "sigmoid", "softsign", "hard_sigmoid")


def draw_model(rng):
    """Layers from below to above, the loss, where the mask comes from, and which weights the samples have."""
    loss, mask, every_step = pick(rng, list(HEADS)), pick(rng, ["none", "Masking", "mask="]), pick(rng, FLAGS)
    stack = [("Masking", {})] if mask == "Masking" else []
    for level, above in enumerate(range(pick(rng, [1, 2]), 0, -1)):
        fixed = {"units": 4 + level, "return_sequences": every_step or above > 1, "return_state": False}
        fixed |= {"stateful": False, "unroll": False, "go_backwards": False, "dropout": 0.0, "recurrent_dropout": 0.0}
        cell, options = draw_layer(rng, fixed)
        options |= {k: v if v in BOUNDED else "tanh" for k, v in options.items() if k.endswith("activation")}
        options |= {name: pick(rng, [None, "l1", "l2"]) for name in PENALTIES}
        if pick(rng, FLAGS):
            merge_mode = pick(rng, ["concat", "sum", "mul", "ave"])
            cell, options = "Bidirectional", {"layer": (cell, options), "merge_mode": merge_mode}
        stack.append((cell, options))
    dense = ("Dense", {"units": K, "activation": HEADS[loss], "kernel_regularizer": pick(rng, [None, "l2"])})
    wrapped = every_step and pick(rng, FLAGS)
    stack.append(("TimeDistributed", {"layer": dense}) if wrapped else dense)
    weights = pick(rng, ["none", "sample", "step" if every_step else "sample"])
    return stack, loss, mask, every_step, weights, pick(rng, ["auto", "numpy"])


def targets(loss, shape, rng):
    if loss == "mean_squared_error":
        return rng.standard_normal((*shape, K))
    if loss == "binary_crossentropy":
        return rng.integers(0, 2, (*shape, K)).astype(float)
    labels = rng.integers(0, K, shape)
    return labels if loss.startswith("sparse") else np.eye(K)[labels]


def keras_twin(stack, loss, ours):
    import keras

    twin = keras.Sequential([keras.Input((T, D)), *(exact_tanh(make(keras.layers, spec)) for spec in stack)])
    twin.compile("sgd", loss)
    twin.set_weights(ours.get_weights())
    return twin


def keras_loss_and_gradients(twin, X, y, mask, sample_weight):
    import keras

    def loss(weights, X, y):
        with keras.StatelessScope(state_mapping=zip(twin.trainable_variables, weights, strict=True)):
            p = twin(X, training=False, mask=None if mask is None else jax.numpy.asarray(mask))
            return twin.compute_loss(x=X, y=y, y_pred=p, sample_weight=sample_weight)

    return call(jax.value_and_grad(loss), [v.value for v in twin.trainable_variables], X, y)


@pytest.mark.parametrize("seed", range(12))
def test_a_model_has_keras_loss_and_gradients(seed):
    model_agrees(seed)


@pytest.mark.slow
@pytest.mark.parametrize("decade", range(2, 12))
def test_a_hundred_models_have_keras_loss_and_gradients(decade):
    for seed in range(10 * decade, 10 * decade + 10):
        model_agrees(seed)


def model_agrees(seed):
    rng = np.random.default_rng(seed)
    stack, loss, source, every_step, weights, backend = draw_model(rng)
    ours = le.Sequential([make(le, spec) for spec in stack], dtype="float64", backend=backend)
    ours.compile("sgd", loss)
    ours.build((T, D))
    unit_scale(ours, rng)
    X = rng.standard_normal((N, T, D))
    live = rng.permutation(np.arange(N * T) < N * T // 2).reshape(N, T)  # half of the steps, in any place
    X[~live] = 0.0
    y = targets(loss, (N, T) if every_step else (N,), rng)
    shape = {"none": (), "sample": (N, 1) if every_step else (N,), "step": (N, T)}[weights]
    sample_weight = rng.integers(1, 9, shape) / 8 if shape else None  # exact in float32, through which Keras takes them
    mask = live if source == "mask=" else None
    value, gradients = ours.gradients(X, y, mask=mask, sample_weight=sample_weight)
    twin = keras_twin(stack, loss, ours)
    expected, reference = keras_loss_and_gradients(twin, X, y, mask, sample_weight)
    assert value == pytest.approx(float(expected), rel=FLOAT32_MEAN)
    for (name, g), r in zip(gradients.items(), reference, strict=True):
        e = error(g, r)
        assert e is None or e < TOLERANCE, f"{name} is off by {e:.1e} with seed {seed}"
