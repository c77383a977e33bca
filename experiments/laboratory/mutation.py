"""One mistake in one function: its source is changed in memory, compiled, and is the function's code for a while.

No copy of a wrong function lies in a file, so that the mistakes stay mistakes in the code as it is: a mutant whose old text
is not there any more, or is there twice, is refused.
"""

from __future__ import annotations

import importlib
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import NamedTuple


class Mutant(NamedTuple):
    """A mistake: `old` becomes `new` in `function`, "cells.lstm.lstm_backward" of lstm_engine."""

    name: str  # what is wrong, in words
    function: str
    old: str
    new: str
    departs: str = ""  # where the backward pass then goes wrong first, "gate f": see `gradient_check/departure.py`


def function_of(mutant: Mutant) -> FunctionType:
    """The right function, a module's or a class's own."""
    *path, name = f"lstm_engine.{mutant.function}".split(".")
    if path[-1][0].isupper():
        return vars(getattr(importlib.import_module(".".join(path[:-1])), path[-1]))[name]
    return getattr(importlib.import_module(".".join(path)), name)


def wrong_code(mutant: Mutant) -> CodeType:
    """The function's code with the mistake in it. ValueError unless the old text stands in the source exactly once."""
    right = function_of(mutant)
    source = textwrap.dedent(inspect.getsource(right))
    if (n := source.count(mutant.old)) != 1:
        raise ValueError(
            f"mutant {mutant.name!r}: {mutant.old!r} must stand exactly once in {mutant.function}, found {n} times"
        )
    names = dict(right.__globals__)
    exec(compile(source.replace(mutant.old, mutant.new), f"<{mutant.name}>", "exec"), names)
    return names[right.__name__].__code__


@contextmanager
def made(mutant: Mutant) -> Iterator[None]:
    """Inside, the function makes the mistake, for every caller and reference."""
    function, wrong = function_of(mutant), wrong_code(mutant)
    right = function.__code__
    function.__code__ = wrong
    try:
        yield
    finally:
        function.__code__ = right
