"""The benchmark's pictures: ratios with their spread, growth in log-log, and the roofline."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from experiments.bench.run import BASE, SIZES
from experiments.bench.sides import ENGINE, SIDES, title
from experiments.bench.task import shape_words
from experiments.reports.pictures import BLUE, GREY, ORANGE, figure, legend_below

COLOURS = {
    ENGINE: BLUE, "torch": ORANGE, "keras-jax": "#009E73", "keras-tensorflow": "#CC79A7", "keras-torch": "#E69F00",
    "onnxruntime": "#56B4E9", "numpy": GREY,
}  # fmt: skip
MARKERS = dict(zip(SIDES, "osD^vPX", strict=True))


def plain_numbers(axis: Axis) -> None:
    """1, 2, 5, 10 on a logarithmic axis, in place of powers."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_locator(NullLocator())


def ratios(entries: Sequence[dict[str, Any]], heading: str) -> Figure:
    """One row a shape, one mark a peer: the engine's time as a share of the peer's; the bar holds 80 % of the rounds."""
    fig, (ax,) = figure(1, 1.2 + 0.5 * len(entries))
    fig.set_figwidth(8)
    peers = [name for name in SIDES if name != ENGINE and any(name in e["sides"] for e in entries)]
    for k, name in enumerate(peers):
        shares = [(row, e["sides"][name]["engine_ratio"]) for row, e in enumerate(entries) if name in e["sides"]]
        middle = np.array([r["median"] for _, r in shares])
        ends = np.array([[r["median"] - r["low"], r["high"] - r["median"]] for _, r in shares]).T
        places = [row + 0.6 * ((k + 0.5) / len(peers) - 0.5) for row, _ in shares]
        ax.errorbar(middle, places, xerr=ends, fmt=MARKERS[name], ms=5, color=COLOURS[name], lw=1.2, label=title(name))
    ax.axvline(1, color=GREY, ls="--", lw=1)
    ax.set_xscale("log")
    ax.set_yticks(range(len(entries)), [shape_words(e["shape"]) for e in entries])
    ax.set_ylim(len(entries) - 0.5, -0.5)
    ax.set_ylabel("T, D, H, B")
    ax.set(xlabel="engine's time / peer's time (left of the line the engine is faster)", title=heading)
    plain_numbers(ax.xaxis)
    legend_below(fig)
    return fig


def growth(result: dict[str, Any]) -> Figure:
    """A training step's time along T, B and H with the line that fits it best in log-log; the legend gives its slope."""
    fig, axes = figure(3, 4.2)
    for ax, axis in zip(axes, SIZES, strict=True):
        entries = [e for e in result["entries"] if e["axis"] == axis]
        sizes = np.array(SIZES[axis], dtype=float)
        for name, slope in ((name, result["slopes"][axis][name]) for name in SIDES if name in result["slopes"][axis]):
            ms = np.array([e["sides"][name]["ms"]["median"] for e in entries])
            ax.loglog(sizes, ms, MARKERS[name], ms=5, color=COLOURS[name], label=f"{title(name)}: {slope:.2f}")
            fitted = np.exp(np.log(ms).mean() + slope * (np.log(sizes) - np.log(sizes).mean()))
            ax.loglog(sizes, fitted, color=COLOURS[name], lw=1)
        fixed = ", ".join(f"{other}={getattr(BASE, other)}" for other in ("T", "D", "H", "B") if other != axis)
        ax.set(xlabel=axis, title=f"time ∝ {axis}^slope  ({fixed})")
        plain_numbers(ax.yaxis)
        ax.set_xticks(SIZES[axis], map(str, SIZES[axis]))
        ax.minorticks_off()
        ax.legend(fontsize=7.5, loc="upper center", bbox_to_anchor=(0.5, -0.18), frameon=False)
    seen = [side["ms"]["median"] for e in result["entries"] for side in e["sides"].values()]
    for ax in axes:
        ax.set_ylim(min(seen) / 1.5, max(seen) * 1.5)
    axes[0].set_ylabel("ms a training step")
    return fig


def roofline(entries: Sequence[dict[str, Any]]) -> Figure:
    """Each shape's training step under the roof: bytes times the copy rate, and flops at sgemm's rate."""
    fig, (ax,) = figure(1, 4.2)
    fig.set_figwidth(8)
    sgemm = np.median([e["sgemm_gflops"]["median"] for e in entries])
    copy = np.median([e["copy_gb_s"]["median"] for e in entries])
    at = [e["flops"] / e["bytes"] for e in entries]
    reach = np.geomspace(min(*at, sgemm / copy) / 2, max(*at, sgemm / copy) * 2, 200)  # flops a byte
    ax.loglog(
        reach, np.minimum(sgemm, reach * copy), color=GREY, lw=1.5, label=f"roof: {sgemm:.0f} GFLOP/s, {copy:.0f} GB/s"
    )
    for name in [name for name in (ENGINE, "torch") if any(name in e["sides"] for e in entries)]:
        points = [
            (x, e["sides"][name]["gflops"]["median"]) for x, e in zip(at, entries, strict=True) if name in e["sides"]
        ]
        ax.loglog(*zip(*points, strict=True), MARKERS[name], color=COLOURS[name], ms=6, label=title(name))
    for n, (x, e) in enumerate(sorted(zip(at, entries, strict=True), key=lambda point: point[0])):
        place = (5, 5) if n % 2 else (5, -11)  # above or below, so that neighbours' names do not meet
        rate = e["sides"][ENGINE]["gflops"]["median"]
        ax.annotate(e["shape"]["name"], (x, rate), place, textcoords="offset points", fontsize=8)
    ax.set(
        xlabel="flops a byte of traffic, both counted",
        ylabel="GFLOP/s",
        title="training steps under the machine's roof",
    )
    plain_numbers(ax.xaxis)
    plain_numbers(ax.yaxis)
    legend_below(fig)
    return fig
