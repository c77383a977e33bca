"""Learning rates: each is tried with seeds that no reported result uses, and the one with the lowest cost is chosen."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from experiments.reports.run import Run
from experiments.study.seeds import Job, Result, Update, gather

Key = TypeVar("Key", bound=Hashable)  # what a learning rate is chosen for: a cell at a lag, a variant on a task, ...
Trials = Mapping[float, Sequence[Mapping[str, Any]]]  # by rate, the results of its trials, one per seed
Cost = Callable[[Sequence[Mapping[str, Any]]], tuple[float, ...]]  # of one rate's trials; lower is better


def tried(
    run: Run, jobs: Mapping[Key, Mapping[float, Job]], seeds: Sequence[int], workers: int, update: Update
) -> dict[Key, dict[float, list[Result]]]:
    """Runs each of the jobs, one for each key and rate, with each of the seeds instead of the job's."""
    plan = [replace(job, seed=seed) for by_rate in jobs.values() for job in by_rate.values() for seed in seeds]
    results = iter(gather(run, plan, workers, update))
    return {key: {rate: [next(results) for _ in seeds] for rate in by_rate} for key, by_rate in jobs.items()}


def best(trials: Trials, cost: Cost) -> float:
    """The rate with the lowest cost; of equal ones the first."""
    return min(trials, key=lambda rate: cost(trials[rate]))


# -- costs -------------------------------------------------------------------------------------------------------------


def by_accuracy(results: Sequence[Mapping[str, Any]]) -> tuple[float, ...]:
    """The highest mean accuracy is best."""
    return (-float(np.mean([result["accuracy"] for result in results])),)


def by_solved(results: Sequence[Mapping[str, Any]]) -> tuple[float, ...]:
    """The most seeds that solved the task, then the fewest sequences they needed, then the smallest mean error at the end."""
    needed = [result["sequences"] for result in results if pd.notna(result["sequences"])]
    error = float(np.mean([result["error"] for result in results]))
    return -len(needed), float(np.mean(needed)) if needed else np.inf, error


def by_sequences(results: Sequence[Mapping[str, Any]]) -> tuple[float, ...]:
    """The fewest sequences learnt from, the limit for a seed that failed; then the smallest mean error at the end.

    The error of a training that diverged, or that was too short to have a point, is infinite.
    """
    last = [result["curve"][-1][1] if result["curve"] else None for result in results]
    errors = [np.inf if error is None or np.isnan(error) else error for error in last]
    return float(np.mean([result["trained"] for result in results])), float(np.mean(errors))
