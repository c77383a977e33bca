"""The search for recordings in a folder: which files are read, and which are left out and why."""

import os
import stat
import zipfile
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from features.audio import PYAV_EXTENSIONS, SOUND_EXTENSIONS, conversion, readable, shown
from features.corpora.notes import note

ARCHIVES = (".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip")
PROJECTS = (".aup", ".aup3")
# .icloud is a placeholder: the sound is elsewhere
UNFINISHED = (".crdownload", ".download", ".icloud", ".part", ".partial")
FIRST_BYTES = (b"fLaC", b"OggS", b"ID3", b"#!AMR", b"caff", b"\x1aE\xdf\xa3", b"0&\xb2u\x8ef\xcf\x11")


class LeftOut(NamedTuple):
    """Why files or folders are left out (kind: for programs), and what to do; {convert} stands for a command."""

    kind: str
    why: str
    advice: str
    decide: bool = True  # whether it may be a person's sound


PYAV = LeftOut("no_pyav", "PyAV is not installed", "pip install av, or convert each: {convert}")
NO_DECODER = LeftOut("not_read", "sound of a kind that is not read", "convert each: {convert}")
ARCHIVE = LeftOut("archive", "archives are not opened", "unpack them if they hold recordings", decide=False)
ZIPPED = LeftOut("zipped", "archives that hold recordings", "unpack them")
PROJECT = LeftOut("project", "projects of Audacity", "export each as WAV")
NOT_THERE = LeftOut("not_downloaded", "not downloaded, or not to the end", "download them")
HIDDEN = LeftOut("hidden", "hidden, for a name begins with a dot", "rename what is to be read", decide=False)
CLOSED = LeftOut("closed", "may not be opened", "give yourself the right to read them")
BROKEN = LeftOut("broken_link", "links to nothing", "mend or remove them")
NO_FILE = LeftOut("no_file", "pipes or devices", "copy the sound into files", decide=False)
NAMELESS = LeftOut(
    "other_ending", "they hold sound, but their names do not say so", "rename them, for example to .wav or .m4a"
)


@dataclass
class Found:
    """What is in a folder: recordings that are read, sorted; files and folders left out, by the reason; other files."""

    recordings: list[Path] = field(default_factory=list)
    left_out: dict[LeftOut, list[Path]] = field(default_factory=dict)
    other: list[Path] = field(default_factory=list)


def search(folder: Path, without: Collection[Path] = ()) -> Found:
    """All files under `folder`: links are followed, but not to a folder above, and each folder is visited once.

    The folders `without` are passed over.
    """
    found = Found()
    visited = {_identity(known) for known in (*folder.resolve().parents, *without)}

    def leave_out(path: Path, why: LeftOut) -> None:
        found.left_out.setdefault(why, []).append(path)

    for here, folders, files in os.walk(
        folder, onerror=lambda error: leave_out(Path(error.filename), CLOSED), followlinks=True
    ):
        if _identity(here) in visited:
            folders.clear()
            continue
        visited.add(_identity(here))
        folders[:] = sorted(name for name in folders if Path(here, name) not in without)
        hidden = any(part.startswith(".") for part in Path(here).relative_to(folder).parts)
        for path in (Path(here, name) for name in files):
            kind = _kind(path, hidden)
            if isinstance(kind, LeftOut):
                leave_out(path, kind)
            else:
                (found.recordings if kind == "recording" else found.other).append(path)
    found.recordings.sort()
    for paths in found.left_out.values():
        paths.sort()
    return found


def _identity(folder: str | Path) -> tuple[int, int]:
    state = os.stat(folder)
    return state.st_dev, state.st_ino


def recordings(folder: Path) -> list[Path]:
    """The paths of all recordings under `folder`, sorted. UserWarnings count the sound that is left out, by its kind."""
    found = search(folder)
    note_left_out(found, folder)
    return found.recordings


def note_left_out(found: Found, folder: Path) -> None:
    """Warn, once for each reason, how many files or folders are left out, of which kinds, and what to do."""
    for reason, paths in found.left_out.items():
        says = f"left out, {reason.why}: {counted_kinds(paths, folder)}: {advice(reason, paths[0])}"
        note(folder, reason.kind, len(paths), says, reason.decide, [shown(path) for path in paths])


def advice(reason: LeftOut, path: Path) -> str:
    """What to do, in words, with `path` as the example."""
    return reason.advice.format(convert=conversion(path))


def counted_kinds(paths: Sequence[Path], folder: Path) -> str:
    """ "3 (.m4a 2, .webm 1; the first: anna/1.m4a)", the path relative to `folder`."""
    kinds = Counter(path.suffix.lower() or "no ending" for path in paths)
    words = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
    return f"{len(paths)} ({words}; the first: {shown(os.path.relpath(paths[0], folder))})"


def _kind(path: Path, in_hidden: bool) -> LeftOut | str:
    """ "recording", "other" for a file without sound, or why it is left out."""
    ending = path.suffix.lower()
    try:
        if path.name.startswith("._"):  # where macOS keeps what it knows about a file
            return "other"
        if ending in UNFINISHED:
            return NOT_THERE
        if ending in PROJECTS:
            return PROJECT
        if ending in ARCHIVES:
            return _zip(path) if ending == ".zip" else ARCHIVE
        if ending not in SOUND_EXTENSIONS:
            return NAMELESS if not in_hidden and _begins_like_sound(path) else "other"
        if in_hidden or path.name.startswith("."):
            return HIDDEN
        if not path.is_file():
            return NO_FILE if path.exists() else BROKEN
    except OSError:
        return CLOSED
    if readable(path):
        return "recording"
    return PYAV if ending in PYAV_EXTENSIONS else NO_DECODER


def _zip(path: Path) -> LeftOut | str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return ARCHIVE
    return ZIPPED if any(Path(name).suffix.lower() in SOUND_EXTENSIONS for name in names) else "other"


def _begins_like_sound(path: Path) -> bool:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    if head[:4] in (b"RIFF", b"FORM"):  # which may also hold a film, a picture, a text
        return head[8:12] in (b"WAVE", b"AIFF", b"AIFC")
    return head.startswith(FIRST_BYTES) or head[4:8] == b"ftyp"
