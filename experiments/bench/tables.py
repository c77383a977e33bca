"""The results as tables of words, the same ones for the terminal and for the page."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from experiments.bench.sides import ENGINE, LIMITS, SIDES
from experiments.bench.turns import TOLERANCE

Entry = dict[str, Any]
BUSY = 0.5  # the load average of a machine that does something else


def title(label: str) -> str:
    """A seat's label in words: "keras-jax" is Keras, JAX; "torch, 2 threads" keeps its threads."""
    side, *rest = label.split(", ")
    return ", ".join([(SIDES | LIMITS)[side].title, *rest])


def shape_words(shape: dict[str, Any]) -> str:
    both = ", both ways" if shape["bidirectional"] else ""
    return f"{shape['name']} ({shape['T']}, {shape['D']}, {shape['H']}, {shape['B']}{both})"


def spread_words(spread: dict[str, float], form: str = "{:.2f}") -> str:
    return f"{form} ({form}-{form})".format(spread["median"], spread["low"], spread["high"])


def ratios(entries: Sequence[Entry]) -> pd.DataFrame:
    """The engine's time as a share of every peer's, with the range of the middle 80 % of rounds."""
    return _by_side(entries, lambda side: spread_words(side["engine_ratio"]), leave_out=ENGINE)


def milliseconds(entries: Sequence[Entry]) -> pd.DataFrame:
    """Every side's median milliseconds a step."""
    return _by_side(entries, lambda side: number(side["ms"]["median"]))


def _by_side(entries: Sequence[Entry], words: Any, leave_out: str = "") -> pd.DataFrame:
    labels = [
        name for name in SIDES if name != leave_out and any(name in e["sides"] or name in e["failed"] for e in entries)
    ]
    return _frame(
        {
            shape_words(e["shape"]): {
                title(label): words(e["sides"][label]) if label in e["sides"] else "failed" for label in labels
            }
            for e in entries
        }
    )


def rates(entries: Sequence[Entry]) -> pd.DataFrame:
    """The engine's arithmetic against the machine's: what a step computes, at what rate, and what sgemm reaches beside it."""
    return _frame(
        {
            shape_words(e["shape"]): {
                "GFLOP a step": number(e["flops"] / 1e9),
                "flops a byte": number(e["flops"] / e["bytes"]),
                "engine, GFLOP/s": number(e["sides"][ENGINE]["gflops"]["median"]),
                "sgemm, GFLOP/s": number(e["sgemm_gflops"]["median"]),
                "share of sgemm": spread_words(e["share_of_sgemm"]),
            }
            for e in entries
        }
    )


def checks(entries: Sequence[Entry]) -> pd.DataFrame:
    """How each side ran, and how far its losses or predictions were from the engine's, relative."""
    labels = [name for name in SIDES if any(name in e["sides"] for e in entries)]
    return _frame(
        {
            f"{shape_words(e['shape'])}{'' if e['what'] == 'train' else ', inference'}": {
                title(label): f"{e['sides'][label]['way']}, {e['sides'][label]['difference']:.0e}"
                for label in labels
                if label in e["sides"]
            }
            for e in entries
        }
    )


def speedups(entries: Sequence[Entry]) -> pd.DataFrame:
    """One thread's time as a multiple of two threads'."""
    return _frame(
        {shape_words(e["shape"]): {title(n): spread_words(s) for n, s in e["speedups"].items()} for e in entries}
    )


def memory(entries: Sequence[Entry]) -> pd.DataFrame:
    """MiB by which a training step raises its process."""
    return _frame(
        {
            shape_words(e["shape"]): {
                title(n): "not told" if mib is None else f"{mib:.1f}" for n, mib in e["mib"].items()
            }
            for e in entries
        }
    )


def starts(rows: dict[str, Entry]) -> pd.DataFrame:
    """Seconds of a new process to the end of its first training step."""
    parts = {
        "total": "to the first step's end",
        "import": "import",
        "first_step": "build and first step",
        "later_step": "later step",
    }
    return _frame(
        {title(label): {words: f"{row[part]:.3f}" for part, words in parts.items()} for label, row in rows.items()}
    )


def slopes(powers: dict[str, dict[str, float]]) -> pd.DataFrame:
    """The power of T, B and H that a training step's time grows with."""
    return _frame(
        {
            axis: {title(label): f"{p:.2f}" for label, p in row.items() if label not in LIMITS}
            for axis, row in powers.items()
        }
    )


def number(value: float) -> str:
    """Three figures."""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _frame(rows: dict[str, dict[str, str]]) -> pd.DataFrame:
    return pd.DataFrame.from_dict(rows, orient="index").fillna("")


def notes(result: Entry) -> list[str]:
    """What a reader must know before trusting a number: what is missing, failed, or was disturbed."""
    entries = [*result.get("train", []), *result.get("inference", [])]
    told = [f"{SIDES[name].title} is missing: {how}" for name, how in result["missing"].items()]
    for e in entries:
        where = shape_words(e["shape"])
        told += [f"{title(label)} at {where}: {reason}" for label, reason in e["failed"].items()]
        told += [
            f"{title(label)} at {where}: threads still ran when the next side's turn came" for label in e["restless"]
        ]
    load, cores = result["machine"]["load_before"], result["machine"]["cores"]
    if load is not None and load > BUSY:
        told.append(
            f"other programs were running when this began (load {load:.1f} on {cores} cores): threads that wait for each "
            "other by spinning suffer most, so measure again on a quiet machine"
        )
    if wandering := [e for e in entries if e["sgemm_gflops"]["high"] > 1.3 * e["sgemm_gflops"]["low"]]:
        told.append(
            f"the machine's own rate wandered by more than 30 % at {len(wandering)} of {len(entries)} shapes: other programs "
            "ran beside, and ratios near 1 are not sure"
        )
    return told


def agreement(result: Entry) -> list[str]:
    """One line on whether all sides computed the same, and how near."""
    entries = [*result.get("train", []), *result.get("inference", [])]
    found = [side["difference"] for e in entries for side in e["sides"].values()]
    if not found:
        return []
    return [
        f"From the same weights all sides gave the same losses and predictions, to {max(found):.0e} of their size "
        f"(allowed: {TOLERANCE:.0e}); a side that does not is left out."
    ]
