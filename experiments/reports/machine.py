"""The machine: what numbers depend on, for config.json; and what only times depend on, for surroundings.json."""

import os
import platform
import shutil
from pathlib import Path
from typing import Any

from experiments.reports.page import counted
from lstm_engine.backend import without_kernels

BUSY = 0.5  # the load average from which on other programs count


def load() -> float | None:
    """How many programs ran at once, on average over the last minute; None on systems that do not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def busy(load_before: float | None, cores: int | None, what: str) -> list[str]:
    """A note, if other programs were running before a measurement began. what: a sentence on the numbers that suffer."""
    if load_before is None or load_before <= BUSY:
        return []
    on = f" on {counted(cores, 'core')}" if cores else ""
    return [f"Other programs were running when this began (load {load_before:.1f}{on}). {what}"]


def processor() -> str:
    """Its name."""
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def machine() -> dict[str, Any]:
    """What results depend on besides the versions: processor, bytes of the kernels' vectors (None without Numba), BLAS.

    Another processor, other vectors or another BLAS may round otherwise.
    """
    libraries = [f"{blas['internal_api']} {blas['version']} for {blas['architecture']}" for blas in _blas()]
    return {"processor": processor(), "vector_bytes": vector_bytes(), "blas": sorted(set(libraries))}


def surroundings(folder: Path) -> dict[str, Any]:
    """What results do not depend on: threads, cores, load, and the place and free space of the run's folder."""
    return {"threads": threads(), "cores": cores(), "load": load(), "folder": str(folder.resolve()),
            "free_disk_mib": shutil.disk_usage(folder).free // 2**20}  # fmt: skip


def threads() -> dict[str, int]:
    """Of the kernels and of BLAS."""
    found = {"blas": max((blas["num_threads"] for blas in _blas()), default=1)}
    if not without_kernels():
        import numba

        found["kernels"] = numba.get_num_threads()
    return found


def cores() -> int | None:
    """That this process may use; None on systems that do not tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def vector_bytes() -> int | None:
    """Bytes of the kernels' vectors: the processor's, or LSTM_ENGINE_VECTOR_BYTES. None where no kernel can run."""
    if without_kernels():
        return None
    from lstm_engine.kernels.vectors import BYTES

    return BYTES


def _blas() -> list[dict[str, Any]]:
    """The loaded BLAS libraries, as threadpoolctl describes them."""
    from threadpoolctl import threadpool_info

    return [library for library in threadpool_info() if library["user_api"] == "blas"]
