"""The time until the first training step ends, in new processes, with the engine's compiled code cached or not."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.bench.sides import ENGINE, SIDES
from experiments.bench.task import Shape

SCRIPT = Path(__file__).with_name("first_step.py")
LIBRARIES = {"engine": "engine", "torch": "torch"} | dict.fromkeys(
    ("keras-jax", "keras-tensorflow", "keras-torch"), "keras"
)


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
