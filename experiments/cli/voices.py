"""Recordings to numbers and to answers: features, fetch, predict, record."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.progress import (
    DownloadColumn,
    MofNCompleteColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from experiments.cli.shared import (
    AsJson,
    ExtractionRate,
    Force,
    OtherModel,
    Plot,
    app,
    err_console,
    escape_markup,
    out_console,
    print_json,
    stages,
    workers,
)


@app.command(
    rich_help_panel="Voices",
    epilog="Examples: lstm-engine features recordings --out my_features   |   lstm-engine features runs/corpora "
    "--recipe frames --jobs -1   |   lstm-engine features --table speakers.csv",
)
def features(
    root: Annotated[
        Path | None, typer.Argument(help="Folder of a corpus (see --corpus), or a .csv or .tsv that lists clips.")
    ] = None,
    corpus: Annotated[
        str | None,
        typer.Option(
            help="What ROOT is, where it is not plain: folders (Male, Female, perhaps Male Test, Female Test), "
            "librispeech, common-voice, voxceleb, vctk, table."
        ),
    ] = None,
    male: Annotated[Path | None, typer.Option(help="Folder of male clips; a folder inside it is a speaker.")] = None,
    female: Annotated[Path | None, typer.Option(help="Folder of female clips.")] = None,
    male_test: Annotated[Path | None, typer.Option(help="Male clips to test on.")] = None,
    female_test: Annotated[Path | None, typer.Option(help="Female clips to test on.")] = None,
    table: Annotated[Path | None, typer.Option(help="CSV with path, speaker, sex and perhaps split.")] = None,
    window: Annotated[float | None, typer.Option(help="Cut long clips into windows of so many seconds.")] = None,
    least: Annotated[float | None, typer.Option(help="Keep a last window from so many seconds on.")] = None,
    recipe: Annotated[str, typer.Option(help="tutorial (111 numbers a clip) or frames (23 every 20 ms).")] = "tutorial",
    pitch: Annotated[
        str | None, typer.Option(help="With --recipe frames: yin (default), or pyin, 30 times slower.")
    ] = None,
    deltas: Annotated[bool, typer.Option("--deltas", help="With --recipe frames: the columns' slopes too.")] = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="With --recipe frames: tables of frames too, 45 MB an hour.")
    ] = False,
    variants: Annotated[
        int, typer.Option(min=0, help="With --recipe frames: so many randomly changed copies of each clip, for train.")
    ] = 0,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try the clips again that failed.")] = False,
    out: Annotated[
        Path, typer.Option(help="Folder for what is measured; where it is begun already, it goes on.")
    ] = Path("runs/features"),
    jobs: Annotated[int, typer.Option(callback=workers, help="Workers; -1 is one a core.")] = 1,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Clips to numbers: a store that survives a kill, and the tutorial's tables. Exit 1 when a clip failed.

    Run again with the same words to go on where an extraction was stopped.
    """
    from shutil import rmtree
    from time import perf_counter

    from features import corpora
    from features.clips import VARIANTS, variant_folder
    from features.extraction import extract
    from features.recipes import recipe_named
    from lstm_engine.files import write_atomically

    options = ({"pitch": pitch} if pitch is not None else {}) | ({"deltas": True} if deltas else {})
    measures = recipe_named(recipe, **options)
    if variants and recipe != "frames":
        raise ValueError("--variants goes with --recipe frames: the tutorial's recipe is kept as it is")

    given = [root is not None, male is not None or female is not None, table is not None]
    if sum(given) != 1 or (male is None) != (female is None):
        raise ValueError("name one source: a folder with Male and Female in it, or --male with --female, or --table")
    if (male_test or female_test) and male is None:
        raise ValueError(
            "--male-test and --female-test go with --male and --female; a folder brings its own Test folders"
        )
    if corpus is not None and root is None:
        raise ValueError("--corpus says what a folder is: name the folder too")
    taken_for, names = None, ""
    if root is not None:
        kind, root = corpora.detect(root, corpus)
        clips = kind.read(root)
        taken_for, names = kind.name, corpora.names_of(kind, root)
        if not as_json:
            out_console.print(escape_markup(corpora.summary(kind, root, clips)), soft_wrap=True)
    elif table is not None:
        clips, names = corpora.table(table), table.resolve().parent.name
    else:
        clips = corpora.class_folders(male, female, male_test, female_test)
    if window is not None:
        clips = corpora.windows(clips, window, least)
    began = perf_counter()
    if force:
        rmtree(out / VARIANTS, ignore_errors=True)  # of what stood there before
    with stages(MofNCompleteColumn(), ExtractionRate(), TimeRemainingColumn()) as stage:
        update = stage("Extracting features")
        result = extract(
            clips, out, jobs, update, force, measures, csv, retry_failed, say=err_console.print, corpus=names
        )
        lost = set()  # clips that were measured, but not in every variant
        for k in range(1, 1 + variants):
            changed, update = recipe_named(recipe, **options, variant=k), stage(f"Changed at random, {k} of {variants}")
            made = extract(
                clips, variant_folder(out, k), jobs, update, force, changed, retry_failed=retry_failed, corpus=names
            )
            lost |= set(made.failed)
        lost -= set(result.failed)
    took = perf_counter() - began
    source = root or (table or male).parent
    if source.is_file():
        source = source.parent
    if (source / "SYNTHETIC.txt").exists():
        write_atomically(out / "SYNTHETIC.txt", (source / "SYNTHETIC.txt").read_bytes())
    if as_json:
        told = {"out": str(out), "corpus": taken_for, "rows": result.rows, "failed": result.failed}
        told |= {"clips": result.clips, "measured": result.measured, "audio_s": result.seconds, "took_s": took}
        print_json(told)
    else:
        for name, rows in result.rows.items():
            out_console.print(
                f"{out / name}: {rows} {'rows' if name.endswith('features.csv') else 'clips'}", soft_wrap=True
            )
        if result.measured:
            pace = f", {result.seconds / took:.0f} x real time" if result.measured == result.clips else ""
            count = f"{result.measured} clip{'s' * (result.measured != 1)}"
            out_console.print(f"{count} measured in {took:.1f} s{pace}")
        for path, reason, message in result.failed[:10]:
            out_console.print(f"left out ({reason}): {escape_markup(path)}: {escape_markup(message)}", soft_wrap=True)
        if result.failed:
            out_console.print(
                f"{len(result.failed)} clips failed; all of them are in {out / 'failed.csv'}", soft_wrap=True
            )
        for path, reason, message in sorted(lost)[:10]:
            out_console.print(
                f"not in a variant ({reason}): {escape_markup(path)}: {escape_markup(message)}", soft_wrap=True
            )
    raise typer.Exit(1 if result.failed or lost else 0)


@app.command(
    rich_help_panel="Voices",
    epilog="Examples: lstm-engine fetch librispeech-dev-clean --out runs/corpora   |   lstm-engine fetch --list",
)
def fetch(
    name: Annotated[str | None, typer.Argument(help="An archive, as --list shows them.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for corpora; archives of one corpus share theirs.")] = Path(
        "runs/corpora"
    ),
    mirror: Annotated[
        str | None, typer.Option(metavar="URL", help="Address of a folder that holds the archive, in place of its own.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Show what there is.")] = False,
    as_json: AsJson = False,
) -> None:
    """Downloads a published corpus: resumed when cut, checked against its published checksum, unpacked."""
    from features import fetch as published

    if list_ == (name is not None):
        raise ValueError("name one archive, or --list them")
    if list_:
        return _list_archives(published.ARCHIVES, published.BY_HAND, as_json)
    columns = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with stages(*columns) as stage:
        folder, fetched = published.fetch(name, out, mirror, stage)
    if as_json:
        return print_json({"name": name, "folder": str(folder), "fetched": fetched})
    if not fetched:
        out_console.print(f"{folder} is there already: remove it to fetch it anew.", soft_wrap=True)
    out_console.print(f"{folder} is complete. Now: lstm-engine features {out}", soft_wrap=True)


def _list_archives(archives: dict[str, Any], by_hand: dict[str, str], as_json: bool) -> None:
    """fetch --list."""
    if as_json:
        return print_json({name: asdict(archive) for name, archive in archives.items()} | by_hand)
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        caption="LibriSpeech: Panayotov et al. 2015, CC BY 4.0",
        caption_justify="left",
    )
    for column in ("name", "MB", "published at"):
        table.add_column(column, justify="right" if column == "MB" else "left", overflow="fold")
    for name, archive in archives.items():
        table.add_row(
            name, f"{archive.megabytes:,}", archive.url.removeprefix("https://").removesuffix(f"/{archive.file}")
        )
    out_console.print(table)
    for name, why in by_hand.items():
        out_console.print(f"{name} {why}", soft_wrap=True)


@app.command(
    rich_help_panel="Voices",
    epilog="Examples: lstm-engine predict me.wav --plot   |   lstm-engine predict clips/*.flac --out runs/clips   |   "
    "lstm-engine predict me.wav --model runs/mine/model.safetensors",
)
def predict(
    files: Annotated[
        list[str], typer.Argument(help="WAV, FLAC, OGG, MP3 or AIFF, of any length; WebM and M4A with PyAV.")
    ],
    model: OtherModel = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for a picture of each file: level, pitch, probability.")
    ] = None,
    plot: Plot = False,
    frames: Annotated[bool, typer.Option("--frames", help="With --json: the numbers of every frame too.")] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """What a voice sounds like, male or female; "uncertain" or "no speech" where it should not say.

    Exit 1 when a file could not be read.
    """
    from experiments.voices import judge_shown
    from experiments.voices.predict import SHIPPED, frames_model
    from experiments.voices.predict import predict as run

    if (plot and as_json) or (frames and not as_json):
        raise ValueError(
            "--plot draws for people and --json tells programs: give one of them; --frames goes with --json"
        )
    model = model or SHIPPED
    if plot or frames:
        frames_model(model)  # refuses the tutorial's, which have no frames
    predictions, plots, arrays = [], [], []
    with stages() as stage:
        heard = stage("Listening")
        for prediction, judgement in run(files, model, out, force):
            predictions.append(prediction)
            if judgement is not None and plot:
                plots.append(f"{prediction.file}: {prediction.label}\n{judge_shown.plot(judgement)}\n")
            arrays.append(judgement.as_lists() if judgement is not None and frames else None)
            heard(len(predictions), len(files))
    if as_json:
        print_json([asdict(p) | ({"frames": own} if own else {}) for p, own in zip(predictions, arrays, strict=True)])
    else:
        for text in plots:
            out_console.print(escape_markup(text), soft_wrap=True)
        out_console.print(judge_shown.table(predictions))
        for line in [*judge_shown.reasons(predictions), judge_shown.NOTE, *([f"Pictures: {out}"] if out else [])]:
            out_console.print(escape_markup(line), soft_wrap=True)
    raise typer.Exit(1 if any(p.error for p in predictions) else 0)


@app.command(
    rich_help_panel="Voices",
    epilog="Examples: lstm-engine record --seconds 5 --plot   |   lstm-engine record --list-devices",
)
def record(
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long to listen.")] = 5.0,
    device: Annotated[
        int | None, typer.Option(min=0, help="Number of a microphone, as --list-devices shows them.")
    ] = None,
    list_devices: Annotated[bool, typer.Option("--list-devices", help="Show the sound devices.")] = False,
    save: Annotated[Path | None, typer.Option(help="Keep the recording: a .wav, .flac or .ogg.")] = None,
    model: OtherModel = None,
    out: Annotated[Path | None, typer.Option(help="Folder for recording.png: level, pitch, probability.")] = None,
    plot: Plot = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Listens to you, and says what your voice sounds like. Nothing is kept without --save. Exit 1 when nobody spoke."""
    from experiments.reports.run import Run
    from experiments.voices import judge_shown, microphone
    from experiments.voices.predict import SHIPPED, draw, frames_model, prediction_of
    from experiments.voices.record import CONSENT
    from experiments.voices.record import record as run

    if list_devices:
        return _list_devices(microphone.devices(), as_json)
    if plot and as_json:
        raise ValueError("--plot draws for people and --json tells programs: give one of them")
    judge = frames_model(model or SHIPPED)
    folder = None if out is None else Run(out, force)
    chosen = microphone.choose(microphone.devices(), device)
    err_console.print(f"{CONSENT} Microphone: {escape_markup(chosen['name'])}.", soft_wrap=True)

    def recorder() -> microphone.Sound:
        with judge_shown.meter(err_console, seconds) as hear:
            return microphone.record(seconds, chosen, hear)

    recorded = run(recorder, judge, save, force)
    name = "your recording" if save is None else str(save)
    picture = None if folder is None else draw(recorded.judgement, name, folder, "recording.png")
    prediction = prediction_of(name, recorded.judgement, picture)
    if as_json:
        kept = {"file": None if save is None else str(save), "device": recorded.sound.device}
        print_json(asdict(prediction) | kept | {"rate_hz": recorded.sound.rate, "remarks": recorded.remarks})
    else:
        if plot:
            out_console.print(judge_shown.plot(recorded.judgement) + "\n", soft_wrap=True)
        out_console.print(judge_shown.table([prediction]))
        lines = [*judge_shown.reasons([prediction]), *recorded.remarks, judge_shown.NOTE]
        for line in lines + ([f"Picture: {picture}"] if picture else []):
            out_console.print(escape_markup(line), soft_wrap=True)
    raise typer.Exit(1 if prediction.label == "no speech" else 0)


def _list_devices(devices: list[dict[str, Any]], as_json: bool) -> None:
    """record --list-devices. Exit 1 without a microphone."""
    if as_json:
        print_json(devices)
    elif not devices:
        out_console.print("This machine has no sound device.")
    else:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column, side in {"number": "right", "name": "left", "microphone": "left", "Hz": "right"}.items():
            table.add_column(column, justify=side, overflow="fold")
        for d in devices:
            kind = "the default" if d["default"] else "yes" if d["inputs"] else "no, it plays"
            table.add_row(str(d["number"]), escape_markup(d["name"]), kind, f"{d['rate_hz']:,}")
        out_console.print(table)
    raise typer.Exit(0 if any(d["inputs"] for d in devices) else 1)
