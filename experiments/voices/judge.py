"""The answer for a recording that nobody has checked: male, female, more than one voice, uncertain, or no speech.

For `predict` and `record`. A recording is judged in stretches of half a minute, so that memory does not grow with its length.
Of each stretch only the parts with speech go into the network, so that silence around a voice does not change the answer.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from experiments.voices import changes
from experiments.voices.changes import Part, Segment
from experiments.voices.clip_model import ClipModel, utterances
from features.audio import BadClip, Reason, check_samples, read_stretches
from features.frames import ENERGY_DB, LOG_F0, SILENCE
from features.recipes import Recipe
from features.speech import ENOUGH_S, FRAME_S, LEAST_S, find_speech

STRETCH_S = 30.0  # the network was trained on recordings of up to 17 s
NO_VOICE = "no voice in it: noise, clicks, or a whisper, which has no pitch"


@dataclass(frozen=True)
class Judgement:
    """The answer for one recording, the reason `why` in words, and the numbers behind it.

    label: "male", "female", "more than one voice", "uncertain" or "no speech". probability: of male, after the model's
    temperature, over all frames; None if no speech. seconds: of the recording; voice_s: of them voiced; f0_hz: median over
    the voiced frames, None without any. parts: the stretches of more than one voice, else none.
    Frame by frame, one every 20 ms, (T,) each: time in s; f0 in Hz, NaN where unvoiced; p, the probability of male, NaN
    outside the network's input; energy, root mean square in dB of full scale.
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
    parts: tuple[Part, ...] = ()

    def as_lists(self) -> dict[str, list[float]]:
        """The frames for JSON, rounded to the digits that mean something."""
        frames = {
            "time_s": (self.time, 2),
            "f0_hz": (self.f0, 1),
            "probability": (self.p, 4),
            "energy_db": (self.energy, 1),
        }
        return {name: values.round(digits).tolist() for name, (values, digits) in frames.items()}

    def thinned(self, most: int) -> "Judgement":
        """The same with at most `most` frames, to draw: of several, the median F0, the mean p and the highest energy."""
        import pandas as pd  # slow to import, and only pictures need it

        several = -(-len(self.time) // most)
        ways = {"time": "first", "f0": "median", "p": "mean", "energy": "max"}
        frames = pd.DataFrame({name: getattr(self, name) for name in ways})
        fewer = frames.groupby(np.arange(len(frames)) // several).agg(ways)
        return replace(self, **{name: fewer[name].to_numpy() for name in ways})


def judge(samples: np.ndarray, rate: int, model: ClipModel, name: str | Path = "the recording") -> Judgement:
    """The answer for samples (n,) or (n, channels) at `rate` Hz, full scale 1.0. BadClip if they are no sound."""
    n = round(STRETCH_S * rate)
    starts = range(0, max(len(samples) - n // 2, 1), n)  # a rest of less than half a stretch joins the one before
    stops = [*starts[1:], len(samples)]
    stretches = (samples[start:stop] for start, stop in zip(starts, stops, strict=True))
    return judge_stretches(((stretch, rate) for stretch in stretches), model, name)


def judge_file(path: str | Path, model: ClipModel) -> Judgement:
    """The answer for a recording of any length. BadClip if it cannot be read."""
    return judge_stretches(read_stretches(path, STRETCH_S), model, path)


def judge_stretches(stretches: Iterable[tuple[np.ndarray, int]], model: ClipModel, name: str | Path) -> Judgement:
    """One answer for a recording that comes in stretches (channels (n, c), rate in Hz), one after the other."""
    recipe, seconds = model.recipe, 0.0
    measured, reasons, segments = [], [], []
    for channels, rate in stretches:
        stretch, reason, found = _judge_stretch(channels, rate, recipe, model, name)
        segments += [segment.later(sum(part.shape[1] for part in measured)) for segment in found]
        measured.append(stretch)
        reasons.append(reason)
        seconds += len(channels) / rate
    f0, z, energy = np.concatenate(measured, axis=1)  # (T,) each
    z = z / model.temperature
    voice_s = float(np.sum(~np.isnan(f0)) * FRAME_S)
    p = float(expit(np.nanmean(z))) if voice_s >= LEAST_S else None
    stored = model.network.metadata
    voices = changes.parts(segments, seconds, stored["labels"])
    if p is None:
        label, why = "no speech", next(filter(None, reasons), NO_VOICE)
    elif voices:
        label, why = changes.SEVERAL, changes.words(voices)
    else:
        label, why = _label(p, voice_s, stored)
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
        parts=voices,
    )


def _judge_stretch(
    channels: np.ndarray, rate: int, recipe: Recipe, model: ClipModel, name: str | Path
) -> tuple[np.ndarray, str, list[Segment]]:
    """(3, T): F0 in Hz, NaN where unvoiced; log-odds, NaN outside the network's input; energy. And why there is no voice, and
    the segments between possible changes of the voice.
    """
    try:
        x = recipe.measure(check_samples(channels, rate, name), rate)  # (T, D)
    except BadClip as bad:
        if bad.reason != Reason.SILENT:
            raise
        silent = np.array([[np.nan], [np.nan], [20 * np.log10(SILENCE)]])
        return silent.repeat(1 + int(len(channels) / rate / FRAME_S), axis=1), bad.detail, []
    speech = find_speech(x, recipe.parameters["pitch"])
    z = np.full(len(x), np.nan)
    if speech.voice.any():
        parts = utterances(speech.voice)
        for part, answers in zip(parts, model.all_frames([x[part] for part in parts]), strict=True):
            z[part] = answers  # one number for all frames if only the last states answer
    f0 = np.where(speech.voice, np.exp(x[:, LOG_F0]), np.nan)
    return np.stack([f0, z, x[:, ENERGY_DB]]), speech.tone, changes.segments(model, x, speech.voice)


def _label(p: float, voice_s: float, stored: dict[str, Any]) -> tuple[str, str]:
    """The label for a probability of male, and why; stored: the model's metadata."""
    label = stored["labels"]["1" if p > 0.5 else "0"]
    sure = changes.sureness(p)
    if voice_s < ENOUGH_S:
        return "uncertain", f"only {voice_s:.2f} s of voice, and {ENOUGH_S} s are needed: speak for a few seconds"
    if max(p, 1 - p) < stored["uncertain"]:
        return "uncertain", f"probability {sure} for {label}, and an answer needs {stored['uncertain']:.2f}"
    return label, f"probability {sure}"
