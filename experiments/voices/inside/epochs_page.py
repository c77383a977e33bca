"""The animation of a training: one HTML file with a slider over the epochs, which the gates and the answer follow.

`epochs.html` and `epochs.js` beside this file are the page; it shares its style and `plot.js` with the page of `inspect`.
"""

import base64
import html
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.microscope import analyses
from experiments.voices.inside.epochs import EpochSeen, kept, see
from experiments.voices.inside.look import SHOWN, Heard
from experiments.voices.inside.page import assembled, outline, packed, plotly, wav
from features.speech import FRAME_S

MOST_BYTES = 9_900_000  # small enough to mail; of more epochs, some are left out evenly
OTHER_BYTES = 300_000  # the page without plotly, the sound, and the numbers of the epochs
UNSIGNED = ("i", "f", "o")


def page(heard: Heard, folder: Path, history: pd.DataFrame) -> str:
    """The page, from the recording, the folder that `KeepEpochs` filled, and the training's loss by epoch.

    ModuleNotFoundError, with what to install, without plotly.
    """
    files = kept(folder)
    sound = base64.b64encode(wav(heard.sound)).decode()
    last = see(heard, files[max(files)])
    of_epoch = sum(4 * a.size / 3 for values in last.values.values() for a in values.values())  # bytes in base64
    room = MOST_BYTES - OTHER_BYTES - len(plotly("train --watch")) - len(sound)
    shown = evenly(sorted(files), max(2, int(room / of_epoch)))
    seen = [*(see(heard, files[epoch]) for epoch in shown[:-1]), last]
    facts = heard.extent
    if len(shown) < len(files):
        facts += f"; {len(shown)} of {len(files)} epochs are shown, evenly, to keep the page small"
    two_models = [word for epoch in (shown[1], shown[-1]) for word in ("--model", str(files[epoch]))]
    return assembled(
        "epochs.html", ("plot", "epochs"), data(heard, shown, seen, history), "train --watch",
        NAME=html.escape(heard.file.replace("\\", "/").rpartition("/")[2]),
        SOUND=sound,
        ANSWER=f"The probability of male is {last.probability:.3f} after training and {seen[0].probability:.3f} before",
        FACTS=facts,
        COMPARE=html.escape(shlex.join(["lstm-engine", "inspect", heard.file, *two_models])),
    )  # fmt: skip


def evenly(epochs: list[int], most: int) -> list[int]:
    """At most `most` of the epochs, the first and the last among them."""
    return [epochs[k] for k in np.unique(np.linspace(0, len(epochs) - 1, min(most, len(epochs))).round().astype(int))]


def data(heard: Heard, shown: list[int], seen: list[EpochSeen], history: pd.DataFrame) -> dict[str, Any]:
    """The data of the page's script. Gates and states (E, H, T) are bytes q with the value (q - zero) · unit."""
    low, high = outline(heard.sound)
    arrays = {"low": low, "high": high, "p": np.stack([epoch.p for epoch in seen])}  # p (E, T)
    units: dict[str, tuple[int, float]] = {}
    for way, last_values in seen[-1].values.items():
        arrays[f"{way}/half_life"] = analyses.half_life(last_values["f"][None].astype(float)) * FRAME_S
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
        "probability": [epoch.probability for epoch in seen],
        "loss": {"epoch": history.index.tolist(), "value": history["loss"].tolist()},
        "units": units,
        "arrays": {name: packed(a) for name, a in arrays.items()},
    }
