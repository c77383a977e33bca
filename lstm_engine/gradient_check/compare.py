"""Analytic gradients against numeric ones, parameter by parameter and gate by gate. Knows nothing of models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..activations import Array
from .numeric import METHODS, ROUNDING, Function, best_step, noise, sweep, unit
from .report import FAILED, NOT_EXERCISED, NOT_RESOLVED, PASSED, Report, Row, relative_errors

ROUNDINGS = 30  # of the largest gradient's numbers: what two right passes may part by where numbers nearly cancel

Progress = Callable[[int, int], None]  # (done, of how many)


class Settings(NamedTuple):
    """How to look: the estimator, its step (None: found by a sweep), the tolerance, and how many elements of a parameter."""

    method: str
    step: float | None
    tolerance: float
    elements: int | None  # None: all
    seed: int


def settings(
    method: str, step: float | None, tol: float | None, elements: int | None, seed: int, least: float = 0.0
) -> Settings:
    """With the method's own step and tolerance where none are given, the tolerance being at least `least`."""
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    for name, value in (("step", step), ("tol", tol)):
        if value is not None and not 0 < value < np.inf:
            raise ValueError(f"{name} must be a positive number, got {value!r}")
    if elements is not None and (isinstance(elements, bool) or elements < 1):
        raise ValueError(f"elements must be None, for all, or a whole number of at least 1, got {elements!r}")
    own = METHODS[method]
    return Settings(
        method, own.step if step is None else step, max(own.tolerance, least) if tol is None else tol, elements, seed
    )


def compare(
    f: Function, point: dict[str, Array], analytic: dict[str, Array], gates: dict[str, Sequence[str]], how: Settings,
    progress: Progress | None = None,
) -> Report:  # fmt: skip
    """Holds every array of `analytic` against the derivative of f at `point`, where f takes the arrays of point by name.

    gates names the equal parts that lie side by side on an array's last axis, each of which gets a row. Elements are drawn
    by how.seed, as many from every gate; a parameter of which not all are checked gets a random direction through all.
    """
    rng = np.random.default_rng(how.seed)
    parts = {name: split(a.shape, gates.get(name, ("",))) for name, a in analytic.items()}
    chosen = {
        name: [choose(rng, where, how.elements, len(parts[name])) for where in parts[name].values()] for name in parts
    }
    total, done = sum(len(at) for ats in chosen.values() for at in ats), 0
    value, largest = float(np.real(f(point))), max(np.sqrt((a * a).mean()) for a in analytic.values())
    rows, arrays, steps = [], {}, {}
    estimate = METHODS[how.method].estimate
    for name, a in analytic.items():
        h = how.step
        if h is None:
            h = best_step(sweep(f, point, name, unit(rng, a.shape), estimate), value)
        numeric = np.full(a.shape, np.nan)
        for (gate, where), at in zip(parts[name].items(), chosen[name], strict=True):
            for index in at:
                v = np.zeros(a.shape)
                v[index] = 1.0
                numeric[index] = estimate(f, point, name, v, h)
                done += 1
                if progress:
                    progress(done, total)
            aside = None
            if len(at) < where.sum():
                v = unit(rng, a.shape, where)
                aside = (float((a[where] * v[where]).sum()), estimate(f, point, name, v, h))
            floor = ROUNDINGS * ROUNDING * largest if how.method == "complex" else noise(value, h)
            rows.append(row(name, gate, at, a, numeric, where, aside, how.tolerance, floor))
        arrays[name], steps[name] = (np.where(np.isnan(numeric), np.nan, a), numeric), h
    return Report(rows, how.method, how.tolerance, steps, arrays, kinks(rows, how.method))


def kinks(rows: list[Row], method: str) -> list[str]:
    """What else than a mistake can make a difference fail."""
    if method == "complex" or all(row.verdict != FAILED for row in rows):
        return []
    return [
        "A difference across a kink, of abs, relu or maximum, is wrong where the gradient is right: compare with other "
        'values of step=, or with method="complex" where it serves.'
    ]


def split(shape: tuple[int, ...], gates: Sequence[str]) -> dict[str, Array]:
    """By gate, which elements are its own: bool, of this shape."""
    column = np.arange(shape[-1]) * len(gates) // shape[-1]  # (K,): the gate that a column belongs to
    return {gate: np.broadcast_to(column == k, shape) for k, gate in enumerate(gates)}


def choose(rng: np.random.Generator, where: Array, elements: int | None, gates: int) -> list[tuple[int, ...]]:
    """The indices to check of one gate: all, or its share of `elements`, drawn without repetition."""
    own = np.argwhere(where)
    if elements is not None and len(own) > (n := max(1, elements // gates)):
        own = own[np.sort(rng.choice(len(own), n, replace=False))]
    return [tuple(map(int, index)) for index in own]


def row(
    name: str, gate: str, at: list[tuple[int, ...]], analytic: Array, numeric: Array, where: Array,
    aside: tuple[float, float] | None, tolerance: float, floor: float,
) -> Row:  # fmt: skip
    """The row of one gate, from the elements that were checked and the derivatives along a direction through all of them."""
    a, n = np.array([analytic[index] for index in at]), np.array([numeric[index] for index in at])
    apart, size = norm(a - n), max(norm(a), norm(n))
    error, direction = ratio(apart, norm(n)), None
    if aside is not None:
        along, exact = aside
        seen = max(norm(analytic[where]) / np.sqrt(where.sum()), abs(along), abs(exact))  # by a direction of length 1
        direction, size = ratio(abs(along - exact), seen), max(size, seen)
    rounding = floor * np.sqrt(len(at))
    if size == 0:
        verdict = NOT_EXERCISED
    elif error <= tolerance and (direction is None or direction <= tolerance):
        verdict = PASSED
    elif apart <= rounding and size * tolerance < rounding:
        verdict = NOT_RESOLVED
    else:  # NaN too
        verdict = FAILED
    errors = relative_errors(a, n)
    worst = int(np.argmax(np.where(np.isnan(errors), np.inf, errors)))
    return Row(
        name, gate, len(at), int(where.sum()), float(errors[worst]), error, direction, at[worst],
        float(a[worst]), float(n[worst]), verdict,
    )  # fmt: skip


def norm(a: Array) -> float:
    return float(np.sqrt((a * a).sum()))


def ratio(apart: float, size: float) -> float:
    """Apart / size, 0 when nothing is apart and infinity when all is."""
    return apart / size if size > 0 else 0.0 if apart == 0 else np.inf
