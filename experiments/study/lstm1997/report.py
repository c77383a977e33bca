"""The study's table beside the paper's, its learning curves, and the differences between the two, as a page."""

from collections.abc import Sequence
from dataclasses import asdict
from textwrap import fill
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from experiments.reports import page, pictures
from experiments.reports.run import Run
from experiments.study import solving
from experiments.study.finish import drawn, finish, panels
from experiments.study.lstm1997.experiments import PATIENCE, Setup
from experiments.study.seeds import Result

NUMBERS = "lstm1997.json"
NAMES = {"modern": "the modern LSTM", "1997": "the cell of 1997"}
TITLE = 40  # letters per line of a panel's title
TABLE_TITLE = (
    "Sequences until the paper's criterion is met, and wrong answers to 2,560 fresh ones, of those seeds that met it, beside "
    "the paper's"
)
ABOUT = {
    "modern": (
        "The modern LSTM has forget gates, the whole gradient, and Adam on small batches. One of its trainings has failed "
        "after as many sequences as the paper's (40,000 in 1; 200,000 in 2a and 2b)."
    ),
    "1997": (
        "The cell of 1997 is the paper's, with its truncated gradient and plain gradient descent. The paper's figures are "
        f"means, so one of its trainings has failed only after {PATIENCE} times as many sequences."
    ),
}
CHRONO = (
    "Its forget gates start open and its input gates closed, by the lag of the task (chrono initialisation). This is "
    "knowledge about the task, so fewer sequences say nothing about the cell of 1997."
)
BIAS = "All its forget gates start with the bias {}, whatever the task."
READING = (
    "Sequences and wrong answers are the mean (lowest to highest) of the seeds that solved the task; the other seeds "
    "have neither. The interval beside a count of seeds is Wilson's, 95 %. The paper's figures are means of 10 to 30 "
    "trials. Its criteria, which are used here, and what differs from the paper: docs/memory/lstm1997.md."
)
QUICK = (
    "The last command was a quick run, with two seeds and only the short rows; earlier results of the folder are shown "
    "too. Without --quick there are ten seeds, and experiment 4 also has the longer sequences."
)
CURVES = (
    "Mean absolute error at the end of a sequence, by 500 sequences, a line for each seed, until the criterion is met "
    "(dot) or the training ends without (cross). A dotted line: the sequences that the paper's network needed. Look for "
    "the plateau of a network that cannot remember yet, and how suddenly it ends."
)


class Row(NamedTuple):
    """A row of the table, and its trainings, one per seed."""

    setup: Setup
    cell: str
    results: list[Result]


def write(run: Run, rows: Sequence[Row], quick: bool, commands: Sequence[str]) -> dict[str, Any]:
    """Writes trainings.csv, lstm1997.json, lstm1997.png and report.html; returns what the JSON holds."""
    numbers: dict[str, Any] = {"commands": list(commands), "rows": [summary(row) for row in rows]}
    numbers["words"] = verdict(numbers)
    parts = [
        page.heading(TABLE_TITLE),
        page.table(frame(numbers).set_index("experiment")),
        drawn(run, "lstm1997.png", picture(rows), CURVES),
        page.paragraph(READING),
        *(
            page.paragraph(f"{ABOUT[cell]} {start_words(rows, cell)}".strip())
            for cell in dict.fromkeys(row.cell for row in rows)
        ),
    ]
    groups = (({"experiment": s.experiment, "task": _title(s), "cell": cell}, results) for s, cell, results in rows)
    tables = {"trainings.csv": solving.trainings_table(groups, "seed sequences wrong trained weights seconds")}
    title = "Long Short-Term Memory (1997), reproduced"
    return finish(run, NUMBERS, title, numbers, parts, commands, QUICK if quick else "", tables)


# -- numbers -----------------------------------------------------------------------------------------------------------


def summary(row: Row) -> dict[str, Any]:
    """A row of the table as JSON values. solved: seeds that met the goal; within: in no more sequences than the paper."""
    setup, cell, results = row
    needed = [result["sequences"] for result in results if result["sequences"] is not None]
    return solving.summary_of_seeds(results) | {
        "experiment": setup.experiment,
        "key": setup.key,
        "cell": cell,
        "task": _title(setup),
        "network": setup.settings(cell).words,
        "within": sum(n <= setup.paper.sequences for n in needed),
        "limit": setup.limit_of(cell),
        "paper": asdict(setup.paper),
    }


def _title(setup: Setup) -> str:
    """The task's name, and what tells two goals for one task apart."""
    goal = setup.key.rsplit("-", 1)[-1]
    if setup.experiment == "5":
        return f"{setup.task.name}, fewer than {goal} of 2,000 wrong"
    return f"{setup.task.name}, {goal}" if goal in ("ST1", "ST2") else setup.task.name


def frame(numbers: dict[str, Any]) -> pd.DataFrame:
    """The table on the page: first our columns, then the paper's."""
    return pd.DataFrame(
        [
            {
                "experiment": f"{row['experiment']}: {row['task']}",
                "cell": row["cell"],
                "network": row["network"],
                "weights": f"{row['weights']:,}",
                **solving.solved_columns(row),
                "s per seed": f"{row['seconds']:.1f}",
                "paper": row["paper"]["network"],
                "its weights": _number(row["paper"]["weights"]),
                "its trials solved": "-"
                if row["paper"]["success"] is None
                else solving.percent(row["paper"]["success"]),
                "its sequences": _papers(row["paper"]),
                "its wrong": _number(row["paper"]["wrong"]),
            }
            for row in numbers["rows"]
        ]
    )


def narrow(numbers: dict[str, Any]) -> pd.DataFrame:
    """The same for a terminal, without the networks; the means are of the seeds that solved the task."""
    rows = [
        {
            "": row["key"].replace("-", " "),  # where a line may be broken
            "cell": row["cell"],
            "solved": solving.share_words(row),
            "sequences": solving.spread_words(row["sequences_of_solved"]),
            "paper": _papers(row["paper"]),
            "wrong": "-" if row["wrong_of_solved"] is None else f"{row['wrong_of_solved']['mean']:.1f}",
            "paper's": _number(row["paper"]["wrong"]),
            "s per seed": f"{row['seconds']:.1f}",
        }
        for row in numbers["rows"]
    ]
    return pd.DataFrame(rows).set_index("")


def _papers(paper: dict[str, Any]) -> str:
    """How many sequences the paper's networks needed."""
    return _number(paper["sequences"]) + (f" to {paper['most']:,}" if paper["most"] else "")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,}"


# -- words -------------------------------------------------------------------------------------------------------------


def verdict(numbers: dict[str, Any]) -> str:
    """The answer in sentences: where the criterion was met, where in no more sequences than the paper's, where not."""
    cells = dict.fromkeys(row["cell"] for row in numbers["rows"])
    return " ".join(_verdict(cell, [row for row in numbers["rows"] if row["cell"] == cell]) for cell in cells)


def _verdict(cell: str, rows: list[dict[str, Any]]) -> str:
    every = [row for row in rows if row["solved"] == row["seeds"]]
    groups = {
        "with every seed, in no more sequences than the paper needed": [r for r in every if r["within"] == r["seeds"]],
        "with every seed, but some need more sequences than the paper's network": [
            r for r in every if r["within"] < r["seeds"]
        ],
        "with some seeds only": [r for r in rows if 0 < r["solved"] < r["seeds"]],
        "with no seed within its limit": [r for r in rows if r["solved"] == 0],
    }
    parts = []
    for words, group in groups.items():
        tasks = [f"{row['experiment']} ({row['task']}, {solving.share_words(row)})" for row in group]
        parts += [f"{words}: {'; '.join(tasks)}"] if tasks else []
    name = NAMES[cell]
    return f"{name[0].upper()}{name[1:]} meets the paper's criterion {'. And '.join(parts)}."


def start_words(rows: Sequence[Row], cell: str) -> str:
    """How the forget gates start, where there are any."""
    if cell == "1997":
        return ""
    bias = rows[0].setup.modern.forget_bias
    return CHRONO if bias is None else BIAS.format(f"{bias:g}")


# -- picture -----------------------------------------------------------------------------------------------------------


def picture(rows: Sequence[Row]) -> Figure:
    """A panel for each row of the table, up to four beside each other."""
    across = min(len(rows), 4)
    down = -(-len(rows) // across)
    fig, axes = panels(down, across, (3.6 * across, 2.7 * down))
    axes = axes.ravel()
    for ax, (setup, cell, results) in zip(axes, rows, strict=False):
        for result in results:
            n, error = np.array(result["curve"]).T
            solved = result["sequences"] is not None
            ax.plot(n, error, color=pictures.BLUE, lw=0.9, alpha=0.7)
            ax.plot(n[-1], error[-1], color=pictures.ORANGE, marker="o" if solved else "x", ms=4, clip_on=False)
        ax.axvline(setup.paper.sequences, color=pictures.GREY, ls=":", lw=1.4)
        title = f"{setup.experiment}: {_title(setup)}" + (", cell of 1997" if cell == "1997" else "")
        ax.set(xscale="log", title=fill(title, TITLE), xlabel="sequences", ylim=(0, None))
        ax.xaxis.set_minor_formatter(NullFormatter())  # powers of ten are enough
        ax.title.set_fontsize(9)
    for ax in axes[len(rows) :]:
        ax.set_visible(False)
    axes[0].set_ylabel("mean absolute error")
    return fig
