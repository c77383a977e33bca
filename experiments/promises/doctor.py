"""What `lstm-engine doctor` tells: the machine, the versions, where things are kept, and which optional parts are there."""

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from experiments.reports import machine
from experiments.reports.run import versions
from lstm_engine.backend import without_kernels

EXTRAS = {  # what pip installs, by what it is good for
    "keras": ("the twin beside which compare and demo train", ("keras", "jax")),
    "interop": ("Keras and ONNX files", ("h5py", "onnx")),
    "lessons": ("the lessons, and recordings as browsers write them", ("marimo", "plotly", "anywidget", "av")),
    "mic": ("record", ("sounddevice",)),
    "scale": ("many machines", ("dask", "distributed", "optuna")),
    "browser": ("tests of the pages", ("playwright",)),
}


def examine() -> dict[str, Any]:
    """Everything but the self-test, as JSON values."""
    folder = Path.cwd()
    return {
        "machine": machine.machine() | {"system": f"{platform.system()} {platform.release()} {platform.machine()}"},
        "kernels": without_kernels() or f"compiled, {machine.vector_bytes()}-byte vectors",
        "threads": machine.threads() | {"cores": machine.cores(), "load": machine.load()},
        "versions": versions() | {"scipy": version("scipy"), "safetensors": version("safetensors")},
        "compiled kernels in": cache_folder(),
        "free disk, MiB": {str(place): free_mib(place) for place in (folder, *_existing(cache_folder()))},
        "free memory, MiB": machine.free_memory_mib(),
        "optional parts": {extra: optional_part(extra) for extra in EXTRAS} | {"ffmpeg": program("ffmpeg")},
    }


def cache_folder() -> str:
    """Where the compiled kernels are kept, or why they are not."""
    if why := without_kernels():
        return f"nowhere: {why}"
    from lstm_engine.kernels.adam import _update

    folder = _update._cache.cache_path
    if folder is None:
        return "nowhere, each start compiles them: no folder can be written; name one with NUMBA_CACHE_DIR"
    return (
        str(folder)
        if os.access(folder, os.W_OK)
        else f"{folder}, which cannot be written: name another, NUMBA_CACHE_DIR"
    )


def optional_part(extra: str) -> str:
    """The versions of an extra's packages, or how to get them."""
    purpose, packages = EXTRAS[extra]
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        return f"missing {', '.join(missing)} ({purpose}): pip install 'lstm-engine[{extra}]'"
    return ", ".join(f"{name} {_version(name)}" for name in packages)


def program(name: str) -> str:
    return shutil.which(name) or f"missing (for recordings that soundfile cannot read): install {name}"


def free_mib(folder: Path) -> int:
    return shutil.disk_usage(folder).free // 2**20


def _existing(folder: str) -> list[Path]:
    return [Path(folder)] if Path(folder).is_dir() else []


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(version unknown)"
