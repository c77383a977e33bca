"""All passes of the clones in a folder: each repository in a process of its own, a line a pass, JSON, a page."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.reports import page
from experiments.reports.run import Run, footer

from .passes import PASSES, PRINTED_NUMBERS, PROVED, UNJUDGED, WRONG

SECONDS = 120  # for all passes of a repository, which take about two
VERDICTS = (PROVED, WRONG, UNJUDGED)
REPOSITORIES = tuple(dict.fromkeys(subject.repository for subject in PASSES))


@dataclass
class Judged:
    """What the clone of one repository says; without a clone, how to get one."""

    repository: str
    results: list[dict[str, Any]]  # one a pass: verdict, error, rows, ..., and "disagreements"
    missing: str = ""

    @property
    def as_stated(self) -> bool:
        return not any(result["disagreements"] for result in self.results)


def clone_of(repository: str, folder: Path) -> Path | None:
    """The clone of a repository: folder itself, or folder/owner+name, folder/owner/name or folder/name; bare ones too."""
    owner, name = repository.split("/")
    commits = [subject.commit for subject in PASSES if subject.repository == repository]
    for path in (folder, folder / f"{owner}+{name}", folder / owner / name, folder / name):
        for clone in (path, path / "repo", path / "repo" / ".git"):
            if (clone / ".git").exists() or (clone / "HEAD").exists():
                command = ["git", "-C", str(clone), "cat-file", "-e", commits[0]]
                if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                    return clone
    return None


def how_to_get(repository: str, folder: Path) -> str:
    return f"git clone https://github.com/{repository} {folder / repository.replace('/', '+')}"


def judged(repository: str, folder: Path) -> Judged:
    """The verdicts on one repository, from a process that runs its code."""
    clone = clone_of(repository, folder)
    if clone is None:
        return Judged(repository, [], how_to_get(repository, folder))
    command = [sys.executable, "-m", "experiments.laboratory.others.process", str(clone), repository]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{repository}: its passes took more than {SECONDS} s") from None
    if done.returncode:
        why = done.stderr.strip().splitlines()[-1:] or [f"its process ended with exit code {done.returncode}"]
        raise RuntimeError(f"{repository}: {why[0]}")
    return Judged(repository, json.loads(done.stdout))


def judge_all(folder: Path, tell: Callable[[str], None] = lambda line: None) -> list[Judged]:
    """Every repository that has a clone, or is missing. tell gets each line as soon as it is known.

    A folder that is one clone is judged alone.
    """
    alone = [repository for repository in REPOSITORIES if clone_of(repository, folder) == folder]
    every = []
    for repository in alone or REPOSITORIES:
        every.append(judged(repository, folder))
        for line in lines(every[-1]):
            tell(line)
    return every


def lines(one: Judged) -> Iterator[str]:
    """A line a pass: verdict, cell, repository, functions, size of the error; and whatever is not as docs/others.md says."""
    if one.missing:
        yield f"missing          {one.repository}: {one.missing}"
    for result in one.results:
        yield f"{result['verdict']:<16} {result['cell'].upper():<4} {one.repository}  {result['name']}: {in_words(result)}"
        for disagreement in result["disagreements"]:
            yield f"    not as docs/others.md says: {disagreement}"


def in_words(result: dict[str, Any]) -> str:
    """What is proved, or what is wrong and where, in one line."""
    if result["verdict"] == UNJUDGED:
        return result["why"]
    if not result["wrong_rows"]:
        unlike = f"; its forward is not the cell's: {result['unlike']}" if result["unlike"] else ""
        return f"all {result['rows']} rows within {result['error']:.0e}{unlike}"
    rows = f"{len(result['wrong_rows'])} of {result['rows']} rows, up to {result['error']:.2g}"
    places = ", ".join(result["places"][:1]) + (
        f" and {len(result['places']) - 1} more" if result["places"][1:] else ""
    )
    mended = f"; {result['mended']} with our line there" if result["mended"] else ""
    return f"{rows}; right: {result['equation']}; there: {result['instead']}; {places}{mended}"


def summary(every: list[Judged]) -> str:
    """ "47 verdicts, 3 of them on printed numbers: 26 proved, 17 wrong, 4 cannot be judged"."""
    results = [result for one in every for result in one.results]
    printed = sum(result["name"] == PRINTED_NUMBERS for result in results)
    of_these = f", {printed} of them on printed numbers" if printed else ""
    counts = ", ".join(f"{n} {verdict}" for verdict, n in as_json(every)["counts"].items())
    return f"{page.counted(len(results), 'verdict')}{of_these}: {counts}"


def as_json(every: list[Judged]) -> dict[str, Any]:
    counts = {verdict: sum(r["verdict"] == verdict for one in every for r in one.results) for verdict in VERDICTS}
    return {
        "ok": all(one.as_stated for one in every) and any(one.results for one in every),
        "counts": counts,
        "passes": [result | {"repository": one.repository} for one in every for result in one.results],
        "missing": {one.repository: one.missing for one in every if one.missing},
    }


def write_page(every: list[Judged], run: Run) -> Path:
    """The verdicts as one page, and as passes.json beside it."""
    run.write_json("passes.json", as_json(every))
    parts = [page.paragraph(f"{summary(every)}.", "lead")]
    for one in every:
        parts.append(page.heading(one.repository))
        if one.missing:
            parts.append(page.paragraph(f"No clone: {one.missing}"))
        for r in one.results:
            words = f"{r['cell'].upper()}, {r['name']} at {r['commit'][:7]}: {r['verdict']}; {in_words(r)}."
            parts.append(page.paragraph(words, "note" if r["verdict"] == WRONG else ""))
    command = "python -m experiments.laboratory.others"
    return run.write("report.html", page.page("Public LSTMs, checked", parts, footer(command)))
