"""side_by_side: two models batch by batch. Twins stay together, and whatever parts them is found and named."""

import numpy as np
import pytest

import lstm_engine as le
from experiments import from_keras, side_by_side
from experiments.beside_keras.twins import exact_tanh, to_keras

keras = pytest.importorskip("keras")

T, D, N = 6, 3, 20
rng = np.random.default_rng(0)
X, y = rng.standard_normal((N, T, D)), rng.integers(0, 2, N)
KINDS = ["prediction", "loss", "gradient", "momentum", "velocity", "weight"]


def engine_model(optimizer=None, dtype="float32", stack=()):
    model = le.Sequential([le.LSTM(4), *stack, le.Dense(1, activation="sigmoid")], seed=0, dtype=dtype)
    model.compile(optimizer or le.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    model.build((T, D))
    return model


@pytest.mark.parametrize(
    "optimizer", [le.Adam(0.01), le.SGD(0.1, momentum=0.9), le.SGD(0.1)], ids=["adam", "sgdm", "sgd"]
)
def test_float32_twins_stay_together(optimizer):
    ours = engine_model(optimizer)
    start = ours.get_weights()
    result = side_by_side(ours, to_keras(ours), X, y, steps=10, batch_size=8)
    assert result.ok, result
    assert result.tolerance == 1e-3
    slots = len(optimizer.slot_names)
    # five initial weights; then every batch a prediction, a loss, and five arrays of every other kind
    assert len(result.rows) == 5 + 10 * (2 + 5 + 5 * slots + 5)
    kinds = {"initial", *KINDS[:3], *KINDS[3 : 3 + slots], "weight"}
    assert {row["quantity"].split()[0] for row in result.rows} == kinds
    assert all(np.any(w != w0) for w, w0 in zip(ours.get_weights(), start, strict=True)), "they were trained"


def test_float64_twins_agree_to_the_last_digits(float64_keras):
    """Keras on JAX means over the batch in float32, which is exact for 8 = 2³ samples: only the loss's own value is not."""
    if keras.backend.backend() != "jax":
        pytest.skip("this bound is that of KERAS_BACKEND=jax")
    theirs = keras.Sequential(
        [
            keras.Input((T, D)),
            exact_tanh(keras.layers.LSTM(4)),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    theirs.compile("adam", "binary_crossentropy")
    ours = from_keras(theirs)
    assert ours.dtype == "float64"
    result = side_by_side(ours, theirs, X[:16], y[:16], steps=10, batch_size=8)
    assert result.ok, result
    assert result.tolerance == 1e-6
    largest = result.table.max()
    exact = [name for name in largest.index if name.startswith(("gradient", "weight", "prediction"))]
    assert len(exact) == 11
    assert largest[exact].max() <= 1e-9, largest


def test_batches_go_round_when_the_rows_run_out():
    ours = engine_model(le.SGD(0.1))
    twin = engine_model(le.SGD(0.1))
    side_by_side(ours, to_keras(ours), X[:6], y[:6], steps=3, batch_size=4)
    for rows in ([0, 1, 2, 3], [4, 5, 0, 1], [2, 3, 4, 5]):
        twin.train_on_batch(X[rows], y[rows])
    for a, b in zip(ours.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-7)


def test_a_nudged_weight_is_named_with_its_element_before_anything_it_changes():
    ours = engine_model()
    theirs = to_keras(ours)
    ours.weights["lstm/kernel"][1, 5] += 0.01
    kernel = theirs.get_weights()[0]
    first = side_by_side(ours, theirs, X, y, steps=1, batch_size=8).first
    assert (first.batch, first.quantity, first.element) == (0, "initial weight lstm/kernel", (1, 5))
    assert first.engine - first.keras == pytest.approx(0.01, rel=1e-3)
    assert first.difference == pytest.approx(0.01 / np.abs(kernel).max(), rel=1e-3)


def test_another_learning_rate_shows_first_in_the_weights():
    ours = engine_model(le.SGD(0.1))
    theirs = to_keras(ours)
    ours.optimizer.learning_rate = 0.2
    first = side_by_side(ours, theirs, X, y, steps=2, batch_size=8).first
    assert first.batch == 0
    assert first.quantity.startswith("weight ")


def test_another_loss_shows_first_in_the_loss():
    ours = engine_model()
    theirs = to_keras(ours)
    ours.compile(ours.optimizer, "mse")
    assert side_by_side(ours, theirs, X, y, steps=1, batch_size=8).first.quantity == "loss"


def test_the_tolerance_is_the_caller_s():
    def nudged():
        ours = engine_model()
        theirs = to_keras(ours)
        ours.weights["dense/bias"][0] += 0.01
        return ours, theirs

    assert side_by_side(*nudged(), X, y, steps=1, tol=10.0).ok
    assert not side_by_side(*nudged(), X, y, steps=1, tol=1e-4).ok


def test_the_report_can_be_read():
    ours = engine_model()
    theirs = to_keras(ours)
    together = str(side_by_side(ours, theirs, X, y, steps=1))
    assert "over 1 batch (tolerance 1e-03)" in together
    assert together.endswith("the two stay within the tolerance")
    ours.weights["dense/bias"][0] += 1.0
    result = side_by_side(ours, theirs, X, y, steps=3)
    table, text, first = result.table, str(result), result.first
    assert list(table.index) == [0, 1, 2]
    assert list(table.columns[:2]) == ["prediction", "loss"]
    assert list(dict.fromkeys(name.split()[0] for name in table.columns)) == KINDS
    assert table.notna().all(axis=None)
    for name, largest in table.max().items():
        assert f"{name:<36} {largest:.1e}" in text
    assert text.endswith(
        f"they first differ in batch 0 at initial weight dense/bias[0]: engine {first.engine:.9g}, "
        f"Keras {first.keras:.9g} (difference {first.difference:.1e} of the largest entry)"
    )


def test_nan_is_refused_before_either_side_computes():
    ours = engine_model()
    theirs = to_keras(ours)
    broken = X[:4].copy()
    broken[2, 0, 0] = np.nan
    with pytest.raises(ValueError, match=r"X\[2, 0, 0\] is nan: sample 2, step 0, feature 0"):
        side_by_side(ours, theirs, broken, y[:4], steps=1, tol=1e9)


def test_another_learning_rate_shows_in_the_weights_and_not_before():
    ours = engine_model(le.SGD(0.1))
    theirs = to_keras(ours)
    ours.optimizer.learning_rate = 0.2
    first = side_by_side(ours, theirs, X, y, steps=2, batch_size=8).first
    assert (first.batch, first.quantity.split()[0]) == (0, "weight")


def uncompiled():
    model = le.Sequential([le.LSTM(4), le.Dense(1, activation="sigmoid")])
    model.build((T, D))
    return model


def compiled_keras(units=4, optimizer="adam"):
    stack = [keras.Input((T, D)), keras.layers.LSTM(units), keras.layers.Dense(1, activation="sigmoid")]
    model = keras.Sequential(stack)
    if optimizer:
        model.compile(optimizer, "binary_crossentropy")
    return model


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        (lambda: engine_model(stack=[le.Dropout(0.5)]), compiled_keras, "dropout"),
        (engine_model, lambda: compiled_keras(optimizer="sgd"), "engine Adam, Keras SGD"),
        (engine_model, lambda: compiled_keras(units=5), r"engine \[\(3, 16\).*Keras \[\(3, 20\)"),
        (uncompiled, compiled_keras, "compile both"),
        (engine_model, lambda: compiled_keras(optimizer=None), "compile both"),
    ],
    ids=["dropout", "optimizers", "shapes", "engine not compiled", "keras not compiled"],
)
def test_a_pair_that_cannot_be_compared_is_refused(ours, theirs, said):
    with pytest.raises(ValueError, match=said):
        side_by_side(ours(), theirs(), X, y, steps=1)


def test_swapped_models_are_refused():
    with pytest.raises(TypeError, match=r"the engine's model first, .* got a keras\.Sequential and a lstm_engine\.Seq"):
        side_by_side(compiled_keras(), engine_model(), X, y, steps=1)


@pytest.mark.parametrize(("x", "targets"), [(X, y[:-1]), (X[:-1], y), (X[:0], y[:0]), (X, y[0])])
def test_rows_that_do_not_pair_are_refused(x, targets):
    with pytest.raises(ValueError, match=r"need the same N, at least 1: got X \(\d+, "):
        side_by_side(engine_model(), compiled_keras(), x, targets, steps=1)


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match="at least 1 and tol at least 0, got 0"):
        side_by_side(engine_model(), compiled_keras(), X, y, steps=0)
