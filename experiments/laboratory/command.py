"""The three jobs of `lstm-engine gradcheck`: check a model, check everything, check the check."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from rich.markup import escape

import lstm_engine as le
from experiments.laboratory import killing, matrix, shown
from experiments.laboratory.cases import PRESETS, of_file, preset
from experiments.laboratory.report import write_check
from experiments.reports.page import counted
from experiments.reports.run import Run
from lstm_engine.gradient_check import error_curve
from lstm_engine.gradient_check.compare import Progress


class Result(NamedTuple):
    """What the command prints, what it prints with --json, and whether all is right."""

    shown: list[Any]
    as_json: dict[str, Any]
    ok: bool


def check_model(
    name: str, dtype: str, options: dict[str, Any], progress: Progress, out: Path | None, force: bool
) -> Result:  # fmt: skip
    """One model, a preset or a file. With `out`, also the page with heat maps and the curve of step sizes."""
    run = None if out is None else Run(out, force)
    case = of_file(name) if name not in PRESETS and (Path(name).suffix or Path(name).exists()) else preset(name)
    if case.model.dtype != "float64" or dtype != "float64":
        options = options | {"dtype": dtype}
        case = case._replace(model=case.model.twin(dtype, case.model.backend))
    settings = {k: v for k, v in options.items() if k != "dropout" or v is not None}
    report = le.gradcheck(case.model, case.x, case.y, progress=progress, **case.options | settings)
    N, T, D = case.x.shape
    size = f"{N} sequences of {counted(T, 'step')} and {counted(D, 'feature')}"
    title = f"{name}: {size}, {dtype}, {' and '.join(sorted(case.model.backends()))}"
    parts: list[Any] = [shown.report_table(report, escape(title)), escape(report.verdict())]
    parts += [escape(str(part)) for part in [report.departure, *report.notes] if part]
    if run is not None:
        curve = error_curve(
            case.model, case.x, case.y, **case.options | {k: v for k, v in settings.items() if k in CURVE}
        )
        parts.append(f"Report: {write_check(run, report, curve, title)}")
    return Result(parts, report.to_json(), report.ok)


CURVE = ("dropout", "dtype", "seed")  # the options of a check that a curve takes too


def check_everything(progress: Progress, out: Path | None, force: bool) -> Result:
    """Every cell with every option."""
    run = None if out is None else Run(out, force)
    proofs = matrix.everything(progress)
    n = sum(2 - (proof["numba"] is None) for proof in proofs["matrix"])
    words = (
        f"All {n} proofs hold."
        if proofs["ok"]
        else "NOT all proofs hold: see the values marked WRONG or above the limit."
    )
    parts = [shown.matrix_table(proofs), shown.precision_table(proofs), words]
    return Result([*parts, *_kept(run, "matrix.json", proofs)], proofs, proofs["ok"])


def check_the_check(progress: Progress, out: Path | None, force: bool) -> Result:
    """Every mutant through every check."""
    run = None if out is None else Run(out, force)
    verdicts, explanations = killing.verdicts(progress=progress), killing.explanations()
    ok = all(verdict.killed for verdict in verdicts)
    as_json = {"ok": ok, "recipes": explanations, "mutants": [verdict.to_json() for verdict in verdicts]}
    parts = [shown.mutants_table(verdicts, explanations), *shown.mutants_summary(verdicts, explanations)]
    return Result([*parts, *_kept(run, "mutants.json", as_json)], as_json, ok)


def _kept(run: Run | None, name: str, as_json: dict[str, Any]) -> list[str]:
    return [] if run is None else [f"Written: {run.write_json(name, as_json)}"]
