"""Whether the reader's answer to an exercise is right: the function that they wrote, asked beside what is known."""

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
            return Check("open", "Not answered yet: write the function above.")
        want = np.asarray(expected)
        if np.shape(given) != want.shape:
            return Check("wrong", f"{called} gives shape {np.shape(given)}, expected {want.shape}.")
        if not np.allclose(given, want, rtol=0, atol=rtol * (np.abs(want).max(initial=0.0) or 1.0)):
            return Check("wrong", f"{called} gives {_shown(given)}, expected {_shown(want)}.")
    return Check("right", f"Right, in {len(cases)} of {len(cases)} cases.")


def _shown(value: Any) -> str:
    text = np.array2string(np.asarray(value), precision=10, threshold=6) if not callable(value) else value.__name__
    return " ".join(text.split())
