"""A microphone in the browser, for notebooks: what it hears, sample for sample, as the bytes of a WAV.

marimo's own `mo.ui.microphone` keeps what a lossy codec leaves of a sound that the browser has cleaned for a call; this asks
for the sound as it is (recorder.js).
"""

from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent


class Recorder(anywidget.AnyWidget):  # type: ignore[misc]
    """A button, a level, a clock, and a player for what was recorded; `wav` is its bytes, none before the first recording.

    seconds: after which it stops by itself.
    """

    _esm = (HERE / "recorder.js").read_text(encoding="utf-8")
    _css = (HERE / "recorder.css").read_text(encoding="utf-8")
    seconds = traitlets.Int(10).tag(sync=True)
    wav = traitlets.Bytes(b"").tag(sync=True)
