"""The command `lstm-engine`: each subcommand reads its options, calls one function, and shows what it returns.

Exit codes: 0, 1 (it ran and the answer is bad), 2 (bad usage or input). Errors are one line; --debug shows the traceback.
Open `shared.py` first, then the file of a command.
"""

import io
import sys
import warnings
from typing import Annotated, Any

import typer

from experiments.cli import (  # each registers its commands
    assignment,
    collections,
    doctor,
    learning,
    lessons,
    proofs,
    study,
    voices,
)
from experiments.cli.places import prepare
from experiments.cli.shared import app, err_console, escape_markup, studies

__all__ = [
    "app",
    "assignment",
    "collections",
    "doctor",
    "learning",
    "lessons",
    "main",
    "proofs",
    "studies",
    "study",
    "voices",
]


def _version(show: bool) -> None:
    if show:
        from importlib.metadata import version

        print(f"lstm-engine {version('lstm-engine')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """An LSTM by hand, beside Keras: voices to features, training, comparison, prediction."""


def main() -> None:
    """Runs the command line; turns an error into one line and an exit code."""
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    warnings.showwarning = _show_warning
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # the name of a file may hold bytes that are not UTF-8
    try:
        prepare()
        app(arguments, prog_name="lstm-engine")  # leaves with 0, with 2 on bad usage, or with what typer.Exit says
    except (ValueError, TypeError, OSError, ModuleNotFoundError) as error:
        from lstm_engine.diverging import Diverged  # not for --help

        _give_up(error, debug, "error", code=1 if isinstance(error, Diverged) else 2)
    except MemoryError as error:
        advice = "choose fewer units, smaller batches or a smaller shape, or end other programs"
        _give_up(error, debug, "error", code=2, after=f": {advice}")
    except Exception as error:  # a fault of ours, or a machine at its limits
        _give_up(error, debug, f"error ({type(error).__name__}; --debug shows where)", code=1)


def _give_up(error: Exception, debug: bool, kind: str, code: int, after: str = "") -> None:
    if debug:
        raise error
    err_console.print(f"[red]{kind}:[/red] {escape_markup(str(error) + after)}", soft_wrap=True)
    sys.exit(code)


def _show_warning(message: Any, category: type[Warning], *where: Any, **more: Any) -> None:
    err_console.print(f"[yellow]note:[/yellow] {escape_markup(str(message))}", soft_wrap=True)
