"""The files of a benchmark: bench.json, the pictures as PNG, and the page report.html."""

from collections.abc import Callable
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
    if checked := tables.compared(result):
        words = "The ways that were timed, and how far they were from the engine"
        parts.append(page.folded(words, page.table(tables.checks(checked))))
    return run.write("report.html", page.page("The engine beside its peers", parts, footer(command)))


def sections(result: dict[str, Any]) -> list[Section]:
    """The parts that were measured. The terminal shows the same tables."""
    return [make(result[part]) for part, make in SECTIONS.items() if part in result]


SECTIONS: dict[str, Callable[[Any], Section]] = {
    "train": lambda entries: Section(
        "A training step",
        {
            RATIO: tables.ratios(entries),
            "milliseconds a step, median": tables.milliseconds(entries),
            "the engine's arithmetic, and the machine's in the same rounds": tables.rates(entries),
        },
        (
            ("train", lambda: pictures.ratios(entries, "a training step"), HOW_TO_READ),
            (
                "roofline",
                lambda: pictures.roofline(entries),
                "A step on the roof would use all that the machine can give.",
            ),
        ),
    ),
    "inference": lambda entries: Section(
        "Inference",
        {RATIO: tables.ratios(entries), "milliseconds a batch, median": tables.milliseconds(entries)},
        (("inference", lambda: pictures.ratios(entries, "inference"), HOW_TO_READ),),
    ),
    "threads": lambda entries: Section(
        "Two threads",
        {"a training step's time on one thread / on two, median (middle 80 % of rounds)": tables.speedups(entries)},
    ),
    "growth": lambda growth: Section(
        "Growth",
        {"the power of T, B and H that a training step's time grows with": tables.slopes(growth["slopes"])},
        (
            (
                "growth",
                lambda: pictures.growth(growth),
                "A slope of 1 means: time in proportion. Small sizes lie above the line: every step has a fixed cost.",
            ),
        ),
    ),
    "memory": lambda entries: Section(
        "Memory",
        {
            "MiB by which training steps raise the peak memory of their process (with the library's compiling for the "
            "shape)": tables.memory(entries)
        },
    ),
    "start": lambda rows: Section(
        "The first step of a new process",
        {"seconds, median of new processes; cold: no compiled code of the engine on disk": tables.starts(rows)},
    ),
}


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
