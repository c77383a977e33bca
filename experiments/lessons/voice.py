"""What lesson 8 asks the shipped model about a voice: the answer that `predict` gives, and what it rests on.

The contract: nothing of a recording lies on a disk but while it is read.
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
from experiments.voices.microphone import Sound
from experiments.voices.predict import SHIPPED
from experiments.voices.record import remarks
from features.audio import read_clip
from features.frames import LOG_F0
from features.recipes import recipe_from
from features.synth import RATE, draw_speaker, speak

MODEL = clip_model.load(SHIPPED)
NETWORK, STORED = MODEL.network, MODEL.network.metadata
FORWARD = "bidirectional/forward_lstm"  # the half of the LSTM that reads from the beginning to the end


def made_up(sex: str, f0: float, seconds: float = 3.0) -> bytes:
    """A WAV of a voice that nobody has: formants of that sex, as a rule a pitch of f0 Hz, here some semitones off."""
    rng, sound = np.random.default_rng(0), io.BytesIO()
    speaker = replace(draw_speaker(sex, "nobody", rng), f0=f0)
    sf.write(sound, speak(speaker, seconds, rng), RATE, format="WAV", subtype="PCM_16")
    return sound.getvalue()


@contextmanager
def briefly_on_disk(name: str, content: bytes) -> Iterator[Path]:
    """A file of that name and content, for those who read files, in a folder that is gone afterwards."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / Path(name).name
        path.write_bytes(content)
        yield path


def heard(name: str, content: bytes) -> tuple[Judgement, np.ndarray, list[str]]:
    """What `predict` says of a file; the frames (T, D) that the network was asked about; what is wrong with the sound.

    No frames where nobody speaks. Raises BadClip.
    """
    with briefly_on_disk(name, content) as file:
        judgement = judge_file(file, MODEL)
        samples, rate = read_clip(file)  # (n,)
    frames = recipe_from(STORED["recipe"], "the model").measure(samples, rate)
    asked = np.flatnonzero(~np.isnan(judgement.p))
    wrong = remarks(Sound(samples[:, None], rate, name, lost=False))
    return judgement, frames[asked[0] : asked[-1] + 1] if len(asked) else frames[:0], wrong


def log_odds(frames: np.ndarray, semitones: float = 0.0, network: le.Sequential = NETWORK) -> float:
    """Of male, for frames (T, D) whose pitch is moved and nothing else: the mean of what they say, after the temperature."""
    moved = frames.copy()
    moved[:, LOG_F0] += semitones * np.log(2) / 12
    z = replace(MODEL, network=network).frame_log_odds(moved)  # (T,)
    return float(z.mean() / STORED["temperature"])
