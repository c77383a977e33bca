"""Files that are written whole or not at all."""

import contextlib
import os
import tempfile
from pathlib import Path

MOST_HEADER = 3 * 2**23  # bytes


def require_short_header(path: Path) -> None:
    """ValueError for a safetensors file whose header is longer than any that we write, before anybody parses it."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > MOST_HEADER:
        raise ValueError(f"its header declares {length:,} bytes, at most {MOST_HEADER:,} are read")


def write_atomically(path: Path, content: bytes) -> None:
    """Writes content to path whole or not at all: to a temporary file in the same folder, flushed to disk, then moved."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    with contextlib.suppress(OSError):  # Windows cannot open a folder
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
