"""Checks the reader's answer to an exercise: calls the function that they wrote and compares with the expected results.

A lesson is opened in three ways: in the editor, as a page without code (`lessons N --read`), and as a static page (the
website). `heading` and `source` show what fits each of them. Hints and solutions are in solutions/, a file for each lesson.
"""

import copy
import ctypes
import importlib
import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from lstm_engine.gradient_check import judge

# Pictures are drawn for white paper; in the dark they are turned over, and keep their hues.
IN_THE_DARK = ".dark :is(marimo-plotly, svg.on-white) {filter: invert(.9) hue-rotate(180deg)}"
LONG = 12  # of larger arrays a sentence shows the shape
PATIENCE_S = 20.0  # for one call of an answer; the longest right one takes a second


@dataclass(frozen=True)
class Check:
    """The state of an exercise, "open" (no answer yet), "right" or "wrong", and a sentence for the reader.

    help: what can be unfolded below, as title and HTML: the hints and the solution.
    """

    state: str
    text: str
    help: tuple[tuple[str, str], ...] = ()

    def _mime_(self) -> tuple[str, str]:  # how marimo shows it
        import marimo as mo

        kind = {"open": "neutral", "right": "success", "wrong": "danger"}[self.state]
        plain = 'style="border:0;background:none;box-shadow:none;padding:0;margin:.2em 0"'
        folded = [
            f"<details {plain}><summary {plain}>{title}</summary>{content}</details>" for title, content in self.help
        ]
        shown = mo.callout(mo.md(self.text), kind=kind).text + "".join(folded)
        return mo.Html(shown.replace("\n", "&#10;"))._mime_()  # type: ignore[no-any-return]


def heading(lesson: int) -> Any:
    """The heading of the exercises, and how or where to answer them. To be put in prose or shown."""
    import marimo as mo

    if mo.app_meta().mode == "edit":
        how = (
            "Write each function's body in place of `return None` and run its cell (Ctrl-Enter). The box below it checks "
            "your answer against the engine."
        )
    else:
        how = (
            f"Each asks for a function, and this page is only for reading. `lstm-engine lessons {lesson}`, without `--read`, "
            "opens the lesson where you can write it, and checks your answer against the engine."
        )
    return _block(f"<style>{IN_THE_DARK}</style>\n\n## Exercises\n\n{how}")


def source(*functions: Callable[..., Any]) -> Any:
    """The functions' code where the page hides their cells, else nothing. To be put in prose or shown."""
    import marimo as mo

    if mo.app_meta().mode != "run":
        return _block("")
    code = "\n\n\n".join(inspect.getsource(f).strip() for f in functions)
    return _block(f"```python\n{code}\n```")


def _block(markdown: str) -> Any:
    """Markdown as one line of HTML, which indented prose can contain."""
    import marimo as mo

    return mo.Html(f"<div>{mo.md(markdown).text}</div>".replace("\n", "&#10;"))


# -- the judge ---------------------------------------------------------------------------------------------------------


def check(
    answer: Callable[..., Any],
    *cases: tuple[tuple[Any, ...], Any],
    exercise: tuple[int, int],
    rtol: float = 1e-9,
    patience: float = PATIENCE_S,
) -> Check:
    """Calls `answer` for every case (arguments, expected) and compares numbers or arrays within rtol of the expected's size.

    An answer that returns None (or ...) is open. Whatever else it does, the result is a Check: also if it raises, returns
    another type, changes its arguments, or does not return within `patience` seconds. exercise: lesson and number.
    """
    hints = _help(*exercise)
    if not callable(answer):
        return Check("wrong", f"The answer is {_kind(answer)}; expected a function.", hints)
    for arguments, expected in cases:
        called = f"`{answer.__name__}({', '.join(_shown(a) for a in arguments)})`"
        result, trouble = _call(answer, copy.deepcopy(arguments), patience)
        if trouble:
            return Check("wrong", f"{called} {trouble}", hints)
        if result is None or result is ...:
            task = inspect.getdoc(answer) or ""  # shown here too, for a page that hides the function
            return Check("open", f"Not answered yet. {task}".strip(), hints)
        if trouble := _difference(result, np.asarray(expected), rtol):
            return Check("wrong", f"{called} {trouble}", hints)
    return Check("right", f"Right, in {len(cases)} of {len(cases)} cases.", hints)


def judged(forward: Callable[..., Any], backward: Callable[..., Any], exercise: tuple[int, int]) -> Check:
    """The judge of assignments (`le.assignment.check`) on the walks of an LSTM; its hints come before the lesson's."""
    open_yet = Check("open", f"Not answered yet. {inspect.getdoc(backward) or ''}".strip(), _help(*exercise))

    def verdict() -> Any:
        x, W, U, b, h, c = (np.ones(shape) for shape in ((1, 1, 1), (1, 4), (1, 4), (4,), (1, 1), (1, 1)))
        walked = forward(x, W, U, b, h, c)
        if walked is None or backward(np.ones((1, 1, 1)), walked[1]) is None:
            return None
        return judge.check(forward, backward, like="lstm")

    outcome, trouble = _call(verdict, (), 10 * PATIENCE_S)
    if outcome is None:
        return Check("wrong", f"`{backward.__name__}` {trouble}", _help(*exercise)) if trouble else open_yet
    if outcome.open:
        return open_yet
    hints = [text for text in (outcome.finding.hints if outcome.finding else []) if text]
    leads = tuple((f"Where to look, {n}", f"<p>{escape(text)}</p>") for n, text in enumerate(hints, 1))
    text = "\n\n".join(part for part in outcome.said() if not part.startswith("Hint "))
    return Check("right" if outcome.ok else "wrong", text, leads + _help(*exercise))


def _difference(result: Any, right: np.ndarray, rtol: float) -> str:
    """What is wrong with a result, in words; empty if nothing is."""
    wanted = f"an array of shape {right.shape}" if right.ndim else "a number"
    try:
        value = np.asarray(result)
    except Exception:  # a list of lists of different lengths, or an object that cannot be an array
        value = np.asarray(None)
    if value.dtype.kind not in "biufc":
        return f"gives {_kind(result)}; expected {wanted}."
    if value.shape != right.shape:
        return f"gives shape {value.shape}, expected {right.shape}."
    if np.allclose(value, right, rtol=0, atol=rtol * (np.abs(right).max(initial=0.0) or 1.0)):
        return ""
    if right.size <= LONG:
        return f"gives {_shown(value)}, expected {_shown(right)}."
    apart = np.where(np.isnan(value), np.inf, np.abs(value - right))
    at = tuple(int(n) for n in np.unravel_index(apart.argmax(), right.shape))
    return f"gives {value[at]:.6g} at {list(at)}, where {right[at]:.6g} is expected. That is the largest difference."


class _TooSlow(BaseException):
    """Raised within an answer that does not end; no `except Exception` of the answer catches it."""


def _call(answer: Callable[..., Any], arguments: tuple[Any, ...], patience: float) -> tuple[Any, str]:
    """The result, and what went wrong, in words. In a thread of its own, which can be ended when it takes too long."""
    outcome: list[Any] = [None, ""]

    def run() -> None:
        try:
            outcome[0] = answer(*arguments)
        except _TooSlow:
            pass
        except BaseException as error:  # also SystemExit: nothing that an answer does may end the lesson
            said = f"{type(error).__name__}: {error}".removesuffix(": ")
            outcome[1] = f"stopped with {said}"

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(patience)
    if thread.is_alive():
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_TooSlow))
        return None, f"has not returned after {patience:g} seconds. Does a loop never end?"
    return outcome[0], outcome[1]


def _kind(value: Any) -> str:
    """A value of the wrong type, in words: the string 'abc'."""
    name = {"str": "string", "function": "function"}.get(type(value).__name__, type(value).__name__)
    text = " ".join(repr(value).split())
    return f"the {name} `{text if len(text) <= 60 else text[:57] + '...'}`"


def _shown(value: Any) -> str:
    if np.size(value) > LONG:
        return f"array {np.shape(value)}"
    text = value.__name__ if callable(value) else np.array2string(np.asarray(value), precision=10)
    return " ".join(text.split())


# -- hints and solutions -----------------------------------------------------------------------------------------------


def _help(lesson: int, number: int) -> tuple[tuple[str, str], ...]:
    """The hints, from a nudge to nearly all, and the solution's code."""
    solutions = importlib.import_module(f"experiments.lessons.solutions.lesson_{lesson}")
    hints = [(f"Hint {n}", f"<p>{escape(hint)}</p>") for n, hint in enumerate(solutions.HINTS[number], 1)]
    code = inspect.getsource(getattr(solutions, f"answer_{number}")).strip()
    return (*hints, ("Solution", f'<pre class="text-xs" style="overflow-x:auto">{escape(code)}</pre>'))
