"""Ctrl-C in a command: exit code 130, and one line that says what is kept and how to go on."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

import features
from features import unfinished
from features.store import read_shard_file
from features.whole_files import alone_in

WAITING = """
import signal, time
from experiments import cli
from experiments.voices import measure

def waiting(clips, out, extract=measure.extract, **options):
    tell = options.pop("progress")

    def progress(done, total, seconds):
        tell(done, total, seconds)
        if done == 70:
            print("measured", flush=True)
            time.sleep(600)

    return extract(clips, out, progress=progress, **options)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in what it runs in the background
    measure.extract = waiting
    cli.main()
"""


@pytest.mark.skipif(os.name != "posix", reason="a signal reaches a group of processes")
def test_ctrl_c_in_features_says_what_is_kept(tmp_path):
    for sex in ("Male", "Female"):
        (tmp_path / sex).mkdir()
        sf.write(tmp_path / sex / "long.wav", np.random.default_rng(0).uniform(-0.3, 0.3, 4000 * 10), 4000)
    (tmp_path / "waiting.py").write_text(WAITING)
    out = tmp_path / "out"
    options = ["features", tmp_path, "--window", "0.2", "--jobs", "2", "--out", out]
    root = str(Path(features.__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, tmp_path / "waiting.py", *options], env=os.environ | {"PYTHONPATH": root}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    ) as process:  # fmt: skip
        while process.stdout.readline() not in ("measured\n", ""):
            pass
        os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it, to the workers too
        said = process.communicate()[1]
    assert process.returncode == 130
    words = f"stopped: 70 of 100 clips are measured and kept in {out}; the same command measures the rest"
    assert said.splitlines()[-1] == words  # progress may stand above it
    assert "Traceback" not in said
    assert sum(len(read_shard_file(path).entries) for path in unfinished.files(out)) == 70


@pytest.mark.parametrize(
    ("command", "work", "kept"),
    [
        (
            "train {there} --out {out}",
            "experiments.tutorial.training.train_on_tables",
            "the training had not begun; the same command starts again",
        ),
        (
            "predict x.wav",
            "experiments.voices.predict.predict",
            "no answer is kept, for they are printed together at the end; the same command starts again",
        ),
        (
            "predict x.wav --out {there}",
            "experiments.voices.predict.predict",
            "no answer is kept, only the pictures in {there}; the same command with --force answers for all files",
        ),
        ("gradcheck", "experiments.cli.proofs.stages", ""),
    ],
)
def test_ctrl_c_says_what_is_not_kept(lstm_engine, monkeypatch, tmp_path, command, work, kept):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(work, stop)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a.png").touch()
    places = {"out": tmp_path / "out", "there": tmp_path / "there"}
    outcome = lstm_engine(*command.format(**places).split())
    assert outcome.code == 130
    assert outcome.err == (f"stopped: {kept}" if kept else "stopped").format(**places) + "\n"


@pytest.mark.skipif(os.name != "posix", reason="os.kill ends the process on Windows")
def test_sigterm_ends_a_command_as_ctrl_c_does_with_its_own_code(lstm_engine, monkeypatch):
    monkeypatch.setattr("experiments.cli.proofs.stages", lambda **_: os.kill(os.getpid(), signal.SIGTERM))
    outcome = lstm_engine("gradcheck")
    assert (outcome.code, outcome.err) == (143, "stopped\n")


def test_a_folder_in_which_another_process_works_is_refused_by_name(lstm_engine, tmp_path):
    with alone_in(tmp_path):
        outcome = lstm_engine("bench", "--quick", "--out", tmp_path)
    assert outcome.code == 2
    assert f"another process is writing into {tmp_path}" in outcome.err
