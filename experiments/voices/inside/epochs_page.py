"""The animation of a training: one HTML file in which a slider goes through the epochs, and gates and answer follow.

`epochs.html` and `epochs.js` beside this file are the page, in the microscope's look and with its pictures (`plot.js`); here
the numbers are put into it.
"""

import base64
import html
import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.microscope import analyses
from experiments.reports.run import footer
from experiments.voices.inside.epochs import EpochSeen, Heard, kept, see
from experiments.voices.inside.look import SHOWN
from experiments.voices.inside.page import beside, filled, outline, packed, plotly, wav
from features.speech import FRAME_S

MOST_BYTES = 9_900_000  # a page that a mail still takes; of more epochs those are left out that lie between others
UNSIGNED = ("i", "f", "o")


def page(heard: Heard, folder: Path, history: pd.DataFrame) -> str:
    """The page, from the recording, the folder that `KeepEpochs` filled, and the training's loss by epoch.

    ModuleNotFoundError, with what to install, without plotly.
    """
    files = kept(folder)
    parts = {
        "NAME": html.escape(heard.file.replace("\\", "/").rpartition("/")[2]),
        "FOOTER": html.escape(footer("lstm-engine train --watch")),
        "SOUND": base64.b64encode(wav(heard.sound)).decode(),
        "CSS": beside("microscope.css"),
        "JS": beside("plot.js") + beside("epochs.js"),
        "PLOTLY": plotly("train --watch"),
    }
    last = see(heard, files[max(files)])
    one = sum(4 * values.size / 3 for own in last.values.values() for values in own.values())  # bytes in base64
    room = MOST_BYTES - sum(map(len, parts.values())) - 200_000
    shown = evenly(sorted(files), max(2, int(room / one)))
    seen = [*(see(heard, files[epoch]) for epoch in shown[:-1]), last]
    parts["ANSWER"] = (
        f"After training the probability of male is {seen[-1].probability:.3f}; before, {seen[0].probability:.3f}"
    )
    whole = heard.seconds > heard.whole_s - FRAME_S
    parts["FACTS"] = (
        f"All {heard.seconds:.1f} s" if whole else f"The first {heard.seconds:.1f} of {heard.whole_s:.1f} s"
    )
    if len(shown) < len(files):
        parts["FACTS"] += f"; {len(shown)} of {len(files)} epochs are shown, evenly, to keep the page small"
    two = [word for epoch in (shown[1], shown[-1]) for word in ("--model", str(files[epoch]))]
    parts["COMPARE"] = html.escape(shlex.join(["lstm-engine", "inspect", heard.file, *two]))
    parts["DATA"] = json.dumps(data(heard, shown, seen, history), separators=(",", ":")).replace("<", "\\u003c")
    return filled("epochs.html", parts)


def evenly(epochs: list[int], most: int) -> list[int]:
    """At most so many of the epochs, the first and the last among them."""
    return [epochs[k] for k in np.unique(np.linspace(0, len(epochs) - 1, min(most, len(epochs))).round().astype(int))]


def data(heard: Heard, shown: list[int], seen: list[EpochSeen], history: pd.DataFrame) -> dict[str, Any]:
    """What the page's script reads. Gates and states (E, H, T) are bytes q that stand for (q - zero) · unit."""
    low, high = outline(heard.sound)
    arrays = {"low": low, "high": high, "p": np.stack([own.p for own in seen])}  # p (E, T)
    units: dict[str, tuple[int, float]] = {}
    for way, own in seen[-1].values.items():
        arrays[f"{way}/half_life"] = analyses.half_life(own["f"][None].astype(float)) * FRAME_S
        for name in SHOWN:
            values = np.stack([epoch.values[way][name].T for epoch in seen])  # (E, H, T)
            zero = 0 if name in UNSIGNED else 127
            unit = 1 / 255 if name in UNSIGNED else (float(np.abs(values).max()) if name == "c" else 1.0) / 127
            units[f"{way}/{name}"] = zero, unit
            arrays[f"{way}/{name}"] = np.rint(values / unit + zero).astype(np.uint8)
    return {
        "frame_s": FRAME_S,
        "seconds": heard.seconds,
        "first": heard.part.start,
        "epochs": shown,
        "probability": [own.probability for own in seen],
        "loss": {"epoch": history.index.tolist(), "value": history["loss"].tolist()},
        "units": units,
        "arrays": {name: packed(a) for name, a in arrays.items()},
    }
