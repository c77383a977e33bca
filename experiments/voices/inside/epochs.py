"""The animation of a training: a slider over the epochs, whose networks all hear the same recording.

For the models of frames, one file an epoch, that `lstm-engine train --keep-epochs` writes. `epochs.html` and `epochs.js`
beside this file are the page; it shares its style and `drawing.js` with the page of `inspect`.
"""

import base64
import html
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from experiments.microscope import analyses
from experiments.microscope.assembling import assembled, packed
from experiments.voices import clip_model
from experiments.voices.inside.look import SHOWN, Heard
from experiments.voices.inside.page import outline, text_of, wav
from features.speech import FRAME_S

MOST_BYTES = 9_900_000  # small enough to mail; of more epochs, some are left out evenly
OTHER_BYTES = 300_000  # the page without the sound and the numbers of the epochs
UNSIGNED = ("i", "f", "o")
Seen = tuple[np.ndarray, dict[str, np.ndarray]]


def kept(folder: Path) -> dict[int, Path]:
    """The files of a training's epochs by epoch: 00.safetensors (before it), 01.safetensors, ..."""
    return {int(path.stem): path for path in sorted(folder.glob("*.safetensors")) if path.stem.isdecimal()}


def see(heard: Heard, file: Path) -> Seen:
    """What the network in a file does with the recording: log-odds of male by frame (T,), and its gates and states.

    Those by direction and name, "forward/i": i f g o c h, (T, H) float32.
    """
    model = clip_model.load(file)
    x = heard.frames[heard.part]  # (T, D)
    trace = model.network.trace(model.prepare(x)[None], dtype=model.network.dtype)
    layers = zip(("forward", "backward"), trace.layers.values(), strict=True)
    values = {f"{way}/{name}": layer[name][0] for way, layer in layers for name in SHOWN}
    return model.frame_log_odds(x) / model.temperature, values


def page(heard: Heard, folder: Path, history: pd.DataFrame) -> str:
    """The page, from the recording, the folder with the epochs' files, and the training's loss by epoch."""
    files = kept(folder)
    sound = base64.b64encode(wav(heard.sound)).decode()
    last = see(heard, files[max(files)])
    of_epoch = sum(4 * a.size / 3 for a in last[1].values())  # bytes in base64
    room = MOST_BYTES - OTHER_BYTES - len(sound)
    shown = evenly(sorted(files), max(2, int(room / of_epoch)))
    seen = [*(see(heard, files[epoch]) for epoch in shown[:-1]), last]
    numbers = data(heard, shown, seen, history)
    before, *_, after = numbers["probability"]
    facts = heard.extent
    if len(shown) < len(files):
        facts += f"; {len(shown)} of {len(files)} epochs are shown, evenly, to keep the page small"
    two_models = [word for epoch in (shown[1], shown[-1]) for word in ("--model", str(files[epoch]))]
    return assembled(
        text_of("epochs.html"), [text_of("epochs.js")], numbers, "lstm-engine train --watch",
        NAME=html.escape(heard.file.replace("\\", "/").rpartition("/")[2]),
        SOUND=sound,
        ANSWER=f"The probability of male is {after:.3f} after training and {before:.3f} before",
        FACTS=facts,
        COMPARE=html.escape(shlex.join(["lstm-engine", "inspect", heard.file, *two_models])),
    )  # fmt: skip


def evenly(epochs: list[int], most: int) -> list[int]:
    """At most `most` of the epochs, the first and the last among them."""
    return [epochs[k] for k in np.unique(np.linspace(0, len(epochs) - 1, min(most, len(epochs))).round().astype(int))]


def data(heard: Heard, shown: list[int], seen: list[Seen], history: pd.DataFrame) -> dict[str, Any]:
    """The data of the page's script. Gates and states (E, H, T) are bytes q with the value (q - zero) · unit."""
    low, high = outline(heard.sound)
    arrays = {"low": low, "high": high, "p": expit([z for z, _ in seen])}  # p (E, T)
    units: dict[str, tuple[int, float]] = {}
    for name, last in seen[-1][1].items():
        values = np.stack([of_epoch[name].T for _, of_epoch in seen])  # (E, H, T)
        way, letter = name.split("/")
        if letter == "f":
            arrays[f"{way}/half_life"] = analyses.half_life(last[None].astype(float)) * FRAME_S
        zero = 0 if letter in UNSIGNED else 127
        unit = 1 / 255 if letter in UNSIGNED else (float(np.abs(values).max()) if letter == "c" else 1.0) / 127
        units[name] = zero, unit
        arrays[name] = np.rint(values / unit + zero).astype(np.uint8)
    return {
        "frame_s": FRAME_S,
        "seconds": heard.seconds,
        "first": heard.part.start,
        "epochs": shown,
        "probability": [float(expit(z.mean())) for z, _ in seen],
        "loss": {"epoch": history.index.tolist(), "value": history["loss"].tolist()},
        "units": units,
        "arrays": {name: packed(a) for name, a in arrays.items()},
    }
