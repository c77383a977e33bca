"""Whether the reader's answer to an exercise is right: the function that they wrote, asked beside what is known.

A lesson is opened in three ways: in the editor, as a page without code (`lessons N --read`), and as a page that stands
still (the website). `heading` and `source` say in each what a reader can do and see there.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Check:
    """What became of an exercise: "open" (no answer yet), "right", or "wrong"; and a sentence for the reader."""

    state: str
    text: str

    def _mime_(self) -> tuple[str, str]:  # how marimo shows it
        import marimo as mo

        kind = {"open": "neutral", "right": "success", "wrong": "danger"}[self.state]
        return mo.callout(mo.md(self.text), kind=kind)._mime_()  # type: ignore[no-any-return]


def heading(lesson: int) -> Any:
    """What begins a lesson's exercises: how they are answered, or where, if not on this page. To be put in prose or shown."""
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
    """The functions' code where a page hides it, and nothing where their cells are seen. To be put in prose or shown."""
    import marimo as mo

    if mo.app_meta().mode != "run":
        return _block("")
    code = "\n\n\n".join(inspect.getsource(f).strip() for f in functions)
    return _block(f"```python\n{code}\n```")


def _block(markdown: str) -> Any:
    """Markdown as one line of HTML, which prose in the margin of a cell can take in without losing its own margin."""
    import marimo as mo

    return mo.Html(f"<div>{mo.md(markdown).text}</div>".replace("\n", "&#10;"))


def check(answer: Callable[..., Any], *cases: tuple[tuple[Any, ...], Any], rtol: float = 1e-9) -> Check:
    """Asks `answer` for every case (arguments, expected) and compares: numbers or arrays within rtol of the expected's size.

    An answer that gives None (or ...) is open.
    """
    for arguments, expected in cases:
        called = f"`{answer.__name__}({', '.join(_shown(a) for a in arguments)})`"
        try:
            given = answer(*arguments)
        except Exception as error:
            return Check("wrong", f"{called} stopped with {type(error).__name__}: {error}")
        if given is None or given is ...:
            asked = inspect.getdoc(answer) or ""  # shown here too, for a page that hides the function
            return Check("open", f"Not answered yet. {asked}".strip())
        want = np.asarray(expected)
        if np.shape(given) != want.shape:
            return Check("wrong", f"{called} gives shape {np.shape(given)}, expected {want.shape}.")
        if not np.allclose(given, want, rtol=0, atol=rtol * (np.abs(want).max(initial=0.0) or 1.0)):
            return Check("wrong", f"{called} gives {_shown(given)}, expected {_shown(want)}.")
    return Check("right", f"Right, in {len(cases)} of {len(cases)} cases.")


def _shown(value: Any) -> str:
    text = np.array2string(np.asarray(value), precision=10, threshold=6) if not callable(value) else value.__name__
    return " ".join(text.split())
