"""Small voices, for tests that need no real ones."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from features.corpora import Utterance


def voice(f0: float = 150.0, seconds: float = 1.0, rate: int = 16_000) -> np.ndarray:
    """(n,) a harmonic tone, 1/k in its first ten harmonics, at about -15 dB of full scale."""
    t = np.arange(round(seconds * rate)) / rate
    return 0.2 * sum(np.sin(2 * np.pi * k * f0 * t) / k for k in range(1, 11))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Male and Female, two speakers each with two clips, and one speaker in each Test folder."""
    f0 = 100.0
    for folder, speakers in {"Male": "ab", "Female": "cd", "Male Test": "e", "Female Test": "f"}.items():
        for speaker in speakers:
            (tmp_path / "corpus" / folder / speaker).mkdir(parents=True)
            for clip in range(2):
                f0 += 7
                sf.write(tmp_path / "corpus" / folder / speaker / f"{clip}.wav", voice(f0), 16_000)
    return tmp_path / "corpus"


@pytest.fixture
def utterances(corpus: Path) -> list[Utterance]:
    from features.corpora import tutorial_folders

    return tutorial_folders(corpus)
