"""Whole models as hypothesis draws them, beside Keras: Masking or a mask, recurrent layers in a stack, heads at the end or at
every step, penalties, weights of samples and steps. The loss and every gradient.

Keras on JAX takes means in float32: over a power of two a division is exact, so the batch, the outputs and the number of
steps that a mask leaves are powers of two, and of the loss itself seven digits are compared.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lstm_engine as le

pytest.importorskip("keras")
jax = pytest.importorskip("jax")

from experiments.beside_keras.jax_by_numpy import call  # noqa: E402
from experiments.beside_keras.random_layers import FLAGS, error, exact, layers, make, pick, unit_scale  # noqa: E402

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


@st.composite
def stacks(draw):
    """Layers from below to above, the loss, where the mask comes from, and which weights the samples have."""
    loss = draw(st.sampled_from(list(HEADS)))
    mask = draw(st.sampled_from(["none", "Masking", "mask="]))
    every_step = draw(pick("every step", FLAGS))[1]
    stack = [("Masking", {})] if mask == "Masking" else []
    for level, above in enumerate(range(draw(st.integers(1, 2)), 0, -1)):
        fixed = {"units": 4 + level, "return_sequences": every_step or above > 1, "return_state": False}
        fixed |= {"stateful": False, "unroll": False, "go_backwards": False, "dropout": 0.0, "recurrent_dropout": 0.0}
        cell, options = draw(layers(fixed))
        options |= {k: v if v in BOUNDED else "tanh" for k, v in options.items() if k.endswith("activation")}
        options |= {name: draw(st.sampled_from([None, "l1", "l2"])) for name in PENALTIES}
        if draw(pick("bidirectional", FLAGS))[1]:
            merge_mode = draw(st.sampled_from(["concat", "sum", "mul", "ave"]))
            cell, options = "Bidirectional", {"layer": (cell, options), "merge_mode": merge_mode}
        stack.append((cell, options))
    penalty = draw(st.sampled_from([None, "l2"]))
    dense = ("Dense", {"units": K, "activation": HEADS[loss], "kernel_regularizer": penalty})
    wrapped = every_step and draw(pick("TimeDistributed", FLAGS))[1]
    stack.append(("TimeDistributed", {"layer": dense}) if wrapped else dense)
    weights = draw(st.sampled_from(["none", "sample", "step" if every_step else "sample"]))
    backend, seed = draw(st.sampled_from(["auto", "numpy"])), draw(st.integers(0, 2**32 - 1))
    return stack, loss, mask, every_step, weights, backend, seed


def targets(loss, shape, rng):
    if loss == "mean_squared_error":
        return rng.standard_normal((*shape, K))
    if loss == "binary_crossentropy":
        return rng.integers(0, 2, (*shape, K)).astype(float)
    labels = rng.integers(0, K, shape)
    return labels if loss.startswith("sparse") else np.eye(K)[labels]


def keras_twin(stack, loss, ours):
    import keras

    twin = keras.Sequential([keras.Input((T, D)), *(exact(make(keras.layers, spec)) for spec in stack)])
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


@settings(max_examples=20, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(stacks())
def test_a_model_has_keras_loss_and_gradients(drawn):
    model_agrees(drawn)


@pytest.mark.slow
@settings(max_examples=200, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(stacks())
def test_two_hundred_models_have_keras_loss_and_gradients(drawn):
    model_agrees(drawn)


def model_agrees(drawn):
    stack, loss, source, every_step, weights, backend, seed = drawn
    rng = np.random.default_rng(seed)
    ours = le.Sequential([make(le, spec) for spec in stack], dtype="float64", backend=backend)
    ours.compile("sgd", loss)
    ours.build((T, D))
    ours.set_weights([unit_scale(name, w.shape, rng) for name, w in ours.weights.items()])
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
        assert e is None or e < TOLERANCE, f"{name} is off by {e:.1e}"
