"""The result of an extraction on disk: shards, which hold the frames, and a manifest with one line for each clip.

For extraction, which writes it, and for training, which reads it. The contract: a shard is written whole or not at all and
describes its own content; the bytes depend on the clips and the recipe alone. docs/voices.md describes the format.
"""

import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from features.audio import Reason
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


Count = Annotated[int, Meta(ge=0, le=2**53)]
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
MOST_LINE = 2**20  # bytes of a line of a manifest
MOST_HEADER = 2**24  # bytes of the JSON in a shard


class Header(Struct):
    """What `header_of` says of an extraction; stores of before `reading` and `corpus` lack these."""

    format: Literal["lstm-engine clips"]
    version: Literal[1]
    recipe: str
    parameters: dict[str, Any]
    versions: dict[str, str]
    columns: Annotated[list[str], Meta(min_length=1, max_length=1000)]
    dtype: Literal["float32", "float64"]
    clips: Count
    clips_sha256: str
    clips_per_shard: Annotated[int, Meta(ge=1, le=10_000)]
    reading: int = 1
    corpus: str = ""


@dataclass(frozen=True)
class Entry:
    """A clip's line in the manifest: the speaker, the file, the stretch in seconds, and the result.

    status "ok": the clip is number `index` of shard `shard`, lasts `seconds` and has the hash `sha256` (audio.content_hash).
    status "failed": `reason` (audio.Reason) and `message` say why. bytes: size of the file, None if it does not exist.
    """

    path: str
    speaker: str | None
    sex: Literal["male", "female"]
    split: str
    start_s: Seconds
    end_s: Seconds | None
    bytes: Count | None
    status: Literal["ok", "failed"]
    reason: Reason | None
    message: str | None
    seconds: Seconds | None
    sha256: str | None
    shard: Count
    index: Count | None

    @property
    def utterance(self) -> Utterance:
        """The clip; its path is relative to the corpus."""
        return Utterance(Path(self.path), self.speaker, self.sex, self.split, self.start_s, self.end_s)


ENTRY_FIELDS = {field.name for field in fields(Entry)}


class ShardJson(Struct, forbid_unknown_fields=True):
    """The JSON in a shard."""

    header: Header
    entries: list[Entry]
    checksum: str | None = None  # of the arrays, see `_checksum`; shards of before it have none


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
        path = self.folder / MANIFEST
        with path.open("rb") as file:
            _line(file, path, 1)
            for number in range(2, self.header["clips"] + 2):
                yield _read(_line(file, path, number), f"{path}, line {number},", Entry)

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
    with path.open("rb") as file:
        line = _line(file, path, 1)
    _read(line, f"{path} is not a manifest that this version reads ({FORMAT}, version {VERSION}): line 1", Header)
    return Store(Path(folder), json.loads(line))


def _line(file: Any, path: Path, number: int) -> bytes:
    """The next line of a manifest. ValueError if it is too long."""
    line: bytes = file.readline(MOST_LINE + 1)
    if len(line) > MOST_LINE:
        raise ValueError(f"{path}, line {number}, is longer than {MOST_LINE:,} bytes, so this is no manifest")
    return line


def _check_fields(entry: dict[str, Any]) -> None:
    if unknown := entry.keys() - ENTRY_FIELDS:
        raise ValueError(f"it has the unknown field {min(unknown)!r:.80}")


def _read(line: bytes, what: str, kind: Any) -> Any:
    """A JSON value of this type. ValueError names the field and what was expected there."""
    try:
        value = msgspec.json.decode(line.decode("utf-8"), type=kind)
        if kind is Entry:
            _check_fields(json.loads(line))
        return value
    except (ValueError, RecursionError) as error:  # msgspec's are ValueErrors
        raise ValueError(f"{what} cannot be used: {error!s:.300}") from None


def read_header(path: Path) -> dict[str, Any]:
    """The header of the extraction that a shard belongs to. Raises ValueError for a file that is damaged or not a shard."""
    with _opened(path) as (_, described):
        header: dict[str, Any] = described["header"]
        return header


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A shard's file and its JSON: `header` as it is, `entries` as Entry, and the checksum of its arrays if it has one."""
    try:
        with path.open("rb") as start:
            if (length := int.from_bytes(start.read(8), "little")) > MOST_HEADER:
                raise ValueError(f"its header declares {length:,} bytes")
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(METADATA, "")
            described = msgspec.json.decode(text, type=ShardJson)
            raw = json.loads(text)
            for entry in raw["entries"]:
                _check_fields(entry)
            yield file, raw | {"entries": described.entries}
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged, or is not a shard of an extraction: {error!s:.300}") from None


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
    described = {"header": shard.header, "entries": [asdict(entry) for entry in shard.entries]}
    metadata = json.dumps(described | {"checksum": _checksum(frames, offsets)})
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
    with _opened(path) as (file, described):
        header, entries = described["header"], described["entries"]
        stored = {name: (file.get_slice(name).get_dtype(), file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        measured = [entry.index for entry in entries if entry.status == "ok"]
        dtype = {"float32": "F32", "float64": "F64"}[header["dtype"]]
        steps = math.prod(stored.get("frames", ("", []))[1][:1])
        arrays = {"frames": (dtype, [steps, len(header["columns"])]), "offsets": ("I64", [len(measured) + 1])}
        beside = any(entry.index is not None for entry in entries if entry.status != "ok")
        if stored != arrays or beside or measured != list(range(len(measured))):
            raise ValueError("its arrays do not fit its list of clips")
        frames, offsets = file.get_tensor("frames"), file.get_tensor("offsets")
        if offsets[0] != 0 or offsets[-1] != len(frames) or (np.diff(offsets) < 1).any():
            raise ValueError("its arrays do not fit its list of clips")
        if not np.isfinite(frames).all():
            raise ValueError("it holds NaN or infinity")
        if described.get("checksum") not in (None, _checksum(frames, offsets)):
            raise ValueError("its checksum differs: what it holds is not what was written")
    return Shard(header, entries, [frames[start:end] for start, end in pairwise(offsets)])


def _checksum(frames: np.ndarray, offsets: np.ndarray) -> str:
    """SHA-256 of the bytes of both arrays."""
    return hashlib.sha256(np.ascontiguousarray(frames).tobytes() + offsets.tobytes()).hexdigest()


def write_manifest(folder: str | Path, header: dict[str, Any]) -> None:
    """Write the header and the entries of all shards, one line each. The extraction is then finished."""
    with replacing(Path(folder) / MANIFEST) as file:
        file.write(json.dumps(header) + "\n")
        for number in range(shard_count(header)):
            file.writelines(json.dumps(asdict(entry)) + "\n" for entry in read_shard(folder, number).entries)
