"""The lessons: listed, copied and opened."""

from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from experiments.cli.shared import AsJson, app, escape_markup, out_console, print_json


@app.command(
    rich_help_panel="Lessons",
    epilog="Examples: lstm-engine lessons   |   lstm-engine lessons 2   |   lstm-engine lessons all --read --no-browser",
)
def lessons(
    which: Annotated[
        str | None,
        typer.Argument(metavar="N|all", help="The lesson to open, or all for a page that lists them; none lists here."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for your own copies, in which you write your answers.")] = Path(
        "lessons"
    ),
    read: Annotated[
        bool, typer.Option("--read", help="As pages: everything moves; no code but what the text speaks of.")
    ] = False,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a browser, or say the address only.")
    ] = True,
    force: Annotated[
        bool, typer.Option("--force", help="Take fresh copies, in place of those with your answers.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Eight interactive lessons, from one recurrent unit to your own voice. They run until Ctrl-C."""
    from experiments.lessons import Lesson, files, opening

    there = {str(own.number): own for own in map(Lesson.read, files())}
    if which is None:
        return _list(list(there.values()), as_json)
    if which != "all" and which not in there:
        raise ValueError(f"there is no lesson {which}: expected one of {', '.join(there)}, or all")
    if as_json:
        raise ValueError("--json lists the lessons: leave it out to open one")
    opening.check_installed()
    wanted = list(there.values()) if which == "all" else [there[which]]
    for own in opening.copy(wanted, out, force):
        out_console.print(escape_markup(f"{own} is as you left it (--force takes a fresh copy)."), soft_wrap=True)
    code = opening.serve(out if which == "all" else out / wanted[0].file.name, read, browser)
    raise typer.Exit(1 if code else 0)


def _list(there: list, as_json: bool) -> None:
    """lessons without a number."""
    if as_json:
        told = [{"lesson": own.number, "title": own.title, "parts": own.parts, "file": str(own.file)} for own in there]
        return print_json(told)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", justify="right")
    table.add_column("lesson", overflow="fold")
    table.add_column("what you will see", overflow="fold")
    for own in there:
        table.add_row(str(own.number), escape_markup(own.title), escape_markup("; ".join(own.parts)))
    out_console.print(table)
    out_console.print("Open one: lstm-engine lessons 1   or all: lstm-engine lessons all")
