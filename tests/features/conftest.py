"""Small voices, for tests that need no real ones."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile as sf

from features.corpora import Utterance, tutorial_folders
from features.extraction import extract
from features.recipes import recipe_named


def voice(f0: float = 150.0, seconds: float = 1.0, rate: int = 16_000) -> np.ndarray:
    """(n,) a harmonic tone, 1/k in its first ten harmonics, at about -15 dB of full scale."""
    t = np.arange(round(seconds * rate)) / rate
    return 0.2 * sum(np.sin(2 * np.pi * k * f0 * t) / k for k in range(1, 11))


def write_tones(folder: Path) -> Path:
    """Male and Female, two speakers each with two clips of 1 s, and one speaker in each Test folder: twelve clips."""
    f0 = 100.0
    for sex, speakers in {"Male": "ab", "Female": "cd", "Male Test": "e", "Female Test": "f"}.items():
        for speaker in speakers:
            (folder / sex / speaker).mkdir(parents=True)
            for clip in range(2):
                f0 += 7
                sf.write(folder / sex / speaker / f"{clip}.wav", voice(f0), 16_000)
    return folder


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A corpus of tones (see `write_tones`) that a test may change."""
    return write_tones(tmp_path / "corpus")


class MeasuredCorpus(NamedTuple):
    """A corpus and the folder of its extraction by the recipe frames."""

    corpus: Path
    out: Path


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> MeasuredCorpus:
    """Frames of that corpus, whose clip Male/a/0.wav is broken. Not to be changed."""
    folder = tmp_path_factory.mktemp("measured")
    corpus = write_tones(folder / "corpus")
    (corpus / "Male" / "a" / "0.wav").write_bytes(b"broken")
    return MeasuredCorpus(corpus, extract(tutorial_folders(corpus), folder / "out", recipe=recipe_named("frames")).out)


@pytest.fixture
def utterances(corpus: Path) -> list[Utterance]:
    return tutorial_folders(corpus)
