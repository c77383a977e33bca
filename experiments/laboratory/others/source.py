"""Single functions of a file in a clone, run in memory: at a named commit, with lines put right where a mend says so.

Scripts train when they are imported, notebooks draw, some files have a syntax error elsewhere. So only the definitions that a
pass needs are executed. The clone is read with `git show` and never changed.
"""

from __future__ import annotations

import json
import linecache
import re
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Mend:
    """Our own statement in the place of a wrong one: lines first to last of a file, or of a notebook's code."""

    path: str
    first: int
    code: str  # without indentation: it gets that of the first line
    last: int = 0  # 0: one line

    def apply(self, text: str) -> str:
        """The text with these lines replaced; the number of lines stays, so that locations hold."""
        lines = text.split("\n")
        last = self.last or self.first
        margin = re.match(r"\s*", lines[self.first - 1]).group()  # type: ignore[union-attr]
        new = [margin + line for line in self.code.split("\n")]
        if len(new) > last - self.first + 1:  # several statements share a line
            new = [margin + "; ".join(self.code.split("\n"))]
        lines[self.first - 1 : last] = new + [""] * (last - self.first + 1 - len(new))
        return "\n".join(lines)


class MissingSource(Exception):
    """A clone, a commit, a file or a definition is not there; the message says which, and what to do."""


def read(clone: Path, commit: str, path: str) -> str:
    """The text of a file at a commit; of a notebook, its code cells one after the other."""
    command = ["git", "-C", str(clone), "show", f"{commit}:{path}"]
    shown = subprocess.run(command, capture_output=True, check=False)
    if shown.returncode:
        raise MissingSource(
            f"{clone} has no {path} at commit {commit[:7]}: the clone must be whole (git clone without --depth)"
        )
    text = shown.stdout.decode("utf-8", "replace").replace("\r\n", "\n")
    return "\n".join(code for _, code in cells(text)) if path.endswith(".ipynb") else text


def cells(notebook: str) -> list[tuple[int, str]]:
    """The code cells of a notebook, each with its place among all cells, counted from 1."""
    parsed = json.loads(notebook)["cells"]
    return [(k, "".join(cell["source"])) for k, cell in enumerate(parsed, 1) if cell["cell_type"] == "code"]


def place(clone: Path, commit: str, path: str, line: int) -> str:
    """ "file:12", or "file, cell 36, line 12" for line 12 of that code cell."""
    if not path.endswith(".ipynb"):
        return f"{path}:{line}"
    shown = subprocess.run(["git", "-C", str(clone), "show", f"{commit}:{path}"], capture_output=True, check=True)
    for k, code in cells(shown.stdout.decode()):
        if line <= (length := code.count("\n") + 1):
            return f"{path}, cell {k}, line {line}"
        line -= length
    raise MissingSource(f"{path} has fewer lines than {line}")


def definition(text: str, name: str) -> tuple[int, str]:
    """A top-level function or class by its text, and the number of its first line.

    By its text, since a syntax error elsewhere in the file must not matter.
    """
    begin = re.search(rf"^(def|class) {name}\b", text, re.M)
    if begin is None:
        raise MissingSource(f"there is no definition of {name}")
    end = re.compile(r"^(?=[^\s#)])", re.M).search(text, begin.end())
    return text.count("\n", 0, begin.start()) + 1, text[begin.start() : end.start() if end else len(text)]


class Theirs(dict[str, Any]):
    """A namespace with the definitions of a pass: `theirs.lstm_forward(...)`; variables that they read are set as items."""

    __getattr__ = dict.__getitem__

    def __init__(
        self, clone: Path, commit: str, files: Mapping[str, Sequence[str]], mends: Sequence[Mend] = ()
    ) -> None:
        self.numbers = Numbers()
        imported = {"np": self.numbers, "reduce": reduce, "ABC": ABC, "abstractmethod": abstractmethod, "xrange": range}
        super().__init__(imported, params=None)  # `params`: a notebook's variable that is the default of an argument
        for path, names in files.items():
            text = read(clone, commit, path)
            for mend in mends:
                text = mend.apply(text) if mend.path == path else text
            filename = f"<{path} at {commit[:7]}>"
            linecache.cache[filename] = (len(text), None, [line + "\n" for line in text.split("\n")], filename)
            for name in names:
                first, block = definition(text, name)
                exec(compile("\n" * (first - 1) + block, filename, "exec"), self)

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "numbers":
            raise AttributeError(f"set theirs[{name!r}]: it is a variable of their code")
        super().__setattr__(name, value)


class Numbers(SimpleNamespace):
    """NumPy as their code sees it, but for what would stand between it and an exact check.

    np.zeros and its like hold complex numbers while a complex step passes, and float64 where float32 is asked for; np.clip
    of a gradient, which is meant to change it, does nothing. All else is NumPy's.
    """

    def __init__(self) -> None:
        super().__init__(**vars(np))
        self.number: type = float
        self.row_stack = np.vstack
        self.clip = lambda a, low, high, out=None: a
        for name in ("zeros", "ones", "empty"):
            setattr(self, name, self.creates(getattr(np, name)))

    def creates(self, create: Any) -> Any:
        return lambda shape, dtype=float, **options: create(
            shape, self.number if np.dtype(dtype).kind == "f" else dtype, **options
        )

    def hold(self, *arrays: Any) -> None:
        """From here on, arrays are created for numbers such as these."""
        self.number = complex if any(np.iscomplexobj(a) for a in arrays) else float
