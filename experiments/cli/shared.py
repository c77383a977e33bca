"""What the commands share: the application, options of one meaning, progress bars, and how results are shown."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text


class _NoFlagTypes:
    """Help that shows no type beside a flag: typer prints "<bool>" there, though a flag takes no value."""

    def get_params(self, context: Any) -> list[Any]:
        params = super().get_params(context)  # type: ignore[misc]
        for param in params:
            if getattr(param, "is_flag", False):
                param.metavar = ""
        return params


class _Command(_NoFlagTypes, typer.core.TyperCommand):
    pass


class _Group(_NoFlagTypes, typer.core.TyperGroup):
    pass


class _App(typer.Typer):
    def command(self, *names: Any, **options: Any) -> Any:
        return super().command(*names, cls=_Command, **options)


app = _App(
    cls=_Group,
    help="An LSTM by hand, beside Keras: voices to features, training, comparison, prediction.",
    epilog="Any command takes --debug, which shows where an error came from.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
studies = _App(
    cls=_Group,
    help="Questions that take many trainings to answer.",
    epilog="Example: lstm-engine study epochs --tables my_features",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
app.add_typer(studies, name="study", rich_help_panel="Training")
assignments = _App(
    cls=_Group,
    help="Write an LSTM, a GRU or Adam yourself and have it judged.",
    epilog="Example: lstm-engine assignment new mine, then: lstm-engine assignment check mine/lstm.py",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
app.add_typer(assignments, name="assignment", rich_help_panel="Lessons")
out_console, err_console = Console(highlight=False), Console(stderr=True, highlight=False)


def chosen(context: typer.Context) -> set[str]:
    """The parameters that stand on the command line, as opposed to their defaults."""
    return {name for name in context.params if context.get_parameter_source(name).name == "COMMANDLINE"}


def refuse(chosen: Collection[str], names: Iterable[str], why: str) -> None:
    """ValueError that names the chosen options among `names`."""
    if refused := [f"--{name.replace('_', '-')}" for name in names if name in chosen]:
        raise ValueError(f"{' and '.join(refused)} {why}")


def workers(jobs: int) -> int:
    if jobs == 0 or jobs < -1:
        raise typer.BadParameter("expected 1 or more, or -1 for one per core")
    return jobs


Jobs = Annotated[int, typer.Option(callback=workers, help="Workers; -1 is one a core.")]
Data = Annotated[Path, typer.Argument(help="Folder with male_features.csv and female_features.csv.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an earlier run in the same folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the weights, the batches and the split.")]
Reading = Annotated[str, typer.Option(help="How a row becomes a sequence: frames (11, 11) or steps (112, 1).")]
Scale = Annotated[
    bool,
    typer.Option(
        "--scale/--raw", help="Standardise each column by the training rows, or take the numbers as they are."
    ),
]
Epochs = Annotated[int, typer.Option(min=1, help="Passes through the training rows.")]
Units = Annotated[int, typer.Option(min=1, help="Units of the LSTM.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Rows a training step.")]
LearningRate = Annotated[float, typer.Option(help="Adam's learning rate.")]
Model = Annotated[Path, typer.Option("--model", "-m", help="A model.safetensors that train wrote.")]
OtherModel = Annotated[
    Path | None,
    typer.Option("--model", "-m", help="A model.safetensors that train wrote. Without this option, the shipped model."),
]
Plot = Annotated[bool, typer.Option("--plot", help="Pitch and probability over time, in the terminal.")]


class ExtractionRate(ProgressColumn):
    """Clips a second, and seconds of sound a second, as in "24 clips/s, 130 x real time"."""

    def render(self, task: Task) -> Text:
        if not task.speed or not task.elapsed:
            return Text("")
        return Text(f"{task.speed:.0f} clips/s, {task.fields.get('sound_s', 0.0) / task.elapsed:.0f} x real time")


@contextmanager
def stages(*columns: ProgressColumn) -> Iterator[Callable[[str], Callable[..., None]]]:
    """Progress bars on a terminal, nothing elsewhere: stage(title) begins one and returns its update(done, total).

    columns: what stands behind the bar; by default how many of how many, and the time left.
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


def print_frame(title: str, frame: Any, form: str = "") -> None:
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=0)
    table.add_column(str(frame.index.name or ""), overflow="fold")
    for column in frame:
        table.add_column(str(column), justify="right", min_width=8, overflow="fold")
    for index, row in frame.iterrows():
        table.add_row(str(index), *[v if isinstance(v, str) else (form or _form(v)).format(v) for v in row])
    out_console.print(table)


def _form(value: float) -> str:
    return "{:.1e}" if 0 < abs(value) < 1e-3 else "{:.3f}"


def print_columns(columns: dict[str, Any], rows: Iterable[Sequence[str]]) -> None:
    """A table; columns: {title: "left" or "right"}."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title, side in columns.items():
        table.add_column(title, justify=side, overflow="fold")
    for row in rows:
        table.add_row(*map(escape_markup, row))
    out_console.print(table)


def print_line(text: str) -> None:
    """Plain text that the terminal wraps; square brackets in it are no markup."""
    out_console.print(escape_markup(text), soft_wrap=True)


def print_json(value: Any) -> None:
    from experiments.reports.run import to_json

    print(to_json(value))


def escape_markup(text: str) -> str:
    from rich.markup import escape

    return escape(text)
