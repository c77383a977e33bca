"""Compares analytic gradients with numeric ones, parameter by parameter and gate by gate. It knows nothing of models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from ..activations import Array
from .axes import Gates
from .numeric import METHODS, ROUNDING, Function, best_step, noise, sweep, unit
from .report import FAILED, NOT_EXERCISED, NOT_RESOLVED, PASSED, Report, Row, relative_errors

ROUNDINGS = 30  # of the largest gradient's elements: two correct passes may differ by this much where terms cancel

LEAST_WIDTH = 1e-7  # of an interval in which a kink is looked for: in a smaller one rounding is larger than the slopes
NO_GATES = Gates(("",))

Progress = Callable[[int, int], None]  # (done, total)


class Settings(NamedTuple):
    """How to compare: the estimator, its step (None: a sweep chooses it), the tolerance, and the elements per parameter."""

    method: str
    step: float | None
    tolerance: float
    elements: int | None  # None: all
    seed: int


def settings(
    method: str, step: float | None, tol: float | None, elements: int | None, seed: int, least: float = 0.0
) -> Settings:
    """Checked settings. Without step or tol those of the method are taken, the tolerance being at least `least`."""
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    for name, value in (("step", step), ("tol", tol)):
        if value is not None and not 0 < value < np.inf:
            raise ValueError(f"{name} must be a positive number, got {value!r}")
    if elements is not None and (isinstance(elements, bool) or elements < 1):
        raise ValueError(f"elements must be None, for all, or a whole number of at least 1, got {elements!r}")
    default = METHODS[method]
    step = default.step if step is None else step
    tolerance = max(default.tolerance, least) if tol is None else tol
    return Settings(method, step, tolerance, elements, seed)


def compare(
    f: Function,
    point: dict[str, Array],
    analytic: dict[str, Array],
    gates: Mapping[str, Gates],
    how: Settings,
    progress: Progress | None = None,
) -> Report:
    """Compares every array of `analytic` with the derivative of f at `point`; f takes the arrays of point by name.

    gates names equal parts of an array's axis, each of which gets a row. how.seed draws the elements, equally many from
    every gate; where not all elements are checked, a random direction through all of them is.
    """
    rng = np.random.default_rng(how.seed)
    parts = {name: split(a.shape, gates.get(name, NO_GATES)) for name, a in analytic.items()}
    chosen = {
        name: [choose(rng, where, how.elements, len(by_gate)) for where in by_gate.values()]
        for name, by_gate in parts.items()
    }
    total = sum(len(indices) for by_gate in chosen.values() for indices in by_gate)
    done = 0
    value = float(np.real(f(point)))
    largest = max(np.sqrt((a * a).mean()) for a in analytic.values())
    rows: list[Row] = []
    arrays: dict[str, tuple[Array, Array]] = {}
    steps: dict[str, float] = {}
    estimate = METHODS[how.method].estimate
    for name, a in analytic.items():
        h = how.step
        if h is None:
            h = best_step(sweep(f, point, name, unit(rng, a.shape), estimate), value)
        numeric = np.full(a.shape, np.nan)
        for (gate, where), indices in zip(parts[name].items(), chosen[name], strict=True):
            for index in indices:
                v = np.zeros(a.shape)
                v[index] = 1.0
                numeric[index] = estimate(f, point, name, v, h)
                done += 1
                if progress:
                    progress(done, total)
            direction = None
            if len(indices) < where.sum():
                v = unit(rng, a.shape, where)
                direction = (float((a[where] * v[where]).sum()), estimate(f, point, name, v, h))
            floor = ROUNDINGS * ROUNDING * largest if how.method == "complex" else noise(value, h)
            rows.append(row(name, gate, indices, a, numeric, where, direction, how.tolerance, floor))
        arrays[name] = (np.where(np.isnan(numeric), np.nan, a), numeric)
        steps[name] = h
    notes = kinks(f, point, rows, how.method, steps)
    axes = {name: gates[name].axis for name in arrays if name in gates}
    return Report(rows, how.method, how.tolerance, steps, arrays, notes, gate_axis=axes)


def kinks(f: Function, point: dict[str, Array], rows: list[Row], method: str, steps: dict[str, float]) -> list[str]:
    """A note on a kink, which makes a difference fail though the gradient is right: where one is seen, not elsewhere.

    At the worst element of every row that failed, the slopes to both sides are taken within the step h of the estimate. On a
    smooth function they differ by h f'' and less; across a kink by as much as the estimate is off.
    """
    if method == "complex":
        return []
    seen: dict[str, str] = {}
    for bad in (row for row in rows if row.verdict == FAILED and row.parameter not in seen):
        v = np.zeros(point[bad.parameter].shape)
        v[bad.worst_index] = 1.0
        h = steps[bad.parameter]
        if kink_within(f, point, bad.parameter, v, h, abs(bad.analytic - bad.numeric)):
            seen[bad.parameter] = f"{bad.parameter} at {bad.worst_index}"
    if not seen:
        return []
    return [
        f"The loss has a kink, as of abs, relu or maximum, near {', '.join(seen.values())}: a difference across it is wrong "
        "where the gradient is right. Give inputs farther from it, or a smaller step."
    ]


def kink_within(f: Function, point: dict[str, Array], name: str, v: Array, h: float, off: float) -> bool:
    """Whether the slope along v changes suddenly between -h and h, by at least a third of `off`.

    Halving finds the interval in which the slope changes most; a smooth change halves with it, a sudden one stays.
    """

    def value(at: float) -> float:
        return float(np.real(f(point | {name: point[name] + at * v})))

    left, width = -h, h
    for _ in range(12):
        if width < LEAST_WIDTH:
            break
        slopes = np.diff([value(left + k * width / 2) for k in range(5)]) / (width / 2)  # of four quarters
        left, width = left + float(np.argmax(np.abs(np.diff(slopes)))) * width / 2, width / 2
    ends = [value(left + k * width) for k in range(3)]
    change = abs(ends[2] - 2 * ends[1] + ends[0]) / width
    return bool(change > off / 3 + 4 * noise(ends[1], width))


def split(shape: tuple[int, ...], gates: Gates) -> dict[str, Array]:
    """By gate, a bool array of this shape that is True at the gate's elements."""
    n = shape[gates.axis]
    which = np.arange(n) * len(gates.labels) // n  # (n,): the gate that a place on the axis belongs to
    along = np.moveaxis(np.broadcast_to(which, (*np.delete(shape, gates.axis), n)), -1, gates.axis)
    return {gate: along == k for k, gate in enumerate(gates.labels)}


def choose(rng: np.random.Generator, where: Array, elements: int | None, gates: int) -> list[tuple[int, ...]]:
    """The indices of one gate that are checked: all, or its share of `elements`, drawn without repetition."""
    indices = np.argwhere(where)
    if elements is not None and len(indices) > (n := max(1, elements // gates)):
        indices = indices[np.sort(rng.choice(len(indices), n, replace=False))]
    return [tuple(map(int, index)) for index in indices]


def row(
    name: str,
    gate: str,
    indices: list[tuple[int, ...]],
    analytic: Array,
    numeric: Array,
    where: Array,
    direction: tuple[float, float] | None,
    tolerance: float,
    floor: float,
) -> Row:
    """The row of one gate, from the checked elements and from both derivatives along a direction through all of them."""
    a = np.array([analytic[index] for index in indices])
    n = np.array([numeric[index] for index in indices])
    difference, size = norm(a - n), max(norm(a), norm(n))
    error = ratio(difference, norm(n))
    direction_error = None
    if direction is not None:
        along, exact = direction
        scale = max(norm(analytic[where]) / np.sqrt(where.sum()), abs(along), abs(exact))  # the direction has length 1
        direction_error = ratio(abs(along - exact), scale)
        size = max(size, scale)
    rounding = floor * np.sqrt(len(indices))
    if size == 0:
        verdict = NOT_EXERCISED
    elif error <= tolerance and (direction_error is None or direction_error <= tolerance):
        verdict = PASSED
    elif difference <= rounding and size * tolerance < rounding:
        verdict = NOT_RESOLVED
    else:  # NaN too
        verdict = FAILED
    errors = relative_errors(a, n)
    worst = int(np.argmax(np.where(np.isnan(errors), np.inf, errors)))
    return Row(
        parameter=name,
        gate=gate,
        checked=len(indices),
        size=int(where.sum()),
        max_rel_error=float(errors[worst]),
        norm_rel_error=error,
        direction_error=direction_error,
        worst_index=indices[worst],
        analytic=float(a[worst]),
        numeric=float(n[worst]),
        verdict=verdict,
    )


def norm(a: Array) -> float:
    return float(np.sqrt((a * a).sum()))


def ratio(difference: float, size: float) -> float:
    """difference / size; with a size of 0 it is 0 for no difference, else infinity."""
    if size > 0:
        return difference / size
    return 0.0 if difference == 0 else np.inf
