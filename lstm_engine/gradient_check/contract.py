"""The two functions of a gradient check as the check sees them: what they are called with, and what they return.

Course assignments write one contract in many ways: (outputs, cache) or (h, c, cache); parameters one by one or in a dict;
gradients in a tuple or by the names dW, dU. Here all of them become arrays by name; nothing is computed.
"""

from __future__ import annotations

import copy
import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ..activations import Array
from ..checks import counted

Path = tuple[Any, ...]  # keys: names in a dict, numbers in a list or in a dict by step
Inputs = Mapping[str, Any] | Sequence[Any]
ForwardFunction = Callable[..., Any]
BackwardFunction = Callable[..., Any]

CONTRACT = "forward(*inputs) must return (outputs, cache), outputs being one float64 array or a tuple of them"
PREFIXES = ("d_", "d", "grad_", "g_")  # of a gradient's name: dW, d_W, grad_W


class Arguments(NamedTuple):
    """What forward is called with. Arrays inside dicts and lists have names of their own: all arrays are in one dict."""

    values: dict[str, Any]  # by name, in the order in which forward takes them
    names: dict[Path, str]  # by the keys that lead to the value: ("params", "Wf") is Wf, ("xs", 0) xs[0]
    nested: Mapping[str, Any]  # as the caller gave them

    def call_with(self, values: Mapping[str, Any]) -> list[Any]:
        """The arguments of forward, nested as the caller's are."""

        def filled(part: Any, path: Path) -> Any:
            if path in self.names:
                return values[self.names[path]]
            if isinstance(part, Mapping):
                return {key: filled(value, (*path, key)) for key, value in part.items()}
            return [filled(value, (*path, key)) for key, value in enumerate(part)]

        return [filled(value, (key,)) for key, value in self.nested.items()]

    @property
    def arguments(self) -> list[str]:
        """The names of forward's arguments: of a dict, its own."""
        return list(self.nested)


class Outputs(NamedTuple):
    """The outputs of forward as arrays, and the form in which forward returned them."""

    values: list[Any]
    form: str  # "one": (y, cache); "tuple" or "list": ((y, ...), cache); "flat": (y, ..., cache)

    @property
    def arrays(self) -> list[Array]:
        return [np.asarray(y) for y in self.values]


def named(inputs: Inputs, forward: ForwardFunction) -> Arguments:
    """The inputs by name; those in dicts have names of their own."""
    inputs = nested(inputs, forward)
    leaves = dict(walk(inputs))
    short = {path: written(path[-1 - trailing_numbers(path) :]) for path in leaves}
    counts = Counter(short.values())
    name_of = {path: name if counts[name] == 1 else written(path) for path, name in short.items()}
    return Arguments({name_of[path]: value for path, value in leaves.items()}, name_of, inputs)


def nested(inputs: Inputs, forward: ForwardFunction) -> Mapping[str, Any]:
    """The inputs as a dict. Names that forward's parameters have too must come in the order of the parameters."""
    if not isinstance(inputs, (Mapping, list, tuple)) or not inputs:
        raise TypeError(f'inputs must be a dict by name, {{"x": x, "W": W}}, or a tuple (x, W), got {type_of(inputs)}')
    names = [p.name for p in positional(forward)]
    if isinstance(inputs, Mapping):
        if any(names.index(a) > names.index(b) for a, b in pairwise(name for name in inputs if name in names)):
            raise ValueError(f"forward takes {', '.join(names)}, in this order, but inputs come as {', '.join(inputs)}")
        return inputs
    if len(names) < len(inputs):
        names = [f"x{k}" for k in range(len(inputs))]
    return dict(zip(names, inputs, strict=False))


def walk(nested: Any, above: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value inside nested dicts and lists of float arrays, with the keys that lead to it."""
    for key, value in nested.items() if isinstance(nested, Mapping) else enumerate(nested):
        arrays = isinstance(value, (list, tuple)) and all(isinstance(a, np.ndarray) and is_float(a) for a in value)
        if (isinstance(value, Mapping) or arrays) and len(value):
            yield from walk(value, (*above, key))
        else:
            yield (*above, key), value


def trailing_numbers(path: Path) -> int:
    """How many keys at the end of a path are numbers, of a list or by step."""
    return next((k for k, key in enumerate(reversed(path)) if isinstance(key, str)), len(path) - 1)


def written(path: Path) -> str:
    """ "params.Wf", "xs[0]"."""
    return "".join(f".{key}" if isinstance(key, str) else f"[{key}]" for key in path).removeprefix(".")


def positional(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters that take a positional argument; none where they cannot be told."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a function that is not written in Python may have no signature
        return []
    return [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


# -- forward -----------------------------------------------------------------------------------------------------------


def call(forward: ForwardFunction, inputs: Arguments, values: Mapping[str, Any] | None = None) -> tuple[Outputs, Any]:
    """Outputs and cache of one call on copies of the inputs; values: instead of some of them.

    Refuses a forward that changes its inputs or breaks the contract.
    """
    now = inputs.values | dict(values or {})
    copies = {name: a.copy() if isinstance(a, np.ndarray) else a for name, a in now.items()}
    outputs, cache = in_form(forward(*inputs.call_with(copies)))
    for name, a in now.items():
        if isinstance(a, np.ndarray) and a.tobytes() != copies[name].tobytes():
            raise ValueError(
                f"forward changes its input {name} in place, as {name} += ... does: let it work on a new array, "
                f"{name} = {name} + ..."
            )
    expected = {np.dtype(float)} | {a.dtype for a in copies.values() if np.iscomplexobj(a)}
    for k, y in enumerate(outputs.arrays):
        which = "the output" if outputs.form == "one" else f"output {k}"
        if y.dtype not in expected:
            raise TypeError(f"{which} is {type_of(y)}. {CONTRACT}")
        if not np.isfinite(y).all():
            at = tuple(map(int, np.argwhere(~np.isfinite(y))[0]))
            raise ValueError(
                f"{which} is {y[at]} at {at}: look for NaN in the inputs, and for overflow as in exp(1000)"
            )
    return outputs, cache


def in_form(returned: Any, several: tuple[type, ...] = (tuple, list)) -> tuple[Outputs, Any]:
    """What forward returned, as outputs and cache; several: types that hold more than one output."""
    if not isinstance(returned, tuple) or len(returned) < 2:
        got = f"a tuple of {len(returned)}" if isinstance(returned, tuple) else type_of(returned)
        raise TypeError(f"{CONTRACT}, got {got}")
    first: Any = returned[0]
    cache = returned[-1]
    form, outputs = "flat", list(returned[:-1])
    if len(outputs) == 1:
        form = "one"
        for kind in several:
            if isinstance(first, kind):
                form, outputs = kind.__name__, list(returned[0])
    if not outputs:
        raise TypeError(f"{CONTRACT}, got no outputs")
    return Outputs(outputs, form), cache


# -- backward ----------------------------------------------------------------------------------------------------------


class Upstream(NamedTuple):
    """How backward takes the gradients of the outputs: how many of them, and as one argument or one by one."""

    taken: int  # the first outputs; 0: the loss is inside, and its gradient is 1
    form: str  # "flat": one by one; as one argument: "one", "tuple" or "list"

    def arguments(self, gradients: list[Array], cache: Any) -> list[Any]:
        """The arguments of backward, with copies of the gradients: backward may change them."""
        d = [copy.deepcopy(v) for v in gradients[: self.taken]]
        if self.form == "flat":
            return [*d, cache]
        forms: dict[str, Any] = {"one": d[0], "tuple": tuple(d), "list": d}
        return [forms[self.form], cache]


def upstream_form(backward: BackwardFunction, outputs: Outputs) -> Upstream:
    """Read from backward's signature: (doutputs, cache), (dh, dc, cache), or (cache) where the output is a loss."""
    parameters = positional(backward)
    expected = [p for p in parameters if p.default is p.empty]
    k, n = len(outputs.values), len(expected) or len(parameters)
    if n == 1 and not varying(backward):
        if k == 1 and np.ndim(outputs.values[0]) == 0:
            return Upstream(0, "flat")
        raise TypeError(
            f"backward takes {expected[0].name if expected else 'one argument'} alone, and forward returns no loss (one "
            "number): backward must take the gradient of every output and the cache"
        )
    if outputs.form == "flat" or (outputs.form != "one" and n == k + 1 and k > 1):
        taken = k if n == 0 else n - 1
        if taken > k:
            raise TypeError(
                f"backward takes {n} arguments: with {counted(k, 'output')} of forward, {k} gradients and the cache "
                "are expected"
            )
        return Upstream(taken, "flat")
    return Upstream(k, outputs.form)


def varying(function: Callable[..., Any]) -> bool:
    """Whether a function takes any number of arguments."""
    try:
        return any(p.kind == p.VAR_POSITIONAL for p in inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return True


def by_name(gradients: Any, inputs: Arguments) -> dict[str, Any]:
    """The gradients that backward returned, by the inputs' names. A dict may leave inputs out; a tuple may not."""
    if isinstance(gradients, Mapping):
        found = {input_of(path, inputs): g for path, g in walk(gradients)}
        if unknown := [written(path) for path, _ in walk(gradients) if input_of(path, inputs) is None]:
            raise ValueError(
                f"backward gives gradients by the names {', '.join(unknown)}; inputs are {', '.join(inputs.values)}"
            )
        return {name: found[name] for name in inputs.values if name in found}
    if not isinstance(gradients, (tuple, list)):
        gradients = (gradients,)
    nested = any(isinstance(g, (Mapping, list, tuple)) for g in gradients)
    if len(gradients) == len(inputs.values) and not nested:
        return dict(zip(inputs.values, gradients, strict=True))
    if len(gradients) == len(inputs.arguments):
        top = {key: g for key, g in zip(inputs.arguments, gradients, strict=True) if g is not None}
        return dict.fromkeys(inputs.values) | by_name(top, inputs)
    raise ValueError(
        f"backward returns {counted(len(gradients), 'gradient')} for {counted(len(inputs.values), 'input')}: one is "
        f"expected for each of {', '.join(inputs.values)}, in this order, and None where there is none"
    )


def input_of(path: Path, inputs: Arguments) -> str | None:
    """The input whose gradient stands under these keys: "W", "dW", or ("dparams", "dW"); None where there is none."""
    at = len(path) - 1 - trailing_numbers(path)
    key, numbers = str(path[at]), path[at + 1 :]
    for last in (key, *(key.removeprefix(p) for p in PREFIXES if key.startswith(p))):
        for name in (written((last, *numbers)), written((*path[:at], last, *numbers))):
            if name in inputs.values:
                return name
    return None


# -- words -------------------------------------------------------------------------------------------------------------


def is_float(a: Any) -> bool:
    return isinstance(a, (np.ndarray, np.generic, float)) and np.asarray(a).dtype.kind == "f"


def type_of(a: Any) -> str:
    return f"{a.dtype} of shape {a.shape}" if isinstance(a, (np.ndarray, np.generic)) else type(a).__name__


def listed(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
