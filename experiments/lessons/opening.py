"""Copies the lessons for the reader and opens them in marimo: for `lstm-engine lessons`.

The contract: a copy that the reader has changed is replaced only with force=True.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from experiments.lessons import FOLDER, Lesson
from features.whole_files import replace_file

START = FOLDER / "start.py"  # the page of all titles
NEEDED = ("marimo", "plotly", "anywidget")
SETTINGS = """# For marimo: a lesson that is opened runs at once, instead of waiting for a press on its run button.
# It is dark where the browser is dark.
[tool.marimo.runtime]
auto_instantiate = true

[tool.marimo.display]
theme = "system"
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
    if len(lessons) > 1:
        replace_file(folder / START.name, START.read_text(encoding="utf-8"))  # it holds no answers
    return kept


def serve(place: Path, say: Callable[[str], None], read: bool = False, browser: bool = True) -> int:
    """Serves a lesson, or a folder of lessons with its page of titles, until it is told to stop; marimo's exit code.

    Ctrl-C, SIGTERM and a closed terminal end marimo and the lessons that it runs. say: gets the address. read: pages without
    code.
    """
    port, token = _free_port(), secrets.token_urlsafe(12)
    options = ["--headless", "--port", str(port), "--token", "--token-password", token]
    command = [sys.executable, "-m", "marimo", "-y", "-q", "run" if read else "edit", str(place), *options]
    query = ({"file": START.name} if place.is_dir() else {}) | {"access_token": token}
    with _ended_with_us(command) as marimo:
        if not _answers(f"http://127.0.0.1:{port}/health", marimo):
            return marimo.wait()
        address = f"http://127.0.0.1:{port}/?{urlencode(query)}"
        say(f"{'The lessons are' if place.is_dir() else 'The lesson is'} at {address}\nCtrl-C ends it.")
        if browser:
            webbrowser.open(address)
        return marimo.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _answers(address: str, server: subprocess.Popen[bytes], patience: float = 120.0) -> bool:
    """Waits until the server answers; False where it ended before."""
    until = time.monotonic() + patience
    while server.poll() is None and time.monotonic() < until:
        try:
            urlopen(address, timeout=5).close()
            return True
        except (URLError, OSError):
            time.sleep(0.1)
    return False


@contextmanager
def _ended_with_us(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own; when the block ends, the whole group ends: marimo runs each lesson in a process."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signals = [number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None))]
    before = {number: signal.signal(number, stop) for number in signals}
    group = {"process_group": 0} if os.name == "posix" else {}
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **group)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Asks the process, and after five seconds ends it and all of its group."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if os.name == "posix":
        with suppress(ProcessLookupError):  # nobody is left
            os.killpg(process.pid, signal.SIGKILL)
