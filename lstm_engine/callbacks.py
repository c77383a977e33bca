"""What a training run calls at its turns: History records it, ProgressBar shows it. `fit` adds both by itself.

Write your own by subclassing Callback, as in Keras; `self.model` is the model in training, `logs` holds the loss
and the metrics so far, and `self.model.stop_training = True` ends training after the epoch that runs.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import Sequential

Logs = dict[str, float]


class Callback:
    """Base: every hook does nothing."""

    model: Sequential
    params: dict[str, int]  # epochs, steps (batches an epoch), verbose

    def set_model(self, model: Sequential) -> None:
        self.model = model

    def set_params(self, params: dict[str, int]) -> None:
        self.params = params

    def on_train_begin(self, logs: Logs) -> None: ...

    def on_train_end(self, logs: Logs) -> None: ...

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None: ...

    def on_epoch_end(self, epoch: int, logs: Logs) -> None: ...

    def on_train_batch_begin(self, batch: int, logs: Logs) -> None: ...

    def on_train_batch_end(self, batch: int, logs: Logs) -> None: ...


def check_callback(callback: Callback) -> Callback:
    """The callback itself. TypeError when it is none, or waits for a turn of Keras's that `fit` does not announce."""
    if not isinstance(callback, Callback):
        raise TypeError(f"callbacks are instances of lstm_engine.Callback, got {callback!r}")
    if unheard := [name for name in dir(callback) if name.startswith("on_") and not hasattr(Callback, name)]:
        known = ", ".join(name for name in dir(Callback) if name.startswith("on_"))
        raise TypeError(
            f"{type(callback).__name__} has {', '.join(unheard)}, which is never called here; there are {known}"
        )
    return callback


class History(Callback):
    """`history.history["loss"]`: a list with one value an epoch, for the loss, each metric, and their val_ twins."""

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self.epoch.append(epoch)
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)


class ProgressBar(Callback):
    """Keras's lines on standard output: with verbose=1 a bar that fills, with 2 one line an epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
        self.started = self.drawn = time.perf_counter()
        print(f"Epoch {epoch + 1}/{self.params['epochs']}")

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        now = time.perf_counter()
        if self.params["verbose"] == 1 and sys.stdout.isatty() and now - self.drawn > 0.1:
            self.drawn = now
            print("\r" + progress_line(batch + 1, self.params["steps"], now - self.started, logs), end="", flush=True)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        start = "\r" if self.params["verbose"] == 1 and sys.stdout.isatty() else ""
        print(
            start + progress_line(self.params["steps"], self.params["steps"], time.perf_counter() - self.started, logs)
        )


def progress_line(done: int, steps: int, seconds: float, logs: Logs) -> str:
    """ "14/14 ━━━━━━━━━━ 0.1s 5ms/step - loss: 0.6931 - accuracy: 0.5000"."""
    filled = 20 * done // steps
    values = "".join(f" - {name}: {value:.4f}" for name, value in logs.items())
    return (
        f"{done}/{steps} {'━' * filled}{'─' * (20 - filled)} {seconds:.1f}s {1000 * seconds / done:.0f}ms/step{values}"
    )
