"""The report of a study of epochs: its numbers, words that follow from them, a picture and a page.

All accuracies are balanced, by clip; a mean and a range are those of the seeds.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.reports import page, pictures
from experiments.reports.run import Run
from experiments.study.epochs.subjects import Subject
from experiments.study.finish import drawn, finish
from experiments.study.solving import spread, spread_words
from experiments.tutorial.training import synthetic_note

TUTORIAL_EPOCHS = 20
MARKS = (TUTORIAL_EPOCHS, 50, 100, 200)
CLOSE = 0.01  # of the highest mean: smaller differences are within the chance of the seeds
TABLE_TITLE = "Balanced accuracy by number of epochs: mean and range of the seeds"
PARTS = {"train": "training clips", "held_out": "held-out speakers"}
CURVES = (
    "Lines are means over the seeds, bands reach from the lowest seed to the highest: look for where orange stops rising "
    "while blue continues."
)
NOTE = (
    "The band shows how much the seed matters; with other held-out speakers a curve would move as a whole. Every point "
    "is where a training of so many epochs ends, because the learning rate is constant. The epoch at which a held-out "
    "curve is highest would be chosen on those speakers, and its accuracy is better than new speakers will give: choose "
    "the epochs on folds of the training speakers, and evaluate on other speakers, once."
)


def write(run: Run, table: pd.DataFrame, subjects: Sequence[Subject], command: str) -> dict[str, Any]:
    """Writes epochs.png, epochs.json and report.html beside epochs.csv; returns what epochs.json holds."""
    numbers: dict[str, Any] = {
        "epochs": int(table["epoch"].max()),
        "seeds": int(table["seed"].nunique()),
        "subjects": {
            s.name: {"title": s.title, "held_out": s.held_out, "threshold": list(s.threshold)}
            | summary(table[table["what"] == s.name])
            for s in subjects
        },
    }
    numbers["words"] = verdict(numbers)
    parts = [
        *synthetic_note(any(subject.synthetic for subject in subjects)),
        drawn(run, "epochs.png", picture(subjects, table), CURVES),
        page.paragraph(NOTE),
        page.heading(TABLE_TITLE),
        page.table(frame(numbers)),
    ]
    for subject in numbers["subjects"].values():
        parts += [page.heading(subject["title"]), page.paragraph(words(subject))]
    return finish(run, "epochs.json", "More epochs", numbers, parts, [command])


# -- numbers -----------------------------------------------------------------------------------------------------------


def summary(table: pd.DataFrame) -> dict[str, Any]:
    """One subject's curves in a few numbers, as JSON values.

    at: {epoch: {part: mean, low, high}}. highest: the epoch of the highest held-out mean and that mean. reached: the first
    epoch whose held-out mean is within CLOSE of it. changes: by seed, held-out from epoch `start` to the last. loss: the
    held-out mean after `start`, after the last, and the changes by seed.
    """
    curves = {part: _curves(table, part, "balanced_accuracy") for part in PARTS}  # (epochs, seeds)
    last = int(table["epoch"].max())
    start = TUTORIAL_EPOCHS if last > TUTORIAL_EPOCHS else 1
    held_out, loss = curves["held_out"], _curves(table, "held_out", "loss")
    means, highest = held_out.mean(axis=1), int(held_out.mean(axis=1).idxmax())
    reached = int(means.index[means >= means.max() - CLOSE][0])
    return {
        "at": {
            e: {part: spread(curve.loc[e].tolist()) for part, curve in curves.items()}
            for e in sorted({start, *(m for m in MARKS if m < last), reached, last})
        },
        "start": start,
        "last": last,
        "highest": {"epoch": highest, "mean": float(means.max())},
        "reached": reached,
        "changes": _changes(held_out, start, last),
        "loss": {
            "first": float(loss.loc[start].mean()),
            "last": float(loss.loc[last].mean()),
            "changes": _changes(loss, start, last),
        },
    }


def _curves(table: pd.DataFrame, part: str, figure: str) -> pd.DataFrame:
    """(epochs, seeds)."""
    return table[table["part"] == part].pivot(index="epoch", columns="seed", values=figure)


def _changes(curve: pd.DataFrame, start: int, last: int) -> list[float]:
    """By seed; a difference of rounding is 0."""
    changes: list[float] = np.round(curve.loc[last] - curve.loc[start], 9).tolist()
    return changes


def frame(numbers: dict[str, Any]) -> pd.DataFrame:
    """The table: a row for each subject and mark, a column for each part."""
    last = numbers["epochs"]
    rows = {}
    for subject in numbers["subjects"].values():
        for mark in [*(m for m in MARKS if m < last), last]:
            at = subject["at"][mark]
            rows[f"{subject['title']}: {mark}"] = {PARTS[part]: _cell(at[part]) for part in PARTS}
    return pd.DataFrame.from_dict(rows, orient="index")


def _cell(seeds: dict[str, float]) -> str:
    if seeds["low"] == seeds["high"]:
        return f"{seeds['mean']:.3f}"
    return spread_words(seeds, "{:.3f}", "{:.3f}")


# -- words -------------------------------------------------------------------------------------------------------------


def verdict(numbers: dict[str, Any]) -> str:
    """The study's result in a sentence."""
    subjects = list(numbers["subjects"].values())
    start, last = subjects[0]["start"], subjects[0]["last"]
    ways = []
    for subject in subjects:
        before, after = (subject["at"][epoch]["held_out"]["mean"] for epoch in (start, last))
        ways.append(f"with {subject['title']} from {before:.3f} to {after:.3f}: {moved(subject['changes'])}")
    return f"From epoch {start} to {last} the balanced accuracy on held-out speakers goes, {'; '.join(ways)}."


def moved(changes: Sequence[float]) -> str:
    """How the seeds changed: "higher in every seed, +0.021 on average (+0.010 to +0.032)"."""
    n = len(changes)
    higher, lower = sum(c > 0 for c in changes), sum(c < 0 for c in changes)
    if n == 1:
        return f"{_signed(changes[0])} with the one seed"
    across = f"{_signed(float(np.mean(changes)))} on average ({_signed(min(changes))} to {_signed(max(changes))})"
    for count, way in ((higher, "higher"), (lower, "lower")):
        if count == n:
            return f"{way} in every seed, {across}"
    return f"higher in {higher} of {n} seeds and lower in {lower}, {across}"


def words(subject: dict[str, Any]) -> str:
    """One subject's curves in sentences."""
    start, last, reached, highest = subject["start"], subject["last"], subject["reached"], subject["highest"]
    at = subject["at"]
    first, end = at[start], at[last]
    name, threshold = subject["threshold"]
    text = [
        f"Held out: {subject['held_out']}. Their balanced accuracy is {_cell(first['held_out'])} after epoch {start} and "
        f"{_cell(end['held_out'])} after epoch {last}: {moved(subject['changes'])}. On the training clips it goes from "
        f"{first['train']['mean']:.3f} to {end['train']['mean']:.3f}."
    ]
    if highest["epoch"] == last:
        text.append(
            f"The held-out mean is highest at the very end ({highest['mean']:.3f}), so more epochs may add to it."
        )
    else:
        text.append(f"The held-out mean is highest after epoch {highest['epoch']} ({highest['mean']:.3f}).")
    if reached < highest["epoch"]:
        text.append(f"It first comes within {CLOSE:.3f} of that after epoch {reached}.")
    if reached < last:
        further = end["train"]["mean"] - at[reached]["train"]["mean"]
        text.append(f"From epoch {reached} to the end the training clips' accuracy changes by {_signed(further)}.")
    loss = subject["loss"]
    worse = "; the probabilities have become worse" if min(loss["changes"]) > 0 else ""
    text += [
        f"The held-out log loss goes from {loss['first']:.3f} to {loss['last']:.3f}: {moved(loss['changes'])}{worse}.",
        f"{name[0].upper()}{name[1:]}: {threshold:.3f}.",
    ]
    return " ".join(text)


def _signed(value: float) -> str:
    """+0.021, -0.003; what rounds to nothing is +0.000."""
    return f"{round(value, 3) + 0.0:+.3f}"


# -- picture -----------------------------------------------------------------------------------------------------------


def picture(subjects: Sequence[Subject], table: pd.DataFrame) -> Figure:
    """A panel for each subject, on one scale."""
    fig, axes = pictures.figure(len(subjects), 4.0)
    lowest = min(table["balanced_accuracy"].min(), *(s.threshold[1] for s in subjects), 0.6)
    for ax, subject in zip(axes, subjects, strict=True):
        rows = table[table["what"] == subject.name]
        for part, colour in (("train", pictures.BLUE), ("held_out", pictures.ORANGE)):
            curve = _curves(rows, part, "balanced_accuracy")
            ax.fill_between(curve.index, curve.min(axis=1), curve.max(axis=1), color=colour, alpha=0.2, lw=0)
            ax.plot(curve.index, curve.mean(axis=1), color=colour, lw=1.6, label=PARTS[part])
        ax.axhline(subject.threshold[1], color=pictures.GREY, ls="--", lw=1.2, label="a threshold on pitch alone")
        if table["epoch"].max() > TUTORIAL_EPOCHS:
            ax.axvline(TUTORIAL_EPOCHS, color=pictures.GREY, ls=":", lw=1.4, label="the tutorial's 20 epochs")
        ax.set(xlabel="epoch", title=subject.title, xlim=(1, table["epoch"].max()), ylim=(lowest - 0.02, 1.01))
        ax.xaxis.get_major_locator().set_params(integer=True)
    axes[0].set_ylabel("balanced accuracy")
    pictures.legend_below(fig, axes[0])
    return fig
