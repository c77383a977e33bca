"""Is there a voice in a recording at all? Where it sounds, and in words why something is taken for none.

For whoever judges recordings that nobody has checked: silence, noise, clicks, hum and music must not get an answer. The
rule reads the frames of the recipe `frames` and knows nothing of the sexes. How often it is right, and on which sounds its
thresholds were chosen, is in docs/voices.md; `python -m experiments.voices.speech_detection` measures it again.
"""

from dataclasses import dataclass

import numpy as np

from features.frames import ENERGY_DB, HOP, LOG_F0, LOWEST_HZ, RATE_HZ, VOICING

FRAME_S = HOP / RATE_HZ  # 20 ms
VOICED = 0.4  # of 1 - d': in 10 dB of noise half of a voice's frames lie below 0.8, while noise itself stays below 0.4
LOUD_DB = 35.0  # softer than the loudest voiced frames by more is an echo or another room
PINNED_HZ = LOWEST_HZ + 2  # where the search for a pitch ends, what is found is the mains' hum or rumble
GLIDE, SWELL_DB = 0.12, 5.0  # a frame on, a voice has moved by at most 2 semitones (in log F0) and so many dB
SHORTEST = 4  # frames in a row, 80 ms: a syllable's nucleus; noise, clicks and knocks look voiced for less
LEAST_S, ENOUGH_S = 0.1, 0.3  # less voice than the first is none; less than the second, too little to judge by
# A tone stands stiller than any voice: in log F0 over the whole, from frame to frame, and in its spectrum (MFCC 1 to 12).
STILL_RANGE, STILL_GLIDE, STILL_SPECTRUM = 0.06, 0.0012, 11.0
# A voice breaks off for consonants: it sounds less than this share of the time, and of 251 readings none for more than 1.6 s.
UNBROKEN, UNBROKEN_S = 0.8, 2.5


@dataclass(frozen=True)
class Speech:
    """voice (T,) bool: the frames in which somebody speaks. tone: why what sounds there is a tone, hum or music, or ""."""

    voice: np.ndarray
    tone: str = ""


def find_speech(x: np.ndarray) -> Speech:
    """Where a voice sounds in frames (T, D) of the recipe `frames`, at most a minute or so of them."""
    voice = voiced_runs(x)
    tone = why_a_tone(x, voice) if voice.sum() * FRAME_S >= ENOUGH_S else ""  # a short voice has no time to move
    return Speech(voice & (not tone), tone)


def voiced_runs(x: np.ndarray) -> np.ndarray:
    """(T,) bool: frames with a pitch, loud enough, and among SHORTEST or more over which pitch and level go on smoothly."""
    voiced = (x[:, VOICING] > VOICED) & (x[:, LOG_F0] > np.log(PINNED_HZ))  # (T,)
    if voiced.any():
        voiced &= x[:, ENERGY_DB] > np.percentile(x[voiced, ENERGY_DB], 95) - LOUD_DB
    goes_on = voiced[1:] & voiced[:-1]  # (T - 1,) from a frame to the next
    goes_on &= (np.abs(np.diff(x[:, LOG_F0])) < GLIDE) & (np.abs(np.diff(x[:, ENERGY_DB])) < SWELL_DB)
    kept = np.zeros(len(x), bool)
    for first, last in runs(goes_on):
        kept[first : last + 1] = last - first >= SHORTEST - 1
    return kept


def runs(on: np.ndarray) -> np.ndarray:
    """(K, 2): where each stretch of True in on (T,) begins, and where it has ended."""
    return np.flatnonzero(np.diff(on, prepend=False, append=False)).reshape(-1, 2)


def why_a_tone(x: np.ndarray, voice: np.ndarray) -> str:
    """Why frames x (T, D) that look voiced are no voice, in words; "" where they may be one."""
    on = voice[1:] & voice[:-1]  # (T - 1,)
    if not on.any():
        return ""
    log_f0 = x[voice, LOG_F0]
    low, high = np.percentile(log_f0, (10, 90))
    if high - low < STILL_RANGE:
        return f"its pitch stands still at {np.exp(np.median(log_f0)):.0f} Hz: a tone or a hum, not speech"
    if np.median(np.abs(np.diff(x[:, LOG_F0]))[on]) < STILL_GLIDE:
        return "its pitch moves in steps and never glides: music or tones, not speech"
    shape = x[:, ENERGY_DB + 1 : ENERGY_DB + 13]  # (T, 12)
    changes = np.median(np.linalg.norm(np.diff(shape, axis=0), axis=1)[on])
    first, *_, last = np.flatnonzero(voice)
    if changes < STILL_SPECTRUM and voice[first:last].mean() > UNBROKEN:
        return "its sound hardly changes, as no speech does: a held note, a machine or music"
    longest = FRAME_S * np.diff(runs(voice)).max()
    if longest > UNBROKEN_S:
        return f"it sounds for {longest:.1f} s without a break, as no speech does: a held note, a machine or a siren"
    return ""
