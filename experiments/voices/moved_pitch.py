"""Voices whose pitch moves while their formants stay: how far a man's F0 rises until he is called a woman, and the other way.

For `experiments.voices.reasons`. In the features the column log_f0 alone moves: what does the network make of it? WORLD
(Morise et al. 2016; `pip install pyworld`) makes the sound: the harmonics then move under an envelope that stays, as they do
when somebody raises the voice, and all columns may change.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from features.clips import Clips
from features.frames import LOG_F0

SEMITONES = tuple(range(-12, 19, 3))
LOWEST_HZ, HIGHEST_HZ = 60.0, 500.0  # of the pitch search: a pitch that would leave it stays at its end


def moved_column(clips: Clips, semitones: float) -> Clips:
    """The clips with log_f0 moved and everything else as it is."""
    sequences = []
    for x in clips.sequences:
        moved = x.copy()
        moved[:, LOG_F0] = np.clip(x[:, LOG_F0] + semitones * np.log(2) / 12, np.log(LOWEST_HZ), np.log(HIGHEST_HZ))
        sequences.append(moved)
    return replace(clips, sequences=sequences)


def world_sounds(samples: np.ndarray, rate: int, semitones: Sequence[float]) -> list[np.ndarray]:
    """The voice (n,) analysed once and spoken again by WORLD at each pitch; ModuleNotFoundError without pyworld."""
    import pyworld

    x = np.ascontiguousarray(samples, float)
    f0, times = pyworld.dio(x, rate, f0_floor=LOWEST_HZ, f0_ceil=HIGHEST_HZ)
    f0 = pyworld.stonemask(x, f0, times, rate)
    envelope, noise = pyworld.cheaptrick(x, f0, times, rate), pyworld.d4c(x, f0, times, rate)
    return [pyworld.synthesize(f0 * 2 ** (k / 12), envelope, noise, rate) for k in semitones]


def moved_sound(
    sounds: Sequence[tuple[np.ndarray, int]], clips: Clips, measure: Callable[[np.ndarray, int], np.ndarray],
    semitones: Sequence[float],
) -> list[Clips]:  # fmt: skip
    """For each of the semitones the clips, spoken again by WORLD. sounds: (samples (n,), rate) of each clip."""
    spoken = [[measure(y, rate) for y in world_sounds(x, rate, semitones)] for x, rate in sounds]
    return [replace(clips, sequences=[one[k] for one in spoken]) for k in range(len(semitones))]


def turning_points(called_male: np.ndarray, male: np.ndarray, semitones: Sequence[float]) -> dict[str, Any]:
    """Where answers that are right at 0 turn, in semitones: the median over clips, per sex; None if half of them never do.

    called_male (S, N) bool, male (N,) bool. A man's pitch rises, a woman's falls. Also how many clips were right at 0.
    """
    found: dict[str, Any] = {}
    zero = list(semitones).index(0)
    for sex, of, steps in (
        ("male", male, [s for s in range(len(semitones)) if semitones[s] >= 0]),
        ("female", ~male, [s for s in range(len(semitones))[::-1] if semitones[s] <= 0]),
    ):
        right = of & (called_male[zero] == male)
        wrong = called_male[steps][:, right] != male[right]  # (steps, clips)
        first = np.where(wrong.any(axis=0), np.array([semitones[s] for s in steps])[wrong.argmax(axis=0)], np.nan)
        never = np.isnan(first)
        middle = np.median(np.where(never, np.inf, np.abs(first))) if len(first) else np.inf
        sign = 1 if sex == "male" else -1
        found[sex] = {
            "clips": int(right.sum()),
            "median": float(sign * middle) if np.isfinite(middle) else None,
            "never": float(never.mean()) if len(first) else None,
        }
    return found
