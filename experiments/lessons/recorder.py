"""A microphone in the browser, for notebooks: the recorded samples as the bytes of a WAV file.

marimo's `mo.ui.microphone` records through a lossy codec, after the browser's noise filters for calls. This recorder gets
the samples without either (recorder.js).
"""

from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent


class Recorder(anywidget.AnyWidget):  # type: ignore[misc]
    """A button, a level, a clock, and a player for what was recorded; `wav` is its bytes, none before the first recording.

    seconds: the longest recording.
    """

    _esm = (HERE / "recorder.js").read_text(encoding="utf-8")
    _css = (HERE / "recorder.css").read_text(encoding="utf-8")
    seconds = traitlets.Int(10).tag(sync=True)
    wav = traitlets.Bytes(b"").tag(sync=True)
