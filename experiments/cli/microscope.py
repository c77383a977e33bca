"""Looking inside a network: inspect."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.shared import AsJson, Force, OtherModel, app, escape_markup, out_console, print_json, stages


@app.command(
    rich_help_panel="Voices",
    epilog="Examples: lstm-engine inspect me.wav --out me.html   |   lstm-engine inspect talk.mp3 --start 60 --seconds 5",
)
def inspect(
    file: Annotated[Path, typer.Argument(help="WAV, FLAC, OGG, MP3 or AIFF; WebM and M4A with PyAV.")],
    model: OtherModel = None,
    out: Annotated[Path, typer.Option(help="The page, one HTML file that needs no network.")] = Path(
        "runs/inspect.html"
    ),
    start: Annotated[float, typer.Option(min=0, help="Where in the file to begin, in seconds.")] = 0.0,
    seconds: Annotated[float, typer.Option(min=0.1, max=20, help="How much of it to show, at most.")] = 10.0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """A page that shows what every gate of the network does while it hears a voice, and what would change its answer."""
    from experiments.microscope.looking import look
    from experiments.microscope.page import page, plotly
    from experiments.voices.predict import SHIPPED, frames_model
    from features.whole_files import replace_file

    plotly()  # says what to install before anything is computed
    if out.is_dir():
        raise IsADirectoryError(
            f"{out} is a folder: name a file for the page with --out, such as {out / 'inspect.html'}"
        )
    if out.exists() and not force:
        raise FileExistsError(f"{out} is there already: choose another --out, or replace it with --force")
    judge = frames_model(model or SHIPPED)
    with stages() as stage:
        seen = look(file, judge, start, seconds, stage("Changing one thing at a time"))
    out.parent.mkdir(parents=True, exist_ok=True)
    replace_file(out, page(seen))
    megabytes = out.stat().st_size / 1e6
    j = seen.judgement
    if as_json:
        told = {"page": str(out), "megabytes": round(megabytes, 2), "label": j.label, "probability": j.probability}
        return print_json(
            told | {"start_s": start, "seconds": j.seconds, "whole_s": seen.whole_s, "frames": len(seen.p)}
        )
    part = (
        "" if j.seconds > seen.whole_s - 0.05 else f" ({start:g} to {start + j.seconds:.1f} s of {seen.whole_s:.1f} s)"
    )
    for text in (f"{file}{part}: {j.label}, {j.why}", f"Page: {out} ({megabytes:.1f} MB): open it in a browser."):
        out_console.print(escape_markup(text), soft_wrap=True)
