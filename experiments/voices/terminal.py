"""Answers on a terminal: a table, and with --plot a recording's pitch and probability over time.

All of it fits into 80 columns and needs no colour. The plot's dots are braille characters, or stars if the terminal's
encoding has no braille.
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

from experiments.tutorial.prediction import Prediction
from experiments.voices.changes import SEVERAL
from experiments.voices.judge import Judgement
from experiments.voices.record import level
from lstm_engine.plain_text import printable

WIDTH = 70  # characters; the scale takes the other 10
NOTE = "A label is a guess about a recording, not a fact about a person."


def table(predictions: Sequence[Prediction]) -> Table:
    """One row a file: the answer, the probability of male, the median pitch and the seconds of voice."""
    shown = Table()
    for column in ("file", "answer", "p(male)", "pitch", "voice"):
        shown.add_column(column, justify="left" if column in ("file", "answer") else "right", overflow="fold")
    for p in predictions:
        answer = "[red]not read[/red]" if p.error else escape(printable(p.label or ""))
        probability = "" if p.probability is None else f"{p.probability:.3f}"
        pitch = "" if p.pitch_hz is None else f"{p.pitch_hz:.0f} Hz"
        voice = "" if p.voice_s is None else f"{p.voice_s:.1f} s"
        shown.add_row(escape(printable(p.file)), answer, probability, pitch, voice)
    return shown


def reasons(predictions: Sequence[Prediction]) -> list[str]:
    """A line with the reason for each file without an answer, and with the stretches of more than one voice."""
    unanswered = [p for p in predictions if p.error or p.label in ("uncertain", "no speech", SEVERAL)]
    return [f"{p.file}: {p.error or p.why}" for p in unanswered]


def plot(judgement: Judgement) -> str:
    """Pitch and probability of male over time, in lines of at most 80 characters; the reason if nobody speaks."""
    j = judgement.thinned(4 * WIDTH)
    if not j.voice_s:
        return f"nothing to draw: {j.why}"
    pitch = _axes(j.time, np.log(j.f0), j.seconds, 10, {f"{hz} Hz": np.log(hz) for hz in (60, 100, 150, 220, 330, 500)})
    probability = _axes(j.time, j.p, j.seconds, 7, {"female 0": 0.0, "0.5": 0.5, "male 1": 1.0})
    voices = f"\n{_stretches(j)}" if j.parts else ""
    return f"pitch\n{pitch}\n\nprobability of male\n{probability}{voices}"


def _stretches(j: Judgement) -> str:
    """A line under the axes: each part's label from where it begins, as far as there is room."""
    line = ""
    for part in j.parts:
        start, end = (round(s / j.seconds * WIDTH) for s in (part.start_s, part.end_s))
        line = f"{line:<{start}}{'|' * (start > 0)}{part.label}"[:end]
    return f"{'voice':>8} |{line}"


@contextmanager
def meter(console: Console, seconds: float) -> Iterator[Callable[[float, np.ndarray], None]]:
    """Count down, then show time and level while hear(seconds so far, block (n, channels)) is called.

    Shows nothing if the console is not a terminal.
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
    """Points (T,) over time; NaN is left out. The first tick is at the lowest row, the last at the highest."""
    low, *_, high = ticks.values()
    dot = (high - low) / (4 * (rows - 1))  # a row holds four dots, and its tick is in the middle
    canvas = Canvas(WIDTH, rows, 0, low - 1.5 * dot, seconds, low - 1.5 * dot + 4 * rows * dot)
    star = None if "⣿".encode(sys.stdout.encoding or "ascii", "ignore") else "*"  # braille, if the terminal has it
    for t, value in zip(time, np.clip(values, low, high), strict=True):
        if not np.isnan(value):
            canvas.point(float(min(t, seconds)), float(value), marker=star)
    row_of = {round((value - low) / (high - low) * (rows - 1)): name for name, value in ticks.items()}
    lines = canvas.plot("\n").replace("\u2800", " ").split("\n")  # braille without a dot becomes a space
    scale = [f"{row_of.get(rows - 1 - k, ''):>8} |{line.rstrip()}" for k, line in enumerate(lines)]
    end = f"{seconds:.1f} s"
    return "\n".join([*scale, f"{'':>9}+{'-' * WIDTH}", f"{'':>10}0{end:>{WIDTH - 1}}"])
