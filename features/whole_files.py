"""Files that are there whole or not at all, whatever stops the process that writes them: a fault, a kill, a power cut.

For everything that this package writes. A file is written under another name beside its place, brought to the disk, and
renamed in one step; what a killed process leaves behind is that other name, which `sweep` removes.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def replacing(path: str | Path, mode: str = "w") -> Iterator[IO[Any]]:
    """A new file, "w" for text in UTF-8 or "wb", that takes the place of `path` once the block ends without an error."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")  # beside it: os.replace cannot cross file systems
    # A file name may hold bytes that are no UTF-8: they are written as \udc.., and nothing stops.
    text = {"encoding": "utf-8", "errors": "backslashreplace", "newline": ""} if mode == "w" else {}
    try:
        with temporary.open(mode, **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def replace_file(path: str | Path, text: str) -> None:
    """Put `text` at `path` in one step: a crash leaves the old file or the new one, never half of one."""
    with replacing(path) as file:
        file.write(text)


def sweep(folder: str | Path) -> None:
    """Remove what killed processes had begun to write into `folder`."""
    for temporary in Path(folder).glob(".*.tmp"):
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """The new name must survive a power cut too. Windows keeps it unasked, and cannot open a folder."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
