"""Callbacks: the same decisions as Keras's on hundreds of drawn curves, and what they leave on disk."""

import csv
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.callbacks import (
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    ModelCheckpoint,
    ReduceLROnPlateau,
    TerminateOnNaN,
)

EPOCHS = 14


class Model:
    """As much of a model as a callback sees, engine's or Keras's: its weights are the number of the epoch."""

    def __init__(self, learning_rate=0.5):
        self.optimizer = SimpleNamespace(learning_rate=learning_rate)
        self.metrics, self.targets = [le.metrics.Accuracy()], []
        self.stop_training = False
        self.weights, self.saved = -1, []

    def get_weights(self):
        return [self.weights]

    def set_weights(self, weights):
        (self.weights,) = weights

    def save(self, path, **_):
        self.saved.append((path, self.weights))


def train(callback, curve, name="val_loss", batches=3):
    """Runs the callback over a curve of values, as fit would; returns the model and the rates before each epoch."""
    model, rates = Model(), []
    callback.set_model(model)
    callback.on_train_begin({})
    for epoch, value in enumerate(curve):
        rates.append(model.optimizer.learning_rate)
        model.weights = epoch
        callback.on_epoch_begin(epoch, {})
        for batch in range(batches):
            callback.on_train_batch_end(batch, {"loss": value})
        callback.on_epoch_end(epoch, {"loss": value, name: value})
        if model.stop_training:
            break
    callback.on_train_end({})
    return model, rates


def curves(seed, number):
    """Curves of multiples of 1/8, NaN at times: small enough for ties, exact in the float32 that Keras compares in."""
    rng = np.random.default_rng(seed)
    for _ in range(number):
        gone = (rng.random(EPOCHS) < 0.02) & (np.arange(EPOCHS) % 3 > 0)  # not the first that is watched: see below
        curve = np.where(gone, np.nan, rng.integers(0, 12, EPOCHS) / 8 + rng.choice([0, 0.5]))
        yield rng, curve.tolist()


def test_early_stopping_stops_and_restores_as_keras_does():
    keras, stopped, restored = pytest.importorskip("keras"), set(), set()
    for rng, curve in curves(seed=1, number=300):
        options = {
            "mode": str(rng.choice(["auto", "min", "max"])),
            "patience": int(rng.integers(0, 5)),
            "min_delta": float(rng.choice([0, 0.125, 0.5])),
            "baseline": [None, 0.75][rng.integers(2)],
            "restore_best_weights": bool(rng.integers(2)),
            "start_from_epoch": int(rng.choice([0, 0, 3])),
        }
        ours, theirs = EarlyStopping(**options), keras.callbacks.EarlyStopping(**options)
        model, twin = train(ours, curve)[0], train(theirs, curve)[0]
        for name in ("stopped_epoch", "best_epoch", "wait", "best"):
            np.testing.assert_equal(getattr(ours, name), getattr(theirs, name), f"{name} of {options} on {curve}")
        assert (model.weights, model.stop_training) == (twin.weights, twin.stop_training), (options, curve)
        stopped.add(ours.stopped_epoch)
        restored.add(model.weights)
    assert len(stopped) > 8  # the curves did exercise it
    assert len(restored) > 8


def test_auto_knows_as_keras_does_whether_a_metric_should_rise():
    keras = pytest.importorskip("keras")
    names = ["mae", "mse", "root_mean_squared_error", "accuracy", "AUC", "Precision", "binary_accuracy"]
    theirs = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, activation="sigmoid")])
    theirs.compile(loss="mse", metrics=names)
    theirs.evaluate(np.zeros((1, 1)), np.zeros((1, 1)), verbose=0)
    ours = SimpleNamespace(metrics=le.metrics.get_all(names), targets=[])
    falling = []
    for name in [*names, "loss"]:
        stop, reference = EarlyStopping(f"val_{name}"), keras.callbacks.EarlyStopping(f"val_{name}")
        stop.set_model(ours)
        reference.set_model(theirs)
        reference._set_monitor_op()
        assert stop.falls() == bool(reference.monitor_op(1.0, 2.0)), name
        falling += [name] * stop.falls()
    assert falling == ["mae", "mse", "root_mean_squared_error", "loss"]


def test_reduce_lr_on_plateau_reduces_as_keras_does():
    keras, reductions = pytest.importorskip("keras"), 0
    for rng, curve in curves(seed=2, number=300):
        options = {
            "mode": str(rng.choice(["auto", "min", "max"])),
            "factor": float(rng.choice([0.5, 0.25])),  # exact in float32, as the rates are
            "patience": int(rng.integers(0, 4)),
            "min_delta": float(rng.choice([0, 0.125, 0.5])),
            "cooldown": int(rng.integers(0, 3)),
            "min_lr": float(rng.choice([0, 0.0625])),
        }
        ours, theirs = ReduceLROnPlateau(**options), keras.callbacks.ReduceLROnPlateau(**options)
        rates = train(ours, curve)[1]
        assert rates == train(theirs, curve)[1], (options, curve)
        for name in ("wait", "cooldown_counter", "best"):
            np.testing.assert_equal(getattr(ours, name), getattr(theirs, name), f"{name} of {options} on {curve}")
        reductions += len(set(rates)) - 1
    assert reductions > 300


@pytest.mark.parametrize(
    ("path", "weights_only", "written"),
    [
        ("{epoch:02d}-{loss:.2f}.keras", False, "01-1.00.keras"),
        ("weights-improvement-{epoch:02d}-{loss:.4f}-bigger.hdf5", False, "weights-improvement-01-1.0000-bigger.hdf5"),
        ("m.h5", False, "m.h5"),
        ("m.h5", True, "m.h5"),
        ("m.weights.h5", True, "m.weights.h5"),
        ("m.safetensors", False, "m.safetensors"),
        ("m.weights.h5", False, r"write 'm.keras', or give save_weights_only=True for 'm.weights.h5'"),
        ("m.keras", True, r"got 'm.keras': write 'm.weights.h5'"),
        ("m.safetensors", True, r"got 'm.safetensors': write 'm.weights.h5'"),
        ("m", False, r"got 'm': write 'm.keras'"),
        ("m.tf", False, r"got 'm.tf': write 'm.keras'"),
    ],
)
def test_model_checkpoint_takes_keras_s_names(tmp_path, path, weights_only, written):
    """Keras 3 refuses .hdf5, and .h5 for weights alone, as scripts of Keras 2 have them; each can mean one thing only."""
    pytest.importorskip("h5py")
    if "write" in written:
        with pytest.raises(ValueError, match=re.escape(written)):
            ModelCheckpoint(path, save_weights_only=weights_only)
        return
    model = le.Sequential([le.Input((2, 1)), le.LSTM(1)])
    model.compile("adam", "mse")
    checkpoint = ModelCheckpoint(tmp_path / path, "loss", save_best_only=True, save_weights_only=weights_only)
    checkpoint.set_model(model)
    checkpoint.on_epoch_begin(0, {})
    checkpoint.on_epoch_end(0, {"loss": 1.0})
    assert [file.name for file in tmp_path.iterdir()] == [written]
    if weights_only:
        model.load_weights(tmp_path / written)
    else:
        assert le.load_model(tmp_path / written).optimizer is not None


def test_model_checkpoint_saves_when_and_where_keras_does():
    keras, ending, files = pytest.importorskip("keras"), {True: ".keras", False: ".safetensors"}, 0
    for rng, curve in curves(seed=3, number=100):
        by_batches = rng.random() < 0.5
        pattern = "{epoch:02d}-{batch}-{loss:.2f}" if by_batches else "{epoch:03d}-{val_loss:.3f}"
        options = {
            "mode": str(rng.choice(["auto", "min", "max"])),
            "save_freq": int(rng.integers(1, 8)) if by_batches else "epoch",
            "save_best_only": not by_batches and bool(rng.integers(2)),
            "initial_value_threshold": [None, 0.75][rng.integers(2)],
        }
        saved = {
            kind is keras.callbacks.ModelCheckpoint: train(
                kind(pattern + ending[kind is keras.callbacks.ModelCheckpoint], **options), curve
            )[0].saved
            for kind in (ModelCheckpoint, keras.callbacks.ModelCheckpoint)
        }
        assert saved[False] == [(path.replace(".keras", ".safetensors"), w) for path, w in saved[True]], (
            options,
            curve,
        )
        files += len(saved[False])
    assert files > 300


def test_csv_logger_writes_keras_s_file(tmp_path):
    keras = pytest.importorskip("keras")
    logs = [{"loss": 0.25, "acc": 1.0}, {"loss": 0.125, "acc": 0.5, "val_loss": 3.0}, {"loss": math.nan}]
    for callback in (CSVLogger(tmp_path / "ours.csv", ";"), keras.callbacks.CSVLogger(tmp_path / "theirs.csv", ";")):
        callback.set_model(Model())
        callback.on_train_begin({})
        for epoch, row in enumerate(logs):
            callback.on_epoch_end(epoch, row)
        callback.on_train_end({})
    assert (tmp_path / "ours.csv").read_bytes() == (tmp_path / "theirs.csv").read_bytes()


def test_csv_logger_leaves_a_whole_file_when_training_dies_and_goes_on_from_there(tmp_path):
    path = tmp_path / "log.csv"
    X, y = np.zeros((8, 3, 2)), np.zeros(8)

    def die(epoch, logs):
        if epoch == 2:
            raise KeyboardInterrupt

    model = small_model()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y, epochs=5, verbose=0, callbacks=[CSVLogger(path), LambdaCallback(on_epoch_begin=die)])
    assert [row["epoch"] for row in read(path)] == ["0", "1"]
    model.fit(X, y, epochs=1, verbose=0, callbacks=[CSVLogger(path, append=True)])
    assert [row["epoch"] for row in read(path)] == ["0", "1", "0"]
    assert {row["val_loss"] for row in read(path)} == {"NA"}
    model.fit(X, y, epochs=1, verbose=0, callbacks=CSVLogger(path))
    assert [row["epoch"] for row in read(path)] == ["0"]
    with pytest.raises(
        ValueError, match=r"has the columns \['epoch', 'accuracy', 'loss', 'val_accuracy', 'val_loss'\]"
    ):
        train(CSVLogger(path, append=True), [1.0])


def test_a_checkpoint_of_a_real_training_is_the_best_model(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((16, 3, 2)), rng.integers(0, 2, 16)
    best = ModelCheckpoint(tmp_path / "best.safetensors", monitor="loss", save_best_only=True)
    each = ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True)
    model = small_model(learning_rate=1.0)  # so high that the last epoch is not the best
    early = EarlyStopping("loss", patience=100, restore_best_weights=True)
    history = model.fit(X, y, epochs=12, batch_size=4, verbose=0, callbacks=[best, each, early]).history
    assert best.best == early.best == min(history["loss"]) < history["loss"][-1]
    np.testing.assert_array_equal(le.load(tmp_path / "best.safetensors", "numpy").predict(X), model.predict(X))
    model.load_weights(tmp_path / f"{early.best_epoch + 1}.weights.h5")
    np.testing.assert_array_equal(model.get_weights()[0], early.best_weights[0])


def test_the_reduced_rate_is_the_optimizers_and_in_the_history():
    model = small_model(learning_rate=0.5)
    plateau = ReduceLROnPlateau("accuracy", factor=0.5, patience=1)  # accuracy is 0, and 1 from the second epoch on
    history = model.fit(np.zeros((8, 3, 2)), np.ones(8), epochs=4, verbose=0, callbacks=plateau).history
    assert history["learning_rate"] == [0.5, 0.5, 0.5, 0.25]
    assert model.optimizer.learning_rate == 0.125


def test_a_schedule_and_reduce_lr_on_plateau_exclude_each_other_at_once():
    model = small_model(le.schedules.ExponentialDecay(0.1, 10, 0.5))
    with pytest.raises(TypeError, match="the learning rate follows the schedule ExponentialDecay"):
        model.fit(np.zeros((8, 3, 2)), np.ones(8), verbose=0, callbacks=ReduceLROnPlateau("loss"))


def test_nan_is_not_the_best_epoch():
    """In Keras a first NaN is, and no number is better than it: its weights are restored."""
    callback = EarlyStopping(patience=2, restore_best_weights=True)
    model, _ = train(callback, [math.nan, 3.0, 2.0, 2.5, 2.5])
    assert (callback.best, model.weights, model.stop_training) == (2.0, 2, True)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_terminate_on_nan_stops_at_the_batch(loss, capsys):
    callback = TerminateOnNaN()
    model = Model()
    callback.set_model(model)
    callback.on_train_batch_end(0, {"loss": 1e30})
    assert not model.stop_training
    callback.on_train_batch_end(7, {"loss": loss})
    assert model.stop_training
    assert capsys.readouterr().out == "Batch 7: Invalid loss, terminating training\n"  # Keras's words
    with pytest.raises(RuntimeError, match=f"the loss is {loss} at batch 3"):
        TerminateOnNaN(raise_error=True).on_train_batch_end(3, {"loss": loss})


def test_a_training_that_diverges_ends_in_the_middle_of_its_epoch():
    model = le.Sequential([le.Dense(1, input_shape=(2,))], seed=0)
    model.compile(le.SGD(1e30), "mse")
    batches = []
    count = LambdaCallback(on_train_batch_end=lambda batch, logs: batches.append(batch))
    with np.errstate(over="ignore", invalid="ignore"):
        history = model.fit(np.ones((64, 2)), np.ones(64), 4, 5, verbose=0, callbacks=[TerminateOnNaN(), count]).history
    assert batches == [0, 1]  # of 16 batches and 5 epochs: after one step the loss is infinite
    assert not np.isfinite(history["loss"]).all()


def test_lambda_callback_calls_each_function_at_its_turn():
    turns = []
    names = [
        "on_train_begin",
        "on_epoch_begin",
        "on_train_batch_begin",
        "on_train_batch_end",
        "on_epoch_end",
        "on_train_end",
    ]
    hooks = {name: (lambda *arguments, name=name: turns.append((name, *arguments[:-1]))) for name in names}
    small_model().fit(np.zeros((4, 3, 2)), np.ones(4), batch_size=2, verbose=0, callbacks=LambdaCallback(**hooks))
    assert turns == [
        ("on_train_begin",), ("on_epoch_begin", 0), ("on_train_batch_begin", 0), ("on_train_batch_end", 0),
        ("on_train_batch_begin", 1), ("on_train_batch_end", 1), ("on_epoch_end", 0), ("on_train_end",),
    ]  # fmt: skip


def test_verbose_says_what_happens(capsys):
    train(EarlyStopping(patience=1, verbose=1, restore_best_weights=True), [1, 2, 3])
    train(ReduceLROnPlateau(patience=1, verbose=1), [1, 2])
    train(ModelCheckpoint("best.safetensors", verbose=1, save_best_only=True), [1, 2])
    assert capsys.readouterr().out.split("\n") == [
        "Epoch 2: early stopping",
        "Restoring model weights from the end of the best epoch: 1.",
        "",
        "Epoch 2: ReduceLROnPlateau reducing learning rate to 0.05.",
        "",
        "Epoch 1: val_loss improved from None to 1.00000, saving model to best.safetensors",
        "",
        "Epoch 2: val_loss did not improve from 1.00000",
        "",
    ]


def test_weights_that_are_nan_leave_the_last_good_checkpoint(tmp_path):
    model = le.Sequential([le.Dense(1, input_shape=(2,))])
    model.compile(le.SGD(1e30), "mse")
    path = tmp_path / "last.safetensors"
    spoil = LambdaCallback(on_epoch_end=lambda epoch, logs: model.get_layer(index=0).weights["bias"].fill(np.nan))
    with pytest.warns(UserWarning, match="nothing saved .* dense/bias holds NaN"):
        model.fit(
            np.ones((4, 2)), np.ones(4), verbose=0, callbacks=[ModelCheckpoint(path), spoil, ModelCheckpoint(path)]
        )
    assert all(np.isfinite(w).all() for w in le.load(path).get_weights())


@pytest.mark.parametrize(
    ("act", "error", "named"),
    [
        (
            lambda: train(EarlyStopping("val_acc"), [1]),
            ValueError,
            "watches 'val_acc', the logs have loss, val_loss$",
        ),
        (
            lambda: train(ReduceLROnPlateau("acc"), [1]),
            ValueError,
            "watches 'acc', the logs have loss, val_loss, learning_rate$",
        ),
        (lambda: train(EarlyStopping("val_f1"), [1], "val_f1"), ValueError, "val_f1 should rise or fall is not known"),
        (
            lambda: train(ModelCheckpoint("{f1}.safetensors"), [1]),
            ValueError,
            "a place for 'f1', there are epoch, loss, val_loss",
        ),
        (
            lambda: train(ModelCheckpoint("a.safetensors", save_freq=1, save_best_only=True), [1]),
            ValueError,
            "'val_loss'",
        ),
        (lambda: ModelCheckpoint("a.ckpt"), ValueError, r"got 'a.ckpt': write 'a.keras'"),
        (
            lambda: ModelCheckpoint("a.safetensors", save_weights_only=True),
            ValueError,
            r"ends in .*weights.h5.* got .a.safetensors.: write .a.weights.h5.",
        ),
        (lambda: ModelCheckpoint("a.safetensors", save_freq="batch"), ValueError, "save_freq"),
        (lambda: EarlyStopping(mode="least"), ValueError, "mode must be auto, min or max, got 'least'"),
        (lambda: ReduceLROnPlateau(factor=1.0), ValueError, "factor"),
        (lambda: LambdaCallback(on_test_begin=print), TypeError, "on_test_begin"),
    ],
)
def test_what_would_do_nothing_unseen_is_an_error(act, error, named):
    with pytest.raises(error, match=named):
        act()


def test_a_metric_is_better_when_larger_without_saying_so():
    early = EarlyStopping("val_accuracy")
    train(early, [0.5, 0.75, 0.5], "val_accuracy")
    assert (early.best, early.best_epoch, early.stopped_epoch) == (0.75, 1, 2)


def small_model(learning_rate=0.01):
    model = le.Sequential([le.LSTM(2), le.Dense(1, activation="sigmoid")], seed=0, backend="numpy")
    model.compile(le.SGD(learning_rate), "binary_crossentropy", metrics=["accuracy"])
    return model


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    "schedule", [lambda epoch: 0.5 / (epoch + 1), lambda epoch, rate: rate / 2], ids=["epoch", "rate"]
)
def test_learning_rate_scheduler_gives_every_epoch_keras_s_rate(schedule):
    keras = pytest.importorskip("keras")
    rates = []
    for callback in (le.LearningRateScheduler(schedule), keras.callbacks.LearningRateScheduler(schedule)):
        model, before = train(callback, [1.0, 0.9, 0.8, 0.7])
        rates.append([*before[1:], model.optimizer.learning_rate])
    assert rates[0] == rates[1]
    assert len(set(rates[0])) == 4


def test_the_scheduled_rate_is_the_optimizers_and_in_the_history():
    scheduler = le.LearningRateScheduler(lambda epoch: 0.5 / (epoch + 1))
    history = small_model(learning_rate=9.0).fit(
        np.zeros((8, 3, 2)), np.ones(8), epochs=3, verbose=0, callbacks=scheduler
    )
    assert history.history["learning_rate"] == [0.5, 0.25, 0.5 / 3]


def test_learning_rate_scheduler_refuses_what_is_no_rate():
    with pytest.raises(ValueError, match="schedule must return a float, got 1 for epoch 0"):
        train(le.LearningRateScheduler(lambda epoch: 1), [1.0])


OF_NOTHING = {
    "val_loss'.*the logs have loss, mae: give fit validation_data": [EarlyStopping()],
    "watches 'val_mae'": [le.ReduceLROnPlateau("val_mae")],
    "watches 'accuracy', the logs have loss, mae$": [EarlyStopping("accuracy")],
    "ModelCheckpoint watches 'val_loss'": [ModelCheckpoint("best.safetensors", save_best_only=True)],
    "has a place for 'val_loss', there are epoch, loss, mae": [ModelCheckpoint("{val_loss:.2f}.safetensors")],
    "there are epoch, batch, loss, mae": [ModelCheckpoint("{val_mae}.safetensors", save_freq=2)],
}


@pytest.mark.parametrize("named", OF_NOTHING)
def test_what_the_logs_will_not_have_is_asked_before_the_first_epoch(named):
    model = le.Sequential([le.Input((2,)), le.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    before, epochs = model.get_weights(), []
    note = LambdaCallback(on_train_begin=epochs.append, on_epoch_begin=lambda epoch, logs: epochs.append(epoch))
    with pytest.raises(ValueError, match=named):
        model.fit(np.ones((4, 2)), np.ones(4), epochs=2, verbose=0, callbacks=[*OF_NOTHING[named], note])
    assert epochs == []
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert not hasattr(model, "history")


def test_a_callback_of_the_reader_s_may_add_what_later_ones_watch():
    class Score(le.Callback):
        def on_epoch_end(self, epoch, logs):
            logs["val_f1"] = -float(epoch)

    model = le.Sequential([le.Input((2,)), le.Dense(1)])
    model.compile("sgd", "mse")
    stop = EarlyStopping("val_f1", mode="max")
    history = model.fit(np.ones((4, 2)), np.ones(4), epochs=5, verbose=0, callbacks=[Score(), stop])
    assert (history.epoch, stop.best) == ([0, 1], 0)
    rates = EarlyStopping("learning_rate", mode="min", patience=5)  # which ReduceLROnPlateau adds
    model.fit(np.ones((4, 2)), np.ones(4), epochs=2, verbose=0, callbacks=[le.ReduceLROnPlateau("loss"), rates])
    assert rates.best == model.optimizer.learning_rate


def test_an_epoch_without_validation_does_not_count():
    model = le.Sequential([le.Input((2,)), le.Dense(1)])
    model.compile(le.SGD(0.0), "mse")
    x, y, stop = np.ones((4, 2)), np.ones(4), EarlyStopping(patience=2)
    history = model.fit(x, y, epochs=12, verbose=0, callbacks=[stop], validation_data=(x, y), validation_freq=3)
    assert (len(history.epoch), stop.stopped_epoch) == (9, 8)  # validated after 3, 6 and 9
