"""Find the same sound among clips, so that it counts once, has one sex, and is in one part.

For everything that reads measured clips. Sounds are compared by a key: the hash of the decoded samples, or a row of numbers
that were measured on them. A lossy copy, or another stretch of a recording, is another sound.
"""

import hashlib
import os
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path

import numpy as np

from features.corpora import Utterance
from features.corpora.notes import note
from features.corpora.settling import some

BOTH = "both_sexes"  # a sound under both sexes, all of whose clips are left out
COPY = "twice"  # a further clip of a sound
RANKS = {"": 0, "train": 0, "dev": 1, "test": 2}  # of the parts: a sound stays in the last one, as a speaker does
CHUNK = 1 << 12


def left_out(sounds: Iterable[Hashable], sexes: Iterable[object], splits: Iterable[str]) -> np.ndarray:
    """(N,) str for N clips: BOTH, COPY, or "" for a clip that is kept; of the copies in one part the first is kept."""
    clips = list(zip(sounds, sexes, splits, strict=True))
    groups: dict[Hashable, list[int]] = {}
    for n, (sound, _, _) in enumerate(clips):
        groups.setdefault(sound, []).append(n)
    why = np.full(len(clips), "", object)
    for group in groups.values():
        if len({clips[n][1] for n in group}) > 1:
            why[group] = BOTH
        else:
            last = max(group, key=lambda n: RANKS.get(clips[n][2], 1))
            why[[n for n in group if n != last]] = COPY
    return why


def tell(why: np.ndarray, names: Sequence[str], source: object) -> None:
    """Warn with a `Note` how many clips are left out for each reason of `left_out`. names (N,): the clips' paths."""
    for reason, words in (
        (BOTH, "the same sound is labelled male and female"),
        (COPY, "the same sound is there before"),
    ):
        if clips := [names[n] for n in np.flatnonzero(why == reason)]:
            says = f"clips left out, {words}: {len(clips)} ({some(clips)})"
            note(source, reason, len(clips), says, names=clips)


def same_bytes(clips: Sequence[Utterance]) -> list[Hashable]:
    """A key for each clip, equal where the files have the same bytes and the stretch is the same. Nothing is decoded.

    Only files of equal size are opened, and read whole only if they agree in the middle.
    """
    keys: dict[Path, Hashable] = {}
    same: list[list[Path]] = [list(dict.fromkeys(clip.path for clip in clips))]
    for key_of in (_size, _middle, _digest):
        groups: dict[Hashable, list[Path]] = {}
        for path in (path for group in same for path in group):
            keys[path] = (keys.get(path), key_of(path))
            groups.setdefault(keys[path], []).append(path)
        same = [group for group in groups.values() if len(group) > 1]
    return [(keys[clip.path], clip.start_s, clip.end_s) for clip in clips]


def _size(path: Path) -> Hashable:
    try:
        return os.stat(path).st_size or path  # empty files are no copies of each other
    except OSError:
        return path


def _middle(path: Path) -> Hashable:
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.stat(path).st_size - CHUNK) // 2)
            return file.read(CHUNK)
    except OSError:
        return path


def _digest(path: Path) -> Hashable:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return path
