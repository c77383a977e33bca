"""The judge of one public pass: its gradients, its forward beside the engine's, and the pass again with its mends."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import lstm_engine as le
from lstm_engine.gradient_check import Report
from lstm_engine.gradient_check.report import FAILED

from .passes import PROVED, UNJUDGED, WRONG, Pass
from .source import MissingSource, Theirs, place

SAME = 1e-9  # of the largest output: two forwards that compute the same equations differ by rounding


@dataclass
class Verdict:
    """What a clone says about one pass."""

    verdict: str  # PROVED, WRONG or UNJUDGED
    error: float = 0.0  # the largest norm-wise relative error of a row
    wrong_rows: list[str] = field(default_factory=list)
    rows: int = 0
    mended: str = ""  # the verdict with the mends; "" where there are none
    forward: float | None = None  # largest difference from the engine's forward, of its largest output
    places: list[str] = field(default_factory=list)  # of the lines that the mends replace
    why: str = ""  # why it cannot be judged


def check(subject: Pass, clone: Path, mended: bool = False) -> tuple[Report, float | None]:
    """The gradient check of a pass, and how far its forward is from the engine's."""
    mends = subject.finding.mends if mended and subject.finding else ()
    theirs = Theirs(clone, subject.commit, subject.files, mends)
    assert subject.adapter is not None
    case = subject.adapter(theirs)
    options = {"gates": case.gates, "time_axis": case.time_axis}
    report = le.gradcheck_function(case.forward, case.backward, case.inputs, method=case.method, **options)
    if case.reference is None:
        return report, None
    return report, difference(case.forward(**case.inputs)[0], case.reference(**case.inputs))


def difference(outputs: Any, expected: Any) -> float:
    """The largest difference, relative to the largest output; the worst where there are several outputs."""
    pairs = zip(outputs, expected, strict=True) if isinstance(outputs, tuple) else [(outputs, expected)]
    return max(float(np.abs(np.asarray(y) - e).max() / np.abs(e).max()) for y, e in pairs)


def judge(subject: Pass, clone: Path) -> Verdict:
    """The verdict on a pass. MissingSource when the clone lacks the commit or a file."""
    try:
        report, forward = check(subject, clone)
    except MissingSource:
        raise
    except Exception as error:  # whatever their code raises
        return Verdict(UNJUDGED, why=f"{type(error).__name__}: {error}".splitlines()[0])
    failed = [f"{row.parameter} {row.gate}".strip() for row in report.rows if row.verdict == FAILED]
    result = Verdict(PROVED if report.ok else WRONG, report.max_rel_error, failed, len(report.rows), forward=forward)
    if subject.finding:
        result.mended = PROVED if check(subject, clone, mended=True)[0].ok else WRONG
        result.places = [place(clone, subject.commit, mend.path, mend.first) for mend in subject.finding.mends]
    return result


def disagreements(subject: Pass, verdict: Verdict) -> list[str]:
    """Where a clone says something else than docs/others.md; empty when all is as stated."""
    lines = []
    if verdict.verdict != subject.expected:
        lines.append(f"{verdict.verdict}, stated: {subject.expected}")
    elif subject.finding and not np.isclose(verdict.error, subject.finding.error, rtol=0.02):
        lines.append(f"off by {verdict.error:.3g}, stated: {subject.finding.error:.3g}")
    if verdict.mended == WRONG:
        lines.append("wrong with its lines put right, too")
    if verdict.forward is not None and (verdict.forward > SAME) != bool(subject.forward):
        lines.append(
            f"its forward differs from the engine's by {verdict.forward:.1e}, stated: {subject.forward or 'not at all'}"
        )
    return lines
