"""What `lstm-engine gradcheck` shows: the report of a check, the matrix, and the table of mutants."""

from __future__ import annotations

from collections.abc import Collection
from string import ascii_uppercase
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from experiments.laboratory.cases import CELLS, OPTIONS
from experiments.laboratory.killing import OUR_CHECKS, Verdict
from lstm_engine.gradient_check import Report
from lstm_engine.gradient_check.report import FAILED, PASSED

COLOURS = {PASSED: "green", FAILED: "bold red"}


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
    table.caption = (
        "Largest norm-wise relative error: NumPy against the complex step, Numba against NumPy. –: no kernel."
    )
    proofs = {(p["cell"], p["option"]): p for p in everything["matrix"]}
    for option in OPTIONS:
        table.add_row(option, *(_proof(proofs[cell, option]) for cell in CELLS))
    return table


def _proof(proof: dict[str, Any]) -> str:
    words = f"{proof['complex_step']:.0e} | {'–' if proof['numba'] is None else format(proof['numba'], '.0e')}"
    return words if proof["ok"] else f"[bold red]{words} WRONG[/]"


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


def mutants_table(verdicts: list[Verdict], recipes: Collection[str]) -> Table:
    """Mutants down, checks across under letters that `mutants_summary` explains; ✓ caught, ✗ missed."""
    checks = [*OUR_CHECKS, *recipes]
    table, above = _table("Every planted bug, and the checks that catch it", {"bug": "left"}), ""
    table.add_column("departs at", max_width=16)
    for letter in ascii_uppercase[: len(checks)]:
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
        departure = departure if verdict.killed else "[bold red]NOT CAUGHT[/]"
        table.add_row(escape(verdict.mutant.name), departure, *(_mark(verdict, check) for check in checks))
    return table


def _mark(verdict: Verdict, check: str) -> str:
    if check in verdict.killed_by or verdict.recipes.get(check):
        return "[green]✓[/]"
    return "[bold red]✗[/]" if verdict.recipes.get(check) == "" else ""


def mutants_summary(verdicts: list[Verdict], explanations: dict[str, str]) -> list[str]:
    """A line a check: its letter, what it does, and how many bugs it catches, or misses of those that it can see."""
    letters, lines = iter(ascii_uppercase), []
    for check, what in OUR_CHECKS.items():
        caught = sum(check in verdict.killed_by for verdict in verdicts)
        lines.append(f"{next(letters)}  {what}: catches {caught}")
    for recipe, what in explanations.items():
        seen = [verdict for verdict in verdicts if verdict.recipes.get(recipe) is not None]
        missed = sum(verdict.recipes[recipe] == "" for verdict in seen)
        lines.append(f"{next(letters)}  {what}: misses {missed} of the {len(seen)} that a gradient check can see")
    killed = sum(verdict.killed for verdict in verdicts)
    return [*lines, f"{'All' if killed == len(verdicts) else 'NOT all'}: A, B and C catch {killed} of {len(verdicts)}."]


def _table(title: str, heads: dict[str, str]) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name, side in heads.items():
        table.add_column(name, justify=side, overflow="fold")  # type: ignore[arg-type]
    return table
