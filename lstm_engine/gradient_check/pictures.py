"""Pictures of a gradient check for files: a heat map per parameter, and the error of differences by their step.

Only this module imports matplotlib, and it is imported when a picture is drawn. The colours suit colour-blind readers: blue
passes, orange fails, and hatched elements were not checked. The page of a report (`page.py`) draws its maps itself.
"""

from __future__ import annotations

import base64
import io
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.figure import Figure

from ..activations import Array
from ..plain_text import as_written
from .numeric import ROUNDING
from .planes import EXACT, LARGEST, NO_NUMBER, Plane, finding, plane_of, pooled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

    from .curve import Curve
    from .report import Report

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"  # Okabe & Ito's, for colour-blind readers too
# Two halves that meet at the tolerance and share no shade: light to full blue, pale to full orange. Black: not a number.
HALVES = [(0.0, "#dceaf6"), (0.5, "#5b9bc9"), (0.5, "#ffd591"), (1.0, "#c84a00")]
ERRORS = LinearSegmentedColormap.from_list("errors", HALVES).with_extremes(over="black")
STYLES = {
    "central": ("central difference", BLUE, "o", 4),
    "richardson": ("Richardson extrapolation", GREEN, "s", 4),
    "complex": ("complex step", ORANGE, "^", 7),
}


# -- a heat map --------------------------------------------------------------------------------------------------------


def heat_map(report: Report, parameter: str) -> Figure:
    """The relative error of every element of a parameter that was checked, in colours that change at the tolerance.

    Weights as they are, (D, 4H) with their gates side by side; a bias with a line per gate; x (N, T, D) with the steps from
    left to right and the features of each sample one below the other. KeyError for a parameter that was not checked.
    """
    plane = plane_of(report, parameter)
    RG, R, CG, C = plane.errors.shape
    cells, down, across = pooled(plane.errors)
    inches = float(np.clip(0.06 * RG * R, 0.3 * min(RG, 12), 4.0))
    fig = Figure(figsize=(9.2, max(inches + 1.5, 2.4)), layout="constrained")
    ax = fig.subplots()
    ax.patch.set(facecolor="#f6f6f6", hatch="////", edgecolor="#bbbbbb", linewidth=0)  # visible where there is no cell
    norm = TwoSlopeNorm(float(np.clip(np.log10(report.tol), EXACT + 1, LARGEST - 1)), EXACT, LARGEST)
    mesh = ax.pcolormesh(across, down, np.ma.masked_invalid(cells), cmap=ERRORS, norm=norm)
    ax.invert_yaxis()
    for n in range(1, RG):
        ax.axhline(n * R, color="white", lw=2.5)
    for n in range(1, CG):
        ax.axvline(n * C, color="white", lw=2.5)
    label_axes(ax, plane)
    label_colours(fig, ax, mesh, report.tol, height=inches)
    several = int((down[1] - down[0]) * (across[1] - across[0]))
    worst = f", a cell the worst of {several}" if several > 1 else ""
    fig.suptitle(
        f"{finding(report, parameter)}\nrelative error of its elements, {report.arrays[parameter][0].shape}{worst}",
        fontsize=9.5,
    )
    fig.supxlabel(caption(plane, cells), fontsize=8.5, color=GREY)
    as_written(fig)
    return fig


def caption(plane: Plane, cells: Array) -> str:
    """Below the heat map: what to look for in it."""
    look = "a gate, a row or a column that is orange throughout points at one term."
    if plane.columns == "step":
        look = (
            "the backward pass comes from the right (to a layer that reads backwards: from the left)\n"
            "and errs where orange begins."
        )
    black = " Black: not a number." if (cells == NO_NUMBER).any() else ""
    hatched = " Hatched: not checked." if np.isnan(cells).any() else ""
    return f"Orange fails the tolerance: {look}{black}{hatched}"


def label_axes(ax: Axes, plane: Plane) -> None:
    RG, R, CG, C = plane.errors.shape
    ax.set(xlabel=plane.columns, ylabel=plane.rows)
    ax.tick_params(labelsize=8)
    if RG > 1:
        every = -(-RG // 12)  # at most twelve names
        ax.set_yticks((np.arange(0, RG, every) + 0.5) * R, plane.row_groups[::every])
    elif R == 1:
        ax.set_yticks([])
    else:
        ax.set_yticks(*numbered(R, 8))
    at, numbers = numbered(C, 12 // CG)
    ax.set_xticks((np.arange(CG)[:, None] * C + at).reshape(-1), numbers * CG)
    if CG > 1:
        top = ax.secondary_xaxis("top")
        top.set_xticks((np.arange(CG) + 0.5) * C, plane.column_groups)
        top.tick_params(length=0, labelsize=9)


def numbered(n: int, most: int) -> tuple[Array, list[str]]:
    """Ticks in the middle of every cell, or of every second, fifth, tenth, ..., with their numbers."""
    every = next(m * 10**k for k in range(12) for m in (1, 2, 5) if n <= most * m * 10**k)
    # no last tick so near the end that it touches the next gate's first
    at = np.arange(0, max(n - every // 2, 1), every)
    return at + 0.5, [str(k) for k in at]


def label_colours(fig: Figure, ax: Axes, mesh: ScalarMappable, tol: float, height: float) -> None:
    bar = fig.colorbar(mesh, ax=ax, aspect=max(6.0, height / 0.2), pad=0.01)
    at = float(np.log10(tol))
    words = {
        EXACT: "exact",
        (EXACT + at) / 2: "passes",
        at: f"{tol:.0e}, the tolerance",
        at / 2: "fails",
        0.0: "100 % off",
    }
    bar.set_ticks(list(words), labels=list(words.values()))
    bar.ax.tick_params(labelsize=8)
    bar.ax.axhline(at, color="black", lw=1.5)


# -- the error curve ---------------------------------------------------------------------------------------------------


def error_curve(curve: Curve) -> Figure:
    """The relative error of every method by its step, on logarithmic axes, with the two lines of the U."""
    fig = Figure(figsize=(8.2, 4.8), layout="constrained")
    ax = fig.subplots()
    ax.set(
        xscale="log", yscale="log", xlabel="step h", ylabel="relative error (0 is drawn at 1e-17)", ylim=(3e-18, 1e3)
    )
    ax.invert_xaxis()  # from large steps to small ones
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
    for method, errors in curve.errors.items():
        name, colour, marker, size = STYLES[method]
        drawn = np.maximum(errors, 10.0**EXACT)
        best = curve.best.get(method)
        label = name if best is None else f"{name}; ringed: the step of {best:.0e} that gradcheck takes"
        ax.plot(curve.steps, drawn, color=colour, marker=marker, ms=size, mfc="none", lw=1.2, label=label)
        if best is not None:
            at = np.isclose(curve.steps, best, rtol=1e-6)
            ax.plot(curve.steps[at], drawn[at], "ko", ms=13, mfc="none", mew=1.6, gid=f"best {method}")
    slopes(ax, curve)
    ax.set_title(f"The derivative of the loss along one direction in {curve.parameter}", fontsize=10)
    ax.legend(fontsize=8, loc="upper left")
    fig.supxlabel(
        "A smaller step reduces the error of the formula, until the rounding of the loss is larger: so the curve is a U.\n"
        "The complex step subtracts nothing, so its error does not rise again.",
        fontsize=8.5,
        color=GREY,
    )
    as_written(fig)
    return fig


def slopes(ax: Axes, curve: Curve) -> None:
    """Two thin lines: h² through the central difference's error at 1e-2, and the rounding of the loss, ε |loss| / h."""
    h = curve.steps
    rounding = ROUNDING * abs(curve.loss / curve.derivative) / h
    ax.plot(h, rounding, color=GREY, lw=0.9, ls="--", gid="rounding")
    write = partial(ax.annotate, textcoords="offset points", fontsize=8.5, color=GREY)
    middle = int(np.argmin(np.abs(np.log10(h) + 12)))  # no other line is near there
    write("rounding: ε |loss| / h", (h[middle], rounding[middle]), (14, -14))
    if "central" in curve.errors:
        at = int(np.argmin(np.abs(np.log10(h) + 2)))
        ax.plot(h, curve.errors["central"][at] * (h / h[at]) ** 2, color=GREY, lw=0.9, ls=":", gid="truncation")
        write("truncation: h²", (h[at], curve.errors["central"][at]), (10, 4))


def image(fig: Figure, alt: str) -> str:
    """An HTML image that contains the picture; alt is escaped already."""
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=100, metadata={"Software": None})
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{alt}" style="max-width: 100%; background: white" src="data:image/png;base64,{data}">'
