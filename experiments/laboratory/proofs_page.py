"""The pages of `gradcheck --all` and `--mutants`: every proof, and every planted bug with the checks that catch it."""

from pathlib import Path
from typing import Any

import pandas as pd

from experiments.laboratory.cases import BESIDE, CELLS, OPTIONS
from experiments.laboratory.killing import OUR_CHECKS, Verdict
from experiments.reports import page
from experiments.reports.run import Run, footer

MATRIX = "Largest norm-wise relative error: NumPy against the complex step | Numba against NumPy. –: no kernel."
WRONG, NOT_CAUGHT = "WRONG", "NOT CAUGHT"


def write_matrix(run: Run, proofs: dict[str, Any], verdict: str) -> Path:
    """Writes matrix.json and report.html; returns the page's path. proofs: of `matrix.everything`; verdict: in a sentence."""
    run.write_json("matrix.json", proofs)
    limits = ", ".join(f"{kind} {limit:.0e}" for kind, limit in proofs["limits"].items())
    parts = [
        page.paragraph(verdict, "lead"),
        page.heading("Every cell with every option"),
        page.paragraph(MATRIX),
        page.table(matrix_frame(proofs)),
        page.heading("Losses and merge layers, above an LSTM"),
        page.table(beside_frame(proofs)),
        page.heading("The LSTM, array by array"),
        page.paragraph(
            "NumPy against the complex step, Numba's float64 and float32 against NumPy, norm-wise relative errors. "
            f"Limits: {limits}."
        ),
        page.table(precision_frame(proofs)),
    ]
    return run.write("report.html", page.page("All gradients, proved", parts, footer("lstm-engine gradcheck --all")))


def matrix_frame(proofs: dict[str, Any]) -> pd.DataFrame:
    """Options down, cells across: the two errors in words, and WRONG behind those that are too large."""
    words = {(proof["cell"], proof["option"]): proof_in_words(proof) for proof in proofs["matrix"]}
    return pd.DataFrame(
        {cell: [words[cell, option] for option in OPTIONS] for cell in CELLS}, index=pd.Index(OPTIONS, name="")
    )


def beside_frame(proofs: dict[str, Any]) -> pd.DataFrame:
    """What needs one cell alone: the two errors in words."""
    words = {proof["option"]: proof_in_words(proof) for proof in proofs["matrix"]}
    return pd.DataFrame({"LSTM": [words[option] for option in BESIDE]}, index=pd.Index(BESIDE, name=""))


def proof_in_words(proof: dict[str, Any]) -> str:
    numba = "–" if proof["numba"] is None else f"{proof['numba']:.0e}"
    return f"{proof['complex_step']:.0e} | {numba}" + ("" if proof["ok"] else f" {WRONG}")


def precision_frame(proofs: dict[str, Any]) -> pd.DataFrame:
    """Arrays of gradients down; by size, the kinds of precision across."""
    columns = {
        f"{size}: {kind}": {name: f"{error:.1e}" for name, error in errors.items()}
        for size, kinds in proofs["precision"].items()
        for kind, errors in kinds.items()
    }
    return pd.DataFrame(columns)


def write_mutants(run: Run, numbers: dict[str, Any], verdicts: list[Verdict], summary: list[str]) -> Path:
    """Writes mutants.json and report.html; returns the page's path. summary: a line a check, then the verdict."""
    run.write_json("mutants.json", numbers)
    *checks, verdict = summary
    parts = [
        page.paragraph(verdict, "lead"),
        page.heading("The checks"),
        *(page.paragraph(line.replace("  ", ": ", 1)) for line in checks),
        page.heading("Every planted bug"),
        page.paragraph("✓ the check catches it, ✗ it misses it; empty: it cannot see the code where the bug is."),
        page.table(mutants_frame(verdicts, list(numbers["recipes"]))),
    ]
    return run.write(
        "report.html", page.page("Can the gradient check fail?", parts, footer("lstm-engine gradcheck --mutants"))
    )


def mutants_frame(verdicts: list[Verdict], recipes: list[str]) -> pd.DataFrame:
    """A row a bug: what it is, the function it is in, where the report says that it departs, and a mark a check."""
    checks = [*OUR_CHECKS, *recipes]
    rows = [
        {"bug": verdict.mutant.name, "in": verdict.mutant.function}
        | {"departs at": verdict.departure if verdict.killed else NOT_CAUGHT}
        | {letter: mark(verdict, check) for letter, check in zip(letters(len(checks)), checks, strict=True)}
        for verdict in verdicts
    ]
    return pd.DataFrame(rows).set_index("bug")


def letters(n: int) -> str:
    """A, B, C, ...: the names of n checks in a table's head."""
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:n]


def mark(verdict: Verdict, check: str) -> str:
    if check in verdict.killed_by or verdict.recipes.get(check):
        return "✓"
    return "✗" if verdict.recipes.get(check) == "" else ""
