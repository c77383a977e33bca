"""What a benchmark shows: bench.json, the pictures as PNG, the page report.html, and the tables of page and terminal."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from experiments.bench import pictures
from experiments.bench.busy import BURNER
from experiments.bench.sides import ENGINE, LIMITS, SIDES, title
from experiments.bench.task import shape_words
from experiments.bench.turns import TOLERANCE
from experiments.reports import machine, page
from experiments.reports.page import counted
from experiments.reports.pictures import inline, png
from experiments.reports.run import Run, footer

Entry = dict[str, Any]


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
SUFFER = "Sides whose threads spin while they wait suffer most: measure again on a quiet machine"
HOW_TO_READ = "Left of the dashed line the engine is faster; a bar spans the middle 80 % of the rounds."


def write_bench(run: Run, result: dict[str, Any], command: str) -> Path:
    """Writes bench.json, the PNGs and report.html; returns the page's path."""
    run.write_json("bench.json", result)
    host = result["machine"]
    parts = [
        page.paragraph(bench_sentence(result), "lead"),
        *(page.paragraph(f"{note[0].upper()}{note[1:]}.", "note") for note in notes(result)),
        *(page.paragraph(words) for words in agreement(result)),
        page.paragraph(READING),
        page.paragraph(f"{machine_words(host)}. " + "; ".join(dict.fromkeys(host["sides"].values()))),
    ]
    for section in sections(result):
        parts.append(page.heading(section.heading))
        for name, draw, caption in section.pictures:
            run.write(f"{name}.png", png(fig := draw()))
            parts.append(inline(fig, caption))
        for words, frame in section.tables.items():
            parts += [page.paragraph(words[0].upper() + words[1:]), page.table(frame)]
    if checked := compared(result):
        words = "The ways that were timed, and how far they were from the engine"
        parts.append(page.folded(words, page.table(checks(checked))))
    return run.write("report.html", page.page("The engine beside its peers", parts, footer(command)))


# -- the parts: their tables and pictures --------------------------------------------------------------------------------


def sections(result: Entry) -> list[Section]:
    """The parts that were measured. The terminal shows the same tables."""
    makers = {
        "train": training, "inference": inference, "stream": streaming, "threads": threads, "busy": busy,
        "growth": growth, "memory": memory, "start": start,
    }  # fmt: skip
    return [make(result[part]) for part, make in makers.items() if result.get(part)]


def training(entries: Sequence[Entry]) -> Section:
    def rates(e: Entry) -> dict[str, str]:
        return {
            "GFLOP a step": number(e["flops"] / 1e9),
            "flops a byte": number(e["flops"] / e["bytes"]),
            "engine, GFLOP/s": number(e["sides"][ENGINE]["gflops"]["median"]),
            "sgemm, GFLOP/s": number(e["sgemm_gflops"]["median"]),
            "share of sgemm": spread_words(e["share_of_sgemm"]),
        }

    roof = "A step on the roof would use all that the machine can give."
    return Section(
        "A training step",
        {
            RATIO: ratios(entries),
            "milliseconds a step, median": milliseconds(entries),
            "the engine's arithmetic, and the machine's in the same rounds": _by_shape(entries, rates),
        },
        (
            ("train", lambda: pictures.ratios(entries, "a training step"), HOW_TO_READ),
            ("roofline", lambda: pictures.roofline(entries), roof),
        ),
    )


def inference(entries: Sequence[Entry]) -> Section:
    return Section(
        "Inference",
        {RATIO: ratios(entries), "milliseconds a batch, median": milliseconds(entries)},
        (("inference", lambda: pictures.ratios(entries, "inference"), HOW_TO_READ),),
    )


def streaming(entries: Sequence[Entry]) -> Section:
    microseconds = _by_side(entries, lambda side: number(1e3 * side["ms"]["median"]))
    return Section(
        "One sequence, step by step",
        {
            RATIO: ratios(entries),
            "microseconds a time step, median: stream(), or a call that hands states on": microseconds,
        },
    )


def busy(entries: Sequence[Entry]) -> Section:
    loads = list(dict.fromkeys(e["load"] for e in entries))
    words = list(dict.fromkeys(words for e in entries for words in e["ratios"]))
    shares, ms = {}, {}
    for e in entries:
        shape = shape_words(e["shape"])
        shares.setdefault(shape, dict.fromkeys(f"{pair}, {load}" for pair in words for load in loads))
        shares[shape] |= {f"{pair}, {e['load']}": spread_words(ratio) for pair, ratio in e["ratios"].items()}
        ms[f"{shape}, {e['load']}"] = {title(label): number(side["ms"]["median"]) for label, side in e["sides"].items()}
        ms[f"{shape}, {e['load']}"] |= {title(label): "failed" for label in e["failed"]}
    return Section(
        "A busy machine",
        {
            f"a training step's time, median (middle 80 % of rounds); busy: {BURNER}": _frame(shares),
            "milliseconds a training step, median": _frame(ms),
        },
    )


def threads(entries: Sequence[Entry]) -> Section:
    words = "a training step's time on one thread / on two, median (middle 80 % of rounds)"
    speedups = _by_shape(entries, lambda e: {title(n): spread_words(s) for n, s in e["speedups"].items()})
    return Section("Two threads", {words: speedups})


def growth(grown: Entry) -> Section:
    slopes = {
        axis: {title(name): f"{p:.2f}" for name, p in powers.items() if name not in LIMITS}
        for axis, powers in grown["slopes"].items()
    }
    caption = (
        "A slope of 1 means: time in proportion. Small sizes lie above the line, because every step has a fixed cost."
    )
    return Section(
        "Growth",
        {"the power of T, B and H that a training step's time grows with": _frame(slopes)},
        (("growth", lambda: pictures.growth(grown), caption),),
    )


def memory(entries: Sequence[Entry]) -> Section:
    words = "MiB by which training steps raise the peak memory of their process (with the library's compiling for the shape)"
    mib = _by_shape(
        entries, lambda e: {title(n): "unknown" if mib is None else f"{mib:.1f}" for n, mib in e["mib"].items()}
    )
    return Section("Memory", {words: mib})


def start(rows: dict[str, Entry]) -> Section:
    words = "seconds, median of new processes; cold: no compiled code of the engine on disk"
    parts = {"total": "to the first step's end", "import": "import"}
    parts |= {"first_step": "build and first step", "later_step": "later step"}
    seconds = {title(label): {what: f"{row[part]:.3f}" for part, what in parts.items()} for label, row in rows.items()}
    return Section("The first step of a new process", {words: _frame(seconds)})


def spread_words(spread: dict[str, float], form: str = "{:.2f}") -> str:
    return f"{form} ({form}-{form})".format(spread["median"], spread["low"], spread["high"])


def ratios(entries: Sequence[Entry]) -> pd.DataFrame:
    """The engine's time as a share of every peer's, with the range of the middle 80 % of rounds."""
    return _by_side(entries, lambda side: spread_words(side["engine_ratio"]), leave_out=ENGINE)


def milliseconds(entries: Sequence[Entry]) -> pd.DataFrame:
    """Every side's median milliseconds a step."""
    return _by_side(entries, lambda side: number(side["ms"]["median"]))


def _by_side(entries: Sequence[Entry], words: Callable[[Entry], str], leave_out: str = "") -> pd.DataFrame:
    labels = [name for name in SIDES if name != leave_out and any(name in e["sides"] | e["failed"] for e in entries)]
    return _by_shape(
        entries, lambda e: {title(n): words(e["sides"][n]) if n in e["sides"] else "failed" for n in labels}
    )


def checks(entries: Sequence[Entry]) -> pd.DataFrame:
    """How each side ran, and the relative distance of its losses or predictions from the engine's."""
    rows = {}
    for e in entries:
        sides = {n: e["sides"][n] for n in SIDES if n in e["sides"]}
        what = {"train": "", "infer": ", inference", "stream": ", step by step"}[e["what"]]
        rows[shape_words(e["shape"]) + what] = {
            title(n): f"{side['way']}, {side['difference']:.0e}" for n, side in sides.items()
        }
    return _frame(rows)


def number(value: float) -> str:
    """Three figures."""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _by_shape(entries: Sequence[Entry], row: Callable[[Entry], dict[str, str]]) -> pd.DataFrame:
    return _frame({shape_words(e["shape"]): row(e) for e in entries})


def _frame(rows: dict[str, dict[str, str]]) -> pd.DataFrame:
    return pd.DataFrame.from_dict(rows, orient="index").fillna("")


# -- in words -----------------------------------------------------------------------------------------------------------


def compared(result: Entry) -> list[Entry]:
    """The entries in which all sides take turns with the machine's limits: training and inference."""
    return [e for part in ("train", "inference", "stream") for e in result.get(part, [])]


def machine_words(host: Entry) -> str:
    vectors, sizes = host["vectors"], host["cache_bytes"]
    narrow = (
        f", of which {vectors['used_bytes']} are used" if vectors["used_bytes"] < vectors["processor_bytes"] else ""
    )
    parts = [
        host["processor"],
        counted(host["cores"], "core"),
        f"vectors of {vectors['processor_bytes']} bytes{narrow}",
        *(f"{name} {size // 2**10:,} KiB" for name, size in sizes.items()),
        host["system"],
        *([] if host["load_before"] is None else [f"load {host['load_before']:.1f} at the start"]),
    ]
    return ", ".join(parts)


def emulation(result: Entry) -> list[str]:
    """Where the vectors are narrower than the processor's: that, and which sides used AVX-512 all the same."""
    if not (label := result["machine"]["vectors"]["label"]):
        return []
    entries = [*compared(result), *result.get("threads", []), *result.get("busy", [])]
    wide = [name for name in SIDES if any(label.split(", ")[0] == name for e in entries for label in e["avx512"])]
    used = f". AVX-512 all the same, at least in part: {', '.join(map(title, wide))}" if wide else ""
    return [f"{label}: each library is held to vectors of 32 bytes by its own switches{used}"]


def notes(result: Entry) -> list[str]:
    """What makes a number less trustworthy: a side that is missing or failed, or a disturbed measurement."""
    entries = compared(result)
    lines = [*emulation(result), *(f"{SIDES[name].title} is missing: {how}" for name, how in result["missing"].items())]
    for e in entries:
        where = shape_words(e["shape"])
        lines += [f"{title(label)} at {where}: {reason}" for label, reason in e["failed"].items()]
        lines += [
            f"{title(label)} at {where}: its threads still ran during the next side's turn" for label in e["restless"]
        ]
    lines += machine.busy(result["machine"]["load_before"], result["machine"]["cores"], SUFFER)
    if unsteady := [e for e in entries if e["sgemm_gflops"]["high"] > 1.3 * e["sgemm_gflops"]["low"]]:
        lines.append(
            f"The machine's speed changed by more than 30 % at {len(unsteady)} of {counted(len(entries), 'shape')}: other "
            "programs ran at the same time, and ratios near 1 are uncertain"
        )
    return lines


def agreement(result: Entry) -> list[str]:
    """One line: all sides computed the same, and how nearly."""
    differences = [side["difference"] for e in compared(result) for side in e["sides"].values()]
    if not differences:
        return []
    return [
        f"From the same weights all sides gave the same losses and predictions, within a relative {max(differences):.0e} "
        f"(allowed: {TOLERANCE:.0e}); a side that differs more is left out."
    ]


def bench_sentence(result: dict[str, Any]) -> str:
    """The training steps in a sentence, against PyTorch and the fastest Keras; or what was measured."""
    entries = result.get("train", [])
    parts = []
    for peer, words in (("torch", "PyTorch's"), ("fastest_keras", "the fastest Keras backend's")):
        shares = [
            e["sides"][name]["engine_ratio"]["median"] for e in entries if (name := e.get(peer, peer)) in e["sides"]
        ]
        if shares:
            ends = dict.fromkeys(f"{share:.2f}" for share in (min(shares), max(shares)))
            parts.append(f"{' to '.join(ends)} of {words} time")
    if not parts:
        return f"Measured: {', '.join(section.heading.lower() for section in sections(result))}."
    return f"Over {counted(len(entries), 'shape')} a training step of the {ENGINE} takes {' and '.join(parts)}."
