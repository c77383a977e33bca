"""The study's tables, its picture, and the words that follow from the numbers, as a page."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.reports import page, pictures
from experiments.reports.run import Run, footer
from experiments.reports.scores import class_mean_interval
from experiments.study.gap.cells import CELLS
from experiments.study.gap.choosing import Choice
from experiments.study.gap.settings import Settings
from features.digits import Digits

CHANCE = 0.1
FLOAT32 = float(np.log10(np.finfo(np.float32).tiny))  # below it a gradient loses its digits, and soon is 0
STYLES = {  # a colour a family; the more the start is made for long gaps, the more solid
    "rnn": (pictures.GREY, "-", "s"),
    "gru": (pictures.ORANGE, "--", "o"),
    "gru-chrono": (pictures.ORANGE, "-", "D"),
    "lstm0": (pictures.BLUE, ":", "v"),
    "lstm1": (pictures.BLUE, "-.", "^"),
    "chrono-fixed": (pictures.BLUE, "--", "o"),
    "chrono": (pictures.BLUE, "-", "D"),
}
TABLE_TITLE = "Right answers of unheard test speakers, by what stands between the word and the question"
QUICK = "A quick run: two gaps, one seed, and unless named two cells. Without --quick there are all of them."
TOLD = (
    "The two cells that are told the gap start with gates that keep for up to as long as the longest sequence takes (chrono "
    "initialisation, Tallec & Ollivier 2018): b = log u, u drawn evenly up to there. No other cell is told anything of the "
    "task; the LSTM with chrono for {fixed} draws up to {fixed} whatever the gap."
)
FAIR = (
    "Otherwise all are alike: {units} units, {sequences:,} sequences in batches of {batch_size}, Adam, a rate that halves "
    "every {halved_every:,} sequences, gradients of a joint norm of {clip:g} at most; each gap is trained anew. The first "
    "rate is chosen for every cell in every condition, of {rates} (for the SimpleRNN also {further}), by the best mean "
    "accuracy of the choice seeds on a third of the training speakers that was not learnt from. Where none of these rates "
    "comes to {guesses:.2f} there, the cell has learnt nothing, in so many sequences: it is marked, and not tried at longer "
    "gaps. Where a choice is at the end of the grid, no rate beyond was tried. The test speakers are asked once, by the "
    "final trainings."
)
SILENCE = (
    "Silence is the quietest {quietest:.0%} of the training speakers' own frames, mostly closures inside of words, and thus "
    "mostly of a few digits; {drawn}. So the silence goes with no digit more than with another, and tells nothing of "
    "it; but it is not empty: a cell has to keep the word against it."
)
DRAWN = {
    "drawn": "each silent frame of each sequence is drawn from all of them at random, whatever the word",
    "constant": "every silent frame is their mean",
}
PICTURE = (
    "Left: right answers of the test speakers against the length of the silence; a point a seed, a line through the means, "
    "with 95 % intervals over speakers. A cross: none of the rates tried taught it, and longer gaps were not tried. Dotted: "
    "chance. Middle: how much of the loss's gradient at the decision arrives at the word's last frame before the first step "
    "of a training (of c in an LSTM, of h in the others; the mean power of ten); below the dotted line float32 has no full "
    "number for it, and what is below 1e-60 is not drawn. It need not stay so: gates move while training. Right: the word "
    "turned round, or cut, and no silence."
)
SPREAD = (
    "A mean (lowest to highest) of the seeds; where some seeds learn it and others guess, how many do, for then the mean is "
    "of two kinds. Marked *: none of the rates tried taught it on training speakers not learnt from. A dash: not tried, "
    "since the cell had learnt nothing at a shorter gap."
)
OVER_SPEAKERS = (
    "Of the mean of the seeds that are shown: other speakers are drawn, not other seeds, so how much a seed matters is in "
    "the range above and not in here."
)


class Row(NamedTuple):
    """A cell in a condition: how its rate was chosen, and its final trainings, a seed each."""

    choice: Choice
    found: list[dict[str, Any]]


def write(
    run: Run, settings: Settings, rows: Sequence[Row], arrived: Sequence[dict[str, Any]], asked: Digits,
    quick: bool, command: str,
) -> dict[str, Any]:  # fmt: skip
    """Writes trainings.csv, gap.json, gap.png and report.html; returns what the JSON holds."""
    result: dict[str, Any] = {
        "command": command,
        "rows": [summary(row, asked, settings.guesses) for row in rows],
        "gradient": gradients(arrived),
        "seconds": seconds(rows, arrived),
    }
    result["words"] = verdict(result)
    fig = picture(result)
    run.write("trainings.csv", trainings(rows).to_csv(index=False))
    run.write("gap.png", pictures.png(fig))
    run.write_json("gap.json", result)
    parts = [
        page.paragraph(result["words"], "lead"),
        *([page.paragraph(QUICK, "note")] if quick else []),
        pictures.inline(fig, PICTURE),
        page.heading(TABLE_TITLE),
        page.table(accuracies(result)),
        page.paragraph(SPREAD),
        page.heading("How sure that is: 95 % intervals over test speakers"),
        page.table(intervals(result)),
        page.paragraph(OVER_SPEAKERS),
        page.heading("What was the same for all, and what was not"),
        page.paragraph(TOLD.format(**vars(settings))),
        page.paragraph(
            FAIR.format(**vars(settings) | {"rates": _list(settings.rates), "further": _list(settings.further_rates)})
        ),
        page.paragraph(SILENCE.format(**vars(settings) | {"drawn": DRAWN[settings.silence]})),
        page.heading("The rates that were chosen, and the accuracy on held-out training speakers"),
        page.table(rates(result)),
        page.heading("How much of the gradient arrives before training, as a power of ten"),
        page.table(arrivals(result)),
        page.paragraph(f"All trainings took {result['seconds'] / 60:.1f} minutes of one core."),
    ]
    run.write("report.html", page.page("A digit, silence, and then the question", parts, footer(command)))
    return result


# -- numbers -----------------------------------------------------------------------------------------------------------


def summary(row: Row, asked: Digits, guesses: float) -> dict[str, Any]:
    """A cell in a condition as JSON values. The interval is of the seeds' mean, over test speakers.

    learnt: whether the rate teaches it, by held-out training speakers; seeds_learnt: how many of the seeds more than guess.
    """
    choice, found = row
    right = np.array([[float(answer) for answer in one["right"]] for one in found])  # (seeds, N)
    return {
        "cell": choice.cell,
        "name": CELLS[choice.cell].name,
        "told": CELLS[choice.cell].told,
        "condition": choice.condition.words,
        "gap": choice.condition.gap,
        "rate": choice.rate,
        "tried": {f"{rate:g}": accuracies for rate, accuracies in choice.tried.items()},
        "held_out": choice.held_out,
        "learnt": choice.learnt,
        "accuracy": float(right.mean()),
        "by_seed": right.mean(axis=1).tolist(),
        "seeds_learnt": int((right.mean(axis=1) >= guesses).sum()),
        "interval_95": list(class_mean_interval(right.mean(axis=0), asked.sexes, asked.speakers)),
        "weights": found[0]["weights"],
    }


def gradients(arrived: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """By cell and gap, the mean over the seeds of the power of ten that arrives."""
    table = pd.DataFrame(arrived).groupby(["cell", "gap"], sort=False)["log10"].mean()
    return [{"cell": cell, "gap": int(gap), "log10": float(mean)} for (cell, gap), mean in table.items()]


def seconds(rows: Sequence[Row], arrived: Sequence[dict[str, Any]]) -> float:
    """Of one core: the search, the trainings that are reported, and the gradients."""
    parts = [*arrived, *(one for row in rows for one in row.found)]
    return float(sum(part["seconds"] for part in parts) + sum(row.choice.seconds for row in rows))


def trainings(rows: Sequence[Row]) -> pd.DataFrame:
    """A row for each training that is reported."""
    columns = ("seed", "rate", "accuracy", "weights", "seconds")
    return pd.DataFrame(
        [
            {"cell": choice.cell, "condition": choice.condition.key, "rate_learns": choice.learnt}
            | {column: one[column] for column in columns}
            for choice, found in rows
            for one in found
        ]
    )


# -- tables ------------------------------------------------------------------------------------------------------------


def _table(result: dict[str, Any], say: Callable[[dict[str, Any]], str]) -> pd.DataFrame:
    """A row a cell, a column a condition; a dash where the cell was not tried."""
    rows = result["rows"]
    table = pd.DataFrame(
        "-",
        index=pd.Index(dict.fromkeys(row["name"] for row in rows), name="cell"),
        columns=list(dict.fromkeys(row["condition"] for row in rows)),
    )
    for row in rows:
        table.loc[row["name"], row["condition"]] = say(row)
    return table


def accuracies(result: dict[str, Any]) -> pd.DataFrame:
    def say(row: dict[str, Any]) -> str:
        low, high = min(row["by_seed"]), max(row["by_seed"])
        spread = f" ({low:.3f} to {high:.3f}{_apart(row)})" if len(row["by_seed"]) > 1 else ""
        return f"{row['accuracy']:.3f}{spread}{'' if row['learnt'] else ' *'}"

    return _table(result, say)


def _apart(row: dict[str, Any]) -> str:
    """ ", 2 of 3 learnt it" where some seeds did and others did not."""
    learnt, seeds = row["seeds_learnt"], len(row["by_seed"])
    return f", {learnt} of {seeds} learnt it" if 0 < learnt < seeds else ""


def narrow(result: dict[str, Any]) -> pd.DataFrame:
    """The means alone, for a terminal: a column a cell."""
    return _table(result, lambda row: f"{row['accuracy']:.3f}{'' if row['learnt'] else ' *'}").T


def intervals(result: dict[str, Any]) -> pd.DataFrame:
    return _table(result, lambda row: "{:.3f} to {:.3f}".format(*row["interval_95"]))


def rates(result: dict[str, Any]) -> pd.DataFrame:
    """The rate that was chosen, and what it came to on held-out training speakers."""

    def say(row: dict[str, Any]) -> str:
        if not row["learnt"]:
            return f"none ({row['held_out']:.3f} at best)"
        return f"{row['rate']:g} ({row['held_out']:.3f})"

    return _table(result, say)


def arrivals(result: dict[str, Any]) -> pd.DataFrame:
    table = pd.DataFrame(result["gradient"])
    table["cell"] = [CELLS[cell].name for cell in table["cell"]]
    table = table.pivot(index="cell", columns="gap", values="log10").loc[table["cell"].unique()]
    return table.map("{:.1f}".format).rename(columns="{} frames".format)


def _list(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)


# -- words -------------------------------------------------------------------------------------------------------------


def verdict(result: dict[str, Any]) -> str:
    """A sentence a cell: what it gets right at the shortest gap and at the longest that it was tried at."""
    by_cell: dict[str, list[dict[str, Any]]] = {}
    for row in result["rows"]:
        if row["condition"] == "as spoken" or row["gap"]:
            by_cell.setdefault(row["name"], []).append(row)
    return " ".join(_verdict(name, own[0], own[-1]) for name, own in by_cell.items())


def _verdict(name: str, first: dict[str, Any], last: dict[str, Any]) -> str:
    words, far = f"{name}: {first['accuracy']:.0%} right as spoken", last["gap"]
    if last is first:
        return f"{words}."
    if last["learnt"]:
        return f"{words}, {last['accuracy']:.0%} after {far:,} silent frames{_apart(last)}."
    return f"{words}, and after {far:,} silent frames none of the rates tried teaches it anything."


# -- picture -----------------------------------------------------------------------------------------------------------


def picture(result: dict[str, Any]) -> Figure:
    """Accuracy by gap, the gradient that arrives, and the words that were turned round or cut."""
    fig, (by_gap, arriving, altered) = pictures.figure(3, height=4.6)
    rows, cells = result["rows"], list(dict.fromkeys(row["cell"] for row in result["rows"]))
    without = list(dict.fromkeys(row["condition"] for row in rows if not row["gap"]))
    for n, cell in enumerate(cells):
        own = [row for row in rows if row["cell"] == cell]
        _accuracy(by_gap, cell, {row["gap"]: row for row in own if row["gap"] or row["condition"] == without[0]})
        aside = 0.1 * (n - (len(cells) - 1) / 2)  # cells stand beside each other
        still = {without.index(row["condition"]) + aside: row for row in own if not row["gap"]}
        _accuracy(altered, cell, still, joined=False)
        colour, line, marker = STYLES[cell]
        points = [(one["gap"], one["log10"]) for one in result["gradient"] if one["cell"] == cell]
        arriving.plot(*zip(*points, strict=True), color=colour, ls=line, marker=marker, ms=4, label=CELLS[cell].name)
    gaps = sorted({one["gap"] for one in result["gradient"]})
    for ax in (by_gap, arriving):
        ax.set_xscale("symlog", linthresh=10, linscale=0.6)
        ax.set_xticks(gaps, [f"{gap:,}" for gap in gaps])
        ax.minorticks_off()
        ax.set_xlabel("frames of silence before the question")
    arriving.axhline(FLOAT32, color=pictures.GREY, ls=":", lw=1)
    arriving.set(title="gradient that arrives at the word, $\\log_{10}$", ylim=(-60, 3))
    arriving.legend(fontsize=7.5, loc="lower left", handlelength=3.5)
    for ax in (by_gap, altered):
        ax.axhline(CHANCE, color=pictures.GREY, ls=":", lw=1)
        ax.set_ylim(0, 1)
    by_gap.set_title("right answers of unheard speakers")
    altered.set_title("the word turned round, or cut; no silence")
    altered.set_xticks(range(len(without)), [name.replace("the first", "first") for name in without], fontsize=8)
    altered.grid(visible=False, axis="x")
    return fig


def _accuracy(ax: Axes, cell: str, rows: dict[float, dict[str, Any]], joined: bool = True) -> None:
    """Means with their intervals, by where they stand; a point a seed, or a cross where no rate learnt it."""
    colour, line, marker = STYLES[cell]
    at, means = list(rows), np.array([row["accuracy"] for row in rows.values()])
    ends = np.array([row["interval_95"] for row in rows.values()]).T  # (2, conditions)
    line = line if joined else ""
    ax.errorbar(at, means, np.abs(ends - means), color=colour, ls=line, lw=1.4, elinewidth=0.8, capsize=2)
    for x, row in rows.items():
        seeds, sign = row["by_seed"], (marker, 3.5) if row["learnt"] else ("x", 5)
        ax.plot([x] * len(seeds), seeds, color=colour, ls="", marker=sign[0], ms=sign[1], alpha=0.7)
