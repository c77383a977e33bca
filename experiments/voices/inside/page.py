"""The page of `inspect` for voices: one HTML file with the sound and the numbers in it, which opens without a network.

`microscope.html` beside this file is the page, on the parts that every microscope shares (`experiments/microscope`), with
three scripts: `clip.js` is a sound with its player, `side.js` a network that heard it, `microscope.js` the user's choices.
"""

import base64
import html
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
from scipy.special import expit

from experiments.microscope.assembling import assembled, beside, check_place, packed
from experiments.microscope.cell import cell_script
from experiments.voices import clip_model
from experiments.voices.changes import SEVERAL
from experiments.voices.clip_model import MARGIN
from experiments.voices.inside.look import HELD, SHOWN, Look, look
from experiments.voices.inside.two_looks import comparable, differ_by_row, models_apart, names_apart, one_sound
from features.frames import ENERGY_DB, RATE_HZ
from features.speech import FRAME_S
from features.whole_files import replace_file

PACKAGE = "experiments.voices.inside"
SIDES = "AB"
ENVELOPE = 300  # points of the waveform's outline for each second
MFCC = slice(ENERGY_DB + 1, ENERGY_DB + 21)  # of a frame's columns


def write(
    out: Path, clips: Sequence[Path], models: Sequence[Path], start_s: float, seconds: float, force: bool = False,
    stage: Callable[[str], Callable[[int, int], None]] = lambda title: lambda done, total: None,
) -> list[tuple[str, Look]]:  # fmt: skip
    """Write the page of one recording, of two, or of one recording and two models; returns each side's name and look.

    stage(title) returns the progress of one side. Raises ValueError for other numbers of recordings and models; before
    anything is computed, OSError for a place that cannot be written.
    """
    if (len(clips), len(models)) not in ((1, 1), (2, 1), (1, 2)):
        count = f"{len(clips)} recording{'s' * (len(clips) != 1)} and {len(models)} model{'s' * (len(models) != 1)}"
        raise ValueError(
            "give one recording, two recordings to compare, or one recording and two models with --model: got " + count
        )
    check_place(out, force)
    networks = [clip_model.load(path) for path in models]
    names = models_apart(models) if len(models) > 1 else names_apart(clips)
    sides = zip(names, ((clip, network) for clip in clips for network in networks), strict=True)
    looks = [look(*side, start_s, seconds, stage(f"{name}: changing one thing at a time")) for name, side in sides]
    out.parent.mkdir(parents=True, exist_ok=True)
    replace_file(out, page(*looks, names=names))
    return list(zip(names, looks, strict=True))


def page(*looks: Look, names: Sequence[str] = ()) -> str:
    """The text of the page, of one look or of two side by side; names: of the sides, by default the files'."""
    names, several = names or names_apart([look.heard.file for look in looks]), len(looks) > 1
    answers = [
        _answer(look, f"{letter}  {name}" if several else "")
        for letter, name, look in zip(SIDES, names, looks, strict=False)
    ]
    note = f"<p>{html.escape(comparable(*looks))}</p>" if several else ""
    sounds = [
        f'<audio id="sound-{letter}" src="data:audio/wav;base64,'
        f'{base64.b64encode(wav(look.heard.sound)).decode()}"></audio>'
        for letter, look in zip(SIDES, _clips(looks), strict=False)
    ]
    scripts = [cell_script("lstm"), *(text_of(f"{name}.js") for name in ("clip", "side", "microscope"))]
    return assembled(
        text_of("microscope.html"), scripts, data(looks, names), "lstm-engine inspect",
        TITLE=html.escape(_title(looks, names)), ANSWERS="\n".join([*answers, note]), SOUNDS="\n".join(sounds),
    )  # fmt: skip


def _title(looks: Sequence[Look], names: Sequence[str]) -> str:
    heard = " and ".join(names if len(_clips(looks)) > 1 else names_apart([looks[0].heard.file]))
    networks = len({id(look.model) for look in looks})
    return f"Inside {'two networks while they hear' if networks > 1 else 'the network while it hears'} {heard}"


def _answer(look: Look, name: str) -> str:
    """A paragraph with the side's name, the answer for the clip, and how much of it has a pitch."""
    j = look.judgement
    why = f" {j.why[:1].upper()}{j.why[1:]}." if j.label in ("uncertain", SEVERAL) else ""
    male = round(j.probability or 0.0, 3)  # never None: a clip with speech has a probability
    answer = f"{j.label}: the probability of male is {male:.3f}, of female {1 - male:.3f}."
    facts = f"{look.heard.extent}, of which {j.voice_s:.1f}\u00a0s have a pitch, with a median of {j.f0_hz:.0f}\u00a0Hz.{why}"
    side = f'<span class="side-name">{html.escape(name)}</span><br>' if name else ""
    return f'<p class="lead">{side}<strong>{html.escape(answer)}</strong> {html.escape(facts)}</p>'


def _clips(looks: Sequence[Look]) -> list[Look]:
    """One look for each sound: two networks on one clip share its player."""
    return [look for k, look in enumerate(looks) if not any(one_sound(look, before) for before in looks[:k])]


def data(looks: Sequence[Look], names: Sequence[str]) -> dict[str, Any]:
    """The data of the page's script: numbers, and arrays as {"shape", "type", "base64"} in little-endian order.

    clips: the sounds, each with a player. sides: a network's numbers, with the number of the clip that it heard.
    """
    clips = _clips(looks)
    return {
        "frame_s": FRAME_S,
        "margin_s": MARGIN * FRAME_S,
        "held": {gate: [f"{v:g}" for v in values] for gate, values in HELD.items()},
        "one_sound": len(looks) > len(clips),
        "differences": len(looks) > 1 and differ_by_row(*looks),
        "clips": [{"seconds": look.judgement.seconds, "frames": len(look.heard.frames)} for look in clips],
        "sides": [
            {"name": name, "clip": next(k for k, clip in enumerate(clips) if one_sound(clip, look)), **_numbers(look)}
            for name, look in zip(names, looks, strict=True)
        ],
    }


def _numbers(look: Look) -> dict[str, Any]:
    x = look.heard.frames
    mfcc = x[:, MFCC]
    low, high = outline(look.heard.sound)
    arrays = {
        "low": low,
        "high": high,
        "f0": look.judgement.f0,
        "energy": x[:, ENERGY_DB],
        "mfcc": ((mfcc - mfcc.mean(axis=0)) / np.maximum(mfcc.std(axis=0), 1e-6)).T,  # (20, S)
        "p": look.p,
        "so_far": look.so_far,
        "rests": _shares(look.rests / np.maximum(look.rests.max(axis=1, keepdims=True), 1e-30)),
        "what_if": _shares(expit(list(look.what_if.values()))),
    }
    for way, direction in look.directions.items():
        for name in SHOWN:
            arrays[f"{way}/value/{name}"] = direction.values[name].T  # (H, T), as it is drawn
            arrays[f"{way}/gradient/{name}"] = direction.gradients[name].T
        for name in ("half_life", "low", "high", "ablation", "by_gradient", "memory", "by_lag"):
            arrays[f"{way}/{name}"] = getattr(direction, name)
    return {
        "first": look.heard.part.start,
        "probability": look.judgement.probability,
        "what_if": {name: float(expit(z.mean())) for name, z in look.what_if.items()},
        "arrays": {name: packed(a) for name, a in arrays.items()},
    }


def outline(sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(K,) twice: the lowest and the highest sample in each of K equal parts of the sound."""
    stretches = np.array_split(sound, max(1, ENVELOPE * len(sound) // RATE_HZ))
    return np.array([part.min() for part in stretches]), np.array([part.max() for part in stretches])


def _shares(a: np.ndarray) -> np.ndarray:
    """Numbers from 0 to 1 as bytes: 1/255 is less than a pixel of the pictures."""
    return np.rint(255 * a).astype(np.uint8)


def wav(sound: np.ndarray) -> bytes:
    """A mono WAV file of samples at RATE_HZ."""
    buffer = io.BytesIO()
    sf.write(buffer, np.clip(sound, -1, 1), RATE_HZ, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def text_of(name: str) -> str:
    """The text of a file beside this module."""
    return beside(PACKAGE, name)
