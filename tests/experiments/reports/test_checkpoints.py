"""Trainings that are stopped or killed and go on: their files come out as those of a training that was not."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import experiments
import lstm_engine as le
from experiments.promises.kills import contents
from experiments.reports import checkpoints, working
from experiments.reports.checkpoints import Checkpoints, begun
from experiments.tutorial.training import train_on_tables

pytestmark = pytest.mark.usefixtures("no_report")
SMALL = {"units": 3, "epochs": 4, "batch_size": 16, "learning_rate": 0.02, "every": 1}


@pytest.fixture(scope="module")
def whole(noise_tables, tmp_path_factory):
    """The files of a training that was not stopped."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("experiments.tutorial.training.write_report", lambda *_: None)
        folder = tmp_path_factory.mktemp("whole")
        train_on_tables(noise_tables, folder, **SMALL)
    return contents(folder)


def stopped_at(monkeypatch, epoch, batch=1, how=KeyboardInterrupt):
    """Lets a training end with `how` after a batch of an epoch."""
    seen = Checkpoints.on_train_batch_end

    def stop(self, n, logs):
        seen(self, n, logs)
        if (self.done, n) == (epoch, batch):
            raise how

    monkeypatch.setattr(Checkpoints, "on_train_batch_end", stop)


def train(tables, out, **options):
    """The training, and the lines that it says."""
    lines = []
    train_on_tables(tables, out, **SMALL | options, say=lines.append)
    return lines


@pytest.mark.filterwarnings("ignore:.*has no recipe.json")
def test_a_stopped_training_goes_on_with_the_same_command(noise_tables, whole, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stopped_at(patch, 2)
        with pytest.raises(KeyboardInterrupt) as stop:
            train(noise_tables, tmp_path)
    words = f"stopped: 2 of 4 epochs are kept in {tmp_path}; the same command goes on"
    assert str(stop.value) == words
    with pytest.raises(FileExistsError, match=r"with other settings .*epochs 4 and 5.*--force"):
        train(noise_tables, tmp_path, epochs=5)
    (tmp_path / ".model.safetensors.x.tmp").write_bytes(b"half")  # as a kill leaves it
    (tmp_path / "checkpoints" / "all" / ".x.tmp").write_bytes(b"half")
    assert train(noise_tables, tmp_path)[-1] == "all: 2 of 4 epochs are there"
    assert contents(tmp_path) == whole
    assert train(noise_tables, tmp_path) == [
        f"nothing to do: {tmp_path} holds this training, finished; --force trains again"
    ]
    with pytest.raises(FileExistsError, match="units 3 and 4"):
        train(noise_tables, tmp_path, units=4)
    assert contents(tmp_path) == whole


@pytest.mark.filterwarnings("ignore:.*has no recipe.json")
def test_a_damaged_checkpoint_is_left_for_the_one_before_it(noise_tables, whole, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stopped_at(patch, 3)
        with pytest.raises(KeyboardInterrupt):
            train(noise_tables, tmp_path)
    *_, newest = sorted((tmp_path / "checkpoints" / "all").iterdir())
    damaged = bytearray(newest.read_bytes())
    damaged[-1] ^= 1  # one bit of a weight
    newest.write_bytes(damaged)
    lines = train(noise_tables, tmp_path)
    assert f"{newest} is damaged: going on from the checkpoint before it" in lines
    assert lines[-1] == "all: 2 of 4 epochs are there"
    assert contents(tmp_path) == whole


@pytest.mark.filterwarnings("ignore:.*has no recipe.json")
@pytest.mark.skipif(os.name != "posix", reason="os.kill ends the process on Windows")
def test_a_signal_ends_it_after_the_batch_with_a_checkpoint_of_the_last_epoch(noise_tables, tmp_path, monkeypatch):
    batches = []

    def tell(self, n, logs, seen=Checkpoints.on_train_batch_end):
        batches.append(n)
        if len(batches) == 5:  # two batches an epoch
            os.kill(os.getpid(), signal.SIGTERM)
        seen(self, n, logs)

    monkeypatch.setattr(Checkpoints, "on_train_batch_end", tell)
    with pytest.raises(working.Stopped, match="2 of 4 epochs are kept"), working.ends_told() as heard:
        train(noise_tables, tmp_path, every=100)  # until then nothing was written
    assert (heard.exit_code, len(batches)) == (143, 5)
    assert begun(tmp_path)["options"]["units"] == 3


@pytest.mark.filterwarnings("ignore:.*has no recipe.json")
def test_a_forced_training_that_stops_leaves_the_earlier_run_as_it_was(noise_tables, whole, tmp_path, monkeypatch):
    train(noise_tables, tmp_path)
    with monkeypatch.context() as patch:
        stopped_at(patch, 1)
        with pytest.raises(KeyboardInterrupt, match="the same command without --force goes on"):
            train(noise_tables, tmp_path, force=True, units=4)
    left = contents(tmp_path)
    assert {name: left[name] for name in whole} == whole
    with monkeypatch.context() as patch:  # the model is new, the rest is not written yet
        patch.setattr("experiments.reports.run.Run.write", lambda *_: os.kill(os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt, match="4 of 4 epochs are kept"):
            train(noise_tables, tmp_path, units=4)
    assert not (tmp_path / "config.json").exists()
    train(noise_tables, tmp_path, units=4)
    assert json.loads((tmp_path / "config.json").read_text())["settings"]["units"] == 4
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.filterwarnings("ignore:.*has no recipe.json")
def test_a_full_disk_ends_it_in_a_line_and_keeps_what_is_there(noise_tables, whole, tmp_path, monkeypatch):
    write = checkpoints.write_atomically

    def full(path, content):
        if path.name.startswith("00003"):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "write_atomically", full)
        with pytest.raises(OSError, match=r"cannot be written \(No space left on device\): 2 of 4 epochs are kept"):
            train(noise_tables, tmp_path)
    train(noise_tables, tmp_path)
    assert contents(tmp_path) == whole


@pytest.mark.filterwarnings("ignore:.*has no recipe.json")
def test_only_the_last_checkpoints_are_kept_and_each_is_a_model(noise_tables, tmp_path, monkeypatch):
    stopped_at(monkeypatch, 5)
    with pytest.raises(KeyboardInterrupt):
        train(noise_tables, tmp_path, epochs=6)
    files = sorted((tmp_path / "checkpoints" / "all").iterdir())
    assert [path.name[:5] for path in files] == ["00003", "00004", "00005"]
    model = le.load(files[-1])
    assert (model.epochs_done, model.metadata["reading"]) == (5, "frames")
    assert np.isfinite(model.metadata["scaler"]["mean"]).all()


KILLED = """
import os, signal, sys
from experiments.tutorial import training
from experiments.reports.checkpoints import Checkpoints

def kill(self, n, logs):
    if (self.done, n) == (2, 0):
        os.kill(os.getpid(), signal.SIGKILL)

Checkpoints.on_train_batch_end = kill
training.train_on_tables(sys.argv[1], sys.argv[2], units=3, epochs=4, batch_size=16, learning_rate=0.02, every=1)
"""


@pytest.mark.slow  # starts a process
@pytest.mark.filterwarnings("ignore:.*has no recipe.json")
def test_a_killed_process_goes_on(noise_tables, whole, tmp_path):
    root = str(Path(experiments.__file__).parents[1])
    killed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED, noise_tables, tmp_path],
        env=os.environ | {"PYTHONPATH": root}, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    assert train(noise_tables, tmp_path)[-1] == "all: 2 of 4 epochs are there"
    assert contents(tmp_path) == whole


def test_the_command_goes_on_by_the_name_of_the_run(lstm_engine, tables, tmp_path, monkeypatch):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        stopped_at(patch, 1, 0)
        stopped = lstm_engine("train", tables, "--out", out, "--epochs", 2, "--units", 2, "--checkpoint-every", 1)
    assert stopped.code == 130
    assert stopped.err.splitlines()[-1] == f"stopped: 1 of 2 epochs are kept in {out}; the same command goes on"
    refused = lstm_engine("train", "--resume", out, "--units", 2)
    assert (refused.code, "--units cannot go with --resume" in refused.err) == (2, True)
    went_on = lstm_engine("train", "--resume", out)
    assert (went_on.code, "1 of 2 epochs are there" in went_on.err) == (0, True)
    assert json.loads((out / "config.json").read_text())["settings"]["data"] == tables.name
    done = lstm_engine("train", "--resume", out)
    assert (done.code, "is finished" in done.out) == (0, True)
    none = lstm_engine("train", "--resume", tmp_path)
    assert (none.code, "holds no training that could go on" in none.err) == (2, True)
