"""Write it yourself: starters, the judge, and a class's grades."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.shared import (
    AsJson,
    Force,
    Jobs,
    alone_in,
    assignments,
    out_console,
    print_columns,
    print_json,
    print_line,
    stages,
)

Hint = Annotated[
    int,
    typer.Option(
        min=0, max=3, help="1 the region of the mistake, 2 the equation too, 3 the line and what belongs there."
    ),
]
Seconds = Annotated[int, typer.Option(min=1, help="Time that a file may take.")]
Memory = Annotated[int, typer.Option(min=256, help="MiB of memory that a file may take.")]


@assignments.command(
    epilog="Examples: lstm-engine assignment new mine   |   lstm-engine assignment new mine --topic all   |   "
    "lstm-engine assignment new mine --convention cs231n"
)
def new(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder for the starter.")],
    topic: Annotated[str, typer.Option(help="lstm, gru, rnn, adam, or all.")] = "lstm",
    convention: Annotated[
        str, typer.Option(help="Of the LSTM: rows (the engine's and Keras's), cs231n, coursera or karpathy.")
    ] = "rows",
    notebook: Annotated[
        bool, typer.Option("--notebook", help="A Jupyter notebook with a check below each pair.")
    ] = False,
) -> None:
    """Writes a starter file: signatures, shapes and docstrings of a network's forward and backward pass, nothing solved."""
    from experiments.assignment import starters

    for path in starters.new(folder, topic, convention, notebook):
        print_line(str(path))
        if not notebook:
            print_line(f"  Write its functions from the top, and after each: lstm-engine assignment check {path}")


@assignments.command(
    epilog="Examples: lstm-engine assignment check mine/lstm.py   |   lstm-engine assignment check mine/lstm.py --hint 1"
)
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file that you write into.")],
    hint: Hint = 0,
    solution: Annotated[
        bool, typer.Option("--solution", help="Show a right version of the function at which the check stopped.")
    ] = False,
    seconds: Seconds = 20,
    memory: Memory = 2048,
    as_json: AsJson = False,
) -> None:
    """Judges what you wrote, level by level, beside the engine: the step, the walk, whole sequences, Adam, training.

    It stops at the first level that does not pass. Exit 1 if something is wrong or not written yet.
    """
    from experiments.assignment import checking, starters

    verdict = checking.check_file(file, hint, checking.Limits(seconds, memory))
    name = verdict.finding.function if verdict.finding else ""
    text = starters.solved(name, file.read_text(encoding="utf-8", errors="replace")) if solution and name else ""
    if as_json:
        print_json(verdict.to_json() | ({"solution": text} if solution else {}))
    else:
        print_line(str(verdict))
        if solution:
            print_line(f"\n{text}" if text else "\nThere is no function to show a solution of.")
    raise typer.Exit(0 if verdict.ok else 1)


@assignments.command(epilog="Example: lstm-engine assignment grade submissions --out runs/grades")
def grade(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A .py file or a notebook a student, or a folder a student.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for grades.csv, grades.json and report.html.")] = Path(
        "runs/grades"
    ),
    seconds: Seconds = 20,
    memory: Memory = 2048,
    jobs: Jobs = 1,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Grades a class: every submission in a process of its own, with limits on time, memory and files, and no network."""
    from experiments.assignment import checking, grading
    from experiments.reports.run import Run

    grading.submissions(folder)  # refuses before anything is written
    alone_in(context, out)
    run = Run(out, force)
    with stages() as stage:
        grades = grading.grade(
            folder, run, checking.Limits(seconds, memory), grading.workers(jobs), stage("Judging submissions")
        )
    if as_json:
        return print_json(grading.as_json(grades))
    columns = {"student": "left", "level": "right", "state": "left", "what the judge says": "left"}
    print_columns(columns, [(row.student, row.level, row.state, row.sentence) for row in grades])
    for text in checking.missing_limits():
        print_line(f"note: on this system {text}.")
    out_console.print(f"{grading.summary(grades)}\nReport: {out / 'report.html'}", soft_wrap=True)
