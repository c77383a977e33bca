"""The result of an extraction on disk: shards, which hold the frames, and a manifest with one line for each clip.

For extraction, which writes it, and for training, which reads it. The contract: a shard is written whole or not at all and
describes its own content; the bytes depend on the clips and the recipe alone. docs/voices.md describes the format.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, astuple, dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from features.corpora import Utterance
from features.recipes import Recipe, stamp_differences
from features.whole_files import replacing

FORMAT, VERSION = "lstm-engine clips", 1
CLIPS_PER_SHARD = 64
MANIFEST, SHARDS = "manifest.jsonl", "shards"
UNFINISHED = "unfinished"  # a folder beside them: results of extractions that are not finished (see `extraction`)
READING = 2  # one more whenever sound files are read otherwise: 2 reads an MP3 to its real end; no number is 1
LIST = {"clips", "clips_sha256", "corpus"}  # what a header says of the list of clips
METADATA = "extraction"  # one key only: safetensors would write several in no fixed order


@dataclass(frozen=True)
class Entry:
    """A clip's line in the manifest: the speaker, the file, the stretch in seconds, and the result.

    status "ok": the clip is number `index` of shard `shard`, lasts `seconds` and has the hash `sha256` (audio.content_hash).
    status "failed": `reason` (audio.Reason) and `message` say why. bytes: size of the file, None if it does not exist.
    """

    path: str
    speaker: str | None
    sex: str
    split: str
    start_s: float
    end_s: float | None
    bytes: int | None
    status: str
    reason: str | None
    message: str | None
    seconds: float | None
    sha256: str | None
    shard: int
    index: int | None

    @property
    def utterance(self) -> Utterance:
        """The clip; its path is relative to the corpus."""
        return Utterance(Path(self.path), self.speaker, self.sex, self.split, self.start_s, self.end_s)


@dataclass(frozen=True)
class Shard:
    """The clips of one shard: the extraction's header, one entry for each clip, and frames (T, D) of each clip that is ok."""

    header: dict[str, Any]
    entries: list[Entry]
    frames: list[np.ndarray]

    def clips(self) -> Iterator[tuple[Entry, np.ndarray | None]]:
        """(entry, frames (T, D), or None if the clip failed) of each clip, in order."""
        for entry in self.entries:
            yield entry, None if entry.index is None else self.frames[entry.index]


@dataclass(frozen=True)
class Store:
    """A finished extraction in `folder`; `header` is the same in all its shards (see `header_of`)."""

    folder: Path
    header: dict[str, Any]

    @property
    def stamp(self) -> dict[str, Any]:
        """The stamp of the recipe (see `Recipe.stamp`): recipe, parameters, versions."""
        return stamp_of(self.header)

    @property
    def corpus(self) -> str:
        """The corpus that the speakers' names belong to (see corpora.names_of); "" if the extraction did not state it."""
        return str(self.header.get("corpus", ""))

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the D numbers of a frame."""
        return tuple(self.header["columns"])

    @property
    def manifest(self) -> Iterator[Entry]:
        """The entry of every clip, read one at a time, in the order of path and start."""
        with (self.folder / MANIFEST).open(encoding="ascii") as lines:
            for line in islice(lines, 1, None):
                yield Entry(**json.loads(line))

    def clips(self) -> Iterator[tuple[Entry, np.ndarray | None]]:
        """(entry, frames (T, D), or None if the clip failed) of every clip; one shard is in memory at a time."""
        for number in range(shard_count(self.header)):
            shard = read_shard(self.folder, number)
            if shard.header != self.header:
                path = shard_path(self.folder, number)
                raise ValueError(f"{path} is of another extraction than the {MANIFEST} in its folder")
            yield from shard.clips()


def open_store(folder: str | Path) -> Store:
    """Open the finished extraction in a folder. Raises FileNotFoundError if there is none, ValueError if it is damaged."""
    path = Path(folder) / MANIFEST
    if not path.exists():
        unfinished = " yet: the extraction has not finished, run it again to continue"
        begun = any((Path(folder) / name).is_dir() for name in (SHARDS, UNFINISHED))
        advice = unfinished if begun else ": make one with `lstm-engine features`"
        raise FileNotFoundError(f"{folder} has no {MANIFEST}{advice}")
    try:
        with path.open(encoding="ascii") as lines:
            header = json.loads(next(lines, ""))
    except ValueError as error:
        raise ValueError(f"{path} is not the manifest of an extraction: {error}") from None
    if not isinstance(header, dict) or (header.get("format"), header.get("version")) != (FORMAT, VERSION):
        raise ValueError(f"{path} is not a manifest that this version reads: expected {FORMAT!r}, version {VERSION}")
    return Store(Path(folder), header)


def read_header(path: Path) -> dict[str, Any]:
    """The header of the extraction that a shard belongs to. Raises ValueError for a file that is damaged or not a shard."""
    try:
        with safe_open(path, framework="numpy") as file:
            header: dict[str, Any] = json.loads(file.metadata()[METADATA])["header"]
            return header
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged, or is not a shard of an extraction: {error}") from None


def header_of(recipe: Recipe, clips: Iterable[Utterance], corpus: str = "") -> dict[str, Any]:
    """The header of an extraction of these clips (in order, paths relative to the corpus): the same in all its shards.

    It identifies the extraction: two extractions with equal headers give the same bytes.
    """
    digest, count = hashlib.sha256(), 0
    for count, clip in enumerate(clips, start=1):  # noqa: B007 (after the loop, the number of clips)
        path, *rest = astuple(clip)
        digest.update(json.dumps([path.as_posix(), *rest]).encode() + b"\n")
    return {
        "format": FORMAT,
        "version": VERSION,
        **recipe.stamp(),
        "columns": list(recipe.columns),
        "dtype": recipe.dtype,
        "reading": READING,
        "corpus": corpus,
        "clips": count,
        "clips_sha256": digest.hexdigest(),
        "clips_per_shard": CLIPS_PER_SHARD,
    }


def stamp_of(header: dict[str, Any]) -> dict[str, Any]:
    return {key: header.get(key) for key in ("recipe", "parameters", "versions")}


def header_differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Each difference between two headers in words, those of `stamp_differences` first; the lists of clips may differ."""
    one, other = {"reading": 1} | one, {"reading": 1} | other
    rest = sorted(key for key in (one.keys() | other.keys()) - LIST if one.get(key) != other.get(key))
    return stamp_differences(stamp_of(one), stamp_of(other)) or [
        f"{'way of reading sound files' if k == 'reading' else k} {one.get(k)} and {other.get(k)}" for k in rest
    ]


def shard_count(header: dict[str, Any]) -> int:
    return -(-int(header["clips"]) // int(header["clips_per_shard"]))


def shard_path(folder: str | Path, number: int) -> Path:
    """folder/shards/00000.safetensors."""
    return Path(folder) / SHARDS / f"{number:05d}.safetensors"


def write_shard(path: Path, shard: Shard, started_ns: int) -> None:
    """Write one shard, whole or not at all: `frames` (M, D), all clips joined end to end, and `offsets` (n + 1,) int64.

    started_ns: when the extraction started, in nanoseconds since 1970. It becomes the file's modification time: a recording
    that was changed later may have been changed after it was measured.
    """
    dtype, width = shard.header["dtype"], len(shard.header["columns"])
    frames = np.concatenate([np.empty((0, width), dtype), *shard.frames])  # (M, D)
    offsets = np.cumsum([0, *map(len, shard.frames)], dtype=np.int64)
    metadata = json.dumps({"header": shard.header, "entries": [asdict(entry) for entry in shard.entries]})
    with replacing(path, "wb") as file:
        file.write(save({"frames": frames, "offsets": offsets}, {METADATA: metadata}))
        file.flush()
        os.utime(file.name, ns=(started_ns, started_ns))


def read_shard(folder: str | Path, number: int) -> Shard:
    """Read one shard of a store. Raises FileNotFoundError; ValueError for a file that is damaged or not a shard."""
    return read_shard_file(shard_path(folder, number))


def read_shard_file(path: Path) -> Shard:
    """Read one shard. Raises FileNotFoundError; ValueError for a file that is damaged or not a shard."""
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: run `lstm-engine features` again to create it")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = json.loads(file.metadata()[METADATA])
            frames, offsets = file.get_tensor("frames"), file.get_tensor("offsets")
        header, entries = metadata["header"], [Entry(**entry) for entry in metadata["entries"]]
        fits = frames.shape[1:] == (len(header["columns"]),) and str(frames.dtype) == header["dtype"]
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged, or is not a shard of an extraction: {error}") from None
    measured = sum(entry.status == "ok" for entry in entries)
    fits = fits and len(offsets) == measured + 1 and offsets[0] == 0 and offsets[-1] == len(frames)
    if not fits or (np.diff(offsets) < 1).any():
        raise ValueError(f"{path} is damaged: its arrays do not fit its list of clips")
    if not np.isfinite(frames).all():
        raise ValueError(f"{path} is damaged: it holds NaN or infinity")
    return Shard(header, entries, [frames[start:end] for start, end in pairwise(offsets)])


def write_manifest(folder: str | Path, header: dict[str, Any]) -> None:
    """Write the header and the entries of all shards, one line each. The extraction is then finished."""
    with replacing(Path(folder) / MANIFEST) as file:
        file.write(json.dumps(header) + "\n")
        for number in range(shard_count(header)):
            file.writelines(json.dumps(asdict(entry)) + "\n" for entry in read_shard(folder, number).entries)
