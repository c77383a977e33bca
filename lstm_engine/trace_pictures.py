"""The picture of `trace.plot()`: gates and states of a layer as maps, a row a unit and a column a step.

matplotlib or plotly is imported when a picture is drawn, and not before.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .activations import Array
from .plain_text import as_written
from .trace import LayerTrace

LIBRARIES = ("matplotlib", "plotly")
TITLES = {
    "i": "i, input gate",
    "f": "f, forget gate",
    "g": "g, candidate",
    "o": "o, output gate",
    "c": "c, cell",
    "z": "z, update gate",
    "r": "r, reset gate",
    "candidate": "ĥ, candidate",
    "h": "h, output",
}
SHARES = ("i", "f", "o", "z", "r")  # from 0 to 1; the others have both signs


def maps(layer: LayerTrace, sample: int, gradients: bool) -> dict[str, Array]:
    """The arrays (units, T) of a picture by name. ValueError for a sample or gradients that the trace does not have."""
    N = len(layer.h)
    if not 0 <= sample < N:
        raise ValueError(f"the trace has the samples 0 to {N - 1}, got {sample}")
    if gradients and layer.grad is None:
        raise ValueError("this trace has no gradients: give model.trace the targets y too")
    arrays = layer.grad if gradients and layer.grad is not None else layer
    return {name: arrays[name][sample].T for name in TITLES if name in layer}


def limits(name: str, values: Array, gradients: bool) -> tuple[float, float]:
    """The ends of a map's colours: 0 and 1 for a gate, otherwise alike on both sides of 0."""
    if name in SHARES and not gradients:
        return 0.0, 1.0
    most = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
    return -most, most


def draw(title: str, layer: LayerTrace, sample: int, gradients: bool, library: str | None) -> Any:
    """A figure of matplotlib or plotly. ValueError for another library, ModuleNotFoundError if none is installed."""
    if library is not None and library not in LIBRARIES:
        raise ValueError(f"library must be one of {', '.join(LIBRARIES)}, got {library!r}")
    arrays = maps(layer, sample, gradients)
    for name in LIBRARIES if library is None else (library,):
        try:
            return {"matplotlib": _matplotlib, "plotly": _plotly}[name](title, arrays, gradients)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != name:
                raise
    wanted = library or " or ".join(LIBRARIES)
    raise ModuleNotFoundError(
        f"trace.plot() draws with {wanted}, which is not installed: pip install {wanted.split()[0]}"
    )


def _matplotlib(title: str, arrays: dict[str, Array], gradients: bool) -> Any:
    import matplotlib.pyplot as plt
    from matplotlib.ticker import MaxNLocator

    units = len(next(iter(arrays.values())))
    height = 0.7 + len(arrays) * min(2.4, 0.9 + 0.02 * units)
    figure = plt.figure(figsize=(9, height), layout="constrained")
    plt.close(figure)  # a notebook shows what the call returns, and pyplot would show it once more
    axes = figure.subplots(len(arrays), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for ax, (name, values) in zip(axes, arrays.items(), strict=True):
        low, high = limits(name, values, gradients)
        colours = "RdBu_r" if low < 0 else "cividis"
        image = ax.imshow(values, aspect="auto", interpolation="nearest", cmap=colours, vmin=low, vmax=high)
        ax.set_title(TITLES[name], fontsize=10, loc="left")
        ax.set_ylabel("unit")
        ax.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
        ax.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True, min_n_ticks=1))
        ax.set_facecolor("#d8d8d8")  # masked steps have no gates
        figure.colorbar(image, ax=ax, pad=0.01)
    axes[-1].set_xlabel("step")
    figure.suptitle(title, fontsize=11)
    as_written(figure)
    return figure


def _plotly(title: str, arrays: dict[str, Array], gradients: bool) -> Any:
    from plotly.subplots import make_subplots

    titles = [TITLES[name] for name in arrays]
    units = len(next(iter(arrays.values())))
    figure = make_subplots(rows=len(arrays), cols=1, shared_xaxes=True, subplot_titles=titles, vertical_spacing=0.05)
    for row, (name, values) in enumerate(arrays.items(), start=1):
        low, high = limits(name, values, gradients)
        place = 1 - (row - 0.5) / len(arrays)
        figure.add_heatmap(
            z=values, zmin=low, zmax=high, colorscale="RdBu_r" if low < 0 else "Cividis", row=row, col=1,
            colorbar={"len": 0.9 / len(arrays), "y": place, "thickness": 10},
            hovertemplate="unit %{y}, step %{x}: %{z:.3f}<extra></extra>",
        )  # fmt: skip
        figure.update_yaxes(title="unit", autorange="reversed", row=row, col=1)
    figure.update_xaxes(title="step", row=len(arrays), col=1)
    return figure.update_layout(title=title, height=120 + len(arrays) * min(240, 90 + 2 * units))
