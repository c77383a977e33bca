"""The three things that `lstm-engine gradcheck` does, each from its options to what is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from rich.markup import escape

import lstm_engine as le
from experiments.laboratory import report as gradient_report
from experiments.reports.run import Run
from lstm_engine.gradient_check import error_curve
from lstm_engine.gradient_check.compare import Progress

from . import killing, matrix, shown
from .cases import PRESETS, of_file, preset


class Result(NamedTuple):
    """What to print, what --json prints, and whether all is right."""

    shown: list[Any]
    as_json: dict[str, Any]
    ok: bool


def check_model(
    name: str, dtype: str, options: dict[str, Any], progress: Progress, out: Path | None, force: bool
) -> Result:  # fmt: skip
    """One model, a preset's or a file's. With `out`, the page with heat maps and the curve of step sizes beside."""
    run = None if out is None else Run(out, force)
    case = of_file(name) if name not in PRESETS and (Path(name).suffix or Path(name).exists()) else preset(name)
    if case.model.dtype != "float64" or dtype != "float64":
        options = options | {"dtype": dtype}
        case = case._replace(model=case.model.twin(dtype, case.model.backend))
    given = {k: v for k, v in options.items() if k != "dropout" or v is not None}
    report = le.gradcheck(case.model, case.x, case.y, progress=progress, **case.options | given)
    N, T, D = case.x.shape
    title = (
        f"{name}: {N} sequences of {T} steps and {D} features, {dtype}, {' and '.join(sorted(case.model.backends()))}"
    )
    parts: list[Any] = [shown.report_table(report, escape(title)), escape(report.verdict())]
    parts += [escape(str(part)) for part in [report.departure, *report.notes] if part]
    if run is not None:
        curve = error_curve(case.model, case.x, case.y, **case.options | {k: v for k, v in given.items() if k in CURVE})
        parts.append(f"Report: {gradient_report.write(run, report, curve, title)}")
    return Result(parts, report.to_json(), report.ok)


CURVE = ("dropout", "dtype", "seed")  # the options of a check that a curve takes too


def check_everything(progress: Progress, out: Path | None, force: bool) -> Result:
    """Every cell with every option."""
    run = None if out is None else Run(out, force)
    found = matrix.everything(progress)
    n = sum(2 - (proof["numba"] is None) for proof in found["matrix"])
    words = (
        f"All {n} proofs hold." if found["ok"] else "NOT all proofs hold: see what is marked WRONG, or above its limit."
    )
    parts = [shown.matrix_table(found), shown.precision_table(found), words]
    return Result([*parts, *_kept(run, "matrix.json", found)], found, found["ok"])


def check_the_check(progress: Progress, out: Path | None, force: bool) -> Result:
    """Every mutant through every check."""
    run = None if out is None else Run(out, force)
    found, explanations = killing.verdicts(progress=progress), killing.explanations()
    ok = all(verdict.killed for verdict in found)
    as_json = {"ok": ok, "recipes": explanations, "mutants": [verdict.to_json() for verdict in found]}
    parts = [shown.mutants_table(found, explanations), *shown.mutants_summary(found, explanations)]
    return Result([*parts, *_kept(run, "mutants.json", as_json)], as_json, ok)


def _kept(run: Run | None, name: str, as_json: dict[str, Any]) -> list[str]:
    return [] if run is None else [f"Written: {run.write_json(name, as_json)}"]
