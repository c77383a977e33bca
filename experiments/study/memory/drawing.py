"""The study's pictures. A cell has one colour in all of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from experiments.reports.pictures import BLUE, GREY, ORANGE, legend_below
from experiments.study.finish import panels
from experiments.study.memory import beside_keras
from experiments.study.memory.settings import CELLS, TITLES, Point
from experiments.study.seeds import Result

LOOKS = {  # in the palette of Okabe & Ito, which suits all eyes
    "rnn": {"color": ORANGE, "marker": "v"},
    "gru": {"color": "#E69F00", "marker": "s"},
    "lstm0": {"color": "#56B4E9", "marker": "^"},
    "lstm1": {"color": BLUE, "marker": "o"},
    "chrono": {"color": "#009E73", "marker": "D"},
    "peephole": {"color": "#CC79A7", "marker": "P"},
}
FLOOR = 1e-20  # smaller gradients are drawn as this
Results = Mapping[Point, Sequence[Result]]


def success(results: Results, limit: int) -> Figure:
    """Two rows of one panel per task: the share of seeds that solved it, and the sequences each needed, against the lag."""
    tasks, cells, lags = _names(results)
    fig, axes = panels(2, len(tasks), (_width(tasks), 6.2), sharey="row", sharex=True)
    for (share, needed), task in zip(axes.T, tasks, strict=True):
        for n, cell in enumerate(cells):
            shift = n - (len(cells) - 1) / 2
            by_lag = {p.lag: r for p, r in results.items() if (p.task, p.cell) == (task, cell)}
            at = [lags.index(lag) for lag in by_lag]
            solved = [np.mean([result["sequences"] is not None for result in of_lag]) for of_lag in by_lag.values()]
            share.plot(at, np.array(solved) + 0.014 * shift, lw=1.8, ms=5, label=CELLS[cell].name, **LOOKS[cell])
            for k, of_lag in zip(at, by_lag.values(), strict=True):
                for result in of_lag:
                    y = result["sequences"] or 1.25 * limit
                    cross = {} if result["sequences"] else {"marker": "x"}
                    needed.plot(k + 0.12 * shift, y, ls="", ms=4, alpha=0.8, **LOOKS[cell] | cross)
        share.set(title=TITLES[task], ylim=(-0.09, 1.09))
        needed.axhline(1.08 * limit, color=GREY, lw=0.8, ls=":")
        needed.set(yscale="log", xlabel="lag, steps", xticks=range(len(lags)), xticklabels=lags)
        needed.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        needed.yaxis.set_major_formatter("{x:,.0f}")
        needed.yaxis.set_minor_locator(NullLocator())
    axes[0, 0].set_ylabel("share of seeds that solved it")
    axes[1, 0].set_ylabel("sequences needed (cross: not solved)")
    legend_below(fig, axes[0, 0])
    return fig


def curves(shown: Results) -> Figure:
    """One panel per task: the error against sequences, one line per seed."""
    tasks, cells, _ = _names(shown)
    fig, axes = panels(1, len(tasks), (_width(tasks), 3.4))
    for ax, task in zip(axes[0], tasks, strict=True):
        for cell in cells:
            results = next((r for p, r in shown.items() if (p.task, p.cell) == (task, cell)), [])
            for k, result in enumerate(results):
                n, error = np.array(result["curve"], float).T
                ax.plot(n, error, color=LOOKS[cell]["color"], lw=1.1, alpha=0.8, label=None if k else CELLS[cell].name)
                if result["sequences"] is not None:
                    ax.plot(n[-1], error[-1], color=LOOKS[cell]["color"], marker="o", ms=4)
        ax.set(title=TITLES[task], xlabel="sequences", ylim=(0, None))
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.xaxis.set_major_formatter("{x:,.0f}")
    axes[0, 0].set_ylabel("mean absolute error")
    legend_below(fig, axes[0, 0])
    return fig


MEASURED_H, MEASURED_C = {"color": BLUE, "lw": 1.3, "alpha": 0.85}, {"color": ORANGE, "lw": 1.3, "alpha": 0.85}
THEORY, BOUND = {"color": "black", "ls": "--", "lw": 1.0, "alpha": 0.7}, {"color": GREY, "ls": ":", "lw": 1.2}


def gradients(by_cell: Mapping[str, Sequence[Result]]) -> Figure:
    """One column per cell, before training above and after it below: what is left of a gradient, against the lag.

    A training that diverged has no line after training.
    """
    fig, axes = panels(2, len(by_cell), (2.9 * len(by_cell) + 0.5, 5.4), sharex=True, sharey="row")
    for column, (cell, results) in zip(axes.T, by_cell.items(), strict=True):
        for ax, when in zip(column, ("before", "after"), strict=True):
            for k, result in enumerate(r for r in results if r[when] is not None):
                for name, values, style in lines(result[when]):
                    ax.plot(np.maximum(values, FLOOR), label=None if k else name, **style)
            ax.set(yscale="log")
        column[0].set_title(CELLS[cell].name, fontsize=10)
        column[1].set_xlabel("k, steps before the end")
        column[1].legend(fontsize=7.5, loc="upper center", bbox_to_anchor=(0.5, -0.28), frameon=False)
    axes[0, 0].set_ylabel("before training")
    axes[1, 0].set_ylabel("after training")
    return fig


def lines(measured: Mapping[str, Any]) -> Iterator[tuple[str, np.ndarray, dict[str, Any]]]:
    """The lines of a panel: what `gradients.measure` measured, then what theory predicts, for k = 0, 1, ... steps back.

    Each is its name in the legend, its values and its style.
    """
    h = np.array(measured["h"])
    yield r"$\|\partial h_T / \partial h_{T-k}\|$", h, MEASURED_H
    if "c" in measured:
        yield r"$\|\partial c_T / \partial c_{T-k}\|$", np.array(measured["c"]), MEASURED_C
    if "along" in measured:
        yield "product of f" if "c" in measured else "product of z", np.array(measured["along"]), THEORY
        return
    k = np.arange(len(h))
    yield r"$(\rho\ \overline{1-h^2})^k$", (measured["radius"] * measured["slope"]) ** k, THEORY
    yield r"$\rho^k$", measured["radius"] ** k, BOUND


def reach_of(result: Mapping[str, Any], when: str) -> float:
    """What is left of a gradient at the first step that was measured: through the cell state where there is one."""
    return result[when].get("c", result[when]["h"])[-1]


def reach(results: Results) -> Figure:
    """Solved or not, against what is left of a gradient before training: one panel per task, one dot per training."""
    tasks, cells, _ = _names(results)
    fig, axes = panels(1, len(tasks), (_width(tasks), 2.9), sharey=True, sharex=True)
    for ax, task in zip(axes[0], tasks, strict=True):
        for n, cell in enumerate(cells):
            dots = [result for p, r in results.items() if (p.task, p.cell) == (task, cell) for result in r]
            if not dots:
                continue
            x = [max(reach_of(result, "before"), FLOOR) for result in dots]
            y = [(result["sequences"] is not None) + 0.05 * (n - len(cells) / 2) for result in dots]
            ax.plot(x, y, ls="", ms=4, alpha=0.7, label=CELLS[cell].name, **LOOKS[cell])
        ax.set(title=TITLES[task], xscale="log", xlabel="gradient left at the first steps", yticks=[0, 1])
        ax.set_yticklabels(["not", "solved"])
    legend_below(fig, axes[0, 0])
    return fig


SIDES = {  # the looks of the sides of `beside_keras`
    "engine": (BLUE, "o", "engine"),
    "reversed": (GREY, "s", "engine, batches reversed"),
    "keras": (ORANGE, "x", "Keras"),
}


def beside(sides: Mapping[str, Sequence[Result]]) -> Figure:
    """Sequences needed by seed and side, and all learning curves."""
    fig, ((needed, curve),) = panels(1, 2, (9.2, 3.4))
    for n, (side, results) in enumerate(sides.items()):
        colour, marker, name = SIDES[side]
        at = [result["seed"] + 0.15 * (n - 1) for result in results]
        y = [result["sequences"] or np.nan for result in results]
        needed.plot(at, y, ls="", marker=marker, color=colour, label=name)
        for result in results:
            line = "--" if side == "keras" else "-"
            curve.plot(*np.array(result["curve"]).T, color=colour, lw=1, ls=line, alpha=0.8)
    title = f"{TITLES[beside_keras.POINT.task]}, lag {beside_keras.POINT.lag}"
    needed.set(xlabel="seed", ylabel="sequences needed", ylim=(0, None), title=title)
    needed.xaxis.get_major_locator().set_params(integer=True)
    legend_below(fig, needed)
    curve.set(xlabel="sequences", ylabel="mean absolute error", ylim=(0, None), title="learning curves of all seeds")
    return fig


def _names(results: Results) -> tuple[list[str], list[str], list[int]]:
    """Tasks, cells and lags that there are, in the study's order."""
    return (
        [task for task in TITLES if any(p.task == task for p in results)],
        [cell for cell in CELLS if any(p.cell == cell for p in results)],
        sorted({p.lag for p in results}),
    )


def _width(tasks: list[str]) -> float:
    """Inches: a panel for each task, and at least what the names of all cells need."""
    return max(3.4 * len(tasks), 10.2)
