"""Surroundings that are not ideal: what the environment says that no command can use, and compiled code that is damaged."""

import os
import sys
import warnings
from pathlib import Path
from types import TracebackType

MOST_THREADS = 1024


def prepare() -> None:
    """Notes stay notes under PYTHONWARNINGS=error, here and in workers. ValueError for threads that Numba cannot have."""
    warnings.filters[:] = [kept for kept in warnings.filters if kept[0] != "error"]  # type: ignore[index]
    sys.warnoptions[:] = [option for option in sys.warnoptions if not option.startswith("error")]
    os.environ.pop("PYTHONWARNINGS", None)
    wanted = os.environ.get("NUMBA_NUM_THREADS", "")
    if wanted and not (wanted.isdecimal() and 1 <= int(wanted) <= MOST_THREADS):
        raise ValueError(f"NUMBA_NUM_THREADS is {wanted!r}: set it to a number from 1 to {MOST_THREADS:,}, or unset it")


def dropped(error: BaseException) -> str:
    """Removes the compiled code whose reading has failed with this error, and says so; "" for any other error.

    The engine's kernels have a checksum (`lstm_engine/kernels/disk_cache.py`), but librosa's functions have none.
    """
    folder = _cache_folder(error.__traceback__)
    if folder is None:
        return ""
    for path in [*folder.glob("*.nbi"), *folder.glob("*.nbc")]:
        path.unlink(missing_ok=True)
    return f"compiled code in {folder} was damaged, and is removed: the same command compiles it again"


def _cache_folder(trace: TracebackType | None) -> Path | None:
    while trace is not None:
        frame, trace = trace.tb_frame, trace.tb_next
        inside = Path(frame.f_code.co_filename).parts[-3:] == ("numba", "core", "caching.py")
        if inside and (folder := getattr(frame.f_locals.get("self"), "_cache_path", None)):
            return Path(folder)
    return None
