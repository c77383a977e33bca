"""Embedding, LayerNormalization, Activation, Flatten, Reshape, Permute, RepeatVector beside Keras, alone and in models.

`python -m experiments.beside_keras.random_layers --kind others` draws more of the same layers.
"""

import numpy as np
import pytest

import lstm_engine as le
from experiments import from_keras
from experiments.beside_keras.twins import to_keras
from lstm_engine.gradient_check import unit_scale

keras = pytest.importorskip("keras")
jax = pytest.importorskip("jax")

from experiments.beside_keras.jax_by_numpy import call  # noqa: E402
from experiments.beside_keras.random_layers import TOLERANCE, error  # noqa: E402
from experiments.beside_keras.random_other_layers import KINDS, compare, random_cases  # noqa: E402

# Keras on JAX takes means in float32: over a power of two a division is exact, so the batch, the steps that are not masked
# and the outputs are powers of two, and of the loss itself seven digits are compared.
N, T, V = 4, 8, 7
FLOAT32_MEAN = 3e-7
rng = np.random.default_rng(0)
IDS = rng.integers(1, V, (N, T)) * rng.permutation(np.arange(N * T) < N * T // 2).reshape(N, T)
X = rng.standard_normal((N, T, 3))
MODELS = {
    "ids, masked, both ways": lambda: [
        le.Embedding(V, 4, mask_zero=True, embeddings_regularizer="l2"), le.Bidirectional(le.LSTM(3, return_sequences=True)),
        le.LayerNormalization(gamma_regularizer="l2"), le.Activation("softsign"), le.GRU(3), le.Dense(2),
    ],
    "ids, a tag a step": lambda: [
        le.Embedding(V, 4, mask_zero=True), le.GRU(3, return_sequences=True), le.TimeDistributed(le.Dense(2)),
        le.LayerNormalization(),
    ],
    "ids, flattened": lambda: [le.Embedding(V, 4), le.LSTM(3, return_sequences=True), le.Flatten(), le.Dense(2)],
    "encoder and decoder": lambda: [
        le.LSTM(4), le.RepeatVector(4), le.LSTM(4, return_sequences=True), le.TimeDistributed(le.Dense(2)),
    ],
    "sequences of sequences": lambda: [
        le.Reshape((T, 3, 1)), le.TimeDistributed(le.LSTM(3)), le.TimeDistributed(le.Reshape((3, 1))),
        le.TimeDistributed(le.GRU(2)), le.SimpleRNN(2),
    ],
    "laid out anew": lambda: [
        le.Permute((2, 1)), le.LayerNormalization([1, 2]), le.Reshape((2, -1)), le.TimeDistributed(le.Reshape((3, 4))),
        le.TimeDistributed(le.Flatten()), le.SimpleRNN(4), le.Activation("softmax"),
    ],
}  # fmt: skip


MODELS_FIRST, *MODELS_REST = MODELS


def keras_loss_and_gradients(twin, x, y):
    def loss(weights, x, y):
        with keras.StatelessScope(
            state_mapping=zip(twin.trainable_variables, weights, strict=True), collect_losses=True
        ):
            return twin.compute_loss(x=x, y=y, y_pred=twin(x, training=False))

    return call(jax.value_and_grad(loss), [v.value for v in twin.trainable_variables], x, y)


def agrees(case):
    for kind, e in compare(case):
        assert e is None or e <= TOLERANCE, f"{kind} is off by {e:.1e} at {case}"


@pytest.mark.usefixtures("keras")
def test_twelve_layers_compute_what_keras_computes():
    for case in random_cases(12, seed=0):
        agrees(case)


@pytest.mark.slow
@pytest.mark.usefixtures("keras")
def test_forty_more_layers_compute_what_keras_computes():
    for case in random_cases(40, seed=1):
        agrees(case)


def test_every_kind_is_drawn_alone_and_at_every_step_with_masks():
    drawn = list(random_cases(300, seed=0))
    for kind in KINDS:
        assert any(case.spec[0] == kind for case in drawn)
        assert any(case.spec[0] == "TimeDistributed" and case.spec[1]["layer"][0] == kind for case in drawn)
    assert {case.masked for case in drawn} == {False, True}


@pytest.mark.usefixtures("keras")
@pytest.mark.filterwarnings("ignore:Layer 'sequential", "ignore:.*drops it, as Keras")
@pytest.mark.parametrize("name", [MODELS_FIRST, *(pytest.param(n, marks=pytest.mark.slow) for n in MODELS_REST)])
def test_a_model_has_keras_loss_and_gradients_and_comes_back_as_it_was(name):
    ours = le.Sequential(MODELS[name](), dtype="float64")
    ours.compile("sgd", "mean_squared_error")
    x = IDS if "ids" in name else X
    ours.build(x.shape[1:])
    unit_scale(ours, 1)
    y = np.random.default_rng(2).standard_normal(ours.predict(x, verbose=0).shape)
    theirs = to_keras(ours)
    loss, gradients = ours.gradients(x, y)
    expected, reference = keras_loss_and_gradients(theirs, x, y)
    assert loss == pytest.approx(float(expected), rel=FLOAT32_MEAN)
    for (weight, g), r in zip(gradients.items(), reference, strict=True):
        assert (e := error(g, r)) is None or e < TOLERANCE, f"{weight} is off by {e:.1e}"
    back = from_keras(theirs)
    assert [layer.name for layer in back.layers] == [layer.name for layer in ours.layers]
    np.testing.assert_array_equal(back.predict(x, verbose=0), ours.predict(x, verbose=0))
