"""NaN and infinity: what the doors say, what is let through, and what a training that diverges leaves behind."""

import itertools
import warnings

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine import finite
from lstm_engine.callbacks import EarlyStopping, LambdaCallback, TerminateOnNaN
from lstm_engine.diverging import Diverged
from tests import doors
from tests.doors import D, N, T, Wrong, X, Y, model, per_step, with_one


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_no_door_lets_nan_infinity_or_an_overflow_through_in_silence():
    answers = {(door, name): doors.knock(door, value) for door in doors.DOORS for name, value in doors.VALUES.items()}
    silent = [at for at, words in answers.items() if not any(word in words.lower() for word in doors.NAMED)]
    assert silent == []
    assert len(answers) > 300


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (with_one(X, np.nan), r"^X\[3, 2, 1\] is nan: sample 3, step 2, feature 1\. Mend the data"),
        (np.where(X[1, 0, 0] == X, -np.inf, X), r"^X\[1, 0, 0\] is -inf: sample 1, step 0, feature 0\."),
        (np.full((N, T, D), np.nan), r"^X\[0, 0, 0\] is nan: sample 0, step 0, feature 0, and so are 23 more\."),
        (with_one(X, 1e300), r"^X\[3, 2, 1\] is 1e\+300, too large for float32 \(at most 3\.4e\+38; .*\): sample 3"),
        ([X[0], with_one(X[1, :2], np.inf)], r"^X\[1\]\[1, 1\] is inf: sample 1, step 1, feature 1\."),
    ],
)  # fmt: skip
def test_the_first_bad_number_is_named_with_its_place(x, said):
    with pytest.raises(ValueError, match=said):
        model().predict(x, verbose=0)


def test_a_batch_of_a_generator_is_named():
    with pytest.raises(ValueError, match=r"^batch 1: X\[3, 2, 1\] is nan: sample 3"):
        model().fit(iter([(X, Y), (with_one(X, np.nan), Y)]), verbose=0)


def test_large_numbers_whose_sum_and_squares_overflow_are_no_false_alarm():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in (1, finite.FEW, finite.FEW + 1, finite.MANY - 1, finite.MANY, finite.MANY + 1):
            assert finite.is_finite(np.full(n, 3e38, np.float32))
            assert finite.is_finite(np.full((2 * n, 4), -1e308)[::2])
            assert not any(finite.is_finite(with_one(np.full(n, 1e308), bad)) for bad in (np.nan, np.inf, -np.inf))
        assert np.isfinite(model().predict(np.full((N, T, D), -1e37), verbose=0)).all()


def test_a_number_beyond_float32_is_one_for_a_model_of_float64():
    m = model(dtype="float64")
    assert np.isfinite(m.predict(with_one(X, 1e300), verbose=0)).all()
    assert np.isfinite(m.evaluate(with_one(X, 1e300), Y, verbose=0))


def test_a_target_may_be_nan_where_a_layer_of_the_model_masks():
    x, y = X.copy(), X[..., :1].copy()
    x[1, 2:], y[1, 2:] = 9.0, np.nan  # the Masking layer's value
    m = per_step()
    assert np.isfinite(m.fit(x, y, verbose=0).history["loss"]).all()
    y[3, 1] = np.inf
    before = m.get_weights()
    with pytest.raises(ValueError, match=r"^y\[3\]\[1, 0\] is inf: sample 3, step 1"):
        m.fit(x, y, batch_size=1, verbose=0)
    assert all(map(np.array_equal, before, m.get_weights()))


def test_allow_nan_lets_through():
    m, x = model(), with_one(X, np.nan)
    p = m.predict(x, verbose=0, allow_nan=True)
    assert np.isnan(p[3]).all()
    np.testing.assert_array_equal(p[:3], m.predict(X[:3], verbose=0))
    assert np.isnan(m.stream(allow_nan=True).step(x[3:, 2])).all()
    stream = m.stream()
    stream.step(X[:1, 0])
    with pytest.raises(ValueError, match=r"^x\[0, 1\] is nan"):
        stream.step(x[3:, 2])
    np.testing.assert_allclose(stream.step(X[:1, 1]), m.predict(X[:1, :2], verbose=0), rtol=1e-6)


def test_allow_nan_writes_and_reads_files(tmp_path):
    m = doors.spoilt(model(), np.nan)
    for ending in (".safetensors", ".keras", ".h5"):
        m.save(tmp_path / f"m{ending}", allow_nan=True)
        again = le.load_model(tmp_path / f"m{ending}", allow_nan=True)
        assert all(
            np.array_equal(a, b, equal_nan=True) for a, b in zip(m.get_weights(), again.get_weights(), strict=True)
        )
    m.save_weights(tmp_path / "m.weights.h5", allow_nan=True)
    again.load_weights(tmp_path / "m.weights.h5", allow_nan=True)
    assert np.isnan(again.weights["lstm/bias"][0])


@pytest.mark.parametrize(
    "make",
    [
        lambda v: le.regularizers.L2(v), lambda v: le.LayerNormalization(epsilon=v), lambda v: le.Masking(v),
        lambda v: le.Sequential([le.Dense(1)]).compile("sgd", "mse", loss_weights=[v]),
        lambda v: le.Sequential([le.Dense(1, kernel_initializer=le.initializers.Constant(v))]).build((2,)),
        lambda v: le.Sequential([le.Embedding(3, 2, weights=[np.full((3, 2), v)])]).build((2,)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_a_model_is_made_with_is_finite(make, value):
    with pytest.raises(ValueError, match=r"must be|finite numbers|initial numbers hold NaN"):
        make(value)


# -- training that diverges --------------------------------------------------------------------------------------------


def falling_apart(at, optimizer="adam", where="values"):
    """A network, and a callback that spoils its loss or gradient from the batch of this number on."""
    m = le.Sequential([le.LSTM(2, dropout=0.3), le.Dense(1)], seed=0, backend="numpy")
    m.compile(optimizer, loss := Wrong(0.0, where))
    count = itertools.count()

    def spoil(batch, logs):
        loss.value = np.nan if next(count) >= at else 0.0

    return m, LambdaCallback(on_train_batch_begin=spoil)


def everything(m):
    slots = m.optimizer.slots.values()
    states = [part.rng.bit_generator.state for part in m.parts.values()]
    return [*m.get_weights(), *slots, m.optimizer.iterations, m.epochs_done, str(states)]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("where", ["values", "gradient"])
@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "sgd"])
def test_fit_stops_and_is_again_what_it_was_at_the_beginning_of_the_epoch(optimizer, where):
    m, spoil = falling_apart(5, optimizer, where)
    what = {"values": "the loss is nan", "gradient": "the gradient of dense/bias, dense/kernel, lstm/bias, ..."}[where]
    with pytest.raises(Diverged, match=rf"^epoch 3, batch 2: {what}.*Try a learning rate below 0\.\d+, \w+\(clipnorm"):
        m.fit(X, Y, batch_size=2, epochs=9, verbose=0, callbacks=spoil)
    assert len(m.history.history["loss"]) == 2
    twin, _ = falling_apart(99, optimizer)
    twin.fit(X, Y, batch_size=2, epochs=2, verbose=0)
    assert all(map(np.array_equal, everything(m), everything(twin)))


@pytest.mark.parametrize("where", ["values", "gradient"])
def test_terminate_on_nan_ends_without_an_error_and_keeps_good_weights(where, capsys):
    m, spoil = falling_apart(3, where=where)
    best = EarlyStopping("loss", patience=5, restore_best_weights=True)
    history = m.fit(X, Y, batch_size=2, epochs=9, verbose=0, callbacks=[spoil, TerminateOnNaN(), best]).history
    assert len(history["loss"]) == 2
    assert np.isnan(history["loss"][1]) == (where == "values")
    assert "Batch 1: " in capsys.readouterr().out
    assert all(np.isfinite(w).all() for w in m.get_weights())


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_step_of_the_optimizer_that_makes_nan_is_taken_back():
    """β₁ = 1 divides 0 by 0: neither the loss nor a gradient shows it before the weights are gone."""
    m = le.Sequential([le.LSTM(2), le.Dense(1)], seed=0, backend="numpy")
    m.compile(le.Adam(beta_1=1), "mse")
    m.build((T, D))
    before = everything(m)
    with pytest.raises(Diverged, match=r"^the optimizer's step made lstm/kernel.* Nothing was changed"):
        m.train_on_batch(X, Y)
    with pytest.raises(Diverged, match=r"^epoch 1: the optimizer's step made lstm/kernel"):
        m.fit(X, Y, verbose=0)
    assert all(map(np.array_equal, before, everything(m)))


def test_a_gradient_whose_square_overflows_is_refused_before_it_stalls_adam():
    """In float32 its v would be infinite for ever, and the weight would never move again."""
    m = le.Sequential([le.LSTM(2), le.Dense(1)], seed=0, backend="numpy")
    m.compile("adam", Wrong(1e25, "gradient"))
    with pytest.raises(
        Diverged, match=r"the gradient of dense/\w+ reaches \d\.\de\+25, whose square float32 cannot hold"
    ):
        m.fit(X, Y, verbose=0)
    m.compile(le.Adam(clipvalue=1.0), Wrong(1e25, "gradient"))
    m.fit(X, Y, verbose=0)


def test_a_validation_that_overflows_ends_the_training():
    m = le.Sequential([le.Dense(1, input_shape=(2,))], seed=0, backend="numpy")
    m.compile("sgd", "mse")
    with (
        np.errstate(over="ignore"),
        pytest.raises(Diverged, match=r"^epoch 1: batch 1 of the evaluation: the loss is inf"),
    ):
        m.fit(np.ones((4, 2)), np.ones(4), verbose=0, validation_data=(np.full((4, 2), 1e30), np.ones(4)))
