"""CheckedPair: a forward and a backward function at one point, with the random upstream gradient they are checked under."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..activations import Array
from ..checks import counted
from .contract import (
    Arguments,
    BackwardFunction,
    ForwardFunction,
    Inputs,
    Outputs,
    Upstream,
    by_name,
    call,
    is_float,
    named,
    type_of,
    upstream_form,
)
from .unfit import refuse_other_floats, refuse_random

if TYPE_CHECKING:
    from .adapters import Layout
    from .axes import Gates
    from .recognise import Form


@dataclass
class CheckedPair:
    """What gradcheck_function checks: Σ v∘outputs, v being `upstream`, as a function of the inputs with a gradient."""

    forward: ForwardFunction
    backward: BackwardFunction
    inputs: Arguments
    outputs: Outputs  # at the inputs
    taken: Upstream  # how backward takes v
    upstream: list[Array]  # v, for every output that backward takes
    analytic: dict[str, Array]  # the gradients of backward, each with at least one axis
    notes: list[str]  # what one sees by calling the two
    gates: dict[str, Gates] = field(default_factory=dict)
    time_axis: dict[str, int] = field(default_factory=dict)
    step: tuple[ForwardFunction, BackwardFunction] | None = None
    step_inputs: Inputs | None = None
    like: str | None = None
    layout: Layout | None = None
    form: Form | None = None  # forward as a recognised cell

    @property
    def point(self) -> dict[str, Array]:
        """The inputs with a gradient, each with at least one axis."""
        return {name: np.atleast_1d(self.inputs.values[name]) for name in self.analytic}

    def outputs_at(self, arrays: Mapping[str, Array]) -> list[Array]:
        """All outputs, where some inputs are replaced."""
        shaped = {name: a.reshape(np.shape(self.inputs.values[name])) for name, a in arrays.items()}
        return call(self.forward, self.inputs, shaped)[0].arrays

    def value(self, arrays: Mapping[str, Array]) -> Any:
        """Σ v∘outputs, where some inputs are replaced."""
        return sum((v * y).sum() for v, y in zip(self.upstream, self.outputs_at(arrays), strict=False))

    def gradients(
        self, upstream: list[Array] | None = None, arrays: Mapping[str, Array] | None = None
    ) -> dict[str, Array]:
        """Backward after a forward pass of its own; with another v, or where some inputs are replaced."""
        shaped = {name: a.reshape(np.shape(self.inputs.values[name])) for name, a in (arrays or {}).items()}
        _, cache = call(self.forward, self.inputs, shaped)
        v = self.upstream if upstream is None else upstream
        return gradients_of(self.backward(*self.taken.arguments(v, cache)), self.inputs)


class Calls(NamedTuple):
    """The two functions of a pair by names, for experiments at other inputs: `recognise.py` and `leads.py`."""

    pair: CheckedPair

    @property
    def values(self) -> dict[str, Any]:
        """The inputs."""
        return self.pair.inputs.values

    @property
    def taken(self) -> int:
        """For how many outputs, the first ones, backward takes an upstream gradient."""
        return self.pair.taken.taken

    def outputs(self, values: dict[str, Any]) -> list[Array]:
        return call(self.pair.forward, self.pair.inputs, values)[0].arrays

    def gradients(self, values: dict[str, Any], upstream: list[Array]) -> dict[str, Array]:
        """In the shapes of the inputs `values`."""
        inputs = self.pair.inputs._replace(values=self.pair.inputs.values | values)
        _, cache = call(self.pair.forward, inputs)
        return gradients_of(self.pair.backward(*self.pair.taken.arguments(upstream, cache)), inputs)


def prepare(forward: ForwardFunction, backward: BackwardFunction, inputs: Inputs, seed: int) -> CheckedPair:
    """One pass forward and back. Refuses functions that break the contract or would make the check wrong."""
    arguments = named(inputs, forward)
    refuse_other_floats(arguments.values)
    outputs, cache = call(forward, arguments)
    refuse_random(outputs, call(forward, arguments)[0])
    rng = np.random.default_rng((seed, 1))  # another stream than the one from which compare draws its directions
    taken = upstream_form(backward, outputs)
    upstream = [np.asarray(rng.standard_normal(y.shape)) for y in outputs.arrays[: taken.taken]]
    back = taken.arguments(upstream, cache)
    returned = backward(*back)
    analytic = gradients_of(returned, arguments)
    upstream = upstream or [np.ones(())]  # a loss inside
    pair = CheckedPair(forward, backward, arguments, outputs, taken, upstream, analytic, [])
    refuse_forgotten(pair, returned, rng)
    if not analytic:
        raise ValueError("backward gives None for every input: there is nothing to check")
    if 0 < taken.taken < len(outputs.arrays):
        pair.notes.append(
            f"backward takes {counted(taken.taken, 'upstream gradient')} for {counted(len(outputs.arrays), 'output')} of "
            "forward: the others were left out."
        )
    pair.notes += changed_in_place(pair, back, cache)
    return pair


def changed_in_place(pair: CheckedPair, back: list[Any], cache: Any) -> list[str]:
    """Notes on a backward that writes into its upstream gradient or its cache; back: what it was called with."""
    notes = []
    after = list(back[0]) if pair.taken.form in ("tuple", "list") else back[:-1]
    if any(not np.array_equal(v, d) for v, d in zip(pair.upstream, after, strict=False)):
        notes.append(
            "backward changes its upstream gradient in place, as d += ... does. A caller who uses it again gets wrong "
            "gradients: d = d + ... works on a new array."
        )
    try:
        again = gradients_of(pair.backward(*pair.taken.arguments(pair.upstream, cache)), pair.inputs)
    except Exception as error:  # of any kind: the first call raised none
        return [
            *notes,
            f"backward, called again with the same cache, raises {type(error).__name__}: it uses the cache up.",
        ]
    if other := [name for name, g in pair.analytic.items() if not np.array_equal(g, again[name], equal_nan=True)]:
        notes.append(
            f"backward, called again with the same cache, gives another gradient of {', '.join(other)}: it changes the "
            "cache in place, or adds to what it gave before."
        )
    return notes


def refuse_forgotten(pair: CheckedPair, returned: Any, rng: np.random.Generator) -> None:
    """A gradient that is missing from a dict is an error unless the outputs do not depend on that input."""
    if not isinstance(returned, Mapping):
        return
    given = by_name(returned, pair.inputs)
    left = {name: np.asarray(a) for name, a in pair.inputs.values.items() if name not in given and is_float(a)}
    here = pair.value({})
    moved = {name: a + 0.1 * (1 + np.abs(a)) * rng.uniform(0.5, 1, a.shape) for name, a in left.items()}
    if missing := [name for name, a in moved.items() if pair.value({name: a}) != here]:
        raise ValueError(f"backward gives no gradient for {', '.join(missing)}: give None where there is none")


# -- gradients ---------------------------------------------------------------------------------------------------------


def gradients_of(returned: Any, inputs: Arguments) -> dict[str, Array]:
    """What backward returned, by the inputs' names, where it is not None; each with at least one axis."""
    given = {name: g for name, g in by_name(returned, inputs).items() if g is not None}
    refuse_another_order(given, inputs)
    return {name: checked(name, g, inputs.values[name]) for name, g in given.items()}


def checked(name: str, gradient: Any, a: Any) -> Array:
    """The gradient of input a, with at least one axis, as a copy. TypeError or ValueError if it cannot be that."""
    g = np.asarray(gradient)
    if not is_float(a):
        raise TypeError(f"{name} is {type_of(a)} and has no gradient: give a float64 array, or None as its gradient")
    if g.dtype.kind not in "iu" and g.dtype != float:
        raise TypeError(f"the gradient of {name} is {type_of(g)}: let backward compute in float64")
    shape = np.shape(a)
    if g.shape != shape:
        hint = ""
        if g.shape == shape[::-1]:
            hint = ": it is transposed"
        elif broadcast_to(shape, g.shape):
            hint = f": {name} was broadcast, so sum over the axes along which it was"
        raise ValueError(f"the gradient of {name} has shape {g.shape}, but {name} has {shape}{hint}")
    return np.atleast_1d(g.astype(float))


def broadcast_to(shape: tuple[int, ...], larger: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, larger) == larger
    except ValueError:
        return False


def refuse_another_order(gradients: Mapping[str, Any], inputs: Arguments) -> None:
    """ValueError if the gradients have the shapes of the inputs, but stand in each other's place."""
    got = {name: np.shape(g) for name, g in gradients.items()}
    expected = {name: np.shape(inputs.values[name]) for name in gradients}
    wrong = [name for name in got if got[name] != expected[name]]
    if len(wrong) < 2 or Counter(got.values()) != Counter(expected.values()):
        return
    left = list(wrong)
    by_shape = {}
    for name in wrong:
        by_shape[name] = next(other for other in left if expected[other] == got[name])
        left.remove(by_shape[name])
    first = wrong[0]
    order = ", ".join(by_shape.get(name, name) for name in got)
    raise ValueError(
        f"backward gives the gradients in another order: where that of {first} {expected[first]} is expected, it gives "
        f"shape {got[first]}, that of {by_shape[first]}. Expected are {', '.join(got)}; by their shapes these are {order}"
    )
