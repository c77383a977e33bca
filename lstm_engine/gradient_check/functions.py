"""gradcheck_function: any backward function against the derivative of its forward function.

The contract is that of most course assignments: forward(*inputs) -> (outputs, cache), and
backward(doutputs, cache) -> gradients. The check differentiates Σ v∘outputs with a random v on every output, so that it uses
every part of the backward pass and no two mistakes cancel.
"""

from __future__ import annotations

import inspect
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ..activations import Array
from .compare import Progress, Settings, compare, settings
from .numeric import METHODS, noise, sweep, unit
from .report import FAILED, Report

Inputs = Mapping[str, Any] | Sequence[Any]
ForwardFunction = Callable[..., Any]
BackwardFunction = Callable[[Any, Any], Any]

LINEAR = 1e-6  # with less curvature than that, a wrong term of it stays below the tolerance
REPEATS = 1e-10  # of the largest output: rounding alone makes no larger difference between two calls
CONTRACT = "forward(*inputs) must return (outputs, cache), outputs being one float64 array or a tuple of them"
CENTRAL = (
    'use method="central", or write forward so that complex numbers pass. What usually stops them: np.zeros(shape), '
    "which holds real numbers alone (dtype=x.dtype helps); np.abs, np.linalg.norm, .real, .conj(); astype(float), float() "
    "and the math module; scipy.special.expit (0.5 * (1 + np.tanh(z / 2)) lets them pass)"
)


def gradcheck_function(
    forward: ForwardFunction,
    backward: BackwardFunction,
    inputs: Inputs,
    *,
    gates: Mapping[str, Sequence[str]] | None = None,
    time_axis: Mapping[str, int] | None = None,
    method: str = "complex",
    elements: int | None = 200,
    tol: float | None = None,
    step: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Report:
    """Proves that backward is the derivative of forward at these inputs, for every input that has a gradient.

    forward(*inputs) returns (outputs, cache): outputs is one float64 array or a tuple of them, of any shapes; cache is
    whatever backward needs. backward(doutputs, cache) gets the upstream gradient in the form of the outputs and returns one
    gradient an input, of the input's shape: in the order of the inputs, or a dict by their names. None stands for an input
    without one: labels, options, a mask. Inputs that are no float arrays are passed unchanged.

    inputs is a dict by name, in the order in which forward takes them; in a tuple they get the names of forward's
    parameters. gates={"W": ("i", "f", "g", "o")} names equal parts of the last axis, which get a row each.
    time_axis={"x": 0} names the axis of an input that counts steps, at least 3: when its row fails, `report.notes`
    say at which step its gradient departs, from the last one back. seed draws v too; the rest is as in `gradcheck`.

    TypeError or ValueError for functions that break this contract. ValueError for what would make the check wrong: floats
    that are not float64; a forward that changes its inputs in place, returns other outputs when called again, or NaN; and
    with method="complex" a forward through which complex numbers do not pass.
    """
    how = settings(method, step, tol, elements, seed)
    named_inputs = named(inputs, forward)
    refuse_other_floats(named_inputs)
    outputs, cache = call(forward, named_inputs)
    refuse_random(outputs, call(forward, named_inputs)[0])
    rng = np.random.default_rng((seed, 1))  # another stream than the one from which compare draws its directions
    upstream = [np.asarray(rng.standard_normal(y.shape)) for y in outputs.arrays]
    gradients = by_name(backward(outputs.like([v.copy() for v in upstream]), cache), named_inputs)
    analytic = {name: checked(name, g, named_inputs[name]) for name, g in gradients.items() if g is not None}
    if not analytic:
        raise ValueError("backward gives None for every input: there is nothing to check")
    function = WeightedOutputs(forward, named_inputs, upstream)
    point = {name: np.atleast_1d(named_inputs[name]) for name in analytic}
    gates, time_axis = dict(gates or {}), dict(time_axis or {})
    check_axes(point, gates, time_axis)
    if method == "complex":
        refuse_not_analytic(function, point, rng)
    report = compare(function.value, point, analytic, gates, how, progress)
    report.notes += linear(function, point, rng)
    if unchecked := [f"{name} ({type_of(a)})" for name, a in named_inputs.items() if name not in analytic]:
        report.notes.append(f"Not checked, as backward gives no gradient: {', '.join(unchecked)}.")
    failed = {row.parameter for row in report.rows if row.verdict == FAILED}
    report.notes += [
        by_step(function, point, analytic, name, axis, how) for name, axis in time_axis.items() if name in failed
    ]
    return report


# -- the two functions as the check sees them --------------------------------------------------------------------------


class Outputs(NamedTuple):
    """The outputs of forward as arrays, and whether forward returned a tuple of them."""

    arrays: list[Array]
    several: bool

    def like(self, arrays: list[Array]) -> Any:
        """In the form in which forward returned its outputs."""
        return tuple(arrays) if self.several else arrays[0]


class WeightedOutputs(NamedTuple):
    """Σ v∘outputs as a function of the inputs that have a gradient, by name, each with at least one axis."""

    forward: ForwardFunction
    inputs: dict[str, Any]
    upstream: list[Array]  # v

    def outputs(self, arrays: dict[str, Array]) -> list[Array]:
        shaped = {name: a.reshape(np.shape(self.inputs[name])) for name, a in arrays.items()}
        return call(self.forward, self.inputs | shaped)[0].arrays

    def value(self, arrays: dict[str, Array]) -> Any:
        return sum((v * y).sum() for v, y in zip(self.upstream, self.outputs(arrays), strict=True))


def named(inputs: Inputs, forward: ForwardFunction) -> dict[str, Any]:
    """The inputs by name. Names that forward's parameters have too must come in the order of the parameters."""
    if not isinstance(inputs, (Mapping, list, tuple)) or not inputs:
        raise TypeError(f'inputs must be a dict by name, {{"x": x, "W": W}}, or a tuple (x, W), got {type_of(inputs)}')
    try:
        parameters = inspect.signature(forward).parameters.values()
    except ValueError:  # a function that is not written in Python may have no signature
        parameters = {}.values()
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if not isinstance(inputs, Mapping):
        if len(names) < len(inputs):
            names = [f"x{k}" for k in range(len(inputs))]
        return dict(zip(names, inputs, strict=False))
    if any(names.index(a) > names.index(b) for a, b in pairwise(name for name in inputs if name in names)):
        raise ValueError(f"forward takes {', '.join(names)}, in this order, but inputs come as {', '.join(inputs)}")
    return dict(inputs)


def call(forward: ForwardFunction, inputs: dict[str, Any]) -> tuple[Outputs, Any]:
    """Outputs and cache of one call on copies of the inputs. Refuses a forward that changes them or breaks the contract."""
    copies = {name: a.copy() if isinstance(a, np.ndarray) else a for name, a in inputs.items()}
    returned = forward(*copies.values())
    for name, a in inputs.items():
        if isinstance(a, np.ndarray) and a.tobytes() != copies[name].tobytes():
            raise ValueError(
                f"forward changes its input {name} in place, as {name} += ... does: let it work on a new array, "
                f"{name} = {name} + ..."
            )
    if not isinstance(returned, tuple) or len(returned) != 2:
        got = f"a tuple of {len(returned)}" if isinstance(returned, tuple) else type_of(returned)
        raise TypeError(f"{CONTRACT}, got {got}")
    outputs, cache = returned
    several = isinstance(outputs, (tuple, list))
    arrays = [np.asarray(y) for y in (outputs if several else [outputs])]
    expected = {np.dtype(float)} | {a.dtype for a in copies.values() if np.iscomplexobj(a)}
    for k, y in enumerate(arrays):
        which = f"output {k}" if several else "the output"
        if y.dtype not in expected:
            raise TypeError(f"{which} is {type_of(y)}. {CONTRACT}")
        if not np.isfinite(y).all():
            at = tuple(map(int, np.argwhere(~np.isfinite(y))[0]))
            raise ValueError(
                f"{which} is {y[at]} at {at}: look for NaN in the inputs, and for overflow as in exp(1000)"
            )
    if not arrays:
        raise TypeError(f"{CONTRACT}, got no outputs")
    return Outputs(arrays, several), cache


def by_name(gradients: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """The gradients that backward returned, by the inputs' names."""
    if isinstance(gradients, Mapping):
        if unknown := [str(name) for name in gradients if name not in inputs]:
            raise ValueError(
                f"backward gives gradients by the names {', '.join(unknown)}; inputs are {', '.join(inputs)}"
            )
        if missing := [name for name, a in inputs.items() if name not in gradients and is_float(a)]:
            raise ValueError(f"backward gives no gradient for {', '.join(missing)}: give None where there is none")
        return dict(gradients)
    if not isinstance(gradients, (tuple, list)):
        gradients = (gradients,)
    if len(gradients) != len(inputs):
        raise ValueError(
            f"backward returns {len(gradients)} gradient{'s' if len(gradients) != 1 else ''} for {len(inputs)} inputs: "
            f"one is expected for each of {', '.join(inputs)}, in this order, and None where there is none"
        )
    return dict(zip(inputs, gradients, strict=True))


def checked(name: str, gradient: Any, a: Any) -> Array:
    """The gradient of input a, with at least one axis. TypeError or ValueError if it cannot be that."""
    g = np.asarray(gradient)
    if not is_float(a):
        raise TypeError(f"{name} is {type_of(a)} and has no gradient: give a float64 array, or None as its gradient")
    if g.dtype.kind not in "iu" and g.dtype != float:
        raise TypeError(f"the gradient of {name} is {type_of(g)}: let backward compute in float64")
    if g.shape != np.shape(a):
        more = g.ndim > np.ndim(a) or g.size > np.size(a)
        hint = f": {name} was broadcast, so sum over the axes along which it was" if more else ""
        raise ValueError(f"the gradient of {name} has shape {g.shape}, but {name} has {np.shape(a)}{hint}")
    return np.atleast_1d(g.astype(float))


def check_axes(point: dict[str, Array], gates: Mapping[str, Sequence[str]], time_axis: Mapping[str, int]) -> None:
    """ValueError for gates and time axes that the inputs do not have."""
    for name in [*gates, *time_axis]:
        if name not in point:
            raise ValueError(f"gates and time_axis name {name}; inputs with a gradient are {', '.join(point)}")
    for name, parts in gates.items():
        if not parts or point[name].shape[-1] % len(parts):
            raise ValueError(
                f"{name} has shape {point[name].shape}: its last axis does not divide into {len(parts)} equal gates"
            )
    for name, axis in time_axis.items():
        if not -point[name].ndim <= axis < point[name].ndim:
            raise ValueError(f"{name} has shape {point[name].shape}: there is no axis {axis} to count steps")
        if point[name].shape[axis] < 3:
            raise ValueError(
                f"{name} has shape {point[name].shape}, fewer than 3 steps on axis {axis}: with those, a wrong step back "
                "through time can go unseen; give longer sequences, or leave time_axis out"
            )


def is_float(a: Any) -> bool:
    return isinstance(a, (np.ndarray, np.generic, float)) and np.asarray(a).dtype.kind == "f"


def type_of(a: Any) -> str:
    return f"{a.dtype} of shape {a.shape}" if isinstance(a, (np.ndarray, np.generic)) else type(a).__name__


# -- what makes the check wrong ----------------------------------------------------------------------------------------


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


def refuse_not_analytic(function: WeightedOutputs, point: dict[str, Array], rng: np.random.Generator) -> None:
    """A complex step is the derivative only if complex numbers pass through forward whole and unconjugated.

    Then it agrees with a central difference, to that one's precision: this is tested along a random direction in each input.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        try:
            outputs = function.outputs({name: a.astype(np.complex128) for name, a in point.items()})
        except Exception as error:  # of any kind: with real inputs there was none
            at = traceback.extract_tb(error.__traceback__)[-1]
            line = f"line {at.lineno}" + f", {at.line}" * bool(at.line)
            raise ValueError(
                f"forward cannot take complex inputs ({type(error).__name__}: {error}; {line}): {CENTRAL}"
            ) from error
    if not any(np.iscomplexobj(y) for y in outputs):
        raise ValueError(f"forward gives real outputs for complex inputs: {CENTRAL}")
    floor = noise(sum(float(np.abs(v * y).sum()) for v, y in zip(function.upstream, outputs, strict=True)), 1e-4)
    (complex_step, H, _), (central, _, tolerance) = METHODS["complex"], METHODS["central"]
    assert H is not None
    for name, a in point.items():
        v = unit(rng, a.shape)
        exact = complex_step(function.value, point, name, v, H)
        differences = sweep(function.value, point, name, v, central).values()
        nearest = min(differences, key=lambda difference: abs(exact - difference))
        if abs(exact - nearest) > tolerance * max(abs(exact), abs(nearest)) + floor:
            raise ValueError(
                f"forward is not analytic in {name}: along a random direction the complex step says {exact:.6g}, a central "
                f"difference at its best {nearest:.6g}: {CENTRAL}"
            )


def linear(function: WeightedOutputs, point: dict[str, Array], rng: np.random.Generator) -> list[str]:
    """A note if a change of all inputs by a tenth shows no curvature: there the derivative of tanh is 1."""
    moves = {name: 0.1 * a * rng.uniform(-1, 1, a.shape) for name, a in point.items()}
    try:
        ahead, here, back = (
            function.value({name: a + k * moves[name] for name, a in point.items()}) for k in (1.0, 0.0, -1.0)
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


# -- where a gradient departs ------------------------------------------------------------------------------------------


def by_step(
    function: WeightedOutputs, point: dict[str, Array], analytic: dict[str, Array], name: str, axis: int, how: Settings
) -> str:
    """At which steps the gradient of this input is wrong. The steps, moved to the last axis, are compared as gates are."""

    def value(arrays: dict[str, Array]) -> Any:
        return function.value(arrays | {name: np.moveaxis(arrays[name], -1, axis)})

    g, last = (np.moveaxis(a[name], axis, -1) for a in (analytic, point))
    steps = [str(t) for t in range(g.shape[-1])]
    rows = compare(value, point | {name: last}, {name: g}, {name: steps}, how).rows
    wrong = [int(row.gate) for row in rows if row.verdict == FAILED]
    end = len(steps) - 1
    if not wrong:
        return f"The gradient of {name} is off by too little at any one step to say where."
    if wrong[-1] == end:
        return f"The gradient of {name} is wrong at the last step, {end}, already: look at the equations inside a step."
    right = f"step {end}" if wrong[-1] == end - 1 else f"steps {end} to {wrong[-1] + 1}"
    return (
        f"The gradient of {name}, from the last step back, is right at {right} and first departs at step {wrong[-1]}: "
        "look at what a step passes back to the one before."
    )
