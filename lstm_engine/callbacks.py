"""Callbacks, with Keras's names and rules. `fit` adds History and ProgressBar by itself.

Write one by subclassing Callback, as in Keras; `self.model` is the model in training, `logs` holds the loss
and the metrics so far, and `self.model.stop_training = True` ends training after the present batch or epoch.
One thing is stricter than in Keras: a monitored name that the logs do not have is an error, not a warning.
"""

from __future__ import annotations

import csv
import inspect
import math
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np

from . import finite, keras_2_words, weights
from .activations import Array
from .finite import NotFinite
from .keras_names import takes_keras_arguments

Logs = dict[str, float]
Hook = Callable[..., Any] | None


class Callback:
    """Base: every hook does nothing."""

    model: Any  # the Sequential in training
    params: dict[str, Any]  # epochs, steps (batches an epoch, None before they are known), verbose

    def set_model(self, model: Any) -> None:
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def on_train_begin(self, logs: Logs) -> None: ...

    def on_train_end(self, logs: Logs) -> None: ...

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None: ...

    def on_epoch_end(self, epoch: int, logs: Logs) -> None: ...

    def on_train_batch_begin(self, batch: int, logs: Logs) -> None: ...

    def on_train_batch_end(self, batch: int, logs: Logs) -> None: ...


def check_callback(callback: Callback) -> Callback:
    """The callback itself. TypeError if it is none, or has a hook of Keras's that `fit` does not call."""
    if not isinstance(callback, Callback):
        raise TypeError(f"callbacks are instances of lstm_engine.Callback, got {callback!r}")
    if unheard := [name for name in dir(callback) if name.startswith("on_") and not hasattr(Callback, name)]:
        known = ", ".join(name for name in dir(Callback) if name.startswith("on_"))
        raise TypeError(
            f"{type(callback).__name__} has {', '.join(unheard)}, which is never called here; there are {known}"
        )
    return callback


class Listeners:
    """The callbacks of one training. Each event calls all of them, in their order."""

    def __init__(self, callbacks: list[Callback]) -> None:
        self.callbacks = callbacks

    @classmethod
    def of(cls, callbacks: Any, verbose: str | int, history: History) -> Self:
        """The progress bar, the caller's callbacks, and last the history, as in Keras: it sees all logs."""
        listed: list[Any] = [callbacks] if isinstance(callbacks, Callback | type) else list(callbacks or ())
        bars = [ProgressBar()] if verbosity(verbose) else []
        return cls([*bars, *map(check_callback, listed), history])

    def prepare(self, model: Any, params: dict[str, Any], names: list[str], validated: bool) -> None:
        """Introduces the model, and asks before anything begins whether the logs will have what callbacks watch.

        names: the logs' own; validated: whether their val_ versions come too. A callback of the reader's may add others: what
        comes after it is not asked.
        """
        for callback in self.callbacks:
            callback.set_model(model)
            callback.set_params(dict(params))
        of_epoch = [*names, *(f"val_{name}" for name in names if validated)]
        for callback in self.callbacks:
            if type(callback).__module__ != __name__ or isinstance(callback, LambdaCallback):
                break
            if isinstance(callback, MonitorCallback):
                callback.ask(names, of_epoch)
            if isinstance(callback, ReduceLROnPlateau):
                of_epoch.append("learning_rate")

    def tell(self, event: str, *what: Any, **params: int | None) -> None:
        """Calls the hook `event` ("on_epoch_end") of every callback, after an update of their `params`."""
        for callback in self.callbacks:
            callback.params |= params
            getattr(callback, event)(*what)


def verbosity(verbose: str | int) -> int:
    """0 (nothing is printed), 1 (a bar) or 2 (a line an epoch)."""
    if verbose not in ("auto", 0, 1, 2):
        raise ValueError(f'verbose must be "auto", 0, 1 or 2, got {verbose!r}')
    return 1 if verbose == "auto" else int(verbose)


class History(Callback):
    """`history.history["loss"]`: a list with one value per epoch, for the loss, each metric, and their val_ versions."""

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = keras_2_words.NamedLogs()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self.epoch.append(epoch)
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)


class ProgressBar(Callback):
    """Keras's lines on standard output: with verbose=1 a progress bar, with 2 one line per epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
        self.started = self.drawn = time.perf_counter()
        self.done = 0
        print(f"Epoch {epoch + 1}/{self.params['epochs']}")

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        now, self.done = time.perf_counter(), batch + 1
        if self.params["verbose"] == 1 and sys.stdout.isatty() and now - self.drawn > 0.1:
            self.drawn = now
            print("\r" + progress_line(batch + 1, self.params["steps"], now - self.started, logs), end="", flush=True)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        start = "\r" if self.params["verbose"] == 1 and sys.stdout.isatty() else ""
        print(start + progress_line(self.done, self.done, time.perf_counter() - self.started, logs))


def progress_line(done: int, steps: int | None, seconds: float, logs: Logs) -> str:
    """ "14/14 ━━━━━━━━━━ 0.1s 5ms/step - loss: 0.6931 - accuracy: 0.5000"; steps None: not known yet."""
    filled = 20 * done // max(steps or 0, done)
    values = "".join(f" - {name}: {value:.4f}" for name, value in logs.items())
    bar = "━" * filled + "─" * (20 - filled) if steps else "━"
    return f"{done}/{steps or '?'} {bar} {seconds:.1f}s {1000 * seconds / done:.0f}ms/step{values}"


class MonitorCallback(Callback):
    """Base of the callbacks that watch one number in the logs: in which direction and by how much it must improve."""

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0, best: float | None = None) -> None:
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"mode must be auto, min or max, got {mode!r}")
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(min_delta)
        self.best = best
        self.logged: list[str] = []  # what an epoch's logs have, where it is known

    def ask(self, of_batch: list[str], of_epoch: list[str]) -> None:
        """ValueError if what it watches will not be among the names that the logs of an epoch have."""
        self.logged = of_epoch
        self.monitored(dict.fromkeys(of_epoch, 0.0))
        self.falls()

    def monitored(self, logs: Logs) -> float | None:
        """The watched number; None in an epoch without validation, where validation_freq makes some.

        ValueError if the logs do not have it; Keras only warns, and then does nothing.
        """
        name = keras_2_words.log_name(self.monitor, logs)
        if name not in logs:
            if keras_2_words.log_name(name, self.logged) in self.logged:
                return None
            validated = any(key.startswith("val_") for key in logs)
            hint = ": give fit validation_data or validation_split" if name.startswith("val_") and not validated else ""
            raise ValueError(f"{type(self).__name__} watches {self.monitor!r}, the logs have {', '.join(logs)}{hint}")
        return logs[name]

    def improves(self, value: float, reference: float | None) -> bool:
        """Whether value is better than the reference by more than min_delta; any value is better than None."""
        falls = self.falls()
        if math.isnan(value):
            return False
        if reference is None:
            return True
        return value + self.min_delta < reference if falls else value - self.min_delta > reference

    def falls(self) -> bool:
        """Whether smaller is better. ValueError where the mode is "auto" and the metric does not say."""
        name = keras_2_words.log_name(self.monitor, self.logged).removeprefix("val_")
        directions = {metric.name: metric.direction for metric in self.model.metrics}
        directions |= {"loss": "down"} | {f"{target.name}_loss": "down" for target in self.model.targets}
        direction = {"min": "down", "max": "up"}.get(self.mode) or directions.get(name)
        if direction is None:
            raise ValueError(f"whether {self.monitor} should rise or fall is not known: give mode='max' or mode='min'")
        return direction == "down"


class EarlyStopping(MonitorCallback):
    """Ends training after `patience` epochs without improvement, and can restore the weights of the best epoch.

    With a `baseline` the count of epochs starts again only at a value that is also better than it. Afterwards `best`,
    `best_epoch` and `stopped_epoch` (0 when training ran to its end) hold the result; epochs are counted from 0.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch

    def on_train_begin(self, logs: Logs) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = None
        self.best_weights: list[Array] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        value = self.monitored(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self.improves(value, self.best):
            self.best = value
            self.best_epoch = epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.improves(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose:
                print(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)


class ReduceLROnPlateau(MonitorCallback):
    """Multiplies the learning rate by `factor` after `patience` epochs without improvement, never below `min_lr`.

    For `cooldown` epochs after that it does not count. It adds the epoch's "learning_rate" to the logs.
    """

    @takes_keras_arguments
    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        if not 0 <= factor < 1:
            raise ValueError(f"factor must be at least 0 and below 1, got {factor!r}")
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.min_lr = min_lr

    def on_train_begin(self, logs: Logs) -> None:
        self.best = None
        self.wait = self.cooldown_counter = 0
        assert self.model.optimizer is not None  # fit has checked
        self.optimizer = self.model.optimizer
        # with a schedule this raises: now, not epochs later
        self.optimizer.learning_rate = self.optimizer.learning_rate

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        logs["learning_rate"] = old = self.optimizer.learning_rate
        value = self.monitored(logs)
        if value is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
        if self.improves(value, self.best):
            self.best = value
            self.wait = 0
        elif self.cooldown_counter == 0:
            self.wait += 1
            if self.wait >= self.patience and old > self.min_lr:
                self.optimizer.learning_rate = new = max(old * self.factor, self.min_lr)
                self.cooldown_counter = self.cooldown
                self.wait = 0
                if self.verbose:
                    print(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {new}.")


class LearningRateScheduler(Callback):
    """Sets the learning rate of every epoch to schedule(epoch, rate), or schedule(epoch); epochs are counted from 0.

    It adds the epoch's "learning_rate" to the logs.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
        optimizer = self.model.optimizer
        takes = inspect.signature(self.schedule).parameters.values()
        both = (
            any(p.kind is p.VAR_POSITIONAL for p in takes)
            or len([p for p in takes if p.kind is not p.KEYWORD_ONLY]) > 1
        )
        rate = self.schedule(epoch, optimizer.learning_rate) if both else self.schedule(epoch)
        if not isinstance(rate, float | np.floating):
            raise ValueError(f"LearningRateScheduler's schedule must return a float, got {rate!r} for epoch {epoch}")
        optimizer.learning_rate = float(rate)
        if self.verbose:
            print(f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.")

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        logs["learning_rate"] = self.model.optimizer.learning_rate


class ModelCheckpoint(MonitorCallback):
    """Saves the model after every epoch, or every `save_freq` batches; with save_best_only when `monitor` has improved.

    filepath may have fields for the epoch, counted from 1, and the logs: "{epoch:02d}-{val_loss:.2f}.keras". It ends in
    .safetensors, .keras, .h5 or .hdf5, with save_weights_only in .weights.h5, .h5 or .hdf5; what they are says `Files.save`.
    A file is written whole or not at all.
    """

    endings = (".safetensors", ".keras", ".h5", ".hdf5")
    endings_of_weights = (".weights.h5", ".h5", ".hdf5")

    @takes_keras_arguments
    def __init__(
        self,
        filepath: str | Path,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, best=initial_value_threshold)
        self.filepath = str(filepath)
        self._check_ending(save_weights_only)
        if save_freq != "epoch" and (not isinstance(save_freq, int) or save_freq < 1):
            raise ValueError(f"save_freq must be 'epoch' or a number of batches, got {save_freq!r}")
        self.verbose = verbose
        self.save_freq = save_freq
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.batches = 0  # since the last file

    def _check_ending(self, weights_only: bool) -> None:
        """ValueError for a name that does not say the format; it has the name to write."""
        endings = self.endings_of_weights if weights_only else self.endings
        stem = self.filepath.removesuffix(".weights.h5")
        alone = stem != self.filepath
        if not self.filepath.endswith(endings) or (alone and not weights_only):
            stem = next((stem[: -len(e)] for e in (".safetensors", ".keras", ".tf", ".ckpt") if stem.endswith(e)), stem)
            either = f", or give save_weights_only=True for {self.filepath!r}" if alone else ""
            raise ValueError(
                f"filepath ends in {', '.join(endings)} with save_weights_only={weights_only}, got {self.filepath!r}: write "
                f"{stem + ('.weights.h5' if weights_only else '.keras')!r}{either}"
            )

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        if self.save_freq == "epoch":
            return
        self.batches += 1
        if self.batches >= int(self.save_freq):
            self.batches = 0
            self.save(logs, batch=batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if self.save_freq == "epoch":
            self.save(logs)

    def ask(self, of_batch: list[str], of_epoch: list[str]) -> None:
        names, batch = (of_epoch, {}) if self.save_freq == "epoch" else (of_batch, {"batch": 1})
        if self.save_best_only:
            super().ask(names, names)
        self.path({"epoch": 1, **batch, **dict.fromkeys(names, 0.0)})

    def path(self, places: dict[str, Any]) -> str:
        """The filepath with the numbers in its places. ValueError for a place that has no number."""
        try:
            return self.filepath.format_map(keras_2_words.NamedLogs(places))
        except KeyError as error:
            raise ValueError(f"{self.filepath} has a place for {error}, there are {', '.join(places)}") from None

    def save(self, logs: Logs, **batch: int) -> None:
        path = self.path({"epoch": self.epoch + 1, **batch, **logs})
        what = f"\nEpoch {self.epoch + 1}:"
        if self.save_best_only:
            value = self.monitored(logs)
            if value is None:
                return
            best = "None" if self.best is None else f"{self.best:.5f}"
            if not self.improves(value, self.best):
                if self.verbose:
                    print(f"{what} {self.monitor} did not improve from {best}")
                return
            self.best = value
            what += f" {self.monitor} improved from {best} to {value:.5f},"
        try:
            (self.model.save_weights if self.save_weights_only else self.model.save)(path)
        except NotFinite as fault:
            warnings.warn(f"{what} nothing saved to {path}: {fault}", stacklevel=2)
            return
        if self.verbose:
            print(f"{what} saving model to {path}")


class BackupAndRestore(Callback):
    """Lets a training that was killed go on: fit it again, with the same data, and it starts where the last backup was.

    The backup is one file in backup_dir: weights, kept states, optimizer, generators and the number of the next epoch, so
    that the weights come out bit for bit as if nothing had happened. It is written whole or not at all, after every epoch, or
    with save_freq after so many batches: that epoch is then begun again, as in Keras. double_checkpoint keeps the backup
    before it too. When fit ends, both are deleted, unless delete_checkpoint=False. As in Keras the history holds the epochs
    of the second fit, and the counts of other callbacks begin anew. Give it last, after those that change the model.
    """

    def __init__(
        self,
        backup_dir: str | Path,
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        if not str(backup_dir):
            raise ValueError("backup_dir is a folder for the backup alone, got an empty name")
        if save_freq != "epoch" and (isinstance(save_freq, bool) or not isinstance(save_freq, int) or save_freq < 1):
            raise ValueError(f"save_freq must be 'epoch' or a number of batches, got {save_freq!r}")
        self.backup_dir = Path(backup_dir)
        self.save_freq = save_freq
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint

    @property
    def files(self) -> tuple[Path, Path]:
        """The latest backup, and the one before it."""
        return self.backup_dir / "latest.safetensors", self.backup_dir / "previous.safetensors"

    def on_train_begin(self, logs: Logs) -> None:
        self.batches = 0  # since the last backup
        faults = []
        for file in filter(Path.exists, self.files):
            try:
                metadata = weights.resume(self.model, file)
            except ValueError as error:
                faults.append(str(error))
            else:
                self.model.metadata = metadata["metadata"]
                self.model.initial_epoch = metadata["epoch"]
                return
        if faults:
            raise ValueError(f"{faults[0]}; delete {self.backup_dir} to begin the training anew")

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        self.batches += 1
        if self.save_freq != "epoch" and self.batches >= int(self.save_freq):
            self.save(self.epoch)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if self.save_freq == "epoch":
            self.save(epoch + 1)

    def save(self, epoch: int) -> None:
        """Writes the backup from which the training goes on at the beginning of this epoch."""
        self.batches = 0
        latest, previous = self.files
        try:
            finite.require(finite.state_of(self.model))
        except NotFinite as fault:
            warnings.warn(f"no backup at epoch {epoch}: {fault}", stacklevel=2)
            return
        self.backup_dir.mkdir(parents=True, exist_ok=True)
        if self.double_checkpoint and latest.exists():
            latest.replace(previous)
        metadata = self.model.metadata
        try:
            weights.save(self.model, latest, {"epoch": epoch, "metadata": metadata})
        finally:
            self.model.metadata = metadata

    def on_train_end(self, logs: Logs) -> None:
        if self.delete_checkpoint and self.backup_dir.is_dir():
            for file in (
                *self.files,
                *self.backup_dir.glob(f".{self.files[0].name}.*"),
            ):  # what a kill left half written
                file.unlink(missing_ok=True)
            if not any(self.backup_dir.iterdir()):
                self.backup_dir.rmdir()


class CSVLogger(Callback):
    """One line per epoch in a CSV file: the epoch, counted from 0, and the logs, sorted; missing values are "NA".

    The file is opened for each line and closed again, so that it is complete after every epoch however training ends.
    """

    def __init__(self, filename: str | Path, separator: str = ",", append: bool = False) -> None:
        self.filename = Path(filename)
        self.separator = separator
        self.append = append

    def on_train_begin(self, logs: Logs) -> None:
        self.fields: list[str] = []
        if not self.append:
            self.filename.write_text("")

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if not self.fields:
            names = sorted(logs)
            twins = [] if any(name.startswith("val_") for name in names) else [f"val_{name}" for name in names]
            self.fields = ["epoch", *names, *twins]  # as in Keras, with columns for a validation in any case
        with self.filename.open("a+", newline="") as file:
            file.seek(0)
            header = next(csv.reader(file, delimiter=self.separator), None)
            if header not in (None, self.fields):
                raise ValueError(f"{self.filename} has the columns {header}, this training {self.fields}")
            writer = csv.DictWriter(file, self.fields, "NA", "ignore", delimiter=self.separator)
            if header is None:
                writer.writeheader()
            writer.writerow({"epoch": epoch, **logs})


class TerminateOnNaN(Callback):
    """Ends training after a batch whose loss is NaN or infinite; with raise_error=True it raises a RuntimeError.

    Without it `fit` raises. In both cases the weights are again those of the epoch's beginning.
    """

    ends_on_nan = True

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = raise_error

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        if not math.isfinite(logs["loss"]):
            self.ends(batch, f"the loss is {logs['loss']}", "Invalid loss")

    def ends(self, batch: int, why: str, words: str = "") -> None:
        """Ends the training; `fit` calls it too, where a gradient or a weight is not finite while the loss is."""
        if self.raise_error:
            raise RuntimeError(f"{why} at batch {batch}: training ends here")
        print(f"Batch {batch}: {words or why}, terminating training")
        self.model.stop_training = True


class LambdaCallback(Callback):
    """Calls functions as hooks: `LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch))`."""

    def __init__(
        self,
        on_epoch_begin: Hook = None,
        on_epoch_end: Hook = None,
        on_train_begin: Hook = None,
        on_train_end: Hook = None,
        on_train_batch_begin: Hook = None,
        on_train_batch_end: Hook = None,
    ) -> None:
        vars(self).update({k: v for k, v in locals().items() if k.startswith("on_") and v is not None})
