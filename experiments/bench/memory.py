"""How much memory a training step takes: the peak of its process above what the warmed process held before.

A fresh process imports the library, takes a step of another, tiny shape, builds the model, gives free memory back to the
system, and then trains. The peak is the kernel's own record, reset before (Linux only), so no sample can miss it.
"""

import ctypes
import gc
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from experiments.bench.task import Shape, Task
from experiments.bench.turns import entry_of, set_environment

STEPS = 5
TINY = {"T": 5, "H": 16, "B": 8}
MIB = 1024  # KiB
PROC = Path("/proc/self")


def rise(side: str, shape: Shape) -> float | None:
    """MiB by which `STEPS` training steps raise the peak of a process of their own; None where the system does not tell."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:
        return fresh.submit(_rise, side, shape).result()


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
