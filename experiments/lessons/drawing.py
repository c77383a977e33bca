"""The lessons' pictures: plotly figures that look alike, in colours that the colour-blind can tell apart (Okabe & Ito)."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

COLOURS = ("#0072B2", "#B35A00", "#006B4F", "#8F3F71", "#000000", "#56B4E9")  # blue, orange, green, purple, black, sky
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
    figure.update_xaxes(title=x_title)
    figure.update_yaxes(title=y_title, **({"type": "log", "exponentformat": "power"} if log else {}))
    return _styled(figure, title, height)


def heat(values: Any, title: str = "", x_title: str = "step", y_title: str = "unit", height: int = 320) -> go.Figure:
    """A map of values (rows, T): blue to red around 0 where some are negative, light to dark where none is."""
    values = np.asarray(values)
    most = float(np.abs(values).max(initial=0.0)) or 1.0
    signed = bool((values < 0).any())
    scale = {"colorscale": "RdBu_r", "zmin": -most} if signed else {"colorscale": "Blues", "zmin": 0}
    figure = go.Figure(go.Heatmap(z=values, zmax=most, **scale))
    figure.update_xaxes(title=x_title)
    figure.update_yaxes(title=y_title)
    return _styled(figure, title, height)


def _styled(figure: go.Figure, title: str, height: int) -> go.Figure:
    return figure.update_layout(
        title=title, height=height, template="plotly_white", margin={"l": 60, "r": 20, "t": 50 if title else 20, "b": 80},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},  # below the x axis at any height
    )  # fmt: skip
