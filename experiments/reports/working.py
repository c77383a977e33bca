"""What commands that write into a folder share: one process a folder, no leftovers, and signals that end in a line.

`alone` is the lock, `ends_told` turns Ctrl-C and SIGTERM into an exit code and a line, and `after_the_batch` lets a training
finish what it is at before it hears them. Signals reach Python's main thread alone: elsewhere the last two do nothing.
"""

import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType

from features.whole_files import alone_in, sweep

ENDING = [signal.SIGINT, signal.SIGTERM]
_held: Counter[Path] = Counter()  # folders in which this process works


class Stopped(KeyboardInterrupt):
    """A signal has ended the work. The text, if any, says what is kept and how to go on."""


class Heard:
    """The last of the ending signals that came, None before."""

    signal: int | None = None

    @property
    def exit_code(self) -> int:
        """128 + its number, as shells count: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + (self.signal or signal.SIGINT)


heard = Heard()


@contextmanager
def alone(folder: str | Path) -> Iterator[None]:
    """The folder for this process alone, made where it is missing, and without the temporary files of killed processes.

    BlockingIOError while another process works in it. A folder that was made here and stays empty is removed at the end.
    Where it cannot be made or read, nothing is locked: who writes into it says what is wrong.
    """
    folder = Path(folder).absolute()
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    with ExitStack() as held:
        held.callback(_remove_empty, made)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not _held[folder.resolve()]:
                held.enter_context(alone_in(folder))
                sweep(folder)
        except OSError as error:
            if isinstance(error, BlockingIOError):
                raise
        place = folder.resolve()
        _held[place] += 1
        held.callback(_held.subtract, [place])
        yield


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with suppress(OSError):  # it holds something, or is gone
            folder.rmdir()


@contextmanager
def ends_told() -> Iterator[Heard]:
    """SIGTERM ends the block as Ctrl-C does, with a KeyboardInterrupt; what came is in the block's `Heard`."""

    def end(number: int, frame: FrameType | None) -> None:
        heard.signal = number
        raise Stopped

    heard.signal = None
    with _handled(end, [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]):
        yield heard


@contextmanager
def after_the_batch() -> Iterator[Heard]:
    """Ctrl-C, and SIGTERM in a command, are only noted in the block's `Heard`; a second one ends the block at once.

    The block then stops where it likes and raises `Stopped`. A signal that would end the process without Python's help, or
    that it ignores, stays as it is.
    """

    def note(number: int, frame: FrameType | None) -> None:
        again, heard.signal = heard.signal, number
        if again:
            raise Stopped

    heard.signal = None
    with _handled(note, [number for number in ENDING if callable(signal.getsignal(number))]):
        yield heard


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None], numbers: list[signal.Signals]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
