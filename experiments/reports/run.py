"""The folder of a run: new or replaced on purpose, with files written whole, and with the settings that produced it.

Every command that writes files uses this.
"""

import json
import math
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lstm_engine.files import write_atomically


class Run:
    """The folder of one run, made with its first file, so that a command that fails before leaves none.

    FileExistsError when there is something in it, unless force replaces it; PermissionError where it cannot be written.
    """

    def __init__(self, folder: str | Path, force: bool = False) -> None:
        self.folder = Path(folder)
        there = next(path for path in (self.folder.absolute(), *self.folder.absolute().parents) if path.exists())
        if not there.is_dir():
            raise FileExistsError(f"{there} is a file: name a folder for the run's files with --out")
        if self.folder.exists() and any(self.folder.iterdir()) and not force:
            raise FileExistsError(
                f"{self.folder} is not empty: choose another --out, or replace its files with --force"
            )
        if not os.access(there, os.W_OK):
            raise PermissionError(f"{self.folder} cannot be written to: choose another --out")

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        write_atomically(path, content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)
        return path

    def write_json(self, name: str, value: Any) -> Path:
        return self.write(name, to_json(value) + "\n")

    def write_config(self, command: str, **settings: Any) -> Path:
        """config.json: the command, its settings and the versions that ran it."""
        return self.write_json("config.json", {"command": command, "settings": settings, "versions": versions()})


def to_json(value: Any) -> str:
    """Strict JSON: NaN and infinity, which JSON does not have, become null."""

    def strict(v: Any) -> Any:
        if isinstance(v, dict):
            return {key: strict(item) for key, item in v.items()}
        if isinstance(v, list | tuple):
            return [strict(item) for item in v]
        return None if isinstance(v, float) and not math.isfinite(v) else v

    return json.dumps(strict(value), indent=1, allow_nan=False)


def versions() -> dict[str, str]:
    names = ("lstm-engine", "numpy", "numba", "librosa", "soxr", "soundfile", "pandas")
    return {"python": platform.python_version()} | {name: version(name) for name in names}


def footer(command: str) -> str:
    """The last line of every report: how it was made."""
    used = versions()
    return f"Made by: {command}. " + ", ".join(f"{name} {number}" for name, number in used.items())
