"""Looking inside a network: inspect."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.shared import AsJson, app, print_json, print_line, stages


@app.command(
    rich_help_panel="Voices",
    epilog="Examples: lstm-engine inspect me.wav --out me.html   |   lstm-engine inspect me.wav you.wav   |   "
    "lstm-engine inspect me.wav --model epoch_02.safetensors --model epoch_20.safetensors",
)
def inspect(
    files: Annotated[
        list[Path] | None, typer.Argument(help="WAV, FLAC, OGG, MP3 or AIFF; WebM and M4A with PyAV. Two to compare.")
    ] = None,
    clip: Annotated[list[Path] | None, typer.Option(help="The same as a file without an option.")] = None,
    model: Annotated[
        list[Path] | None,
        typer.Option(
            "--model",
            "-m",
            help="A model.safetensors that train wrote; by default the shipped one. Give two to compare them.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The page: one HTML file that works offline.")] = Path("runs/inspect.html"),
    start: Annotated[float, typer.Option(min=0, help="Start at this second of the file.")] = 0.0,
    seconds: Annotated[float, typer.Option(min=0.1, max=20, help="Show at most this many seconds.")] = 10.0,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing page.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a page that shows every gate of the network while it hears a voice, and which changes alter its answer.

    With two recordings, or with two models and one recording, the page shows both side by side.
    """
    from experiments.voices.inside.page import write
    from experiments.voices.pretrained import SHIPPED

    with stages() as stage:
        sides = write(out, [*(files or []), *(clip or [])], model or [SHIPPED], start, seconds, force, stage)
    megabytes = out.stat().st_size / 1e6
    if as_json:
        numbers = [
            {"name": name, "file": seen.heard.file, "label": seen.judgement.label, "frames": len(seen.p)}
            | {"probability": seen.judgement.probability, "start_s": seen.heard.start_s}
            | {"seconds": seen.judgement.seconds, "whole_s": seen.heard.whole_s}
            for name, seen in sides
        ]
        return print_json({"page": str(out), "megabytes": round(megabytes, 2), "sides": numbers})
    for name, seen in sides:
        which = name if len(model or []) > 1 else seen.heard.file
        print_line(f"{which} ({seen.heard.extent}): {seen.judgement.label}, {seen.judgement.why}")
    print_line(f"Page: {out} ({megabytes:.1f} MB): open it in a browser.")
