"""What the checks for NaN and infinity cost: `python -m experiments.bench.finite_checks`.

Each check is timed alone, beside a training step of the same shape, so that a busy machine slows both alike. What `fit` does
once an epoch is divided by the epoch's batches (16, as in `bench`), and X is asked once for one epoch: with more epochs the
share is smaller.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from experiments.bench.task import GRID, Shape, Task
from lstm_engine import diverging, finite, small_step
from lstm_engine.backend import one_thread_pool
from lstm_engine.network import Batch
from lstm_engine.undone import Before

BATCHES = 16  # in an epoch
CALLS = 50  # of a check in one timing


class Check(NamedTuple):
    """A check, and how often each verb makes it."""

    run: Callable[[], Any]
    fit: float  # how often in a training step of `fit`
    train_on_batch: float


def checks(task: Task, model: Any) -> dict[str, Check]:
    batch = Batch(task.x, task.y)
    loss, heads, gradients = small_step.gradients(model, batch)
    weights = model.weights

    def of_step() -> None:
        with diverging.quiet():
            diverging.check_step(model, batch, loss, heads, gradients)

    return {
        "loss and gradients": Check(of_step, 1, 1),
        "learning rate": Check(lambda: model.optimizer._finite_rate(weights), 1, 1),
        "X and y": Check(lambda: (finite.is_finite(task.x), finite.is_finite(task.y)), 1, 1),
        "copies of weights and slots": Check(lambda: diverging.Good(model), 1 / BATCHES, 1),
        "generators and kept states": Check(lambda: Before(model, []), 1 / BATCHES, 0),
        "weights after a step": Check(lambda: diverging.squares(model.trainable_weights), 0, 1),
        "weights, states and slots": Check(lambda: diverging.check_state(model), 1 / BATCHES, 0),
    }


def measure(shape: Shape, repeats: int = 60) -> tuple[float, dict[str, float], dict[str, Check]]:
    """Medians of microseconds: of a training step, and of each check. They take turns."""
    task = Task.of(shape)
    model = task.model("numba")
    batch = Batch(task.x, task.y)
    with one_thread_pool(model.backends()):
        for _ in range(3):
            model.step(batch)
        chosen = checks(task, model)
        times: dict[str, list[float]] = {name: [] for name in ("step", *chosen)}
        for _ in range(repeats):
            start = time.perf_counter()
            model.step(batch)
            times["step"].append(time.perf_counter() - start)
            for name, check in chosen.items():
                start = time.perf_counter()
                for _ in range(CALLS):
                    check.run()
                times[name].append((time.perf_counter() - start) / CALLS)
    us = {name: 1e6 * float(np.median(of)) for name, of in times.items()}
    return us.pop("step"), us, chosen


def main() -> None:
    """Prints the table."""
    table = Table(title="Checks for NaN and infinity, microseconds, each alone")
    shapes = [GRID["tutorial"], GRID["frames"], GRID["single"]]
    for title in ("", *(shape.name for shape in shapes)):
        table.add_column(title, justify="right" if title else "left")
    found = [measure(shape) for shape in shapes]
    table.add_row("a training step", *(f"{step:,.0f}" for step, _, _ in found))
    for name in found[0][1]:
        table.add_row(name, *(f"{us[name]:,.1f}" for _, us, _ in found))
    for verb in ("fit", "train_on_batch"):
        alone = [sum(us[name] * getattr(check, verb) for name, check in chosen.items()) for _, us, chosen in found]
        steps = [step for step, _, _ in found]
        table.add_row(
            f"all, in a step of {verb}", *(f"{us:.0f} = {us / step:.2%}" for us, step in zip(alone, steps, strict=True))
        )
    Console().print(table)


if __name__ == "__main__":
    main()
