"""Text from outside (names of files, layers and speakers, labels, metadata) as it is shown: without characters that act.

The command line shows all its text through `printable`, every page its HTML, every picture its words through `as_written`.
A terminal would obey an escape sequence, a reader would be misled by a reversed word.
"""

from __future__ import annotations

import re
from typing import Any

# Controls but tab and newline, what changes the direction of text, line separators, invisible tags, halves of characters.
ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
    "\ud800-\udfff]"
)


def printable(text: str) -> str:
    r"""The text with such characters as in a Python string: \x1b, \u202e; bytes of a name that are not UTF-8 as \xe9."""
    return ACTING.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file's name, see os.fsdecode
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def printable_all(value: Any) -> Any:
    """JSON values with every text in them printable."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable_all(key): printable_all(item) for key, item in value.items()}
    return [printable_all(item) for item in value] if isinstance(value, list | tuple) else value


def as_written(figure: Any) -> None:
    """Let a matplotlib figure show every text as it stands: a name such as a$^b$ is no formula. Axes keep their numbers."""
    from matplotlib.text import Text
    from matplotlib.ticker import LogFormatter, ScalarFormatter

    for text in figure.findobj(Text):
        text.set_parse_math(False)
        text.set_text(printable(text.get_text()))
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        for ticks, formatter in (
            (axis.get_major_ticks(), axis.get_major_formatter()), (axis.get_minor_ticks(), axis.get_minor_formatter()),
        ):  # fmt: skip
            for label in (label for tick in ticks for label in (tick.label1, tick.label2)):
                label.set_parse_math(isinstance(formatter, LogFormatter | ScalarFormatter))
