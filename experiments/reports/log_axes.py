"""Lines on logarithmic axes, which have no place for 0: a line ends where its values fall below a floor, and says so."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes


def line_above(
    ax: Axes, x: Sequence[float], y: Sequence[float], floor: float, label: str | None = None, **style: Any
) -> None:
    """Draws y (N,) over x (N,), which ends in a ▽ where y falls below the floor; the label then says below what.

    Without that, a 0 would be drawn at some tiny number, and the scale would leave no room for the other values.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    below = y < floor
    if label and below.any():
        label += f" (▽ below {floor:.0e})"
    ax.plot(x, np.where(below, np.nan, y), label=label, **style)
    ends = np.flatnonzero(below[1:] & ~below[:-1])  # the last steps above the floor
    ax.plot(x[ends], y[ends], ls="", marker=7, ms=7, mfc="none", color=style.get("color"))  # a caret that points down
