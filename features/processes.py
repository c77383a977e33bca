"""How worker processes start and end: deaf to Ctrl-C, without a look at the working folder, and at once when in a hurry."""

import os
import signal
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker


@contextmanager
def set_apart() -> Iterator[None]:
    """Processes that start here never hear Ctrl-C, not even while they import; this one hears it when the block ends.

    A terminal sends it to all of them, and only the process that started them is to hear it. Nor do they import what lies in
    the working folder: Python puts that first on the path of what it starts, and it may hold a `numpy` or a `joblib.py`.
    """
    with _away_from_the_working_folder():
        if not hasattr(signal, "pthread_sigmask"):  # Windows
            yield
            return
        resource_tracker.ensure_running()  # its start, which would come with the first process, unblocks the signal
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _away_from_the_working_folder() -> Iterator[None]:
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"  # what this process has on its path, its workers get all the same
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("PYTHONSAFEPATH", None)
        else:
            os.environ["PYTHONSAFEPATH"] = before


def shut(pools: Iterable[ProcessPoolExecutor]) -> None:
    """Ends pools of processes. While an error is under way, such as Ctrl-C's, what they compute is not waited for."""
    hurry = sys.exc_info()[0] is not None
    for pool in pools:
        for process in list((pool._processes or {}).values()) if hurry else ():
            process.terminate()
        pool.shutdown(cancel_futures=True)
