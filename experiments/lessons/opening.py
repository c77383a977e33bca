"""Copies the lessons for the reader and opens them in marimo: for `lstm-engine lessons`.

The contract: a copy that the reader has changed is replaced only with force=True.
"""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from experiments.lessons import Lesson
from features.whole_files import replace_file

NEEDED = ("marimo", "plotly", "anywidget")
SETTINGS = """# For marimo: a lesson that is opened runs at once, instead of waiting for a press on its run button.
[tool.marimo.runtime]
auto_instantiate = true
"""


def check_installed() -> None:
    """ModuleNotFoundError, with the command that installs what is missing."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(
            f"lessons are notebooks, and {' and '.join(missing)} is not installed: pip install {' '.join(missing)} "
            '(all are in the extra "lessons")'
        )


def copy(lessons: list[Lesson], folder: Path, force: bool = False) -> list[Path]:
    """Copies the lessons into the folder; without force, changed copies stay, and their paths are returned."""
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file: name a folder for your lessons with --out")
    folder.mkdir(parents=True, exist_ok=True)
    kept = []
    for lesson in lessons:
        path, fresh = folder / lesson.file.name, lesson.file.read_text(encoding="utf-8")
        if path.exists() and not force and path.read_text(encoding="utf-8") != fresh:
            kept.append(path)
        else:
            replace_file(path, fresh)
    if not (folder / "pyproject.toml").exists():
        replace_file(folder / "pyproject.toml", SETTINGS)
    return kept


def serve(place: Path, read: bool = False, browser: bool = True) -> int:
    """Opens a lesson or a folder of lessons in marimo, which prints its address, and waits; returns marimo's exit code.

    read: pages without code.
    """
    command = [sys.executable, "-m", "marimo", "run" if read else "edit", str(place), *["--headless"] * (not browser)]
    marimo = subprocess.Popen(command)
    while True:
        try:
            return marimo.wait()
        except KeyboardInterrupt:  # it went to marimo too, which asks whether to stop
            continue
