"""Atomic writing: a file is there whole or not at all, even after an error, a kill or a power cut.

For every file that this package writes. A file is written under a temporary name in its folder, flushed to the disk, and
renamed in one step. A killed process leaves only the temporary file behind, which `sweep` removes.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def replacing(path: str | Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a new file ("w": text in UTF-8, or "wb") that replaces `path` when the block ends without an error."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")  # same folder: os.replace cannot cross file systems
    # A file name in the text may hold bytes that are not UTF-8: they are written as \udc.. instead of raising an error.
    text = {"encoding": "utf-8", "errors": "backslashreplace", "newline": ""} if mode == "w" else {}
    try:
        with temporary.open(mode, **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def replace_file(path: str | Path, text: str) -> None:
    """Write `text` to `path` in one step: after a crash the old file is there or the new one, never a part of it."""
    with replacing(path) as file:
        file.write(text)


def sweep(folder: str | Path) -> None:
    """Remove the temporary files that killed processes left in `folder`."""
    for temporary in Path(folder).glob(".*.tmp"):
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Flush the folder, so that the rename survives a power cut. Windows does so by itself and cannot open a folder."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def alone_in(folder: str | Path) -> Iterator[None]:
    """Raise BlockingIOError if another process is in such a block for the folder. The system ends a lock with its process.

    Windows cannot lock a folder: there the empty file `.lock` in it is locked, and stays. A file system without locks lets
    everybody in.
    """
    handle = (
        os.open(folder, os.O_RDONLY) if os.name == "posix" else os.open(Path(folder) / ".lock", os.O_RDWR | os.O_CREAT)
    )
    try:
        if not _locked(handle):
            raise BlockingIOError(
                f"another process is writing into {folder}: wait for it, or choose another folder"
            ) from None
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    """Whether the lock is this process's now, or there are no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return not isinstance(error, BlockingIOError | PermissionError)  # the latter on Windows
    return True
