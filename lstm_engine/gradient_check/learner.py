"""Calls a learner's functions: whatever goes wrong becomes a sentence with the line, instead of a traceback.

`Fault` is what the judge reports; `NotWritten` means that the function still raises NotImplementedError.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..checks import counted
from .contract import type_of
from .source_lines import Place


class NotWritten(Exception):
    """The function's body is still the starter's."""


class Fault(Exception):
    """A mistake that needs no gradient to be seen: what came, what was expected."""

    def __init__(self, sentence: str, place: Place | None = None) -> None:
        super().__init__(sentence)
        self.sentence, self.place = sentence, place
        self.function = ""  # in which it lies; set where that is known


@contextmanager
def judging(function: Callable[..., Any]) -> Iterator[None]:
    """Inside, a Fault lies in this function."""
    try:
        yield
    except Fault as fault:
        fault.function = fault.function or function.__name__
        raise


def refuse_unwritten(function: Callable[..., Any]) -> None:
    """NotWritten if the function's body is the starter's, or empty: seen without calling it."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return
    if not isinstance(tree.body[0], ast.FunctionDef):
        return
    body = [
        line for line in tree.body[0].body if not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
    ]
    written = [line for line in body if not isinstance(line, ast.Pass)]
    if not written or (isinstance(written[0], ast.Raise) and "NotImplemented" in ast.unparse(written[0])):
        raise NotWritten(function.__name__)


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """function(*arguments), with its warnings silent. Fault for an exception, with the line of the learner's file."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return function(*arguments)
    except NotImplementedError:
        raise NotWritten(function.__name__) from None
    except Exception as error:  # of any kind: it is the learner's
        place = line_of_error(error, function)
        what = f"{type(error).__name__}: {error}".rstrip(": ")
        raise Fault(f"{function.__name__} stopped with {what}.", place) from error


def line_of_error(error: BaseException, function: Callable[..., Any]) -> Place | None:
    """The last line of the function's own file that the error passed through."""
    file = inspect.getsourcefile(function) if inspect.isfunction(function) else None
    place, step = None, error.__traceback__
    while step is not None:
        name = step.tb_frame.f_code.co_filename
        if name == file:
            place = Place(name, step.tb_lineno, linecache.getline(name, step.tb_lineno).strip())
        step = step.tb_next
    return place


def unchanged(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """function called with copies of the arguments, by name. Fault if it changes one of them in place."""
    copies = {name: copied(a) for name, a in arguments.items()}
    returned = call(function, *copies.values())
    for name, a in arguments.items():
        for key, before, after in leaves(name, a, copies[name]):
            if before.shape != after.shape or before.tobytes() != after.tobytes():
                raise Fault(
                    f"{function.__name__} changes its argument {key} in place, as {key} += ... does: make a new array, "
                    f"{key} = {key} + ..."
                )
    return returned


def copied(a: Any) -> Any:
    if isinstance(a, dict):
        return {key: copied(value) for key, value in a.items()}
    if isinstance(a, (list, tuple)):
        return type(a)(copied(value) for value in a)
    return a.copy() if isinstance(a, np.ndarray) else a


def leaves(name: str, before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    """The arrays of two arguments that belong together, with their names."""
    if isinstance(before, dict):
        return [leaf for key in before for leaf in leaves(f'{name}["{key}"]', before[key], after[key])]
    if isinstance(before, (list, tuple)):
        return [leaf for k in range(len(before)) for leaf in leaves(f"{name}[{k}]", before[k], after[k])]
    return [(name, before, after)] if isinstance(before, np.ndarray) else []


def array(value: Any, shape: tuple[int, ...], what: str, complex_allowed: bool = False) -> Any:
    """The value as a float64 array of this shape, or a Fault that says what came; a list by step counts as an array."""
    if value is None:
        raise Fault(f"{what} is None: has it been computed, and returned?")
    try:
        a = np.asarray(value)
    except ValueError:
        raise Fault(
            f"{what} is a {type_of(value)} whose parts differ in shape, expected an array of {shape}."
        ) from None
    if a.dtype == object or a.dtype.kind not in "fiub":
        raise Fault(f"{what} is {type_of(value)}, expected a float64 array of shape {shape}.")
    if a.shape != shape:
        hint = ""
        if a.ndim == len(shape) and a.T.shape == shape and a.ndim > 1:
            hint = " It is transposed."
        elif a.size == np.prod(shape):
            hint = " It has the right number of elements: reshape it, or keep the axis (keepdims=True)."
        elif a.ndim > len(shape):
            hint = " Sum over the axis that is too many."
        raise Fault(f"{what} has shape {a.shape}, expected {shape}.{hint}")
    if a.dtype.kind == "f" and a.dtype.itemsize < 8:
        raise Fault(
            f"{what} is {a.dtype}: compute in float64, where rounding hides no mistake (np.zeros and np.ones give float64; "
            "dtype=np.float32 and astype(np.float32) do not)."
        )
    a = a.astype(float)
    if not np.isfinite(a).all():
        at = tuple(map(int, np.argwhere(~np.isfinite(a))[0]))
        raise Fault(
            f"{what} is {a[at]} at {list(at)}: look for a division by 0, a logarithm, or exp of a large number."
        )
    return a


def parts(returned: Any, names: Sequence[str], function: str) -> list[Any]:
    """What a function returned as so many values; Fault that says how many came."""
    expected = f"expected {counted(len(names), 'value')}: {', '.join(names)}"
    if returned is None:
        raise Fault(f"{function} returns None, {expected}. Does it end with return?")
    if not isinstance(returned, (tuple, list)):
        raise Fault(f"{function} returns {type_of(returned)}, {expected}.")
    if len(returned) != len(names):
        raise Fault(f"{function} returns {counted(len(returned), 'value')}, {expected}.")
    return list(returned)
