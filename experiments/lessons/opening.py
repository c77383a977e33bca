"""The reader's own copies of the lessons, and marimo that opens them: for `lstm-engine lessons`.

The contract: what a reader has written into a copy is replaced only when they say so.
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
    """ModuleNotFoundError, with what to install, where the lessons cannot be opened."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(
            f"lessons are notebooks, and {' and '.join(missing)} is not installed: pip install {' '.join(missing)} "
            '(all are in the extra "lessons")'
        )


def copy(lessons: list[Lesson], folder: Path, force: bool = False) -> list[Path]:
    """Copies of the lessons in the folder; those that the reader has changed stay unless forced, and are returned."""
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file: name a folder for your lessons with --out")
    folder.mkdir(parents=True, exist_ok=True)
    kept = []
    for lesson in lessons:
        own, fresh = folder / lesson.file.name, lesson.file.read_text(encoding="utf-8")
        if own.exists() and not force and own.read_text(encoding="utf-8") != fresh:
            kept.append(own)
        else:
            replace_file(own, fresh)
    if not (folder / "pyproject.toml").exists():
        replace_file(folder / "pyproject.toml", SETTINGS)
    return kept


def serve(place: Path, read: bool = False, browser: bool = True) -> int:
    """Opens a lesson, or a folder of them, in marimo until it is stopped; it says its address. marimo's exit code.

    read: pages without code.
    """
    command = [sys.executable, "-m", "marimo", "run" if read else "edit", str(place), *["--headless"] * (not browser)]
    marimo = subprocess.Popen(command)
    while True:
        try:
            return marimo.wait()
        except KeyboardInterrupt:  # it went to marimo too, which asks whether to stop
            continue
