"""The results as tables of text, the same for the terminal and for the page."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from experiments.bench.sides import ENGINE, LIMITS, SIDES
from experiments.bench.turns import TOLERANCE
from experiments.reports.page import counted

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


def _by_side(entries: Sequence[Entry], words: Callable[[Entry], str], leave_out: str = "") -> pd.DataFrame:
    labels = [name for name in SIDES if name != leave_out and any(name in e["sides"] | e["failed"] for e in entries)]
    return _by_shape(
        entries, lambda e: {title(n): words(e["sides"][n]) if n in e["sides"] else "failed" for n in labels}
    )


def rates(entries: Sequence[Entry]) -> pd.DataFrame:
    """What a step computes and how fast, beside the machine's rate of matrix products (sgemm) in the same rounds."""

    def row(e: Entry) -> dict[str, str]:
        return {
            "GFLOP a step": number(e["flops"] / 1e9),
            "flops a byte": number(e["flops"] / e["bytes"]),
            "engine, GFLOP/s": number(e["sides"][ENGINE]["gflops"]["median"]),
            "sgemm, GFLOP/s": number(e["sgemm_gflops"]["median"]),
            "share of sgemm": spread_words(e["share_of_sgemm"]),
        }

    return _by_shape(entries, row)


def checks(entries: Sequence[Entry]) -> pd.DataFrame:
    """How each side ran, and the relative distance of its losses or predictions from the engine's."""
    rows = {}
    for e in entries:
        sides = {n: e["sides"][n] for n in SIDES if n in e["sides"]}
        what = "" if e["what"] == "train" else ", inference"
        rows[shape_words(e["shape"]) + what] = {
            title(n): f"{side['way']}, {side['difference']:.0e}" for n, side in sides.items()
        }
    return _frame(rows)


def speedups(entries: Sequence[Entry]) -> pd.DataFrame:
    """One thread's time as a multiple of two threads'."""
    return _by_shape(entries, lambda e: {title(n): spread_words(s) for n, s in e["speedups"].items()})


def memory(entries: Sequence[Entry]) -> pd.DataFrame:
    """MiB by which a training step raises its process."""
    return _by_shape(
        entries, lambda e: {title(n): "unknown" if mib is None else f"{mib:.1f}" for n, mib in e["mib"].items()}
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
    rows = {axis: {title(n): f"{p:.2f}" for n, p in row.items() if n not in LIMITS} for axis, row in powers.items()}
    return _frame(rows)


def number(value: float) -> str:
    """Three figures."""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _by_shape(entries: Sequence[Entry], row: Callable[[Entry], dict[str, str]]) -> pd.DataFrame:
    return _frame({shape_words(e["shape"]): row(e) for e in entries})


def _frame(rows: dict[str, dict[str, str]]) -> pd.DataFrame:
    return pd.DataFrame.from_dict(rows, orient="index").fillna("")


def compared(result: Entry) -> list[Entry]:
    """The entries in which all sides compute the same: training and inference."""
    return [*result.get("train", []), *result.get("inference", [])]


def notes(result: Entry) -> list[str]:
    """What makes a number less trustworthy: a side that is missing or failed, or a disturbed measurement."""
    entries = compared(result)
    lines = [f"{SIDES[name].title} is missing: {how}" for name, how in result["missing"].items()]
    for e in entries:
        where = shape_words(e["shape"])
        lines += [f"{title(label)} at {where}: {reason}" for label, reason in e["failed"].items()]
        lines += [
            f"{title(label)} at {where}: its threads still ran during the next side's turn" for label in e["restless"]
        ]
    load, cores = result["machine"]["load_before"], result["machine"]["cores"]
    if load is not None and load > BUSY:
        lines.append(
            f"other programs were running when this began (load {load:.1f} on {cores} cores). Sides whose threads spin while "
            "they wait suffer most: measure again on a quiet machine"
        )
    if unsteady := [e for e in entries if e["sgemm_gflops"]["high"] > 1.3 * e["sgemm_gflops"]["low"]]:
        lines.append(
            f"the machine's speed changed by more than 30 % at {len(unsteady)} of {counted(len(entries), 'shape')}: other "
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
