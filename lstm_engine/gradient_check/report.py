"""The result of a gradient check: a row per parameter and gate, the numbers behind it, and where the backward pass errs."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..activations import Array
from ..files import write_atomically

PASSED, FAILED = "passed", "failed"
NOT_EXERCISED = "not exercised"  # both gradients are exactly 0: nothing was compared
NOT_RESOLVED = "not resolved"  # too small: rounding changes a difference, or a saturated gate's gradient, by as much
SMALL = 1e-3  # an element smaller than this share of its row's root mean square is measured against that share


@dataclass
class Row:
    """One gate of one parameter: analytic against numeric gradients, in the checked elements and along one direction."""

    parameter: str  # "lstm/kernel", "x", "lstm/h0"
    gate: str  # "i", or "" where there are none
    checked: int
    size: int
    max_rel_error: float  # of an element: |a - n| / max(|a|, |n|, SMALL of the row's size)
    norm_rel_error: float  # ‖a - n‖ / ‖n‖ over the checked elements
    direction_error: float | None  # the same, along a random direction through all elements; None when all were checked
    worst_index: tuple[int, ...]  # of the element with the largest relative error
    analytic: float  # there
    numeric: float
    verdict: str

    @property
    def error(self) -> float:
        """The error that the verdict is about: the larger of the norm-wise error and the direction's."""
        return float(np.maximum(self.norm_rel_error, self.direction_error or 0.0))  # NaN if one is

    def errors_in_words(self) -> dict[str, str]:
        """The number of checked elements and the three errors, by the headings of their columns."""
        direction = "" if self.direction_error is None else f"{self.direction_error:.1e}"
        return {
            "checked": f"{self.checked} of {self.size}",
            "largest": f"{self.max_rel_error:.1e}",
            "norm-wise": f"{self.norm_rel_error:.1e}",
            "direction": direction,
        }


@dataclass
class Departure:
    """Where the backward pass first goes wrong, on its way from the loss to the first step."""

    layer: str
    step: int | None  # in the order in which the layer ran; None where there are no steps
    quantity: str  # whose gradient is wrong: "gate f", "c", "recurrent_kernel"
    error: float  # relative, along a random direction
    term: str  # the equation to look at
    code: str = ""  # the line that computes it
    where: str = ""  # file:line

    def __str__(self) -> str:
        at = "" if self.step is None else f", step {self.step} (from 0, as the layer runs)"
        head = f"First departs in {self.layer}{at}, {self.quantity}: off by {self.error:.1e}."
        look = [f"Look at {self.term}", self.code, self.where and f"in {self.where}"]
        return "\n  ".join([head, *filter(None, look)])


@dataclass(frozen=True)
class Lead:
    """Where the mistake of a wrong backward pass is, as far as experiments with the two functions can tell."""

    region: (
        str  # "inside a step", "between steps", "sum over steps", "upstream", "last layer", "order of gradients", ...
    )
    quantity: str  # the first wrong one in the letters of `cells/`: "δf", "δc'", "δh'", "δU"; "" where it is not known
    sentence: str  # for a person
    equation: str = ""  # the right one: "δf = δc∘c'"
    instead: str = ""  # what the code computes, where that is known: "δc∘c"
    follows: tuple[str, ...] = ()  # inputs whose gradients are wrong only because of it
    certain: bool = False  # the wrong gradients equal those of this slip to rounding

    def __str__(self) -> str:
        return self.sentence


@dataclass
class Report:
    """The result of a gradient check. `ok` if every row passed; a row that was not exercised has not passed."""

    rows: list[Row]
    method: str
    tol: float
    steps: dict[str, float]  # by parameter: the step of the estimator
    arrays: dict[str, tuple[Array, Array]]  # by parameter: analytic and numeric, NaN where not checked
    notes: list[str] = field(default_factory=list)
    departure: Departure | None = None
    lead: Lead | None = None
    why: str = ""  # why differences stand in for the complex step, where they do
    zeros: list[str] = field(default_factory=list)  # inputs that are 0 throughout, whose terms are not exercised
    gate_axis: dict[str, int] = field(default_factory=dict)  # by parameter: the axis on which its gates stand
    step: Report | None = None  # of the function of one step, checked alone

    @property
    def ok(self) -> bool:
        return all(row.verdict == PASSED for row in self.rows) and (self.step is None or self.step.ok)

    @property
    def failed(self) -> bool:
        return any(row.verdict == FAILED for row in self.rows) or (self.step is not None and self.step.failed)

    @property
    def max_rel_error(self) -> float:
        """The largest norm-wise relative error of a row that was exercised."""
        return max((row.error for row in self.rows if row.verdict in (PASSED, FAILED)), default=np.nan)

    @property
    def table(self) -> Any:
        """The rows as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame([asdict(row) for row in self.rows])

    def relative_errors(self, parameter: str) -> Array:
        """The relative error of every element that was checked, in the parameter's shape; NaN for the others."""
        return relative_errors(*self.arrays[parameter])

    def verdict(self) -> str:
        """The result in a sentence."""
        counts = {v: sum(row.verdict == v for row in self.rows) for v in (FAILED, NOT_EXERCISED, NOT_RESOLVED)}
        bad = ", ".join(f"{n} {verdict}" for verdict, n in counts.items() if n)
        rows = f"{len(self.rows)} rows" if len(self.rows) > 1 else "1 row"
        name = {"complex": "complex step", "central": "central difference"}.get(self.method, "Richardson extrapolation")
        against = f"the {name} (tolerance {self.tol:.0e})"
        why = f" Not of the complex step: {self.why}." if self.why else ""
        if bad:
            return f"NOT proved: of {rows}, {bad} (against the {name}, tolerance {self.tol:.0e}).{why}"
        passed = f"All {rows}" if len(self.rows) > 1 else "The 1 row"
        zeros = f" Not exercised: terms with {', '.join(self.zeros)}, all zeros." if self.zeros else ""
        return f"{passed} passed: within {self.max_rel_error:.1e} of {against}.{why}{zeros}"

    def to_json(self) -> dict[str, Any]:
        """Everything but the arrays, as JSON values."""
        return {
            "ok": self.ok,
            "method": self.method,
            "tolerance": self.tol,
            "steps": self.steps,
            "max_rel_error": self.max_rel_error,
            "rows": [asdict(row) | {"worst_index": list(row.worst_index)} for row in self.rows],
            "notes": self.notes,
            "departure": self.departure and asdict(self.departure),
            "lead": self.lead and asdict(self.lead),
            "step": self.step and self.step.to_json(),
        }

    def to_csv(self, path: str | Path) -> None:
        """Writes the rows as CSV."""
        buffer = io.StringIO()
        self.table.to_csv(buffer, index=False)
        write_atomically(Path(path), buffer.getvalue().encode())

    def heat_map(self, parameter: str) -> Any:
        """A matplotlib figure of the parameter's relative errors, element by element."""
        from .pictures import heat_map

        return heat_map(self, parameter)

    def __str__(self) -> str:
        heads = ("parameter", "gate", "checked", "largest", "norm-wise", "direction", "verdict")
        lines = [heads, *((r.parameter, r.gate, *r.errors_in_words().values(), r.verdict) for r in self.rows)]
        widths = [max(len(line[k]) for line in lines) for k in range(len(heads))]
        table = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines]
        after = [self.verdict(), *(str(place) for place in (self.departure, self.lead) if place), *self.notes]
        alone = ["", "One step alone:", str(self.step)] if self.step else []
        return "\n".join([*table, *after, *alone])

    def save(self, path: str | Path, title: str = "Gradient check") -> None:
        """Writes the report as a page, one HTML file that needs nothing else."""
        from .page import page

        write_atomically(Path(path), page(self, title).encode())

    def _repr_html_(self) -> str:
        from .page import fragment

        return fragment(self)


def relative_errors(analytic: Array, numeric: Array) -> Array:
    """|a - n| / max(|a|, |n|, SMALL · rms(n)), NaN where n is, 0 where both are 0."""
    seen = numeric[~np.isnan(numeric)]
    floor = SMALL * np.sqrt((seen * seen).mean()) if seen.size else 0.0
    apart = np.abs(analytic - numeric)
    scale = np.maximum(np.maximum(np.abs(analytic), np.abs(numeric)), floor)
    return np.divide(apart, scale, out=np.where(np.isnan(apart), np.nan, 0.0), where=scale > 0)
