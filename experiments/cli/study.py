"""Studies: `lstm-engine study epochs`, `lstm1997`, `memory`, `variants`, `gap`. A study that was stopped continues."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.cli.shared import (
    AsJson,
    Epochs,
    Force,
    Params,
    Stage,
    alone_in,
    err_console,
    out_console,
    print_frame,
    print_json,
    stages,
    studies,
    workers,
)

Jobs = Annotated[int, typer.Option(callback=workers, help="Trainings at a time; -1: one per core.")]
# Seeds from 100 on chose the learning rates, and are not reported.
Seeds = Annotated[int, typer.Option(min=1, max=100, help="Trainings of each network, with seeds 0, 1, ...")]
DIGITS = typer.Option(help="Folder of the Spoken Arabic Digit corpus: sad.npz and metadata.csv.")


def studying(takes: str = "", quick: bool = False) -> AbstractContextManager[Stage]:
    """The progress of a study. takes: how long the whole study takes, on two quiet cores."""
    return stages(takes="about a minute with --quick" if quick else takes and f"{takes} from the start")


def _stopped(params: Params) -> str:
    again = "the same command without --force" if params["force"] else "the same command"
    return f"stopped: finished trainings are kept, and {again} continues with the others"


def show(result: dict[str, Any], title: str, table: Callable[[dict[str, Any]], Any], out: Path, as_json: bool) -> None:
    if as_json:
        return print_json(result)
    print_frame(title, table(result))
    out_console.print(f"{result['words']}\nReport: {out / 'report.html'}", soft_wrap=True)


@studies.command(
    "epochs",
    stopped=_stopped,
    epilog="Examples: lstm-engine study epochs --tables my_features   |   "
    "lstm-engine study epochs --tables my_features --frames my_frames --seeds 3",
)
def study_epochs(
    context: typer.Context,
    tables: Annotated[Path | None, typer.Option(help="Folder with male_features.csv and female_features.csv.")] = None,
    frames: Annotated[Path | None, typer.Option(help="Folder of an extraction by the recipe frames.")] = None,
    epochs: Epochs = 200,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each subject, with seeds 0, 1, ...")] = 5,
    out: Annotated[Path, typer.Option(help="Folder for CSV, picture and report.")] = Path("runs/epochs"),
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """How much do more epochs improve the accuracy, on training and on held-out speakers?

    Each finished training is kept: after a stop, the same command continues.
    """
    from experiments.cli import durations
    from experiments.study.epochs import study
    from experiments.study.epochs.report import TABLE_TITLE, frame

    alone_in(context, out)
    with studying(durations.of_epochs_study(tables, frames, epochs, seeds)) as stage:
        result = study.study(out, tables, frames, epochs, seeds, force, stage, err_console.print)
    show(result, TABLE_TITLE, frame, out, as_json)


@studies.command(
    "lstm1997",
    stopped=_stopped,
    epilog="Examples: lstm-engine study lstm1997   |   lstm-engine study lstm1997 --experiment 4 --cell 1997 --seeds 3",
)
def study_lstm1997(
    context: typer.Context,
    experiment: Annotated[
        list[str] | None,
        typer.Option(help="1, 2a to 2c, 3a to 3c, 4, 5, 6a or 6b; may be repeated. Default: 1, 4, 6a, 6b."),
    ] = None,
    seeds: Seeds = 10,
    cell: Annotated[str, typer.Option(help="modern (forget gates, Adam) or 1997 (as in the paper).")] = "modern",
    forget_bias: Annotated[
        float | None, typer.Option(help="Initial bias of all forget gates, instead of one drawn by the task's lag.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only the short rows, with two seeds: minutes.")] = False,
    jobs: Jobs = -1,
    out: Annotated[Path, typer.Option(help="Folder for tables, picture and report.")] = Path("runs/lstm1997"),
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """The experiments of Hochreiter & Schmidhuber (1997), with their criteria, beside their results.

    Each finished training is kept: after a stop, the same command continues. The report shows all that the folder holds.
    """
    from experiments.study.lstm1997.report import TABLE_TITLE, narrow
    from experiments.study.lstm1997.study import study

    alone_in(context, out)
    with studying("about 2 minutes with the defaults", quick) as stage:
        result = study(out, tuple(experiment or ()), seeds, cell, quick, jobs, forget_bias, force, stage)
    show(result, TABLE_TITLE, narrow, out, as_json)


@studies.command(
    "memory",
    stopped=_stopped,
    epilog="Examples: lstm-engine study memory   |   lstm-engine study memory --task it --cell rnn --cell chrono --seeds 5",
)
def study_memory(
    context: typer.Context,
    task: Annotated[
        list[str] | None, typer.Option(help="adding, order, recall or it; may be repeated. Default: all.")
    ] = None,
    cell: Annotated[
        list[str] | None,
        typer.Option(
            help="rnn, gru, lstm0, lstm1 (forget bias 0, 1), peephole or chrono; may be repeated. Default: all."
        ),
    ] = None,
    seeds: Seeds = 3,
    quick: Annotated[
        bool, typer.Option("--quick", help="Two tasks, three cells, two lags, two seeds: a minute.")
    ] = False,
    keras: Annotated[bool, typer.Option("--keras", help="Also train one task with Keras, seed by seed.")] = False,
    tune: Annotated[bool, typer.Option("--tune", help="Instead, search the learning rates again: rates.csv.")] = False,
    jobs: Jobs = -1,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for tables, pictures and report. Default: runs/memory, with --tune runs/memory_rates."
        ),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """How far back can a recurrent network remember? Every cell on four tasks of growing lag, with its gradients.

    Each finished training is kept: after a stop, the same command continues. The report shows all that the folder holds.
    """
    from experiments.study.memory.report import TABLE_TITLE, longest
    from experiments.study.memory.study import search, study

    if tune:
        if quick or keras:
            raise ValueError("--tune only searches learning rates: leave --quick and --keras out")
        out = out or Path("runs/memory_rates")
        alone_in(context, out)
        with studying("about 14 minutes with the defaults") as stage:
            table = search(out, tuple(task or ()), tuple(cell or ()), jobs=jobs, force=force, stage=stage)
        if as_json:
            return print_json(table)
        return out_console.print(f"Rates: {out / 'rates.csv'}", soft_wrap=True)
    out = out or Path("runs/memory")
    alone_in(context, out)
    with studying("about 9 minutes with the defaults", quick) as stage:
        result = study(out, task or (), cell or (), seeds, quick, keras, jobs, force, stage=stage)
    show(result, TABLE_TITLE, longest, out, as_json)


@studies.command(
    "variants",
    stopped=_stopped,
    epilog="Examples: lstm-engine study variants   |   lstm-engine study variants --digits spoken_arabic_digits",
)
def study_variants(
    context: typer.Context,
    digits: Annotated[Path | None, DIGITS] = None,
    seeds: Seeds = 3,
    quick: Annotated[bool, typer.Option("--quick", help="Three variants, easier tasks, two seeds: a minute.")] = False,
    jobs: Jobs = -1,
    out: Annotated[Path, typer.Option(help="Folder for tables, picture and report.")] = Path("runs/variants"),
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """The LSTM and the eight variants of Greff et al. (2017), on adding and on spoken digits.

    Each finished training is kept: after a stop, the same command continues. A quick run needs its own folder.
    """
    from experiments.study.variants.report import narrow, table_title
    from experiments.study.variants.study import study

    alone_in(context, out)
    with studying("about 14 minutes with the defaults and --digits", quick) as stage:
        result = study(out, digits, seeds, quick, jobs, force, stage)
    show(result, table_title(result), narrow, out, as_json)


@studies.command(
    "gap",
    stopped=_stopped,
    epilog="Examples: lstm-engine study gap --digits spoken_arabic_digits   |   "
    "lstm-engine study gap --digits spoken_arabic_digits --quick --out runs/gap_quick",
)
def study_gap(
    context: typer.Context,
    digits: Annotated[Path, DIGITS],
    seeds: Seeds = 3,
    cell: Annotated[
        list[str] | None,
        typer.Option(help="rnn, gru, gru-chrono, lstm0, lstm1, chrono-fixed or chrono; may be repeated. Default: all."),
    ] = None,
    silence: Annotated[
        str, typer.Option(help="drawn (each frame one of the quietest) or constant (their mean).")
    ] = "drawn",
    quick: Annotated[bool, typer.Option("--quick", help="Two cells, two gaps and one seed: a minute.")] = False,
    jobs: Jobs = -1,
    out: Annotated[Path, typer.Option(help="Folder for tables, picture and report.")] = Path("runs/gap"),
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """How long does a cell keep a spoken digit, through up to 1,000 frames of silence before the question?

    Each finished training is kept: after a stop, the same command continues.
    """
    from experiments.study.gap.report import TABLE_TITLE, narrow
    from experiments.study.gap.study import study

    alone_in(context, out)
    with studying("about 20 minutes with the defaults", quick) as stage:
        result = study(digits, out, seeds, tuple(cell or ()), silence, quick, jobs, force, stage)
    show(result, TABLE_TITLE, narrow, out, as_json)
