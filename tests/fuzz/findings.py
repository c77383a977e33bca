"""What counts as a finding, and where its input is kept."""

import hashlib
import os
import resource
import shutil
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError
from pathlib import Path

from tests.fuzz.doors import Door

EXPECTED = (ValueError, OSError)  # what every reader may raise, as its docstring says
WORDS_OF_OTHERS = (UnicodeError, JSONDecodeError)  # a codec's or a parser's own: they do not say which file
LONGEST = 2000  # letters of a message
SLOWEST_S = 2.0  # of processor time
MOST_MB = 100.0  # beyond the most that the process has held before
ROOT = Path(__file__).parents[2]


def opened(door: Door, data: bytes) -> str | None:
    """What is wrong with the way in which the input was read, or None. The same fault gives the same words for any input."""
    began, held = time.process_time(), peak_mb()
    if what := fault(door, data):
        return what
    if (seconds := time.process_time() - began) > SLOWEST_S:
        return f"slower than {SLOWEST_S:g} s: up to {2 ** int(seconds).bit_length()} s"
    if (grown := peak_mb() - held) > MOST_MB:
        return f"more than {MOST_MB:g} MB: up to {2 ** int(grown).bit_length()} MB"
    return None


def fault(door: Door, data: bytes) -> str | None:
    """The error that no reader may raise, with its place in our code, or None if the input is read or refused in words."""
    with scratch() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            door.enter(data, folder)
        except WORDS_OF_OTHERS as error:
            return described(error)
        except EXPECTED as error:
            if len(str(error)) > LONGEST:
                return f"a message of over {LONGEST:,} letters: {place(error)}"
        except Exception as error:
            return described(error)
    return None


def described(error: Exception) -> str:
    return f"{type(error).__name__}: {place(error)}"


def place(error: Exception) -> str:
    """The file and line of our own code, without tests, in which the error was raised or passed through last."""
    own = [f for f in traceback.extract_tb(error.__traceback__) if (p := Path(f.filename)).is_relative_to(ROOT)
           and "site-packages" not in p.parts and not p.is_relative_to(ROOT / "tests")]  # fmt: skip
    last = own[-1] if own else traceback.extract_tb(error.__traceback__)[-1]
    return f"{os.path.relpath(last.filename, ROOT)}:{last.lineno} in {last.name}"


def keep(folder: Path, what: str, data: bytes) -> bool:
    """Write the input and the words beside it, if it is the first with these words, or shorter than the one before."""
    name = hashlib.sha256(what.encode()).hexdigest()[:12]
    path = folder / name
    new = not path.exists()
    if new or len(data) < path.stat().st_size:
        path.write_bytes(data)
        (folder / f"{name}.txt").write_text(f"{what}\n", encoding="utf-8", errors="backslashreplace")
    return new


@contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder in memory, if the system has one there; its name is the same every time."""
    memory = Path("/dev/shm")
    folder = Path(memory if memory.is_dir() else tempfile.gettempdir()) / f"lstm-engine-fuzz-{os.getpid()}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def peak_mb() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
