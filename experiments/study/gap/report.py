"""The study's tables, its picture, and the words that follow from the numbers, as a page."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.reports import page, pictures
from experiments.reports.run import Run
from experiments.reports.scores import class_mean_interval
from experiments.study.finish import drawn, finish
from experiments.study.gap.settings import CELLS, Choice, Settings
from experiments.study.seeds import Result
from experiments.study.solving import trainings_table
from features.digits import Digits

CHANCE = 0.1
FLOAT32 = float(np.log10(np.finfo(np.float32).tiny))  # below it a gradient loses precision, and is soon 0
STYLES = {  # a colour for each family; the more the start is made for long gaps, the more solid the line
    "rnn": (pictures.GREY, "-", "s"),
    "gru": (pictures.ORANGE, "--", "o"),
    "gru-chrono": (pictures.ORANGE, "-", "D"),
    "lstm0": (pictures.BLUE, ":", "v"),
    "lstm1": (pictures.BLUE, "-.", "^"),
    "chrono-fixed": (pictures.BLUE, "--", "o"),
    "chrono": (pictures.BLUE, "-", "D"),
}
TABLE_TITLE = "Accuracy on test speakers, by what lies between the word and the question"
QUICK = (
    "A quick run: two gaps, one seed, and two cells unless others are named. Without --quick all of them are trained."
)
PICTURE = (
    "First panel: accuracy on the test speakers against the length of the silence; a point is a seed, a line goes through "
    "the means, with 95 % intervals over speakers; dotted: chance. Second: how much of the loss's gradient at the decision "
    "arrives at the word's last frame before training (of c in an LSTM, of h in the others; the mean power of ten); "
    "below the dotted line float32 loses precision. Third: the word reversed or cut, without silence. A cross, and * in "
    "the tables: with none of the rates did the cell learn the task; longer gaps were not tried."
)
SPREAD = (
    "The mean (lowest to highest) of the seeds; where some seeds learn the task and others guess, also how many learn "
    "it, because the mean then mixes two kinds of results."
)
OVER_SPEAKERS = (
    "The intervals are of the mean of these seeds for other speakers. How much the seed matters is shown by the range in "
    "the table above, not here."
)
SAME = (
    "All cells: {units} units, {sequences:,} sequences in batches of {batch_size}, Adam, a rate that halves every "
    "{halved_every:,} sequences, the gradients' joint norm at most {clip:g}. The initial rate is the best one, from "
    "{rates} (for the SimpleRNN also {further_rates}), on training speakers that the network did not learn from; where none "
    "reaches {guesses:.2f} there, the cell has learnt nothing. The test speakers are used once, by the final trainings. "
    "Silence is made of the quietest {quietest:.0%} of the training speakers' frames; {silent}. Only the cells that are "
    "told the gap know anything about the task: their gates start by the length of the longest sequence; chrono for "
    "{fixed} draws them up to {fixed} whatever the gap. More: docs/memory/gap.md."
)
SILENT = {
    "drawn": "each silent frame is drawn from all of them at random, whatever the word",
    "constant": "every silent frame is their mean",
}


class Row(NamedTuple):
    """A cell in a condition: how its rate was chosen, and its final trainings, one per seed."""

    choice: Choice
    results: list[Result]


def write(
    run: Run, rows: Sequence[Row], arrived: Sequence[Result], judged: Digits, settings: Settings, quick: bool, command: str
) -> dict[str, Any]:  # fmt: skip
    """Writes trainings.csv, gap.json, gap.png and report.html; returns what the JSON holds.

    arrived: results of `training.arrival`; judged: the clips of the test speakers.
    """
    results = [*arrived, *(result for row in rows for result in row.results)]
    numbers: dict[str, Any] = {
        "command": command,
        "rows": [summary(row, judged, settings.guesses) for row in rows],
        "gradient": gradients(arrived),
        "seconds": sum(result["seconds"] for result in results) + sum(row.choice.seconds for row in rows),
    }
    numbers["words"] = verdict(numbers)
    lists = {name: ", ".join(map("{:g}".format, getattr(settings, name))) for name in ("rates", "further_rates")}
    parts = [
        drawn(run, "gap.png", picture(numbers), PICTURE),
        page.heading(TABLE_TITLE),
        page.table(accuracies(numbers)),
        page.paragraph(SPREAD),
        page.heading("95 % intervals over test speakers"),
        page.table(intervals(numbers)),
        page.paragraph(OVER_SPEAKERS),
        page.heading("What is the same for all cells, and what is not"),
        page.paragraph(SAME.format(**vars(settings) | lists, silent=SILENT[settings.silence])),
        page.heading("The chosen rates, and their accuracy on held-out training speakers"),
        page.table(rates(numbers)),
        page.heading("How much of the gradient arrives before training, as a power of ten"),
        page.table(arrivals(numbers)),
        page.paragraph(f"All trainings took {numbers['seconds'] / 60:.1f} minutes of one core."),
    ]
    groups = (({"cell": c.cell, "condition": c.condition.key, "rate_learns": c.learnt}, results) for c, results in rows)
    tables = {"trainings.csv": trainings_table(groups, "seed rate accuracy weights seconds")}
    title = "A spoken digit, silence, and then the question"
    return finish(run, "gap.json", title, numbers, parts, [command], QUICK if quick else "", tables)


# -- numbers -----------------------------------------------------------------------------------------------------------


def summary(row: Row, judged: Digits, guesses: float) -> dict[str, Any]:
    """A cell in a condition as JSON values. The interval is of the seeds' mean, over test speakers.

    learnt: whether the cell learns with this rate, on held-out training speakers; seeds_learnt: how many of the seeds more
    than guess.
    """
    choice, results = row
    right = np.array([[float(answer) for answer in result["right"]] for result in results])  # (seeds, N)
    return {
        "cell": choice.cell,
        "name": CELLS[choice.cell].name,
        "told": CELLS[choice.cell].knows_gap,
        "condition": choice.condition.words,
        "gap": choice.condition.gap,
        "rate": choice.rate,
        "tried": {f"{rate:g}": accuracies for rate, accuracies in choice.tried.items()},
        "held_out": choice.held_out,
        "learnt": choice.learnt,
        "accuracy": float(right.mean()),
        "by_seed": right.mean(axis=1).tolist(),
        "seeds_learnt": int((right.mean(axis=1) >= guesses).sum()),
        "interval_95": list(class_mean_interval(right.mean(axis=0), judged.sexes, judged.speakers)),
        "weights": results[0]["weights"],
    }


def gradients(arrived: Iterable[Result]) -> list[dict[str, Any]]:
    """By cell and gap, the mean over the seeds of the power of ten that arrives."""
    table = pd.DataFrame(arrived).groupby(["cell", "gap"], sort=False)["log10"].mean()
    return [{"cell": cell, "gap": int(gap), "log10": float(mean)} for (cell, gap), mean in table.items()]


# -- tables ------------------------------------------------------------------------------------------------------------


def _table(numbers: dict[str, Any], words: Callable[[dict[str, Any]], str]) -> pd.DataFrame:
    """A row for each cell, a column for each condition; a dash where the cell was not tried."""
    rows = numbers["rows"]
    table = pd.DataFrame(
        "-",
        index=pd.Index(dict.fromkeys(row["name"] for row in rows), name="cell"),
        columns=list(dict.fromkeys(row["condition"] for row in rows)),
    )
    for row in rows:
        table.loc[row["name"], row["condition"]] = words(row)
    return table


def accuracies(numbers: dict[str, Any]) -> pd.DataFrame:
    def words(row: dict[str, Any]) -> str:
        low, high = min(row["by_seed"]), max(row["by_seed"])
        spread = f" ({low:.3f} to {high:.3f}{_apart(row)})" if len(row["by_seed"]) > 1 else ""
        return f"{row['accuracy']:.3f}{spread}{'' if row['learnt'] else ' *'}"

    return _table(numbers, words)


def _apart(row: dict[str, Any]) -> str:
    """ ", 2 of 3 learnt it" where some seeds did and others did not."""
    learnt, seeds = row["seeds_learnt"], len(row["by_seed"])
    return f", {learnt} of {seeds} learnt it" if 0 < learnt < seeds else ""


def narrow(numbers: dict[str, Any]) -> pd.DataFrame:
    """Only the means, for a terminal: a column for each cell."""
    return _table(numbers, lambda row: f"{row['accuracy']:.3f}{'' if row['learnt'] else ' *'}").T


def intervals(numbers: dict[str, Any]) -> pd.DataFrame:
    return _table(numbers, lambda row: "{:.3f} to {:.3f}".format(*row["interval_95"]))


def rates(numbers: dict[str, Any]) -> pd.DataFrame:
    """The chosen rate, and its mean accuracy on held-out training speakers."""

    def words(row: dict[str, Any]) -> str:
        if not row["learnt"]:
            return f"none ({row['held_out']:.3f} at best)"
        return f"{row['rate']:g} ({row['held_out']:.3f})"

    return _table(numbers, words)


def arrivals(numbers: dict[str, Any]) -> pd.DataFrame:
    table = pd.DataFrame(numbers["gradient"])
    table["cell"] = [CELLS[cell].name for cell in table["cell"]]
    table = table.pivot(index="cell", columns="gap", values="log10").loc[table["cell"].unique()]
    return table.map("{:.1f}".format).rename(columns="{} frames".format)


# -- words -------------------------------------------------------------------------------------------------------------


def verdict(numbers: dict[str, Any]) -> str:
    """A sentence for each cell: its accuracy at the shortest gap and at the longest that was tried."""
    by_cell: dict[str, list[dict[str, Any]]] = {}
    for row in numbers["rows"]:
        if row["condition"] == "as spoken" or row["gap"]:
            by_cell.setdefault(row["name"], []).append(row)
    return " ".join(_verdict(name, rows[0], rows[-1]) for name, rows in by_cell.items())


def _verdict(name: str, first: dict[str, Any], last: dict[str, Any]) -> str:
    words, far = f"{name}: {first['accuracy']:.0%} right as spoken", last["gap"]
    if last is first:
        return f"{words}."
    if last["learnt"]:
        return f"{words}, {last['accuracy']:.0%} after {far:,} silent frames{_apart(last)}."
    return f"{words}; after {far:,} silent frames it learns nothing with any of the rates."


# -- picture -----------------------------------------------------------------------------------------------------------


def picture(numbers: dict[str, Any]) -> Figure:
    """Accuracy by gap, the gradient that arrives, and the words that were reversed or cut."""
    fig, (by_gap, arriving, altered) = pictures.figure(3, height=4.6)
    rows, cells = numbers["rows"], list(dict.fromkeys(row["cell"] for row in numbers["rows"]))
    without = list(dict.fromkeys(row["condition"] for row in rows if not row["gap"]))
    for n, cell in enumerate(cells):
        of_cell = [row for row in rows if row["cell"] == cell]
        _accuracy(by_gap, cell, {row["gap"]: row for row in of_cell if row["gap"] or row["condition"] == without[0]})
        aside = 0.1 * (n - (len(cells) - 1) / 2)  # cells stand beside each other
        still = {without.index(row["condition"]) + aside: row for row in of_cell if not row["gap"]}
        _accuracy(altered, cell, still, joined=False)
        colour, line, marker = STYLES[cell]
        points = [(g["gap"], g["log10"]) for g in numbers["gradient"] if g["cell"] == cell]
        arriving.plot(*zip(*points, strict=True), color=colour, ls=line, marker=marker, ms=4, label=CELLS[cell].name)
    gaps = sorted({g["gap"] for g in numbers["gradient"]})
    for ax in (by_gap, arriving):
        ax.set_xscale("symlog", linthresh=10, linscale=0.6)
        ax.set_xticks(gaps, [f"{gap:,}" for gap in gaps])
        ax.minorticks_off()
        ax.set_xlabel("frames of silence before the question")
    arriving.axhline(FLOAT32, color=pictures.GREY, ls=":", lw=1)
    arriving.set(title="gradient that arrives at the word, log₁₀", ylim=(-60, 3))
    pictures.legend_below(fig, arriving)
    for ax in (by_gap, altered):
        ax.axhline(CHANCE, color=pictures.GREY, ls=":", lw=1)
        ax.set_ylim(0, 1)
    by_gap.set_title("accuracy on test speakers")
    altered.set_title("the word reversed or cut, without silence")
    altered.set_xticks(range(len(without)), [name.replace("the first", "first") for name in without], fontsize=8)
    altered.grid(visible=False, axis="x")
    return fig


def _accuracy(ax: Axes, cell: str, rows: dict[float, dict[str, Any]], joined: bool = True) -> None:
    """Means with their intervals, by place; a point for each seed, or a cross where no rate taught the task."""
    colour, line, marker = STYLES[cell]
    at, means = list(rows), np.array([row["accuracy"] for row in rows.values()])
    ends = np.array([row["interval_95"] for row in rows.values()]).T  # (2, conditions)
    line = line if joined else ""
    ax.errorbar(at, means, np.abs(ends - means), color=colour, ls=line, lw=1.4, elinewidth=0.8, capsize=2)
    for x, row in rows.items():
        seeds, sign = row["by_seed"], (marker, 3.5) if row["learnt"] else ("x", 5)
        ax.plot([x] * len(seeds), seeds, color=colour, ls="", marker=sign[0], ms=sign[1], alpha=0.7)
