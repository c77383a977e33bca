"""What the tests of the commands share: small synthetic voices, a model trained on them, and the command line itself."""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import soundfile as sf

from experiments.training import train
from experiments.voice_task import VoiceTask
from features.corpora import tutorial_folders
from features.dataset import Scaler, Voices
from features.extraction import extract
from features.synth import write_corpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Male, Female, Male Test and Female Test: 5 + 2 speakers a sex, one clip of 1 s each. Not to be changed."""
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder, speakers=5, test_speakers=2, clips=1, seconds=1.0)
    return folder


@pytest.fixture(scope="session")
def tables(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of that corpus. Not to be changed."""
    return extract(tutorial_folders(corpus), tmp_path_factory.mktemp("tables")).out


class Trained(NamedTuple):
    """A run of `train`: its folder, its model's file, and the scores that it returned."""

    folder: Path
    model: Path
    result: dict[str, Any]


@pytest.fixture(scope="session")
def trained(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Three epochs on those tables. Not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    result = train(tables, folder, units=8, epochs=3, batch_size=4, learning_rate=0.02, verbose=0)
    return Trained(folder, folder / "model.safetensors", result)


@pytest.fixture
def bad_clips(tmp_path: Path) -> dict[str, str]:
    """Files that hold no voice: silence, text under the name of a recording, and one that is not there."""
    silent, text = tmp_path / "silent.wav", tmp_path / "text.wav"
    sf.write(silent, np.zeros(16_000), 16_000)
    text.write_text("not a recording")
    return {"silent": str(silent), "decoded": str(text), "no such file": str(tmp_path / "missing.wav")}


def random_voices(rows: int, seed: int) -> Voices:
    """Rows of noise from six speakers a sex, in which pitch and one coefficient tell the sexes apart."""
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % 2
    features = rng.standard_normal((rows, 112))  # (N, 112)
    features[:, 0] = 0
    features[:, 1] = rng.normal(200 - 80 * labels, 10)
    features[:, 2] += labels
    speakers = np.array([f"{seed}{'fm'[k % 2]}{k // 2 % 6}" for k in range(rows)], object)
    nothing = np.full(rows, "", object)
    return Voices(features, labels, speakers, nothing, nothing, np.zeros(rows))


@pytest.fixture(scope="session")
def task() -> VoiceTask:
    """24 rows to train on and 24 held out, of six speakers a sex each, standardised."""
    train, held_out = random_voices(24, seed=1), random_voices(24, seed=2)
    return VoiceTask(train, held_out, "frames", Scaler.fit(train.features))


class Outcome(NamedTuple):
    """What a person sees of a command: its exit code, and what it wrote to standard output and to standard error."""

    code: int
    out: str
    err: str


@pytest.fixture
def lstm_engine(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Runs `lstm-engine ARGUMENTS` in this process."""
    from experiments import cli

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["lstm-engine", *map(str, arguments)])
        monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # which main replaces
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            cli.main()
        return Outcome(left.value.code or 0, *capsys.readouterr())

    return run
