"""What `gradcheck_function` alone says of wrong backward passes: reported, public, and planted in right public ones.

`python -m experiments.assignment.gradcheck_leads [PATH]` prints a line a pass and the figures. PATH: a folder with clones, as
for `experiments.laboratory.others`. The call is bare: the two functions and their inputs, no gates, no time axis, no cell.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer

import lstm_engine as le
from experiments.laboratory.others.passes import PASSES, Pass
from experiments.laboratory.others.report import REPOSITORIES, SECONDS, clone_of
from experiments.laboratory.others.source import Mend, Theirs
from experiments.reports.page import counted

from .mutants import COURSERA, CS231N, KARPATHY, RNN, RNN_COLUMNS, RNN_DICTS, ROWS, module_of, solution_source
from .reported import REPORTED, Reported
from .slips_in_public import PLANTED

T, B, D, H = 5, 2, 3, 4
SQUARE = "h' gets the part of the weights that belongs to x"  # its shapes fit only where D = H
Call = tuple[Callable[..., Any], Callable[..., Any], dict[str, Any]]


class Said(NamedTuple):
    """What the check says of a wrong pass, and what it may say."""

    name: str
    found: bool  # the pass is called wrong
    region: str
    quantity: str
    sentence: str
    regions: tuple[str, ...]
    quantities: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Right region and first wrong term."""
        return self.region in self.regions and any(q in self.quantities for q in self.quantity.split(", "))

    @property
    def misled(self) -> bool:
        """It names a region in which all is right."""
        return bool(self.region) and self.region not in self.regions


def drawn(features: int = D, seed: int = 0) -> dict[str, Any]:
    """Arrays at unit scale in the engine's form; kernels N(0, 1/rows)."""
    rng = np.random.default_rng(seed)
    arrays = {"x": (T, B, features), "h0": (B, H), "c0": (B, H), "W": (features, 4 * H), "U": (H, 4 * H), "b": (4 * H,)}
    values = {name: rng.standard_normal(shape) for name, shape in arrays.items()}
    return {name: a / np.sqrt(len(a)) if name in ("W", "U") else a for name, a in values.items()}


def call(solution: str, m: ModuleType, features: int = D) -> Call:
    """The solution's two functions and their inputs, as its own course would write the call."""
    a = drawn(features)
    x, h0, c0, W, U, b = (a[name] for name in ("x", "h0", "c0", "W", "U", "b"))
    if solution == ROWS:
        return m.lstm_forward, m.lstm_backward, {"x": x, "W": W, "U": U, "b": b, "h0": h0, "c0": c0}
    if solution == CS231N:
        return m.lstm_forward, m.lstm_backward, {"x": x.swapaxes(0, 1), "h0": h0, "Wx": W, "Wh": U, "b": b}
    if solution == KARPATHY:
        return m.lstm_forward, m.lstm_backward, {"X": x, "WLSTM": np.vstack([b, W, U]), "c0": c0, "h0": h0}
    W1, U1, b1 = W[:, :H], U[:, :H], b[:H]
    if solution == RNN:
        return m.rnn_forward, m.rnn_backward, {"x": x, "W": W1, "U": U1, "b": b1, "h0": h0}
    if solution == RNN_COLUMNS:
        parameters = {"Wax": W1.T, "Waa": U1.T, "ba": b1[:, None]}
        return m.rnn_forward, columns(m.rnn_backward), {"x": x.transpose(2, 1, 0), "a0": h0.T, "parameters": parameters}
    if solution == RNN_DICTS:
        return lists(
            m, {"xs": x.swapaxes(1, 2)[:, :, :1], "Wxh": W1.T, "Whh": U1.T, "bh": b1[:, None], "hprev": h0.T[:, :1]}
        )
    assert solution == COURSERA
    matrices = np.split(np.hstack([U.T, W.T]), 4)
    parameters = dict(zip(("Wi", "Wf", "Wc", "Wo"), matrices, strict=True))
    parameters |= dict(zip(("bi", "bf", "bc", "bo"), np.split(b[:, None], 4), strict=True))

    def forward(x: Any, a0: Any, parameters: Any) -> Any:
        a, _, caches = m.lstm_forward(x, a0, parameters)  # c has no upstream gradient in their backward
        return a, caches

    return forward, columns(m.lstm_backward), {"x": x.transpose(2, 1, 0), "a0": h0.T, "parameters": parameters}


def columns(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Their gradients by the inputs' names, those of the parameters in a dict of their own."""

    def nested(da: Any, caches: Any) -> Any:
        gradients = backward(da, caches)
        parameters = {name[1:]: g for name, g in gradients.items() if name not in ("dx", "da0")}
        return {"x": gradients["dx"], "a0": gradients["da0"], "parameters": parameters}

    return nested


def lists(m: ModuleType, inputs: dict[str, Any]) -> Call:
    """A network on lists of columns, as arrays (T, D, 1)."""

    def forward(xs: Any, Wxh: Any, Whh: Any, bh: Any, hprev: Any) -> Any:
        hs, cache = m.rnn_forward(list(xs), Wxh, Whh, bh, hprev)[:2]
        return np.stack([hs[t] for t in range(len(xs))]), cache

    def backward(dhs: Any, cache: Any) -> Any:
        dxs, *others = m.rnn_backward(list(dhs), cache)
        return np.stack(dxs), *others

    return forward, backward, inputs


def said(name: str, report: Any, regions: tuple[str, ...], quantities: tuple[str, ...]) -> Said:
    lead = report.lead
    region, quantity, sentence = (lead.region, lead.quantity, lead.sentence) if lead else ("", "", "")
    return Said(name, report.failed, region, quantity, sentence, regions, quantities)


def of_reported(rows: Sequence[Reported] = REPORTED) -> list[Said]:
    """Reported mistakes, one after the other."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for n, row in enumerate(rows):
            m = module_of(row.mutant.source(), Path(folder) / f"reported_{n}.py")
            features = H if row.mutant.name == SQUARE else D
            report = le.gradcheck_function(*call(row.mutant.solution, m, features))
            results.append(said(row.mutant.name, report, row.regions, row.mutant.quantities))
    return results


def false_alarms() -> list[str]:
    """The solutions themselves, which are right: those of which the check says otherwise."""
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        for solution in (ROWS, CS231N, COURSERA, KARPATHY, RNN, RNN_COLUMNS, RNN_DICTS):
            m = module_of(solution_source(solution), Path(folder) / f"{solution}.py")
            for features in (D, H):
                report = le.gradcheck_function(*call(solution, m, features))
                if not report.ok or report.lead:
                    wrong.append(f"{solution}, {features} features: {report.verdict()} {report.lead}")
    return wrong


def of_clones(folder: Path) -> tuple[list[Said], list[Said]]:
    """The wrong public passes of which there are clones, and the slips planted in right ones; a process a repository."""
    wrong, planted = [], []
    for repository in REPOSITORIES:
        if (clone := clone_of(repository, folder)) is None:
            continue
        command = [sys.executable, "-m", "experiments.assignment.gradcheck_leads", str(clone), "--of", repository]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
        for results, rows in zip((wrong, planted), json.loads(done.stdout), strict=True):
            results += [Said(*values) for values in rows]
    return wrong, planted


def of_clone(clone: Path, repository: str) -> tuple[list[Said], list[Said]]:
    """The wrong passes of one repository, and its right ones with slips of ours; this runs its code."""

    def said_of(subject: Pass, slips: Sequence[Mend], *allowed: tuple[str, ...]) -> Said:
        assert subject.adapter is not None
        case = subject.adapter(Theirs(clone, subject.commit, subject.files, slips))
        report = le.gradcheck_function(case.forward, case.backward, case.inputs)
        return said(
            ": ".join([f"{repository}, {subject.name}", *(slip.code or f"no line {slip.first}" for slip in slips)]),
            report,
            *allowed,
        )

    wrong = [(p, p.finding) for p in PASSES if p.repository == repository and p.finding]
    return (
        [said_of(subject, (), finding.regions, finding.quantities) for subject, finding in wrong],
        [said_of(p.subject, [p.slip], p.regions, p.quantities) for p in PLANTED if p.repository == repository],
    )


def line(result: Said) -> str:
    mark = "right" if result.right else "MISLED" if result.misled else "not located"
    mark = mark if result.found else "NOT FOUND"
    return f"{mark:<12} {result.name}: {result.region} {result.quantity}  {result.sentence}"


def figures(results: list[Said], what: str = "wrong passes") -> str:
    share = sum(r.right for r in results) / len(results)
    return (
        f"{len(results)} {what}: {sum(r.found for r in results)} found, {sum(r.right for r in results)} with the right "
        f"region and first wrong term ({share:.0%}), {sum(r.misled for r in results)} misled."
    )


def main(
    path: Annotated[
        Path | None, typer.Argument(help="A folder with clones, as for experiments.laboratory.others.")
    ] = None,
    of: Annotated[str, typer.Option(hidden=True, help="OWNER/NAME: PATH is its clone; prints JSON.")] = "",
) -> None:
    """What `gradcheck_function` alone says of reported mistakes and, with PATH, of public and planted ones.

    Exit code 1 when it finds one of them right, points to a wrong region, or finds a right solution wrong.
    Example: python -m experiments.assignment.gradcheck_leads ~/clones
    """
    if of:
        assert path is not None
        typer.echo(json.dumps(of_clone(path, of)))
        return
    alarms, results, planted = false_alarms(), of_reported(), []
    if path is not None:
        public, planted = of_clones(path)
        results += public
    for result in results + planted:
        typer.echo(line(result))
    typer.echo(f"{figures(results)} {counted(len(alarms), 'false alarm')}.")
    if planted:
        typer.echo(figures(planted, "slips planted in right public passes"))
    raise typer.Exit(int(any(not r.found or r.misled for r in results + planted) or bool(alarms)))


if __name__ == "__main__":
    typer.run(main)
