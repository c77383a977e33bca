"""The command `lstm-engine`: each subcommand reads its options, calls one function, and shows what it returns.

Exit codes: 0, 1 (it ran and the answer is bad), 2 (bad usage or input). Errors are one line; --debug shows the traceback.
"""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

app = typer.Typer(
    help="An LSTM by hand, beside Keras: voices to features, training, comparison, prediction.",
    epilog="Any command takes --debug, which shows where an error came from.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
studies = typer.Typer(
    help="Questions that take many trainings to answer.",
    epilog="Example: lstm-engine study epochs --tables my_features",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
app.add_typer(studies, name="study")
out_console, err_console = Console(highlight=False), Console(stderr=True, highlight=False)


def _version(asked: bool) -> None:
    if asked:
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


def _workers(jobs: int) -> int:
    if jobs == 0 or jobs < -1:
        raise typer.BadParameter("expected 1 or more, or -1 for one a core")
    return jobs


Data = Annotated[Path, typer.Argument(help="Folder with male_features.csv and female_features.csv.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an earlier run in the same folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else.")]
Seed = Annotated[int, typer.Option(min=0, help="Draws weights, batches and the split.")]
Reading = Annotated[str, typer.Option(help="How a row becomes a sequence: frames (11, 11) or steps (112, 1).")]
Scale = Annotated[bool, typer.Option("--scale/--raw", help="Standardise each column by the training rows, or not.")]
Epochs = Annotated[int, typer.Option(min=1)]
Units = Annotated[int, typer.Option(min=1, help="Units of the LSTM.")]
BatchSize = Annotated[int, typer.Option(min=1)]
LearningRate = Annotated[float, typer.Option(help="Adam's.")]
Model = Annotated[Path, typer.Option("--model", "-m", help="A model.safetensors that train wrote.")]
OtherModel = Annotated[
    Path | None, typer.Option("--model", "-m", help="A model.safetensors that train wrote; without, the shipped one.")
]
Plot = Annotated[bool, typer.Option("--plot", help="Pitch and probability over time, in the terminal.")]


def main() -> None:
    """Runs the command line; turns what went wrong into one line and an exit code."""
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    warnings.showwarning = _show_warning
    try:
        app(arguments, prog_name="lstm-engine")  # leaves with 0, with 2 on bad usage, or with what typer.Exit says
    except KeyboardInterrupt:
        err_console.print("stopped")
        sys.exit(130)
    except (ValueError, TypeError, OSError, ModuleNotFoundError) as error:
        _give_up(error, debug, "error", code=2)
    except Exception as error:  # a fault of ours, or a machine at its limits
        _give_up(error, debug, f"error ({type(error).__name__}; --debug shows where)", code=1)


def _give_up(error: Exception, debug: bool, kind: str, code: int) -> None:
    if debug:
        raise error
    err_console.print(f"[red]{kind}:[/red] {_escape(str(error))}", soft_wrap=True)
    sys.exit(code)


@app.command(epilog="Example: lstm-engine demo --out runs/demo")
def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything that is made.")] = Path("runs/demo"),
    speakers: Annotated[int, typer.Option(min=4, help="Speakers a sex to learn from.")] = 48,
    test_speakers: Annotated[int, typer.Option(min=2, help="Further speakers a sex to test on, once.")] = 24,
    clips: Annotated[int, typer.Option(min=1, help="Clips of 5 s a speaker.")] = 4,
    epochs: Epochs = 20,
    seed: Seed = 0,
    jobs: Annotated[int, typer.Option(callback=_workers, help="Workers; -1 is one a core.")] = -1,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """The whole way on synthetic voices: synthesise, extract, train beside Keras, compare, report."""
    from experiments.demo import demo as run

    with stages() as stage:
        result = run(out, speakers, test_speakers, clips, epochs, seed, jobs, force, stage)
    if as_json:
        return _print_json(result)
    table = Table(title="Synthetic voices: the LSTM by hand beside Keras")
    for column in ("X", "side", "train", "held out", "s/epoch", "MiB", "same answers"):
        table.add_column(column, justify="left" if column in ("X", "side") else "right")
    for reading, r in result["readings"].items():
        table.caption = f"{r['reference']}; 2 processes in turn; a report with pictures lies beside"
        for side, name in (("engine", "engine"), ("reference", "Keras")):
            peak = r["peak_mib"][side]
            table.add_row(
                {"frames": "N,11,11 scaled", "steps": "N,112,1 raw"}[reading] if side == "engine" else "",
                name, f"{r['final'][side]['train']:.3f}", f"{r['final'][side]['held_out']:.3f}",
                f"{r['seconds_per_epoch'][side]:.3f}", "-" if peak is None else f"{peak:.0f}",
                f"{r['agreement']['held_out']:.1%}" if side == "engine" else "",
            )  # fmt: skip
    out_console.print(table)
    for reading, r in result["readings"].items():
        _print_scores(f"{reading}: further, unseen test speakers", r["test"])
    out_console.print(f"Report: {out / 'report.html'}", soft_wrap=True)


@app.command(
    epilog="Examples: lstm-engine features recordings --out my_features   |   lstm-engine features runs/corpora "
    "--recipe frames --jobs -1   |   lstm-engine features --table speakers.csv"
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
    jobs: Annotated[int, typer.Option(callback=_workers, help="Workers; -1 is one a core.")] = 1,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Clips to numbers: a store that survives a kill, and the tutorial's tables. Exit 1 when a clip failed.

    Run again with the same words to go on where an extraction was stopped.
    """
    from time import perf_counter

    from features import corpora
    from features.clips import variant_folder
    from features.extraction import extract
    from features.recipes import recipe_named
    from lstm_engine.weights import write_atomically

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
    taken_for = None
    if root is not None:
        kind, root = corpora.detect(root, corpus)
        clips = kind.read(root)
        taken_for = kind.name
        if not as_json:
            out_console.print(_escape(corpora.summary(kind, root, clips)), soft_wrap=True)
    elif table is not None:
        clips = corpora.table(table)
    else:
        clips = corpora.class_folders(male, female, male_test, female_test)
    if window is not None:
        clips = corpora.windows(clips, window, least)
    began = perf_counter()
    with stages(MofNCompleteColumn(), _ExtractionRate(), TimeRemainingColumn()) as stage:
        update = stage("Extracting features")
        result = extract(clips, out, jobs, update, force, measures, csv, retry_failed, say=err_console.print)
        for k in range(1, 1 + variants):
            changed, update = recipe_named(recipe, **options, variant=k), stage(f"Changed at random, {k} of {variants}")
            extract(clips, variant_folder(out, k), jobs, update, force, changed, False, retry_failed)
    took = perf_counter() - began
    source = root or (table or male).parent
    if source.is_file():
        source = source.parent
    if (source / "SYNTHETIC.txt").exists():
        write_atomically(out / "SYNTHETIC.txt", (source / "SYNTHETIC.txt").read_bytes())
    if as_json:
        told = {"out": str(out), "corpus": taken_for, "rows": result.rows, "failed": result.failed}
        told |= {"clips": result.clips, "measured": result.measured, "audio_s": result.seconds, "took_s": took}
        _print_json(told)
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
            out_console.print(f"left out ({reason}): {_escape(path)}: {_escape(message)}", soft_wrap=True)
        if result.failed:
            out_console.print(
                f"{len(result.failed)} clips failed; all of them are in {out / 'failed.csv'}", soft_wrap=True
            )
    raise typer.Exit(1 if result.failed else 0)


@app.command(
    epilog="Examples: lstm-engine fetch librispeech-dev-clean --out runs/corpora   |   lstm-engine fetch --list"
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
        return _print_json({"name": name, "folder": str(folder), "fetched": fetched})
    if not fetched:
        out_console.print(f"{folder} is there already: remove it to fetch it anew.", soft_wrap=True)
    out_console.print(f"{folder} is complete. Now: lstm-engine features {out}", soft_wrap=True)


def _list_archives(archives: dict[str, Any], by_hand: dict[str, str], as_json: bool) -> None:
    """fetch --list."""
    if as_json:
        return _print_json({name: asdict(archive) for name, archive in archives.items()} | by_hand)
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
    epilog="Examples: lstm-engine train my_features --out runs/mine   |   "
    "lstm-engine train spoken_arabic_digits --task digits --target both --compare"
)
def train(
    context: typer.Context,
    data: Annotated[
        Path, typer.Argument(help="What features wrote: tables, or frames; or for digits sad.npz and metadata.csv.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for model, history, pictures and report.")] = Path("runs/train"),
    task: Annotated[
        str, typer.Option(help="voices (male or female, from tables) or digits (spoken digits).")
    ] = "voices",
    target: Annotated[str, typer.Option(help="With --task digits: digit, sex, or both in turn.")] = "digit",
    compare: Annotated[bool, typer.Option("--compare", help="With --task digits: Keras's twin beside it.")] = False,
    reading: Reading = "frames",
    scale: Scale = True,
    units: Units = 64,
    epochs: Epochs = 20,
    batch_size: BatchSize = 32,
    learning_rate: LearningRate = 1e-3,
    seed: Seed = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Trains the LSTM on a folder of tables, of frames, or of spoken digits, and reports on speakers it has not heard.

    The defaults of units, epochs, batch size and learning rate are those of tables; frames and digits have their own.
    """
    from experiments import frame_training

    settings = {"reading": reading, "scale": scale, "units": units, "epochs": epochs}
    settings |= {"batch_size": batch_size, "learning_rate": learning_rate, "target": target, "compare": compare}
    given = {k: v for k, v in settings.items() if context.get_parameter_source(k).name == "COMMANDLINE"}
    foreign = {"voices": ("target", "compare"), "digits": ("reading", "scale")}
    if task not in foreign:
        raise ValueError(f"--task must be voices or digits, got {task!r}")
    if refused := [f"--{name}" for name in foreign[task] if name in given]:
        raise ValueError(f"{' and '.join(refused)} does nothing with --task {task}: leave it out")
    if task == "digits":
        return _train_digits(data, out, {"target": target} | given, seed, force, as_json)
    if frame_training.fits(data):
        return _train_frames(data, out, given, seed, force, as_json)
    from experiments.training import train as run

    verbose = int(out_console.is_terminal and not as_json)
    result = run(data, out, reading, scale, units, epochs, batch_size, learning_rate, seed, verbose, force)
    if as_json:
        return _print_json(result)
    _print_scores("held-out speakers", result)
    out_console.print(f"Model: {out / 'model.safetensors'}\nReport: {out / 'report.html'}", soft_wrap=True)


def _train_frames(data: Path, out: Path, settings: dict[str, Any], seed: int, force: bool, as_json: bool) -> None:
    """train on frames: a bidirectional LSTM, its baselines beside it."""
    from experiments import evaluation_report
    from experiments.frame_training import train as run

    if refused := [f"--{name}" for name in ("reading", "scale") if name in settings]:
        raise ValueError(f"{' and '.join(refused)} is about tables, and {data} holds frames: leave it out")
    with stages() as stage:
        result = run(data, out, seed, force, stage("Training"), **settings)
    if as_json:
        return _print_json(result)
    out_console.print(evaluation_report.sentence(result), soft_wrap=True)
    _print_frame("Held-out speakers", evaluation_report.side_table(result))
    out_console.print(f"Model: {out / 'model.safetensors'}\nReport: {out / 'report.html'}", soft_wrap=True)


def _train_digits(data: Path, out: Path, settings: dict[str, Any], seed: int, force: bool, as_json: bool) -> None:
    """train --task digits: the published training speakers, and the published test speakers once."""
    from experiments.digits import train as run
    from experiments.digits import words

    with stages() as stage:
        result = run(data, out, **settings, seed=seed, force=force, stage=stage)
    if as_json:
        return _print_json(result)
    for one in result.values() if settings["target"] == "both" else [result]:
        out_console.print(f"{words(one)}\nReport: {Path(one['run']) / 'report.html'}", soft_wrap=True)


@app.command(
    epilog="Examples: lstm-engine evaluate my_features --model runs/mine/model.safetensors --part test   |   "
    "lstm-engine evaluate --corpus runs/corpora/LibriSpeech --model voice.safetensors --out runs/librispeech"
)
def evaluate(
    context: typer.Context,
    model: Model,
    data: Annotated[
        Path | None, typer.Argument(help="Tables of the tutorial's recipe: male_features.csv, female_features.csv.")
    ] = None,
    corpus: Annotated[
        Path | None, typer.Option(help="Recordings, or a folder of clips that `features --recipe frames` measured.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="What --corpus is, where it is not plain: as features --corpus.")
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(help="Of tables: held-out, train, test or all. Of a corpus: all, or its own name for it."),
    ] = None,
    speakers_of: Annotated[
        str | None, typer.Option(help="Whose names the speakers' are, to know those again whom the model has heard.")
    ] = None,
    allow_known: Annotated[
        bool, typer.Option("--allow-known", help="Leave out what the model has learnt from, instead of refusing it.")
    ] = False,
    out: Annotated[Path, typer.Option(help="With --corpus: folder for report, tables and what was measured.")] = Path(
        "runs/evaluate"
    ),
    jobs: Annotated[int, typer.Option(callback=_workers, help="Workers; -1 is one a core.")] = 1,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Scores of a trained model beside baselines: on a folder of tables, or on voices of another corpus.

    Exit 1 when a clip of the corpus could not be measured.
    """
    if (data is None) == (corpus is None):
        raise ValueError("name a folder of tables, or recordings with --corpus")
    if data is not None:
        given = {k for k in context.params if context.get_parameter_source(k).name == "COMMANDLINE"}
        if foreign := given & {"kind", "speakers_of", "allow_known", "out", "jobs", "force"}:
            raise ValueError(f"--{min(foreign).replace('_', '-')} goes with --corpus, not with a folder of tables")
        from experiments.training import evaluate as run

        result = run(model, data, part or "held-out")
        return _print_json(result) if as_json else _print_scores(result["part"], result)
    from experiments import cross_corpus, frame_task
    from experiments import evaluation_report as page

    voice = frame_task.load(model)
    say = (lambda text: None) if as_json else (lambda text: out_console.print(_escape(text), soft_wrap=True))
    with stages(MofNCompleteColumn(), _ExtractionRate(), TimeRemainingColumn()) as stage:
        found = cross_corpus.evaluate_corpus(
            voice, voice.network.metadata, corpus, out, kind, part or "all", speakers_of, allow_known, jobs, force,
            stage("Measuring"), say,
        )  # fmt: skip
    if as_json:
        _print_json(found.result | {"notes": found.notes})
    else:
        for title, frame in page.tables(found.result).items():
            _print_frame(title, frame)
        said = [*page.error_lines(found.result), *found.notes, *page.caution(found.result)]
        said += [page.abstention_words(found.result), page.sentence(found.result), f"Report: {out / 'report.html'}"]
        for line in said:
            out_console.print(_escape(line), soft_wrap=True)
    raise typer.Exit(1 if found.failed else 0)


@app.command(
    epilog="Examples: lstm-engine compare my_features --seeds 5   |   lstm-engine compare my_features --steps 50"
)
def compare(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for tables, pictures and report.")] = Path("runs/compare"),
    reading: Reading = "frames",
    scale: Scale = True,
    units: Units = 64,
    epochs: Epochs = 20,
    batch_size: BatchSize = 32,
    learning_rate: LearningRate = 1e-3,
    dtype: Annotated[str, typer.Option(help="float32 or float64.")] = "float32",
    seed: Seed = 0,
    seeds: Annotated[int, typer.Option(min=1, help="Repeat with so many seeds, from --seed on.")] = 1,
    control: Annotated[
        bool, typer.Option("--control", help="Keras against itself, from weights moved by 6e-8.")
    ] = False,
    steps: Annotated[int | None, typer.Option(min=1, help="Follow both batch by batch, for so many batches.")] = None,
    tol: Annotated[float | None, typer.Option(help="With --steps: the largest relative difference allowed.")] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """The engine beside Keras: same initial weights, same batches. With --steps, exit 1 when they part."""
    from experiments import compare_report
    from experiments.comparison import compare as run_epochs
    from experiments.runs import Run
    from experiments.voice_task import metadata, read_task, recipe_of

    if steps is not None and (seeds > 1 or control):
        raise ValueError("--steps follows one pair of models batch by batch: leave out --seeds and --control")
    if steps is None and tol is not None:
        raise ValueError("--tol belongs to --steps, the comparison batch by batch")
    run = Run(out, force)
    task = read_task(data, reading, scale, seed)
    recipe, synthetic = recipe_of(data)
    settings = {"data": str(data), "reading": reading, "scale": scale, "units": units, "batch_size": batch_size}
    settings |= {"learning_rate": learning_rate, "dtype": dtype, "seed": seed}
    if steps is not None:
        return _compare_steps(run, task, settings, steps, tol, as_json)
    comparisons = []
    with stages() as stage:
        for k in range(seed, seed + seeds):
            title = f"Training, seed {k}"
            comparison, model = run_epochs(
                task, epochs, units, batch_size, learning_rate, dtype, k, control, stage(title)
            )
            comparisons.append(comparison)
            if k == seed and not control:
                model.save(run.folder / "model.safetensors", metadata(task, recipe, synthetic, seed))
    page = compare_report.write(run, task, comparisons, synthetic, "lstm-engine compare")
    run.write_config("compare", **settings, epochs=epochs, seeds=seeds, control=control)
    if as_json:
        return _print_json(
            {"comparisons": [c.as_json() for c in comparisons], "closeness": compare_report.closeness(comparisons)}
        )
    if seeds == 1:
        table = compare_report.readable(comparisons[0].table)
        apart = [c for c in table if "seconds" in c or "difference" in c or c == "agreement"]
        _print_frame("Every epoch", table.drop(columns=apart))
        _print_frame("How far apart after every epoch, and its seconds", table[apart])
    _print_frame(
        "At the end" + (", mean and range over the seeds" if seeds > 1 else ""),
        compare_report.summary(task, comparisons),
    )
    for part, c in compare_report.closeness(comparisons).items():
        gap, agreement = c["largest_accuracy_gap_points"], c["smallest_agreement"]
        words = part.replace("_", "-")
        out_console.print(
            f"{words} clips: accuracies at most {gap:.2f} points apart, at least {agreement:.1%} same answers"
        )
    out_console.print(f"Report: {page}", soft_wrap=True)


@app.command(
    epilog="Examples: lstm-engine gradcheck --model demo   |   lstm-engine gradcheck --model runs/mine/model.safetensors "
    "--out runs/gradcheck   |   lstm-engine gradcheck --all   |   lstm-engine gradcheck --mutants"
)
def gradcheck(
    context: typer.Context,
    model: Annotated[
        str, typer.Option("--model", "-m", help="lstm, gru, simple_rnn, bidirectional, demo, long, or a model's file.")
    ] = "lstm",
    everything: Annotated[bool, typer.Option("--all", help="Every cell with every option, NumPy and Numba.")] = False,
    mutants: Annotated[
        bool, typer.Option("--mutants", help="Which checks notice which mistakes: is this one able to?")
    ] = False,
    method: Annotated[str, typer.Option(help="complex, central or richardson.")] = "complex",
    elements: Annotated[int, typer.Option(min=0, help="Numbers of each parameter to check one by one; 0: all.")] = 200,
    tol: Annotated[float | None, typer.Option(help="The largest norm-wise relative error that passes.")] = None,
    step: Annotated[float | None, typer.Option(help="The estimator's step; a sweep finds a difference's.")] = None,
    dtype: Annotated[str, typer.Option(help="float64, or float32 to check a model as it computes.")] = "float64",
    dropout: Annotated[str | None, typer.Option(help="For a model with dropout: frozen masks, or off.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Draws the numbers to check.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for report.html, CSV, JSON and pictures.")] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Proves the gradients of a model, by the complex step through the readable NumPy path. Exit 1 when one is wrong."""
    from experiments.laboratory import command

    given = {k for k in context.params if context.get_parameter_source(k).name == "COMMANDLINE"}
    if (everything or mutants) and (foreign := given - {"everything", "mutants", "as_json", "out", "force"}):
        names = " and ".join(sorted(f"--{name}" for name in foreign))
        raise ValueError(
            f"{names} {'belongs' if len(foreign) == 1 else 'belong'} to the check of one model: leave out --all and --mutants"
        )
    if everything and mutants:
        raise ValueError("--all checks the gradients and --mutants the check: give one of them")
    options = {
        "method": method,
        "elements": elements or None,
        "tol": tol,
        "step": step,
        "dropout": dropout,
        "seed": seed,
    }
    with stages() as stage:
        if everything:
            result = command.check_everything(stage("Every cell with every option"), out, force)
        elif mutants:
            result = command.check_the_check(stage("Making mistakes"), out, force)
        else:
            result = command.check_model(model, dtype, options, stage("Checking"), out, force)
    if as_json:
        _print_json(result.as_json)
    else:
        console = out_console if out_console.is_terminal else Console(highlight=False, width=120)  # for wide tables
        for part in result.shown:
            console.print(part, soft_wrap=isinstance(part, str))
    raise typer.Exit(0 if result.ok else 1)


@app.command(
    epilog="Examples: lstm-engine predict me.wav --plot   |   lstm-engine predict clips/*.flac --out runs/clips   |   "
    "lstm-engine predict me.wav --model runs/mine/model.safetensors"
)
def predict(
    files: Annotated[list[str], typer.Argument(help="WAV, FLAC, OGG, MP3 or AIFF, of any length.")],
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
    from experiments import judge_shown
    from experiments.predict import SHIPPED, frames_model
    from experiments.predict import predict as run

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
        _print_json([asdict(p) | ({"frames": own} if own else {}) for p, own in zip(predictions, arrays, strict=True)])
    else:
        for text in plots:
            out_console.print(_escape(text), soft_wrap=True)
        out_console.print(judge_shown.table(predictions))
        for line in [*judge_shown.reasons(predictions), judge_shown.NOTE, *([f"Pictures: {out}"] if out else [])]:
            out_console.print(_escape(line), soft_wrap=True)
    raise typer.Exit(1 if any(p.error for p in predictions) else 0)


@app.command(epilog="Examples: lstm-engine record --seconds 5 --plot   |   lstm-engine record --list-devices")
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
    from experiments import judge_shown, microphone
    from experiments.predict import SHIPPED, draw, frames_model, prediction_of
    from experiments.record import CONSENT
    from experiments.record import record as run
    from experiments.runs import Run

    if list_devices:
        return _list_devices(microphone.devices(), as_json)
    if plot and as_json:
        raise ValueError("--plot draws for people and --json tells programs: give one of them")
    judge = frames_model(model or SHIPPED)
    folder = None if out is None else Run(out, force)
    chosen = microphone.choose(microphone.devices(), device)
    err_console.print(f"{CONSENT} Microphone: {_escape(chosen['name'])}.", soft_wrap=True)

    def recorder() -> microphone.Sound:
        with judge_shown.meter(err_console, seconds) as hear:
            return microphone.record(seconds, chosen, hear)

    recorded = run(recorder, judge, save, force)
    name = "your recording" if save is None else str(save)
    picture = None if folder is None else draw(recorded.judgement, name, folder, "recording.png")
    prediction = prediction_of(name, recorded.judgement, picture)
    if as_json:
        kept = {"file": None if save is None else str(save), "device": recorded.sound.device}
        _print_json(asdict(prediction) | kept | {"rate_hz": recorded.sound.rate, "remarks": recorded.remarks})
    else:
        if plot:
            out_console.print(judge_shown.plot(recorded.judgement) + "\n", soft_wrap=True)
        out_console.print(judge_shown.table([prediction]))
        lines = [*judge_shown.reasons([prediction]), *recorded.remarks, judge_shown.NOTE]
        for line in lines + ([f"Picture: {picture}"] if picture else []):
            out_console.print(_escape(line), soft_wrap=True)
    raise typer.Exit(1 if prediction.label == "no speech" else 0)


def _list_devices(devices: list[dict[str, Any]], as_json: bool) -> None:
    """record --list-devices. Exit 1 without a microphone."""
    if as_json:
        _print_json(devices)
    elif not devices:
        out_console.print("This machine has no sound device.")
    else:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column, side in {"number": "right", "name": "left", "microphone": "left", "Hz": "right"}.items():
            table.add_column(column, justify=side, overflow="fold")
        for d in devices:
            kind = "the default" if d["default"] else "yes" if d["inputs"] else "no, it plays"
            table.add_row(str(d["number"]), _escape(d["name"]), kind, f"{d['rate_hz']:,}")
        out_console.print(table)
    raise typer.Exit(0 if any(d["inputs"] for d in devices) else 1)


@app.command(
    epilog="Examples: lstm-engine bench --quick   |   lstm-engine bench --what train --shapes tutorial,wide256 --peers torch"
)
def bench(
    what: Annotated[
        str | None, typer.Option(help="train, inference, threads, growth, memory, start; some with commas, or all.")
    ] = None,
    shapes: Annotated[
        str | None,
        typer.Option(help="Names of the grid, or TxDxHxB; some with commas, or all. Growth and start have their own."),
    ] = None,
    peers: Annotated[
        str | None, typer.Option(help="torch, keras-jax, keras-tensorflow, keras-torch, onnxruntime, numpy, or all.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="Turns of every side at every shape.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A minute instead of most of an hour: the tutorial's shape, few rounds.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for JSON, pictures and report.")] = Path("runs/bench"),
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """The engine's speed and memory beside PyTorch, Keras, onnxruntime and plain NumPy, in turns on this machine."""
    from experiments.bench import page, sides, tables
    from experiments.bench import run as benchmark
    from experiments.bench import shapes as grid
    from experiments.runs import Run

    changed = {
        "parts": what and benchmark.parse_parts(what),
        "shapes": shapes and grid.parse(shapes),
        "peers": peers,
        "rounds": rounds,
    }
    plan = replace(
        benchmark.QUICK if quick else benchmark.FULL, **{name: v for name, v in changed.items() if v is not None}
    )
    sides.choose(plan.peers)  # refuses an unknown name before anything is written
    run = Run(out, force)
    with stages() as stage:
        result = benchmark.bench(plan, stage)
    written = page.write(run, result, "lstm-engine bench")
    run.write_config("bench", **asdict(plan))
    if as_json:
        return _print_json(result)
    for section in page.sections(result):
        for title, frame in section.tables.items():
            _print_frame(f"{section.heading}: {title}", frame)
    for line in [*tables.agreement(result), *(f"note: {note}" for note in tables.notes(result))]:
        out_console.print(_escape(line), soft_wrap=True)
    out_console.print(f"{page.verdict(result)}\nReport: {written}", soft_wrap=True)


@studies.command(
    "epochs",
    epilog="Examples: lstm-engine study epochs --tables my_features   |   "
    "lstm-engine study epochs --tables my_features --frames my_frames --seeds 3",
)
def study_epochs(
    tables: Annotated[Path | None, typer.Option(help="Folder with male_features.csv and female_features.csv.")] = None,
    frames: Annotated[Path | None, typer.Option(help="Folder of an extraction by the recipe frames.")] = None,
    epochs: Epochs = 200,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each subject, with seeds 0, 1, ...")] = 5,
    out: Annotated[Path, typer.Option(help="Folder for CSV, picture and report.")] = Path("runs/epochs"),
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """How far does accuracy rise with more epochs, in training and on held-out speakers?

    Each training is kept once it is done: after a stop, the same command goes on.
    """
    from experiments.study import epochs as study
    from experiments.study.epochs_report import frame

    try:
        with stages() as stage:
            result = study.study(out, tables, frames, epochs, seeds, force, stage, err_console.print)
    except KeyboardInterrupt:
        err_console.print("stopped: the trainings that are done are kept, and the same command goes on with the others")
        raise typer.Exit(130) from None
    if as_json:
        return _print_json(result)
    _print_frame("Balanced accuracy, mean and range of the seeds", frame(result))
    out_console.print(f"{result['words']}\nReport: {out / 'report.html'}", soft_wrap=True)


def _compare_steps(run: Any, task: Any, settings: dict[str, Any], steps: int, tol: float | None, as_json: bool) -> None:
    """compare --steps: everything after each batch, from one pair of models."""
    from experiments.keras_reference import import_keras, to_keras
    from experiments.step_by_step import side_by_side
    from experiments.voice_task import voice_model

    import_keras(settings["dtype"])
    X, y = task.inputs(task.train), task.train.labels
    model = voice_model(settings["units"], settings["learning_rate"], settings["seed"], settings["dtype"])
    model.build(X.shape[1:])
    result = side_by_side(model, to_keras(model), X, y, steps, tol, settings["batch_size"])
    run.write("steps.csv", result.table.to_csv())
    run.write_config("compare --steps", **settings, steps=steps, tol=result.tolerance)
    if as_json:
        departure = asdict(result.first) if result.first else None
        _print_json({"ok": result.ok, "tolerance": result.tolerance, "first": departure, "rows": result.rows})
    else:
        kinds = result.table.T.groupby(lambda name: name.split()[0], sort=False).max().T
        _print_frame("Largest relative difference after each batch", kinds, "{:.1e}")
        out_console.print(str(result))
        out_console.print(f"Every quantity of every batch: {run.folder / 'steps.csv'}", soft_wrap=True)
    raise typer.Exit(0 if result.ok else 1)


class _ExtractionRate(ProgressColumn):
    """Clips a second, and seconds of sound a second: "24 clips/s, 130 x real time"."""

    def render(self, task: Task) -> Text:
        if not task.speed or not task.elapsed:
            return Text("")
        return Text(f"{task.speed:.0f} clips/s, {task.fields.get('sound_s', 0.0) / task.elapsed:.0f} x real time")


@contextmanager
def stages(*columns: ProgressColumn) -> Iterator[Callable[[str], Callable[..., None]]]:
    """Progress bars on a terminal, nothing elsewhere: stage(title) begins one and returns its update(done, total).

    columns: what stands behind the bar; how many of how many and the time left unless given.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        *(columns or (MofNCompleteColumn(), TimeRemainingColumn())),
    )
    with Progress(*columns, console=err_console, disable=not err_console.is_terminal) as bars:

        def stage(title: str) -> Callable[..., None]:
            bar = bars.add_task(title, total=None)
            return lambda done, total, sound_s=0.0: bars.update(bar, completed=done, total=total, sound_s=sound_s)

        yield stage


def _print_scores(what: str, result: dict[str, Any]) -> None:
    low, high = result["interval_95"]
    people = ", speakers unknown" if result["speakers"] is None else f", speakers: {result['speakers']}"
    baseline = result["pitch_baseline"]
    out_console.print(
        f"{what} ({result['clips']} clips{people}): accuracy {result['accuracy']:.3f}, balanced accuracy "
        f"{result['balanced_accuracy']:.3f} (95 % interval {low:.3f} to {high:.3f}); "
        f"male {result['male_right']} of {result['male']} right, female {result['female_right']} of {result['female']}; "
        f"pitch threshold alone ({baseline['threshold_hz']:.0f} Hz): {baseline['balanced_accuracy']:.3f}",
        soft_wrap=True,
    )


def _print_frame(title: str, frame: Any, form: str = "") -> None:
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=0)
    table.add_column(str(frame.index.name or ""))
    for column in frame:
        table.add_column(str(column), justify="right", min_width=8)
    for index, row in frame.iterrows():
        table.add_row(str(index), *[v if isinstance(v, str) else (form or _form(v)).format(v) for v in row])
    out_console.print(table)


def _form(value: float) -> str:
    return "{:.1e}" if 0 < abs(value) < 1e-3 else "{:.3f}"


def _print_json(value: Any) -> None:
    from experiments.runs import to_json

    print(to_json(value))


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _show_warning(message: Any, category: type[Warning], *where: Any, **more: Any) -> None:
    err_console.print(f"[yellow]note:[/yellow] {_escape(str(message))}", soft_wrap=True)


if __name__ == "__main__":
    main()
