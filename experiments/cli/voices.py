"""Recordings to numbers and to answers: features, fetch, predict, record, and a look inside: inspect."""

import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import DownloadColumn, MofNCompleteColumn, TimeRemainingColumn, TransferSpeedColumn

from experiments.cli.collections import CorpusName, Female, FemaleTest, Male, MaleTest, Root, first_lines
from experiments.cli.shared import (
    AsJson,
    ExtractionRate,
    Force,
    Jobs,
    OtherModel,
    Params,
    Plot,
    alone_in,
    app,
    chosen,
    err_console,
    escape_markup,
    out_console,
    print_columns,
    print_json,
    print_line,
    refuse,
    stages,
)
from experiments.reports.page import counted

if TYPE_CHECKING:
    from experiments.tutorial.prediction import Prediction
    from features.extraction import Extraction


def _features_stopped(params: Params) -> str:
    return "stopped: before the first clip was measured; the same command starts again"


@app.command(
    rich_help_panel="Voices",
    stopped=_features_stopped,
    epilog="Examples: lstm-engine features recordings --out my_features   |   lstm-engine features runs/corpora "
    "--recipe frames --jobs -1   |   lstm-engine features --table speakers.csv",
)
def features(
    root: Root = None,
    corpus: CorpusName = None,
    male: Male = None,
    female: Female = None,
    male_test: MaleTest = None,
    female_test: FemaleTest = None,
    table: Annotated[Path | None, typer.Option(help="CSV with path, speaker, sex and perhaps split.")] = None,
    window: Annotated[float | None, typer.Option(help="Cut long clips into windows of this many seconds.")] = None,
    least: Annotated[
        float | None, typer.Option(help="Keep a shorter last window if it has at least this many seconds.")
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="tutorial (111 numbers a clip) or frames (23 numbers every 20 ms).")
    ] = "tutorial",
    pitch: Annotated[
        str | None, typer.Option(help="With --recipe frames: yin (default), or pyin, 30 times slower.")
    ] = None,
    deltas: Annotated[bool, typer.Option("--deltas", help="With --recipe frames: also the columns' slopes.")] = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="With --recipe frames: also tables of the frames, 45 MB an hour of sound.")
    ] = False,
    variants: Annotated[
        int,
        typer.Option(min=0, help="With --recipe frames: this many randomly changed copies of each clip, for training."),
    ] = 0,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Measure failed clips again.")] = False,
    out: Annotated[
        Path, typer.Option(help="Folder for the features; those of these clips that it holds already are kept.")
    ] = Path("runs/features"),
    jobs: Jobs = 1,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Measure recordings: a store of features that survives a kill, and the tutorial's tables.

    Its first lines are those of `check --quick`: what is left out, and what contradicts. After an interruption, or with more
    recordings, run the same command again: what is measured is kept. Exit code 1 if a clip could not be measured.
    """
    from time import perf_counter

    from experiments.cli import durations
    from experiments.voices.measure import chosen_recipe, measure, source_of, tell_losses
    from features.checking import glance, of_notes, with_notes

    settings = {"recipe": chosen_recipe(recipe, pitch, deltas, variants), "variants": variants, "jobs": jobs}
    settings |= {"csv": csv, "retry_failed": retry_failed, "force": force, "say": err_console.print}
    source = source_of(root, corpus, male, female, male_test, female_test, table, window, least)
    seen = glance(source.clips, source.notes, source.folder)
    first_lines(source, seen, as_json)
    began = perf_counter()
    takes = durations.of_sound(source.clips, recipe, pitch, 1 + variants, jobs)
    columns = MofNCompleteColumn(), ExtractionRate(), TimeRemainingColumn()
    with stages(*columns, takes=takes and f"{takes} from the start") as stage:
        result = measure(source, out, progress=stage("Extracting features"), **settings)
    took = perf_counter() - began
    _, late = with_notes(lambda: tell_losses(out, seen.copies))
    for note in late:
        warnings.warn(note, stacklevel=1)
    if as_json:
        numbers = {"out": str(out), "corpus": source.kind, "rows": result.rows, "failed": result.failed}
        numbers |= {"clips": result.clips, "measured": result.measured, "kept": result.kept, "gone": result.gone}
        numbers |= {"relabelled": result.relabelled, "audio_s": result.seconds, "took_s": took}
        numbers |= {"notes": [asdict(finding) for finding in [*seen.findings, *of_notes(late)]]}
        print_json(numbers)
    else:
        _show_extraction(result, out, took)
    raise typer.Exit(1 if result.failed or result.failed_variants else 0)


def _show_extraction(result: "Extraction", out: Path, took_s: float) -> None:
    for name, rows in result.rows.items():
        print_line(f"{out / name}: {counted(rows, 'row' if name.endswith('features.csv') else 'clip')}")
    measured = f"{counted(result.measured, 'clip')} measured"
    if not result.kept:
        print_line(f"{measured} in {took_s:.1f} s, {result.seconds / took_s:.0f} x real time")
    elif result.measured or result.gone or result.relabelled:
        changes = {"no longer in the list and removed": result.gone, "with other labels": result.relabelled}
        words = "".join(f", {count:,} {what}" for what, count in changes.items() if count)
        print_line(f"{measured}, {result.kept:,} kept{words}, in {took_s:.1f} s")
    for words, failed in (("left out", result.failed), ("not in a variant", result.failed_variants)):
        for path, reason, message in failed[:10]:
            print_line(f"{words} ({reason}): {path}: {message}")
    if result.failed:
        count = counted(len(result.failed), "clip")
        print_line(f"{count} could not be measured; all of them are listed in {out / 'failed.csv'}")


@app.command(
    rich_help_panel="Voices",
    epilog="Examples: lstm-engine fetch librispeech-dev-clean --out runs/corpora   |   lstm-engine fetch --list",
)
def fetch(
    name: Annotated[str | None, typer.Argument(help="The name of an archive in --list.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for corpora; archives of one corpus share a folder.")] = Path(
        "runs/corpora"
    ),
    mirror: Annotated[
        str | None, typer.Option(metavar="URL", help="Download from this folder instead of the publisher's.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the archives.")] = False,
    as_json: AsJson = False,
) -> None:
    """Download a published corpus: resumed after an interruption, checked against its checksum, and unpacked."""
    from features import fetch as published

    if list_ == (name is not None):
        raise ValueError("name one archive, or --list them")
    if list_:
        return _list_archives(published.ARCHIVES, published.BY_HAND, as_json)
    columns = DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    with stages(*columns, scale=1e6, unit=" MB") as stage:
        folder, fetched = published.fetch(name, out, mirror, stage)
    if as_json:
        return print_json({"name": name, "folder": str(folder), "fetched": fetched})
    if not fetched:
        print_line(f"{folder} is there already: remove it to download it again.")
    print_line(f"{folder} is complete. Next: lstm-engine features {out}")


def _list_archives(archives: dict[str, Any], by_hand: dict[str, str], as_json: bool) -> None:
    """fetch --list."""
    if as_json:
        return print_json({name: asdict(archive) for name, archive in archives.items()} | by_hand)
    rows = [
        (name, f"{archive.megabytes:,}", archive.url.removeprefix("https://").removesuffix(f"/{archive.file}"))
        for name, archive in archives.items()
    ]
    print_columns({"name": "left", "MB": "right", "published at": "left"}, rows)
    print_line("LibriSpeech: Panayotov et al. 2015, CC BY 4.0")
    for name, why in by_hand.items():
        print_line(f"{name} {why}")


def _predict_stopped(params: Params) -> str:
    out = params["out"]
    if out is not None and out.exists() and any(out.iterdir()):
        again = "the same command" if params["force"] else "the same command with --force"
        return f"stopped: no answer is kept, only the pictures in {out}; {again} answers for all files"
    return "stopped: no answer is kept, for they are printed together at the end; the same command starts again"


@app.command(
    rich_help_panel="Voices",
    stopped=_predict_stopped,
    epilog="Examples: lstm-engine predict me.wav --plot   |   lstm-engine predict clips/*.flac --out runs/clips   |   "
    "lstm-engine predict me.wav --model runs/mine/model.safetensors",
)
def predict(
    context: typer.Context,
    files: Annotated[
        list[str], typer.Argument(help="WAV, FLAC, OGG, MP3 or AIFF, of any length; WebM and M4A with PyAV.")
    ],
    model: OtherModel = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for a picture of each file: level, pitch, probability.")
    ] = None,
    plot: Plot = False,
    frames: Annotated[bool, typer.Option("--frames", help="With --json: also the numbers of every frame.")] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Does a voice sound male or female? Also "uncertain", and "no speech" if nobody speaks.

    Exit code 1 if a file could not be read.
    """
    from experiments.voices import terminal
    from experiments.voices.predict import SHIPPED
    from experiments.voices.predict import predict as run

    if (plot and as_json) or (frames and not as_json):
        raise ValueError("--plot draws a picture and --json prints data: give one of them; --frames goes with --json")
    alone_in(context, out)
    answers = []
    with stages() as stage:
        progress = stage("Listening")
        for answer in run(files, model or SHIPPED, out, force, over_time=plot or frames):
            answers.append(answer)
            progress(len(answers), len(files))
    predictions = [prediction for prediction, _ in answers]
    if as_json:
        print_json([asdict(p) | ({"frames": j.as_lists()} if frames and j else {}) for p, j in answers])
    else:
        for prediction, judgement in answers:
            if plot and judgement:
                print_line(f"{prediction.file}: {prediction.label}\n{terminal.plot(judgement)}\n")
        _show_predictions(predictions, [f"Pictures: {out}"] if out else [])
    raise typer.Exit(1 if any(p.error for p in predictions) else 0)


def _show_predictions(predictions: list["Prediction"], last: list[str], remarks: Sequence[str] = ()) -> None:
    from experiments.voices import terminal

    out_console.print(terminal.table(predictions))
    for line in [*terminal.reasons(predictions), *remarks, terminal.NOTE, *last]:
        print_line(line)


@app.command(
    rich_help_panel="Voices",
    epilog="Examples: lstm-engine record --seconds 5 --plot   |   lstm-engine record --list-devices",
)
def record(
    context: typer.Context,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="Length of the recording.")] = 5.0,
    device: Annotated[int | None, typer.Option(min=0, help="Number of a microphone in --list-devices.")] = None,
    list_devices: Annotated[bool, typer.Option("--list-devices", help="List the sound devices.")] = False,
    save: Annotated[Path | None, typer.Option(help="Keep the recording: a .wav, .flac or .ogg file.")] = None,
    model: OtherModel = None,
    out: Annotated[Path | None, typer.Option(help="Folder for recording.png: level, pitch, probability.")] = None,
    plot: Plot = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Record your voice and say whether it sounds male or female. Nothing is kept without --save.

    Exit code 1 if nobody spoke.
    """
    from experiments.reports.run import Run
    from experiments.voices import clip_model, terminal
    from experiments.voices import record as recording
    from experiments.voices.predict import SHIPPED, answer_of, draw

    if list_devices:
        return _list_devices(recording.devices(), as_json)
    if plot and as_json:
        raise ValueError("--plot draws a picture and --json prints data: give one of them")
    voice_model = clip_model.load(model or SHIPPED)
    alone_in(context, out)
    folder = None if out is None else Run(out, force)
    chosen = recording.choose(recording.devices(), device)
    err_console.print(f"{recording.CONSENT} Microphone: {escape_markup(chosen['name'])}.", soft_wrap=True)

    def recorder() -> recording.Sound:
        with terminal.meter(err_console, seconds) as hear:
            return recording.listen(seconds, chosen, hear)

    sound, judgement = recording.record(recorder, voice_model, save, force)
    name = "your recording" if save is None else str(save)
    picture = None if folder is None else draw(judgement, name, folder, "recording.png")
    prediction = answer_of(name, judgement, picture)
    if as_json:
        kept = {"file": None if save is None else str(save), "device": sound.device}
        print_json(asdict(prediction) | kept | {"rate_hz": sound.rate, "remarks": recording.remarks(sound)})
    else:
        if plot:
            print_line(terminal.plot(judgement) + "\n")
        _show_predictions([prediction], [f"Picture: {picture}"] if picture else [], recording.remarks(sound))
    raise typer.Exit(1 if prediction.label == "no speech" else 0)


def _list_devices(devices: list[dict[str, Any]], as_json: bool) -> None:
    """record --list-devices. Exit code 1 without a microphone."""
    if as_json:
        print_json(devices)
    elif not devices:
        out_console.print("This machine has no sound device.")
    else:
        kinds = ["the default" if d["default"] else "yes" if d["inputs"] else "no, output only" for d in devices]
        rows = [
            (str(d["number"]), d["name"], kind, f"{d['rate_hz']:,}") for d, kind in zip(devices, kinds, strict=True)
        ]
        print_columns({"number": "right", "name": "left", "microphone": "left", "Hz": "right"}, rows)
    raise typer.Exit(0 if any(d["inputs"] for d in devices) else 1)


@app.command(
    rich_help_panel="Voices",
    epilog="Examples: lstm-engine inspect me.wav --out me.html   |   lstm-engine inspect me.wav you.wav   |   "
    "lstm-engine inspect me.wav --model epoch_02.safetensors --model epoch_20.safetensors   |   "
    "lstm-engine inspect --model mine.safetensors --data x.npz   |   "
    "lstm-engine inspect --model letters.safetensors --data story.txt --steps 400",
)
def inspect(
    context: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(help="WAV, FLAC, OGG, MP3 or AIFF; WebM and M4A with PyAV. Two to compare.")
    ] = None,
    clip: Annotated[list[Path] | None, typer.Option(help="The same as a file without an option.")] = None,
    model: Annotated[
        list[Path] | None,
        typer.Option(
            "--model",
            "-m",
            help="A model.safetensors that train wrote; by default the shipped one. Give two to compare them. With --data "
            "any model with recurrent layers that save wrote.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="What any other network reads: .npz with X (N, T, D), perhaps y, mask or lengths; .csv with a step a row; "
            "or a text, for a model with characters in its metadata."
        ),
    ] = None,
    sample: Annotated[
        list[int] | None, typer.Option(min=0, help="With --data: which of the N sequences; several to choose from.")
    ] = None,
    steps: Annotated[
        str | None, typer.Option(help="With --data: show the first 400 steps, or those from 1000 to 1400: 1000:1400.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="With --data: a CSV's columns in the model's order, a,b,c; names of X's columns.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="With --data: the column of a CSV that the model predicts.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="With --data: draw the input as text, symbols (one-hot), columns (lines) or map.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The page: one HTML file that works offline.")] = Path("runs/inspect.html"),
    start: Annotated[float, typer.Option(min=0, help="Start at this second of the file.")] = 0.0,
    seconds: Annotated[float, typer.Option(min=0.1, max=20, help="Show at most this many seconds.")] = 10.0,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing page.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a page that shows every gate of the network while it hears a voice, and which changes alter its answer.

    With two recordings, or with two models and one recording, the page shows both side by side. With --data it shows any
    network with LSTM, GRU or SimpleRNN layers while it reads numbers or a text.
    """
    if data is not None:
        refuse(chosen(context), ("clip", "start", "seconds"), "is for recordings, not for --data")
        if files or len(model or []) != 1:
            raise ValueError(
                "--data needs its model, one --model, and no recording: inspect --model m.safetensors --data x.npz"
            )
        from experiments.microscope.page import write as write_page

        with stages() as stage:
            summary = write_page(
                out, model[0], data, sample=sample or [0], steps=steps, columns=columns, target=target, kind=kind,
                force=force, progress=stage(f"Looking into {model[0].name}"),
            )  # fmt: skip
        return (
            print_json(summary)
            if as_json
            else print_line(f"Page: {out} ({summary['megabytes']:.1f} MB): open it in a browser.")
        )
    refuse(
        chosen(context),
        ("sample", "steps", "columns", "target", "kind"),
        "needs --data: it is for networks that read no voice",
    )
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
