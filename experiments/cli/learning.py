"""Training and its worth: demo, train, evaluate, compare."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import MofNCompleteColumn, TimeRemainingColumn
from rich.table import Table

from experiments.cli.shared import (
    AsJson,
    BatchSize,
    Data,
    Epochs,
    ExtractionRate,
    Force,
    Jobs,
    LearningRate,
    OtherModel,
    Params,
    Reading,
    Scale,
    Seed,
    Units,
    alone_in,
    app,
    chosen,
    out_console,
    print_frame,
    print_json,
    print_line,
    refuse,
    say,
    stages,
)
from experiments.reports.page import counted


def _again(params: Params) -> str:
    """How a command that goes on from nothing is started again, after it may have written files."""
    out, forced = params["out"], params["force"] or not (params["out"].exists() and any(params["out"].iterdir()))
    return f"the same command{'' if forced else ' with --force'} starts again{'' if forced else f' in {out}'}"


@app.command(
    rich_help_panel="Training",
    stopped=lambda params: f"stopped: the report is written at the end; {_again(params)}",
    epilog="Example: lstm-engine demo --out runs/demo",
)
def demo(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for all files that the demo writes.")] = Path("runs/demo"),
    speakers: Annotated[int, typer.Option(min=4, help="Speakers a sex to learn from.")] = 48,
    test_speakers: Annotated[int, typer.Option(min=2, help="Further speakers a sex, for one test at the end.")] = 24,
    clips: Annotated[int, typer.Option(min=1, help="Clips of 5 s a speaker.")] = 4,
    epochs: Epochs = 20,
    seed: Seed = 0,
    jobs: Jobs = -1,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """A Keras tutorial on synthetic voices: synthesise, extract, train beside Keras, compare, report.

    The tutorial: Eduonix, "Recurrent Neural Networks and LSTMs with Keras", male or female from 112 numbers a clip.
    https://blog.eduonix.com/artificial-intelligence/recurrent-neural-networks-lstms-keras/
    """
    from experiments.tutorial.comparison_report import busy_notes
    from experiments.tutorial.demo import demo as run

    alone_in(context, out)
    with stages(takes="about a minute with the defaults") as stage:
        result = run(out, speakers, test_speakers, clips, epochs, seed, jobs, force, stage)
    if as_json:
        return print_json(result)
    table = Table(title="Synthetic voices: the LSTM by hand beside Keras")
    for column in ("X", "side", "train", "held out", "s/epoch", "MiB", "same answers"):
        table.add_column(column, justify="left" if column in ("X", "side") else "right")
    for reading, r in result["readings"].items():
        table.caption = f"{r['reference']}; the two processes train in turn"
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
        print_scores(f"{reading}: unseen test speakers", r["test"])
    for note in busy_notes(result["load_before"]):
        print_line(f"note: {note}")
    print_line(f"Report: {out / 'report.html'}")


def print_scores(what: str, result: dict[str, Any]) -> None:
    low, high = result["interval_95"]
    people = ", speakers unknown" if result["speakers"] is None else f", speakers: {result['speakers']}"
    baseline = result["pitch_baseline"]
    print_line(
        f"{what} ({counted(result['clips'], 'clip')}{people}): accuracy {result['accuracy']:.3f}, balanced accuracy "
        f"{result['balanced_accuracy']:.3f} (95 % interval {low:.3f} to {high:.3f}); "
        f"male {result['male_right']} of {result['male']} right, female {result['female_right']} of {result['female']}; "
        f"pitch threshold alone ({baseline['threshold_hz']:.0f} Hz): {baseline['balanced_accuracy']:.3f}"
    )


def _train_stopped(params: Params) -> str:
    """Before the training; from its begin on it says itself what is kept."""
    return "stopped: the training had not begun; the same command starts again"


@app.command(
    rich_help_panel="Training",
    stopped=_train_stopped,
    epilog="Examples: lstm-engine train my_features --out runs/mine   |   "
    "lstm-engine train my_frames --watch me.wav --out runs/mine   |   "
    "lstm-engine train spoken_arabic_digits --task digits --target both --compare",
)
def train(
    context: typer.Context,
    data: Annotated[
        Path | None,
        typer.Argument(
            help="Folder that features wrote (tables or frames); for digits, one with sad.npz and metadata.csv."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for model, history, pictures and report.")] = Path("runs/train"),
    task: Annotated[
        str, typer.Option(help="voices (male or female, from tables) or digits (spoken digits).")
    ] = "voices",
    target: Annotated[str, typer.Option(help="With --task digits: digit, sex, or both in turn.")] = "digit",
    compare: Annotated[bool, typer.Option("--compare", help="With --task digits: train Keras's twin too.")] = False,
    reading: Reading = "frames",
    scale: Scale = True,
    units: Units = 64,
    epochs: Epochs = 20,
    batch_size: BatchSize = 32,
    learning_rate: LearningRate = 1e-3,
    watch: Annotated[
        Path | None,
        typer.Option(
            help="With frames: a recording; gates.html shows its gates after each epoch. Includes --keep-epochs."
        ),
    ] = None,
    keep_epochs: Annotated[
        bool,
        typer.Option("--keep-epochs", help="With frames: also keep the model of each epoch, in epochs/ (for inspect)."),
    ] = False,
    seed: Seed = 0,
    checkpoint_every: Annotated[
        int | None,
        typer.Option(min=1, help="Epochs between checkpoints. Default: as many as take two seconds, at least one."),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with the training that was stopped in this folder.")
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Trains the LSTM on a folder of tables, of frames, or of spoken digits, and tests it on speakers it has not heard.

    The report also shows gates, saturation and gradients, by layer and epoch. A training that was stopped, or killed, goes on
    from its last checkpoint with the same command.

    The defaults below are those for tables: frames and digits have other units, epochs, batch sizes and learning rates.
    """
    from experiments.reports import checkpoints
    from experiments.voices import training as voice_training

    settings = {"reading": reading, "scale": scale, "units": units, "epochs": epochs}
    settings |= {"batch_size": batch_size, "learning_rate": learning_rate, "target": target, "compare": compare}
    settings |= {"watch": watch, "keep_epochs": keep_epochs}
    changed = {name: settings[name] for name in settings if name in chosen(context)}
    if resume is not None:
        refuse(
            chosen(context) - {"resume", "checkpoint_every", "as_json"},
            [name for name in context.params if name != "data"],
            "cannot go with --resume, which takes the options of the run",
        )
        if data is not None:
            raise ValueError(f"--resume {resume} knows its data: leave {data} out")
        if (before := checkpoints.begun(resume)) is None:
            return print_line(f"nothing to do: {resume} is finished")
        out, data, task, seed, changed = resume, Path(before["data"]), before["task"], before["seed"], before["options"]
    if data is None:
        raise ValueError("name the folder to learn from, or a run to go on with: --resume RUN")
    more = {"every": checkpoint_every, "say": say}
    foreign = {"voices": ("target", "compare"), "digits": ("reading", "scale", "watch", "keep_epochs")}
    if task not in foreign:
        raise ValueError(f"--task must be voices or digits, got {task!r}")
    refuse(changed, foreign[task], f"cannot go with --task {task}")
    if task == "digits":
        return _train_digits(data, out, {"target": target} | changed, seed, force, as_json, more)
    if voice_training.fits(data):
        refuse(changed, ("reading", "scale"), f"can go with tables only, and {data} holds frames")
        return _train_frames(data, out, changed, seed, force, as_json, more)
    refuse(
        changed,
        ("watch", "keep_epochs"),
        "can go with frames only, as features --recipe frames writes them, not with tables",
    )
    from experiments.cli import durations
    from experiments.tutorial.training import train_on_tables

    options = {"epochs": epochs, "reading": reading} | changed
    with stages(takes=durations.of_tables(data, options["epochs"], options["reading"])) as stage:
        result = train_on_tables(data, out, **changed, seed=seed, force=force, progress=stage("Training"), **more)
    if as_json:
        return print_json(result)
    print_scores("held-out speakers", result)
    print_line(f"Model: {out / 'model.safetensors'}\nReport: {out / 'report.html'}")


def _train_frames(
    data: Path, out: Path, settings: dict[str, Any], seed: int, force: bool, as_json: bool, more: dict[str, Any]
) -> None:
    """train on frames: a bidirectional LSTM, its baselines beside it."""
    from experiments.cli import durations
    from experiments.voices.clip_model import Settings
    from experiments.voices.training import train as run

    with stages(takes=durations.of_frames(data, settings.get("epochs", Settings().epochs))) as stage:
        result = run(data, out, seed, force, stage("Training"), **settings, **more)
    if as_json:
        return print_json(result)
    _show_evaluation(result, [])
    print_line(f"Model: {out / 'model.safetensors'}\nReport: {out / 'report.html'}")
    if settings.get("watch"):
        print_line(f"Gates, epoch by epoch: {out / 'gates.html'}")


def _show_evaluation(result: dict[str, Any], notes: list[str]) -> None:
    """The tables of an evaluation of frames, its errors, what to know about it, and the answer in a sentence."""
    from experiments.voices import evaluation_report as page

    for title, frame in page.tables(result).items():
        print_frame(title, frame)
    for line in [*page.error_lines(result), *notes, *page.caution(result)]:
        print_line(line)
    print_line(page.abstention_words(result))
    print_line(page.sentence(result))


def _train_digits(
    data: Path, out: Path, settings: dict[str, Any], seed: int, force: bool, as_json: bool, more: dict[str, Any]
) -> None:
    """train --task digits: the published training speakers, and the published test speakers once."""
    from experiments.cli import durations
    from experiments.digits.network import LABELS, RECIPES
    from experiments.digits.page import digits_sentence
    from experiments.digits.training import TRAINING_CLIPS, train_on_digits

    target = settings["target"]
    targets = LABELS if target == "both" else [target]
    epochs = settings.get("epochs", RECIPES["digit"].epochs)
    takes = durations.of_digits(targets, TRAINING_CLIPS, epochs, settings.get("compare", False))
    with stages(takes=takes) as stage:
        result = train_on_digits(data, out, **settings, seed=seed, force=force, stage=stage, **more)
    if as_json:
        return print_json(result)
    for one in result.values() if target == "both" else [result]:
        took = " and ".join(f"{seconds:.0f} s ({side})" for side, seconds in one["seconds"].items())
        print_line(f"{digits_sentence(one)}\nTrained in {took}\nReport: {Path(one['run']) / 'report.html'}")


def _evaluate_stopped(params: Params) -> str:
    if params["corpus"] is None:
        return "stopped: an evaluation on tables writes nothing; the same command starts again"
    again = "the same command" if not params["force"] else "the same command without --force"
    return f"stopped: the clips measured so far are kept in {params['out'] / 'clips'}; {again} goes on"


@app.command(
    rich_help_panel="Training",
    stopped=_evaluate_stopped,
    epilog="Examples: lstm-engine evaluate my_features --model runs/mine/model.safetensors --part test   |   "
    "lstm-engine evaluate --corpus runs/corpora/LibriSpeech --model voice.safetensors --out runs/librispeech   |   "
    "lstm-engine evaluate --corpus mine.csv --corpus yours.csv --by room",
)
def evaluate(
    context: typer.Context,
    model: OtherModel = None,
    data: Annotated[
        Path | None, typer.Argument(help="Tables of the tutorial's recipe: male_features.csv, female_features.csv.")
    ] = None,
    corpus: Annotated[
        list[Path] | None,
        typer.Option(
            help="Recordings, or a folder that `features --recipe frames` wrote. Several give one page for all."
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(help="With --corpus: a column of its table, such as manner; figures for each of its groups."),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="The kind of corpus, if it is not recognised (see features --corpus).")
    ] = None,
    part: Annotated[
        list[str] | None,
        typer.Option(
            help="Of tables: held-out, train, test or all. Of a corpus: all, or a part as the corpus names it; with several "
            "corpora one for all, or one for each, in order."
        ),
    ] = None,
    speakers_of: Annotated[
        str | None,
        typer.Option(
            help="The corpus whose speaker names these are, to recognise speakers that the model was trained on."
        ),
    ] = None,
    allow_known: Annotated[
        bool,
        typer.Option(
            "--allow-known",
            help="Leave out clips and speakers that the model was trained on, instead of refusing the corpus.",
        ),
    ] = False,
    out: Annotated[Path, typer.Option(help="With --corpus: folder for the report, tables and measured clips.")] = Path(
        "runs/evaluate"
    ),
    jobs: Jobs = 1,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Scores a trained model beside baselines: on a folder of tables, or on other corpora.

    Exit 1 when a clip of a corpus could not be measured.
    """
    if (data is None) == (not corpus):
        raise ValueError("name a folder of tables, or recordings with --corpus")
    parts = part or []
    if (data is not None or len(corpus or []) == 1) and len(parts) > 1:
        raise ValueError(f"got {len(parts)} parts for one folder: give one --part")
    if data is not None:
        from experiments.voices import training as voices

        if voices.fits(data):
            raise ValueError(f"{data} holds frames, not tables: evaluate --corpus {data}")
        foreign = ("kind", "by", "speakers_of", "allow_known", "out", "jobs", "force")
        refuse(chosen(context), foreign, "can go with --corpus only, not with a folder of tables")
        if model is None:
            raise ValueError("name the model that train wrote with --model: the shipped one reads frames, not tables")
        from experiments.tutorial.training import evaluate as run

        result = run(model, data, *(parts or ["held-out"]))
        return print_json(result) if as_json else print_scores(result["part"], result)
    assert corpus is not None
    alone_in(context, out)
    if len(corpus) > 1:
        refuse(chosen(context), ("kind", "speakers_of"), "can go with one --corpus only")
        return _evaluate_corpora(model, corpus, out, parts or ["all"], by, allow_known, jobs, force, as_json)
    _evaluate_corpus(
        model, corpus[0], out, kind, *(parts or ["all"]), speakers_of, allow_known, jobs, force, by, as_json
    )


def _evaluate_corpus(
    model: Path | None, corpus: Path, out: Path, kind: str | None, part: str, speakers_of: str | None, allow_known: bool,
    jobs: int, force: bool, by: str | None, as_json: bool,
) -> None:  # fmt: skip
    """evaluate --corpus."""
    from experiments.cli import durations
    from experiments.voices import clip_model, cross_corpus
    from experiments.voices.pretrained import SHIPPED

    voice = clip_model.load(model or SHIPPED)
    tell = (lambda text: None) if as_json else print_line
    takes = durations.of_corpus(corpus, kind, part, "frames", jobs)
    with stages(MofNCompleteColumn(), ExtractionRate(), TimeRemainingColumn(), takes=takes) as stage:
        result, failed = cross_corpus.evaluate_corpus(
            voice, voice.network.metadata, corpus, out, kind, part, speakers_of, allow_known, jobs, force,
            stage("Measuring"), tell, by,
        )  # fmt: skip
    if as_json:
        print_json(result)
    else:
        _show_evaluation(result, result["notes"])
        print_line(f"Report: {out / 'report.html'}")
    raise typer.Exit(1 if failed else 0)


def _evaluate_corpora(
    model: Path | None, corpora: list[Path], out: Path, parts: list[str], by: str | None, allow_known: bool, jobs: int,
    force: bool, as_json: bool,
) -> None:  # fmt: skip
    """evaluate with several --corpus."""
    from experiments.voices import clip_model, groups, several_corpora
    from experiments.voices.pretrained import SHIPPED

    voice = clip_model.load(model or SHIPPED)
    say = (lambda text: None) if as_json else print_line
    with stages(MofNCompleteColumn(), ExtractionRate(), TimeRemainingColumn()) as stage:
        result, failed = several_corpora.evaluate_corpora(
            voice, voice.network.metadata, corpora, out, parts, by, allow_known, jobs, force, stage, say
        )
    if as_json:
        print_json(result)
    else:
        for title, frame in several_corpora.tables(result).items():
            print_frame(title, frame)
        for name, corpus in result["corpora"].items():
            if "by" in corpus:
                print_frame(f"{name} by {by}", groups.table(corpus["by"]["groups"], f0=False))
            for note in corpus["notes"]:
                print_line(f"{name}: {note}")
        print_line(several_corpora.sentence(result))
        print_line(f"Report: {out / 'report.html'}")
    raise typer.Exit(1 if failed else 0)


@app.command(
    rich_help_panel="Training",
    stopped=lambda params: f"stopped: the comparison is written at the end; {_again(params)}",
    epilog="Examples: lstm-engine compare my_features --seeds 5   |   lstm-engine compare my_features --steps 50",
)
def compare(
    context: typer.Context,
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
    seeds: Annotated[int, typer.Option(min=1, help="Repeat with this many seeds, starting from --seed.")] = 1,
    control: Annotated[
        bool,
        typer.Option("--control", help="Keras against itself: the second copy starts from weights changed by 6e-8."),
    ] = False,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Compare both after each batch, for this many batches.")
    ] = None,
    tol: Annotated[float | None, typer.Option(help="With --steps: the largest relative difference allowed.")] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """The engine beside Keras: same initial weights, same batches. With --steps, exit 1 when they differ too much."""
    from experiments.cli import durations
    from experiments.reports import machine
    from experiments.reports.run import Run
    from experiments.tutorial import comparison_report
    from experiments.tutorial.comparison import compare as run_epochs
    from experiments.tutorial.task import metadata, read_task, recipe_of

    if steps is not None and (seeds > 1 or control):
        raise ValueError("--steps follows one pair of models batch by batch: leave out --seeds and --control")
    if steps is None and tol is not None:
        raise ValueError("--tol belongs to --steps, the comparison batch by batch")
    alone_in(context, out)
    run = Run(out, force)
    task = read_task(data, reading, scale, seed)
    recipe, synthetic = recipe_of(data)
    settings = {"data": data, "reading": reading, "scale": scale, "units": units, "batch_size": batch_size}
    settings |= {"learning_rate": learning_rate, "dtype": dtype, "seed": seed}
    if steps is not None:
        return _compare_steps(run, task, settings, steps, tol, as_json)
    comparisons, load_before = [], machine.load()
    with stages(takes=durations.of_tables(data, epochs, reading, seeds, keras=True)) as stage:
        for k in range(seed, seed + seeds):
            progress = stage(f"Training, seed {k}")
            comparison, model = run_epochs(task, epochs, units, batch_size, learning_rate, dtype, k, control, progress)
            comparisons.append(comparison)
            if k == seed and not control:
                run.begin()
                model.save(run.folder / "model.safetensors", metadata=metadata(task, recipe, synthetic, seed))
    run.begin()
    page = comparison_report.write_comparison(run, task, comparisons, synthetic, "lstm-engine compare", load_before)
    run.write_config("compare", **settings, epochs=epochs, seeds=seeds, control=control)
    closeness = comparison_report.closeness(comparisons)
    if as_json:
        numbers = {"comparisons": [c.as_json() for c in comparisons], "closeness": closeness}
        return print_json(numbers | {"load_before": load_before})
    if seeds == 1:
        table = comparison_report.readable(comparisons[0].table)
        apart = [c for c in table if "seconds" in c or "difference" in c or c == "agreement"]
        print_frame("Every epoch", table.drop(columns=apart))
        print_frame("Differences after every epoch, and its seconds", table[apart])
    title = "At the end" if seeds == 1 else "At the end, mean and range over the seeds"
    print_frame(title, comparison_report.summary(task, comparisons))
    for part, c in closeness.items():
        gap, agreement = c["largest_accuracy_gap_points"], c["smallest_agreement"]
        words = f"accuracies at most {gap:.2f} points apart, at least {agreement:.1%} same answers"
        out_console.print(f"{part.replace('_', '-')} clips: {words}")
    for note in comparison_report.busy_notes(load_before):
        print_line(f"note: {note}")
    print_line(f"Report: {page}")


def _compare_steps(run: Any, task: Any, settings: dict[str, Any], steps: int, tol: float | None, as_json: bool) -> None:
    """compare --steps: all quantities after each batch, from one pair of models."""
    from experiments.beside_keras.step_by_step import side_by_side
    from experiments.beside_keras.twins import import_keras, to_keras
    from experiments.tutorial.task import voice_model

    import_keras(settings["dtype"])
    X, y = task.inputs(task.train), task.train.labels
    model = voice_model(settings["units"], settings["learning_rate"], settings["seed"], settings["dtype"])
    model.build(X.shape[1:])
    result = side_by_side(model, to_keras(model), X, y, steps, tol, settings["batch_size"])
    run.begin()
    run.write("steps.csv", result.table.to_csv())
    run.write_config("compare --steps", **settings, steps=steps, tol=result.tolerance)
    if as_json:
        departure = asdict(result.first) if result.first else None
        print_json({"ok": result.ok, "tolerance": result.tolerance, "first": departure, "rows": result.rows})
    else:
        kinds = result.table.T.groupby(lambda name: name.split()[0], sort=False).max().T
        print_frame("Largest relative difference after each batch", kinds, "{:.1e}")
        out_console.print(str(result))
        print_line(f"Every quantity of every batch: {run.folder / 'steps.csv'}")
    raise typer.Exit(0 if result.ok else 1)
