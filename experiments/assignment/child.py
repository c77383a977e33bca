"""The process that runs one learner's file: limits first, then the file, then the judge; the verdict is written as JSON.

    python -m experiments.assignment.child FILE RESULT SECONDS MEMORY_MIB

Nothing of the parent's environment but what `checking.py` passes on is seen here.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import linecache
import sys
import traceback
from pathlib import Path
from types import ModuleType

from experiments.assignment.reading import module_from
from lstm_engine.gradient_check import judge, learner
from lstm_engine.gradient_check.source_lines import Place
from lstm_engine.gradient_check.verdict import WRONG, Finding, Level, Verdict

WRITTEN = 4 * 2**20  # bytes of a file that the learner's code may write
OPEN_FILES = 64


def limit(seconds: int, mebibytes: int) -> None:
    """Limits on CPU time, memory, files and processes, where the system has them."""
    try:
        import resource
    except ImportError:  # Windows
        return
    wanted = {
        "RLIMIT_CPU": seconds + 5,
        "RLIMIT_AS": mebibytes * 2**20,
        "RLIMIT_FSIZE": WRITTEN,
        "RLIMIT_NOFILE": OPEN_FILES,
        "RLIMIT_NPROC": 1,
        "RLIMIT_CORE": 0,
    }
    for name, most in wanted.items():
        with contextlib.suppress(AttributeError, ValueError, OSError):  # macOS refuses some
            resource.setrlimit(getattr(resource, name), (most, most))


def imported(file: Path) -> ModuleType:
    """The learner's file as a module. Fault, with the line, if it cannot be read or stops."""
    try:
        return module_from(file, "learner")
    except SyntaxError as error:
        place = Place(str(file), error.lineno or 0, (error.text or "").strip())
        raise learner.Fault(f"{file.name} is not Python yet: {error.msg}.", place) from error
    except SystemExit as error:
        raise learner.Fault(f"{file.name} ends itself with exit() when it is read: leave that out.") from error
    except ModuleNotFoundError as error:
        raise learner.Fault(
            f"{file.name} imports {error.name}, which is not here: NumPy is all that is needed, and this one file is read."
        ) from error
    except Exception as error:
        steps = [step for step in traceback.extract_tb(error.__traceback__) if step.filename == str(file)]
        place = Place(str(file), steps[-1].lineno or 0, steps[-1].line or "") if steps else None
        what = f"{type(error).__name__}: {error}".rstrip(": ")
        raise learner.Fault(f"{file.name} stops with {what} when it is read.", place) from error


def verdict_on(file: Path) -> Verdict:
    """The judge's verdict on all functions of a file."""
    try:
        module = imported(file)
    except learner.Fault as fault:
        return Verdict([Level(0, "the file", WRONG)], Finding("", fault.sentence, place=fault.place))
    functions = {name: f for name, f in vars(module).items() if callable(f) and hasattr(f, "__name__")}
    return judge.check_all(functions)


def main() -> None:
    file, result = Path(sys.argv[1]), Path(sys.argv[2])
    seconds, mebibytes = int(sys.argv[3]), int(sys.argv[4])
    with open(result.with_suffix(".trace"), "w") as trace:
        faulthandler.dump_traceback_later(seconds, exit=True, file=trace)
        linecache.getlines(str(file))  # before the limit on open files
        limit(seconds, mebibytes)
        verdict = verdict_on(file)
        faulthandler.cancel_dump_traceback_later()
    result.write_text(json.dumps(verdict.to_json()), encoding="utf-8")


if __name__ == "__main__":
    main()
