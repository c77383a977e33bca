"""What the tests of the commands share: small synthetic voices, a model trained on them, and the command line itself."""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import soundfile as sf

import lstm_engine as le
from experiments.tutorial.comparison import Comparison, compare
from experiments.tutorial.task import VoiceTask, read_task
from experiments.tutorial.training import train_on_tables
from features.corpora import Utterance, tutorial_folders
from features.extraction import extract
from features.synth import draw_speaker, speak, write_corpus
from features.tables import features_path, rows_path, write_features, write_rows


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
    result = train_on_tables(tables, folder, units=8, epochs=3, batch_size=4, learning_rate=0.02)
    return Trained(folder, folder / "model.safetensors", result)


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings on tables draw no report: drawing takes most of their time, and these tests do not look at it."""
    monkeypatch.setattr("experiments.tutorial.training.write_report", lambda *_: None)


@pytest.fixture
def bad_clips(tmp_path: Path) -> dict[str, str]:
    """Files that hold no voice: silence, text under the name of a recording, and one that is not there."""
    silent, text = tmp_path / "silent.wav", tmp_path / "text.wav"
    sf.write(silent, np.zeros(16_000), 16_000)
    text.write_text("not a recording")
    return {"silent": str(silent), "decoded": str(text), "no such file": str(tmp_path / "missing.wav")}


@pytest.fixture(scope="session")
def noise_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of noise in which pitch and one coefficient tell the sexes apart; train and dev: 24 rows, 12 speakers each.

    No recipe.json lies beside them, as none lies beside the tutorial's own. Not to be changed.
    """
    folder = tmp_path_factory.mktemp("noise")
    rng = np.random.default_rng(0)
    for sex, f0 in (("male", 120), ("female", 200)):
        rows = rng.standard_normal((24, 111))  # (N, 111)
        rows[:, 0] = rng.normal(f0, 10, 24)
        rows[:, 1] += sex == "male"
        speakers = [(f"{sex}-{split}-{k % 6}", split) for split in ("train", "dev") for k in range(12)]
        write_features(features_path(folder, sex), rows, sex)
        clips = [Utterance(Path(f"{k}.wav"), speaker, sex, split) for k, (speaker, split) in enumerate(speakers)]
        write_rows(rows_path(features_path(folder, sex)), clips)
    return folder


@pytest.fixture(scope="session")
def task(noise_tables: Path) -> VoiceTask:
    """Those tables as X (24, 11, 11) on either side, standardised."""
    return read_task(noise_tables)


class Compared(NamedTuple):
    """What `compare` gives: the comparison, the engine's model, and the progress that it told."""

    comparison: Comparison
    model: le.Sequential
    progress: list[tuple[int, int]]


@pytest.fixture(scope="session")
def compared(task: VoiceTask) -> Compared:
    """The engine beside Keras for three epochs. Not to be changed."""
    pytest.importorskip("keras")
    progress: list[tuple[int, int]] = []
    settings = {"units": 8, "batch_size": 7, "learning_rate": 0.01, "seed": 5}
    return Compared(*compare(task, 3, **settings, progress=lambda *at: progress.append(at)), progress)


@pytest.fixture(scope="session")
def voice_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of frames, trained on 12 synthetic voices of 3 s; temperature 2, uncertain from .2 to .8."""
    from experiments.voices import clip_model
    from features.clips import Clips
    from features.recipes import recipe_named

    rng, recipe, n = np.random.default_rng(0), recipe_named("frames"), 12
    sexes = ["male", "female"] * (n // 2)
    clips = Clips(
        sequences=[recipe.measure(speak(draw_speaker(sex, sex, rng), 3.0, rng), 16_000) for sex in sexes],
        labels=np.array([int(sex == "male") for sex in sexes]),
        speakers=np.array([f"s{k}" for k in range(n)], object),
        splits=np.full(n, "train"),
        paths=np.array([f"{k}.wav" for k in range(n)]),
        hashes=np.array([str(k) for k in range(n)]),
        columns=recipe.columns,
        stamp=recipe.stamp(),
    )
    settings = clip_model.Settings(
        units=8, epochs=12, crop_s=1.0, batch_size=8, learning_rate=1e-2,
        removed=20, roused=0, whispered=0, stretched=0, hidden=0,  # from 12 voices little is learnt beside the pitch
    )  # fmt: skip
    model, _ = clip_model.train(clips, settings)
    path = tmp_path_factory.mktemp("voice") / "voice.safetensors"
    clip_model.save(model, path, clips, settings, temperature=2.0, uncertain=0.8)
    return path


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
