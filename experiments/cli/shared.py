"""What the commands share: the application, options of one meaning, progress bars, and how results are shown."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from experiments.reports import working
from experiments.reports.page import counted
from lstm_engine.plain_text import printable

Params = dict[str, Any]  # of a command, by name
MOST_LETTERS = 3000  # of one message


class Terminal(Console):
    """The one door of all text to a terminal: an escape sequence in a name is shown, and does nothing."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """As rich's, with printable text."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)


class _NoFlagTypes:
    """Help that shows no type beside a flag: typer prints "<bool>" there, though a flag takes no value."""

    def get_params(self, context: Any) -> list[Any]:
        params = super().get_params(context)  # type: ignore[misc]
        for param in params:
            if getattr(param, "is_flag", False):
                param.metavar = ""
        return params


@contextmanager
def _printable_errors() -> Iterator[None]:
    """What typer says of wrong arguments, which it prints by itself, without characters that act."""
    try:
        yield
    except Exception as error:
        if isinstance(said := getattr(error, "message", None), str):
            error.message = printable(said)  # type: ignore[attr-defined]
        raise


class _EndsInALine:
    """Ctrl-C and SIGTERM end a command with exit code 130 or 143, and a line on stderr: what is kept, and how to go on."""

    @staticmethod
    def stopped(params: Params) -> str:
        """The line of a command that has no words of its own."""
        return "stopped"

    def make_context(self, *given: Any, **named: Any) -> Any:
        with _printable_errors():
            return super().make_context(*given, **named)  # type: ignore[misc]

    def invoke(self, ctx: Any) -> Any:
        with working.ends_told() as heard:
            try:
                with _printable_errors():
                    return super().invoke(ctx)  # type: ignore[misc]
            except KeyboardInterrupt as stop:  # typer would end without a word
                # what was stopped may know more of it than its command
                say(str(stop) or self.stopped(ctx.params))
                raise typer.Exit(heard.exit_code) from None


class _Command(_NoFlagTypes, _EndsInALine, typer.core.TyperCommand):
    pass


class _Group(_NoFlagTypes, _EndsInALine, typer.core.TyperGroup):
    pass


class _App(typer.Typer):
    def command(
        self, *names: Any, epilog: str = "", stopped: Callable[[Params], str] = _Command.stopped, **options: Any
    ) -> Any:
        """As typer's. stopped: the line after Ctrl-C or SIGTERM, from the command's parameters."""
        examples = epilog.replace(": ", ":\n\n", 1).replace("   |   ", "\n\n") if "   |   " in epilog else epilog
        kind = type("Command", (_Command,), {"stopped": staticmethod(stopped)})
        return super().command(*names, cls=kind, epilog=examples, **options)  # an example a line: "|" is no pipe


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
out_console = Terminal(highlight=False, emoji=False)  # 0:a:1 is no picture
err_console = Terminal(stderr=True, highlight=False, emoji=False)


def chosen(context: typer.Context) -> set[str]:
    """The parameters that stand on the command line, as opposed to their defaults."""
    return {name for name in context.params if context.get_parameter_source(name).name == "COMMANDLINE"}


def alone_in(context: typer.Context, out: Path | None) -> None:
    """Until the command ends, `out` is this process's alone (see `working.alone`). BlockingIOError if it is another's."""
    if out is not None:
        context.with_resource(working.alone(out))


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


Stage = Callable[[str], Callable[..., None]]  # begins a part of the work by its title; returns its update(done, total)
EVERY_S = 10.0  # between two lines of progress, where there is no terminal for a bar
FIRST_S = 2.0  # the first line may come then, if more than EVERY_S is left
ENOUGH = 0.05  # of the work, to tell from it the time that is left


@contextmanager
def stages(*columns: ProgressColumn, takes: str = "", scale: float = 1, unit: str = "") -> Iterator[Stage]:
    """Progress on stderr: bars on a terminal; elsewhere, in a log or a notebook, a line every ten seconds.

    columns: what stands behind a bar; by default how many of how many, and the time left. takes: what is said before the
    work begins, such as "about a minute with --quick". A line shows done / scale, and the unit.
    """
    words = [f"This takes {takes}, on two quiet cores."] if takes else []

    def begin(stage: Stage, title: str) -> Callable[..., None]:
        while words:  # with the first stage: until then a command may refuse what it got
            err_console.print(words.pop(), soft_wrap=True)
        return stage(title)

    if not err_console.is_terminal:
        yield partial(begin, partial(lines, scale=scale, unit=unit))
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        *(columns or (MofNCompleteColumn(), TimeRemainingColumn())),
    )
    with Progress(*columns, console=err_console) as bars:

        def bar(title: str) -> Callable[..., None]:
            task = bars.add_task(title, total=None)
            return lambda done, total, sound_s=0.0: bars.update(task, completed=done, total=total, sound_s=sound_s)

        yield partial(begin, bar)


def lines(title: str, scale: float = 1, unit: str = "") -> Callable[..., None]:
    """An update(done, total) that prints "Training: 3 of 20, about 2 minutes left", at most every ten seconds."""
    began = printed = monotonic()
    before, since = 0.0, None  # done at the first update, and when: a study may continue, and what comes first compiles

    def update(done: float, total: float | None, sound_s: float = 0.0) -> None:
        nonlocal before, since, printed
        now = monotonic()
        if since is None or now - began < FIRST_S:
            before, since = done, now
        if not total or not 0 < done < total:
            return
        known = done - before >= ENOUGH * (total - before) and now > since
        left = (now - since) * (total - done) / (done - before) if known else 0.0
        if now - printed >= EVERY_S or (printed == began and now - since >= FIRST_S and left >= EVERY_S):
            printed = now
            numbers = f"{done / scale:,.0f} of {total / scale:,.0f}{unit}"
            words = f", about {in_words(left)} left" if known else ""
            err_console.print(f"{title}: {numbers}{words}", soft_wrap=True, markup=False)

    return update


def in_words(seconds: float) -> str:
    """A length of time, roughly: "20 s", "3 minutes", "1 hour"."""
    if seconds < 90:
        return f"{10 * max(1, round(seconds / 10))} s"
    minutes = round(seconds / 60)
    return counted(minutes, "minute") if minutes < 90 else counted(round(minutes / 60), "hour")


def print_frame(title: str, frame: Any, form: str = "") -> None:
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=0)
    table.add_column(escape_markup(str(frame.index.name or "")), overflow="fold")
    for column in frame:
        table.add_column(escape_markup(str(column)), justify="right", min_width=8, overflow="fold")
    for index, row in frame.iterrows():
        cells = [v if isinstance(v, str) else (form or _form(v)).format(v) for v in row]
        table.add_row(*map(escape_markup, [str(index), *cells]))
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


def say(text: str) -> None:
    """The same on stderr."""
    err_console.print(escape_markup(text), soft_wrap=True)


def print_json(value: Any) -> None:
    from experiments.reports.run import to_json

    print(printable(to_json(value)))


def escape_markup(text: str) -> str:
    """Text from outside, printable and without markup; of a message that is longer than a screen, the beginning."""
    from rich.markup import escape

    return escape(printable(text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]} ..."))
