"""BackupAndRestore: a training that was stopped goes on as if nothing had happened; and what it leaves on disk."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.callbacks import BackupAndRestore, Callback, ReduceLROnPlateau

rng = np.random.default_rng(0)
X, Y = rng.standard_normal((20, 4, 2)), rng.standard_normal((20, 1))
EPOCHS = 6


def network(seed=0, **lstm):
    layers = [le.LSTM(3, dropout=0.3, recurrent_dropout=0.2, **lstm), le.Dropout(0.2), le.Dense(1)]
    model = le.Sequential([le.Input((4, 2)), *layers], seed=seed, backend="numpy")
    model.compile(le.Nadam(0.05), "mse", metrics=["mae"])
    return model


def train(model, *callbacks, epochs=EPOCHS):
    return model.fit(X, Y, batch_size=4, epochs=epochs, validation_split=0.2, callbacks=list(callbacks), verbose=0)


class Stop(Callback):
    """Ends the training with an error in the middle of an epoch."""

    def __init__(self, epoch, batch=1):
        self.at = epoch, batch

    def on_epoch_begin(self, epoch, logs):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs):
        if (self.epoch, batch) == self.at:
            raise KeyboardInterrupt


def stopped(model, folder, *callbacks, epoch=3, **backup):
    with pytest.raises(KeyboardInterrupt):
        train(model, *callbacks, BackupAndRestore(folder, **backup), Stop(epoch))


def same(model, other):
    """Weights, the optimizer's slots, and the next dropout masks."""
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    assert model.optimizer.iterations == other.optimizer.iterations
    assert all(np.array_equal(slot, other.optimizer.slots[name]) for name, slot in model.optimizer.slots.items())
    for name, part in model.parts.items():
        assert part.rng.bit_generator.state == other.parts[name].rng.bit_generator.state
    return True


@pytest.mark.parametrize("options", [{}, {"stateful": True}], ids=["plain", "stateful"])
def test_a_training_that_was_stopped_ends_bit_for_bit_as_one_that_was_not(tmp_path, options):
    whole = network(**options)
    history = train(whole, ReduceLROnPlateau(patience=1, min_delta=9.0, factor=0.5))  # a rate that changes each epoch
    stopped(network(**options), tmp_path / "b", ReduceLROnPlateau(patience=1, min_delta=9.0, factor=0.5))
    again = network(**options)
    later = train(again, BackupAndRestore(tmp_path / "b"))  # its rate is that of the file
    assert later.epoch == [3, 4, 5]
    assert later.history["loss"][0] == history.history["loss"][3]
    assert not (tmp_path / "b").exists()

    whole, again = network(**options), network(**options)
    history = train(whole)
    stopped(network(**options), tmp_path / "b")
    later = train(again, BackupAndRestore(tmp_path / "b"))
    assert same(whole, again)
    assert {name: values[3:] for name, values in history.history.items()} == later.history
    assert all(
        np.array_equal(a, b) for a, b in zip(whole.layers[0].states or [], again.layers[0].states or [], strict=True)
    )


def test_a_model_without_a_seed_goes_on_in_the_order_that_it_had_begun(tmp_path):
    first = network(seed=None)
    first.save(tmp_path / "m.safetensors")
    whole = le.load(tmp_path / "m.safetensors", backend="numpy")
    train(whole)
    stopped(first, tmp_path / "b")
    again = network(seed=None)
    train(again, BackupAndRestore(tmp_path / "b"))
    assert same(whole, again)


@pytest.mark.slow  # Keras compiles a training step
def test_after_so_many_batches_the_epoch_is_begun_again_as_in_keras(tmp_path):
    keras = pytest.importorskip("keras")
    begun = {}
    for library, folder in ((le, tmp_path / "ours"), (keras, tmp_path / "theirs")):
        epochs = begun[library.__name__] = []

        def model(library=library):
            new = library.Sequential([library.Input((2,)), library.layers.Dense(1)])
            new.compile("sgd", "mse")
            return new

        def note(epoch, logs, epochs=epochs):
            epochs.append(epoch)

        class End(library.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs):
                self.at = epoch

            def on_train_batch_end(self, batch, logs):
                if (self.at, batch) == (2, 3):
                    raise KeyboardInterrupt

        backup = {"backup_dir": str(folder), "save_freq": 3}
        fit = {"batch_size": 4, "epochs": 4, "verbose": 0}
        with pytest.raises(KeyboardInterrupt):
            model().fit(X[:, 0], Y, **fit, callbacks=[library.callbacks.BackupAndRestore(**backup), End()])
        epochs.clear()
        callbacks = [
            library.callbacks.BackupAndRestore(**backup),
            library.callbacks.LambdaCallback(on_epoch_begin=note),
        ]
        model().fit(X[:, 0], Y, **fit, callbacks=callbacks)
        assert not folder.exists()
    assert begun["lstm_engine"] == begun["keras"] == [2, 3]


def test_the_backup_before_the_last_is_read_when_the_last_is_damaged(tmp_path):
    whole = network()
    train(whole)
    stopped(network(), tmp_path, double_checkpoint=True)
    (tmp_path / "latest.safetensors").write_bytes(b"half a file")
    again = network()
    assert train(again, BackupAndRestore(tmp_path)).epoch == [2, 3, 4, 5]
    assert same(whole, again)


def test_what_is_no_backup_of_this_training_is_refused_and_nothing_changes(tmp_path):
    stopped(network(), tmp_path)
    other = le.Sequential([le.Input((4, 2)), le.LSTM(5), le.Dense(1)], seed=0)
    other.compile("nadam", "mse")
    before = other.get_weights()
    with pytest.raises(
        ValueError, match=r"weight lstm/kernel has shape \(2, 12\).*delete .* to begin the training anew"
    ):
        train(other, BackupAndRestore(tmp_path))
    assert all(np.array_equal(a, b) for a, b in zip(before, other.get_weights(), strict=True))
    adam = network()
    adam.compile("adam", "mse")
    with pytest.raises(ValueError, match="was saved with the optimizer nadam, the model has adam"):
        train(adam, BackupAndRestore(tmp_path))
    assert adam.optimizer.iterations == 0


def test_the_folder_keeps_what_is_not_the_backup_s_and_the_backup_when_asked(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".latest.safetensors.x1").write_bytes(b"half")  # as a kill in the middle of writing leaves it
    train(network(), BackupAndRestore(tmp_path), epochs=1)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]
    model = network()
    model.metadata = {"labels": ["a", "b"]}
    train(model, BackupAndRestore(tmp_path, delete_checkpoint=False), epochs=2)
    assert model.metadata == {"labels": ["a", "b"]}
    later = network()
    assert train(later, BackupAndRestore(tmp_path), epochs=2).epoch == []  # it is trained already, as in Keras
    assert later.metadata == {"labels": ["a", "b"]}
    assert same(model, later)


def test_arguments_are_checked():
    for arguments, named in ((("",), "empty name"), (("b", False), "save_freq"), (("b", 0), "save_freq")):
        with pytest.raises(ValueError, match=named):
            BackupAndRestore(*arguments)


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from test_backup import *
kill = le.LambdaCallback(on_epoch_begin=lambda epoch, logs: epoch == 4 and os.kill(os.getpid(), signal.SIGKILL))
train(network(), BackupAndRestore({folder!r}), kill)
"""


@pytest.mark.slow  # starts a process
def test_a_process_that_was_killed_goes_on(tmp_path):
    code = KILLED.format(tests=str(Path(__file__).parent), folder=str(tmp_path / "b"))
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    whole, again = network(), network()
    train(whole)
    assert train(again, BackupAndRestore(tmp_path / "b")).epoch == [4, 5]
    assert same(whole, again)
    assert json.dumps(again.optimizer.config()) == json.dumps(whole.optimizer.config())
