"""What a report says beside its rows: what was not exercised, what a shape suggests, and at which step a gradient departs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..activations import Array
from .axes import Gates
from .compare import Settings, compare
from .contract import listed, type_of
from .pair import CheckedPair
from .report import FAILED, Lead, Report

LINEAR = 1e-6  # with less curvature than that, a wrong term of it stays below the tolerance
STACKED = {4: ('("i", "f", "g", "o")', "4H"), 3: ('("z", "r", "h")', "3H")}  # by the number of gates


def of_pair(pair: CheckedPair, report: Report, rng: np.random.Generator) -> list[str]:
    """What the check does not prove, and what is odd about the functions."""
    return linear(pair, rng) + of_zeros(report.zeros) + unused(report) + unchecked(pair)


def linear(pair: CheckedPair, rng: np.random.Generator) -> list[str]:
    """A note if a change of all inputs by a tenth shows no curvature: there the derivative of tanh is 1."""
    point = pair.point
    moves = {name: 0.1 * a * rng.uniform(-1, 1, a.shape) for name, a in point.items()}
    try:
        ahead, here, back = (
            pair.value({name: a + k * moves[name] for name, a in point.items()}) for k in (1.0, 0.0, -1.0)
        )
    except ValueError:  # the function is not defined there
        return []
    bend = abs(ahead - 2 * here + back)
    if bend > LINEAR * abs(ahead - back):
        return []
    return [
        "Around these inputs forward is linear to 1 in a million. Unless it is meant to be, they are too small: a forgotten "
        "derivative of tanh, which is 1 at 0, cannot be detected. Give inputs of size 1."
    ]


def zeros(pair: CheckedPair) -> list[str]:
    """The inputs that are 0 in every element."""
    return [name for name, a in pair.point.items() if not a.any()]


def of_zeros(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    one = len(names) == 1
    return [
        f"{listed(names)} {'is' if one else 'are'} 0 in every element: terms that contain {'it' if one else 'them'} are not "
        "exercised, and a mistake in them passes. Give random numbers of size 1."
    ]


def unused(report: Report) -> list[str]:
    """Inputs on which forward does not depend, though backward gives them a gradient."""
    names = [name for name, (a, n) in report.arrays.items() if np.nanmax(np.abs(n)) == 0 and np.nanmax(np.abs(a)) > 0]
    if not names:
        return []
    return [f"The outputs do not change with {listed(names)}: forward does not use it, or reads it from another place."]


def unchecked(pair: CheckedPair) -> list[str]:
    """The inputs without a gradient."""
    left = [f"{name} ({type_of(a)})" for name, a in pair.inputs.values.items() if name not in pair.analytic]
    return [f"Not checked, as backward gives no gradient: {', '.join(left)}."] if left else []


def suggestions(pair: CheckedPair) -> list[str]:
    """gates= and time_axis=, where nothing names them and a shape suggests them."""
    point, notes = pair.point, []
    for n, (labels, length) in STACKED.items():
        stacked = stacked_in(point, n)
        if stacked and not pair.gates:
            named = ", ".join(f'"{name}": {labels}' for name in stacked)
            notes.append(f"{listed(stacked)} may have an axis of {length}: gates={{{named}}} gives each gate a row.")
            break
    axis = pair_of_time_axis(pair)
    if axis and not pair.time_axis:
        name, k = axis
        notes.append(
            f'If axis {k} of {name} counts steps, time_axis={{"{name}": {k}}} says at which its gradient departs.'
        )
    return notes


def stacked_in(point: Mapping[str, Array], n: int) -> list[str]:
    """Matrices and biases with an axis nH, if one of them is recurrent: (H, nH) or (nH, H)."""
    recurrent = [a.shape for a in point.values() if a.ndim == 2 and max(a.shape) == n * min(a.shape)]
    lengths = {max(shape) for shape in recurrent}
    if len(lengths) != 1:
        return []
    (length,) = lengths
    names = [name for name, a in point.items() if a.ndim <= 2 and length in a.shape]
    return names if any(point[name].ndim == 1 or 1 in point[name].shape for name in names) else []


def pair_of_time_axis(pair: CheckedPair) -> tuple[str, int] | None:
    """The only input of three axes, and its axis that an output of three axes has too, other than the batch's, if told."""
    threes = [name for name, a in pair.point.items() if a.ndim == 3]
    outputs = [y.shape for y in pair.outputs.arrays if y.ndim == 3]
    if len(threes) != 1 or not outputs:
        return None
    shape = pair.point[threes[0]].shape
    same = [k for k in range(3) if shape[k] == outputs[0][k] and shape[k] >= 3]
    return (threes[0], same[0]) if len(same) == 1 else None


# -- where a gradient departs ------------------------------------------------------------------------------------------


def wrong_steps(pair: CheckedPair, name: str, axis: int, how: Settings) -> tuple[list[int], int]:
    """The steps at which the gradient of this input is wrong, and how many there are."""
    steps = [str(t) for t in range(pair.analytic[name].shape[axis])]
    rows = compare(pair.value, pair.point, {name: pair.analytic[name]}, {name: Gates(steps, axis)}, how).rows
    return [int(row.gate) for row in rows if row.verdict == FAILED], len(steps)


def by_step(pair: CheckedPair, name: str, axis: int, how: Settings, lead: Lead | None) -> str:
    """At which steps the gradient of this input is wrong, in a sentence; what to look at, where no lead says it."""
    wrong, steps = wrong_steps(pair, name, axis, how)
    end = steps - 1
    if not wrong:
        return f"The gradient of {name} is off by too little at any one step to say where."
    if wrong[-1] == end:
        look = ": look at the equations inside a step" if lead is None else ""
        return f"The gradient of {name} is wrong at the last step, {end}, already{look}."
    right = f"step {end}" if wrong[-1] == end - 1 else f"steps {end} to {wrong[-1] + 1}"
    look = ": look at what a step passes back to the one before" if lead is None else ""
    departs = f"is right at {right} and first departs at step {wrong[-1]}"
    return f"The gradient of {name}, from the last step back, {departs}{look}."
