"""What the pages of this package share: one HTML file from a template, with style, scripts and numbers in it.

`page.css` is the style. `drawing.js` draws a picture on a canvas, `timeline.js` is the line that moves through pictures,
`keys.js` the keyboard. The pages of voices (`experiments/voices/inside`) are made of the same parts.
"""

import base64
import html
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from experiments.reports.run import footer
from lstm_engine.plain_text import printable, printable_all
from lstm_engine.trace_pictures import TITLES

SHARED = ("drawing", "timeline", "keys")
LEVELS = 65_534  # of 16 bits; one more stands for "no value"


def beside(package: str, name: str) -> str:
    """The text of a file in a package."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def assembled(template: str, scripts: Sequence[str], data: dict[str, Any], command: str, **parts: str) -> str:
    """The page: the template's text with every @@NAME@@ in it replaced by a part, the style, the scripts or the data.

    scripts: texts that run after the shared ones. @@f: note@@ becomes the map of the gate f, with what to look for.
    """
    parts |= {
        "FOOTER": html.escape(footer(command)),
        "CSS": beside("experiments.microscope", "page.css"),
        "DATA": json.dumps(printable_all(data), separators=(",", ":")).replace("<", "\\u003c").replace("&", "\\u0026"),
        "JS": "".join([*(beside("experiments.microscope", f"{name}.js") for name in SHARED), *scripts]),
    }
    pieces = template.split("@@")  # text, NAME, text, ...
    for n, name in enumerate(pieces[1::2]):
        pieces[2 * n + 1] = parts[name] if name in parts else map_of(*name.split(": ", 1))
    return printable("".join(pieces))


def map_of(name: str, note: str) -> str:
    """The place of a map of all units."""
    return f'''<section class="maps"><h3>{TITLES[name]} <span id="scale-{name}" class="scale"></span></h3>
 <p class="value-note">{note}</p>
 <div class="plots" data-plot="map-{name}" data-label="{TITLES[name]} of every unit over time"></div></section>'''


def packed(a: np.ndarray) -> dict[str, Any]:
    """An array for the page, as float32 unless it is uint8."""
    return _coded(a if a.dtype == np.uint8 else a.astype("<f4"))


def in_16_bits(a: np.ndarray, signed: bool = True) -> dict[str, Any]:
    """An array for the page as whole numbers q of 16 bits: the value is (q - zero) · unit, and 65535 stands for NaN.

    The largest absolute value spans the range, so that no value is off by more than unit / 2: with signed=False unit is the
    largest value / 65,534, else its double.
    """
    most = float(np.nanmax(np.abs(a), initial=0.0)) or 1.0
    zero, unit = (LEVELS // 2, 2 * most / LEVELS) if signed else (0, most / LEVELS)
    levels = np.rint(np.nan_to_num(a) / unit) + zero
    return _coded(np.where(np.isnan(a), LEVELS + 1, levels).astype("<u2")) | {"zero": zero, "unit": unit}


def as_float16(a: np.ndarray) -> dict[str, Any]:
    """An array for the page as float16, after a division by its largest absolute value: for numbers of many sizes.

    A value is off by no more than 1/2048 of itself, or by 2⁻²⁵ of the largest.
    """
    most = float(np.abs(a).max(initial=0.0)) or 1.0
    return _coded((a / most).astype("<f2")) | {"unit": most}


def _coded(a: np.ndarray) -> dict[str, Any]:
    return {"shape": a.shape, "type": a.dtype.name, "base64": base64.b64encode(a.tobytes()).decode()}


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
