"""A run's folder on disk: made new or replaced on purpose, its files written whole, and what produced it written beside.

Every command that leaves files goes through here.
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
    """The folder of one run. FileExistsError when there is something in it, unless force replaces it."""

    def __init__(self, folder: str | Path, force: bool = False) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise FileExistsError(f"{self.folder} is a file: name a folder for the run's files with --out")
        if self.folder.exists() and any(self.folder.iterdir()) and not force:
            raise FileExistsError(
                f"{self.folder} is not empty: choose another --out, or replace its files with --force"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        if not os.access(self.folder, os.W_OK):
            raise PermissionError(f"{self.folder} cannot be written to: choose another --out")

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        write_atomically(path, content.encode() if isinstance(content, str) else content)
        return path

    def write_json(self, name: str, value: Any) -> Path:
        return self.write(name, to_json(value) + "\n")

    def write_config(self, command: str, **settings: Any) -> Path:
        """config.json: the command, its settings and the versions that ran it."""
        return self.write_json("config.json", {"command": command, "settings": settings, "versions": versions()})


def to_json(value: Any) -> str:
    """Strict JSON: NaN and infinity, which it cannot say, become null."""

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
    """What stands under every report: how it was made."""
    used = versions()
    return f"Made by: {command}. " + ", ".join(f"{name} {number}" for name, number in used.items())
