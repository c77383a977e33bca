"""The microscope's page: one HTML file with the sound, the numbers and plotly in it, that opens from disk without a network.

`microscope.html`, `.css` and `.js` beside this file are the page; here the numbers are put into it.
"""

import base64
import html
import io
import json
from importlib import resources
from typing import Any

import numpy as np
import soundfile as sf

from experiments.microscope.looking import HELD, SHOWN, Look
from experiments.runs import footer
from features.frames import ENERGY_DB, RATE_HZ
from features.speech import FRAME_S

ENVELOPE = 1_500  # points of the waveform's outline


def page(look: Look) -> str:
    """The whole page. ModuleNotFoundError, with what to install, without plotly."""
    j = look.judgement
    answer = f"{j.label}: the probability of male is {_digits(j.probability)}"
    whole = j.seconds > look.whole_s - FRAME_S
    part = (
        f"{j.seconds:.1f} s"
        if whole
        else f"{look.start_s:g} to {look.start_s + j.seconds:.1f} s of {look.whole_s:.1f} s"
    )
    why = f" {j.why}." if j.label == "uncertain" else ""
    facts = f"{part}, of it {j.voice_s:.1f} s with a pitch, the median {j.f0_hz:.0f} Hz.{why}"
    parts = {
        "NAME": html.escape(look.file.replace("\\", "/").rpartition("/")[2]),
        "ANSWER": html.escape(answer),
        "FACTS": html.escape(facts),
        "FOOTER": html.escape(footer("lstm-engine inspect")),
        "SOUND": base64.b64encode(wav(look.sound)).decode(),
        "CSS": beside("microscope.css"),
        "DATA": json.dumps(data(look), separators=(",", ":")).replace("<", "\\u003c"),
        "JS": beside("microscope.js"),
        "PLOTLY": plotly(),
    }
    return filled("microscope.html", parts)


def filled(name: str, parts: dict[str, str]) -> str:
    """The page of that name beside this file, each @@NAME@@ in it replaced by the part of that name."""
    pieces = beside(name).split("@@")  # text, NAME, text, ...
    return "".join(parts[piece] if n % 2 else piece for n, piece in enumerate(pieces))


def data(look: Look) -> dict[str, Any]:
    """What the page's script reads: numbers as they are, arrays as {"shape", "type", "base64"} in little-endian order."""
    x = look.frames
    mfcc = x[:, ENERGY_DB + 1 :]
    low, high = outline(look.sound)
    arrays = {
        "low": low,
        "high": high,
        "f0": look.judgement.f0,
        "energy": x[:, ENERGY_DB],
        "mfcc": ((mfcc - mfcc.mean(axis=0)) / np.maximum(mfcc.std(axis=0), 1e-6)).T,  # (20, S)
        "p": look.p,
        "so_far": look.so_far,
        "rests": np.rint(255 * look.rests / np.maximum(look.rests.max(axis=1, keepdims=True), 1e-30)).astype(np.uint8),
        "what_if": np.stack([w.p for w in look.what_if]),
    }
    for way, own in look.directions.items():
        for name in SHOWN:
            arrays[f"{way}/value/{name}"] = own.values[name].T  # (H, T): a row is what is drawn as a row
            arrays[f"{way}/gradient/{name}"] = own.gradients[name].T
        for name in ("half_life", "low", "high", "ablation", "by_gradient", "memory"):
            arrays[f"{way}/{name}"] = getattr(own, name)
    return {
        "frame_s": FRAME_S,
        "seconds": look.judgement.seconds,
        "frames": len(x),
        "first": look.first,
        "probability": look.judgement.probability,
        "what_if": {w.name: w.probability for w in look.what_if},
        "held": {gate: [f"{v:g}" for v in values] for gate, values in HELD.items()},
        "arrays": {name: packed(a) for name, a in arrays.items()},
    }


def outline(sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(K,) twice: the lowest and the highest sample of each of K stretches of the sound, to draw."""
    stretches = np.array_split(sound, min(ENVELOPE, len(sound)))
    return np.array([part.min() for part in stretches]), np.array([part.max() for part in stretches])


def packed(a: np.ndarray) -> dict[str, Any]:
    """An array for the page: float32, or uint8 where it is that already."""
    kind = "uint8" if a.dtype == np.uint8 else "float32"
    values = np.ascontiguousarray(a, "<f4" if kind == "float32" else "u1")
    return {"shape": a.shape, "type": kind, "base64": base64.b64encode(values.tobytes()).decode()}


def plotly(command: str = "inspect") -> str:
    """The drawing library itself. ModuleNotFoundError, which names the command, without it."""
    try:
        from plotly.offline import get_plotlyjs
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f'{command} draws with plotly, which is not installed: pip install plotly (it is in the extra "lessons" too)'
        ) from None
    return get_plotlyjs()


def wav(sound: np.ndarray) -> bytes:
    """A mono WAV of samples at RATE_HZ."""
    buffer = io.BytesIO()
    sf.write(buffer, np.clip(sound, -1, 1), RATE_HZ, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def beside(name: str) -> str:
    """The file of that name beside this one."""
    return resources.files("experiments.microscope").joinpath(name).read_text(encoding="utf-8")


def _digits(p: float | None) -> str:
    return "unknown" if p is None else f"{p:.3f}"
