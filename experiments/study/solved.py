"""What trainings on a task came to, a seed each: how many solved it and how fast those did, as numbers and as words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.reports.scores import share_interval

OF_SOLVED = "of those that solved it"  # what a mean and a range are of


def solved_summary(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Results of `solving.solve`, as JSON values. seconds: the mean, of one core."""
    needed = [one["sequences"] for one in found if one["sequences"] is not None]
    wrong = [one["wrong"] for one in found if one["wrong"] is not None]
    return {
        "weights": found[0]["weights"],
        "seeds": len(found),
        "solved": len(needed),
        "solved_interval_95": [float(end) for end in share_interval(len(needed), len(found))],
        "sequences_of_solved": spread(needed),
        "wrong_of_solved": spread(wrong),
        "seconds": float(np.mean([one["seconds"] for one in found])),
    }


def spread(values: Sequence[float]) -> dict[str, float] | None:
    """None where there are none."""
    return {"mean": float(np.mean(values)), "low": min(values), "high": max(values)} if values else None


def spread_words(spread: Mapping[str, float] | None, form: str = "{:,.0f}", ends: str = "{:,}") -> str:
    """ "12,702 (9,656 to 16,756)", or "-"; form is the mean's, ends that of the lowest and the highest."""
    if spread is None:
        return "-"
    return f"{form.format(spread['mean'])} ({ends.format(spread['low'])} to {ends.format(spread['high'])})"


def share_words(row: Mapping[str, Any]) -> str:
    """ "9 of 10", of a `solved_summary`."""
    return f"{row['solved']} of {row['seeds']}"


def percent(ends: Sequence[float], digits: int = 0) -> str:
    """ "57 to 100 %" """
    low, high = (f"{100 * end:.{digits}f}" for end in ends)
    return f"{low} %" if low == high else f"{low} to {high} %"
