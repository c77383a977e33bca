"""Where the mistake is in a function that is no known cell: its number of steps is swept, and its outputs one at a time.

A mistake inside a step is wrong with one step already; one in what a step hands back, or in the sum over the steps, shows
with the second. No gradient of x is needed for that. Which rows fail at first names a gate or a parameter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..activations import Array
from .compare import split
from .numeric import METHODS, unit
from .pair import Calls, CheckedPair
from .recognise import CELL, FIRST, HIDDEN
from .report import Lead
from .slips import BETWEEN, INSIDE, SUM, UPSTREAM

STEP = 1e-2  # of Richardson's differences, whose error is of the order of its sixth power
WRONG = 1e-5  # relative to the size of the gradient
MOST = 4  # steps
DIRECTIONS = 2  # random ones, for each row

RowName = tuple[str, str]  # input and gate


class Outcome(NamedTuple):
    """Which rows are wrong, right, or not exercised (both sides 0) at one number of steps."""

    wrong: set[RowName]
    right: set[RowName]


def swept_lead(calls: Calls, pair: CheckedPair) -> Lead | None:
    """Region, and quantity where the rows name it; None where nothing is learned."""
    rng = np.random.default_rng(11)
    if (lead := one_output_lead(calls, pair, rng)) is not None:
        return lead
    axes = next(time_axes(calls, pair), None)
    if axes is None:
        return None
    length = min(np.shape(pair.inputs.values[name])[axis] for name, axis in axes.items())
    outcomes: dict[int, Outcome] = {}
    for n in range(1, min(length, MOST) + 1):
        try:
            outcomes[n] = outcome(calls, pair, with_states(cut(calls.values, axes, n), rng), rng)
        except Exception:  # of the caller's function: so few steps are refused
            continue
    first = next((n for n, result in outcomes.items() if result.wrong), None)
    if first is None or (first > 1 and first - 1 not in outcomes):
        return None
    return inside_lead(outcomes[1]) if first == 1 else later_lead(first, outcomes, pair)


# -- experiments -------------------------------------------------------------------------------------------------------


def outcome(
    calls: Calls, pair: CheckedPair, values: dict[str, Any], rng: np.random.Generator, only: int | None = None
) -> Outcome:
    """Analytic and numeric derivatives along random directions, row by row."""
    shown = calls.outputs(values)
    v = [rng.standard_normal(y.shape) * (only in (None, k)) for k, y in enumerate(shown[: calls.taken])]
    weights = v or [np.ones(y.shape) for y in shown]
    gradients = calls.gradients(values, v)

    def value(arrays: dict[str, Array]) -> Any:
        return sum((w * y).sum() for w, y in zip(weights, calls.outputs(values | arrays), strict=False))

    result = Outcome(set(), set())
    for name, g in gradients.items():
        point = {name: np.atleast_1d(values[name])}
        parts = split(g.shape, pair.gates[name]) if name in pair.gates else {"": np.ones(g.shape, bool)}
        for gate, where in parts.items():
            for _ in range(DIRECTIONS):
                d = unit(rng, g.shape, where)
                along = float((g * d).sum())
                numeric = METHODS["richardson"].estimate(value, point, name, d, STEP)
                size = max(abs(along), abs(numeric), np.sqrt((g[where] ** 2).mean()))
                if size > 1e-9:
                    (result.right if abs(along - numeric) <= WRONG * size else result.wrong).add((name, gate))
    return Outcome(result.wrong, result.right - result.wrong)


def with_states(values: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """First states of 0 leave the terms with h' and c' unexercised in the first step, so they get random numbers."""
    zeros = [
        name
        for name, a in values.items()
        if isinstance(a, np.ndarray) and a.dtype == float and not a.any() and (HIDDEN.search(name) or CELL.search(name))
    ]
    return values | {name: rng.standard_normal(values[name].shape) for name in zeros}


def cut(values: dict[str, Any], axes: dict[str, int], n: int) -> dict[str, Any]:
    """The inputs with their first n steps."""
    short = {}
    for name, axis in axes.items():
        a = values[name]
        short[name] = a[:n] if isinstance(a, (list, tuple)) else a[(slice(None),) * axis + (slice(n),)]
    return values | short


def time_axes(calls: Calls, pair: CheckedPair) -> Iterator[dict[str, int]]:
    """By input, the axis that counts steps: x's, and that of inputs without a gradient that have one of this length."""
    values = pair.inputs.values
    lists = {name: np.shape(a) for name, a in values.items() if isinstance(a, (np.ndarray, list, tuple))}
    likely = [*pair.time_axis, *(name for name in lists if FIRST.match(name)), *lists]
    for name in dict.fromkeys(likely):
        for axis, length in enumerate(lists[name]):
            if length < 2 or (name in pair.time_axis and pair.time_axis[name] % len(lists[name]) != axis):
                continue
            others = {
                other: shape.index(length)
                for other, shape in lists.items()
                if other != name and other not in pair.analytic and length in shape
            }
            for companions in ({}, others) if others else ({},):
                axes = {name: axis} | companions
                if name in pair.time_axis or FIRST.match(name) or axis == 0:
                    try:
                        calls.outputs(cut(values, axes, length - 1))
                    except Exception:  # of the caller's function: this is no axis that can be cut
                        continue
                    if name in pair.time_axis or recurrent(calls, values, name, axis):
                        yield axes


def recurrent(calls: Calls, values: dict[str, Any], name: str, axis: int) -> bool:
    """Whether the entries along this axis act on each other, as steps do and the sequences of a batch do not."""
    a = values[name]
    if not isinstance(a, np.ndarray) or a.dtype != float:
        return True  # classes by step: there is nothing to move
    one, two = np.zeros(a.shape), np.zeros(a.shape)
    np.moveaxis(one, axis, 0)[0] = 0.1
    np.moveaxis(two, axis, 0)[1] = 0.1

    def total(moved: Array) -> Any:
        return sum(
            np.sum(np.cos(np.arange(y.size)).reshape(y.shape) * y) for y in calls.outputs(values | {name: moved})
        )

    both, first, second, none = total(a + one + two), total(a + one), total(a + two), total(a)
    return bool(abs(both - first - second + none) > 1e-9 * (abs(both) + abs(none)))


# -- what they show ----------------------------------------------------------------------------------------------------


def named(rows: set[RowName]) -> str:
    return ", ".join(sorted(f"{name} ({gate})" if gate else name for name, gate in rows))


def gate_of(rows: set[RowName]) -> str:
    """The gate that all rows with gates have, or ""."""
    gates = {gate for _, gate in rows if gate}
    return gates.pop() if len(gates) == 1 else ""


def inside_lead(one: Outcome) -> Lead:
    """One step is wrong already."""
    if not one.right:
        return Lead(INSIDE, "", "One step is wrong already, in every row: look at the equations inside a step.")
    gate = gate_of(one.wrong)
    names = {name for name, _ in one.wrong}
    rows = f"With one step only {named(one.wrong)} {'is' if len(one.wrong) == 1 else 'are'} wrong"
    if gate and not any(g == gate for _, g in one.right):
        return Lead(INSIDE, f"δ{gate}", f"{rows}: look at δ{gate}, inside a step.")
    if len(names) == 1:
        (name,) = names
        return Lead(INSIDE, f"δ{name}", f"{rows}: look at δ{name}, inside a step.")
    return Lead(INSIDE, "", f"{rows}: look at the equations inside a step.")


def later_lead(first: int, outcomes: dict[int, Outcome], pair: CheckedPair) -> Lead:
    """Fewer steps are right. What was not exercised with them may be wrong inside a step."""
    before, now = outcomes[first - 1], outcomes[first]
    counted = "One step is" if first == 2 else f"{first - 1} steps are"
    rows = f"{counted} right; with {first}, {named(now.wrong)} {'is' if len(now.wrong) == 1 else 'are'} wrong"
    names = {name for name, _ in now.wrong}
    fresh = now.wrong - before.right
    if fresh and fresh == now.wrong:
        gate = gate_of(fresh)
        quantity = f"δ{gate}" if gate else f"δ{next(iter(names))}" if len(names) == 1 else ""
        look = f"look at {quantity or 'their terms'}, which the first step does not exercise, as its state is 0"
        return Lead(INSIDE, quantity, f"{rows}: {look}.")
    if len(names) < len(pair.analytic) and len(names) == 1:
        (name,) = names
        return Lead(SUM, f"δ{name}", f"{rows} alone: look at the sum of δ{name} over the steps.")
    states_wrong = any(HIDDEN.search(name) or CELL.search(name) or FIRST.match(name) for name in names)
    states_shown = any(HIDDEN.search(name) or CELL.search(name) or FIRST.match(name) for name in pair.analytic)
    if states_shown and not states_wrong:
        return Lead(
            SUM, "", f"{rows}, and the gradients of x and the states are right: look at the sums over the steps."
        )
    careful = " Look also at the terms with h' and c', which are 0 in the first step." if fresh else ""
    return Lead(BETWEEN, "", f"{rows}: look at what a step hands back and at how the step before takes it up.{careful}")


def one_output_lead(calls: Calls, pair: CheckedPair, rng: np.random.Generator) -> Lead | None:
    """The upstream gradient given to one output at a time: one of them may not be used."""
    if calls.taken < 2:
        return None
    results = [outcome(calls, pair, dict(calls.values), rng, only=k) for k in range(calls.taken)]
    wrong = [k for k, result in enumerate(results) if result.wrong]
    right = [k for k, result in enumerate(results) if not result.wrong and result.right]
    if len(wrong) != 1 or len(right) != len(results) - 1:
        return None
    good, bad = ", ".join(map(str, right)), wrong[0]
    rows = len(results[bad].wrong)
    text = f"an upstream gradient on output {good} alone gives right rows, on output {bad} alone {rows} wrong ones"
    return Lead(UPSTREAM, "", f"{text[0].upper()}{text[1:]}: look at how backward takes up that of output {bad}.")
