"""Studies: `lstm-engine study epochs`, `lstm1997`. Each keeps every training that is done, and goes on after a stop."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.shared import (
    AsJson,
    Epochs,
    Force,
    err_console,
    out_console,
    print_frame,
    print_json,
    stages,
    studies,
    workers,
)


@contextmanager
def kept_when_stopped() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        err_console.print("stopped: the trainings that are done are kept, and the same command goes on with the others")
        raise typer.Exit(130) from None


@studies.command(
    "epochs",
    epilog="Examples: lstm-engine study epochs --tables my_features   |   "
    "lstm-engine study epochs --tables my_features --frames my_frames --seeds 3",
)
def study_epochs(
    tables: Annotated[Path | None, typer.Option(help="Folder with male_features.csv and female_features.csv.")] = None,
    frames: Annotated[Path | None, typer.Option(help="Folder of an extraction by the recipe frames.")] = None,
    epochs: Epochs = 200,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each subject, with seeds 0, 1, ...")] = 5,
    out: Annotated[Path, typer.Option(help="Folder for CSV, picture and report.")] = Path("runs/epochs"),
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """How far does accuracy rise with more epochs, in training and on held-out speakers?

    Each training is kept once it is done: after a stop, the same command goes on.
    """
    from experiments.study import epochs as study
    from experiments.study.epochs_report import TABLE_TITLE, frame

    with kept_when_stopped(), stages() as stage:
        result = study.study(out, tables, frames, epochs, seeds, force, stage, err_console.print)
    if as_json:
        return print_json(result)
    print_frame(TABLE_TITLE, frame(result))
    out_console.print(f"{result['words']}\nReport: {out / 'report.html'}", soft_wrap=True)


def finite(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"expected a finite number, got {value}")
    return value


@studies.command(
    "lstm1997",
    epilog="Examples: lstm-engine study lstm1997   |   lstm-engine study lstm1997 --experiment 4 --cell 1997 --seeds 3",
)
def study_lstm1997(
    experiment: Annotated[
        list[str] | None,
        typer.Option(
            help="The paper's number: 1, 2a to 2c, 3a to 3c, 4, 5, 6a or 6b; may be given again. Without: 1, 4, 6a, 6b."
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each row, with seeds 0, 1, ...")] = 10,
    cell: Annotated[str, typer.Option(help="modern (forget gates, Adam) or 1997 (as in the paper).")] = "modern",
    forget_bias: Annotated[
        float | None,
        typer.Option(callback=finite, help="Start all forget gates' biases here, instead of by the task's lag."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="The short rows alone, with two seeds: minutes.")] = False,
    jobs: Annotated[int, typer.Option(callback=workers, help="Trainings at a time; -1 is one a core.")] = -1,
    out: Annotated[Path, typer.Option(help="Folder for tables, picture and report.")] = Path("runs/lstm1997"),
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """The experiments of Hochreiter & Schmidhuber (1997), by their own criteria, beside their figures.

    Each training is kept once it is done: after a stop, the same command goes on. The report is of all that the folder holds.
    """
    from experiments.study.lstm1997.report import TABLE_TITLE, narrow
    from experiments.study.lstm1997.study import study

    with kept_when_stopped(), stages() as stage:
        result = study(out, tuple(experiment or ()), seeds, cell, quick, jobs, forget_bias, force, stage)
    if as_json:
        return print_json(result)
    print_frame(TABLE_TITLE, narrow(result))
    out_console.print(f"{result['words']}\nReport: {out / 'report.html'}", soft_wrap=True)
