"""What earlier runs have measured, found again clip by clip: in a store's shards, and in what stopped runs have left.

For extraction. The contract: a result is kept only for the same stretch of the same recording, whose file has the size that
was measured and has not changed since the run that measured it began; labels may differ. Two collections may have the same
names, and a folder that is renamed leaves its files as they were: of each list of clips, and of each folder that has changed
since, a recording is decoded and compared with the hash of what was measured.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from features.audio import BadClip, content_hash, read_clip
from features.corpora import Utterance
from features.measuring import LONGEST_S, state_of
from features.store import Entry, read_shard_file

COMPARED = 3  # recordings decoded at most to recognise a list of clips: the first may be decoded in another way by now
Key = tuple[str, float, float | None]  # of a clip: path, start_s, end_s
Move = tuple[str, str]  # what a path begins with in the files, and now: ("", "") where nothing has moved
STAYS = ("", "")


@dataclass
class Kept:
    """Where the results of N clips are: that of clip n is entry `places[n]` of the shard `files[sources[n]]`.

    sources, places (N,) int32; sources[n] is -1 for a clip without a result. measured: the files hold numbers of some clips,
    whether of these or not. foreign: some are of clips with the same names, but of other recordings. gone: results of clips
    that are not in the list. relabelled: numbers of the clips whose result has another speaker, sex or split.
    """

    sources: np.ndarray
    places: np.ndarray
    files: list[Path] = field(default_factory=list)
    measured: bool = False
    foreign: bool = False
    gone: set[Key] = field(default_factory=set)
    relabelled: set[int] = field(default_factory=set)

    @classmethod
    def nothing(cls, clips: int) -> "Kept":
        """No result yet for any of so many clips."""
        return cls(np.full(clips, -1, np.int32), np.zeros(clips, np.int32))

    def missing(self) -> list[int]:
        """Numbers of the clips without a result."""
        return [int(n) for n in np.flatnonzero(self.sources < 0)]

    def used(self) -> set[Path]:
        """The files that hold a result."""
        return {self.files[source] for source in np.unique(self.sources[self.sources >= 0])}

    def add(self, file: Path, numbers: Sequence[int]) -> None:
        """The shard `file` holds the results of the clips with these numbers, in this order."""
        self.files.append(file)
        self.sources[numbers], self.places[numbers] = len(self.files) - 1, range(len(numbers))

    def results(self, numbers: range) -> list[tuple[Entry, np.ndarray | None]]:
        """(entry, frames (T, D), or None if the clip failed) of each of these clips; one file is in memory at a time."""
        found: dict[int, tuple[Entry, np.ndarray | None]] = {}
        for source in np.unique(self.sources[numbers.start : numbers.stop]):
            clips = list(read_shard_file(self.files[source]).clips())
            for n in (n for n in numbers if self.sources[n] == source):
                entry, frames = clips[self.places[n]]
                found[n] = entry, None if frames is None else frames.copy()  # a view would keep the file in memory
        return [found[n] for n in numbers]


@dataclass(frozen=True)
class _Matches:
    """Results of the clips, unchanged: (clip's number, file's number, place) each; samples: (entry, clip) of some of them."""

    places: list[tuple[int, int, int]]
    samples: list[tuple[Entry, Utterance]]
    gone: set[Key]
    relabelled: set[int]
    measured: set[Path]  # files with numbers of some clips


@dataclass
class _Folder:
    """Results of clips in one folder, as in `_Matches`; sample: one of them, to be compared with its recording."""

    places: list[tuple[int, int, int]] = field(default_factory=list)
    relabelled: set[int] = field(default_factory=set)
    sample: tuple[Entry, Utterance] | None = None


def find(
    lists: Sequence[tuple[dict[str, Any], list[Path]]], header: dict[str, Any], clips: Sequence[Utterance],
    relative: Sequence[str], retry_failed: bool,
) -> Kept:  # fmt: skip
    """What files of earlier runs hold of the clips, whose header is `header`; retry_failed: keep no failed clip.

    lists: for each list of clips that was measured, its header and files. relative: the clips' paths relative to the folder
    that holds all of them. If that folder was another one, above or below, the clips are found under their new paths. A
    damaged file counts as missing.
    """
    kept = Kept.nothing(len(clips))
    if not lists:
        return kept
    numbers: dict[Key, list[int]] = {}  # of the clips; a list may name one twice
    for n, (path, clip) in enumerate(zip(relative, clips, strict=True)):
        numbers.setdefault((path, clip.start_s, clip.end_s), []).append(n)
    for one, files in lists:
        for move in chain([STAYS], (move for move in _moves(files, set(relative)))):
            found = _matches(files, numbers, clips, move, retry_failed)
            kept.measured |= bool(found.measured)
            if _is_same_sound(found.samples) or (not found.samples and one == header):
                _enter(kept, files, found)
                break
            kept.foreign |= bool(found.samples)
    for same in (same for same in numbers.values() if len(same) > 1):
        known = next((n for n in same if kept.sources[n] >= 0), same[0])
        for n in same:
            if kept.sources[n] < 0:
                kept.sources[n], kept.places[n] = kept.sources[known], kept.places[known]
    return kept


def _enter(kept: Kept, files: list[Path], found: _Matches) -> None:
    first = len(kept.files)
    kept.files += files
    for n, file, place in found.places:
        if kept.sources[n] < 0:
            kept.sources[n], kept.places[n] = first + file, place
    kept.gone |= found.gone
    kept.relabelled |= found.relabelled


def _matches(
    files: list[Path], numbers: dict[Key, list[int]], clips: Sequence[Utterance], move: Move, retry_failed: bool
) -> _Matches:
    state, found, taken = cache(state_of), _Matches([], [], set(), set(), set()), Counter[Key]()
    folders: dict[Path | None, _Folder] = {}  # that have changed since, None for all others
    for file, path in enumerate(files):
        try:
            started_ns, entries = path.stat().st_mtime_ns, read_shard_file(path).entries  # see `store.write_shard`
        except (OSError, ValueError):
            continue
        if any(entry.status == "ok" for entry in entries):
            found.measured.add(path)
        sample = None
        for place, entry in enumerate(entries):
            key = _moved(entry, move)
            if key not in numbers:
                found.gone.add(key)
                continue
            n = numbers[key][min(taken[key], len(numbers[key]) - 1)]
            taken[key] += 1
            size, changed = state(clips[n].path)
            if size != entry.bytes or changed > started_ns or (retry_failed and entry.status != "ok"):
                continue
            folder = folders.setdefault(
                _changed_folder(clips[n].path, key[0].count("/") + 1, started_ns, state), _Folder()
            )
            folder.places.append((n, file, place))
            if (entry.speaker, entry.sex, entry.split) != (clips[n].speaker, clips[n].sex, clips[n].split):
                folder.relabelled.add(n)
            folder.sample = folder.sample or ((entry, clips[n]) if entry.status == "ok" else None)
            sample = sample or (entry.status == "ok" and (entry, clips[n]))
        if sample:
            found.samples.append(sample)
    for path, folder in folders.items():
        if path is None or (folder.sample and _is_same_sound([folder.sample])):
            found.places.extend(folder.places)
            found.relabelled.update(folder.relabelled)
    return found


def _changed_folder(path: Path, levels: int, started_ns: int, state: Callable[[Path], tuple[Any, int]]) -> Path | None:
    """The nearest of so many folders above a recording that has another name or other files since then, None for none."""
    return next((folder for folder in list(path.parents)[:levels] if state(folder)[1] > started_ns), None)


def _moved(entry: Entry, move: Move) -> Key:
    before, now = move
    path = now + entry.path.removeprefix(before) if entry.path.startswith(before) else ""
    return path, entry.start_s, entry.end_s


def _moves(files: list[Path], paths: set[str]) -> Iterator[Move]:
    """Ways in which the folder of all clips may have moved up or down since, those with the most clips in common first."""
    earlier: set[str] = set()
    for file in files:
        try:
            earlier.update(entry.path for entry in read_shard_file(file).entries)
        except (OSError, ValueError):
            continue
    up = Counter(("", path[:k]) for path in paths for k in _ends_of_folders(path) if path[k:] in earlier)
    down = Counter((path[:k], "") for path in earlier for k in _ends_of_folders(path) if path[k:] in paths)
    yield from (move for move, _ in islice((up + down).most_common(), COMPARED))


def _ends_of_folders(path: str) -> Iterator[int]:
    return (k + 1 for k, letter in enumerate(path) if letter == "/")


def _is_same_sound(samples: list[tuple[Entry, Utterance]]) -> bool:
    """Whether one of a few recordings still has the hash that was measured."""
    some = samples[:: max(1, len(samples) // COMPARED)][:COMPARED]
    return any(entry.sha256 == _hash(clip) for entry, clip in some)


def _hash(clip: Utterance) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # said when it was measured
            return content_hash(read_clip(clip.path, clip.start_s, clip.end_s, LONGEST_S)[0])
    except BadClip:
        return None
