"""What was measured, on disk: shards of frames and a manifest that says of every clip what came of it.

For extraction, which writes it, and for training, which reads it. The contract: a shard is there whole or not at all and
says itself what is in it, so that whatever stops an extraction costs no more than the shards then open; the bytes
depend on the clips and the recipe alone. docs/voices.md describes the format.
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
METADATA = "extraction"  # one name only: safetensors writes several in an order of its own


@dataclass(frozen=True)
class Entry:
    """A clip's line in the manifest: whose voice, which stretch of which file in seconds, and what came of it.

    `status` "ok": `seconds` of sound with the hash `sha256` (see audio.content_hash) are the clip at `index` of
    the shard numbered `shard`. "failed": `reason` and `message` say why. `bytes`: the file's size, None when not there.
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
        """The clip, its path relative to the corpus."""
        return Utterance(Path(self.path), self.speaker, self.sex, self.split, self.start_s, self.end_s)


@dataclass(frozen=True)
class Shard:
    """Clips of one shard: the header of its extraction, an entry a clip, and frames (T, D) of each that is ok."""

    header: dict[str, Any]
    entries: list[Entry]
    frames: list[np.ndarray]

    def clips(self) -> Iterator[tuple[Entry, np.ndarray | None]]:
        """(entry, its frames (T, D), None when it failed), in order."""
        for entry in self.entries:
            yield entry, None if entry.index is None else self.frames[entry.index]


@dataclass(frozen=True)
class Store:
    """A finished extraction in `folder`; `header` is what its shards share."""

    folder: Path
    header: dict[str, Any]

    @property
    def stamp(self) -> dict[str, Any]:
        """The recipe's: recipe, parameters, versions."""
        return stamp_of(self.header)

    @property
    def corpus(self) -> str:
        """Whose names the speakers' are (see corpora.names_of); "" where the extraction did not say."""
        return str(self.header.get("corpus", ""))

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the D numbers of a frame."""
        return tuple(self.header["columns"])

    @property
    def manifest(self) -> Iterator[Entry]:
        """Every clip's entry, in the order of path and start, one at a time."""
        with (self.folder / MANIFEST).open(encoding="ascii") as lines:
            for line in islice(lines, 1, None):
                yield Entry(**json.loads(line))

    def clips(self) -> Iterator[tuple[Entry, np.ndarray | None]]:
        """(entry, its frames (T, D), None when it failed) of every clip, with one shard in memory at a time."""
        for number in range(shard_count(self.header)):
            shard = read_shard(self.folder, number)
            if shard.header != self.header:
                raise ValueError(
                    f"{shard_path(self.folder, number)} is of another extraction than {MANIFEST} beside it"
                )
            yield from shard.clips()


def open_store(folder: str | Path) -> Store:
    """The finished extraction in a folder. Raises FileNotFoundError where there is none, ValueError for a damaged one."""
    path = Path(folder) / MANIFEST
    if not path.exists():
        begun = (
            " yet: the extraction has not finished, run it again to go on" if (Path(folder) / SHARDS).is_dir() else ""
        )
        raise FileNotFoundError(f"{folder} has no {MANIFEST}{begun or ': make one with `lstm-engine features`'}")
    try:
        with path.open(encoding="ascii") as lines:
            header = json.loads(next(lines, ""))
    except ValueError as error:
        raise ValueError(f"{path} is no manifest of an extraction: {error}") from None
    if not isinstance(header, dict) or (header.get("format"), header.get("version")) != (FORMAT, VERSION):
        raise ValueError(f"{path} is no manifest that this version reads: expected {FORMAT!r}, version {VERSION}")
    return Store(Path(folder), header)


def begun(folder: str | Path) -> dict[str, Any] | None:
    """The header of the extraction that stands in a folder, finished or not; None where there is none."""
    try:
        return open_store(folder).header
    except (FileNotFoundError, ValueError):
        pass
    for path in sorted((Path(folder) / SHARDS).glob("*.safetensors")):
        try:
            return read_shard(folder, int(path.stem)).header
        except ValueError:
            continue
    return None


def header_of(recipe: Recipe, clips: Iterable[Utterance], corpus: str = "") -> dict[str, Any]:
    """What all shards of an extraction of these clips (paths relative to the corpus, in order) say first."""
    digest, count = hashlib.sha256(), 0
    for count, clip in enumerate(clips, start=1):  # noqa: B007 (the last one is how many there are)
        path, *rest = astuple(clip)
        digest.update(json.dumps([path.as_posix(), *rest]).encode() + b"\n")
    return {
        "format": FORMAT,
        "version": VERSION,
        **recipe.stamp(),
        "columns": list(recipe.columns),
        "dtype": recipe.dtype,
        "corpus": corpus,
        "clips": count,
        "clips_sha256": digest.hexdigest(),
        "clips_per_shard": CLIPS_PER_SHARD,
    }


def stamp_of(header: dict[str, Any]) -> dict[str, Any]:
    return {key: header.get(key) for key in ("recipe", "parameters", "versions")}


def header_differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Each difference in words, as `stamp_differences` has them, with the list of clips."""
    words = stamp_differences(stamp_of(one), stamp_of(other))
    if one.get("clips_sha256") != other.get("clips_sha256"):
        words.append(f"another list of clips ({one.get('clips')} and {other.get('clips')} of them)")
    rest = (key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
    return words or [f"{key} {one.get(key)} and {other.get(key)}" for key in sorted(rest)]


def shard_count(header: dict[str, Any]) -> int:
    return -(-int(header["clips"]) // int(header["clips_per_shard"]))


def shard_path(folder: str | Path, number: int) -> Path:
    """folder/shards/00000.safetensors."""
    return Path(folder) / SHARDS / f"{number:05d}.safetensors"


def write_shard(folder: str | Path, number: int, shard: Shard, begun: int) -> None:
    """Write one shard, whole or not at all: `frames` (M, D) of all its clips on end, `offsets` (n + 1,) int64.

    `begun`, in ns, is when its extraction began, and becomes the file's time of change: a recording that changed later may
    have done so after it was measured.
    """
    dtype, width = shard.header["dtype"], len(shard.header["columns"])
    frames = np.concatenate([np.empty((0, width), dtype), *shard.frames])  # (M, D)
    offsets = np.cumsum([0, *map(len, shard.frames)], dtype=np.int64)
    told = json.dumps({"header": shard.header, "entries": [asdict(entry) for entry in shard.entries]})
    with replacing(shard_path(folder, number), "wb") as file:
        file.write(save({"frames": frames, "offsets": offsets}, {METADATA: told}))
        file.flush()
        os.utime(file.name, ns=(begun, begun))


def read_shard(folder: str | Path, number: int) -> Shard:
    """One shard. Raises FileNotFoundError; ValueError for a file that is not whole or not one of ours."""
    path = shard_path(folder, number)
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: run `lstm-engine features` again to make it")
    try:
        with safe_open(path, framework="numpy") as file:
            told = json.loads(file.metadata()[METADATA])
            frames, offsets = file.get_tensor("frames"), file.get_tensor("offsets")
        header, entries = told["header"], [Entry(**entry) for entry in told["entries"]]
        fits = frames.shape[1:] == (len(header["columns"]),) and str(frames.dtype) == header["dtype"]
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged, or no shard of an extraction: {error}") from None
    counted = sum(entry.status == "ok" for entry in entries) + 1
    if (
        not fits
        or len(offsets) != counted
        or offsets[0] != 0
        or offsets[-1] != len(frames)
        or (np.diff(offsets) < 1).any()
    ):
        raise ValueError(f"{path} is damaged: its arrays do not fit what it says of its clips")
    if not np.isfinite(frames).all():
        raise ValueError(f"{path} is damaged: it holds NaN or infinity")
    return Shard(header, entries, [frames[start:end] for start, end in pairwise(offsets)])


def write_manifest(folder: str | Path, header: dict[str, Any]) -> None:
    """Join what the shards say of their clips: the header, then a line a clip. The extraction is then finished."""
    with replacing(Path(folder) / MANIFEST) as file:
        file.write(json.dumps(header) + "\n")
        for number in range(shard_count(header)):
            file.writelines(json.dumps(asdict(entry)) + "\n" for entry in read_shard(folder, number).entries)
