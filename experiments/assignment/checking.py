"""Judges a learner's file in a process of its own, with limits: a loop, a crash or too much memory becomes a sentence.

`check_file` is `lstm-engine assignment check`; `grading.py` runs it for a class. What the limits protect is in SECURITY.md.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from lstm_engine.gradient_check.source_lines import Place
from lstm_engine.gradient_check.verdict import WRONG, Finding, Level, Verdict

HOUSE = Path(__file__).parents[2]
SUFFIXES = (".py", ".ipynb")
LONGEST = 4 * 2**20  # bytes of a file that is read
NAMESPACES = ("unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child")


class Limits(NamedTuple):
    """What a learner's file may use."""

    seconds: int = 20
    mebibytes: int = 2048


LIMITS = Limits()


def check_file(path: str | Path, hint: int = 0, limits: Limits = LIMITS) -> Verdict:
    """The verdict on a .py file or a Jupyter notebook. ValueError or OSError if there is no such file to judge."""
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path} is not a .py file or a notebook: give the file that you write into")
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}: lstm-engine assignment new DIR writes one to begin with")
    if not path.is_file() or path.stat().st_size > LONGEST:
        raise ValueError(f"{path} is no plain file of at most {LONGEST // 2**20} MiB")
    raw = readable(path)
    with tempfile.TemporaryDirectory(prefix="assignment-", ignore_cleanup_errors=True) as folder:
        file = (
            Path(folder) / "handed_in" / f"{path.stem}.py"
        )  # apart: Python imports what lies where it starts, a string.py too
        file.parent.mkdir()
        file.write_bytes(code_of(raw.decode(errors="replace"), path).encode() if path.suffix == ".ipynb" else raw)
        verdict = in_their_file(run(file, Path(folder) / "verdict.json", limits), str(file), str(path))
        return replace(verdict, hint=hint)


def readable(path: Path) -> bytes:
    """The file's bytes; where Python could not decode them, with a mark in place of each letter that is not UTF-8."""
    raw = path.read_bytes()
    try:
        importlib.util.decode_source(raw)
    except (SyntaxError, UnicodeDecodeError):
        return raw.decode(errors="replace").encode()
    return raw


def run(file: Path, result: Path, limits: Limits) -> Verdict:
    """The child's verdict, or one that says why there is none."""
    kept = ("PATH", "SYSTEMROOT", "LANG", "LC_ALL", "VIRTUAL_ENV")
    environment = {name: os.environ[name] for name in kept if name in os.environ} | {
        "PYTHONPATH": os.pathsep.join([str(HOUSE), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        "HOME": str(file.parent), "TMPDIR": str(file.parent), "TEMP": str(file.parent),
        "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": "utf-8",
    }  # fmt: skip
    command = [sys.executable, "-m", "experiments.assignment.child", str(file), str(result), *map(str, limits)]
    with subprocess.Popen(
        [*namespaces(), *command], cwd=result.parent, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            code = process.wait(limits.seconds + 10)  # the child ends itself before that, and says where it was
        except subprocess.TimeoutExpired:
            code = None
        finally:
            end(process)
    try:
        return Verdict.from_json(json.loads(text_of(result)))
    except (ValueError, KeyError, TypeError, AttributeError):
        return no_verdict(file, text_of(result.with_suffix(".trace")), code, limits)


def text_of(file: Path) -> str:
    """A file of the child's; "" unless it is a plain file of a reasonable size: the learner's code may write it too."""
    if file.is_symlink() or not file.is_file() or file.stat().st_size > LONGEST:
        return ""
    return file.read_text(encoding="utf-8", errors="replace")


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends the child and whatever it started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


@functools.lru_cache(maxsize=1)
def namespaces() -> tuple[str, ...]:
    """The command that gives a process no network and its own process numbers; empty where the system refuses it."""
    if shutil.which(NAMESPACES[0]) is None:
        return ()
    tried = subprocess.run([*NAMESPACES, "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return NAMESPACES if tried.returncode == 0 else ()


def missing_limits() -> list[str]:
    """What this system does not limit, in words."""
    missing = []
    if not namespaces():
        missing.append("the network is not refused (no user namespaces here)")
    try:
        import resource  # noqa: F401
    except ImportError:
        return [*missing, "memory, files and processes have no limits (no resource module here)"]
    if sys.platform == "darwin":
        missing.append("memory has no limit (macOS does not enforce it)")
    return missing


def no_verdict(file: Path, trace: str, code: int | None, limits: Limits) -> Verdict:
    """What is said of a file whose process came to no end, or to a bad one."""
    place, function = None, ""
    if stopped := re.search(rf'File "{re.escape(str(file))}", line (\d+) in (\S+)', trace):
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        number, function = int(stopped[1]), "" if stopped[2].startswith("<") else stopped[2]
        place = Place(str(file), number, lines[number - 1].strip() if number <= len(lines) else "")
    if trace or code is None:
        sentence = f"{function or file.name} was still running after {limits.seconds} s: does a loop never end?"
    elif code in (-9, 137):
        sentence = f"{file.name} was ended by the system: does it need more than {limits.mebibytes:,} MiB of memory?"
    elif code < 0:
        sentence = f"{file.name} crashed Python ({signal.Signals(-code).name})."
    else:
        sentence = f"{file.name} ended Python with exit code {code} before the judge was done."
    return Verdict([Level(0, "the file", WRONG)], Finding(function, sentence, place=place))


def in_their_file(verdict: Verdict, ours: str, theirs: str) -> Verdict:
    """The verdict with the learner's own path in place of the copy's."""
    finding = verdict.finding
    if finding is None or finding.place is None or finding.place.file != ours:
        return verdict
    return replace(verdict, finding=replace(finding, place=finding.place._replace(file=theirs)))


def code_of(notebook: str, path: Path) -> str:
    """The definitions of a notebook as a file: code cells without magics and without calls, as those of the judge."""
    try:
        cells = json.loads(notebook)["cells"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a Jupyter notebook: expected JSON with cells") from error
    texts = ["".join(cell["source"]) for cell in cells if cell.get("cell_type") == "code"]
    code = "\n\n\n".join(re.sub(r"(?m)^\s*[%!].*$", "", text) for text in texts)
    try:
        statements = ast.parse(code).body
    except SyntaxError:
        return code  # the child says which line
    lines = code.splitlines()
    for node in statements:
        if isinstance(node, ast.Expr):
            lines[node.lineno - 1 : node.end_lineno] = [""] * ((node.end_lineno or node.lineno) - node.lineno + 1)
    return "\n".join(lines) + "\n"
