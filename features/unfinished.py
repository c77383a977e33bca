"""The folder `unfinished` of an extraction: results as they come, then the whole new store, which takes the old one's place.

For extraction. The contract: the store beside it stays whole until the new one is, so that a call that fails changes nothing;
at any moment each result that was written is in a file that `files` finds, whatever was killed. Each run has a folder of its
own, named after its start: unfinished/1790000000000000000/results/00000.safetensors, and store/ with the new store.
"""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from features import export, store
from features.kept import Kept
from features.store import MANIFEST, SHARDS, UNFINISHED, Entry, Shard
from features.whole_files import sync_folder

EVERY_S = 2.0  # a kill costs the results of so many seconds, and the clips that are being measured


def files(out: Path) -> list[Path]:
    """All files in a folder that hold results: those of its store, and those of runs that were stopped."""
    return [*sorted((out / SHARDS).glob("*.safetensors")), *sorted((out / UNFINISHED).rglob("*.safetensors"))]


class Results:
    """Writes results into files in `folder` as they come: every 64 clips, after two seconds, and at the end, however it ends.

    kept: learns where each result is.
    """

    def __init__(self, folder: Path, header: dict[str, Any], started_ns: int, kept: Kept) -> None:
        self.folder, self.header, self.started_ns, self.kept = folder, header, started_ns, kept
        self.waiting: list[tuple[int, Entry, np.ndarray | None]] = []
        self.written, self.at = 0, monotonic()
        folder.mkdir(parents=True)

    def add(self, number: int, entry: Entry, frames: np.ndarray | None) -> None:
        """The result of the clip with this number: frames (T, D), None for a clip that failed."""
        self.waiting.append((number, entry, frames))
        if len(self.waiting) >= self.header["clips_per_shard"] or monotonic() - self.at >= EVERY_S:
            self.write()

    def write(self) -> None:
        """Write what is waiting."""
        if self.waiting:
            path = self.folder / f"{self.written:05d}.safetensors"
            results = [(entry, frames) for _, entry, frames in self.waiting]
            store.write_shard(path, shard_of(self.header, results, 0), self.started_ns)
            self.kept.add(path, [number for number, *_ in self.waiting])
            self.waiting, self.written = [], self.written + 1
        self.at = monotonic()

    def __enter__(self) -> "Results":
        return self

    def __exit__(self, *error: object) -> None:
        self.write()


def shard_of(header: dict[str, Any], results: Sequence[tuple[Entry, np.ndarray | None]], number: int) -> Shard:
    """A shard of these results; their entries get its number and their places in it."""
    entries: list[Entry] = []
    frames: list[np.ndarray] = []
    for entry, rows in results:
        entries.append(replace(entry, shard=number, index=None if rows is None else len(frames)))
        if rows is not None:
            frames.append(rows)
    return Shard(header, entries, frames)


def clean(out: Path, kept: Kept) -> None:
    """Remove stores that stopped runs had begun to make, but for the files that hold a result that is in no other one."""
    used = kept.used()
    for path in (out / UNFINISHED).glob("*/store/**/*"):
        if path.is_file() and path not in used:
            path.unlink()


def put_in_place(new: Path, out: Path) -> None:
    """The finished store in the folder `new`, with its tables, becomes that of `out`; the manifest comes last.

    A run that is killed meanwhile leaves no manifest, and all results, in `out` or in `new`.
    """
    export.remove(out)
    (out / SHARDS).mkdir(exist_ok=True)
    names = {path.name for path in (new / SHARDS).iterdir()}
    for name in sorted(names):
        os.replace(new / SHARDS / name, out / SHARDS / name)
    for path in (out / SHARDS).glob("*.safetensors"):
        if path.name not in names:
            path.unlink()
    sync_folder(out / SHARDS)
    for path in sorted((p for p in new.iterdir() if p.is_file()), key=lambda p: p.name == MANIFEST):
        os.replace(path, out / path.name)
    sync_folder(out)


def remove(out: Path) -> None:
    """Remove what unfinished extractions have left, and nothing else."""
    folder = out / UNFINISHED
    for run in (path for path in folder.glob("*") if path.name.isdecimal()):
        shutil.rmtree(run)
    with suppress(OSError):  # it is not there, or holds something else
        folder.rmdir()
