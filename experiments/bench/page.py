"""The files of a benchmark: bench.json, the pictures as PNG, and the page report.html."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from experiments.bench import pictures, tables
from experiments.bench.sides import ENGINE
from experiments.reports import page
from experiments.reports.pictures import inline, png
from experiments.reports.run import Run, footer


class Section(NamedTuple):
    """A part of the page: its tables by title, and its pictures: a file's name, what draws it, what to look for."""

    heading: str
    tables: dict[str, pd.DataFrame]
    pictures: tuple[tuple[str, Callable[[], Figure], str], ...] = ()


RATIO = "engine's time / peer's time, median (middle 80 % of rounds)"
READING = (
    "A shape is (steps T, features D, units H, batch B) of Sequential([LSTM(H), Dense(1, sigmoid)]). Every side runs in a "
    "separate process with its default number of threads. The sides take turns, a burst each, and a ratio compares bursts of "
    "the same round. Below 1 the engine is faster. Of several ways to run a step in a library the fastest counts. PyTorch is "
    "set to treat denormals as zero (torch.set_flush_denormal), as the engine does."
)
HOW_TO_READ = "Left of the dashed line the engine is faster; a bar spans the middle 80 % of the rounds."


def write_bench(run: Run, result: dict[str, Any], command: str) -> Path:
    """Writes bench.json, the PNGs and report.html; returns the page's path."""
    run.write_json("bench.json", result)
    machine = result["machine"]
    parts = [
        page.paragraph(bench_sentence(result), "lead"),
        *(page.paragraph(note, "note") for note in tables.notes(result)),
        *(page.paragraph(words) for words in tables.agreement(result)),
        page.paragraph(READING),
        page.paragraph(
            f"{machine['processor']}, {machine['cores']} cores, {machine['system']}. "
            + "; ".join(dict.fromkeys(machine["sides"].values()))
        ),
    ]
    for section in sections(result):
        parts.append(page.heading(section.heading))
        for name, draw, caption in section.pictures:
            run.write(f"{name}.png", png(fig := draw()))
            parts.append(inline(fig, caption))
        for title, frame in section.tables.items():
            parts += [page.paragraph(title[0].upper() + title[1:]), page.table(frame)]
    if checked := [*result.get("train", []), *result.get("inference", [])]:
        words = "The ways that were timed, and how far they were from the engine"
        parts.append(page.folded(words, page.table(tables.checks(checked))))
    return run.write("report.html", page.page("The engine beside its peers", parts, footer(command)))


def sections(result: dict[str, Any]) -> list[Section]:
    """The parts that were measured. The terminal shows the same tables."""
    makers = {
        "train": _training, "inference": _inference, "threads": _threads,
        "growth": _growth, "memory": _memory, "start": _start,
    }  # fmt: skip
    return [make(result[part]) for part, make in makers.items() if part in result]


def _training(entries: Any) -> Section:
    return Section(
        "A training step",
        {
            RATIO: tables.ratios(entries),
            "milliseconds a step, median": tables.milliseconds(entries),
            "the engine's arithmetic, and the machine's in the same rounds": tables.rates(entries),
        },
        (
            ("train", partial(pictures.ratios, entries, "a training step"), HOW_TO_READ),
            (
                "roofline",
                partial(pictures.roofline, entries),
                "A step on the roof would use all that the machine can give.",
            ),
        ),
    )


def _inference(entries: Any) -> Section:
    return Section(
        "Inference",
        {RATIO: tables.ratios(entries), "milliseconds a batch, median": tables.milliseconds(entries)},
        (("inference", partial(pictures.ratios, entries, "inference"), HOW_TO_READ),),
    )


def _threads(entries: Any) -> Section:
    title = "a training step's time on one thread / on two, median (middle 80 % of rounds)"
    return Section("Two threads", {title: tables.speedups(entries)})


def _growth(found: Any) -> Section:
    title = "the power of T, B and H that a training step's time grows with"
    caption = (
        "A slope of 1 means: time in proportion. Small sizes lie above the line, because every step has a fixed cost."
    )
    drawn = ("growth", partial(pictures.growth, found), caption)
    return Section("Growth", {title: tables.slopes(found["slopes"])}, (drawn,))


def _memory(entries: Any) -> Section:
    title = "MiB by which training steps raise the peak memory of their process (with the library's compiling for the shape)"
    return Section("Memory", {title: tables.memory(entries)})


def _start(rows: Any) -> Section:
    title = "seconds, median of new processes; cold: no compiled code of the engine on disk"
    return Section("The first step of a new process", {title: tables.starts(rows)})


def bench_sentence(result: dict[str, Any]) -> str:
    """The training steps in a sentence, against PyTorch and the fastest Keras; or what was measured."""
    entries = result.get("train", [])
    parts = []
    for peer, words in (("torch", "PyTorch's"), ("fastest_keras", "the fastest Keras backend's")):
        shares = [
            e["sides"][name]["engine_ratio"]["median"] for e in entries if (name := e.get(peer, peer)) in e["sides"]
        ]
        if shares:
            parts.append(f"{min(shares):.2f} to {max(shares):.2f} of {words} time")
    if not parts:
        return f"Measured: {', '.join(section.heading.lower() for section in sections(result))}."
    return f"Over {page.counted(len(entries), 'shape')} a training step of the {ENGINE} takes {' and '.join(parts)}."
