"""A training that goes on after a stop: its checkpoints lie in the folder `checkpoints` of its run until the run is finished.

A checkpoint is a model's file with the state of the optimizer and of the generators, the history and what was watched so far,
so that the training's files come out as if it had not been stopped, byte for byte. The beginning of its SHA-256 is part of
its name. run.json beside them says which command it was.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

import lstm_engine as le
from experiments.reports.run import CONFIG, Run, differences, record, to_json
from experiments.reports.working import Stopped, after_the_batch, alone, heard
from features.whole_files import sweep
from lstm_engine import loadable, weights
from lstm_engine.files import write_atomically

FOLDER, RECORD = "checkpoints", "run.json"
KEPT = 3  # checkpoints of a training under way; of one that is done, the last
EVERY_S = 2.0  # without a number of epochs: a checkpoint at the first end of an epoch after so many seconds
Say = Callable[[str], None]


class Watching(Protocol):
    """A callback that collects rows, epoch by epoch."""

    rows: list[dict[str, Any]]


class Trainings:
    """The trainings of one run; `done` where the folder holds the run already, finished. Made by `trainings`."""

    def __init__(
        self, run: Run, command: str, settings: Mapping[str, Any], facts: dict[str, Any], count: int, every: int | None,
        say: Say,
    ) -> None:  # fmt: skip
        self.run, self.command, self.settings, self.facts = run, command, settings, facts
        self.count, self.every, self.say = count, every, say
        self.folder = run.folder / FOLDER
        self.done = False
        self.resumed = False
        self.again = "the same command"
        self.epochs = self.kept = 0  # of all trainings

    @contextmanager
    def training(
        self, name: str, epochs: int, watch: Watching | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Iterator["Checkpoints"]:
        """A training of this run. Ctrl-C and SIGTERM end it after a batch, with a checkpoint. metadata: for its files."""
        keep = Checkpoints(self, self.folder / name, epochs, watch, dict(metadata or {}))
        self.epochs = self.count * epochs
        with after_the_batch():
            yield keep

    def record(self) -> None:
        """Writes run.json, before the first checkpoint, and where somebody has removed it."""
        if not (self.folder / RECORD).exists():
            write_atomically(self.folder / RECORD, (to_json(self.facts) + "\n").encode())

    def write_config(self, seconds: Mapping[str, Any] = MappingProxyType({})) -> None:
        """config.json, after all other files: the run is finished. seconds: for surroundings.json."""
        self.run.write_config(self.command, seconds, **self.settings)

    def words(self) -> str:
        """What is kept, and how to go on."""
        if not self.kept:
            return "before an epoch was kept; the same command starts again"
        of = f" of the {self.count} trainings" if self.count > 1 else ""
        return f"{self.kept} of {self.epochs} epochs{of} are kept in {self.run.folder}; {self.again} goes on"


class Checkpoints(le.Callback):
    """The checkpoints of one training, for `fit` as a callback, which hears signals; `after_epoch` keeps an epoch.

    After `restore`, `done` is the number of epochs that are trained, and `history` has their rows.
    """

    def __init__(
        self, run: Trainings, folder: Path, epochs: int, watch: Watching | None, metadata: dict[str, Any]
    ) -> None:
        self.run, self.folder, self.epochs, self.watch, self.metadata = run, folder, epochs, watch, metadata
        self.history: list[dict[str, float]] = []
        self.waiting: tuple[dict[str, str], dict[str, Any], int] | None = None  # the last epoch, until it is written
        self.at, self.before = monotonic(), run.kept

    @property
    def done(self) -> int:
        return len(self.history)

    def files(self) -> list[Path]:
        """The checkpoints, oldest first."""
        return sorted(self.folder.glob("*-*.safetensors"))

    def restore(self, model: le.Sequential) -> list[dict[str, float]]:
        """Puts the newest checkpoint that is whole into the model, built and compiled. Returns a copy of its history."""
        loadable.check(model)
        sweep(self.folder)
        for path in reversed(self.files()):
            if path.stem.partition("-")[2] != _digest(path.read_bytes()):
                self.run.say(f"{path} is damaged: going on from the checkpoint before it")
                continue
            progress = json.loads(weights.resume(model, path)["progress"])
            self.history = progress["history"]
            if self.watch is not None:
                self.watch.rows = progress["watched"]
            break
        self.run.kept = self.before + self.done
        if 0 < self.done < self.epochs:
            self.run.say(f"{self.folder.name}: {self.done} of {self.epochs} epochs are there")
        return list(self.history)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float]) -> None:
        if heard.signal:
            self.stop()

    def after_epoch(self, model: le.Sequential, row: Mapping[str, float]) -> None:
        """Keeps an epoch with its row of the history; on disk if it is time for that, else until a signal comes."""
        self.history.append({name: float(value) for name, value in row.items()})
        header, tensors = weights.described(model)
        rows = len(self.watch.rows) if self.watch else 0
        self.waiting = header, {name: tensor.copy() for name, tensor in tensors.items()}, rows
        every = self.run.every
        due = self.done % every == 0 if every else monotonic() - self.at >= EVERY_S
        if due or self.done == self.epochs:
            self.write()
        if heard.signal:
            self.stop()

    def write(self) -> None:
        """Writes the last epoch, if it is not on disk, and removes the oldest checkpoints."""
        if self.waiting is None:
            return
        header, tensors, rows = self.waiting
        watched = self.watch.rows[:rows] if self.watch else []
        progress = json.dumps({"history": self.history, "watched": watched})
        content = weights.to_bytes(header, tensors, self.metadata | {"progress": progress})
        self.run.record()
        write_atomically(self.folder / f"{self.done:05d}-{_digest(content)}.safetensors", content)
        self.waiting, self.at, self.run.kept = None, monotonic(), self.before + self.done
        for old in self.files()[: -1 if self.done == self.epochs else -KEPT]:
            old.unlink()

    def stop(self) -> None:
        """Writes what is not on disk yet and ends the training."""
        self.write()
        raise Stopped(f"stopped: {self.run.words()}")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def digest(examples: Iterable[Any]) -> str:
    """16 digits that change with any number of what a training reads: arrays, lists of them, texts."""
    total = hashlib.sha256()
    for part in examples:
        for item in part if isinstance(part, list | tuple) else [part]:
            total.update(item.encode() if isinstance(item, str) else np.ascontiguousarray(item).data)
    return total.hexdigest()[:16]


@contextmanager
def trainings(
    out: str | Path, command: str, settings: Mapping[str, Any], arguments: Mapping[str, Any], *, count: int = 1,
    force: bool = False, every: int | None = None, say: Say = lambda text: None,
) -> Iterator[Trainings]:  # fmt: skip
    """A run of `count` trainings in the folder `out`: a new one, one to go on with, or one that is done.

    settings: what the run depends on, as in config.json. arguments: those that `begun` gives back. every: epochs between two
    checkpoints; without it, a checkpoint every epoch that takes more than EVERY_S, and as often where epochs are shorter.
    When the block ends without an error, the run is finished, and its checkpoints go. FileExistsError for a run with other
    settings or anything else there, BlockingIOError while another process works there, `Stopped` after a signal, OSError if
    a file cannot be written: the last two say what is kept and how to go on.
    """
    facts = record(command, settings)
    with alone(out), ExitStack() as stack:
        folder = Path(out) / FOLDER
        if force:
            shutil.rmtree(folder, ignore_errors=True)
        elif folder.is_dir():
            sweep(folder)
            with suppress(OSError):  # it holds a checkpoint
                folder.rmdir()
        unfinished = read_json(folder / RECORD)
        there = unfinished or ({} if force else read_json(Path(out) / CONFIG))
        resumed = there.get("command") == command
        if resumed and (odd := differences(there, facts, ("settings", "versions", "machine"))):
            raise FileExistsError(
                f"{out} holds a training with other settings (there and now: {'; '.join(odd)}): choose another --out, or "
                "replace it with --force"
            )
        facts |= {"arguments": dict(arguments)}
        kept = Trainings(Run(out, force or resumed), command, settings, facts, count, every, say)
        kept.done, kept.resumed = resumed and not unfinished, bool(unfinished)
        if kept.done:
            shutil.rmtree(folder, ignore_errors=True)  # a kill may have left a part of it
            say(f"nothing to do: {out} holds this training, finished; --force trains again")
            yield kept
            return
        if force:
            kept.again = "the same command without --force"
        stack.enter_context(_told(kept))
        if kept.resumed:
            say(f"going on with the training in {out}")
        yield kept
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _told(kept: Trainings) -> Iterator[None]:
    """Says after a signal, and where a file cannot be written, what is kept."""
    try:
        yield
    except KeyboardInterrupt as stop:
        raise Stopped(str(stop) or f"stopped: {kept.words()}") from None
    except OSError as error:
        raise OSError(f"{kept.run.folder} cannot be written ({error.strerror or error}): {kept.words()}") from error


def begun(run: str | Path) -> dict[str, Any] | None:
    """The arguments of the training in the folder of a run, None where it is finished. ValueError if there is none."""
    if facts := read_json(Path(run) / FOLDER / RECORD):
        return dict(facts["arguments"])
    if read_json(Path(run) / CONFIG).get("command", "").startswith("train"):
        return None
    there = [path.parents[1] for path in sorted(Path(run).glob(f"*/{FOLDER}/{RECORD}"))]  # digits of both targets
    raise ValueError(
        f"{run} holds no training that could go on: name {there[0] if there else 'the folder of its --out'}"
    )


def read_json(path: Path) -> dict[str, Any]:
    """A file's JSON object, {} where there is none."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}
