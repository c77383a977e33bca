"""The page of `inspect`: one HTML file with the sound, the numbers and plotly in it, which opens without a network.

`microscope.html` and `.css` beside this file are the page, with four scripts: `plot.js` draws a picture, `clip.js` is a sound
with its player, `side.js` a network that heard it, `microscope.js` the user's choices. This module adds the numbers.
"""

import base64
import html
import io
import json
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import soundfile as sf
from scipy.special import expit

from experiments.reports.run import footer
from experiments.voices import clip_model
from experiments.voices.clip_model import MARGIN
from experiments.voices.inside.look import HELD, SHOWN, Look, look
from experiments.voices.inside.two_looks import comparable, differ_by_row, models_apart, names_apart, one_sound
from features.frames import ENERGY_DB, RATE_HZ
from features.speech import FRAME_S
from features.whole_files import replace_file

SIDES = "AB"
ENVELOPE = 300  # points of the waveform's outline for each second
MAPS = {
    "i": "i, input gate",
    "f": "f, forget gate",
    "g": "g, candidate",
    "o": "o, output gate",
    "c": "c, cell",
    "h": "h, output",
}
MFCC = slice(ENERGY_DB + 1, ENERGY_DB + 21)  # of a frame's columns


def write(
    out: Path, clips: Sequence[Path], models: Sequence[Path], start_s: float, seconds: float, force: bool = False,
    stage: Callable[[str], Callable[[int, int], None]] = lambda title: lambda done, total: None,
) -> list[tuple[str, Look]]:  # fmt: skip
    """Write the page of one recording, of two, or of one recording and two models; returns each side's name and look.

    stage(title) returns the progress of one side. Raises ValueError for other numbers of recordings and models; before
    anything is computed, OSError for a place that cannot be written, and ModuleNotFoundError without plotly.
    """
    if (len(clips), len(models)) not in ((1, 1), (2, 1), (1, 2)):
        count = f"{len(clips)} recording{'s' * (len(clips) != 1)} and {len(models)} model{'s' * (len(models) != 1)}"
        raise ValueError(
            "give one recording, two recordings to compare, or one recording and two models with --model: got " + count
        )
    plotly()
    check_place(out, force)
    networks = [clip_model.load(path) for path in models]
    names = models_apart(models) if len(models) > 1 else names_apart(clips)
    sides = zip(names, ((clip, network) for clip in clips for network in networks), strict=True)
    looks = [look(*side, start_s, seconds, stage(f"{name}: changing one thing at a time")) for name, side in sides]
    out.parent.mkdir(parents=True, exist_ok=True)
    replace_file(out, page(*looks, names=names))
    return list(zip(names, looks, strict=True))


def check_place(out: Path, force: bool) -> None:
    """Raise an OSError, with what to do, if the page could not be written to `out`."""
    if out.is_dir():
        raise IsADirectoryError(
            f"{out} is a folder: name a file for the page with --out, such as {out / 'inspect.html'}"
        )
    if out.exists() and not force:
        raise FileExistsError(f"{out} is there already: choose another --out, or replace it with --force")
    folder = next(place for place in out.absolute().parents if place.exists())  # the others will be made in it
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file, so {out} cannot be in it: choose another --out")
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise type(error)(f"{folder} cannot be written to ({error.strerror}): choose another --out") from None


def page(*looks: Look, names: Sequence[str] = ()) -> str:
    """The text of the page, of one look or of two side by side; names: of the sides, by default the files'.

    ModuleNotFoundError, with what to install, without plotly.
    """
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
    return assembled(
        "microscope.html", ("plot", "clip", "side", "microscope"), data(looks, names), "inspect",
        TITLE=html.escape(_title(looks, names)), ANSWERS="\n".join([*answers, note]), SOUNDS="\n".join(sounds),
    )  # fmt: skip


def assembled(template: str, scripts: Sequence[str], data: dict[str, Any], command: str, **parts: str) -> str:
    """The page `template` beside this file, with every @@NAME@@ in it replaced: by a part, the style, scripts or data.

    @@f: note@@ becomes the map of the gate f, with what to look for.
    """
    parts |= {
        "FOOTER": html.escape(footer(f"lstm-engine {command}")),
        "CSS": beside("microscope.css"),
        "DATA": json.dumps(data, separators=(",", ":")).replace("<", "\\u003c").replace("&", "\\u0026"),
        "JS": "".join(beside(f"{name}.js") for name in scripts),
        "PLOTLY": plotly(command),
    }
    pieces = beside(template).split("@@")  # text, NAME, text, ...
    for n, name in enumerate(pieces[1::2]):
        pieces[2 * n + 1] = parts[name] if name in parts else _map(*name.split(": ", 1))
    return "".join(pieces)


def _map(name: str, note: str) -> str:
    return f'''<section class="maps"><h3>{MAPS[name]} <span id="scale-{name}" class="scale"></span></h3>
 <p class="value-note">{note}</p>
 <div class="plots" data-plot="map-{name}" data-label="{MAPS[name]} of every unit over time"></div></section>'''


def _title(looks: Sequence[Look], names: Sequence[str]) -> str:
    heard = " and ".join(names if len(_clips(looks)) > 1 else names_apart([looks[0].heard.file]))
    networks = len({id(look.model) for look in looks})
    return f"Inside {'two networks while they hear' if networks > 1 else 'the network while it hears'} {heard}"


def _answer(look: Look, name: str) -> str:
    """A paragraph with the side's name, the answer for the clip, and how much of it has a pitch."""
    j = look.judgement
    why = f" {j.why[:1].upper()}{j.why[1:]}." if j.label == "uncertain" else ""
    male = round(j.probability or 0.0, 3)  # never None: a clip with speech has a probability
    answer = f"{j.label}: the probability of male is {male:.3f}, of female {1 - male:.3f}."
    facts = f"{look.heard.extent}, of which {j.voice_s:.1f} s have a pitch, with a median of {j.f0_hz:.0f} Hz.{why}"
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


def packed(a: np.ndarray) -> dict[str, Any]:
    """An array for the page, as float32 unless it is uint8."""
    a = a if a.dtype == np.uint8 else a.astype("<f4")
    return {"shape": a.shape, "type": a.dtype.name, "base64": base64.b64encode(a.tobytes()).decode()}


def plotly(command: str = "inspect") -> str:
    """The source of plotly.js. ModuleNotFoundError, which names the command, if plotly is not installed."""
    try:
        from plotly.offline import get_plotlyjs
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f'{command} draws with plotly, which is not installed: pip install plotly (it is in the extra "lessons" too)'
        ) from None
    return get_plotlyjs()


def wav(sound: np.ndarray) -> bytes:
    """A mono WAV file of samples at RATE_HZ."""
    buffer = io.BytesIO()
    sf.write(buffer, np.clip(sound, -1, 1), RATE_HZ, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def beside(name: str) -> str:
    """The text of a file beside this module."""
    return resources.files("experiments.voices.inside").joinpath(name).read_text(encoding="utf-8")
