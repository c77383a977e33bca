"""What makes the check of two functions wrong: each case is refused, and the error says what to do."""

from __future__ import annotations

import traceback
import warnings
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np

from ..activations import Array
from .contract import Outputs, is_float, type_of
from .numeric import METHODS, noise, sweep, unit

if TYPE_CHECKING:
    from .pair import CheckedPair

REPEATS = 1e-10  # of the largest output: rounding alone makes no larger difference between two calls
CENTRAL = (
    'use method="central", or write forward so that complex numbers pass. What usually stops them: np.zeros(shape), '
    "which holds real numbers alone (dtype=x.dtype helps); np.abs, np.linalg.norm, .real, .conj(); astype(float), float() "
    "and the math module; scipy.special.expit (0.5 * (1 + np.tanh(z / 2)) lets them pass)"
)


def reason(error: Exception) -> str:
    """Why complex numbers do not pass, in a few words."""
    if isinstance(error, np.exceptions.ComplexWarning):
        return "forward fills an array of real numbers, which dtype=x.dtype in np.zeros helps"
    return "forward calls what takes no complex numbers"


class NotAnalytic(ValueError):
    """Complex numbers do not pass through forward; `why` in a few words."""

    def __init__(self, message: str, why: str) -> None:
        super().__init__(f"{message}: {CENTRAL}")
        self.why = why


def refuse_other_floats(inputs: dict[str, Any]) -> None:
    for name, a in inputs.items():
        if np.iscomplexobj(a):
            raise ValueError(f"{name} is complex: what is checked is the gradient of a real function, so give float64")
        if is_float(a) and np.asarray(a).dtype != float:
            raise ValueError(
                f"{name} is {type_of(a)}, and only float64 has so little rounding that it hides no mistake: give "
                f"{name}.astype(np.float64)"
            )
        if is_float(a) and np.size(a) == 0:
            raise ValueError(f"{name} is empty, of shape {np.shape(a)}: there is nothing to check")


def refuse_random(one: Outputs, two: Outputs) -> None:
    for a, b in zip(one.arrays, two.arrays, strict=True):
        if a.shape != b.shape or (a.size and np.abs(a - b).max() > REPEATS * np.abs(a).max()):
            raise ValueError(
                "forward gives other outputs when called again with the same inputs: it draws random numbers (make the "
                "dropout mask an input, or seed a generator inside forward) or keeps a state from call to call"
            )


def refuse_not_analytic(pair: CheckedPair, point: dict[str, Array], rng: np.random.Generator) -> None:
    """A complex step is the derivative only if complex numbers pass through forward whole and unconjugated.

    Then it agrees with a central difference, to that one's precision: this is tested along a random direction in each input.
    NotAnalytic, a ValueError, if they do not.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        try:
            outputs = pair.outputs_at({name: a.astype(np.complex128) for name, a in point.items()})
        except Exception as error:  # of any kind: with real inputs there was none
            at = traceback.extract_tb(error.__traceback__)[-1]
            line = f"line {at.lineno}" + f", {at.line}" * bool(at.line)
            raise NotAnalytic(
                f"forward cannot take complex inputs ({type(error).__name__}: {error}; {line})",
                f"{reason(error)} ({shorten(line, 70)})",
            ) from error
    if not any(np.iscomplexobj(y) for y in outputs):
        raise NotAnalytic("forward gives real outputs for complex inputs", "forward drops the imaginary part")
    floor = noise(sum(float(np.abs(v * y).sum()) for v, y in zip(pair.upstream, outputs, strict=False)), 1e-4)
    (complex_step, H, _), (central, _, tolerance) = METHODS["complex"], METHODS["central"]
    assert H is not None
    for name, a in point.items():
        v = unit(rng, a.shape)
        exact = complex_step(pair.value, point, name, v, H)
        differences = sweep(pair.value, point, name, v, central).values()
        nearest = min(differences, key=lambda difference: abs(exact - difference))
        if abs(exact - nearest) > tolerance * max(abs(exact), abs(nearest)) + floor:
            raise NotAnalytic(
                f"forward is not analytic in {name}: along a random direction the complex step says {exact:.6g}, a central "
                f"difference at its best {nearest:.6g}",
                f"forward is not analytic in {name}",
            )
