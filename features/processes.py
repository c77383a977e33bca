"""Worker processes and Ctrl-C: a terminal sends it to all of them, and only the process that started them is to hear it."""

import signal
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Processes that start here never hear Ctrl-C, not even while they import; this one hears it when the block ends."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # its start, which would come with the first process, unblocks the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def shut(pools: Iterable[ProcessPoolExecutor]) -> None:
    """Ends pools of processes. While an error is under way, such as Ctrl-C's, what they compute is not waited for."""
    hurry = sys.exc_info()[0] is not None
    for pool in pools:
        for process in list((pool._processes or {}).values()) if hurry else ():
            process.terminate()
        pool.shutdown(cancel_futures=True)
