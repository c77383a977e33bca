"""What a model says of a recording that nobody has checked, and when it says nothing: no speech, too little, not sure.

For `predict` and `record`. A recording is judged in stretches of half a minute, so that an hour needs no more memory. Of each
only the part in which somebody speaks goes into the network, so that silence around a voice does not change the answer.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from experiments.voices.clip_model import ClipModel, spoken
from features.audio import BadClip, Reason, check_samples, read_stretches
from features.frames import ENERGY_DB, LOG_F0, SILENCE
from features.recipes import Recipe, recipe_from
from features.speech import ENOUGH_S, FRAME_S, LEAST_S, find_speech

STRETCH_S = 30.0  # the network has learnt from readings of up to 17 s


@dataclass(frozen=True)
class Judgement:
    """The answer for one recording, `why` in words, and what it rests on.

    label: "male", "female", "uncertain" or "no speech"; probability: of male, after the model's temperature, None for no
    speech. seconds: of the recording; voice_s: in which somebody speaks; f0_hz: the median over those, None without.
    By frame, (T,) each, one every 20 ms: time in s; f0 in Hz, NaN where nobody speaks; p of male, NaN where the network
    was not asked; energy, root mean square in dB of full scale.
    """

    label: str
    probability: float | None
    why: str
    seconds: float
    voice_s: float
    f0_hz: float | None
    time: np.ndarray
    f0: np.ndarray
    p: np.ndarray
    energy: np.ndarray

    def as_lists(self) -> dict[str, list[float]]:
        """The frames for JSON, with as many digits as mean something."""
        values = {
            "time_s": (self.time, 2),
            "f0_hz": (self.f0, 1),
            "probability": (self.p, 4),
            "energy_db": (self.energy, 1),
        }
        return {name: np.round(own, digits).tolist() for name, (own, digits) in values.items()}

    def thinned(self, most: int) -> "Judgement":
        """The same with at most so many frames, to draw: of several the median F0, the mean p and the highest energy."""
        several = -(-len(self.time) // most)
        frames = pd.DataFrame({name: getattr(self, name) for name in ("time", "f0", "p", "energy")})
        ways = {"time": "first", "f0": "median", "p": "mean", "energy": "max"}
        fewer = frames.groupby(np.arange(len(frames)) // several).agg(ways)
        return replace(self, **{name: fewer[name].to_numpy() for name in ways})


def judge(samples: np.ndarray, rate: int, model: ClipModel, name: str | Path = "the recording") -> Judgement:
    """What the model says of samples (n,) or (n, channels) at `rate` Hz, full scale 1.0. BadClip where they are no sound."""
    n = round(STRETCH_S * rate)
    starts = range(0, max(len(samples) - n // 2, 1), n)  # a rest of less than half a stretch goes with the one before
    stops = [*starts[1:], len(samples)]
    stretches = (samples[start:stop] for start, stop in zip(starts, stops, strict=True))
    return judge_stretches(((stretch, rate) for stretch in stretches), model, name)


def judge_file(path: str | Path, model: ClipModel) -> Judgement:
    """What the model says of a recording of any length. BadClip where it cannot be read."""
    return judge_stretches(read_stretches(path, STRETCH_S), model, path)


def judge_stretches(stretches: Iterable[tuple[np.ndarray, int]], model: ClipModel, name: str | Path) -> Judgement:
    """The one answer for a recording that comes as (channels (n, c), rate in Hz), one stretch after the other."""
    stored = model.network.metadata
    recipe = recipe_from(stored["recipe"], "the model")
    judged, seconds = [], 0.0
    for channels, rate in stretches:
        judged.append(_Stretch.of(channels, rate, recipe, model, name))
        seconds += len(channels) / rate
    f0, z, energy = (np.concatenate([getattr(s, field) for s in judged]) for field in ("f0", "z", "energy"))  # (T,)
    z = z / stored["temperature"]
    voice_s = float(np.sum(~np.isnan(f0)) * FRAME_S)
    p = float(expit(np.nanmean(z))) if voice_s >= LEAST_S else None
    label, why = _answer(p, voice_s, stored) if p is not None else ("no speech", _why_none(judged))
    return Judgement(
        label=label,
        probability=p,
        why=why,
        seconds=seconds,
        voice_s=voice_s,
        f0_hz=float(np.nanmedian(f0)) if voice_s else None,
        time=np.arange(len(f0)) * FRAME_S,
        f0=f0,
        p=expit(z) if p is not None else np.full(len(z), np.nan),
        energy=energy,
    )


@dataclass(frozen=True)
class _Stretch:
    """f0 (T,) in Hz, NaN without a voice; z (T,) log-odds of male, NaN where nobody was asked; why there is no voice."""

    f0: np.ndarray
    z: np.ndarray
    energy: np.ndarray
    why: str

    @classmethod
    def of(cls, channels: np.ndarray, rate: int, recipe: Recipe, model: ClipModel, name: str | Path) -> "_Stretch":
        try:
            x = recipe.measure(check_samples(channels, rate, name), rate)  # (T, D)
        except BadClip as bad:
            if bad.reason != Reason.SILENT:
                raise
            nothing = np.full(1 + int(len(channels) / rate / FRAME_S), np.nan)
            return cls(nothing, nothing, np.full(len(nothing), 20 * np.log10(SILENCE)), bad.detail)
        speech = find_speech(x)
        z = np.full(len(x), np.nan)
        if speech.voice.any():
            part = spoken(speech.voice)
            z[part] = model.frame_log_odds(x[part])  # one answer for all where only the last states give one
        return cls(np.where(speech.voice, np.exp(x[:, LOG_F0]), np.nan), z, x[:, ENERGY_DB], speech.tone)


def _answer(p: float, voice_s: float, stored: dict[str, Any]) -> tuple[str, str]:
    """The label for a probability of male, and why; stored is the model's metadata."""
    label = stored["labels"]["1" if p > 0.5 else "0"]
    sure = np.floor(100 * max(p, 1 - p)) / 100  # cut, not rounded: .796 is no .80, and nothing is 1.00
    if voice_s < ENOUGH_S:
        return "uncertain", f"only {voice_s:.2f} s of voice, and {ENOUGH_S} s are needed: speak for a few seconds"
    if max(p, 1 - p) < stored["uncertain"]:
        return "uncertain", f"probability {sure:.2f} for {label}, and an answer needs {stored['uncertain']:.2f}"
    return label, f"probability {sure:.2f}"


def _why_none(judged: list[_Stretch]) -> str:
    """What to say of a recording in which nobody speaks: the first reason that a stretch has."""
    own = next((stretch.why for stretch in judged if stretch.why), "")
    return own or "no voice in it: noise, clicks, or a whisper, which has no pitch"
