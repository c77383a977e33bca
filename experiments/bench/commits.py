"""Training steps of two commits of the engine, in turns: `python -m experiments.bench.commits A B`.

A and B are commits as git names them, or `.` for the files as they are. A commit's lstm_engine is put into a temporary
folder, where its kernels are compiled anew; the rest, the benchmark itself too, is the present one on both sides, which an
engine of long ago may not fit. Naming one commit twice shows the noise. B is not timed if it computes something else than A.
"""

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from experiments.bench.processor import peers_held
from experiments.bench.sides import ENGINE
from experiments.bench.task import Shape, parse_shapes
from experiments.bench.turns import Seat, Timing, Turns

ROOT, ENGINE_FOLDER, PRESENT = Path(__file__).parents[2], "lstm_engine", ("features", "experiments")


def compare(
    commits: Sequence[str], shapes: Sequence[Shape], threads: int | None, rounds: int, seconds: float
) -> pd.DataFrame:
    """By shape: milliseconds of a training step of each commit, and the ratio of the second to the first."""
    with tempfile.TemporaryDirectory() as folder:
        seats = [seat(name, commit, Path(folder) / name, threads) for name, commit in zip("AB", commits, strict=True)]
        with peers_held(), Turns(seats) as turns:
            timings = [turns.time(shape, "train", rounds, seconds) for shape in shapes]
    return table([seat.label for seat in seats], timings)


def seat(name: str, commit: str, folder: Path, threads: int | None) -> Seat:
    """The engine of a commit; ValueError if git does not know it."""
    if commit == ".":
        return Seat(ENGINE, threads, f"{name} .")
    known = (
        git("rev-parse", "--short", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}").decode().strip()
    )
    if not known:
        raise ValueError(f"a commit as git names it was expected, or . for the files as they are, got {commit!r}")
    with tarfile.open(fileobj=io.BytesIO(git("archive", known, ENGINE_FOLDER))) as files:
        files.extractall(folder, filter="data")
    for package in PRESENT:
        (folder / package).symlink_to(ROOT / package)
    return Seat(ENGINE, threads, f"{name} {known}", folder)


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, stdout=subprocess.PIPE, check=False).stdout


def table(labels: Sequence[str], timings: Sequence[Timing]) -> pd.DataFrame:
    from experiments.bench import page  # not above: a commit's process imports this file, beside an lstm_engine that
    from experiments.bench.run import ratio  # may not have what the pages need

    rows = {}
    for timing in timings:
        ms = {label: page.number(1e3 * timing.median(label)) for label in labels if label in timing.seconds}
        row = {f"{label.split(', ')[1]}, ms": words for label, words in (ms | timing.failed).items()}
        if not timing.failed:
            a, b = (timing.seconds[label] for label in labels)
            row["B / A (middle 80 %)"] = page.spread_words(ratio(b, a), "{:.3f}")
        rows[str(timing.shape)] = row
    return pd.DataFrame.from_dict(rows, orient="index").fillna("")


def main(
    a: Annotated[str, typer.Argument(help="A commit, or . for the files as they are.")],
    b: Annotated[str, typer.Argument(help="Another one.")],
    shapes: Annotated[str, typer.Option(help="Names from the grid, or TxDxHxB; several with commas, or all.")] = "all",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Of the kernels; without it the engine's own choice.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each commit at each shape.")] = 20,
    seconds: Annotated[float, typer.Option(min=0.0, help="Of steps in a turn.")] = 0.25,
) -> None:
    """Milliseconds of a training step of commits A and B, and B's time as a share of A's, round by round."""
    try:
        frame = compare((a, b), parse_shapes(shapes), threads, rounds, seconds)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    with pd.option_context("display.width", 200, "display.max_columns", None):
        typer.echo(frame.to_string())


if __name__ == "__main__":
    typer.run(main)
