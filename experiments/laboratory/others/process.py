"""The process that runs a repository's code: `python -m experiments.laboratory.others.process CLONE OWNER/NAME`."""

import json
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .expected_output import DIGITS, compare
from .judge import disagreements, judge
from .passes import PASSES, PRINTED, PRINTED_NUMBERS, PROVED, WRONG, Pass, Printed


def of_pass(subject: Pass, clone: Path) -> dict[str, Any]:
    verdict = judge(subject, clone)
    finding = subject.finding
    return {
        "cell": subject.cell,
        "name": subject.name,
        "commit": subject.commit,
        "unlike": subject.forward,
        "equation": finding.equation if finding else "",
        "instead": finding.instead if finding else "",
        **asdict(verdict),
        "disagreements": disagreements(subject, verdict),
    }


def of_printed(notebook: Printed, clone: Path) -> dict[str, Any]:
    """The numbers that a notebook prints, as a result like that of a pass: wrong as stated, or not."""
    comparison = compare(clone, notebook)
    wrong = comparison.from_gradient > DIGITS
    explained = max(comparison.from_alone, comparison.from_printed) <= DIGITS
    return {
        "cell": "lstm",
        "name": PRINTED_NUMBERS,
        "commit": notebook.commit,
        "unlike": "",
        "equation": "δh = dh + δh' of the step after, δc likewise; δb_i = Σ δz_i",
        "instead": "δh = dh; δb_i = Σ δz_f + δz_i of the first step",
        "verdict": WRONG if wrong else PROVED,
        "error": comparison.from_gradient,
        "wrong_rows": [key for key in comparison.numbers if wrong],
        "rows": len(comparison.numbers),
        "mended": "",
        "forward": None,
        "places": [f"{notebook.path}, below lstm_backward"],
        "why": "",
        "disagreements": []
        if wrong and explained
        else ["the printed numbers are not those that docs/others.md explains"],
    }


def main(clone: Path, repository: str) -> list[dict[str, Any]]:
    """The results of every pass of a repository."""
    results = [of_pass(subject, clone) for subject in PASSES if subject.repository == repository]
    return results + [of_printed(notebook, clone) for notebook in PRINTED if notebook.repository == repository]


if __name__ == "__main__":
    with redirect_stdout(sys.stderr):  # their code may print
        results = main(Path(sys.argv[1]), sys.argv[2])
    print(json.dumps(results))
