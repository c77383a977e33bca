"""`python -m experiments.laboratory.others PATH`: the public passes in these clones, judged."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.reports.page import counted
from experiments.reports.run import Run, to_json

from .report import as_json, judge_all, summary, write_page


def main(
    path: Annotated[Path, typer.Argument(help="A folder with clones (PATH/owner+name or PATH/name), or one clone.")],
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write report.html and passes.json into this folder.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier page in the same folder.")] = False,
) -> None:
    """Judges the hand-written LSTMs, GRUs and RNNs of public repositories; docs/others.md says what is found.

    Exit code 0 when every verdict is as docs/others.md states, 1 when one is not, 2 when there is nothing to judge.
    Example: python -m experiments.laboratory.others ~/clones --out runs/others
    """
    try:
        if not path.is_dir():
            raise FileNotFoundError(f"{path} is not there: name a folder with clones, or one clone")
        run = Run(out, force) if out else None
        every = judge_all(path, (lambda line: None) if json else typer.echo)
    except (OSError, RuntimeError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    result = as_json(every)
    if json:
        typer.echo(to_json(result))
    else:
        stated = "as docs/others.md says" if result["ok"] else "NOT all as docs/others.md says"
        missing = counted(len(result["missing"]), "repository", "repositories")
        typer.echo(f"{summary(every)}; {stated}. {missing} missing.")
    if run is not None:
        typer.echo(f"Report: {write_page(every, run)}", err=json)
    raise typer.Exit(0 if result["ok"] else 1 if result["passes"] else 2)


if __name__ == "__main__":
    typer.run(main)
