"""The folder of a run: new or replaced on purpose, with files written whole, and with the settings that produced it.

Every command that writes files uses this. A command with settings calls `begin` before its first file and writes config.json
last: a folder without it holds no finished run, as when the command was killed while it replaced an earlier one.
"""

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

from experiments.reports import machine
from features.whole_files import LOCK
from lstm_engine.files import write_atomically

CONFIG = "config.json"
SURROUNDINGS = "surroundings.json"  # the only file of a training, an extraction or an evaluation that may differ


class Run:
    """The folder of one run, made with its first file, so that a command that fails before leaves none.

    FileExistsError when there is something in it, unless force replaces it; PermissionError where it cannot be written.
    """

    def __init__(self, folder: str | Path, force: bool = False) -> None:
        self.folder = Path(folder)
        there = next(path for path in (self.folder.absolute(), *self.folder.absolute().parents) if path.exists())
        if not there.is_dir():
            raise FileExistsError(f"{there} is a file: name a folder for the run's files with --out")
        if not force and self.folder.exists() and {path.name for path in self.folder.iterdir()} - {LOCK}:
            raise FileExistsError(
                f"{self.folder} is not empty: choose another --out, or replace its files with --force"
            )
        if not os.access(there, os.W_OK):
            raise PermissionError(f"{self.folder} cannot be written to: choose another --out")

    def begin(self) -> None:
        """From here on the folder holds no finished run, until `write_config`: an earlier one's config.json is removed."""
        (self.folder / CONFIG).unlink(missing_ok=True)

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        write_atomically(path, content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)
        return path

    def write_json(self, name: str, value: Any) -> Path:
        return self.write(name, to_json(value) + "\n")

    def write_config(self, command: str, seconds: Mapping[str, Any] = MappingProxyType({}), /, **settings: Any) -> Path:
        """config.json: the command, its settings, the versions and the machine; before it surroundings.json: all else.

        What a run computes depends on config.json alone. Of a setting that is a `Path` it has the name; the whole path is
        in surroundings.json, with the seconds, threads, and the other things on which no number depends.
        """
        folders = {name: str(path.resolve()) for name, path in settings.items() if isinstance(path, Path)}
        self.folder.mkdir(parents=True, exist_ok=True)
        around = machine.surroundings(self.folder) | ({"data": folders} if folders else {})
        self.write_json(SURROUNDINGS, around | ({"seconds": dict(seconds)} if seconds else {}))
        return self.write_json(CONFIG, record(command, settings))


def record(command: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What config.json says of a run."""
    named = {name: value.resolve().name if isinstance(value, Path) else value for name, value in settings.items()}
    return {"command": command, "settings": named, "versions": versions(), "machine": machine.machine()}


def differences(before: Mapping[str, Any], now: Mapping[str, Any], groups: Sequence[str]) -> list[str]:
    """Where two records differ in these groups, in words: "epochs 20 and 30".

    What one of them lacks is none, nor is the name of the folder with the data: a digest of what is in it is a setting.
    """
    now = json.loads(to_json({group: now[group] for group in groups}))
    return [
        words
        for group, values in now.items() for name, value in values.items() if name in before.get(group, {}) and name != "data"
        for words in _between(name, before[group][name], value)
    ]  # fmt: skip


def _between(name: str, old: Any, new: Any) -> list[str]:
    """Where two JSON values differ, in words."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [words for key in old | new for words in _between(f"{name} {key}", old.get(key), new.get(key))]
    old, new = ("{...}" if isinstance(value, dict) else value for value in (old, new))
    return [] if old == new else [f"{name} {old} and {new}"]


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
