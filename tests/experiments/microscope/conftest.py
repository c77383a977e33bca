"""A recording to look into, and what is seen there."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from experiments.microscope.looking import Look, look
from experiments.voices import clip_model
from features.synth import draw_speaker, speak

RATE = 16_000


@pytest.fixture(scope="session")
def voice_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second of silence and 2.5 s of a synthetic voice; its name must not be taken for markup."""
    rng = np.random.default_rng(5)
    voice = speak(replace(draw_speaker("female", "female", rng), f0=220.0), 2.5, rng, RATE)
    path = tmp_path_factory.mktemp("look") / "voice & co.wav"
    sf.write(path, np.concatenate([np.zeros(RATE // 2), voice]), RATE)
    return path


@pytest.fixture(scope="session")
def seen(voice_file: Path, voice_model: Path) -> Look:
    """Not to be changed."""
    return look(voice_file, clip_model.load(voice_model))
