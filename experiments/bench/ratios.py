"""Statistics of rounds: medians with the range that holds the middle 80 %."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Spread(NamedTuple):
    """A median, and where the lowest and the highest tenth begin."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    low, median, high = np.percentile(np.asarray(values, dtype=float), [10, 50, 90])
    return Spread(float(median), float(low), float(high))


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Ours / theirs, round by round: what slows a whole round falls out. ValueError when the rounds do not pair."""
    if len(ours) != len(theirs):
        raise ValueError(f"ratios pair rounds, got {len(ours)} and {len(theirs)} of them")
    return spread([a / b for a, b in zip(ours, theirs, strict=True)])


def power(sizes: Sequence[float], times: Sequence[float]) -> float:
    """p of times ∝ sizesᵖ: the slope of the straight line fitted in a log-log plot."""
    slope, _ = np.polyfit(np.log(np.asarray(sizes, dtype=float)), np.log(np.asarray(times, dtype=float)), 1)
    return float(slope)
