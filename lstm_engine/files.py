"""Files that are written whole or not at all, and whose bytes depend on what they hold alone."""

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
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


def as_safetensors(tensors: Mapping[str, Any], texts: Mapping[str, str]) -> bytes:
    """A safetensors file of these arrays and texts: the same bytes for the same content, whatever order it comes in.

    The library sorts the arrays, but writes the texts in an order that changes from process to process: here the header is
    sorted too.
    """
    from safetensors.numpy import save

    content = save(dict(tensors), dict(texts))
    end = 8 + int.from_bytes(content[:8], "little")  # the header's length comes first
    header = json.dumps(json.loads(content[8:end]), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)  # so that the arrays stay aligned
    return b"".join([len(header).to_bytes(8, "little"), header, content[end:]])
