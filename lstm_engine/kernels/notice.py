"""Says which kernel is being compiled: when Numba compiles it, and never when it finds it in its disk cache."""

import logging
import math
import time
from typing import Any

from numba.core import event

from . import disk_cache

CELLS = {"lstm": "the LSTM's ", "gru": "the GRU's ", "simple_rnn": "the SimpleRNN's "}  # by the file of their kernels
STEPS = {  # what a first training step compiles, in this order; prediction needs the first two
    "_pack": "the matrix product",  # which follows `_pack`, unannounced by Numba
    "_forward": "forward pass",
    "_backward": "backward pass",
    "_weight_gradient": "the weights' gradients",
}
PAUSE = 10  # seconds without compiling: what follows is another wait


class Notice(event.Listener):  # type: ignore[misc]  # Numba has no types
    """A log message when Numba begins to compile a kernel of STEPS, with the seconds since it began to compile.

    Numba broadcasts "numba:compile" after it has looked into its cache and found nothing there.
    """

    def __init__(self) -> None:
        self.began, self.last = 0.0, -math.inf

    def on_start(self, compiling: Any) -> None:
        now = time.perf_counter()
        if now - self.last > PAUSE:
            self.began = now
        self.last = now
        function = compiling.data["dispatcher"].py_func
        package, _, file = function.__module__.rpartition(".")
        if package != __package__ or function.__name__ not in STEPS:
            return
        logging.getLogger("lstm_engine").warning(
            "compiling kernels, %d of %d: %s%s (%.0f s so far%s) ...",
            list(STEPS).index(function.__name__) + 1,
            len(STEPS),
            CELLS.get(file, ""),
            STEPS[function.__name__],
            now - self.began,
            "" if disk_cache.keeps_nothing() else "; later runs find them on disk",
        )

    def on_end(self, compiling: Any) -> None:
        self.last = time.perf_counter()


NOTICE = Notice()
