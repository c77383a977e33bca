"""Clips measured by worker processes, so that a clip that ends its process costs one clip and not the extraction.

For extraction. The contract: every clip that is handed in comes out once, as numbers or with the reason why there are
none; nothing but the clip and the recipe decides which numbers. A worker does one clip at a time on one thread.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from features.audio import BadClip, Reason, content_hash, read_clip
from features.corpora import Utterance
from features.recipes import Recipe

LONGEST_S = 600.0  # of a clip: an hour at once would take gigabytes, and is no clip
TRIES = 2  # a worker may have been ended by somebody else: the second time it is the clip
# On Linux a server that has the libraries loaded forks the workers; elsewhere each worker loads them, for 2 s. Ours are not
# among them: the server would look for them where Python was started, and might find another `features` there.
_PROCESSES = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
if sys.platform == "linux":
    _PROCESSES.set_forkserver_preload(
        ["joblib", "librosa.core.pitch", "librosa.feature.spectral", "librosa.feature.utils", "soundfile", "soxr"]
    )


@dataclass(frozen=True)
class Measured:
    """What came of a clip: frames (T, D), `seconds` of sound and its hash, or else a reason and the sentence for it.

    `bytes`: the size of the file that was measured, None when it was not there.
    """

    frames: np.ndarray | None = None
    seconds: float | None = None
    sha256: str | None = None
    reason: Reason | None = None
    message: str | None = None
    bytes: int | None = None


def state_of(path: str | Path) -> tuple[int | None, int]:
    """(size in bytes, the time in ns of its last change, of content or name) of a file; (None, 0) when not there."""
    try:
        state = os.stat(path)
    except OSError:
        return None, 0
    return state.st_size, max(state.st_mtime_ns, state.st_ctime_ns)  # a file moved in place of another keeps its mtime


def measure(recipe: Recipe, clip: Utterance) -> Measured:
    """One clip, checked and measured here; once more when its file changed meanwhile. Raises nothing that a clip causes."""
    for _ in range(TRIES):
        before = state_of(clip.path)
        measured = replace(_measured(recipe, clip), bytes=before[0])
        if state_of(clip.path) == before:
            break
    return measured


def _measured(recipe: Recipe, clip: Utterance) -> Measured:
    try:
        samples, rate = read_clip(clip.path, clip.start_s, clip.end_s, LONGEST_S)
        frames = recipe.measure(samples, rate)  # (T, D)
    except BadClip as bad:
        return Measured(reason=bad.reason, message=bad.detail)
    except Exception as error:  # whatever a library raises on sound that it was not made for
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return Measured(reason=Reason.UNMEASURABLE, message=f"measuring it failed ({said})")
    if not np.isfinite(frames).all():
        return Measured(reason=Reason.NOT_FINITE, message="what was measured on it is not finite")
    return Measured(frames, len(samples) / rate, content_hash(samples))


def measure_all(recipe: Recipe, clips: Sequence[Utterance], jobs: int = 1) -> Iterator[tuple[int, Measured]]:
    """(number of the clip, what came of it) as they are done, begun in order, by `jobs` workers (-1: one a core).

    A program that calls this does so under `if __name__ == "__main__":`, as all that start processes. Raises RuntimeError
    when a worker cannot start.
    """
    if not clips:
        return
    workers = [_Worker(recipe) for _ in range(min(joblib.effective_n_jobs(jobs), len(clips)))]
    untried, again = iter(range(len(clips))), []  # numbers, and (number, which try)
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
    """A process at the other end of a connection, and the (number, try) of the clip that it has, None when idle."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.job: tuple[int, int] | None = None
        self._start()

    def begin(self, job: tuple[int, int], clip: Utterance) -> None:
        try:
            self.connection.send(clip)
        except OSError:  # it ended while it had nothing to do
            self.restart()
            self.connection.send(clip)
        self.job = job

    def restart(self) -> str:
        """A new process in place of one that has ended; what ended that, in words."""
        self.process.join()
        code = self.process.exitcode
        self._start()
        return signal.Signals(-code).name if code and code < 0 else f"exit code {code}"

    def stop(self) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.join()

    def _start(self) -> None:
        self.connection, theirs = _PROCESSES.Pipe()
        self.process = _PROCESSES.Process(target=_serve, args=(theirs, self.recipe), daemon=True)
        self.process.start()
        theirs.close()
        try:
            self.connection.recv()  # it says when it is ready
        except (EOFError, OSError):
            self.process.join()
            raise RuntimeError(
                f"a worker process ended before its first clip (exit code {self.process.exitcode}): is there memory left, "
                'and does the program that calls this stand under `if __name__ == "__main__":`?'
            ) from None


def _serve(connection: Connection, recipe: Recipe) -> None:
    """What a worker does: measures the clips that come in until nobody is at the other end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the one who began it decides
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders print notes there; what counts becomes a reason
    with threadpool_limits(1):
        connection.send(None)
        while True:
            try:
                clip = connection.recv()
                connection.send(measure(recipe, clip))
            except (EOFError, OSError):
                return
