"""The pictures of a report. Each function takes plain numbers and returns a matplotlib figure; colours suit all eyes.

Blue and orange are the Okabe-Ito pair. The engine is a solid line and its reference dots on top, so that both are visible
where they coincide.
"""

import base64
import html
import io
from collections.abc import Mapping, Sequence

import matplotlib

matplotlib.use("Agg")  # pictures go to files; no window system is needed

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.reports.log_axes import line_above

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#666666"


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
    axes[1].set_ylim(top=1.02)
    axes[1].legend(fontsize=7.5, loc="best")
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
    ax.legend(fontsize=7.5)
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
    ax.legend(fontsize=8)
    return fig


def png(fig: Figure) -> bytes:
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def inline(picture: Figure | bytes, caption: str) -> str:
    """An HTML figure that holds the picture itself, drawn or a PNG; the caption says what to look for."""
    alt = html.escape(caption, quote=True)
    data = base64.b64encode(picture if isinstance(picture, bytes) else png(picture)).decode()
    return f'<figure><img alt="{alt}" src="data:image/png;base64,{data}"><figcaption>{alt}</figcaption></figure>'
