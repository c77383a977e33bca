"""What the study shows: success against lag, learning curves, gradients beside theory, and Keras, as one page of pictures."""

from collections.abc import Mapping, Sequence
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
from experiments.study.solved import OF_SOLVED, percent, share_words, solved_summary, spread_words
from experiments.study.solving import TESTED

NUMBERS = "memory.json"
TABLE_TITLE = "The longest lag at which every seed solved the task, and up to which it did so at all shorter ones"
SHOWN_LAG = 50  # of the learning curves and gradients, where it is there
Results = list[dict[str, Any]]

ASKED = (
    "Each network reads a sequence and answers at its end. Adding: two numbers of the first half are marked, give "
    "their sum. Temporal order: two symbols, X or Y each, stand among others: which came, in which order? Recall: two"
    " symbols out of four, then blanks: say both again. The word after It: a noun, phrases with other nouns, then "
    '"It": which verb is the first noun\'s? (bird near a small plane and under a red ship . It: sings.) In the first '
    "two the lag is the sequence's length T, and the last of what must be kept comes at up to half of it (adding) or "
    "six tenths; in the others it is the number of steps between. Recall has but 16 different sequences, so that its "
    "wrong answers to fresh ones are of known ones; and of adding at T = 10 every second sequence has a marked pair "
    "that is the first and counts as 0."
)
SOLVED = (
    "Solved: at most {wrong} of the {count} most recent sequences wrong, each judged before it is learnt from, within"
    " {limit:,} sequences. All cells have Adam on batches of {batch_size}, the rate halved every {halved_every:,} "
    "sequences, the gradients' joint norm at most {clip:g}, orthogonal recurrent kernels, no more weights than an "
    "LSTM of {units} units (so a SimpleRNN has twice the units; peepholes are three more a unit), and for each task "
    "and lag the best of the learning rates {rates}, chosen with seeds that are not reported; lag 200 takes the rate "
    "of 100. Not solved means not within these sequences: some networks were still getting better. One cell is told "
    "what the others are not: chrono initialisation draws the biases of forget and input gates by the lag (Tallec & "
    "Ollivier 2018). A goal that is looked at after every batch is met on a good day: {lucky} of the {solved} "
    "trainings that met it have more than 1 % wrong of {tested:,} fresh sequences."
)
SPREADS = (
    "The table of all points, at the end of the page, has Wilson's 95 % interval beside each count of seeds: all of "
    "{seeds} leave room for a share of {share:.0f} %. Its means and ranges are of those seeds that solved the task. "
    "The trainings took {seconds:,.0f} seconds of one core."
)
SUCCESS = (
    "Above: the share of seeds that solved the task, against the lag; lines are moved apart a little where they would hide "
    "each other. Below: how many sequences each seed needed; crosses at the top are seeds that did not get there. Look for "
    "where a cell's line falls, and for how the sequences grow before it does."
)
CURVES = (
    "Mean absolute error at the end of a sequence, by 500 sequences, at lag {lag}, a line a seed; a dot ends the line"
    " of a seed that solved the task. Look for plateaus: a network that cannot remember yet gives the mean of all "
    "answers; some have a second one, where one of two things is known; and many leave a level all at once."
)
GRADIENTS = (
    "What is left of a gradient k steps before the end: {task}, lag {lag}, a line a seed, above before training and "
    "below after it. Solid lines are measured, the norm of the derivative of the last state by an earlier one: h "
    "blue, the cell c orange. Blue falls at k = 1, since h reaches later steps by the gates alone, and c past them. "
    "Dashed lines are theory. SimpleRNN: (spectral radius of U times the mean of 1 - h²)^k, and dotted the radius "
    "alone, which is a bound as long as U is orthogonal: both are made for the start, and say little of a trained "
    "network. LSTM and GRU: the product of the gates that keep the state (f, z), of the unit that keeps most; what "
    "lies above it came by the other ways, through gates and candidates. Look for straight lines: each step costs the"
    " same factor. A training that diverged has no line after it."
)
REACH = (
    "Every training: whether the task was solved, against how much of a gradient came, before training, from the end to the "
    "lag's first steps (of an LSTM by its cells). Dots are moved apart a little; what is below 1e-20 stands there. Look for "
    "how far to the left the upper dots reach: a network can find what mattered by very little, but not by nothing. And for "
    "the lower dots at the right: a gradient that arrives is not all it takes."
)
KERAS = (
    "The engine, Keras with the same initial weights, batches and Adam, and as a control the engine with the rows of each "
    "batch in reverse order, which changes nothing but how sums are rounded. Left: the sequences that each seed needed. Look "
    "whether Keras lies further from the engine than the engine from itself."
)
QUICK = "The last command was a quick run, of few tasks, cells, lags and seeds. All that the folder holds is shown."
NONE, NOT_TRAINED = "none", "-"


def write(
    run: Run, found: Mapping[Point, Results], beside: Mapping[str, Results], settings: Settings, quick: bool,
    commands: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
    """Writes trainings.csv, memory.json, the pictures and report.html; returns what the JSON holds."""
    result: dict[str, Any] = {"commands": list(commands), "points": [summary(p, r) for p, r in found.items()]}
    result["core_seconds"] = sum(one["seconds"] for results in found.values() for one in results)
    result |= {"keras": keras_summary(beside)} if beside else {}
    result["words"] = verdict(result)
    lag = SHOWN_LAG if any(p.lag == SHOWN_LAG for p in found) else max(p.lag for p in found)
    shown = {p: r for p, r in found.items() if p.lag == lag}
    tasks = list(dict.fromkeys(p.task for p in shown))
    figures = {
        "success": (drawing.success(found, settings.limit), SUCCESS),
        "curves": (drawing.curves(shown), CURVES.format(lag=lag)),
        **{
            f"gradients_{task}": (
                drawing.gradients({p.cell: r for p, r in shown.items() if p.task == task}),
                GRADIENTS.format(lag=lag, task=TITLES[task]),
            )
            for task in tasks
        },
        "reach": (drawing.reach(found), REACH),
    }
    if beside:
        figures["keras"] = (drawing.beside(beside), KERAS)
    drawn = {name: (pictures.png(fig), caption) for name, (fig, caption) in figures.items()}
    for name, (png, _) in drawn.items():
        run.write(f"{name}.png", png)
    run.write("trainings.csv", trainings(found).to_csv(index=False))
    run.write_json(NUMBERS, result)
    figures = {name: pictures.inline(png, caption) for name, (png, caption) in drawn.items()}
    parts = [
        page.paragraph(result["words"], "lead"),
        *([page.paragraph(QUICK, "note")] if quick else []),
        page.paragraph(ASKED),
        page.heading(TABLE_TITLE),
        page.table(longest(result)),
        figures["success"],
        page.paragraph(solved_words(settings, result)),
        page.paragraph(seeds_words(result)),
        figures["curves"],
        *_gradients_part(figures, tasks),
        *(_keras_part(result["keras"], figures["keras"]) if beside else []),
        page.folded("All points", page.table(frame(result))),
    ]  # fmt: skip
    run.write(
        "report.html", page.page("How far back can a recurrent network remember?", parts, footer("; ".join(commands)))
    )
    return result


# -- numbers -----------------------------------------------------------------------------------------------------------


def summary(point: Point, found: Results) -> dict[str, Any]:
    """A point of the grid as JSON values. reach: medians over the seeds of what is left of a gradient at the first step."""
    return solved_summary(found) | {
        "task": point.task,
        "cell": point.cell,
        "lag": point.lag,
        "rate": found[0]["rate"],
        "wrong": [f["wrong"] for f in found if f["wrong"] is not None],
        "reach": {when: _reach(found, when) for when in ("before", "after")},
    }


def _reach(found: Results, when: str) -> float | None:
    left = [drawing.reach_of(f, when) for f in found if f[when] is not None]
    return float(np.median(left)) if left else None


def longest(result: dict[str, Any]) -> pd.DataFrame:
    """By cell and task: the longest lag up to which every seed solved the task at every lag, as words."""
    table: dict[str, dict[str, str]] = {}
    for p in sorted(result["points"], key=lambda p: p["lag"], reverse=True):  # the last word is the shortest lag's
        row = table.setdefault(CELLS[p["cell"]].name, {})
        if p["solved"] < p["seeds"]:
            row[TITLES[p["task"]]] = NONE
        elif row.get(TITLES[p["task"]], NONE) == NONE:
            row[TITLES[p["task"]]] = str(p["lag"])
    names = (
        [c.name for c in CELLS.values() if c.name in table],
        [t for t in TITLES.values() if any(t in r for r in table.values())],
    )
    return pd.DataFrame(table).T.reindex(index=names[0], columns=names[1]).fillna(NOT_TRAINED).rename_axis("cell")


def frame(result: dict[str, Any]) -> pd.DataFrame:
    """A row a point."""
    rows = [
        {
            "task": TITLES[p["task"]],
            "cell": CELLS[p["cell"]].name,
            "lag": p["lag"],
            "rate": f"{p['rate']:g}",
            "weights": f"{p['weights']:,}",
            "solved": f"{share_words(p)} ({percent(p['solved_interval_95'])})",
            f"sequences, {OF_SOLVED}": spread_words(p["sequences_of_solved"]),
            f"wrong of {TESTED:,}, {OF_SOLVED}": spread_words(p["wrong_of_solved"]),
            "gradient left, before": _power(p["reach"]["before"]),
            "after": _power(p["reach"]["after"]),
            "s a seed": f"{p['seconds']:.1f}",
        }
        for p in result["points"]
    ]
    return pd.DataFrame(rows).set_index("task")


def _power(value: float | None) -> str:
    return "-" if value is None else f"{value:.0e}"


def trainings(found: Mapping[Point, Results]) -> pd.DataFrame:
    """A row a training; a seed that did not solve its task has no number of sequences and none of wrong answers."""
    columns = {"seed": "seed", "rate": "rate", "sequences": "sequences_if_solved", "wrong": "wrong_if_solved"}
    columns |= {name: name for name in ("trained", "weights", "seconds")}
    rows = [
        {"task": p.task, "cell": p.cell, "lag": p.lag} | {shown: one[name] for name, shown in columns.items()}
        for p, results in found.items()
        for one in results
    ]
    return pd.DataFrame(rows).astype({"sequences_if_solved": "Int64", "wrong_if_solved": "Int64"})


def keras_summary(beside: Mapping[str, Results]) -> dict[str, Any]:
    """Sequences needed by side and seed, and the curves' largest distance in their first points, as JSON values."""
    needed = {side: [one["sequences"] for one in results] for side, results in beside.items()}
    errors = {side: [one["curve"][0][1] for one in results] for side, results in beside.items()}
    apart = {
        side: max(abs(a - b) for a, b in zip(errors[side], errors["engine"], strict=True))
        for side in beside
        if side != "engine"
    }
    return {"sequences": needed, "first_point_apart": apart}


# -- words -------------------------------------------------------------------------------------------------------------


def verdict(result: dict[str, Any]) -> str:
    """The answer in a sentence: by cell, over the tasks, the longest lags up to which every seed solved them."""
    said = []
    for cell, row in longest(result).iterrows():
        lags = sorted({0 if lag == NONE else int(lag) for lag in row if lag != NOT_TRAINED})
        ends = [str(lag) if lag else NONE for lag in (lags[0], lags[-1])]
        said.append(f"{cell}: {ends[0]}" if len(lags) == 1 else f"{cell}: {ends[0]} to {ends[1]}")
    which = "The longest lag up to which every seed solved a task, from a cell's hardest task to its easiest"
    return f"{which}. {'; '.join(said)}."


def solved_words(settings: Settings, result: dict[str, Any]) -> str:
    learning = settings.learning(0.0)
    wrong = [n for p in result["points"] for n in p["wrong"]]
    return SOLVED.format(
        wrong=settings.goal.wrong, count=settings.goal.count, limit=settings.limit, units=settings.units,
        batch_size=learning.batch_size, halved_every=learning.halved_every, clip=learning.clip,
        rates=", ".join(f"{rate:g}" for rate in rates.RATES), lucky=sum(n > 0.01 * TESTED for n in wrong), solved=len(wrong),
        tested=TESTED,
    )  # fmt: skip


def seeds_words(result: dict[str, Any]) -> str:
    seeds = max(p["seeds"] for p in result["points"])
    return SPREADS.format(seconds=result["core_seconds"], seeds=seeds, share=100 * share_interval(seeds, seeds)[0])


def keras_words(keras: dict[str, Any]) -> str:
    """How far Keras is from the engine, beside the engine from itself, and from seed to seed."""
    needed = {side: np.array(n, float) for side, n in keras["sequences"].items()}  # None becomes NaN
    apart = {side: np.nanmean(np.abs(n - needed["engine"])) for side, n in needed.items() if side != "engine"}
    alone = int((np.isnan(needed["keras"]) != np.isnan(needed["engine"])).sum())
    spread = np.nanmax(needed["engine"]) - np.nanmin(needed["engine"])
    own, control = keras["first_point_apart"]["keras"], keras["first_point_apart"]["reversed"]
    return (
        f"{TASKS[beside_keras.TASK](beside_keras.LAG).name}, {CELLS[beside_keras.CELL].name}, {len(needed['engine'])} seeds. "
        f"Keras needs on average {apart['keras']:,.0f} sequences more or fewer than the engine with the same seed, the "
        f"engine with its batches reversed {apart['reversed']:,.0f}; from one seed to another the engine's differ by up to "
        f"{spread:,.0f}; {alone} of the seeds were solved by one of the two alone. Over the first 500 "
        f"sequences their mean errors are within {own:.0e} ({control:.0e} for the control)."
    )


def _gradients_part(figures: Mapping[str, str], tasks: Sequence[str]) -> list[str]:
    first, *others = tasks
    return [
        page.heading("Why: what is left of a gradient"),
        figures[f"gradients_{first}"],
        *(page.folded(f"The same for {TITLES[task]}", figures[f"gradients_{task}"]) for task in others),
        figures["reach"],
    ]


def _keras_part(keras: dict[str, Any], picture: str) -> list[str]:
    return [page.heading("The same in Keras"), picture, page.paragraph(keras_words(keras))]
