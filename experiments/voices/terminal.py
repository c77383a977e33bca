"""Answers on a terminal: a table of them, and with --plot a recording's pitch and probability over time.

It reads well in 80 columns and without colour, and where a terminal knows no braille the dots become stars.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import sleep

import numpy as np
from plotille import Canvas
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from experiments.tutorial.training import Prediction
from experiments.voices.judge import Judgement
from experiments.voices.record import level

WIDTH = 70  # characters; the scale beside it takes the other 10
NOTE = "A label is a guess about a recording, not a fact about a person."


def table(predictions: Sequence[Prediction]) -> Table:
    """One row a file: the answer, the probability of male, the median pitch and the seconds of voice."""
    shown = Table()
    for column, side in {
        "file": "left",
        "answer": "left",
        "p(male)": "right",
        "pitch": "right",
        "voice": "right",
    }.items():
        shown.add_column(column, justify=side, overflow="fold")
    for p in predictions:
        answer = "[red]not read[/red]" if p.error else escape(p.label or "")
        probability = "" if p.probability is None else f"{p.probability:.3f}"
        pitch = "" if p.pitch_hz is None else f"{p.pitch_hz:.0f} Hz"
        voice = "" if p.voice_s is None else f"{p.voice_s:.1f} s"
        shown.add_row(escape(p.file), answer, probability, pitch, voice)
    return shown


def reasons(predictions: Sequence[Prediction]) -> list[str]:
    """A line for each file that got no answer: why."""
    unanswered = [p for p in predictions if p.error or p.label in ("uncertain", "no speech")]
    return [f"{p.file}: {p.error or p.why}" for p in unanswered]


def plot(judgement: Judgement) -> str:
    """Pitch and probability of male over time, as lines of text no longer than 80 columns; why, where nobody speaks."""
    j = judgement.thinned(4 * WIDTH)
    if not j.voice_s:
        return f"nothing to draw: {j.why}"
    pitch = _axes(j.time, np.log(j.f0), j.seconds, 10, {f"{hz} Hz": np.log(hz) for hz in (60, 100, 150, 220, 330, 500)})
    probability = _axes(j.time, j.p, j.seconds, 7, {"female 0": 0.0, "0.5": 0.5, "male 1": 1.0})
    return f"pitch\n{pitch}\n\nprobability of male\n{probability}"


@contextmanager
def meter(console: Console, seconds: float) -> Iterator[Callable[[float, np.ndarray], None]]:
    """Counts down, then shows time and level while hear(seconds so far, block (n, channels)) is called.

    Nothing where the console is no terminal.
    """
    if console.is_terminal:
        for left in (3, 2, 1):
            console.print(f"speak in {left} ...", end="\r", style="bold")
            sleep(1)
    columns = (TextColumn("speak now"), BarColumn(), TextColumn("{task.completed:.1f} s  level {task.fields[level]}"))
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        bar = bars.add_task("", total=seconds, level="")

        def hear(at: float, block: np.ndarray) -> None:
            bars.update(bar, completed=at, level="|" * round((level(block) + 60) / 3))

        yield hear


def _axes(time: np.ndarray, values: np.ndarray, seconds: float, rows: int, ticks: dict[str, float]) -> str:
    """Points (T,) over time; NaN is left out. The first tick is the lowest row's, the last the highest's."""
    low, *_, high = ticks.values()
    dot = (high - low) / (4 * (rows - 1))  # a row holds four of them, and a tick stands in its middle
    canvas = Canvas(WIDTH, rows, 0, low - 1.5 * dot, seconds, low - 1.5 * dot + 4 * rows * dot)
    star = None if _knows_braille() else "*"
    for t, value in zip(time, np.clip(values, low, high), strict=True):
        if not np.isnan(value):
            canvas.point(float(min(t, seconds)), float(value), marker=star)
    row_of = {round((value - low) / (high - low) * (rows - 1)): name for name, value in ticks.items()}
    lines = canvas.plot("\n").replace("\u2800", " ").split("\n")  # braille without a dot is a space; the highest first
    scale = [f"{row_of.get(rows - 1 - k, ''):>8} |{line.rstrip()}" for k, line in enumerate(lines)]
    end = f"{seconds:.1f} s"
    return "\n".join([*scale, f"{'':>9}+{'-' * WIDTH}", f"{'':>10}0{end:>{WIDTH - 1}}"])


def _knows_braille() -> bool:
    try:
        "⣿".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
