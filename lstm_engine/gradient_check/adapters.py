"""Adapters: recurrent cells written in other layouts, as classes or as "loss and gradients", for gradcheck_function.

A `Layout` says in which arrays a function takes what the engine's functions call x, h0, c0, W, U and b. It makes inputs for
the function, and turns the function into the standard form: forward(x, W, U, b, h0, c0) -> (h, cache) and
backward(dh, cache) -> gradients in the same order, with x (T, B, D), W (D, 4H), U (H, 4H), b (4H,) and the gates i f g o on
the last axis; of one step, forward(x, h, c, W, U, b) -> ((h, c), cache). `by_step`, `stateful` and `loss_and_grads` are for
functions that differ in more than the layout of arrays.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..activations import Array
from . import contract
from .contract import BackwardFunction, ForwardFunction, Inputs

GATES = {"lstm": "ifgo", "gru": "zrh", "rnn": "h"}
WALK, STEP = ("x", "W", "U", "b", "h0", "c0"), ("x", "h0", "c0", "W", "U", "b")  # the orders of the standard inputs
Functions = tuple[ForwardFunction, BackwardFunction]


class Sizes(NamedTuple):
    """T steps, B sequences, D features, H units."""

    T: int
    B: int
    D: int
    H: int


@dataclass(frozen=True)
class Layout:
    """The arrays that a function of a recurrent cell takes, and how each is laid out.

    arguments: by the caller's name, in the order in which forward takes them, what the array is: "x", "h0", "c0", "W", "U",
    "b"; "UW" is one matrix on [h', x], "bWU" on [1, x, h']; "W.f" is one gate's part, so that {"Wf": "UW.f", ...} are weights
    per gate. A dict inside stands for a dict of parameters. Two biases that are added are both "b". A value that is no
    string is passed to forward as it is; a function gets the sizes (T, B, D, H) and returns the value.

    x: its axes in order, t for steps, b for sequences, d for features: "btd" is (B, T, D); without t it is one step, without
    b one sequence. h0, c0 and the outputs have the same order. steps: "array", or "list" or "dict" where x and the outputs
    are one by step. gates: their order in stacked arrays. weights: "dh" for x @ W, "hd" for W @ x. bias: "h" for (4H,), "h1"
    for columns (4H, 1), "1h" for rows.

    returns: what the outputs of forward are, in order: "h" and "c", of all steps or of one; "hT" and "cT", of the last step;
    None for anything else, to which no gradient is given.
    """

    arguments: Mapping[str, Any]
    x: str = "tbd"
    gates: str = "ifgo"
    weights: str = "dh"
    bias: str = "h"
    steps: str = "array"
    returns: tuple[str | None, ...] = ("h",)
    cell: str = "lstm"
    roles: dict[str, Any] = field(init=False, repr=False, compare=False)  # by the caller's name, not nested

    def __post_init__(self) -> None:
        if self.cell not in GATES or sorted(self.gates) != sorted(GATES[self.cell]):
            raise ValueError(f"a {self.cell}'s gates are {GATES.get(self.cell, 'unknown')}, got gates={self.gates!r}")
        for name, value, values in (
            ("weights", self.weights, ("dh", "hd")),
            ("bias", self.bias, ("h", "h1", "1h")),
            ("steps", self.steps, ("array", "list", "dict")),
        ):
            if value not in values:
                raise ValueError(f"{name} must be one of {', '.join(values)}, got {value!r}")
        if "d" not in self.x or len(set(self.x)) < len(self.x) or set(self.x) - set("tbd"):
            raise ValueError(f'x must be an order of the axes t, b and d, as "btd", got {self.x!r}')
        arguments = contract.named(self.arguments, lambda *_: None)
        object.__setattr__(self, "roles", arguments.values)
        for name, role in arguments.values.items():
            kind, _, gate = role.partition(".") if isinstance(role, str) else ("x", "", "")
            if not (kind in ("x", "h0", "c0") or is_weight(kind)) or (gate and gate not in self.gates):
                raise ValueError(f'{name}: {role!r} is no part of a {self.cell}: "x", "h0", "U.f", ... (see Layout)')

    # -- what a caller of gradcheck_function asks for ------------------------------------------------------------------

    @property
    def is_step(self) -> bool:
        return "t" not in self.x

    @property
    def standard_names(self) -> list[str]:
        """The inputs of the standard form that this layout has, in the standard order."""
        kinds = {role.partition(".")[0] for role in self.roles.values() if isinstance(role, str)}
        letters = "".join(kind for kind in kinds if is_weight(kind))
        return [name for name in (STEP if self.is_step else WALK) if name in kinds or name in letters]

    @property
    def gate_rows(self) -> dict[str, tuple[tuple[str, ...], int]]:
        """gates= for gradcheck_function: by the caller's name, the gates and the axis on which they stand."""
        axis = {"W": -1 if self.weights == "dh" else 0, "b": 0 if self.bias == "h1" else -1}
        return {
            name: (tuple(self.gates), axis["b" if role == "b" else "W"])
            for name, role in self.roles.items()
            if isinstance(role, str) and is_weight(role) and len(self.gates) > 1
        }

    @property
    def time_axis(self) -> dict[str, int]:
        """time_axis= for gradcheck_function."""
        no_axis = self.is_step or self.steps != "array"
        return {} if no_axis else {name: self.x.index("t") for name, role in self.roles.items() if role == "x"}

    def inputs(
        self, steps: int = 5, batch: int = 2, features: int = 3, units: int = 4, seed: int = 0
    ) -> dict[str, Any]:
        """Inputs for the caller's forward, in the caller's layout, at unit scale (see `standard_inputs`)."""
        return self.laid_out(self.standard_inputs(steps, batch, features, units, seed))

    def standard_inputs(
        self, steps: int = 5, batch: int = 2, features: int = 3, units: int = 4, seed: int = 0
    ) -> dict[str, Array]:
        """The same numbers in the standard form: x, h0, c0 and b of N(0, 1), W of N(0, 1/D), U orthogonal."""
        rng = np.random.default_rng(seed)
        T, B, D, H, G = steps, batch if "b" in self.x else 1, features, units, len(self.gates)
        everything = {
            "x": rng.standard_normal((B, D) if self.is_step else (T, B, D)),
            "W": rng.standard_normal((D, G * H)) / np.sqrt(D),
            "U": np.linalg.qr(rng.standard_normal((G * H, H)))[0].T,  # (H, GH)
            "b": rng.standard_normal(G * H),
            "h0": rng.standard_normal((B, H)),
            "c0": rng.standard_normal((B, H)),
        }
        return {name: everything[name] for name in self.standard_names}

    def adapt(self, forward: ForwardFunction, backward: BackwardFunction) -> Functions:
        """The caller's functions in the standard form, for the inputs `standard_names`. Outputs are a tuple if several."""
        wanted = {k: kind for k, kind in enumerate(self.returns) if kind}

        def standard_forward(*standard: Array) -> tuple[Any, Any]:
            values = self.laid_out(dict(zip(self.standard_names, standard, strict=True)))
            arguments = contract.named(values, forward)
            outputs, cache = contract.in_form(forward(*arguments.call_with(arguments.values)), (tuple,))
            ys = [self.axes_as_ours(kind, outputs.values[k]) for k, kind in wanted.items()]  # (T, B, H) each, or (B, H)
            return (ys[0] if len(ys) == 1 else tuple(ys)), (cache, outputs, arguments)

        def standard_backward(doutputs: Any, kept: Any) -> tuple[Array | None, ...]:
            cache, outputs, arguments = kept
            ours = dict(zip(wanted, doutputs if len(wanted) > 1 else [doutputs], strict=True))
            upstream = [
                self.axes_as_theirs(wanted[k], ours[k]) if k in ours else np.zeros(np.shape(y))
                for k, y in enumerate(outputs.values)
            ]
            returned = backward(*contract.upstream_form(backward, outputs).arguments(upstream, cache))
            if isinstance(returned, Mapping):  # a gradient by step is one gradient
                returned = {name: together(g) for name, g in returned.items()}
            return self.standard_gradients(contract.by_name(returned, arguments))

        return standard_forward, standard_backward

    # -- one array at a time -------------------------------------------------------------------------------------------

    def laid_out(self, standard: Mapping[str, Array]) -> dict[str, Any]:
        """The caller's inputs, nested as theirs are, from the standard ones."""
        x, K = standard["x"], next(standard[k].shape[-1] for k in ("W", "U", "b") if k in standard)
        sizes = Sizes(1 if self.is_step else len(x), x.shape[-2], x.shape[-1], K // len(self.gates))
        values = {
            name: self.theirs(role, standard) if isinstance(role, str) else role(sizes) if callable(role) else role
            for name, role in self.roles.items()
        }
        arguments = contract.named(self.arguments, lambda *_: None)
        return dict(zip(arguments.arguments, arguments.call_with(values), strict=True))

    def theirs(self, role: str, standard: Mapping[str, Array]) -> Array:
        """One array of the caller's, from the standard arrays."""
        kind, _, gate = role.partition(".")
        if not is_weight(kind):
            return self.axes_as_theirs(kind, standard[kind])
        parts = {k: self.chosen(standard[k], gate) for k in kind}
        if kind == "b":
            b = parts["b"] / sum(r == role for r in self.roles.values() if isinstance(r, str))
            return {"h": b, "h1": b[:, None], "1h": b[None]}[self.bias]
        a = np.concatenate([np.atleast_2d(parts[k]) for k in kind])  # (D, GH), (H, GH), or one below the other
        return a if self.weights == "dh" else np.ascontiguousarray(a.T)

    def chosen(self, a: Array, gate: str) -> Array:
        """One gate's part of (..., GH), or all of them in the caller's order."""
        parts = dict(zip(GATES[self.cell], np.split(a, len(self.gates), axis=-1), strict=True))
        return parts[gate].copy() if gate else np.concatenate([parts[k] for k in self.gates], axis=-1)

    def axes_of(self, kind: str) -> str:
        """The caller's axes of x, of outputs, or of a state."""
        return self.x if kind in ("x", "h", "c") else self.x.replace("t", "")

    def axes_as_theirs(self, kind: str, a: Array) -> Any:
        axes = self.axes_of(kind)
        a = a if "b" in axes else a[..., 0, :]
        a = np.ascontiguousarray(a.transpose(["".join(k for k in "tbd" if k in axes).index(k) for k in axes]))
        return a if "t" not in axes or self.steps == "array" else apart(a, self.steps)

    def axes_as_ours(self, kind: str, a: Any) -> Array:
        axes = self.axes_of(kind)
        a = np.asarray(together(a)).transpose([axes.index(k) for k in "tbd" if k in axes])
        return a if "b" in axes else a[..., None, :]

    def standard_gradients(self, gradients: Mapping[str, Any]) -> tuple[Array | None, ...]:
        """The caller's gradients, by name, as standard ones in the standard order; None where the caller gives none.

        Of two biases that are added each has the gradient of the sum; their mean is taken, so that a wrong one shows.
        """
        parts: dict[str, list[Array]] = {}  # "x", or "W.f"
        for name, g in gradients.items():
            role = self.roles.get(name)
            if g is None or not isinstance(role, str):
                continue
            kind, _, gate = role.partition(".")
            if not is_weight(kind):
                parts.setdefault(kind, []).append(self.axes_as_ours(kind, g))
                continue
            g = np.asarray(g).reshape(-1) if kind == "b" else np.asarray(g)
            g = g.T if self.weights == "hd" else g
            letters = gate or self.gates
            for k, block in rows_of(kind, g, g.shape[-1] // len(letters)).items():
                for letter, part in zip(letters, np.split(block, len(letters), axis=-1), strict=True):
                    parts.setdefault(f"{k}.{letter}", []).append(part)
        return tuple(self.assembled(name, parts) for name in self.standard_names)

    def assembled(self, name: str, parts: Mapping[str, list[Array]]) -> Array | None:
        """A standard gradient from its gates, in the standard order; None if a part is missing."""
        keys = [f"{name}.{letter}" for letter in GATES[self.cell]] if is_weight(name) else [name]
        if any(key not in parts for key in keys):
            return None
        return np.concatenate([np.mean(parts[key], axis=0) for key in keys], axis=-1)


def is_weight(kind: str) -> bool:
    """W, U or b, or several of them below each other."""
    return bool(kind) and set(kind) <= set("WUb") and len(set(kind)) == len(kind)


def rows_of(kind: str, a: Array, units: int) -> dict[str, Array]:
    """The blocks of a joined matrix, "UW": U has as many rows as there are units, b one, and W the others."""
    if len(kind) == 1:
        return {kind: a}
    rows = {"b": 1, "U": units}
    rows["W"] = len(a) - sum(rows[k] for k in kind if k != "W")
    blocks = np.split(a, np.cumsum([rows[k] for k in kind])[:-1])
    return {k: block[0] if k == "b" else block for k, block in zip(kind, blocks, strict=True)}


def per_gate(role: str, names: str, gates: str = "ifgo") -> dict[str, str]:
    """A role for each gate: per_gate("UW", "Wi Wf Wc Wo") is {"Wi": "UW.i", "Wf": "UW.f", "Wc": "UW.g", "Wo": "UW.o"}."""
    return {name: f"{role}.{gate}" for name, gate in zip(names.split(), gates, strict=True)}


STANDARD = Layout({name: name for name in WALK})
STANDARD_STEP = Layout({"x": "x", "h": "h0", "c": "c0", "W": "W", "U": "U", "b": "b"}, x="bd", returns=("h", "c"))
# CS231n, assignment 3: lstm_forward(x, h0, Wx, Wh, b) and lstm_step_forward(x, prev_h, prev_c, Wx, Wh, b)
CS231N = Layout({"x": "x", "h0": "h0", "Wx": "W", "Wh": "U", "b": "b"}, x="btd", gates="ifog")
CS231N_STEP = Layout(
    {"x": "x", "prev_h": "h0", "prev_c": "c0", "Wx": "W", "Wh": "U", "b": "b"},
    x="bd", gates="ifog", returns=("h", "c"),
)  # fmt: skip
# Coursera, sequence models, week 1: lstm_forward(x, a0, parameters) and lstm_cell_forward(xt, a_prev, c_prev, parameters);
# the softmax on top, Wy and by, has no part in the gradients.
COURSERA_PARAMETERS = (
    per_gate("UW", "Wf Wi Wc Wo", "figo")
    | per_gate("b", "bf bi bc bo", "figo")
    | {"Wy": lambda sizes: np.zeros((2, sizes.H)), "by": lambda sizes: np.zeros((2, 1))}
)
COURSERA = Layout(
    {"x": "x", "a0": "h0", "parameters": COURSERA_PARAMETERS},
    x="dbt", weights="hd", bias="h1", returns=("h", None, None),
)  # fmt: skip
COURSERA_STEP = Layout(
    {"xt": "x", "a_prev": "h0", "c_prev": "c0", "parameters": COURSERA_PARAMETERS},
    x="db", weights="hd", bias="h1", returns=("h", "c", None),
)  # fmt: skip
TORCH = Layout(
    {"x": "x", "h0": "h0", "c0": "c0", "weight_ih": "W", "weight_hh": "U", "bias_ih": "b", "bias_hh": "b"}, weights="hd"
)


# -- functions that differ in more than the layout of arrays -----------------------------------------------------------


class Adapted(NamedTuple):
    """What gradcheck_function takes: le.gradcheck_function(*adapted)."""

    forward: ForwardFunction
    backward: BackwardFunction
    inputs: Inputs


def by_step(forward: ForwardFunction, backward: BackwardFunction, inputs: Inputs) -> Adapted:
    """Functions that take and give lists or dicts by step, with arrays (T, ...) in their place.

    xs is a list of T arrays of one shape, or a dict with the keys 0 to T - 1; in a dict other keys, as hs[-1] for the first
    state, are left out. gradcheck_function calls this itself where an input is one.
    """
    named = inputs if isinstance(inputs, Mapping) else dict(enumerate(inputs))
    kinds = {k: kind for k, value in enumerate(named.values()) if (kind := kind_of_steps(value))}

    def forward_of_arrays(*arguments: Any) -> tuple[Any, Any]:
        theirs = [apart(a, kinds[k]) if k in kinds else a for k, a in enumerate(arguments)]
        outputs, cache = contract.in_form(forward(*theirs), (tuple,))
        arrays = tuple(together(y) for y in outputs.values)
        return (arrays[0] if outputs.form == "one" else arrays), (cache, outputs)

    def backward_of_arrays(doutputs: Any, kept: Any) -> Any:
        cache, outputs = kept
        upstream = [
            apart(d, kind) if (kind := kind_of_steps(y)) else d
            for d, y in zip([doutputs] if outputs.form == "one" else doutputs, outputs.values, strict=True)
        ]
        gradients = backward(*contract.upstream_form(backward, outputs).arguments(upstream, cache))
        if isinstance(gradients, Mapping):
            return {name: together(g) for name, g in gradients.items()}
        return tuple(together(g) for g in gradients) if isinstance(gradients, (tuple, list)) else gradients

    return Adapted(forward_of_arrays, backward_of_arrays, with_arrays(inputs))


def with_arrays(inputs: Inputs) -> Inputs:
    """The inputs, with an array (T, ...) in the place of every list and dict by step."""
    if isinstance(inputs, Mapping):
        return {name: together(value) for name, value in inputs.items()}
    return tuple(together(value) for value in inputs)


def kind_of_steps(value: Any) -> str:
    """ "list" or "dict" for arrays by step, "" for anything else."""
    if isinstance(value, Mapping):
        steps = [a for key, a in value.items() if isinstance(key, int) and key >= 0]
        kind = "dict" if steps and all(isinstance(key, int) for key in value) else ""
    else:
        steps, kind = (list(value), "list") if isinstance(value, (list, tuple)) and value else ([], "")
    one_shape = (
        all(contract.is_float(a) or np.iscomplexobj(a) for a in steps) and len({np.shape(a) for a in steps}) == 1
    )
    return kind if one_shape and np.ndim(steps[0]) else ""


def apart(a: Array, steps: str) -> Any:
    """An array by its first axis: a list, or a dict by number."""
    each = [step.copy() for step in a]
    return dict(enumerate(each)) if steps == "dict" else each


def together(steps: Any) -> Any:
    """A list or a dict by step as an array (T, ...); anything else as it is."""
    if not kind_of_steps(steps):
        return steps
    return np.array([steps[t] for t in range(sum(t >= 0 for t in steps))] if isinstance(steps, Mapping) else steps)


def stateful(
    network: Any,
    inputs: Mapping[str, Any],
    parameters: Mapping[str, str],
    *,
    forward: str = "forward",
    backward: str = "backward",
) -> Adapted:
    """An object with forward(*inputs) -> outputs and backward(doutputs) -> gradients of the inputs, which keeps the rest.

    parameters: where a parameter and, after backward, its gradient lie: {"W": "dW"}, {"params.W": "grads.W"} of dicts or
    objects, {"params.0": "grads.0"} of lists. It must be the place from which forward reads. backward may give nothing, or
    None, for inputs. Where forward returns a loss (a number), backward may take no argument. The object is copied for every
    call, so it stays as it is and what it accumulates starts anew.
    """
    names = last_names(parameters)

    def run(*values: Any) -> tuple[Any, Any]:
        now = copy.deepcopy(network)
        for path, value in zip(parameters, values[len(inputs) :], strict=True):
            put(now, path, value)
        return getattr(now, forward)(*values[: len(inputs)]), now

    def back(doutputs: Any, kept: Any) -> dict[str, Any]:
        now = copy.deepcopy(kept)
        function = getattr(now, backward)
        gradients = function(doutputs) if contract.positional(function) or contract.varying(function) else function()
        if isinstance(gradients, tuple) and len(gradients) != len(inputs):
            raise ValueError(f"{backward} returns {len(gradients)} gradients for the inputs {', '.join(inputs)}")
        sequence = gradients if isinstance(gradients, tuple) else (gradients,)
        by_input = dict(gradients) if isinstance(gradients, Mapping) else dict(zip(inputs, sequence, strict=False))
        scale = 1.0 if contract.positional(function) or contract.varying(function) else doutputs
        for name, (_, path) in zip(names, parameters.items(), strict=True):
            by_input[name] = scale * np.array(get(now, path))
        return dict.fromkeys(inputs) | by_input

    values = {name: np.array(get(network, path)) for name, path in zip(names, parameters, strict=True)}
    return Adapted(run, back, {**inputs, **values})


def loss_and_grads(
    function: Callable[..., Any], inputs: Mapping[str, Any], parameters: Sequence[str] = (), *, of: Any = None
) -> Adapted:
    """One function that gives a loss and its gradients: function(*inputs) -> (loss, grads) or (loss, dW, db, ...).

    parameters: the places from which the function reads them, as "W" or "params.W" (see `stateful`), in the object `of`: of a
    method its object, of a function with global variables globals(). Without parameters the gradients are those of the
    inputs. Gradients come by name, W or dW, or in the order of the parameters; what follows the last one, as a state that is
    handed on, is left out. An object is copied for every call; a dict such as globals() is changed for the call and then
    restored.
    """
    holder = getattr(function, "__self__", None) if of is None else of
    if parameters and holder is None:
        raise ValueError('of= is missing: the object, or for global variables globals(), in which "W" is found')
    names = last_names(parameters)

    def run(*values: Any) -> tuple[Any, Any]:
        new = dict(zip(parameters, values[len(inputs) :], strict=True))
        loss, *gradients = called(function, holder, new, values[: len(inputs)])
        return loss, gradients[0] if len(gradients) == 1 else tuple(gradients)

    def back(dloss: Any, gradients: Any) -> dict[str, Any]:
        expected = names or list(inputs)
        if not isinstance(gradients, Mapping):
            sequence = gradients if isinstance(gradients, (tuple, list)) else (gradients,)
            if len(sequence) < len(expected):
                raise ValueError(f"{len(sequence)} gradients are returned for {', '.join(expected)}")
            gradients = dict(zip(expected, sequence, strict=False))
        return dict.fromkeys(inputs) | {name: dloss * np.asarray(g) for name, g in gradients.items()}

    values = {name: np.array(get(holder, path)) for name, path in zip(names, parameters, strict=True)}
    return Adapted(run, back, {**inputs, **values})


def called(function: Callable[..., Any], holder: Any, new: Mapping[str, Any], arguments: Sequence[Any]) -> Any:
    """function(*arguments) with other parameters in its holder, which is as before afterwards."""
    if holder is not None and holder is getattr(function, "__self__", None):
        now = copy.deepcopy(holder)
        for path, value in new.items():
            put(now, path, value)
        return getattr(now, function.__name__)(*arguments)
    before = {path: get(holder, path) for path in new}
    try:
        for path, value in new.items():
            put(holder, path, value)
        return function(*arguments)
    finally:
        for path, value in before.items():
            put(holder, path, value)


def last_names(paths: Mapping[str, Any] | Sequence[str]) -> list[str]:
    """ "params.W" is W, where that is no number and no other path's."""
    last = [path.rpartition(".")[2] for path in paths]
    return [
        short if last.count(short) == 1 and not short.isdigit() else path
        for short, path in zip(last, paths, strict=True)
    ]


def get(holder: Any, path: str) -> Any:
    """What lies at "params.W" or "layers.0.W": attributes, keys of dicts, or numbers of list items."""
    for key in path.split("."):
        holder = (
            holder[key] if isinstance(holder, Mapping) else holder[int(key)] if key.isdigit() else getattr(holder, key)
        )
    return holder


def put(holder: Any, path: str, value: Any) -> None:
    above, _, key = path.rpartition(".")
    holder = get(holder, above) if above else holder
    if isinstance(holder, dict):
        holder[key] = value
    elif key.isdigit():
        holder[int(key)] = value
    else:
        setattr(holder, key, value)
