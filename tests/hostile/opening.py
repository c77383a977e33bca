"""Opens a file in a process of its own, and tells what came of it: words, time and memory."""

import os
import resource
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_S = 60  # then it is killed


@dataclass(frozen=True)
class Outcome:
    """code: that of the command; 70 for an error that nobody has caught. Of the process: cpu_s, wall_s, peak_mb."""

    code: int
    words: str
    cpu_s: float
    wall_s: float
    peak_mb: float


def load(path: Path) -> None:
    import lstm_engine as le

    le.load(path)


def load_weights(path: Path) -> None:
    from tests.hostile.keras_files import keras_model

    keras_model().load_weights(path)


def load_torch(path: Path) -> None:
    from lstm_engine.interchange.torch_layout import load_torch as read
    from tests.hostile.keras_files import keras_model

    read(keras_model(), path)


def read_store(path: Path) -> None:
    from features.clips import read_clips

    read_clips(path)


def command(arguments: Any) -> None:
    from experiments.cli import main

    sys.argv = ["lstm-engine", *map(str, arguments)]
    main()


def predict(path: Path) -> None:
    from tests.hostile.sounds import voice

    command(["predict", voice(), "--model", path])


READERS: dict[str, Callable[[Any], None]] = {
    "load": load,
    "load_weights": load_weights,
    "load_torch": load_torch,
    "read_store": read_store,
    "predict": predict,
    "command": command,
}


def warm() -> None:
    """What every reader imports, once: no kernel runs, so that a fork of the process is sound."""
    import av  # noqa: F401
    import h5py  # noqa: F401

    import lstm_engine.interchange.keras_models
    import lstm_engine.interchange.torch_layout  # noqa: F401


def opened(reader: str, words: Any, log: Path) -> Outcome:
    """The outcome of one reader in a fork of this process."""
    began = time.monotonic()
    child = os.fork()
    if not child:
        code = 70
        try:
            code = _within(reader, words, log)
        finally:
            os._exit(code)
    while True:
        pid, status, used = os.wait4(child, os.WNOHANG)
        if pid:
            break
        if time.monotonic() - began > MOST_S:
            os.kill(child, 9)
        time.sleep(0.005)
    wall = time.monotonic() - began
    code = os.waitstatus_to_exitcode(status)
    return Outcome(
        code, log.read_text("utf-8", "surrogateescape"), used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024
    )


def _within(reader: str, words: Any, log: Path) -> int:
    resource.setrlimit(
        resource.RLIMIT_AS, (16 * 2**30, 16 * 2**30)
    )  # so that a bomb is an error, and not the machine's end
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.stdout, sys.stderr = (open(n, "w", encoding="utf-8", errors="backslashreplace", closefd=False) for n in (1, 2))  # noqa: SIM115
    try:
        READERS[reader](words)
        return 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    except (ValueError, OSError) as error:  # what a caller from Python is told to expect
        print(f"error: {error}")
        return 2
    except BaseException:
        traceback.print_exc()
        return 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
