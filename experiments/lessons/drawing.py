"""The pictures of the lessons, in colours that colour-blind readers can tell apart (Okabe & Ito)."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

COLOURS = ("#0072B2", "#B35A00", "#006B4F", "#8F3F71", "#000000", "#56B4E9")  # blue, orange, green, purple, black, sky
WRITTEN = "white-space:pre-wrap;overflow-wrap:anywhere;font-family:ui-monospace,monospace;line-height:1.7;margin:1em 0"
DASHES = ("solid", "dash", "dot", "dashdot")


def lines(
    curves: dict[str, Any], x: Any = None, title: str = "", x_title: str = "step", y_title: str = "", log: bool = False,
    height: int = 320,
) -> go.Figure:  # fmt: skip
    """Curves (T,) by name over x, by default the step's number. log: the y axis in powers of ten."""
    figure = go.Figure()
    for n, (name, y) in enumerate(curves.items()):
        y = np.asarray(y)
        style = {"color": COLOURS[n % len(COLOURS)], "dash": DASHES[n % len(DASHES)]}
        figure.add_scatter(x=np.arange(len(y)) if x is None else x, y=y, name=name, mode="lines", line=style)
    if log:
        values = np.concatenate([np.ravel(y) for y in curves.values()])
        narrow = np.ptp(np.log10(values[values > 0])) < 2 if (values > 0).any() else False
        figure.update_yaxes(type="log", exponentformat="power", dtick="D2" if narrow else None)  # 1 2 5 10 20 50
    return _styled(figure, title, x_title, y_title, height)


def heat(values: Any, title: str = "", x_title: str = "step", y_title: str = "unit", height: int = 320) -> go.Figure:
    """A map of values (rows, T): blue to red around 0 where some are negative, light to dark where none is."""
    values = np.asarray(values)
    most = float(np.abs(values).max(initial=0.0)) or 1.0
    signed = bool((values < 0).any())
    scale = {"colorscale": "RdBu_r", "zmin": -most} if signed else {"colorscale": "Blues", "zmin": 0}
    figure = go.Figure(go.Heatmap(z=values, zmax=most, **scale))
    return _styled(figure, title, x_title, y_title, height)


def unrolled(x: Any, h: Any, w: float, u: float, steps: int = 6) -> str:
    """SVG of the first steps of one unit h = tanh(w x + u h' + b), side by side: blue where h > 0, orange where h < 0."""

    def text(x: float, y: float, size: int, words: str, colour: str = "#333") -> str:
        return f'<text text-anchor="middle" x="{x}" y="{y}" font-size="{size}" fill="{colour}">{words}</text>'

    def arrow(x1: float, y1: float, x2: float, y2: float) -> str:
        return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#333" marker-end="url(#tip)"/>'

    parts = [
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="6" refY="3" orient="auto">'
        '<path d="M0,0 L6,3 L0,6" fill="#333"/></marker></defs>',
        text(34, 70, 14, "0.00"),
    ]
    for t in range(steps):
        at, colour, strength = 120 + 105 * t, COLOURS[int(h[t] < 0)], 0.08 + 0.92 * abs(h[t])
        parts += [
            arrow(at - 69, 65, at - 28, 65), text(at - 49, 57, 12, f"× {u:g}"),
            arrow(at, 135, at, 94), text(at + 24, 119, 12, f"× {w:g}"),
            f'<rect x="{at - 24}" y="40" width="48" height="50" rx="8" stroke="{colour}" fill="{colour}" '
            f'fill-opacity="{strength:.2f}"/>',
            text(at, 70, 14, f"{h[t]:.2f}", "white" if strength > 0.75 else "#111"),
            text(at, 152, 14, f"x = {x[t]:.2f}"), text(at, 28, 12, f"step {t}"),
        ]  # fmt: skip
    return sideways(
        f'<svg class="on-white" viewBox="0 0 {60 + 105 * steps} 165" style="width:100%;background:white" role="img" '
        f'aria-label="The first {steps} steps of the unit">{"".join(parts)}</svg>',
        560,
    )


def sideways(html: str, width: int = 0) -> str:
    """HTML in one line, at least `width` pixels wide; on a narrower page it scrolls sideways.

    A shadow at an edge shows that there is more; at the end a cover in the page's colour hides the shadow.
    """
    page = "var(--background,white)"
    ends = [(90, "left"), (270, "right")]
    covers = [f"linear-gradient({a}deg,{page} 40%,transparent) {end}/48px 100% no-repeat local" for a, end in ends]
    shadows = [f"linear-gradient({a}deg,#0005,transparent) {end}/14px 100% no-repeat scroll" for a, end in ends]
    style = f"overflow-x:auto;margin:1em 0;background:{','.join(covers + shadows)}"
    content = html.replace("\n", "&#10;")  # a line break would end the indented prose around it
    content = content.replace("<tr>", '<tr style="background:none">')  # a table's stripes would hide the shadow
    return f'<div tabindex="0" style="{style}"><div style="min-width:{width}px">{content}</div></div>'


def coloured(text: str, values: Any) -> str:
    """Each letter of the text on a colour for its value (T,): blue above 0, orange below, the largest the strongest.

    A pointer over a letter shows its value.
    """
    values = np.asarray(values)
    most = float(np.abs(values).max(initial=0.0)) or 1.0
    letters = []
    for letter, value in zip(text, values, strict=True):
        rgb, shown = ("0,114,178" if value > 0 else "230,120,0"), "¶<br>" if letter == "\n" else escape(letter)
        ground = f"rgba({rgb},{0.6 * abs(value) / most:.2f})"  # weak enough for dark and for light letters
        letters.append(f'<span style="background:{ground}" title="{value:.2f}">{shown}</span>')
    return f'<div style="{WRITTEN}">{"".join(letters)}</div>'


def marked(text: str, strange: Sequence[tuple[int, int]]) -> str:
    """A text with a dotted line under each (begin, end) of `strange`."""
    parts, at = [], 0
    for begin, end in strange:
        parts += [
            escape(text[at:begin]),
            f'<u style="text-decoration:underline dotted 2px">{escape(text[begin:end])}</u>',
        ]
        at = end
    written = "".join([*parts, escape(text[at:])]).replace("\n", "<br>")
    return f'<div style="{WRITTEN}">{written}</div>'


def printed(report: object) -> str:
    """Text as in a terminal; on a narrow page it scrolls sideways."""
    return sideways(f'<pre class="text-xs">{escape(str(report))}</pre>')


def _styled(figure: go.Figure, title: str, x_title: str, y_title: str, height: int) -> go.Figure:
    figure.update_xaxes(title=x_title)
    figure.update_yaxes(title=y_title)
    return figure.update_layout(
        title=title, height=height, template="plotly_white", margin={"l": 60, "r": 20, "t": 50 if title else 20, "b": 80},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},  # below the x axis at any height
    )  # fmt: skip


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown: numbers with four decimals to the right, words to the left."""
    sides = [":--" if isinstance(cell, str) else "--:" for cell in rows[0]]
    cells = [[f"{cell + 0.0:.4f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]  # no -0.0
    return "\n".join("| " + " | ".join(row) + " |" for row in (heads, sides, *cells))
