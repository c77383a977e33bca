"""The microscope's page: one HTML file with the sound, the numbers and plotly in it, that opens from disk without a network.

`microscope.html` and `.css` beside this file are the page, and four scripts: `plot.js` a picture, `clip.js` a sound with its
player, `side.js` a network that heard it, `microscope.js` what is chosen. Here the numbers are put into it.
"""

import base64
import html
import io
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

import numpy as np
import soundfile as sf

from experiments.reports.run import footer
from experiments.voices.clip_model import MARGIN
from experiments.voices.inside.look import HELD, SHOWN, Look
from experiments.voices.inside.two_looks import comparable, differ_by_row, names_apart, one_sound
from features.frames import ENERGY_DB, RATE_HZ
from features.speech import FRAME_S

SIDES = "AB"
ENVELOPE = 300  # points of the waveform's outline, a second
MFCC = slice(ENERGY_DB + 1, ENERGY_DB + 21)  # of a frame's columns


def page(*looks: Look, names: Sequence[str] = ()) -> str:
    """The whole page, of one look or of two beside each other; names tell two apart, the files' unless given.

    ModuleNotFoundError, with what to install, without plotly.
    """
    names, several = names or names_apart([look.file for look in looks]), len(looks) > 1
    answers = [
        _answer(look, f"{letter}  {name}" if several else "")
        for letter, name, look in zip(SIDES, names, looks, strict=False)
    ]
    note = f"<p>{html.escape(comparable(*looks))}</p>" if several else ""
    sounds = [
        f'<audio id="sound-{letter}" src="data:audio/wav;base64,{base64.b64encode(wav(look.sound)).decode()}"></audio>'
        for letter, look in zip(SIDES, _clips(looks), strict=False)
    ]
    parts = {
        "TITLE": html.escape(_title(looks, names)),
        "ANSWERS": "\n".join([*answers, note]),
        "FOOTER": html.escape(footer("lstm-engine inspect")),
        "SOUNDS": "\n".join(sounds),
        "CSS": beside("microscope.css"),
        "DATA": json.dumps(data(looks, names), separators=(",", ":")).replace("<", "\\u003c").replace("&", "\\u0026"),
        "JS": "".join(beside(f"{name}.js") for name in ("plot", "clip", "side", "microscope")),
        "PLOTLY": plotly(),
    }
    return filled("microscope.html", parts)


def filled(name: str, parts: dict[str, str]) -> str:
    """The page of that name beside this file, each @@NAME@@ in it replaced by the part of that name."""
    pieces = beside(name).split("@@")  # text, NAME, text, ...
    return "".join(parts[piece] if n % 2 else piece for n, piece in enumerate(pieces))


def _title(looks: Sequence[Look], names: Sequence[str]) -> str:
    heard = " and ".join(names if len(_clips(looks)) > 1 else names_apart([looks[0].file]))
    networks = len({id(look.model) for look in looks})
    return f"Inside {'two networks while they hear' if networks > 1 else 'the network while it hears'} {heard}"


def _answer(look: Look, name: str) -> str:
    """What was said of the clip, and how much of it there was: a paragraph that begins with the side's name."""
    j = look.judgement
    whole = j.seconds > look.whole_s - FRAME_S
    part = (
        f"{j.seconds:.1f} s"
        if whole
        else f"{look.start_s:g} to {look.start_s + j.seconds:.1f} s of {look.whole_s:.1f} s"
    )
    why = f" {j.why[:1].upper()}{j.why[1:]}." if j.label == "uncertain" else ""
    male = round(j.probability or 0.0, 3)  # a look has one always
    answer = f"{j.label}: the probability of male is {male:.3f}, of female {1 - male:.3f}."
    facts = f"{part}, of it {j.voice_s:.1f} s with a pitch, the median {j.f0_hz:.0f} Hz.{why}"
    side = f'<span class="side-name">{html.escape(name)}</span><br>' if name else ""
    return f'<p class="lead">{side}<strong>{html.escape(answer)}</strong> {html.escape(facts)}</p>'


def _clips(looks: Sequence[Look]) -> list[Look]:
    """One look for each sound: two networks that hear one clip share its player."""
    return [look for k, look in enumerate(looks) if not any(one_sound(look, before) for before in looks[:k])]


def data(looks: Sequence[Look], names: Sequence[str]) -> dict[str, Any]:
    """What the page's script reads: numbers as they are, arrays as {"shape", "type", "base64"} in little-endian order.

    clips: the sounds, each with a player. sides: what a network did with one, its clip by number.
    """
    clips = _clips(looks)
    return {
        "frame_s": FRAME_S,
        "margin_s": MARGIN * FRAME_S,
        "held": {gate: [f"{v:g}" for v in values] for gate, values in HELD.items()},
        "one_sound": len(looks) > len(clips),
        "differences": len(looks) > 1 and differ_by_row(*looks),
        "clips": [{"seconds": look.judgement.seconds, "frames": len(look.frames)} for look in clips],
        "sides": [
            {"name": name, "clip": next(k for k, clip in enumerate(clips) if one_sound(clip, look)), **_numbers(look)}
            for name, look in zip(names, looks, strict=True)
        ],
    }


def _numbers(look: Look) -> dict[str, Any]:
    x = look.frames
    mfcc = x[:, MFCC]
    low, high = outline(look.sound)
    arrays = {
        "low": low,
        "high": high,
        "f0": look.judgement.f0,
        "energy": x[:, ENERGY_DB],
        "mfcc": ((mfcc - mfcc.mean(axis=0)) / np.maximum(mfcc.std(axis=0), 1e-6)).T,  # (20, S)
        "p": look.p,
        "so_far": look.so_far,
        "rests": _shares(look.rests / np.maximum(look.rests.max(axis=1, keepdims=True), 1e-30)),
        "what_if": _shares(np.stack([w.p for w in look.what_if])),
    }
    for way, own in look.directions.items():
        for name in SHOWN:
            arrays[f"{way}/value/{name}"] = own.values[name].T  # (H, T): a row is what is drawn as a row
            arrays[f"{way}/gradient/{name}"] = own.gradients[name].T
        for name in ("half_life", "low", "high", "ablation", "by_gradient", "memory", "by_lag"):
            arrays[f"{way}/{name}"] = getattr(own, name)
    return {
        "first": look.first,
        "probability": look.judgement.probability,
        "what_if": {w.name: w.probability for w in look.what_if},
        "arrays": {name: packed(a) for name, a in arrays.items()},
    }


def outline(sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(K,) twice: the lowest and the highest sample of each of K stretches of the sound, to draw."""
    stretches = np.array_split(sound, max(1, ENVELOPE * len(sound) // RATE_HZ))
    return np.array([part.min() for part in stretches]), np.array([part.max() for part in stretches])


def _shares(a: np.ndarray) -> np.ndarray:
    """0 to 1 in 255ths, less than a pixel of what is drawn of it."""
    return np.rint(255 * a).astype(np.uint8)


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
    return resources.files("experiments.voices.inside").joinpath(name).read_text(encoding="utf-8")
