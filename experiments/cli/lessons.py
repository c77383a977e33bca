"""The lessons: listed, copied and opened."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.shared import AsJson, app, print_json, print_line


@app.command(
    rich_help_panel="Lessons",
    epilog="Examples: lstm-engine lessons   |   lstm-engine lessons 2   |   lstm-engine lessons all --read --no-browser",
)
def lessons(
    which: Annotated[
        str | None,
        typer.Argument(
            metavar="N|all",
            help="The lesson to open, or all for a page of all titles. Without it the titles are listed here.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for your own copies, in which you write your answers.")] = Path(
        "lessons"
    ),
    read: Annotated[
        bool, typer.Option("--read", help="As pages to read: sliders work, code cells are hidden.")
    ] = False,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a browser, or only print the address.")
    ] = True,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the copies that hold your answers with fresh ones.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Eleven interactive lessons, from one recurrent unit to your own LSTM. They run until Ctrl-C."""
    from experiments.lessons import Lesson, files, opening

    known = {str(lesson.number): lesson for lesson in map(Lesson.read, files())}
    if which is None:
        return _list(list(known.values()), as_json)
    if which != "all" and which not in known:
        raise ValueError(f"there is no lesson {which}: expected one of {', '.join(known)}, or all")
    if as_json:
        raise ValueError("--json lists the lessons: leave it out to open one")
    opening.check_installed()
    wanted = list(known.values()) if which == "all" else [known[which]]
    for copy in opening.copy(wanted, out, force):
        print_line(f"{copy} is as you left it (--force takes a fresh copy).")
    place = out if which == "all" else out / wanted[0].file.name
    try:
        code = opening.serve(place, print_line, read, browser)
    except KeyboardInterrupt:
        code = 0
    raise typer.Exit(1 if code else 0)


def _list(lessons: list, as_json: bool) -> None:
    """lessons without a number."""
    if as_json:
        rows = [
            {"lesson": x.number, "title": x.title, "line": x.line, "parts": x.parts, "file": str(x.file)}
            for x in lessons
        ]
        return print_json(rows)
    for lesson in lessons:
        print_line(f"{lesson.number:>2} {lesson.title}\n   {lesson.line}")
    print_line("Open one: lstm-engine lessons 1   or a page of all: lstm-engine lessons all")
