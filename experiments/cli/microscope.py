"""Looking inside a network: inspect."""

from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.cli.shared import AsJson, app, escape_markup, out_console, print_json, stages

if TYPE_CHECKING:
    from experiments.voices.inside.look import Look


@app.command(
    rich_help_panel="Voices",
    epilog="Examples: lstm-engine inspect me.wav --out me.html   |   lstm-engine inspect me.wav you.wav   |   "
    "lstm-engine inspect me.wav --model epoch_02.safetensors --model epoch_20.safetensors",
)
def inspect(
    files: Annotated[
        list[Path] | None, typer.Argument(help="WAV, FLAC, OGG, MP3 or AIFF; WebM and M4A with PyAV. Two to compare.")
    ] = None,
    clip: Annotated[list[Path] | None, typer.Option(help="The same as a file given without an option.")] = None,
    model: Annotated[
        list[Path] | None,
        typer.Option(
            "--model",
            "-m",
            help="A model.safetensors that train wrote; without, the shipped one. Twice compares two on one recording.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The page, one HTML file that needs no network.")] = Path(
        "runs/inspect.html"
    ),
    start: Annotated[float, typer.Option(min=0, help="Where in the file to begin, in seconds.")] = 0.0,
    seconds: Annotated[float, typer.Option(min=0.1, max=20, help="How much of it to show, at most.")] = 10.0,
    force: Annotated[bool, typer.Option("--force", help="Replace the page where there is one of that name.")] = False,
    as_json: AsJson = False,
) -> None:
    """A page that shows what every gate of the network does while it hears a voice, and what would change its answer.

    Of two recordings, or of two models that hear one recording, it shows both beside each other.
    """
    from experiments.voices.inside.look import look
    from experiments.voices.inside.page import page, plotly
    from experiments.voices.inside.two_looks import models_apart, names_apart
    from experiments.voices.predict import SHIPPED, frames_model
    from features.whole_files import replace_file

    clips, models = [*(files or []), *(clip or [])], model or [SHIPPED]
    if (len(clips), len(models)) not in ((1, 1), (2, 1), (1, 2)):
        raise ValueError(
            "give one recording, two recordings to compare, or one recording and two models with --model: "
            f"got {len(clips)} recordings and {len(models)} models"
        )
    plotly()  # says what to install before anything is computed
    _check_place(out, force)
    networks = [frames_model(path) for path in models]
    told_apart = models if len(models) > 1 else clips
    names = models_apart(models) if len(models) > 1 else names_apart(clips)
    with stages() as stage:
        seen = [
            look(file, network, start, seconds, stage(f"{name}: changing one thing at a time"))
            for name, (file, network) in zip(names, ((f, n) for f in clips for n in networks), strict=True)
        ]
    out.parent.mkdir(parents=True, exist_ok=True)
    replace_file(out, page(*seen, names=names))
    megabytes = out.stat().st_size / 1e6
    if as_json:
        sides = [_told(name, own) for name, own in zip(names, seen, strict=True)]
        return print_json({"page": str(out), "megabytes": round(megabytes, 2), "sides": sides})
    for name, own in zip(told_apart, seen, strict=True):
        j = own.judgement
        part = (
            ""
            if j.seconds > own.whole_s - 0.05
            else f" ({start:g} to {start + j.seconds:.1f} s of {own.whole_s:.1f} s)"
        )
        out_console.print(escape_markup(f"{name}{part}: {j.label}, {j.why}"), soft_wrap=True)
    out_console.print(escape_markup(f"Page: {out} ({megabytes:.1f} MB): open it in a browser."), soft_wrap=True)


def _check_place(out: Path, force: bool) -> None:
    """Whether a page can be written there, asked before minutes are spent on it. OSError, with what to do, if not."""
    if out.is_dir():
        raise IsADirectoryError(
            f"{out} is a folder: name a file for the page with --out, such as {out / 'inspect.html'}"
        )
    if out.exists() and not force:
        raise FileExistsError(f"{out} is there already: choose another --out, or replace it with --force")
    folder = next(place for place in out.absolute().parents if place.exists())  # in it the others will be made
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file, so {out} cannot be in it: choose another --out")
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise type(error)(f"{folder} cannot be written to ({error.strerror}): choose another --out") from None


def _told(name: str, seen: "Look") -> dict[str, Any]:
    j = seen.judgement
    told = {"name": name, "file": seen.file, "label": j.label, "probability": j.probability}
    return told | {"start_s": seen.start_s, "seconds": j.seconds, "whole_s": seen.whole_s, "frames": len(seen.p)}
