"""The study's pictures. A cell has one colour in all of them."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from experiments.reports.pictures import BLUE, GREY, ORANGE
from experiments.study.memory import beside_keras
from experiments.study.memory.cells import CELLS
from experiments.study.memory.points import Point
from experiments.study.memory.settings import TITLES

# The palette of Okabe & Ito, which suits all eyes.
COLOURS = {
    "rnn": ORANGE, "gru": "#E69F00", "lstm0": "#56B4E9", "lstm1": BLUE, "chrono": "#009E73", "peephole": "#CC79A7",
}  # fmt: skip
MARKERS = {"rnn": "v", "gru": "s", "lstm0": "^", "lstm1": "o", "chrono": "D", "peephole": "P"}
FLOOR = 1e-20  # gradients below are drawn as this
Results = list[dict[str, Any]]


def success(found: Mapping[Point, Results], limit: int) -> Figure:
    """Two rows of a panel a task: the share of seeds that solved it, and how many sequences each needed, against the lag."""
    tasks, cells, lags = _names(found)
    fig = Figure(figsize=(_width(tasks), 6.2), layout="constrained")
    axes = fig.subplots(2, len(tasks), squeeze=False, sharey="row", sharex=True)
    for (share, needed), task in zip(axes.T, tasks, strict=True):
        for n, cell in enumerate(cells):
            shift = n - (len(cells) - 1) / 2
            own = {p.lag: r for p, r in found.items() if (p.task, p.cell) == (task, cell)}
            at = [lags.index(lag) for lag in own]
            solved = [np.mean([one["sequences"] is not None for one in r]) for r in own.values()]
            look = {"color": COLOURS[cell], "marker": MARKERS[cell], "ms": 5}
            share.plot(at, np.array(solved) + 0.014 * shift, lw=1.8, label=CELLS[cell].name, **look)
            for k, results in zip(at, own.values(), strict=True):
                for one in results:
                    there = one["sequences"] is not None
                    n_needed, marker = (one["sequences"], MARKERS[cell]) if there else (1.25 * limit, "x")
                    needed.plot(k + 0.12 * shift, n_needed, ls="", **look | {"marker": marker, "ms": 4, "alpha": 0.8})
        share.set(title=TITLES[task], ylim=(-0.09, 1.09))
        needed.axhline(1.08 * limit, color=GREY, lw=0.8, ls=":")
        needed.set(yscale="log", xlabel="lag, steps", xticks=range(len(lags)), xticklabels=lags)
        needed.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        needed.yaxis.set_major_formatter("{x:,.0f}")
        needed.yaxis.set_minor_locator(NullLocator())
    axes[0, 0].set_ylabel("share of seeds that solved it")
    axes[1, 0].set_ylabel("sequences needed (cross: not solved)")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(cells), frameon=False)
    _plain(axes)
    return fig


def curves(shown: Mapping[Point, Results]) -> Figure:
    """A panel a task: the error against sequences, a line a seed."""
    tasks, cells, _ = _names(shown)
    fig = Figure(figsize=(_width(tasks), 3.4), layout="constrained")
    axes = fig.subplots(1, len(tasks), squeeze=False)
    for ax, task in zip(axes[0], tasks, strict=True):
        for cell in cells:
            for k, one in enumerate(shown.get(_point(shown, task, cell), [])):
                n, error = np.array(one["curve"], float).T
                ax.plot(n, error, color=COLOURS[cell], lw=1.1, alpha=0.8, label=None if k else CELLS[cell].name)
                if one["sequences"] is not None:
                    ax.plot(n[-1], error[-1], color=COLOURS[cell], marker="o", ms=4)
        ax.set(title=TITLES[task], xlabel="sequences", ylim=(0, None))
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.xaxis.set_major_formatter("{x:,.0f}")
    axes[0, 0].set_ylabel("mean absolute error")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(cells), frameon=False)
    _plain(axes)
    return fig


def gradients(by_cell: Mapping[str, Results]) -> Figure:
    """A column a cell, before training above and after it below: what is left of a gradient, against the lag.

    A training that diverged has no line after it.
    """
    fig = Figure(figsize=(2.9 * len(by_cell) + 0.5, 5.4), layout="constrained")
    axes = fig.subplots(2, len(by_cell), squeeze=False, sharex=True, sharey="row")
    for column, (cell, results) in zip(axes.T, by_cell.items(), strict=True):
        for ax, when in zip(column, ("before", "after"), strict=True):
            for k, one in enumerate(r for r in results if r[when] is not None):
                for (name, values), style in zip(lines(one[when]), STYLES[_kind(one[when])], strict=True):
                    ax.plot(np.maximum(values, FLOOR), label=None if k else name, **style)
            ax.set(yscale="log")
        column[0].set_title(CELLS[cell].name, fontsize=10)
        column[1].set_xlabel("k, steps before the end")
        column[0].legend(fontsize=7.5, loc="lower left")
    axes[0, 0].set_ylabel("before training")
    axes[1, 0].set_ylabel("after training")
    _plain(axes)
    return fig


MEASURED_H, MEASURED_C = {"color": BLUE, "lw": 1.3, "alpha": 0.85}, {"color": ORANGE, "lw": 1.3, "alpha": 0.85}
THEORY, BOUND = {"color": "black", "ls": "--", "lw": 1.0, "alpha": 0.7}, {"color": GREY, "ls": ":", "lw": 1.2}
STYLES = {
    "SimpleRNN": (MEASURED_H, THEORY, BOUND),
    "LSTM": (MEASURED_H, MEASURED_C, THEORY),
    "GRU": (MEASURED_H, THEORY),
}


def _kind(measured: Mapping[str, Any]) -> str:
    return "SimpleRNN" if "radius" in measured else "LSTM" if "c" in measured else "GRU"


def lines(measured: Mapping[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
    """What `gradients.measure` found and what theory says, by its name, against k = 0, 1, ..."""
    h = np.array(measured["h"])
    yield r"$\|\partial h_T / \partial h_{T-k}\|$", h
    if "c" in measured:
        yield r"$\|\partial c_T / \partial c_{T-k}\|$", np.array(measured["c"])
    if "along" in measured:
        yield "product of f" if "c" in measured else "product of z", np.array(measured["along"])
        return
    k = np.arange(len(h))
    yield r"$(\rho\ \overline{1-h^2})^k$", (measured["radius"] * measured["slope"]) ** k
    yield r"$\rho^k$", measured["radius"] ** k


def reach_of(one: Mapping[str, Any], when: str) -> float:
    """What is left of a gradient at the first step that was looked at: by the cell where there is one."""
    return one[when].get("c", one[when]["h"])[-1]


def reach(found: Mapping[Point, Results]) -> Figure:
    """Solved or not, against what is left of a gradient before training: a panel a task, a dot a training."""
    tasks, cells, _ = _names(found)
    fig = Figure(figsize=(_width(tasks), 2.9), layout="constrained")
    axes = fig.subplots(1, len(tasks), squeeze=False, sharey=True, sharex=True)
    for ax, task in zip(axes[0], tasks, strict=True):
        for n, cell in enumerate(cells):
            own = [one for p, r in found.items() if (p.task, p.cell) == (task, cell) for one in r]
            if not own:
                continue
            x = [max(reach_of(one, "before"), FLOOR) for one in own]
            y = [(one["sequences"] is not None) + 0.05 * (n - len(cells) / 2) for one in own]
            look = {"color": COLOURS[cell], "marker": MARKERS[cell], "label": CELLS[cell].name}
            ax.plot(x, y, ls="", ms=4, alpha=0.7, **look)
        ax.set(title=TITLES[task], xscale="log", xlabel="gradient left at the first steps", yticks=[0, 1])
        ax.set_yticklabels(["not", "solved"])
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(cells), frameon=False)
    _plain(axes)
    return fig


def beside(sides: Mapping[str, Results]) -> Figure:
    """Sequences needed by seed and side, and the curves of all."""
    fig = Figure(figsize=(9.2, 3.4), layout="constrained")
    needed, curve = fig.subplots(1, 2)
    looks = {
        "engine": (BLUE, "o", "engine"),
        "reversed": (GREY, "s", "engine, batches reversed"),
        "keras": (ORANGE, "x", "Keras"),
    }
    for n, (side, results) in enumerate(sides.items()):
        colour, marker, name = looks[side]
        at = [one["seed"] + 0.15 * (n - 1) for one in results]
        needed.plot(at, [one["sequences"] or np.nan for one in results], ls="", marker=marker, color=colour, label=name)
        for one in results:
            n_, error = np.array(one["curve"]).T
            curve.plot(n_, error, color=colour, lw=1, ls="--" if side == "keras" else "-", alpha=0.8)
    needed.set(
        xlabel="seed",
        ylabel="sequences needed",
        ylim=(0, None),
        title=f"{TITLES[beside_keras.TASK]}, lag {beside_keras.LAG}",
    )
    needed.xaxis.get_major_locator().set_params(integer=True)
    needed.legend(fontsize=8)
    curve.set(xlabel="sequences", ylabel="mean absolute error", ylim=(0, None), title="every seed's learning curve")
    _plain(np.array([[needed, curve]]))
    return fig


def _names(found: Mapping[Point, Any]) -> tuple[list[str], list[str], list[int]]:
    """Tasks, cells and lags that there are, in the study's order."""
    return (
        [task for task in TITLES if any(p.task == task for p in found)],
        [cell for cell in CELLS if any(p.cell == cell for p in found)],
        sorted({p.lag for p in found}),
    )


def _width(tasks: list[str]) -> float:
    """Inches: a panel a task, and never less than the names of all cells take."""
    return max(3.4 * len(tasks), 9.0)


def _point(shown: Mapping[Point, Any], task: str, cell: str) -> Point | None:
    return next((p for p in shown if (p.task, p.cell) == (task, cell)), None)


def _plain(axes: np.ndarray) -> None:
    ax: Axes
    for ax in axes.ravel():
        ax.grid(alpha=0.25)
        ax.spines[["top", "right"]].set_visible(False)
