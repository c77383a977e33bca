"""One training on a task with one seed, until the task counts as solved or the limit is reached.

And what such trainings, one per seed, come to: numbers, words and the columns of tables.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from experiments.reports.scores import share_interval
from experiments.study.goals import Goal, Learner, errors
from experiments.study.tasks import Task

TESTED = 2_560  # fresh sequences, as in Hochreiter & Schmidhuber 1997
POINT = 500  # sequences for each point of the learning curve
OF_SOLVED = "of those that solved it"  # the seeds of a mean and a range

DATA, TEST = 2, 3  # with a seed, the seeds of the generators of the data and of the test; the network has another one


def solve(network: Learner, task: Task, goal: Goal, limit: int, seed: int, tested: bool = True) -> dict[str, Any]:
    """Trains the network, and returns JSON values.

    sequences: how many were needed, None where the limit came first; trained: how many the network learnt from. wrong: of
    TESTED fresh sequences, None where not tested or the goal was not met. curve: every POINT sequences, the mean absolute
    error at their ends; one point where there were fewer. seconds: of this process, over all cores.
    """
    started = time.process_time()
    watch = goal.watch(task, np.random.default_rng([seed, DATA]))
    trained, needed, curve, point = 0, None, [], []
    for batch in watch.batches(network.batch_size):
        p = network.learn(batch)
        trained += len(batch)
        point += errors(p, batch).tolist()
        if len(point) >= POINT:
            curve.append([trained, float(np.mean(point))])
            point = []
        if watch.met(trained, batch, p, network):
            needed = trained - goal.leads
            break
        if trained >= limit:
            break
    if not curve:
        curve = [[trained, float(np.mean(point))]]
    wrong = None
    if tested and needed is not None:
        fresh = task.draw(TESTED, np.random.default_rng([seed, TEST]))
        wrong = int((~task.right(network.answer(fresh), fresh)).sum())
    return {
        "sequences": needed,
        "trained": trained,
        "wrong": wrong,
        "weights": network.count_params(),
        "seconds": time.process_time() - started,
        "curve": curve,
    }


# -- several seeds -----------------------------------------------------------------------------------------------------


def summary_of_seeds(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Results of `solve`, as JSON values. seconds: the mean, of one core."""
    needed = [result["sequences"] for result in results if result["sequences"] is not None]
    wrong = [result["wrong"] for result in results if result["wrong"] is not None]
    return {
        "weights": results[0]["weights"],
        "seeds": len(results),
        "solved": len(needed),
        "solved_interval_95": [float(end) for end in share_interval(len(needed), len(results))],
        "sequences_of_solved": spread(needed),
        "wrong_of_solved": spread(wrong),
        "seconds": float(np.mean([result["seconds"] for result in results])),
    }


def spread(values: Sequence[float]) -> dict[str, float] | None:
    """None where there are no values."""
    return {"mean": float(np.mean(values)), "low": min(values), "high": max(values)} if values else None


def solved_columns(row: Mapping[str, Any], wrong: str = "{:.1f}") -> dict[str, str]:
    """The columns of a table that show a `summary_of_seeds`; wrong: the format of a mean number of wrong answers."""
    return {
        "solved": f"{share_words(row)} ({percent(row['solved_interval_95'])})",
        f"sequences, {OF_SOLVED}": spread_words(row["sequences_of_solved"]),
        f"wrong of {TESTED:,}, {OF_SOLVED}": spread_words(row["wrong_of_solved"], wrong),
    }


def spread_words(spread: Mapping[str, float] | None, form: str = "{:,.0f}", ends: str = "{:,}") -> str:
    """ "12,702 (9,656 to 16,756)", or "-"; form is the mean's, ends that of the lowest and the highest."""
    if spread is None:
        return "-"
    return f"{form.format(spread['mean'])} ({ends.format(spread['low'])} to {ends.format(spread['high'])})"


def share_words(row: Mapping[str, Any]) -> str:
    """ "9 of 10", of a `summary_of_seeds`."""
    return f"{row['solved']} of {row['seeds']}"


def percent(ends: Sequence[float], digits: int = 0) -> str:
    """ "57 to 100 %" """
    low, high = (f"{100 * end:.{digits}f}" for end in ends)
    return f"{low} %" if low == high else f"{low} to {high} %"


def trainings_table(rows: Iterable[tuple[dict[str, Any], Sequence[Mapping[str, Any]]]], columns: str) -> pd.DataFrame:
    """A row for each training, from the labels and the results of each group; columns: the results' keys, in order.

    A seed that did not solve its task has neither a number of sequences nor one of wrong answers.
    """
    table = pd.DataFrame(
        labels | {name: result.get(name) for name in columns.split()} for labels, results in rows for result in results
    )
    whole = [name for name in ("sequences", "wrong", "trained") if name in table]
    return table.astype(dict.fromkeys(whole, "Int64")).rename(
        columns={"sequences": "sequences_if_solved", "wrong": "wrong_if_solved"}
    )
