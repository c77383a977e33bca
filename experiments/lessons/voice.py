"""For lesson 8: the shipped model's answer about a voice, as `predict` gives it, and the numbers behind it.

The contract: a recording is on the disk only while it is read.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile as sf

import lstm_engine as le
from experiments.voices import clip_model
from experiments.voices.judge import Judgement, judge_file
from experiments.voices.predict import SHIPPED
from experiments.voices.record import Sound, remarks
from features.audio import read_clip
from features.frames import LOG_F0
from features.recipes import recipe_from
from features.synth import RATE, draw_speaker, speak

MODEL = clip_model.load(SHIPPED)
NETWORK, STORED = MODEL.network, MODEL.network.metadata
FORWARD = "bidirectional/forward_lstm"  # the half of the LSTM that reads from the beginning to the end
UNITS = STORED["settings"]["units"]  # of that half


def made_up(sex: str, f0: float, seconds: float = 3.0) -> bytes:
    """A WAV of a synthetic voice: formants of that sex, a usual pitch of f0 Hz (in this clip some semitones off)."""
    rng, sound = np.random.default_rng(0), io.BytesIO()
    speaker = replace(draw_speaker(sex, "nobody", rng), f0=f0)
    sf.write(sound, speak(speaker, seconds, rng), RATE, format="WAV", subtype="PCM_16")
    return sound.getvalue()


@contextmanager
def briefly_on_disk(name: str, content: bytes) -> Iterator[Path]:
    """A file of that name and content in a temporary folder, which is deleted afterwards."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / Path(name).name
        path.write_bytes(content)
        yield path


def heard(name: str, content: bytes) -> tuple[Judgement, np.ndarray, list[str]]:
    """The answer of `predict`; the frames (T, D) that the network read, none if nobody speaks; the sound's faults in words.

    Raises BadClip.
    """
    with briefly_on_disk(name, content) as file:
        judgement = judge_file(file, MODEL)
        samples, rate = read_clip(file)  # (n,)
    frames = recipe_from(STORED["recipe"], "the model").measure(samples, rate)
    read = np.flatnonzero(~np.isnan(judgement.p))
    wrong = remarks(Sound(samples[:, None], rate, name, lost=False))
    return judgement, frames[read[0] : read[-1] + 1] if len(read) else frames[:0], wrong


def log_odds(frames: np.ndarray, semitones: float = 0.0, network: le.Sequential = NETWORK) -> float:
    """The log-odds of male for frames (T, D) with only the pitch moved: the mean over the frames, after the temperature."""
    moved = frames.copy()
    moved[:, LOG_F0] += semitones * np.log(2) / 12
    z = replace(MODEL, network=network).frame_log_odds(moved)  # (T,)
    return float(z.mean() / STORED["temperature"])
