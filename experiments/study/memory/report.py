"""What the study shows: success against lag, learning curves, gradients beside theory, and Keras, as one page of pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from experiments.reports import page, pictures
from experiments.reports.run import Run, footer
from experiments.reports.scores import share_interval
from experiments.study.memory import beside_keras, drawing, rates
from experiments.study.memory.cells import CELLS
from experiments.study.memory.points import Point
from experiments.study.memory.settings import TASKS, TITLES, Settings
from experiments.study.seeds import Result
from experiments.study.solving import TESTED, solved_columns, summary_of_seeds, trainings_table

NUMBERS = "memory.json"
TABLE_TITLE = "The longest lag up to which every seed solved the task at every lag"
SHOWN_LAG = 50  # of the learning curves and gradients, if the folder has it

QUESTIONS = (
    "Each network reads a sequence and answers at its end. Adding: two numbers of the first half are marked; the answer is "
    "their sum. Temporal order: two symbols, each X or Y, stand among others; the answer is their order. Recall: two "
    "symbols out of four, then blanks; the answer is both symbols. The word after It: a noun, phrases with other nouns, "
    'then "It"; the answer is the verb of the first noun (bird near a small plane and under a red ship . It: sings). In '
    "the first two tasks the lag is the sequence's length T, and the last relevant symbol comes at up to half of it "
    "(adding) or six tenths of it; in the other two it is the number of steps between. Recall has only 16 different "
    "sequences, so its test contains no new ones. In adding at T = 10 every second sequence has a marked pair that is the "
    "first pair and counts as 0."
)
SOLVED = (
    "Solved: at most {wrong} of the {count} most recent sequences wrong, each judged before the network learns from it, "
    "within {limit:,} sequences. All cells have Adam on batches of {batch_size}, a rate that is halved every "
    "{halved_every:,} sequences, the gradients' joint norm at most {clip:g}, orthogonal recurrent kernels, and no more "
    "weights than an LSTM of {units} units (so a SimpleRNN has twice the units; peepholes add three weights for each unit). "
    "For each task and lag they have the best of the learning rates {rates}, chosen with seeds that are not reported; lag "
    "200 takes the rate of 100. Not solved means not within these sequences: some networks were still improving. One cell "
    "is told the lag: chrono initialisation draws the biases of its forget and input gates by the lag (Tallec & Ollivier "
    "2018). The goal is checked after every batch, so it is sometimes met by luck: {lucky} of the {solved} trainings that "
    "met it have more than 1 % wrong of {tested:,} fresh sequences."
)
SEEDS = (
    "The table of all points, at the end of the page, has Wilson's 95 % interval beside each count of seeds: {seeds} of "
    "{seeds} is compatible with a true rate as low as {share:.0f} %. Its means and ranges are of those seeds that solved "
    "the task. The trainings took {seconds:,.0f} seconds of one core."
)
SUCCESS = (
    "Above: the share of seeds that solved the task, against the lag; lines are moved apart a little where they would hide "
    "each other. Below: how many sequences each seed needed; crosses at the top are seeds that did not solve the task. Look "
    "for the lag at which a cell's line falls, and for the growing number of sequences before it."
)
CURVES = (
    "Mean absolute error at the end of a sequence, by 500 sequences, at lag {lag}, a line for each seed; a dot ends the "
    "line of a seed that solved the task. Look for plateaus: a network that cannot remember yet gives the mean of all "
    "answers. Some have a second plateau, where one of two things is known; and many leave a plateau suddenly."
)
GRADIENTS = (
    "What is left of a gradient k steps before the end: {task}, lag {lag}, a line for each seed, before training above and "
    "after training below. Solid lines are measured, the norm of the derivative of the last state by an earlier one: h "
    "blue, the cell state c orange. Blue falls at k = 1, because h reaches later steps only through the gates, and c also "
    "directly. Dashed lines are theory. SimpleRNN: (spectral radius of U times the mean of 1 - h²)^k; dotted: the radius "
    "alone, which is a bound as long as U is orthogonal. Both are meant for the start, and say little about a trained "
    "network. LSTM and GRU: the product of the gates that keep the state (f, z), of the unit that keeps most; what lies "
    "above it comes through gates and candidates. Look for straight lines: each step multiplies by the same factor. A "
    "training that diverged has no line after training."
)
REACH = (
    "Every training: whether the task was solved, against how much of a gradient came back, before training, from the end "
    "to the lag's first steps (in an LSTM through its cell state). Dots are moved apart a little; what is below 1e-20 stands "
    "there. Look how far to the left the upper dots reach: a network can learn from a very small gradient, but not from "
    "none. And look at the lower dots on the right: a gradient that arrives is not enough."
)
KERAS = (
    "The engine; Keras with the same initial weights, batches and Adam; and as a control the engine with the rows of each "
    "batch in reverse order, which changes only how sums are rounded. Left: the sequences that each seed needed. Look "
    "whether Keras is further from the engine than the control is."
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
    tasks = list(dict.fromkeys(p.task for p in shown))
    figures = {
        "success": (drawing.success(results, settings.limit), SUCCESS),
        "curves": (drawing.curves(shown), CURVES.format(lag=lag)),
        "reach": (drawing.reach(results), REACH),
    }
    for task in tasks:
        of_task = {p.cell: r for p, r in shown.items() if p.task == task}
        figures[f"gradients_{task}"] = drawing.gradients(of_task), GRADIENTS.format(lag=lag, task=TITLES[task])
    if beside:
        figures["keras"] = drawing.beside(beside), KERAS
    inline = {}
    for name, (figure, caption) in figures.items():
        png = pictures.png(figure)
        run.write(f"{name}.png", png)
        inline[name] = pictures.inline(png, caption)
    table = trainings_table(((asdict(p), r) for p, r in results.items()), COLUMNS)
    run.write("trainings.csv", table.to_csv(index=False))
    run.write_json(NUMBERS, numbers)
    first, *others = tasks
    parts = [
        page.paragraph(numbers["words"], "lead"),
        *([page.paragraph(QUICK, "note")] if quick else []),
        page.paragraph(QUESTIONS),
        page.heading(TABLE_TITLE),
        page.table(longest(numbers)),
        inline["success"],
        page.paragraph(solved_words(settings, numbers)),
        page.paragraph(seeds_words(numbers)),
        inline["curves"],
        page.heading("Why: what is left of a gradient"),
        inline[f"gradients_{first}"],
        *(page.folded(f"The same for {TITLES[task]}", inline[f"gradients_{task}"]) for task in others),
        inline["reach"],
    ]
    if beside:
        parts += [
            page.heading("The same in Keras"),
            inline["keras"],
            page.paragraph(keras_words(numbers["keras"])),
        ]
    parts.append(page.folded("All points", page.table(frame(numbers))))
    title = "How far back can a recurrent network remember?"
    run.write("report.html", page.page(title, parts, footer("; ".join(commands))))
    return numbers


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
    return SOLVED.format(
        **vars(settings) | vars(settings.goal), rates=", ".join(f"{rate:g}" for rate in rates.RATES),
        lucky=sum(n > 0.01 * TESTED for n in wrong), solved=len(wrong), tested=TESTED,
    )  # fmt: skip


def seeds_words(numbers: dict[str, Any]) -> str:
    seeds = max(p["seeds"] for p in numbers["points"])
    return SEEDS.format(seconds=numbers["core_seconds"], seeds=seeds, share=100 * share_interval(seeds, seeds)[0])


def keras_words(keras: dict[str, Any]) -> str:
    """How far Keras is from the engine, beside the control and the distance from seed to seed."""
    needed = {side: np.array(n, float) for side, n in keras["sequences"].items()}  # None becomes NaN
    apart = {side: np.nanmean(np.abs(n - needed["engine"])) for side, n in needed.items() if side != "engine"}
    alone = int((np.isnan(needed["keras"]) != np.isnan(needed["engine"])).sum())
    spread = np.nanmax(needed["engine"]) - np.nanmin(needed["engine"])
    distance, control = keras["first_point_apart"]["keras"], keras["first_point_apart"]["reversed"]
    return (
        f"{TASKS[beside_keras.TASK](beside_keras.LAG).name}, {CELLS[beside_keras.CELL].name}, {len(needed['engine'])} seeds. "
        f"Keras needs on average {apart['keras']:,.0f} sequences more or fewer than the engine with the same seed, the "
        f"engine with its batches reversed {apart['reversed']:,.0f}. From one seed to another the engine's numbers differ by "
        f"up to {spread:,.0f}. Number of seeds solved by only one of the two: {alone}. Over the first 500 sequences their "
        f"mean errors are within {distance:.0e} ({control:.0e} for the control)."
    )
