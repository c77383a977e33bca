"""What is measured on a clip, under which names and with which settings; and how a row of it is read as a sequence.

For extraction, which stamps the recipe beside its tables, and for training and prediction, which must agree with them.
A recipe maps samples to a row; a reading maps rows (N, 112) to what a recurrent layer takes, (N, T, D).
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from features import mfcc, pitch

FRAMES = 1 + mfcc.LENGTH // mfcc.HOP  # 11
TUTORIAL_COLUMNS = ("pitch", *(f"mfcc{k}" for k in range(1, mfcc.N_MFCC * FRAMES + 1)))


@dataclass(frozen=True)
class Recipe:
    """`row` maps (samples (n,), rate in Hz) to float64 numbers, one for each name in `columns`."""

    name: str
    columns: tuple[str, ...]
    parameters: dict[str, Any]
    row: Callable[[np.ndarray, int], np.ndarray]

    def stamp(self) -> dict[str, Any]:
        """What another run must share to give the same numbers: recipe, parameters, library versions. JSON-able."""
        libraries = ("librosa", "numpy", "scipy", "soundfile", "soxr")
        return {"recipe": self.name, "parameters": self.parameters, "versions": {k: version(k) for k in libraries}}


def tutorial_row(samples: np.ndarray, rate: int) -> np.ndarray:
    """The tutorial's (111,) numbers: pitch in Hz, then 110 MFCC by coefficient (mfcc1-11 is C0 over time)."""
    return np.concatenate([[pitch.autocorrelation_pitch(samples, rate)], mfcc.tutorial_mfcc(samples, rate).ravel()])


TUTORIAL = Recipe(
    name="tutorial",
    columns=TUTORIAL_COLUMNS,
    parameters={
        "pitch_hz": [pitch.LOWEST_HZ, pitch.HIGHEST_HZ],
        "load_rate_hz": mfcc.LOAD_RATE_HZ,
        "mfcc_rate_hz": mfcc.RATE_HZ,
        "mel_rate_hz": mfcc.LOAD_RATE_HZ,
        "samples": mfcc.LENGTH,
        "n_mfcc": mfcc.N_MFCC,
        "hop": mfcc.HOP,
        "resampler": f"soxr {mfcc.RESAMPLER}",
        "pad_mode": mfcc.PAD_MODE,
    },
    row=tutorial_row,
)


def with_index(rows: np.ndarray) -> np.ndarray:
    """(N, 111) -> (N, 112): the constant 0 in front that the tutorial's unnamed index column gives its network."""
    return np.insert(np.asarray(rows, float), 0, 0.0, axis=1)


def as_steps(features: np.ndarray) -> np.ndarray:
    """(N, 112) -> (N, 112, 1): the tutorial's reading, 112 steps of one number, the first of them always 0."""
    return features[:, :, np.newaxis]


def as_frames(features: np.ndarray) -> np.ndarray:
    """(N, 112) -> (N, 11, 11): the sequence inside the same numbers, 11 moments of 10 coefficients and the pitch."""
    coefficients = features[:, 2:].reshape(-1, mfcc.N_MFCC, FRAMES).transpose(0, 2, 1)  # (N, 11, 10)
    pitches = np.repeat(features[:, 1], FRAMES).reshape(-1, FRAMES, 1)  # (N, 11, 1)
    return np.concatenate([coefficients, pitches], axis=2)


READINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"steps": as_steps, "frames": as_frames}
