"""What the study shows: success against lag, learning curves, gradients beside theory, and Keras, as one page of pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from experiments.reports import page
from experiments.reports.run import Run
from experiments.reports.scores import share_interval
from experiments.study.finish import drawn, finish
from experiments.study.memory import beside_keras, drawing
from experiments.study.memory.settings import CELLS, RATES, TASKS, TITLES, Point, Settings
from experiments.study.seeds import Result
from experiments.study.solving import TESTED, solved_columns, summary_of_seeds, trainings_table

NUMBERS = "memory.json"
TABLE_TITLE = "The longest lag up to which every seed solved the task at every lag"
SHOWN_LAG = 50  # of the learning curves and gradients, if the folder has it

SOLVED = (
    "Solved: at most {wrong} of the {count} most recent sequences wrong, each judged before the network learns from it, "
    "within {limit:,} sequences. Each cell has the best of the learning rates {rates} for the task and lag, and no more "
    "weights than an LSTM of {units} units (peepholes add three for each unit); only the chrono cell is told the lag. "
    "The goal is sometimes met by luck: {lucky} of the {solved} trainings that met it have more than 1 % wrong of "
    "{tested:,} fresh sequences. {seeds} of {seeds} seeds is compatible with a true rate as low as {share:.0f} %; the "
    "table of all points, at the end, has Wilson's 95 % interval beside each count, and means and ranges of those seeds "
    "that solved the task. The trainings took {seconds:,.0f} seconds of one core. The tasks and what is the same for all "
    "cells: docs/memory/memory.md."
)
SUCCESS = (
    "Above: the share of seeds that solved the task, against the lag; lines are moved apart a little. Below: how many "
    "sequences each seed needed; a cross at the top is a seed that did not solve it. Look for the lag at which a cell's "
    "line falls, and for the growing number of sequences before it."
)
CURVES = (
    "Mean absolute error at the end of a sequence, by 500 sequences, at lag {lag}, a line for each seed; a dot: the seed "
    "solved the task. Look for plateaus: a network that cannot remember yet gives the mean of all answers."
)
GRADIENTS = (
    "What is left of a gradient k steps before the end: {task}, lag {lag}, a line for each seed, before training above "
    "and after training below (none after a training that diverged). Solid lines are measured, the norm of the "
    "derivative of the last state by an earlier one; dashed and dotted lines are theory, which is meant for the start. "
    "What lies above the product of the gates that keep the state comes through gates and candidates. Look for straight "
    "lines: each step multiplies by the same factor."
)
REACH = (
    "Every training: whether the task was solved, against how much of a gradient came back, before training, from the "
    "end to the lag's first steps (in an LSTM through its cell state; values below 1e-20 are drawn at 1e-20). Dots below on "
    "the right: a gradient that arrives is not enough."
)
KERAS = (
    "The engine; Keras with the same initial weights, batches and Adam; and as a control the engine with the rows of "
    "each batch in reverse order, which changes only how sums are rounded. First panel: the sequences that each seed needed. "
    "Look whether Keras is further from the engine than the control is."
)
QUICK = (
    "The last command was a quick run, with few tasks, cells, lags and seeds. The page shows all that the folder holds."
)
NONE, NOT_TRAINED = "none", "-"
COLUMNS = "seed rate sequences wrong trained weights seconds"  # of trainings.csv


def write(
    run: Run, results: Mapping[Point, list[Result]], beside: Mapping[str, list[Result]], settings: Settings, quick: bool,
    commands: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
    """Writes trainings.csv, memory.json, the pictures and report.html; returns what the JSON holds.

    results: by point, one per seed; beside: by side of `beside_keras`, one per seed.
    """
    numbers: dict[str, Any] = {"commands": list(commands), "points": [summary(p, r) for p, r in results.items()]}
    numbers["core_seconds"] = sum(result["seconds"] for of_point in results.values() for result in of_point)
    numbers |= {"keras": keras_summary(beside)} if beside else {}
    numbers["words"] = verdict(numbers)
    lag = SHOWN_LAG if any(p.lag == SHOWN_LAG for p in results) else max(p.lag for p in results)
    shown = {p: r for p, r in results.items() if p.lag == lag}
    gradients = {}
    for task in dict.fromkeys(p.task for p in shown):
        figure = drawing.gradients({p.cell: r for p, r in shown.items() if p.task == task})
        caption = GRADIENTS.format(lag=lag, task=TITLES[task])
        gradients[TITLES[task]] = drawn(run, f"gradients_{task}.png", figure, caption)
    first, *others = gradients
    parts = [
        page.heading(TABLE_TITLE),
        page.table(longest(numbers)),
        drawn(run, "success.png", drawing.success(results, settings.limit), SUCCESS),
        page.paragraph(solved_words(settings, numbers)),
        drawn(run, "curves.png", drawing.curves(shown), CURVES.format(lag=lag)),
        page.heading("Why: what is left of a gradient"),
        gradients[first],
        *(page.folded(f"The same for {title}", gradients[title]) for title in others),
        drawn(run, "reach.png", drawing.reach(results), REACH),
    ]
    if beside:
        parts += [
            page.heading("The same in Keras"),
            drawn(run, "keras.png", drawing.beside(beside), KERAS),
            page.paragraph(keras_words(numbers["keras"])),
        ]
    parts.append(page.folded("All points", page.table(frame(numbers))))
    tables = {"trainings.csv": trainings_table(((asdict(p), r) for p, r in results.items()), COLUMNS)}
    title = "How far back can a recurrent network remember?"
    return finish(run, NUMBERS, title, numbers, parts, commands, QUICK if quick else "", tables)


# -- numbers -----------------------------------------------------------------------------------------------------------


def summary(point: Point, results: Sequence[Result]) -> dict[str, Any]:
    """A point of the grid as JSON values. reach: medians over the seeds of what is left of a gradient at the first step."""
    return (
        summary_of_seeds(results)
        | asdict(point)
        | {
            "rate": results[0]["rate"],
            "wrong": [result["wrong"] for result in results if result["wrong"] is not None],
            "reach": {when: _reach(results, when) for when in ("before", "after")},
        }
    )


def _reach(results: Sequence[Result], when: str) -> float | None:
    left = [drawing.reach_of(result, when) for result in results if result[when] is not None]
    return float(np.median(left)) if left else None


def longest(numbers: dict[str, Any]) -> pd.DataFrame:
    """By cell and task: the longest lag up to which every seed solved the task at every lag, as words."""
    table: dict[str, dict[str, str]] = {}
    for p in sorted(numbers["points"], key=lambda p: p["lag"], reverse=True):  # the last word is the shortest lag's
        row = table.setdefault(CELLS[p["cell"]].name, {})
        if p["solved"] < p["seeds"]:
            row[TITLES[p["task"]]] = NONE
        elif row.get(TITLES[p["task"]], NONE) == NONE:
            row[TITLES[p["task"]]] = str(p["lag"])
    names = [cell.name for cell in CELLS.values() if cell.name in table]
    tasks = [title for title in TITLES.values() if any(title in row for row in table.values())]
    return pd.DataFrame(table).T.reindex(index=names, columns=tasks).fillna(NOT_TRAINED).rename_axis("cell")


def frame(numbers: dict[str, Any]) -> pd.DataFrame:
    """A row for each point."""
    rows = [
        {
            "task": TITLES[p["task"]],
            "cell": CELLS[p["cell"]].name,
            "lag": p["lag"],
            "rate": f"{p['rate']:g}",
            "weights": f"{p['weights']:,}",
            **solved_columns(p, "{:,.0f}"),
            "gradient left, before": _power(p["reach"]["before"]),
            "after": _power(p["reach"]["after"]),
            "s per seed": f"{p['seconds']:.1f}",
        }
        for p in numbers["points"]
    ]
    return pd.DataFrame(rows).set_index("task")


def _power(value: float | None) -> str:
    return "-" if value is None else f"{value:.0e}"


def keras_summary(beside: Mapping[str, Sequence[Result]]) -> dict[str, Any]:
    """Sequences needed by side and seed, and the curves' largest distance in their first points, as JSON values."""
    needed = {side: [result["sequences"] for result in results] for side, results in beside.items()}
    errors = {side: np.array([result["curve"][0][1] for result in results]) for side, results in beside.items()}
    apart = {s: float(np.abs(errors[s] - errors["engine"]).max()) for s in beside if s != "engine"}
    return {"sequences": needed, "first_point_apart": apart}


# -- words -------------------------------------------------------------------------------------------------------------


def verdict(numbers: dict[str, Any]) -> str:
    """The answer in a sentence: by cell, over the tasks, the longest lags up to which every seed solved them."""
    by_cell = []
    for cell, row in longest(numbers).iterrows():
        lags = sorted({0 if lag == NONE else int(lag) for lag in row if lag != NOT_TRAINED})
        ends = [str(lag) if lag else NONE for lag in (lags[0], lags[-1])]
        by_cell.append(f"{cell}: {ends[0]}" if len(lags) == 1 else f"{cell}: {ends[0]} to {ends[1]}")
    which = "The longest lag up to which every seed solved a task, from a cell's hardest task to its easiest"
    return f"{which}. {'; '.join(by_cell)}."


def solved_words(settings: Settings, numbers: dict[str, Any]) -> str:
    wrong = [n for p in numbers["points"] for n in p["wrong"]]
    seeds = max(p["seeds"] for p in numbers["points"])
    return SOLVED.format(
        **vars(settings) | vars(settings.goal), rates=", ".join(f"{rate:g}" for rate in RATES),
        lucky=sum(n > 0.01 * TESTED for n in wrong), solved=len(wrong), tested=TESTED,
        seeds=seeds, share=100 * share_interval(seeds, seeds)[0], seconds=numbers["core_seconds"],
    )  # fmt: skip


def keras_words(keras: dict[str, Any]) -> str:
    """How far Keras is from the engine, beside the control and the distance from seed to seed."""
    p = beside_keras.POINT
    needed = {side: np.array(n, float) for side, n in keras["sequences"].items()}  # None becomes NaN
    apart = {side: np.nanmean(np.abs(n - needed["engine"])) for side, n in needed.items() if side != "engine"}
    alone = int((np.isnan(needed["keras"]) != np.isnan(needed["engine"])).sum())
    spread = np.nanmax(needed["engine"]) - np.nanmin(needed["engine"])
    distance, control = keras["first_point_apart"]["keras"], keras["first_point_apart"]["reversed"]
    return (
        f"{TASKS[p.task](p.lag).name}, {CELLS[p.cell].name}, {len(needed['engine'])} seeds. "
        f"Keras needs on average {apart['keras']:,.0f} sequences more or fewer than the engine with the same seed, the "
        f"engine with its batches reversed {apart['reversed']:,.0f}. From one seed to another the engine's numbers differ by "
        f"up to {spread:,.0f}. Number of seeds solved by only one of the two: {alone}. Over the first 500 sequences their "
        f"mean errors are within {distance:.0e} ({control:.0e} for the control)."
    )
