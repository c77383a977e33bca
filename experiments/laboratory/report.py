"""The files of a gradient check: the rows as CSV and JSON, a heat map a parameter, the curve of steps, and a page."""

from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.reports import page
from experiments.reports.pictures import inline, png
from experiments.reports.run import Run, footer
from lstm_engine.gradient_check import Report
from lstm_engine.gradient_check.curve import Curve
from lstm_engine.gradient_check.pictures import error_curve, heat_map
from lstm_engine.gradient_check.planes import finding, readable
from lstm_engine.gradient_check.report import FAILED


def write_check(run: Run, report: Report, curve: Curve, title: str) -> Path:
    """Writes report.html, gradcheck.csv, gradcheck.json, curve.png and heat_lstm_kernel.png, ...; returns the page's path.

    title: what was checked, the heading of the page.
    """
    run.write_json("gradcheck.json", report.to_json())
    run.write("gradcheck.csv", report.table.to_csv(index=False))
    maps = {parameter: heat_map(report, parameter) for parameter in report.arrays}
    for parameter, fig in maps.items():
        run.write(f"heat_{parameter.replace('/', '_')}.png", png(fig))
    u = error_curve(curve)
    run.write("curve.png", png(u))
    failed = {row.parameter for row in report.rows if row.verdict == FAILED}
    pictures = {parameter: inline(fig, worst(report, parameter)) for parameter, fig in maps.items()}
    folded = [page.folded(finding(report, p), picture) for p, picture in pictures.items() if p not in failed]
    departure = "<br>".join(map(escape, str(report.departure).splitlines()))  # where it is wrong, and what to look at
    parts = [
        page.paragraph(report.verdict(), "lead"),
        *([f'<p class="note">{departure}</p>'] if report.departure else []),
        *[page.paragraph(note, "note") for note in report.notes],
        *[picture for parameter, picture in pictures.items() if parameter in failed],
        page.heading("Every parameter and gate"),
        page.paragraph(
            "A row passes when its norm-wise error, ‖analytic - numeric‖ / ‖numeric‖ over the elements that were checked, "
            f"is at most {report.tol:.0e}, and so is the error along a random direction through all of them where not all "
            "were checked. A row whose two gradients are both exactly 0 was not exercised, and has not passed."
        ),
        page.table(pd.DataFrame(readable(report)).set_index("parameter")),
        page.heading("Which step is best?"),
        page.paragraph(
            "A numeric derivative needs a step h. A difference loses digits with any h: when h is too large, the loss is not "
            "straight between the two points; when h is too small, both losses round to nearly the same number. The complex "
            "step reads the derivative from the imaginary part and subtracts nothing."
        ),
        inline(u, "The best step is at the bottom of the U: a larger or a smaller one costs digits."),
        *([page.heading("The others, element by element" if failed else "Element by element")] if folded else []),
        *folded,
    ]  # fmt: skip
    return run.write("report.html", page.page(f"Gradient check: {title}", parts, footer("lstm-engine gradcheck")))


def worst(report: Report, parameter: str) -> str:
    """The element of a parameter with the largest relative error, with both numbers."""
    rows = [row for row in report.rows if row.parameter == parameter]
    row = max(rows, key=lambda row: np.inf if np.isnan(row.max_rel_error) else row.max_rel_error)
    return (
        f"Its worst element, {list(row.worst_index)}: {row.analytic:.6g} by the backward pass, {row.numeric:.6g} "
        f"numerically, a relative error of {row.max_rel_error:.1e}."
    )
