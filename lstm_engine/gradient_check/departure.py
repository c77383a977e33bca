"""Where a backward pass goes wrong: the first wrong gradient, in the order in which the backward pass computes them.

That is from the loss to the first layer, and from the last step to the first. At every place the gradient of the backward
pass is compared with the derivative of the rest of the forward pass, by a complex step along a random direction. All
gradients after a wrong one are wrong too; the first one tells which term to look at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..activations import ACTIVATIONS, Array
from ..backend import one_thread_pool
from ..graph import Edge, Masked, Node
from ..lists import listed
from ..recurrent import Upstream
from ..wrappers import TimeDistributed
from .compare import ratio
from .numeric import complex_step, unit
from .report import Departure
from .subject import Subject
from .terms import LAYER_TERMS, TERMS

H = 1e-20  # the complex step
SEED = 1  # for drawing the directions

Value = Callable[[Array], Any]  # of one array


class Place(NamedTuple):
    """An array between two nodes, and the gradient that the backward pass has there."""

    edge: Edge  # the node's output that it is, or an input of the graph
    array: Array
    mask: Array | None
    gradient: Array


def find(subject: Subject, tolerance: float) -> Departure | None:
    """The first place whose error is above the tolerance, or None: one wrong element among many may not show."""
    graph = subject.model.graph
    places = _places(subject)
    for target, edge in zip(subject.model.targets, graph.outputs, strict=True):
        place = places[edge]
        read = any(
            edge in node.inputs + node.states for node in graph.nodes
        )  # then its gradient is not the loss's alone
        error = 0.0 if read else off(_loss_after(subject, place), place.array, place.gradient)
        if error > tolerance:
            term = f"the gradient of {target.loss.name}, and of the mean with its weights"
            where = "lstm_engine/losses.py, and network.py where `backward_pass` multiplies by the weights"
            return Departure("the loss", None, "the gradient of the predictions", error, term, where=where)
    for node in reversed(graph.nodes):
        errors = {}
        for k, edge in enumerate(node.inputs + node.states):
            if edge in places:
                name = "x" if k == 0 else f"x[{k}]" if k < len(node.inputs) else f"initial state {k - len(node.inputs)}"
                errors[name] = off(_loss_after(subject, places[edge]), places[edge].array, places[edge].gradient)
        for name, gradient in subject.analytic().items():
            if name.startswith(f"{node.layer.name}/") or name.startswith(f"{node.name}/"):
                error = off(_loss_at(subject, name), subject.point()[name], gradient)
                errors[name.partition("/")[2]] = error
        if errors and max(errors.values()) > tolerance:
            return _inside(subject, node, errors, tolerance)
    return None


def _places(subject: Subject) -> dict[Edge, Place]:
    """By edge, every array between nodes that has a gradient; an array that several nodes read has their sum."""
    graph, gradients, twin = subject.model.graph, subject.gradients, subject.twin
    subject.put(subject.point())
    kept: dict[Edge, Masked] = {}
    with twin.undisturbed():
        twin.forward(subject.batch.x, subject.training, subject.batch.mask, subject.states, kept=kept)
    by_edge = {
        edge: dy for node in graph.nodes for edge, dy in zip(node.outputs, gradients.outputs[node.name], strict=True)
    }
    masks = [subject.batch.mask] if len(graph.inputs) == 1 else subject.batch.mask or [None] * len(graph.inputs)
    for name, x, mask, dx in zip(graph.inputs, listed(subject.batch.x), masks, gradients.inputs, strict=True):
        kept[Edge(name)], by_edge[Edge(name)] = (x, mask), dx
    return {edge: Place(edge, *kept[edge], dy) for edge, dy in by_edge.items() if dy is not None}


def off(f: Value, at: Array, gradient: Array) -> float:
    """The error of gradient·v against f'(at)·v for a random v, relative to the size of the gradient."""
    v = unit(np.random.default_rng(SEED), at.shape)
    analytic = float((gradient * v).sum())
    numeric = complex_step(lambda arrays: f(arrays["at"]), {"at": at}, "at", v, H)
    scale = max(np.sqrt((gradient * gradient).mean()), abs(analytic), abs(numeric))
    return ratio(abs(analytic - numeric), scale)


def _loss_after(subject: Subject, place: Place) -> Value:
    """The loss as a function of the array at this place."""
    twin, batch = subject.twin, subject.batch

    def f(x: Array) -> Any:
        subject.put(subject.point())
        given = {place.edge: (x, place.mask)}
        with twin.undisturbed():
            p, mask, _ = twin.forward(batch.x, subject.training, batch.mask, subject.states, given=given)
        return twin.total_loss(twin.heads(p, mask, batch.y, batch.sample_weight))

    return f


def _loss_at(subject: Subject, name: str) -> Value:
    point = {parameter: a.astype(np.complex128) for parameter, a in subject.point().items()}
    return lambda a: subject.loss(point | {name: a})


def _inside(subject: Subject, node: Node, errors: dict[str, float], tolerance: float) -> Departure:
    """The place in this node: its outputs' gradients are right, and gradients that it computed are wrong."""
    layer = node.layer
    upstream = layer.split(subject.gradients.outputs[node.name])
    recurrences = layer.recurrences(subject.forward_pass.tapes[node.name], *upstream)
    for prefix, (part, tape, from_above) in zip(layer.parts, recurrences, strict=False):
        recurrence = Recurrence(f"{node.name}/{prefix}".rstrip("/"), part, tape.steps, from_above)
        if departure := recurrence.first_departure(tolerance):
            return departure
    worst = max(errors, key=errors.__getitem__)
    wrong = ", ".join(names := [name for name, error in errors.items() if error > tolerance])
    if set(names) <= set(layer.weight_penalties()):
        term = "the penalties, δW += l1 sign(W) + 2 l2 W"
        where = "lstm_engine/regularizers.py, and network.py where `backward_pass` adds it"
        return Departure(layer.name, None, wrong, errors[worst], term, where=where)
    if recurrences:
        term = "the cell's pair is right: look at what stands around it (direction, merging, input dropout, penalties)"
        return Departure(layer.name, None, wrong, errors[worst], term, where="lstm_engine/recurrent.py, wrappers.py")
    kinds = type(layer.layer if isinstance(layer, TimeDistributed) else layer).__mro__
    term = next((LAYER_TERMS[c.__name__] for c in kinds if c.__name__ in LAYER_TERMS), "its backward: δx from δy")
    code = type(layer).backward.__code__
    where = f"{type(layer).__name__}.backward, {Path(code.co_filename).name}:{code.co_firstlineno}"
    return Departure(layer.name, None, wrong, errors[worst], term, where=where)


class Recurrence:
    """The forward and backward pass of one recurrent layer, whose gradients are checked given the upstream gradients."""

    def __init__(self, name: str, part: Any, steps: Any, upstream: Upstream) -> None:
        self.name, self.part, self.steps = name, part, steps
        dh, dlast = upstream
        self.dh = None if dh is None else dh.astype(np.float64)
        self.dlast = [0.0 if d is None else d.astype(np.float64) for d in dlast]
        self.upstream = upstream
        with one_thread_pool(part.backends()):
            self.grads = part.runs.backward(steps, dh, *dlast)
        self.weights = [a.astype(np.float64) for a in (steps.W, steps.U, steps.b)]
        self.options = {
            "recurrent_dropout": steps.recurrent_dropout,
            **{k: getattr(steps, k) for k in part.activations},
        }

    def states(self, t: int) -> list[Array]:
        """h (and c) after step t, (B, units); those before the first are at t = -1."""
        return [states[t + 1].astype(np.float64) for states in self.steps.states]

    def run(
        self, x: Array, weights: list[Array], states: list[Array], start: int, stop: int | None = None
    ) -> tuple[Array, list[Array]]:
        """h of the steps from start to stop, and the states after them, computed by the readable pair."""
        mask = None if self.steps.mask is None else self.steps.mask[start:stop]
        tape = self.part.pair.forward(x, *weights, *states, mask=mask, **self.options)
        return tape.h, [s[-1] for s in tape.states]

    def ahead(self, t: int, states: list[Array], weights: list[Array] | None = None, x: Array | None = None) -> Any:
        """Σ dh∘h over the steps after t, and on the last states, as a function of the states after step t."""
        value = 0.0
        if t + 1 < len(self.steps.x):
            x = self.steps.x[t + 1 :].astype(np.float64) if x is None else x
            h, states = self.run(x, weights or self.weights, states, t + 1)
            if self.dh is not None:
                value = (self.dh[t + 1 :] * h).sum()
        for d, state in zip(self.dlast, states, strict=True):
            value = value + (d * state).sum()
        return value

    def value(self, t: int, states: list[Array]) -> Any:
        """`ahead`, and the upstream gradient of step t's h times that h."""
        here = 0.0 if self.dh is None else (self.dh[t] * states[0]).sum()
        return here + self.ahead(t, states)

    # -- the places, in the order of the backward pass ---------------------------------------------------------------

    def first_departure(self, tolerance: float) -> Departure | None:
        """The first wrong place; None when the pair is right."""
        for t in reversed(range(len(self.steps.x))):
            for quantity, f, at, gradient in self.places(t):
                error = off(f, at, gradient)
                if error > tolerance:
                    return self.departure(t, quantity, error, self.cause(t, quantity, tolerance))
        for quantity, f, at, gradient in self.sums():
            error = off(f, at, gradient)
            if error > tolerance:
                return self.departure(None, quantity, error, quantity)
        return None

    def places(self, t: int) -> Iterator[tuple[str, Value, Array, Array]]:
        """At step t: a quantity's name, the function of it, its value, and its gradient in the backward pass."""
        h, *others = self.states(t)
        yield "h", lambda h: self.value(t, [h, *others]), h, self.grads.h[t]
        if others:  # c, from which h comes too
            (c,) = others
            yield "c", lambda c: self.value(t, [self.h_from(t, c), c]), c, self.grads.c[t]
        B, K = self.grads.z[t].shape
        zero = np.zeros((B, K))
        for k, gate in reversed(list(enumerate(self.part.gate_names))):  # a GRU's δr comes from δĥ
            columns = np.zeros((1, K))  # 1 in those of this gate
            columns[:, k * K // self.part.gates : (k + 1) * K // self.part.gates] = 1.0

            def f(dz: Array, columns: Array = columns) -> Any:
                return self.value(t, self.after(t, dz * columns))

            yield f"gate {gate}", f, zero, self.grads.z[t] * columns

    def h_from(self, t: int, c: Array) -> Array:
        o, h = self.steps.o[t].astype(np.float64), self.steps.h[t].astype(np.float64)
        made = o * ACTIVATIONS[self.steps.activation].forward(c)
        return made if self.steps.mask is None else np.where(self.steps.mask[t][:, None], made, h)

    def after(self, t: int, dz: Array) -> list[Array]:
        """The states after step t with dz (B, G units) added to its pre-activations, as more inputs of weight 1."""
        W, U, b = self.weights
        x = np.concatenate([self.steps.x[t].astype(np.float64), dz], axis=-1)[None]  # (1, B, D + G units)
        return self.run(x, [np.concatenate([W, np.eye(W.shape[1])]), U, b], self.states(t - 1), t, t + 1)[1]

    def sums(self) -> Iterator[tuple[str, Value, Array, Array]]:
        """After the loop: the weights' gradients, the inputs', and the initial states'."""
        W, U, b = self.weights
        before, x = self.states(-1), self.steps.x.astype(np.float64)
        yield "kernel", lambda W: self.ahead(-1, before, [W, U, b]), W, self.grads.W
        yield "recurrent_kernel", lambda U: self.ahead(-1, before, [W, U, b]), U, self.grads.U
        yield "bias", lambda b: self.ahead(-1, before, [W, U, b]), b, self.grads.b
        yield "x", lambda x: self.ahead(-1, before, x=x), x, self.grads.x
        for n, (name, state, gradient) in enumerate(
            zip(self.part.state_names, before, self.grads.initial_states, strict=True)
        ):

            def f(s: Array, n: int = n) -> Any:
                return self.ahead(-1, [*before[:n], s, *before[n + 1 :]])

            yield f"{name}0", f, state, gradient

    # -- what to look at ---------------------------------------------------------------------------------------------

    def cause(self, t: int, quantity: str, tolerance: float) -> str:
        """The key in TERMS of the term to look at: the one that step t adds itself, the mask's, or the quantity's."""
        if quantity in self.part.state_names and self.is_own(t, quantity, tolerance):
            return f"own {quantity}"
        if self.steps.mask is not None and self.unmasked().first_departure(tolerance) is None:
            return "masked gate" if quantity.startswith("gate") else "masked"
        return quantity

    def unmasked(self) -> Recurrence:
        """The same passes without the mask: if they are right, the mistake is in the treatment of masked steps."""
        s = self.steps
        first = [states[0] for states in s.states]
        with one_thread_pool(self.part.backends()):
            steps = self.part.runs.forward(
                s.x, s.W, s.U, s.b, *first, recurrent_dropout=s.recurrent_dropout, **self.part.other_activations()
            )
        return Recurrence(self.name, self.part, steps, self.upstream)

    def is_own(self, t: int, quantity: str, tolerance: float) -> bool:
        """Whether a state's gradient is wrong by the term that step t adds, and not by the one from the step after.

        The latter is 0 at the last step, and at any step if dh is 0 everywhere else: then an error is that of step t.
        """
        if t == len(self.steps.x) - 1:
            return True
        dh = np.zeros_like(self.steps.h)  # (T, B, units)
        dh[t] = np.random.default_rng(SEED).standard_normal(dh[t].shape)
        alone = Upstream(dh, [None] * len(self.part.state_names))
        places = Recurrence(self.name, self.part, self.steps, alone).places(t)
        return any(off(f, at, gradient) > tolerance for name, f, at, gradient in places if name == quantity)

    def departure(self, t: int | None, quantity: str, error: float, cause: str) -> Departure:
        reading = " before" if self.part.cell == "gru" and not self.steps.reset_after else ""
        term, code = TERMS[self.part.cell + reading][cause]
        line, where = line_of(f"cells/{self.part.cell}.py", code)
        if self.part.backends() == {"numba"}:
            where += f", or rather its compiled twin in lstm_engine/kernels/{self.part.cell}.py"
        return Departure(self.name, t, quantity, error, term, line, where)


def line_of(name: str, code: str) -> tuple[str, str]:
    """The line of a file of the engine that holds this code, and "lstm_engine/cells/lstm.py:110"."""
    lines = (Path(__file__).parent.parent / name).read_text(encoding="utf-8").splitlines()
    (n,) = (n for n, line in enumerate(lines) if code in line)
    return lines[n].strip(), f"lstm_engine/{name}:{n + 1}"
