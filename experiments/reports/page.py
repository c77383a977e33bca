"""A report: one self-contained HTML page of headings, paragraphs, tables and pictures."""

import html
import re
from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # slow to import, and the terminal needs only the words
    import pandas as pd

from lstm_engine.plain_text import printable

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title>
<style>
{style}</style></head><body>
<h1>{title}</h1>
{body}
<footer>{footer}</footer>
</body></html>
"""


UNIT = re.compile(r"(?<=\d) (?=(?:%|ms|s|min|h|Hz|kHz|dB|KB|MB|GB|KiB|MiB|GiB|GFLOP|GFLOP/s|GB/s|ns|µs|px)(?!\w))")

EXPONENT = re.compile(r"\d[\d.]*e[-+]\d+")  # a browser breaks a line after its hyphen


def page(title: str, parts: Sequence[str], footer: str) -> str:
    """The whole page, from parts that the functions below make."""
    style = resources.files("experiments.reports").joinpath("page.css").read_text(encoding="utf-8")
    return printable(
        PAGE.format(
            name=html.escape(title), title=unbroken(title), style=style, body="\n".join(parts), footer=unbroken(footer)
        )
    )


def counted(n: int, noun: str, plural: str = "") -> str:
    """A number with its noun: "1 step", "2 steps"; plural: where another letter than s is added."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def unbroken(text: str) -> str:
    """Text for HTML, in which a number and its unit stay on one line."""
    return EXPONENT.sub(r'<span class="number">\g<0></span>', UNIT.sub("\u00a0", html.escape(text)))


def heading(text: str) -> str:
    return f"<h2>{unbroken(text)}</h2>"


def paragraph(text: str, kind: str = "") -> str:
    """kind: "", "lead" (the answer in a sentence) or "note" (what the reader must know)."""
    return f'<p class="{kind}">{unbroken(text)}</p>'


def link(address: str, text: str) -> str:
    """A paragraph that leads to a file beside the page."""
    return f'<p><a href="{html.escape(address, quote=True)}">{html.escape(text)}</a></p>'


def row(*parts: str) -> str:
    """Pictures beside each other, below each other on a narrow screen."""
    return f'<div class="row">{"".join(parts)}</div>'


def folded(title: str, part: str) -> str:
    """A part that opens when its title is clicked."""
    return f"<details><summary>{unbroken(title)}</summary>{part}</details>"


def table(frame: "pd.DataFrame", formats: dict[str, str] | None = None) -> str:
    """A table; formats by column, such as {"loss": "{:.4f}"}."""
    shown = frame.copy()
    for column, form in (formats or {}).items():
        shown[column] = [form.format(value) for value in shown[column]]
    cells = shown.to_html(border=0, index_names=False)
    cells = re.sub(r"<td>(?=[^<]{48})", '<td class="words">', UNIT.sub("\u00a0", cells))
    head, body = cells.split("<tbody>")
    body = re.sub(r"<th>(?=[^<]{32})", '<th class="words">', body)
    return f'<div class="scroll" tabindex="0" role="group" aria-label="Table">{head}<tbody>{body}</div>'
