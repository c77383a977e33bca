"""Checks the reader's answer to an exercise: calls the function that they wrote and compares with the expected results.

A lesson is opened in three ways: in the editor, as a page without code (`lessons N --read`), and as a static page (the
website). `heading` and `source` show what fits each of them.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Check:
    """The state of an exercise, "open" (no answer yet), "right" or "wrong", and a sentence for the reader."""

    state: str
    text: str

    def _mime_(self) -> tuple[str, str]:  # how marimo shows it
        import marimo as mo

        kind = {"open": "neutral", "right": "success", "wrong": "danger"}[self.state]
        return mo.callout(mo.md(self.text), kind=kind)._mime_()  # type: ignore[no-any-return]


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
    return _block(f"## Exercises\n\n{how}")


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


def check(answer: Callable[..., Any], *cases: tuple[tuple[Any, ...], Any], rtol: float = 1e-9) -> Check:
    """Calls `answer` for every case (arguments, expected) and compares numbers or arrays within rtol of the expected's size.

    An answer that returns None (or ...) is open.
    """
    for arguments, expected in cases:
        called = f"`{answer.__name__}({', '.join(_shown(a) for a in arguments)})`"
        try:
            result = answer(*arguments)
        except Exception as error:
            return Check("wrong", f"{called} stopped with {type(error).__name__}: {error}")
        if result is None or result is ...:
            task = inspect.getdoc(answer) or ""  # shown here too, for a page that hides the function
            return Check("open", f"Not answered yet. {task}".strip())
        right = np.asarray(expected)
        if np.shape(result) != right.shape:
            return Check("wrong", f"{called} gives shape {np.shape(result)}, expected {right.shape}.")
        if not np.allclose(result, right, rtol=0, atol=rtol * (np.abs(right).max(initial=0.0) or 1.0)):
            return Check("wrong", f"{called} gives {_shown(result)}, expected {_shown(right)}.")
    return Check("right", f"Right, in {len(cases)} of {len(cases)} cases.")


def _shown(value: Any) -> str:
    text = np.array2string(np.asarray(value), precision=10, threshold=6) if not callable(value) else value.__name__
    return " ".join(text.split())
