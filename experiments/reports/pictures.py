"""The pictures of a report. Each function takes plain numbers and returns a matplotlib figure; colours suit all eyes.

Blue and orange are the Okabe-Ito pair. The engine is a solid line and its reference dots on top, so that both are visible
where they coincide.
"""

import base64
import html
import io
import re
import textwrap
from collections.abc import Mapping, Sequence

import matplotlib

matplotlib.use("Agg")  # pictures go to files; no window system is needed

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.legend import Legend

from experiments.reports import page
from experiments.reports.log_axes import line_above
from lstm_engine.plain_text import as_written

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#666666"
PALETTE = {  # by their colour on a light page: the colour on a dark one
    "#000000": "#e6e8eb", "#ffffff": "#15181c", "#0072b2": "#5fb2ea", "#d55e00": "#f2863f", "#666666": "#a5acb4",
    "#006b4f": "#35c79a", "#009e73": "#35c79a", "#8f3f71": "#d892be", "#cc79a7": "#dd9cc0",
}  # fmt: skip
COLOUR_NAMES = {light: f"var(--c{light[1:]})" for light in PALETTE}
SCHEMES = (  # what is black has no fill of its own in matplotlib's SVG
    f"svg{{fill:var(--c000000);{';'.join(f'--c{c[1:]}:{c}' for c in PALETTE)}}}"
    f"@media(prefers-color-scheme:dark){{svg{{{';'.join(f'--c{c[1:]}:{dark}' for c, dark in PALETTE.items())}}}}}"
)
NARROW = 3.7  # inches: the width of a picture on a phone
PIXELS_PER_INCH = 97


def figure(columns: int, height: float = 3.4) -> tuple[Figure, list]:
    fig = Figure(figsize=(4.6 * columns, height), layout="constrained")
    axes = list(np.atleast_1d(fig.subplots(1, columns)))
    for ax in axes:
        ax.grid(alpha=0.25)
        ax.spines[["top", "right"]].set_visible(False)
    return fig, axes


def training_curves(table: pd.DataFrame, names: Mapping[str, str]) -> Figure:
    """Loss and accuracy by epoch, on training and held-out voices. Columns "engine_loss", "engine_val_loss", ...

    names: the label of every side in the table, {"engine": "engine", "reference": "Keras 3.15 on jax"}. A table without
    held-out voices gives the training alone.
    """
    fig, axes = figure(2)
    for ax, quantity in zip(axes, ("loss", "accuracy"), strict=True):
        for side, name in names.items():
            for part, colour, words in (("", BLUE, "training"), ("val_", ORANGE, "held-out speakers")):
                style = {"lw": 1.8} if side == "engine" else {"ls": "", "marker": "o", "ms": 4, "mfc": "none"}
                if (column := f"{side}_{part}{quantity}") in table:
                    ax.plot(table.index, table[column], color=colour, label=f"{name}, {words}", **style)
        ax.set(xlabel="epoch", title=quantity)
        ax.xaxis.get_major_locator().set_params(integer=True)
        if len(table) == 1:  # a line of one point is seen by its marker only
            ax.set(xlim=(table.index[0] - 0.5, table.index[0] + 0.5), xticks=table.index)
            for line in ax.lines:
                line.set_marker("o")
    axes[1].set_ylim(top=1.02)
    legend_below(fig)
    return fig


def differences(table: pd.DataFrame, reference: str) -> Figure:
    """The distance of the two sides after each epoch, on a logarithmic scale, with float32's rounding for comparison."""
    fig, (ax,) = figure(1)
    for column, style, words in (
        ("weight_difference", {"color": BLUE, "marker": "o"}, "largest weight difference"),
        ("prediction_difference", {"color": ORANGE, "marker": "s"}, "largest difference in a probability"),
    ):
        line_above(ax, table.index, table[column], 1e-9, words, ms=3, **style)
    ax.set_yscale("log")
    ax.axhline(np.finfo("float32").eps, color=GREY, ls=":", label="float32's rounding of 1")
    ax.set(xlabel="epoch", title=f"engine against {reference}")
    ax.xaxis.get_major_locator().set_params(integer=True)
    legend_below(fig)
    return fig


def by_sex(values: Sequence[float], labels: Sequence[int], threshold: float, xlabel: str, title: str) -> Figure:
    """Two histograms over one axis, one a sex, with the threshold that parts them."""
    fig, (ax,) = figure(1)
    values, labels = np.asarray(values), np.asarray(labels)
    bins = np.linspace(min(values.min(), threshold), max(values.max(), threshold), 31)
    for label, name, colour in ((1, "male", BLUE), (0, "female", ORANGE)):
        ax.hist(values[labels == label], bins=bins, color=colour, alpha=0.6, label=name)
    ax.axvline(threshold, color=GREY, ls="--", label=f"threshold {threshold:.3g}")
    ax.set(xlabel=xlabel, ylabel="clips", title=title)
    legend_below(fig)
    return fig


def legend_below(fig: Figure, *axes: Axes, columns: int = 0) -> None:
    """One legend for these axes (by default all), below them, so that it covers no data; a label that several have once."""
    handles = {n: h for ax in axes or fig.axes for h, n in zip(*ax.get_legend_handles_labels(), strict=True)}
    if not handles:
        return
    fig.legend(
        handles.values(), handles.keys(), loc="outside lower center", frameon=False, fontsize=8.5,
        ncols=columns or max(1, min(len(handles), int(13 * fig.get_figwidth() / (6 + max(map(len, handles)))))),
    )  # fmt: skip


def png(fig: Figure) -> bytes:
    buffer = io.BytesIO()
    as_written(fig)
    fig.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


# -- in a page -----------------------------------------------------------------------------------------------------------


def inline(picture: Figure | bytes, caption: str) -> str:
    """An HTML figure that holds the picture itself; the caption says what to look for.

    A figure becomes two SVGs, one for wide screens and one that is drawn anew for narrow ones, both light and dark; after
    that it has the narrow form. A PNG is shown as it is, on white.
    """
    alt = html.escape(caption, quote=True)
    if isinstance(picture, bytes):
        shown = f'<img class="paper" alt="{alt}" src="{_data(picture, "png")}">'
    else:
        wide = f'<img alt="{alt}" width="{_pixels(picture)}" src="{_data(svg(picture), "svg+xml")}">'
        narrow_down(picture)
        narrow = (
            f'<source media="(max-width: 640px)" width="{_pixels(picture)}" srcset="{_data(svg(picture), "svg+xml")}">'
        )
        shown = f"<picture>{narrow}{wide}</picture>"
    return f"<figure>{shown}<figcaption>{page.unbroken(caption)}</figcaption></figure>"


def svg(fig: Figure) -> bytes:
    """The figure without a background, in colours that follow the page's scheme: black, white and PALETTE are variables."""
    buffer = io.StringIO()
    as_written(fig)
    for mesh in fig.findobj(QuadMesh):
        mesh.set_rasterized(True)  # thousands of cells are smaller as pixels
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "lstm-engine"}):
        fig.savefig(buffer, format="svg", transparent=True, dpi=150, metadata={"Date": None, "Creator": None})
    text = re.sub(r"#[0-9a-f]{6}", lambda colour: COLOUR_NAMES.get(colour[0], colour[0]), buffer.getvalue())
    return text.replace("<defs>", f"<style>{SCHEMES}</style><defs>", 1).encode()


def narrow_down(fig: Figure) -> None:
    """Draw the figure for a phone: its panels below each other, every one with its labels, long words in several lines."""
    panels = [ax for ax in fig.axes if ax.get_visible() and ax.get_subplotspec() is not None]
    if panels:
        height = fig.get_figheight() / panels[0].get_subplotspec().get_gridspec().nrows
        spread = GridSpec(len(panels), 1, figure=fig)
        _label_all(panels)
        for ax, place in zip(_in_order(panels), spread, strict=True):
            ax.set_subplotspec(place)
            _narrow_words(ax)
        fig.set_size_inches(NARROW, float(np.clip(height, 2.6, 5.0)) * len(panels))
    if title := fig.get_suptitle():
        fig.suptitle(_lines(title, 42), fontsize=10)
    if below := fig.get_supxlabel():
        fig.supxlabel(_lines(below, 54), fontsize=8)
    if len(panels) == 1 and (inside := panels[0].get_legend()):  # too wide for the panel
        labels = _entries(fig, inside)
        panels[0].legend(
            labels.values(), labels, loc="upper center", bbox_to_anchor=(0.5, -0.2), frameon=False, fontsize=8
        )
        fig.set_figheight(fig.get_figheight() + 0.3 * len(labels))
    for legend in [*fig.legends]:
        labels = _entries(fig, legend)
        columns = max(1, min(len(labels), 48 // (6 + max(map(len, labels)))))
        legend.remove()
        fig.legend(labels.values(), labels, loc="outside lower center", frameon=False, fontsize=8, ncols=columns)
        fig.set_figheight(fig.get_figheight() + 0.2 * -(-len(labels) // columns))


def _narrow_words(ax: Axes) -> None:
    """Titles, labels and the names at ticks in several lines."""
    ax.set_title(_lines(ax.get_title(), 42), fontsize=min(10, ax.title.get_fontsize()))
    ax.set_xlabel(_lines(ax.get_xlabel(), 34))
    ax.tick_params(axis="x", labelsize=8.5)
    names = [label.get_text() for label in ax.get_yticklabels()]
    if max(map(len, names), default=0) > 16:
        ax.set_yticks(ax.get_yticks(), [_lines(name, 17) for name in names], fontsize=8)
    for top in ax.child_axes:  # the names of groups of columns
        names = [label.get_text().replace(" ", "\n") for label in top.get_xticklabels()]
        top.set_xticks(top.get_xticks(), names, fontsize=7)


def _entries(fig: Figure, legend: Legend) -> dict[str, Artist]:
    """What a legend shows, by its words in short lines; the artists are those of the axes, as drawn."""
    drawn = {n: h for ax in fig.axes for h, n in zip(*ax.get_legend_handles_labels(), strict=True)}
    shown = ((text.get_text(), handle) for text, handle in zip(legend.get_texts(), legend.legend_handles, strict=True))
    return {_lines(text, 46): drawn.get(text, handle) for text, handle in shown}


def _label_all(panels: Sequence[Axes]) -> None:
    """Give a panel the labels that it shared with the one at the left or below."""
    by_row, by_column = {}, {}
    for ax in panels:
        place = ax.get_subplotspec()
        by_row.setdefault(place.rowspan.start, ax.get_ylabel())
        by_column[place.colspan.start] = ax.get_xlabel()
    for ax in panels:
        place = ax.get_subplotspec()
        ax.set_ylabel(ax.get_ylabel() or by_row[place.rowspan.start])
        ax.set_xlabel(ax.get_xlabel() or by_column[place.colspan.start])
        ax.tick_params(labelleft=True, labelbottom=True)


def _in_order(panels: Sequence[Axes]) -> list[Axes]:
    """Row by row, or column by column where only the topmost has a title."""
    if all(ax.get_title() for ax in panels):
        return list(panels)
    return sorted(panels, key=lambda ax: (ax.get_subplotspec().colspan.start, ax.get_subplotspec().rowspan.start))


def _lines(text: str, width: int) -> str:
    return text if len(text) <= width else textwrap.fill(text, width)


def _pixels(fig: Figure) -> int:
    return round(PIXELS_PER_INCH * fig.get_figwidth())


def _data(picture: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
