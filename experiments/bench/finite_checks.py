"""What the checks for NaN and infinity cost: `python -m experiments.bench.finite_checks`.

Each check is timed alone, beside a training step of the same shape, so that a busy machine can slow both alike. An epoch's
checks are divided by its batches (16, as in `bench`).
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from experiments.bench.task import GRID, Shape, Task
from lstm_engine import diverging, finite, small_step
from lstm_engine.backend import one_thread_pool
from lstm_engine.network import Batch

BATCHES = 16  # in an epoch
CALLS = 50  # of a check in one timing


def checks(task: Task, model: Any) -> dict[str, tuple[Callable[[], Any], float]]:
    """By name a check, and how often a training step makes it."""
    batch = Batch(task.x, task.y)
    loss, heads, gradients = small_step.gradients(model, batch)
    weights = model.weights

    def of_step() -> None:
        with diverging.quiet():
            diverging.check_step(model, batch, loss, heads, gradients)

    return {
        "loss and gradients": (of_step, 1),
        "learning rate": (lambda: model.optimizer._finite_rate(weights), 1),
        "X and y, once a fit": (lambda: (finite.is_finite(task.x), finite.is_finite(task.y)), 1),
        "what an epoch began with": (lambda: diverging.Good(model), 1 / BATCHES),
        "weights and slots, once an epoch": (lambda: diverging.check_state(model), 1 / BATCHES),
    }


def measure(shape: Shape, repeats: int = 60) -> dict[str, float]:
    """Medians of the microseconds of a training step, under "step", and of each check's share in it. They take turns."""
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
            for name, (check, often) in chosen.items():
                start = time.perf_counter()
                for _ in range(CALLS):
                    check()
                times[name].append(often * (time.perf_counter() - start) / CALLS)
    return {name: 1e6 * float(np.median(of)) for name, of in times.items()}


def main() -> None:
    """Prints the table."""
    table = Table(title="Checks for NaN and infinity, microseconds a training step")
    shapes = [GRID["tutorial"], GRID["frames"], GRID["single"]]
    for title in ("", *map(str, shapes)):
        table.add_column(title, justify="right" if title else "left")
    found = [measure(shape) for shape in shapes]
    for name in found[0]:
        table.add_row(name, *(f"{of[name]:,.1f}" for of in found))
    alone = [sum(us for name, us in of.items() if name != "step") for of in found]
    table.add_row("all checks", *(f"{us:.1f} = {us / of['step']:.2%}" for us, of in zip(alone, found, strict=True)))
    Console().print(table)


if __name__ == "__main__":
    main()
