"""`python -m experiments.beside_keras.scripts CLONES --out DIR`: the listed scripts in Keras and in the engine."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.reports.run import Run

from .report import MISSING, RUNS, as_json, counts, page, run_all


def main(
    clones: Annotated[Path, typer.Argument(help="A folder with clones: CLONES/owner+name or CLONES/name.")],
    out: Annotated[Path | None, typer.Option(help="Write keras-scripts.md and scripts.json into this folder.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only scripts whose name has this; may be repeated.")] = None,
    keep: Annotated[Path | None, typer.Option(help="Leave the rewritten scripts and their records here.")] = None,
    reuse: Annotated[bool, typer.Option("--reuse", help="Take Keras's side from --keep where it is there.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier result in the same folder.")] = False,
) -> None:
    """Runs public Keras scripts in Keras and in the engine, and compares losses and outputs; docs/keras-scripts.md.

    Example: python -m experiments.beside_keras.scripts ~/clones --out runs/scripts
    """
    if not clones.is_dir():
        typer.echo(f"error: {clones} is not there: name a folder with clones", err=True)
        raise typer.Exit(2)
    run = Run(out, force) if out else None
    outcomes = run_all(clones, only or (), typer.echo, keep and keep.absolute(), reuse)
    found = counts(outcomes)
    typer.echo(", ".join(f"{count} {result}" for result, count in sorted(found.items(), key=lambda item: -item[1])))
    if run is not None:
        run.write_json("scripts.json", as_json(outcomes))
        typer.echo(run.write("keras-scripts.md", page(outcomes)))
    if found.get(MISSING, 0) == len(outcomes):
        raise typer.Exit(2)
    raise typer.Exit(0 if found.get(RUNS, 0) else 1)


if __name__ == "__main__":
    typer.run(main)
