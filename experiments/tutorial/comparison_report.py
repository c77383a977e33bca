"""The files of a comparison: JSON, CSV, pictures and a page, for one seed or several."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.reports import page, pictures
from experiments.reports.run import Run, footer
from experiments.reports.scores import balanced_accuracy
from experiments.tutorial.comparison import Comparison
from experiments.tutorial.task import VoiceTask
from experiments.tutorial.training import synthetic_note

READING_WORDS = {
    "steps": "(N, 112, 1), the tutorial's reading",
    "frames": "(N, 11, 11), eleven time steps of eleven numbers",
}


def write_comparison(run: Run, task: VoiceTask, comparisons: list[Comparison], synthetic: bool, command: str) -> Path:
    """Writes comparison.json, epochs.csv, curves.png, differences.png and report.html; returns the page's path."""
    run.write_json("comparison.json", [c.as_json() for c in comparisons])
    epochs = pd.concat({c.seed: c.table for c in comparisons}, names=["seed"])
    run.write("epochs.csv", epochs.to_csv())
    parts = section(run, task, comparisons, synthetic)
    return run.write("report.html", page.page("The LSTM by hand beside Keras", parts, footer(command)))


def section(run: Run, task: VoiceTask, comparisons: list[Comparison], synthetic: bool, prefix: str = "") -> list[str]:
    """The parts of a page about one reading; its pictures are also written as PNG, named with `prefix`."""
    first = comparisons[0]
    names = {"engine": "engine", "reference": first.reference}
    curves, gap = pictures.training_curves(first.table, names), pictures.differences(first.table, first.reference)
    sure = pictures.by_sex(
        first.probabilities["engine"], task.held_out.labels, 0.5, "probability of male", "the engine on held-out voices"
    )
    for name, fig in (("curves", curves), ("differences", gap), ("probabilities", sure)):
        run.write(f"{prefix}{name}.png", pictures.png(fig))
    unknown = any(s is None for s in task.held_out.speakers)
    apart = "some speakers unknown, so perhaps on both sides" if unknown else "no speaker on both sides"
    return [
        page.paragraph(comparison_sentence(comparisons), "lead"),
        *synthetic_note(synthetic),
        page.paragraph(
            f"X is {READING_WORDS[task.reading]}, {'standardised' if task.scaler else 'raw'}; {len(task.train)} clips to "
            f"train on and {len(task.held_out)} held out, {apart}. Both networks start from the same "
            "weights and take the same batches in the same order. Each runs in a separate process, an epoch in turn."
        ),
        page.table(summary(task, comparisons)),
        pictures.inline(curves, "Lines: the engine. Rings: the reference. Look for a ring that is off its line."),
        page.row(
            pictures.inline(gap, "The distance of the two: rounding at first, which training can amplify."),
            pictures.inline(sure, "How sure the engine is. A good classifier is sure: men near 1, women near 0."),
        ),
        page.folded(
            "Every epoch" + (f" (seed {first.seed})" if len(comparisons) > 1 else ""),
            page.table(
                readable(first.table),
                {readable_name(c): "{:.1e}" if "difference" in c else "{:.4f}" for c in first.table},
            ),
        ),
    ]


def comparison_sentence(comparisons: list[Comparison]) -> str:
    """The comparison in a sentence."""
    agree = np.mean([c.agreement["held_out"] for c in comparisons])
    ours, theirs = (np.mean([c.scores[s]["balanced_accuracy"] for c in comparisons]) for s in ("engine", "reference"))
    seeds = f", mean of {len(comparisons)} seeds" if len(comparisons) > 1 else ""
    epochs = page.counted(len(comparisons[0].rows), "epoch")
    return (
        f"After {epochs} the two give the same answer for {agree:.1%} of the held-out clips; "
        f"their balanced accuracy is {ours:.3f} (engine) and {theirs:.3f} ({comparisons[0].reference}){seeds}."
    )


def summary(task: VoiceTask, comparisons: list[Comparison]) -> pd.DataFrame:
    """The table of the comparison: a column a side, a row a figure; with several seeds, means and ranges."""
    columns = {}
    for side in ("engine", "reference"):
        name = "engine" if side == "engine" else comparisons[0].reference
        columns[name] = {
            "accuracy on the training voices": _spread([c.final[side]["train"] for c in comparisons]),
            "accuracy on held-out speakers": _spread([c.final[side]["held_out"] for c in comparisons]),
            "balanced accuracy on held-out speakers": _spread(
                [c.scores[side]["balanced_accuracy"] for c in comparisons]
            ),
            "... its 95 % interval" + (f" (seed {comparisons[0].seed})" if len(comparisons) > 1 else ""): (
                "{:.3f} to {:.3f}".format(*comparisons[0].scores[side]["interval_95"])
            ),
            "training loss, last epoch": _spread([c.rows[-1][f"{side}_loss"] for c in comparisons], "{:.4f}"),
            "seconds an epoch, median after the first": _spread([c.seconds_per_epoch()[side] for c in comparisons]),
            "seconds of the first epoch, with compiling": _spread(
                [c.rows[0][f"{side}_seconds"] for c in comparisons], "{:.1f}"
            ),
            "peak memory of the process, MiB": _spread([c.peak_mib[side] for c in comparisons], "{:.0f}"),
        }
    frame = pd.DataFrame(columns)
    frame["pitch threshold alone"] = ""
    threshold, answers = task.pitch_baseline(task.held_out)
    baseline = f"{balanced_accuracy(task.held_out.labels, answers):.3f} (at {threshold:.0f} Hz)"
    frame.loc["balanced accuracy on held-out speakers", "pitch threshold alone"] = baseline
    return frame


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The table of epochs under names for people: "engine_val_loss" becomes "engine held-out loss"."""
    return table.rename(columns=readable_name)


def readable_name(column: str) -> str:
    for old, new in {"reference_": "Keras ", "engine_": "engine ", "val_": "held-out ", "_": " "}.items():
        column = column.replace(old, new)
    return column


def closeness(comparisons: list[Comparison]) -> dict[str, Any]:
    """The worst of all seeds at the end: the largest accuracy gap in points, and the smallest agreement."""
    worst = {}
    for part in ("train", "held_out"):
        gaps = [abs(c.final["engine"][part] - c.final["reference"][part]) for c in comparisons]
        agreements = [c.agreement[part] for c in comparisons]
        worst[part] = {"largest_accuracy_gap_points": 100 * max(gaps), "smallest_agreement": min(agreements)}
    return worst


def _spread(values: list[float | None], form: str = "{:.3f}") -> str:
    known = [v for v in values if v is not None]
    if not known:
        return "not measured on this system"
    if len(known) == 1:
        return form.format(known[0])
    return f"{form.format(np.mean(known))} ({form.format(min(known))} to {form.format(max(known))})"
