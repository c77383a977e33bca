"""Measure clips in worker processes, so that a clip that ends its process costs one clip and not the whole extraction.

For extraction. The contract: every clip gives exactly one result, its numbers or the reason why there are none; the numbers
depend on the clip and the recipe alone. A worker measures one clip at a time, on one thread.
"""

import multiprocessing
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from features.audio import BadClip, Doubt, Reason, content_hash, conversion, read_clip
from features.corpora import Utterance
from features.processes import set_apart
from features.recipes import Recipe

LONGEST_S = 600.0  # a clip may last ten minutes: measuring an hour at once would take gigabytes
MOST_DOUBTS = 5  # kinds of doubt that are told, the others are counted
TRIES = 2  # the first time another program may have ended the worker; the second time it was the clip
# On Linux the workers are forked by a server that has the libraries loaded; elsewhere each worker loads them, in 2 s. This
# package is not preloaded: the server searches the folder in which Python was started, which may hold another `features`.
LIBRARIES = ["joblib", "librosa.core.pitch", "librosa.feature.spectral", "librosa.feature.utils", "soundfile", "soxr"]
_PROCESSES = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
if sys.platform == "linux":
    _PROCESSES.set_forkserver_preload(LIBRARIES)


@dataclass(frozen=True)
class Measured:
    """The result for one clip: frames (T, D), the clip's length in seconds and its hash, or else a reason and a message.

    bytes: size of the file that was measured, None if it does not exist. doubt: (file, words) if it does not say how
    long it is.
    """

    frames: np.ndarray | None = None
    seconds: float | None = None
    sha256: str | None = None
    reason: Reason | None = None
    message: str | None = None
    bytes: int | None = None
    doubt: tuple[str, str] | None = None


def state_of(path: str | Path) -> tuple[int | None, int]:
    """(size in bytes, time of the last change of content or name in ns) of a file; (None, 0) if it does not exist.

    A link that leads elsewhere has changed too. The mtime alone does not tell: a file that is moved keeps it, and a camera
    whose clock is wrong may put it into the future.
    """
    try:
        state, link = os.stat(path), os.lstat(path)
    except OSError:
        return None, 0
    changed = max(state.st_ctime_ns, link.st_ctime_ns)
    is_past = os.name == "nt" or state.st_mtime_ns <= time.time_ns()  # Windows has no ctime but that of creation
    return state.st_size, max(changed, state.st_mtime_ns) if is_past else changed


def measure(recipe: Recipe, clip: Utterance) -> Measured:
    """Check and measure one clip in this process; repeated once if the file changed meanwhile.

    No error that the clip causes is raised: it becomes a reason in the result.
    """
    for _ in range(TRIES):
        state = state_of(clip.path)
        measured = replace(_measured(recipe, clip), bytes=state[0])
        if state_of(clip.path) == state:
            break
    return measured


def _measured(recipe: Recipe, clip: Utterance) -> Measured:
    doubt = None
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", Doubt)
            samples, rate = read_clip(clip.path, clip.start_s, clip.end_s, LONGEST_S)
        doubt = next(((w.message.name, w.message.detail) for w in said if isinstance(w.message, Doubt)), None)
        frames = recipe.measure(samples, rate)  # (T, D)
    except BadClip as bad:
        # no folder gets into a store
        words = bad.detail.replace(conversion(clip.path), conversion(Path(clip.path).name))
        return Measured(reason=bad.reason, message=words)
    except Exception as error:  # any error that a library raises on an unusual sound
        cause = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return Measured(reason=Reason.UNMEASURABLE, message=f"measuring it failed ({cause})")
    if not np.isfinite(frames).all():
        return Measured(reason=Reason.NOT_FINITE, message="the numbers measured on it are not finite")
    return Measured(frames, len(samples) / rate, content_hash(samples), doubt=doubt)


def measure_all(recipe: Recipe, clips: Sequence[Utterance], jobs: int = 1) -> Iterator[tuple[int, Measured]]:
    """Measure the clips (see `each`). Afterwards a warning tells which recordings do not say how long they are."""
    doubts: dict[str, dict[str, None]] = {}  # by their words: the files, in order
    with closing(each(partial(measure, recipe), clips, jobs)) as results:
        for number, result in results:
            if result.doubt is not None:
                name, words = result.doubt
                doubts.setdefault(words, {})[name] = None
            yield number, result
    for words, names in list(doubts.items())[:MOST_DOUBTS]:
        more = f" and {others} other recording{'s' * (others > 1)}" if (others := len(names) - 1) else ""
        warnings.warn(f"{next(iter(names))}{more}: {words}", stacklevel=2)
    if (rest := len(doubts) - MOST_DOUBTS) > 0:
        warnings.warn(f"the same kind of note goes for {rest} more recordings", stacklevel=2)


def each(
    work: Callable[[Utterance], Any], clips: Sequence[Utterance], jobs: int = 1
) -> Generator[tuple[int, Any], None, None]:
    """Yield (number of the clip, work(clip)) as the clips are finished, or a `Measured` if the work ended its process twice.

    work: a module's function, or a `partial` of one. jobs: number of worker processes, -1 for one per core. A program must
    call this under `if __name__ == "__main__":`, like everything that starts processes. Raises RuntimeError if a worker
    cannot start.
    """
    if not clips:
        return
    workers = [_Worker(work) for _ in range(min(joblib.effective_n_jobs(jobs), len(clips)))]
    untried, again = iter(range(len(clips))), []  # numbers of clips, and (number, attempt) of those to repeat
    try:
        while True:
            for worker in (w for w in workers if w.job is None):
                if job := again.pop() if again else next(((number, 1) for number in untried), None):
                    worker.begin(job, clips[job[0]])
            busy = [worker for worker in workers if worker.job]
            if not busy:
                return
            ready = wait([worker.connection for worker in busy])
            for worker in (w for w in busy if w.connection in ready):
                (number, attempt), worker.job = worker.job, None
                try:
                    yield number, worker.connection.recv()
                except (EOFError, OSError):
                    cause = worker.restart()
                    if attempt < TRIES:
                        again.append((number, attempt + 1))
                    else:
                        message = f"it ends the process that measures it ({cause})"
                        size = state_of(clips[number].path)[0]
                        yield number, Measured(reason=Reason.CRASHED, message=message, bytes=size)
    finally:
        for worker in workers:
            worker.stop()


class _Worker:
    """A worker process, the connection to it, and its job: (number, attempt) of the clip it measures, None when idle."""

    def __init__(self, work: Callable[[Utterance], Any]) -> None:
        self.work = work
        self.job: tuple[int, int] | None = None
        self._start()

    def begin(self, job: tuple[int, int], clip: Utterance) -> None:
        try:
            self.connection.send(clip)
        except OSError:  # the process ended while it was idle
            self.restart()
            self.connection.send(clip)
        self.job = job

    def restart(self) -> str:
        """Replace a process that has ended; returns the cause in words, a signal's name or the exit code."""
        self.process.join()
        code = self.process.exitcode
        self._start()
        return signal.Signals(-code).name if code and code < 0 else f"exit code {code}"

    def stop(self) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.join()

    def _start(self) -> None:
        self.connection, worker_end = _PROCESSES.Pipe()
        self.process = _PROCESSES.Process(target=_serve, args=(worker_end, self.work), daemon=True)
        try:
            with set_apart():
                self.process.start()
            worker_end.close()
            self.connection.recv()  # sent once the worker is ready
        except (EOFError, OSError):
            for library in LIBRARIES:  # raises what the worker met, if it was this
                import_module(library)
            started = self.process.pid is not None  # else the server that forks them has ended
            if started:
                self.process.join()
            code = f" (exit code {self.process.exitcode})" if started else ""
            raise RuntimeError(
                f"a worker process ended before its first clip{code}: is enough memory free, "
                'and does the program start its work under `if __name__ == "__main__":`?'
            ) from None


def _serve(connection: Connection, work: Callable[[Utterance], Any]) -> None:
    """The worker's loop: do the work on each clip that arrives, until the connection is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group: the parent handles it
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders print warnings there; their real errors become a reason
    with threadpool_limits(1):
        connection.send(None)
        while True:
            try:
                clip = connection.recv()
                connection.send(work(clip))
            except (EOFError, OSError):
                return
