"""What `watching.Watch` saw, as small pictures for a run's report; a line of words under each says what to look for."""

from collections.abc import Callable, Iterator
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from experiments.microscope.watching import HIGH, LOW
from experiments.reports import page
from experiments.reports.pictures import BLUE, GREY, ORANGE, inline

GREEN, PURPLE, BLACK = "#006B4F", "#8F3F71", "#000000"
STYLES = {  # the microscope's own: i f o, g c h; a GRU's beside them
    "i": (BLUE, "-"), "f": (ORANGE, "--"), "o": (GREEN, ":"), "z": (ORANGE, "--"), "r": (BLUE, "-"),
    "g": (PURPLE, ":"), "candidate": (PURPLE, ":"), "c": (BLACK, "-"), "h": (BLUE, "--"),
}  # fmt: skip
LINES = [(BLUE, "-"), (ORANGE, "--"), (GREEN, ":"), (PURPLE, "-."), (BLACK, "-"), (GREY, "--")]  # of layers, in turn
Drawing = Callable[[Axes, pd.DataFrame], None]
TINY = 1e-30  # what is 0 cannot be drawn on a logarithmic scale


def parts(table: pd.DataFrame) -> list[str]:
    """A report's parts, from `Watch.table()`: how far gates stand open, what they let through, gradients and updates."""
    drawn = [
        page.heading("Inside, epoch by epoch"),
        page.paragraph(
            "The same few samples after every epoch, dropout off; epoch 0 is before training. All numbers: watched.csv."
        ),
    ]
    pictures = []
    if table["mean"].notna().any():
        pictures += [
            inline(
                by_layer(table, "mean", "How far gates stand open: mean, and the spread about it", open_gates),
                "Look for a forget gate that rises, the layer learns to remember, or whose band widens: it learns to choose. "
                "An LSTM's begins near .73, which is σ(1), by the bias of 1 that it starts with.",
            ),
            inline(
                by_layer(table, "mean", "Saturated gates", saturation),
                "The share wide open upwards, the share shut downwards. Look for a line that nears 1 either way: such a gate "
                "hardly learns any more.",
            ),
        ]
    if table["size"].notna().any():
        pictures += [
            inline(
                by_layer(table, "size", "What flows through, mean absolute values", flows),
                "Look for a cell c that grows and grows: tanh then says 1 whatever is added; and for an h near 0, a layer "
                "that says nothing.",
            ),
            inline(
                by_layer(table, "size", "Gradient by the state h", through_time),
                "Look for the gap: where the first step gets far less than the last, the gradient vanishes on its way back, "
                "and the beginning of a sequence has no say in what is learnt.",
            ),
            inline(
                by_layer(table, "size", "Gradient by the weights of each gate", gradient_of_gates),
                "Look for a gate far below the others: it is hardly being taught.",
            ),
        ]
    whole = [
        inline(
            of_network(table, "Gradient by the weights of each layer", gradients),
            "Look for a line that falls by factors of ten below the others, a vanishing gradient, or one that shoots up, an "
            "exploding one.",
        ),
        inline(
            of_network(table, "The epoch's last step, as a share of the weights", updates),
            "Look for about a thousandth, the dotted line: a hundredth is restless, a millionth stands still. A learning "
            "rate that falls takes it down.",
        ),
    ]
    if table["layer"][table["size"].notna()].nunique() > 1:
        return [*drawn, *pictures, page.row(*whole)]  # those are as wide as the page by themselves
    return [*drawn, page.row(*pictures, *whole)]


# -- one picture for each layer, side by side --------------------------------------------------------------------------


def by_layer(table: pd.DataFrame, column: str, title: str, drawing: Drawing) -> Figure:
    """drawing(ax, the layer's rows) for each layer that has numbers in the column, on one scale, two beside each other."""
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
    handles = {name: line for ax in fig.axes for line, name in zip(*ax.get_legend_handles_labels(), strict=True)}
    fig.legend(handles.values(), handles.keys(), fontsize=8, loc="outside right center")
    fig.suptitle(title, fontsize=11)
    fig.supxlabel("epoch", fontsize=10)
    return fig


def open_gates(ax: Axes, own: pd.DataFrame) -> None:
    for gate, rows in _quantities(own[own["mean"].notna()]):
        _line(ax, rows["epoch"], rows["mean"], STYLES[gate], gate)
        band = rows["mean"] - rows["spread"], rows["mean"] + rows["spread"]
        ax.fill_between(rows["epoch"], *band, color=STYLES[gate][0], alpha=0.1, lw=0)
    ax.set_ylim(-0.02, 1.02)


def saturation(ax: Axes, own: pd.DataFrame) -> None:
    ax.axhline(0, color=GREY, lw=0.8)
    for gate, rows in _quantities(own[own["mean"].notna()]):
        _line(ax, rows["epoch"], rows["high"], STYLES[gate], gate)
        _line(ax, rows["epoch"], -rows["low"], STYLES[gate])
    ax.set(ylim=(-1.05, 1.05), ylabel=f"below {LOW:g}    above {HIGH:g}".replace("0.", "."))
    ax.set_yticks([-1, -0.5, 0, 0.5, 1], ["1", ".5", "0", ".5", "1"])


def flows(ax: Axes, own: pd.DataFrame) -> None:
    ax.axhline(
        0, color=GREY, lw=0.8
    )  # seen, and by it the scale begins there; a limit that is set would hold for all layers
    for quantity, rows in _quantities(own[own["size"].notna()]):
        _line(ax, rows["epoch"], rows["size"], STYLES[quantity], f"|{quantity}|")


def through_time(ax: Axes, own: pd.DataFrame) -> None:
    for which, style in (("last", (BLUE, "-")), ("first", (ORANGE, "--"))):
        rows = own[own["quantity"] == f"h at the {which} step"]
        _line(ax, rows["epoch"], rows["gradient"].clip(lower=TINY), style, f"{which} step read")
    ax.set_yscale("log")


def gradient_of_gates(ax: Axes, own: pd.DataFrame) -> None:
    """Each gate's columns of all the layer's weights together; a layer without gates has only the whole."""
    gate = own["quantity"].str.partition("/")[2]
    gates = [g for g in gate.unique() if g]
    for name in gates or ["h"]:
        rows = own[gate == name] if gates else own[own["weight"].notna()]
        norm = _together(rows, rows["gradient"])
        _line(ax, norm.index, norm.clip(lower=TINY), STYLES[name], name)
    ax.set_yscale("log")


# -- one picture for the whole network ---------------------------------------------------------------------------------


def of_network(table: pd.DataFrame, title: str, drawing: Drawing) -> Figure:
    """drawing(ax, table), a line a layer."""
    fig = Figure(figsize=(5.6, 2.9), layout="constrained")
    ax = fig.subplots()
    drawing(ax, table)
    ax.set_xlabel("epoch")
    fig.suptitle(title, fontsize=11)
    ax.legend(fontsize=8, loc="best")
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
    """Each layer's rows of whole weights."""
    whole = table[table["weight"].notna() & ~table["quantity"].str.contains("/")]
    yield from whole.groupby("layer", sort=False)


def _together(rows: pd.DataFrame, norms: pd.Series) -> pd.Series:
    """By epoch: the norm of all the rows' arrays as one, from their norms."""
    return np.sqrt((norms**2).groupby(rows["epoch"]).sum())


def _quantities(own: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    yield from own.groupby("quantity", sort=False)


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
