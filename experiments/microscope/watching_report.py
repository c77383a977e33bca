"""Pictures of what `watching.Watch` recorded, for a run's report; the caption of each says what to look for."""

from collections.abc import Callable, Iterator
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from experiments.microscope.watching import HIGH, LOW
from experiments.reports import page
from experiments.reports.pictures import BLUE, GREY, ORANGE, inline, legend_below

GREEN, PURPLE, BLACK = "#006B4F", "#8F3F71", "#000000"
STYLES = {  # i f o g c h as on the page of `inspect`; z and r are a GRU's gates
    "i": (BLUE, "-"), "f": (ORANGE, "--"), "o": (GREEN, ":"), "z": (ORANGE, "--"), "r": (BLUE, "-"),
    "g": (PURPLE, ":"), "candidate": (PURPLE, ":"), "c": (BLACK, "-"), "h": (BLUE, "--"),
}  # fmt: skip
LINES = [(BLUE, "-"), (ORANGE, "--"), (GREEN, ":"), (PURPLE, "-."), (BLACK, "-"), (GREY, "--")]  # for layers, in turn
Drawing = Callable[[Axes, pd.DataFrame], None]
TINY = 1e-30  # stands for 0 on a logarithmic scale


def parts(table: pd.DataFrame) -> list[str]:
    """The parts of a report, from `Watch.table()`: gates, states, gradients and updates by epoch."""
    pictures = []
    for column, title, drawing, caption in BY_LAYER:
        if table[column].notna().any():
            pictures.append(inline(by_layer(table, column, title, drawing), caption))
    whole = [inline(of_network(table, title, drawing), caption) for title, drawing, caption in OF_NETWORK]
    several = table["layer"][table["size"].notna()].nunique() > 1  # their pictures are as wide as the page
    return [
        page.heading("Inside the network, epoch by epoch"),
        page.paragraph(
            "The same few samples after every epoch, without dropout; epoch 0 is before training. All numbers: watched.csv."
        ),
        *([*pictures, page.row(*whole)] if several else [page.row(*pictures, *whole)]),
    ]


# -- one picture for each layer, side by side --------------------------------------------------------------------------


def by_layer(table: pd.DataFrame, column: str, title: str, drawing: Drawing) -> Figure:
    """drawing(ax, rows of the layer) for each layer with numbers in `column`, all on one scale, two in a row."""
    layers = table["layer"][table[column].notna()].unique()
    rows, columns = -(-len(layers) // 2), min(len(layers), 2)
    fig = Figure(figsize=(5.6 * columns, 2.5 * rows + 0.2), layout="constrained")
    grid = fig.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for ax in grid.ravel()[len(layers) :]:
        ax.remove()
    for ax, layer in zip(grid.ravel(), layers, strict=False):
        drawing(ax, table[table["layer"] == layer])
        ax.set_title(layer, fontsize=10)
        _dress(ax)
        ax.set_xlabel("epoch")
    legend_below(fig)
    fig.suptitle(title, fontsize=11)
    return fig


def open_gates(ax: Axes, table: pd.DataFrame) -> None:
    for gate, rows in _quantities(table, "mean"):
        _line(ax, rows["epoch"], rows["mean"], STYLES[gate], gate)
        band = rows["mean"] - rows["spread"], rows["mean"] + rows["spread"]
        ax.fill_between(rows["epoch"], *band, color=STYLES[gate][0], alpha=0.1, lw=0)
    ax.set_ylim(-0.02, 1.02)


def saturation(ax: Axes, table: pd.DataFrame) -> None:
    ax.axhline(0, color=GREY, lw=0.8)
    for gate, rows in _quantities(table, "mean"):
        _line(ax, rows["epoch"], rows["high"], STYLES[gate], gate)
        _line(ax, rows["epoch"], -rows["low"], STYLES[gate])
    ax.set(ylim=(-1.05, 1.05), ylabel=f"← below {LOW:g} · above {HIGH:g} →")
    ax.set_yticks([-1, -0.5, 0, 0.5, 1], ["1", "0.5", "0", "0.5", "1"])


def flows(ax: Axes, table: pd.DataFrame) -> None:
    ax.axhline(0, color=GREY, lw=0.8)  # starts the scale at 0; set_ylim would fix the upper end for all layers too
    for quantity, rows in _quantities(table, "size"):
        _line(ax, rows["epoch"], rows["size"], STYLES[quantity], f"|{quantity}|")


def through_time(ax: Axes, table: pd.DataFrame) -> None:
    for which, style in (("last", (BLUE, "-")), ("first", (ORANGE, "--"))):
        rows = table[table["quantity"] == f"h at the {which} step"]
        _line(ax, rows["epoch"], rows["gradient"].clip(lower=TINY), style, f"{which} step read")
    ax.set_yscale("log")


def gradient_of_gates(ax: Axes, table: pd.DataFrame) -> None:
    """The norm over each gate's columns of all the layer's weights; over all columns for a layer without gates."""
    gate = table["quantity"].str.partition("/")[2]
    gates = [g for g in gate.unique() if g]
    for name in gates or ["h"]:
        rows = table[gate == name] if gates else table[table["weight"].notna()]
        norm = _together(rows, rows["gradient"])
        _line(ax, norm.index, norm.clip(lower=TINY), STYLES[name], name)
    ax.set_yscale("log")


# -- one picture for the whole network ---------------------------------------------------------------------------------


def of_network(table: pd.DataFrame, title: str, drawing: Drawing) -> Figure:
    """drawing(ax, table): one line for each layer."""
    fig = Figure(figsize=(5.6, 2.9), layout="constrained")
    ax = fig.subplots()
    drawing(ax, table)
    ax.set_xlabel("epoch")
    fig.suptitle(title, fontsize=11)
    legend_below(fig)
    _dress(ax)
    return fig


def gradients(ax: Axes, table: pd.DataFrame) -> None:
    for style, (layer, rows) in zip(cycle(LINES), _whole_weights(table), strict=False):
        norm = _together(rows, rows["gradient"])
        _line(ax, norm.index, norm.clip(lower=TINY), style, layer)
    ax.set_yscale("log")


def updates(ax: Axes, table: pd.DataFrame) -> None:
    for style, (layer, rows) in zip(cycle(LINES), _whole_weights(table), strict=False):
        moved = rows[rows["update"].notna()]
        share = _together(moved, moved["update"] * moved["weight"]) / _together(moved, moved["weight"])
        _line(ax, share.index, share.clip(lower=TINY), style, layer)
    ax.axhline(1e-3, color=GREY, ls=":", lw=1)
    ax.set_yscale("log")


def _whole_weights(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """(layer, rows) for each layer: its weights, without their parts by gate."""
    whole = table[table["weight"].notna() & ~table["quantity"].str.contains("/")]
    yield from whole.groupby("layer", sort=False)


def _together(rows: pd.DataFrame, norms: pd.Series) -> pd.Series:
    """By epoch: the norm of several arrays together, from their norms."""
    return np.sqrt((norms**2).groupby(rows["epoch"]).sum())


def _quantities(table: pd.DataFrame, column: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """(quantity, rows) for each quantity with numbers in the column."""
    yield from table[table[column].notna()].groupby("quantity", sort=False)


def _line(ax: Axes, x: pd.Series, y: pd.Series, style: tuple[str, str], label: str | None = None) -> None:
    colour, dashes = style
    ax.plot(x, y, color=colour, ls=dashes, lw=1.8, marker="o" if len(x) < 3 else None, ms=3, label=label)


def _dress(ax: Axes) -> None:
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
    ax.xaxis.get_major_locator().set_params(integer=True)
    if ax.get_yscale() == "log":
        low, high = ax.get_ylim()
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 100 else (1,)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())


# -- the pictures: what they draw, and what to look for ----------------------------------------------------------------

BY_LAYER: list[tuple[str, str, Drawing, str]] = [
    ("mean", "Gates: mean, and a band of one standard deviation", open_gates,
     "Look for a forget gate that rises (the layer learns to remember) or whose band widens (it learns to select). With a "
     "forget bias of 1, an LSTM's forget gate starts near σ(1) = 0.73."),
    ("mean", "Saturated gates", saturation,
     "Upwards the share of gates above 0.9, downwards the share below 0.1. Look for a line that nears 1 on either side: that "
     "gate hardly learns any more."),
    ("size", "Candidate, cell and output: mean absolute values", flows,
     "Look for a cell c that keeps growing: tanh(c) is then 1, whatever is added. Look also for an h near 0: such a layer "
     "passes on nothing."),
    ("size", "Gradient with respect to the state h", through_time,
     "Look for a gap between the lines: if the gradient is far smaller at the first step than at the last, it vanishes on "
     "the way back through time, and the beginning of a sequence hardly influences what is learnt."),
    ("size", "Gradient with respect to the weights of each gate", gradient_of_gates,
     "Look for a gate far below the others: it hardly learns."),
]  # fmt: skip
OF_NETWORK: list[tuple[str, Drawing, str]] = [
    ("Gradient with respect to the weights of each layer", gradients,
     "Look for a line that falls below the others by factors of ten (a vanishing gradient) or that shoots up (an exploding "
     "gradient)."),
    ("Last step of the epoch, divided by the weights", updates,
     "Look for about 1/1,000, the dotted line: 1/100 is too large, 1/1,000,000 learns nothing; a decaying learning rate "
     "lowers this line."),
]  # fmt: skip
