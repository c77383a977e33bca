"""A parameter's relative errors on a plane: groups of rows and columns, a cell for an element or the worst of several."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..activations import Array
from .report import FAILED, NOT_EXERCISED

if TYPE_CHECKING:
    from .report import Report, Row

EXACT, LARGEST, NO_NUMBER = -17.0, 0.31, 1.0  # log10 of an error as drawn: of 0, of 2 (opposite signs), and of NaN
FINEST = 160  # cells per side; where there are more elements, one cell stands for several


class Plane(NamedTuple):
    """A parameter on a plane: groups of rows and of columns, separated by white lines, and the labels of the axes."""

    errors: Array  # (groups of rows, rows, groups of columns, columns)
    row_groups: list[str]
    column_groups: list[str]
    rows: str
    columns: str


def plane_of(report: Report, parameter: str) -> Plane:
    """The axes on which a parameter is shown."""
    errors = log_errors(report, parameter)
    rows = rows_of(report, parameter)
    gates = [named_verdict(row) for row in rows] if len(rows) > 1 else [""]
    K, G = errors.shape[-1], len(gates)
    of_a_model = any("/" in row.parameter for row in report.rows)
    name = parameter.rsplit("/", 1)[-1]
    axis = report.gate_axis.get(parameter, -1) % errors.ndim
    if G > 1 and axis != errors.ndim - 1:  # (4H, D): the gates below each other
        rows_of_gates = np.moveaxis(errors, axis, 0)
        return Plane(rows_of_gates.reshape(G, -1, 1, rows_of_gates.shape[-1]), gates, [""], "", "last axis")
    if errors.ndim == 1:
        return Plane(errors.reshape(G, 1, 1, K // G), gates, [""], "", "unit" if of_a_model else "element")
    if errors.ndim == 3 and G == 1 and of_a_model:
        N, T, D = errors.shape
        features = errors.transpose(0, 2, 1).reshape(N, D, 1, T)
        return Plane(features, [f"sample {n}" for n in range(N)], [""], "", "step")
    grid = errors.reshape(1, -1, G, K // G)
    if not of_a_model:
        return Plane(grid, [""], gates, "all axes but the last", "last axis")
    if name == "bias":  # the two of a GRU
        return Plane(grid.reshape(2, 1, G, K // G), ["of x W", "of h' U"], gates, "", "unit")
    names = {"kernel": ("input", "unit"), "recurrent_kernel": ("unit of h'", "unit"), "x": ("sample", "feature")}
    return Plane(grid, [""], gates, *names.get(name, ("sample", "unit")))


def log_errors(report: Report, parameter: str) -> Array:
    """log10 of the relative errors in the parameter's shape: NaN where not checked, NO_NUMBER where the gradient is NaN."""
    analytic, numeric = report.arrays[parameter]
    errors = np.log10(np.maximum(report.relative_errors(parameter), 10.0**EXACT))
    return np.where(np.isnan(analytic) & ~np.isnan(numeric), NO_NUMBER, errors)


def pooled(errors: Array) -> tuple[Array, Array, Array]:
    """The worst element of each block, for a grid with more than FINEST cells per side; and the edges down and across.

    No block crosses the border of a group.
    """
    RG, R, CG, C = errors.shape
    if RG > FINEST:  # too many groups to see
        errors = errors.reshape(1, RG * R, CG, C)
        RG, R = 1, RG * R
    down, across = (-(-n // max(1, FINEST // groups)) for groups, n in ((RG, R), (CG, C)))  # a block's size, rounded up
    worst = np.fmax.reduceat(np.fmax.reduceat(errors, np.arange(0, R, down), axis=1), np.arange(0, C, across), axis=3)
    cells = worst.reshape(RG * worst.shape[1], CG * worst.shape[3])
    return cells, edges(RG, R, down), edges(CG, C, across)


def edges(groups: int, n: int, block: int) -> Array:
    return np.append((np.arange(groups)[:, None] * n + np.arange(0, n, block)).reshape(-1), groups * n)


# -- words -------------------------------------------------------------------------------------------------------------


def rows_of(report: Report, parameter: str) -> list[Row]:
    return [row for row in report.rows if row.parameter == parameter]


def named_verdict(row: Row) -> str:
    """ "f: FAILED": the word beside the colour."""
    return f"{row.gate}: {word(row.verdict)}" if row.gate else word(row.verdict)


def word(verdict: str) -> str:
    return verdict.upper() if verdict == FAILED else verdict


def finding(report: Report, parameter: str) -> str:
    """A parameter's result in a line: the verdicts of its rows, and the largest of their errors."""
    rows = rows_of(report, parameter)
    failed = [row.gate for row in rows if row.verdict == FAILED]
    outcome = ", ".join(sorted({word(row.verdict) for row in rows}))
    if any(failed):
        outcome = f"FAILED in {', '.join(failed)}"
    if all(row.verdict == NOT_EXERCISED for row in rows):
        return f"{parameter}: {outcome}"
    errors = [e for row in rows for e in (row.norm_rel_error, row.direction_error) if e is not None]
    return f"{parameter}: {outcome}, norm-wise error {np.max(errors):.1e}"  # NaN where there is one


def readable(report: Report) -> list[dict[str, str]]:
    """The rows of a table for people, by column."""
    return [
        {
            "parameter": row.parameter,
            "gate": row.gate,
            **row.errors_in_words(),
            "worst at": str(list(row.worst_index)),
            "analytic": f"{row.analytic:.6g}",
            "numeric": f"{row.numeric:.6g}",
            "verdict": word(row.verdict),
        }
        for row in report.rows
    ]
