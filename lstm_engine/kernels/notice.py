"""Says that a cell's kernels are being compiled: when Numba compiles them, and never when it finds them in its disk cache."""

import logging
from typing import Any

from numba.core import event

CELLS = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "SimpleRNN"}  # by the file of their kernels


class Notice(event.Listener):  # type: ignore[misc]  # Numba has no types
    """A log message when Numba begins to compile a kernel of a cell; one a process and cell.

    Numba broadcasts "numba:compile" after it has looked into its cache and found nothing there.
    """

    def __init__(self) -> None:
        self.announced: set[str] = set()

    def on_start(self, compiling: Any) -> None:
        package, _, file = compiling.data["dispatcher"].py_func.__module__.rpartition(".")
        if package != __package__ or file not in CELLS or file in self.announced:
            return
        self.announced.add(file)
        logging.getLogger("lstm_engine").warning(
            "compiling the %s's kernels: about ten seconds; later runs find them on disk ...", CELLS[file]
        )

    def on_end(self, compiling: Any) -> None:
        pass


NOTICE = Notice()
