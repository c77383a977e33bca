"""Grades a folder of submissions: every file in a process of its own, a table as CSV and JSON, and a page.

A submission is a .py file or a notebook in the folder, or a folder of a student's that holds one. `grade` is
`lstm-engine assignment grade`.
"""

from __future__ import annotations

import csv
import html
import io
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments.assignment.checking import LIMITS, SUFFIXES, Limits, check_file, missing_limits
from experiments.reports import page
from experiments.reports.run import Run, footer
from lstm_engine.gradient_check.verdict import OPEN, PASSED, WRONG, Verdict

FORMULA = "=+-@\t\r"  # a cell that begins with one of these is run by a spreadsheet
NO_FILE = "no file"
SHORT = 18  # letters of a cell that is not broken over lines


@dataclass(frozen=True)
class Grade:
    """A row of the class table."""

    student: str
    file: str  # "" if there is none
    reached: int  # the last level that passed with all below it
    levels: int  # how many there are
    state: str  # passed, wrong, not written yet, no file
    function: str  # at which it stopped
    quantity: str
    sentence: str
    line: str  # "41: df = dc * c"
    seconds: float

    @property
    def level(self) -> str:
        return f"{self.reached} of {self.levels}" if self.levels > 1 else "-"


def submissions(folder: Path) -> list[tuple[str, Path | None]]:
    """The students' names and files. ValueError if the folder holds none."""
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is not a folder: give the folder that holds the submissions")
    rows: list[tuple[str, Path | None]] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "_")) or path.is_symlink():
            continue
        if path.is_dir():
            files = sorted(f for f in path.rglob("*") if f.suffix in SUFFIXES and f.is_file() and not f.is_symlink())
            rows.append((path.name, max(files, key=likely, default=None)))
        elif path.suffix in SUFFIXES and path.is_file():
            rows.append((path.stem, path))
    if not rows:
        raise ValueError(f"{folder} holds no .py file, no notebook and no student's folder")
    return rows


def likely(file: Path) -> tuple[int, bool]:
    """How many of the assignment's functions a file defines: of a student's files the one with the most is judged."""
    text = file.read_text(encoding="utf-8", errors="replace")
    return sum(
        f"{cell}_{name}" in text for cell in ("lstm", "gru", "rnn") for name in ("forward", "backward")
    ), "adam_step" in text


def grade(
    folder: str | Path,
    run: Run | None = None,
    limits: Limits = LIMITS,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[Grade]:
    """The class table, by student; with a run its folder gets grades.csv, grades.json and report.html."""
    work = submissions(Path(folder))
    grades: list[Grade] = []
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        waiting = [pool.submit(graded, student, file, limits) for student, file in work]
        for done, each in enumerate(as_completed(waiting), start=1):
            grades.append(each.result())
            if progress:
                progress(done, len(work))
    grades.sort(key=lambda row: row.student)
    if run is not None:
        run.write("grades.csv", as_csv(grades))
        run.write_json("grades.json", as_json(grades))
        run.write("report.html", as_page(grades))
    return grades


def workers(jobs: int) -> int:
    """Processes at once; -1 is one a core."""
    return jobs if jobs > 0 else os.cpu_count() or 1


def graded(student: str, file: Path | None, limits: Limits) -> Grade:
    """One submission. Whatever is in the file, the answer is a row."""
    if file is None:
        return Grade(
            student, "", 0, 0, NO_FILE, "", "", "There is no .py file and no notebook in this folder.", "", 0.0
        )
    start = time.perf_counter()
    try:
        verdict = check_file(file, limits=limits)
    except Exception as error:  # whatever it is, the others are graded
        return Grade(student, file.name, 0, 0, NO_FILE, "", "", str(error), "", time.perf_counter() - start)
    return row_of(student, file, verdict, time.perf_counter() - start)


def row_of(student: str, file: Path, verdict: Verdict, seconds: float) -> Grade:
    finding = verdict.finding
    place = finding and finding.place
    return Grade(
        student=student,
        file=file.name,
        reached=verdict.reached,
        levels=len(verdict.levels),
        state=PASSED if verdict.ok else OPEN if verdict.open else WRONG,
        function=plain(finding.function) if finding else "",
        quantity=plain(finding.quantity) if finding else "",
        sentence=plain(finding.sentence) if finding else "All levels passed.",
        line=plain(f"{place.line}: {place.text}") if place else "",
        seconds=seconds,
    )


def plain(text: str) -> str:
    """Text out of a learner's process without control characters, and not longer than a table can show."""
    return "".join(c if c.isprintable() else " " for c in text)[:300]


# -- the table ---------------------------------------------------------------------------------------------------------


def as_csv(grades: list[Grade]) -> str:
    """The table as CSV. Cells that a spreadsheet would take for a formula get an apostrophe in front."""
    buffer = io.StringIO()
    table = csv.writer(buffer)
    table.writerow(asdict(grades[0]))
    for row in grades:
        table.writerow([safe(value) for value in asdict(row).values()])
    return buffer.getvalue()


def safe(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.1f}"
    return f"'{value}" if isinstance(value, str) and value.startswith(tuple(FORMULA)) else value


def as_json(grades: list[Grade]) -> dict[str, Any]:
    return {"grades": [asdict(row) for row in grades], "limits_missing": missing_limits()}


def summary(grades: list[Grade]) -> str:
    """How many reached what, in a sentence."""
    passed = sum(row.state == PASSED for row in grades)
    return f"{passed} of {page.counted(len(grades), 'submission')} passed every level."


def as_page(grades: list[Grade]) -> str:
    """The table as a page: per student the level, the sentence, the line and the time; and what a class gets wrong."""
    heads = ("student", "level", "state", "what the judge says", "line", "s")
    rows = [
        (
            row.student,
            row.level,
            row.state,
            row.sentence,
            row.line,
            f"{row.seconds:.1f}",
        )
        for row in grades
    ]
    parts = [STYLE, page.paragraph(summary(grades), "lead")]
    parts += [page.paragraph(f"On this system {text}.", "note") for text in missing_limits()]
    counts: dict[str, int] = {}
    for row in grades:
        if row.state == WRONG and row.quantity:
            counts[row.quantity] = counts.get(row.quantity, 0) + 1
    if counts:
        most = sorted(counts.items(), key=lambda item: -item[1])
        parts += [
            page.heading("What is wrong, by the first wrong quantity"),
            table(("quantity", "students"), [(q, str(n)) for q, n in most]),
        ]
    parts += [page.heading("Students"), table(heads, rows)]
    return page.page("An assignment's grades", parts, footer("lstm-engine assignment grade"))


STYLE = """<style>
 .grades th, .grades td { text-align: left; vertical-align: top; overflow-wrap: anywhere; }
 .grades td { white-space: normal; } .grades td.short { white-space: nowrap; }
 @media (max-width: 42rem) {
  .grades thead { display: none; } .grades tr { display: block; padding: .5rem 0; border-bottom: 1px solid currentColor; }
  .grades td { display: block; border: 0; padding: .1rem 0; } .grades td:empty { display: none; }
  .grades td:not(:first-child)::before { content: attr(data-head) ": "; opacity: .75; }
 }
</style>"""


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table of texts; on a narrow screen each row is a block with the heads in front of its cells."""
    head = "".join(f"<th>{html.escape(text)}</th>" for text in heads)
    body = "".join(f"<tr>{''.join(map(cell, heads, row))}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table class="grades"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def cell(head: str, text: str) -> str:
    short = ' class="short"' if len(text) < SHORT else ""
    return f'<td data-head="{html.escape(head)}"{short}>{html.escape(text)}</td>'
