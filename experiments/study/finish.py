"""The files that a study ends with: pictures, the table of its trainings, its numbers as JSON, and the page."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.reports import page, pictures
from experiments.reports.run import Run, footer


def panels(rows: int, columns: int, size: tuple[float, float], **shared: Any) -> tuple[Figure, np.ndarray]:
    """A figure with axes (rows, columns) that have a light grid."""
    fig = Figure(figsize=size, layout="constrained")
    axes = fig.subplots(rows, columns, squeeze=False, **shared)
    for ax in axes.ravel():
        ax.grid(alpha=0.25)
        ax.spines[["top", "right"]].set_visible(False)
    return fig, axes


def drawn(run: Run, name: str, figure: Figure, caption: str) -> str:
    """Writes the PNG file of this name; returns the part of the page that shows it."""
    run.write(name, pictures.png(figure))
    return pictures.inline(figure, caption)


def finish(
    run: Run, file: str, title: str, numbers: dict[str, Any], parts: Sequence[str], commands: Sequence[str],
    note: str = "", tables: Mapping[str, pd.DataFrame] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Writes the tables as CSV, the numbers into the JSON `file`, and report.html; returns the numbers.

    The page begins with numbers["words"] and with the note, if there is one; it ends with the commands that made it.
    """
    for name, table in (tables or {}).items():
        run.write(name, table.to_csv(index=False))
    run.write_json(file, numbers)
    first = [page.paragraph(numbers["words"], "lead"), *([page.paragraph(note, "note")] if note else [])]
    run.write("report.html", page.page(title, [*first, *parts], footer("; ".join(commands))))
    return numbers
