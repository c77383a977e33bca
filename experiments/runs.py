"""A run's folder on disk: made new or replaced on purpose, its files written whole, and what produced it written beside.

Every command that leaves files goes through here.
"""

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lstm_engine.weights import write_atomically


class Run:
    """The folder of one run. FileExistsError when it holds one already, unless force replaces it."""

    def __init__(self, folder: str | Path, force: bool = False) -> None:
        self.folder = Path(folder)
        if (self.folder / "config.json").exists() and not force:
            raise FileExistsError(
                f"{self.folder} holds a run already: choose another --out, or replace it with --force"
            )
        self.folder.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        write_atomically(path, content.encode() if isinstance(content, str) else content)
        return path

    def write_json(self, name: str, value: Any) -> Path:
        return self.write(name, json.dumps(value, indent=1) + "\n")

    def write_config(self, command: str, **settings: Any) -> Path:
        """config.json: the command, its settings and the versions that ran it."""
        return self.write_json("config.json", {"command": command, "settings": settings, "versions": versions()})


def versions() -> dict[str, str]:
    names = ("lstm-engine", "numpy", "numba", "librosa", "soxr", "soundfile", "pandas")
    return {"python": platform.python_version()} | {name: version(name) for name in names}


def footer(command: str) -> str:
    """What stands under every report: how it was made."""
    used = versions()
    return f"Made by: {command}. " + ", ".join(f"{name} {number}" for name, number in used.items())
