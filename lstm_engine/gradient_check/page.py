"""The page of a report: where the mistake is first, then every row, and the errors of what failed, element by element.

One HTML file that needs no network, no JavaScript and no other library; `fragment` is the same for notebooks.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from ..activations import Array
from ..plain_text import printable
from .planes import NO_NUMBER, Plane, finding, plane_of, pooled, rows_of, word
from .report import FAILED

if TYPE_CHECKING:
    from .report import Lead, Report, Row

CELL, WIDEST, HIGHEST = 22, 880, 400  # px: the largest side of a cell of a map, and of a whole map
SHADES = ("p0", "p1", "f0", "f1", "f2", "nan")  # of a cell, from exact to far off
STYLE = """
.gradcheck { --ink: #1d2129; --soft: #4b5563; --bg: #fff; --line: #d5d9e0; --head: #f1f3f6; --bad: #a83a00; --good: #00598c;
  --bad-bg: #fdeee4; --good-bg: #e8f2f9; --p0: #d3e4f1; --p1: #7fb0d6; --f0: #ffcf8a; --f1: #f08a3c; --f2: #c84a00;
  --none: #e6e8ec; color: var(--ink); background: var(--bg); font: 16px/1.5 system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { .gradcheck { --ink: #e6e9ee; --soft: #aab2bf; --bg: #14171c; --line: #363c46;
  --head: #1f242c; --bad: #ff9a5c; --good: #79bdec; --bad-bg: #33211a; --good-bg: #172733; --p0: #1d3a52; --p1: #3d7fb0;
  --f0: #8a5a1c; --f1: #d0712a; --f2: #ff8a3d; --none: #2a2f38; } }
.gradcheck * { box-sizing: border-box; }
.gradcheck h2 { font-size: 1.15rem; margin: 1.8rem 0 .5rem; }
.gradcheck p { margin: .5rem 0; }
.gradcheck .verdict, .gradcheck .lead { border-left: 6px solid var(--soft); padding: .5rem .9rem; margin: 0 0 .9rem;
  overflow-wrap: anywhere; }
.gradcheck .bad { border-color: var(--bad); background: var(--bad-bg); }
.gradcheck .good { border-color: var(--good); background: var(--good-bg); }
.gradcheck .lead b { font-size: 1.15rem; }
.gradcheck dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: .6rem 0 0; }
.gradcheck dt { color: var(--soft); } .gradcheck dd { margin: 0; }
.gradcheck .math { font-family: Cambria, "Latin Modern Math", "DejaVu Serif", serif; font-size: 1.1rem; }
.gradcheck .scroll { overflow-x: auto; }
.gradcheck table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; }
.gradcheck th, .gradcheck td { padding: .22rem .6rem; text-align: right; white-space: nowrap; color: var(--ink);
  border-bottom: 1px solid var(--line); background: var(--bg); }
.gradcheck th { background: var(--head); }
.gradcheck th:nth-child(-n+3), .gradcheck td:nth-child(-n+3) { text-align: left; }
.gradcheck tr.failed td { background: var(--bad-bg); font-weight: 600; }
.gradcheck tr.failed td:nth-child(3) { color: var(--bad); }
.gradcheck tr.follows td, .gradcheck tr.follows td:nth-child(3) { background: var(--bg); font-weight: 400;
  color: var(--soft); }
.gradcheck summary { cursor: pointer; padding: .3rem 0; overflow-wrap: anywhere; }
.gradcheck .map { display: grid; gap: 3px; align-items: center; width: max-content; max-width: 100%; font-size: .8rem;
  color: var(--soft); margin: .3rem 0 .8rem; }
.gradcheck .map span { padding: 0 .3rem; text-align: center; } .gradcheck .map .group { text-align: right; }
.gradcheck .map svg { display: block; width: 100%; }
.gradcheck .p0 { fill: var(--p0); } .gradcheck .p1 { fill: var(--p1); } .gradcheck .f0 { fill: var(--f0); }
.gradcheck .f1 { fill: var(--f1); } .gradcheck .f2 { fill: var(--f2); } .gradcheck .nan { fill: var(--ink); }
.gradcheck .none { fill: var(--none); }
.gradcheck .key { display: flex; flex-wrap: wrap; gap: .3rem 1rem; font-size: .85rem; color: var(--soft); }
.gradcheck .key svg { width: .9rem; height: .9rem; vertical-align: -.1rem; margin-right: .3rem; }
.gradcheck code { font-family: ui-monospace, monospace; font-size: .9em; overflow-wrap: anywhere; }
"""
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<style>html {{ background: #fff; }} @media (prefers-color-scheme: dark) {{ html {{ background: #14171c; }} }}
body {{ margin: 0; }} main {{ max-width: 62rem; margin: 0 auto; padding: 1.2rem 1rem 3rem; min-height: 100vh; }}
h1 {{ font-size: 1.5rem; margin: 0 0 1rem; }}</style></head>
<body><main class="gradcheck"><h1>{title}</h1>{body}</main></body></html>
"""


def page(report: Report, title: str = "Gradient check") -> str:
    """The whole page."""
    return printable(PAGE.format(title=html.escape(title), body=f"<style>{STYLE}</style>{body(report)}"))


def fragment(report: Report) -> str:
    """The page without its frame, for notebooks."""
    return printable(f'<div class="gradcheck"><style>{STYLE}</style>{body(report)}</div>')


def body(report: Report, above: Lead | None = None) -> str:
    """The lead first, the verdict, the rows, the notes, the maps; then the same of one step alone.

    above: a lead that the page shows already.
    """
    parts = [lead(report.lead), verdict(report), departure(report), table(report)]
    parts += [f"<p>{html.escape(note)}</p>" for note in report.notes]
    parts += maps(report)
    if report.step is not None:
        parts.append(f"<h2>One step alone</h2>{body(report.step, report.lead)}")
    return "".join(parts)


def same(one: Lead | None, other: Lead | None) -> bool:
    """Whether two leads name one mistake; what follows from it may differ."""
    return one is not None and other is not None and one.sentence == other.sentence


# -- in words ----------------------------------------------------------------------------------------------------------


def verdict(report: Report) -> str:
    sign, kind = ("✗", "bad") if report.failed else ("✓", "good") if report.ok else ("?", "")
    return f'<p class="verdict {kind}"><b>{sign}</b> {html.escape(report.verdict())}</p>'


def lead(found: Lead | None) -> str:
    """Where the mistake is, with the right equation and the one that the code computes."""
    if found is None:
        return ""
    terms = {
        "where": html.escape(found.region),
        "right": math(found.equation),
        "instead": math(found.instead),
        "follows": html.escape(f"{', '.join(found.follows)}: wrong only because of it") if found.follows else "",
        "certain": "your gradients equal those of this mistake to rounding" if found.certain else "",
    }  # fmt: skip
    lines = "".join(f"<dt>{term}</dt><dd>{text}</dd>" for term, text in terms.items() if text)
    return f'<div class="lead bad"><b>{html.escape(found.sentence)}</b><dl>{lines}</dl></div>'


def math(equation: str) -> str:
    return f'<span class="math">{html.escape(equation)}</span>' if equation else ""


def departure(report: Report) -> str:
    """Of a model's check: the first wrong gradient and its line."""
    if report.departure is None:
        return ""
    first, *look = str(report.departure).splitlines()
    lines = "<br>".join(f"<code>{html.escape(line.strip())}</code>" for line in look)
    return f"<p><b>{html.escape(first)}</b><br>{lines}</p>"


def table(report: Report) -> str:
    """Every row, its verdict beside its name."""
    follows = report.lead.follows if report.lead else ()
    heads = ["parameter", "gate", "verdict", *report.rows[0].errors_in_words(), "worst at", "analytic", "numeric"]
    lines = [line(row, row.parameter in follows) for row in report.rows]
    head = "".join(f"<th>{name}</th>" for name in heads)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def line(row: Row, follows: bool) -> str:
    failed = row.verdict == FAILED
    kind = "" if not failed else ' class="failed follows"' if follows else ' class="failed"'
    cells = [
        row.parameter, row.gate, word(row.verdict) + ", follows" * (failed and follows), *row.errors_in_words().values(),
        str(list(row.worst_index)), f"{row.analytic:.6g}", f"{row.numeric:.6g}",
    ]  # fmt: skip
    return f"<tr{kind}>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"


# -- the errors of every element ---------------------------------------------------------------------------------------


def maps(report: Report) -> list[str]:
    """A map for every parameter; what failed is open, unless it only follows."""
    follows = report.lead.follows if report.lead else ()
    parts = ["<h2>Relative errors, element by element</h2>", key(report.tol)]
    for parameter in report.arrays:
        failed = any(row.verdict == FAILED for row in rows_of(report, parameter)) and parameter not in follows
        summary = html.escape(finding(report, parameter))
        drawn = heat_map(plane_of(report, parameter), float(np.log10(report.tol)), summary)
        parts.append(f"<details{' open' if failed else ''}><summary>{summary}</summary>{drawn}</details>")
    return parts


def key(tolerance: float) -> str:
    words = (
        ("p0", "exact"),
        ("p1", f"below {tolerance:.0e}, passes"),
        ("f0", "fails"),
        ("f2", "more than 10 % off"),
        ("none", "not checked"),
    )
    square = '<svg viewBox="0 0 1 1" aria-hidden="true"><rect class="{}" width="1" height="1"/></svg>'
    return '<p class="key">' + "".join(f"<span>{square.format(shade)}{text}</span>" for shade, text in words) + "</p>"


def heat_map(plane: Plane, tolerance: float, label: str) -> str:
    """The plane's groups as pictures side by side and below each other, with their names; tolerance as log10."""
    cells, down, across = pooled(plane.errors)
    RG, _, CG, _ = plane.errors.shape
    rows = np.split(cells, RG) if len(cells) % RG == 0 and len(down) >= RG else [cells]
    names = plane.row_groups if len(rows) == RG else [""]
    side = min(CELL, WIDEST / (len(across) - 1), HIGHEST / (len(down) - 1))
    width = max(1, round(cells.shape[1] // CG * side))
    named = any(names)
    parts = [
        "<span></span>" * named + "".join(f"<span>{html.escape(name)}</span>" for name in plane.column_groups)
    ] * any(plane.column_groups)
    for name, group in zip(names, rows, strict=True):
        parts.append(f'<span class="group">{html.escape(name)}</span>' * named)
        for part in np.split(group, CG, axis=1):
            parts.append(picture(part, tolerance))
    columns = "auto " * named + " ".join([f"minmax(0, {width}px)"] * CG)
    return f'<div class="map" role="img" aria-label="{label}" style="grid-template-columns: {columns}">{"".join(parts)}</div>'


def picture(cells: Array, tolerance: float) -> str:
    """One group of cells; neighbours of one shade in a row are one rectangle."""
    R, C = cells.shape
    rects = "".join(
        f'<rect class="{shade}" x="{x}" y="{y}" width="{n}" height="1"/>' for y, row in enumerate(cells)
        for shade, x, n in runs(row, tolerance)
    )  # fmt: skip
    return f'<svg viewBox="0 0 {C} {R}" shape-rendering="crispEdges" aria-hidden="true">{rects}</svg>'


def runs(row: Array, tolerance: float) -> Iterator[tuple[str, int, int]]:
    """(shade, first cell, number of cells)."""
    at = 0
    for shade, cells in groupby(shade_of(float(error), tolerance) for error in row):
        n = len(list(cells))
        yield shade, at, n
        at += n


def shade_of(error: float, tolerance: float) -> str:
    """error and tolerance as log10."""
    if np.isnan(error):
        return "none"
    edges = (tolerance - 4, tolerance, tolerance / 2, -1.0, NO_NUMBER - 0.1)
    return SHADES[sum(error > edge for edge in edges)]
