"""Losses: values by hand and of large logits, the gradient at kinks, what a file holds, what is refused."""

import json

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine import losses
from lstm_engine.gradient_check import unit_scale

rng = np.random.default_rng(0)
Y, P = rng.standard_normal((4, 3)), rng.standard_normal((4, 3))


def test_absolute_error_and_huber_by_hand():
    y, p = np.zeros((1, 4)), np.array([[0.5, -0.5, 2.0, -3.0]])
    assert losses.MeanAbsoluteError().values(y, p)[0] == (0.5 + 0.5 + 2 + 3) / 4
    assert losses.Huber().values(y, p)[0] == (0.125 + 0.125 + 1.5 + 2.5) / 4  # ½e², then |e| - ½
    assert losses.Huber(2.0).values(y, p)[0] == (0.125 + 0.125 + 2.0 + 4.0) / 4  # ½e², then 2 (|e| - 1)
    np.testing.assert_array_equal(losses.MeanAbsoluteError().gradient(y, p), [[0.25, -0.25, 0.25, -0.25]])
    np.testing.assert_array_equal(losses.Huber().gradient(y, p), [[0.125, -0.125, 0.25, -0.25]])


@pytest.mark.parametrize("z", [800.0, 40.0, 1.0, 0.0, -1.0, -40.0, -800.0])
@pytest.mark.parametrize("y", [0.0, 1.0])
def test_a_logit_however_large_loses_no_digit(y, z):
    """-log σ(z) of a right answer is e^-|z|, of a wrong one |z|; the gradients are ∓σ. Probabilities would be clipped."""
    loss, at = losses.BinaryCrossentropy(from_logits=True), np.array([[z]])
    away = -z if y else z  # from the label
    value = max(away, 0) + np.log1p(np.exp(-abs(z)))
    np.testing.assert_allclose(loss.values(np.array([[y]]), at), [value], rtol=1e-15)
    slope = (1 if away > 0 else np.exp(away)) / (1 + np.exp(-abs(z)))
    np.testing.assert_allclose(loss.gradient(np.array([[y]]), at), [[-slope if y else slope]], rtol=5e-14)


def test_class_logits_may_be_shifted_by_any_number():
    loss, y = losses.CategoricalCrossentropy(from_logits=True), np.eye(3)[[0, 1, 2, 0]]
    near, far = (loss.values(y, P + shift) for shift in (0.0, 1000.0))
    np.testing.assert_allclose(near, far, rtol=1e-12)
    assert np.isfinite(loss.gradient(y, 1e3 * P)).all()


def test_logits_and_their_probabilities_have_one_loss():
    """Where nothing is clipped."""
    numbers = np.array([0, 2, 1, 1])
    softmax, sigmoid = np.exp(P) / np.exp(P).sum(axis=1, keepdims=True), 1 / (1 + np.exp(-P))
    for kind, y, p in (
        (losses.SparseCategoricalCrossentropy, numbers, softmax),
        (losses.CategoricalCrossentropy, np.eye(3)[numbers], softmax),
        (losses.BinaryCrossentropy, np.eye(3)[numbers], sigmoid),
    ):
        np.testing.assert_allclose(kind(from_logits=True).values(y, P), kind().values(y, p), rtol=1e-12)


ASKED = {
    losses.MeanSquaredError: ["mse", "MSE", "mean_squared_error", "MeanSquaredError", losses.mean_squared_error],
    losses.MeanAbsoluteError: ["mae", "MAE", "mean_absolute_error", "MeanAbsoluteError", losses.mean_absolute_error],
    losses.Huber: ["huber", "Huber", losses.huber, losses.Huber],
    losses.BinaryCrossentropy: ["bce", "BCE", "binary_crossentropy", "BinaryCrossentropy", losses.binary_crossentropy],
    losses.CategoricalCrossentropy: ["categorical_crossentropy", losses.categorical_crossentropy],
    losses.SparseCategoricalCrossentropy: ["SparseCategoricalCrossentropy", losses.sparse_categorical_crossentropy],
}


@pytest.mark.parametrize(("kind", "asked"), [(kind, asked) for kind, names in ASKED.items() for asked in names])
def test_a_loss_is_asked_for_by_name_class_or_function(kind, asked):
    assert type(losses.get(asked)) is kind


def test_keras_has_every_name_with_this_meaning():
    keras = pytest.importorskip("keras")
    for kind, names in ASKED.items():
        for name in filter(lambda n: isinstance(n, str), names):
            theirs = keras.losses.get(name)
            assert getattr(theirs, "__name__", type(theirs).__name__) in (kind.__name__, kind().name)


def test_a_called_loss_is_the_mean_of_the_function_s_values():
    w = np.array([0.5, 2.0, 1.0, 0.0])
    values = losses.huber(Y, P, delta=0.5)
    assert losses.Huber(0.5)(Y, P) == values.mean()
    assert losses.Huber(0.5)(Y.tolist(), P.tolist(), sample_weight=w) == pytest.approx((values * w).mean(), rel=1e-15)
    assert losses.mean_absolute_error([1, 2], [[1], [4]]).tolist() == [0.0, 2.0]  # whole numbers, and an axis to add


@pytest.mark.parametrize(
    ("loss", "stored"),
    [
        ("mse", "mean_squared_error"),
        (losses.SparseCategoricalCrossentropy(), "sparse_categorical_crossentropy"),
        (losses.Huber(0.5), {"class_name": "Huber", "config": {"delta": 0.5}}),
        (
            losses.BinaryCrossentropy(True),
            {"class_name": "BinaryCrossentropy", "config": {"from_logits": True, "label_smoothing": 0.0}},
        ),
    ],
)
def test_a_file_holds_a_name_or_the_options(loss, stored):
    config = json.loads(json.dumps(losses.to_config(losses.get(loss))))
    assert config == stored
    again = losses.from_config(config)
    assert (type(again), again.config()) == (type(losses.get(loss)), losses.get(loss).config())


def network(loss, units=2, activation=None):
    model = le.Sequential(
        [le.Input((3, 2)), le.LSTM(3), le.Dense(units, activation=activation)], seed=0, dtype="float64"
    )
    model.compile("sgd", loss)
    return unit_scale(model)


X = rng.standard_normal((4, 3, 2))


def test_a_saved_model_and_a_twin_keep_the_loss_with_its_options(tmp_path):
    model, y = network(losses.Huber(0.5)), rng.standard_normal((4, 2))
    model.save(tmp_path / "m.safetensors")
    expected = model.evaluate(X, y, verbose=0)
    assert le.load(tmp_path / "m.safetensors").evaluate(X, y, verbose=0) == pytest.approx(expected, rel=1e-14)
    assert model.twin().evaluate(X, y, verbose=0) == pytest.approx(expected, rel=1e-14)


class Cubes(losses.Loss):
    """(p - y)⁴ / 4: a loss of the reader's own."""

    def values(self, y, p):
        return ((p - y) ** 4 / 4).mean(axis=-1)

    def gradient(self, y, p):
        return (p - y) ** 3 / p.size


def test_a_loss_of_the_reader_s_own_is_trained_and_proved(tmp_path):
    model, y = network(Cubes()), rng.standard_normal((4, 2))
    assert le.gradcheck(model, X, y).ok
    before = model.evaluate(X, y, verbose=0)
    model.fit(X, y, epochs=3, verbose=0)
    assert model.evaluate(X, y, verbose=0) < before
    model.save(tmp_path / "m.safetensors")
    with pytest.raises(ValueError, match="loss 'Cubes' is not in the engine"):
        le.load(tmp_path / "m.safetensors")
    again = le.load(tmp_path / "m.safetensors", custom_objects={"Cubes": Cubes})
    assert again.evaluate(X, y, verbose=0) == model.evaluate(X, y, verbose=0)


def test_a_right_gradient_of_every_new_loss_passes_and_kinks_are_refused():
    model = network("mae")
    p = model.predict(X, verbose=0)
    y = p + rng.standard_normal(p.shape)
    assert le.gradcheck(model, X, y).ok
    with pytest.raises(
        ValueError, match=r"sample 1's prediction .* equals its target .*mean_absolute_error has a kink"
    ):
        le.gradcheck(model, X, np.where(np.arange(4)[:, None] == 1, p, y))
    model.compile("sgd", losses.Huber(0.5))
    assert le.gradcheck(model, X, y).ok
    with pytest.raises(ValueError, match="the predictions equal y"):
        le.gradcheck(model, X, p)
    model.compile("sgd", losses.BinaryCrossentropy(from_logits=True))
    model.weights["dense/bias"][...] = 40.0
    assert le.gradcheck(model, X, np.zeros((4, 2))).ok  # no probability, and nothing is clipped
    with pytest.raises(ValueError, match="the predictions equal y"):
        le.gradcheck(model, X, np.ones((4, 2)))


@pytest.mark.parametrize(
    ("make", "error", "named"),
    [
        (lambda: losses.get("hinge"), ValueError, "'hinge' is not in the engine: the engine has binary_crossentropy"),
        (lambda: losses.get(None), ValueError, "loss None is not in the engine"),
        (lambda: losses.get(lambda y, p: 0), ValueError, "knows no gradient of the loss '<lambda>'.*subclass"),
        (lambda: losses.MeanSquaredError(reduction="sum"), TypeError, "no reduction='sum' in this engine"),
        (lambda: losses.SparseCategoricalCrossentropy(ignore_class=0), TypeError, "no ignore_class=0"),
        (lambda: losses.SparseCategoricalCrossentropy(label_smoothing=0.1), TypeError, "it has from_logits, name"),
        (lambda: losses.binary_crossentropy(Y, P, axis=0), TypeError, "no axis=0"),
        (lambda: losses.Huber(0.0), ValueError, "delta must be a number above 0"),
        (lambda: losses.BinaryCrossentropy("yes"), ValueError, "from_logits must be True or False"),
        (lambda: losses.CategoricalCrossentropy(label_smoothing=2), ValueError, "label_smoothing must lie in"),
        (lambda: losses.BinaryCrossentropy(True)(2 * np.ones((4, 3)), P), ValueError, "targets from 0 to 1"),
    ],
)
def test_what_the_engine_does_not_have_is_refused_by_name(make, error, named):
    with pytest.raises(error, match=named):
        make()
