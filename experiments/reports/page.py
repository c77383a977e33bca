"""A report: one self-contained HTML page of headings, paragraphs, tables and pictures."""

import html
from collections.abc import Sequence

import pandas as pd

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
 body {{ font: 16px/1.55 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }}
 body {{ color: #222; background: #fff; }}
 h1 {{ font-size: 1.7rem; margin-bottom: .3rem; }} h2 {{ font-size: 1.2rem; margin-top: 2.2rem; }}
 .lead {{ font-size: 1.05rem; }} .note {{ background: #fff4d6; border-left: 4px solid #d9a400; padding: .5rem .8rem; }}
 .scroll {{ overflow-x: auto; }} table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .88rem; }}
 th, td {{ padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #ddd; }} th {{ background: #f5f5f5; }}
 td:first-child, th:first-child {{ text-align: left; }} img {{ max-width: 100%; height: auto; }}
 figure {{ margin: .8rem 0; }} figcaption {{ font-size: .85rem; color: #555; }}
 .row {{ display: flex; flex-wrap: wrap; column-gap: 1.5rem; }} .row figure {{ flex: 1 1 22rem; }}
 summary {{ cursor: pointer; margin-top: 1rem; }}
 code {{ background: #f3f3f3; padding: .1rem .3rem; }} footer {{ margin-top: 3rem; color: #666; font-size: .85rem; }}
</style></head><body>
<h1>{title}</h1>
{body}
<footer>{footer}</footer>
</body></html>
"""


def page(title: str, parts: Sequence[str], footer: str) -> str:
    """The whole page, from parts that the functions below make."""
    return PAGE.format(title=html.escape(title), body="\n".join(parts), footer=html.escape(footer))


def counted(n: int, noun: str, plural: str = "") -> str:
    """A number with its noun: "1 step", "2 steps"; plural: where another letter than s is added."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def heading(text: str) -> str:
    return f"<h2>{html.escape(text)}</h2>"


def paragraph(text: str, kind: str = "") -> str:
    """kind: "", "lead" (the answer in a sentence) or "note" (what the reader must know)."""
    return f'<p class="{kind}">{html.escape(text)}</p>'


def link(address: str, text: str) -> str:
    """A paragraph that leads to a file beside the page."""
    return f'<p><a href="{html.escape(address, quote=True)}">{html.escape(text)}</a></p>'


def row(*parts: str) -> str:
    """Pictures beside each other, below each other on a narrow screen."""
    return f'<div class="row">{"".join(parts)}</div>'


def folded(title: str, part: str) -> str:
    """A part that opens when its title is clicked."""
    return f"<details><summary>{html.escape(title)}</summary>{part}</details>"


def table(frame: pd.DataFrame, formats: dict[str, str] | None = None) -> str:
    """A table; formats by column, such as {"loss": "{:.4f}"}."""
    shown = frame.copy()
    for column, form in (formats or {}).items():
        shown[column] = [form.format(value) for value in shown[column]]
    return f'<div class="scroll">{shown.to_html(border=0, index_names=False)}</div>'
