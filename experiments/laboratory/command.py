"""The three jobs of `lstm-engine gradcheck`: check a model, check everything, check the check; and the tables they show."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.markup import escape
from rich.table import Table

import lstm_engine as le
from experiments.laboratory import killing, matrix
from experiments.laboratory.cases import CELLS, PRESETS, of_file, preset
from experiments.laboratory.killing import OUR_CHECKS, Verdict
from experiments.laboratory.proofs_page import (
    MATRIX,
    NOT_CAUGHT,
    WRONG,
    letters,
    mark,
    matrix_frame,
    write_matrix,
    write_mutants,
)
from experiments.laboratory.report import write_check
from experiments.reports.page import counted
from experiments.reports.run import Run
from lstm_engine.gradient_check import Report, error_curve
from lstm_engine.gradient_check.compare import Progress
from lstm_engine.gradient_check.report import FAILED, PASSED

COLOURS = {PASSED: "green", FAILED: "bold red"}
MARKS = {"✓": "[green]✓[/]", "✗": "[bold red]✗[/]"}


class Result(NamedTuple):
    """What the command prints, what it prints with --json, and whether all is right."""

    shown: list[Any]
    as_json: dict[str, Any]
    ok: bool


def check_model(name: str, dtype: str, options: dict[str, Any], progress: Progress, run: Run | None) -> Result:
    """One model, a preset or a file. With a run, also the page with heat maps and the curve of step sizes."""
    case = of_file(name) if name not in PRESETS and (Path(name).suffix or Path(name).exists()) else preset(name)
    if case.model.dtype != "float64" or dtype != "float64":
        options = options | {"dtype": dtype}
        case = case._replace(model=case.model.twin(dtype, case.model.backend))
    settings = {k: v for k, v in options.items() if k != "dropout" or v is not None}
    report = le.gradcheck(case.model, case.x, case.y, progress=progress, **case.options | settings)
    N, T, *D = case.x.shape
    of = counted(D[0], "feature") if D else "one id each"
    size = f"{counted(N, 'sequence')} of {counted(T, 'step')} and {of}"
    title = f"{name}: {size}, {dtype}, {' and '.join(sorted(case.model.backends()))}"
    parts: list[Any] = [report_table(report, escape(title)), escape(report.verdict())]
    parts += [escape(str(part)) for part in [report.departure, *report.notes] if part]
    if run is None:
        parts.append("With --out FOLDER also a page: a heat map for each parameter, and which step is best.")
    else:
        of_curve = {k: v for k, v in settings.items() if k in ("dropout", "dtype", "seed")}
        curve = error_curve(case.model, case.x, case.y, **case.options | of_curve)
        parts.append(f"Report: {write_check(run, report, curve, title)}")
    return Result(parts, report.to_json(), report.ok)


def check_everything(progress: Progress, run: Run) -> Result:
    """Every cell with every option."""
    proofs = matrix.everything(progress)
    n = sum(2 - (proof["numba"] is None) for proof in proofs["matrix"])
    wrong = "NOT all proofs hold: see the values marked WRONG or above the limit."
    words = f"All {n} proofs hold." if proofs["ok"] else wrong
    written = write_matrix(run, proofs, words)
    return Result([matrix_table(proofs), precision_table(proofs), words, f"Report: {written}"], proofs, proofs["ok"])


def check_the_check(progress: Progress, run: Run) -> Result:
    """Every mutant through every check."""
    verdicts, explanations = killing.verdicts(progress=progress), killing.explanations()
    ok = all(verdict.killed for verdict in verdicts)
    as_json = {"ok": ok, "recipes": explanations, "mutants": [verdict.to_json() for verdict in verdicts]}
    summary = mutants_summary(verdicts, explanations)
    written = write_mutants(run, as_json, verdicts, summary)
    return Result([mutants_table(verdicts, explanations), *summary, f"Report: {written}"], as_json, ok)


# -- the tables ---------------------------------------------------------------------------------------------------------


def report_table(report: Report, title: str) -> Table:
    """A row a parameter and gate, under the name of its layer, with the worst element: where, and both numbers."""
    heads = {"gradient of": "left", "gate": "left", "checked": "right", "largest": "right", "norm-wise": "right"}
    heads |= {"direction": "right", "worst element: analytic, numeric": "left", "verdict": "left"}
    table, above = _table(title, heads), ""
    for row in report.rows:
        layer, _, name = row.parameter.rpartition("/")
        if layer != above:
            table.add_section()
            table.add_row(f"[bold]{escape(layer or 'input')}[/]")
            above = layer
        worst = f"\\[{', '.join(map(str, row.worst_index))}]: {row.analytic:.4g}, {row.numeric:.4g}"
        verdict = f"[{COLOURS.get(row.verdict, 'yellow')}]{row.verdict}[/]"
        table.add_row(escape(name), row.gate, *row.errors_in_words().values(), worst, verdict)
    return table


def matrix_table(everything: dict[str, Any]) -> Table:
    """Options down, cells across: the complex step's error, and Numba's against NumPy."""
    table = _table("All gradients: the complex step's error | Numba's", {"": "left"} | dict.fromkeys(CELLS, "left"))
    table.caption = MATRIX
    for option, *proofs in matrix_frame(everything).itertuples():
        table.add_row(option, *(f"[bold red]{words}[/]" if words.endswith(WRONG) else words for words in proofs))
    return table


def precision_table(everything: dict[str, Any]) -> Table:
    """The readable pair against the complex step, and the kernels in both dtypes against that pair in float64."""
    precision = everything["precision"]
    kinds = [(size, kind) for size, by_kind in precision.items() for kind in by_kind]
    limits = ", ".join(f"{kind} {limit:.0e}" for kind, limit in everything["limits"].items())
    table = _table(
        "The LSTM: NumPy against the complex step, Numba's float64 and float32 against NumPy",
        {"gradient of": "left"} | {f"{size}\n{kind}": "right" for size, kind in kinds},
    )
    table.caption = f"Norm-wise. Limits: {limits}."
    for name in next(iter(precision.values()))["float64"]:
        table.add_row(name, *(f"{precision[size][kind][name]:.1e}" for size, kind in kinds))
    return table


def mutants_table(verdicts: list[Verdict], recipes: dict[str, str]) -> Table:
    """Mutants down, checks across under letters that `mutants_summary` explains; ✓ caught, ✗ missed."""
    checks = [*OUR_CHECKS, *recipes]
    table, above = _table("Every planted bug, and the checks that catch it", {"bug": "left"}), ""
    table.add_column("departs at", max_width=16)
    for letter in letters(len(checks)):
        table.add_column(letter, justify="center", width=1)
    for verdict in verdicts:
        *_, scope, function = verdict.mutant.function.split(".")
        function = f"{scope}.{function}" if scope[0].isupper() else function
        if function != above:
            table.add_section()
            table.add_row(f"[bold]{function}[/]")
            above = function
        first, *others = verdict.departure.split(", ")
        departure = f"{first.split('/')[-1]} and {len(others)} more" if others else first
        departure = departure if verdict.killed else f"[bold red]{NOT_CAUGHT}[/]"
        marks = (mark(verdict, check) for check in checks)
        table.add_row(escape(verdict.mutant.name), departure, *(MARKS.get(shown, shown) for shown in marks))
    return table


def mutants_summary(verdicts: list[Verdict], explanations: dict[str, str]) -> list[str]:
    """A line a check: its letter, what it does, and how many bugs it catches, or misses of those that it can see."""
    names, lines = iter(letters(len(OUR_CHECKS) + len(explanations))), []
    for check, what in OUR_CHECKS.items():
        caught = sum(check in verdict.killed_by for verdict in verdicts)
        lines.append(f"{next(names)}  {what}: catches {caught}")
    for recipe, what in explanations.items():
        seen = [verdict for verdict in verdicts if verdict.recipes.get(recipe) is not None]
        missed = sum(verdict.recipes[recipe] == "" for verdict in seen)
        lines.append(f"{next(names)}  {what}: misses {missed} of the {len(seen)} that a gradient check can see")
    killed = sum(verdict.killed for verdict in verdicts)
    return [*lines, f"{'All' if killed == len(verdicts) else 'NOT all'}: A, B and C catch {killed} of {len(verdicts)}."]


def _table(title: str, heads: dict[str, str]) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name, side in heads.items():
        table.add_column(name, justify=side, overflow="fold")  # type: ignore[arg-type]
    return table
