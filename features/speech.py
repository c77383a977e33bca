"""Find speech in a recording: in which frames somebody speaks, or the reason, in words, why a sound is not a voice.

For judging recordings that nobody has checked: silence, noise, clicks, hum and music must not be called male or female. The
rule reads the frames of the recipe `frames` and does not depend on the sex. docs/voices.md states how often the rule is right
and on which sounds its thresholds were chosen; `python -m experiments.voices.speech_detection` measures it again.
"""

from dataclasses import dataclass

import numpy as np

from features.frames import ENERGY_DB, HOP, LOG_F0, LOWEST_HZ, RATE_HZ, VOICING

FRAME_S = HOP / RATE_HZ  # 20 ms
LOUD_DB = 35.0  # a sound this much softer than the loudest voiced frames is an echo, or comes from another room
PINNED_HZ = LOWEST_HZ + 2  # a pitch at the lower end of the search range is mains hum or rumble
GLIDE, SWELL_DB = 0.12, 5.0  # from frame to frame a voice changes by at most 2 semitones (in log F0) and 5 dB
SHORTEST = 4  # frames in a row, 80 ms: a syllable's nucleus; noise, clicks and knocks look voiced for a shorter time
LEAST_S, ENOUGH_S = 0.1, 0.3  # below the first there is no voice; below the second, too little of it to judge
# A tone changes less than any voice: in log F0 over the recording, and in MFCC 1 to 12 from frame to frame.
STILL_RANGE, STILL_SPECTRUM = 0.06, 11.0
# Consonants interrupt a voice: it sounds for less than this share of the time; in 251 readings never for more than 1.6 s.
UNBROKEN, UNBROKEN_S = 0.8, 2.5


@dataclass(frozen=True)
class Rule:
    """What depends on the pitch tracker: `voiced`, the least voicing of a voiced frame, and `glide`: a voice's log F0 changes
    by more than this from frame to frame in the median, and a tone's by less.
    """

    voiced: float
    glide: float


# YIN's voicing is its periodicity: in noise at 10 dB half of a voice's frames are below 0.8; noise alone stays below 0.4.
# pYIN's is the share of its thresholds that let a period pass, 0.01 where none does: a clear voice is often below 0.1.
RULES = {"yin": Rule(0.4, 0.0012), "pyin": Rule(0.0101, 0.0012)}


@dataclass(frozen=True)
class Speech:
    """voice (T,) bool: the frames in which somebody speaks. tone: why the sound is a tone, hum or music, "" if it is not."""

    voice: np.ndarray
    tone: str = ""


def find_speech(x: np.ndarray, pitch: str) -> Speech:
    """Find the speech in frames x (T, D) of the recipe `frames`; for about a minute of sound at most.

    pitch: the tracker that measured x, "yin" or "pyin", as the recipe's parameters say.
    """
    rule = RULES[pitch]
    voice = voiced_runs(x, rule.voiced)
    # a short voice cannot change enough to be tested
    tone = why_a_tone(x, voice, rule.glide) if voice.sum() * FRAME_S >= ENOUGH_S else ""
    return Speech(voice & (not tone), tone)


def voiced_runs(x: np.ndarray, least: float) -> np.ndarray:
    """(T,) bool: voicing above `least`, loud enough, and in a run of at least SHORTEST frames of smooth pitch and level."""
    voiced = (x[:, VOICING] > least) & (x[:, LOG_F0] > np.log(PINNED_HZ))  # (T,)
    if voiced.any():
        voiced &= x[:, ENERGY_DB] > np.percentile(x[voiced, ENERGY_DB], 95) - LOUD_DB
    smooth = voiced[1:] & voiced[:-1]  # (T - 1,) from a frame to the next
    smooth &= (np.abs(np.diff(x[:, LOG_F0])) < GLIDE) & (np.abs(np.diff(x[:, ENERGY_DB])) < SWELL_DB)
    kept = np.zeros(len(x), bool)
    for first, last in runs(smooth):
        kept[first : last + 1] = last - first >= SHORTEST - 1
    return kept


def runs(on: np.ndarray) -> np.ndarray:
    """(K, 2) int: the first index of each run of True in on (T,), and the index after its last."""
    return np.flatnonzero(np.diff(on, prepend=False, append=False)).reshape(-1, 2)


def why_a_tone(x: np.ndarray, voice: np.ndarray, glide: float) -> str:
    """Why the voiced frames of x (T, D) are not a voice, in words; "" if they may be one."""
    on = voice[1:] & voice[:-1]  # (T - 1,)
    if not on.any():
        return ""
    log_f0 = x[voice, LOG_F0]
    low, high = np.percentile(log_f0, (10, 90))
    if high - low < STILL_RANGE:
        return f"its pitch stands still at {np.exp(np.median(log_f0)):.0f} Hz: a tone or a hum, not speech"
    if np.median(np.abs(np.diff(x[:, LOG_F0]))[on]) < glide:
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
