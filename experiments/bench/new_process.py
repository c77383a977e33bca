"""What is measured in new processes: the memory of training steps, and the time until the first step ends.

A step's memory is the peak of its process above what the warmed process held before. The process imports the library, takes
a step of another, tiny shape, builds the model, gives free memory back to the system, and then trains. The peak is the
kernel's own record, reset before (Linux only), so no sample can miss it.
"""

import ctypes
import gc
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.bench.sides import ENGINE, SIDES
from experiments.bench.task import Shape, Task
from experiments.bench.turns import entry_of, set_environment
from features.processes import set_apart

STEPS = 5
TINY = {"T": 5, "H": 16, "B": 8}
MIB = 1024  # KiB
PROC = Path("/proc/self")
SCRIPT = Path(__file__).with_name("first_step.py")
LIBRARIES = {"engine": "engine", "torch": "torch"} | dict.fromkeys(
    ("keras-jax", "keras-tensorflow", "keras-torch"), "keras"
)


def rise(side: str, shape: Shape) -> float | None:
    """MiB by which `STEPS` training steps raise the peak of a process of their own; None where the system does not tell."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:
        with set_apart():
            rising = fresh.submit(_rise, side, shape)
        return rising.result()


def _rise(side: str, shape: Shape) -> float | None:
    entry = entry_of(side)
    set_environment(entry)
    make = entry.load()
    for way in make(Task.of(replace(shape, **TINY)), **entry.options).train().values():
        way.check()
    del way
    task = Task.of(shape)
    way = next(iter(make(task, **entry.options).train().values()))
    before = settled_kib()
    if before is None:
        return None
    for _ in range(STEPS):
        way.check()
    return (peak_kib() - before) / MIB


def settled_kib() -> int | None:
    """What the process holds when nothing is left to free, with the record of its peak reset to that."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
        (PROC / "clear_refs").write_text("5")
    except (OSError, AttributeError):  # no Linux, or a C library without it
        return None
    return _status("VmRSS")


def peak_kib() -> int:
    """The most that the process held since `settled_kib`."""
    return _status("VmHWM")


def _status(name: str) -> int:
    lines = (PROC / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


# -- the first step ------------------------------------------------------------------------------------------------------


def starts(sides: Sequence[str], shape: Shape, repeats: int, progress: Callable[[], None]) -> dict[str, dict[str, Any]]:
    """Medians over new processes: seconds from starting Python to the end of the first step, and the parts of it.

    "engine, cold" runs once, with an empty folder for compiled code; the others `repeats` times, in turn. progress() is
    called after each process.
    """
    rows: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as cache:
        rows["engine, cold"] = [first_step(ENGINE, shape, cache)]
        progress()
        for _ in range(repeats):
            for side in (side for side in sides if side in LIBRARIES):
                label = "engine, warm" if side == ENGINE else side
                rows.setdefault(label, []).append(first_step(side, shape, cache))
                progress()
    return {
        label: {part: float(np.median([row[part] for row in taken])) for part in taken[0]} | {"processes": len(taken)}
        for label, taken in rows.items()
    }


def first_step(side: str, shape: Shape, cache: str) -> dict[str, float]:
    """The parts of one new process's first step, in seconds. RuntimeError with its last line when it fails."""
    settings = {"NUMBA_CACHE_DIR": cache, "CUDA_VISIBLE_DEVICES": "", **SIDES[side].environment}
    sizes = map(str, (shape.T, shape.D, shape.H, shape.B))
    clock = time.time()
    done = subprocess.run(
        [sys.executable, "-P", str(SCRIPT), LIBRARIES[side], *sizes],
        env=os.environ | settings, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"the first step of {side} failed: {done.stderr.strip().splitlines()[-1]}")
    took = json.loads(done.stdout.splitlines()[-1])
    return {"total": took.pop("clock") - clock, **took}
