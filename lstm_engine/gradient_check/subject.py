"""The subject of a gradient check: a model, a batch, their forward and backward pass, and the loss by named arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..activations import Array
from ..backend import one_thread_pool
from ..embedding import Embedding
from ..graph import BackwardPass, States
from ..lists import listed, unlisted
from ..network import Batch, ForwardPass, Network
from ..trace import recurrent_layers
from . import refusals
from .axes import Gates
from .numeric import Function


class Subject(NamedTuple):
    """A forward and backward pass with the gradients to check, and the float64 NumPy twin whose loss is differentiated."""

    model: Network  # whose gradients are checked
    twin: Network
    batch: Batch  # in float64
    training: bool
    states: States  # initial, by the node's name, where the graph does not give them
    forward_pass: ForwardPass
    gradients: BackwardPass

    def loss(self, arrays: dict[str, Array]) -> Any:
        """The loss at these weights, input and initial states, by the names of `point`; complex when they are."""
        self.put(arrays)
        states = {node: [arrays[name] for name in self.state_names(node)] for node in self.states}
        x = [arrays.get(name, x) for name, x in zip(self.x_names(), listed(self.batch.x), strict=True)]
        batch = self.batch._replace(x=unlisted(x))
        with self.twin.undisturbed():  # the same dropout masks and kept states for every loss
            return self.twin.forward_pass(batch, self.training, states).loss

    def put(self, arrays: dict[str, Array]) -> None:
        """Gives the twin these weights. A wrapper's weights are those of its parts."""
        for prefix, part in self.twin.parts.items():
            part.weights = {name: arrays[f"{prefix}/{name}"] for name in part.weights}

    def x_names(self) -> list[str]:
        """ "x", or with several inputs "x/" and the input's name."""
        names = self.model.graph.inputs
        return [f"x/{name}" for name in names] if len(names) > 1 else ["x"]

    def point(self) -> dict[str, Array]:
        """The arrays at which the loss is differentiated: "lstm/kernel", ..., "x", "lstm/h0", ... in float64.

        An input that has no gradient, as that of an Embedding, is not among them.
        """
        inputs = zip(self.x_names(), listed(self.batch.x), self.gradients.inputs, strict=True)
        x = {name: x for name, x, gradient in inputs if gradient is not None}
        return as_float64(self.model.weights | x | self.named(self.states))

    def analytic(self) -> dict[str, Array]:
        """The model's own gradients, by the names of `point`."""
        inputs = zip(self.x_names(), self.gradients.inputs, strict=True)
        x = {name: gradient for name, gradient in inputs if gradient is not None}
        return as_float64(self.gradients.weights | x | self.named(self.gradients.states))

    def gates(self) -> dict[str, Gates]:
        """By weight, the names of its gates, for recurrent layers with more than one gate."""
        gated = {name: part for name, part in self.twin.parts.items() if len(getattr(part, "gate_names", ())) > 1}
        return {f"{name}/{weight}": Gates(part.gate_names) for name, part in gated.items() for weight in part.weights}

    def state_names(self, node_name: str) -> list[str]:
        """["lstm/h0", "lstm/c0"], in the order in which the node takes its initial states."""
        (parts,) = (node.layer.parts for node in self.twin.graph.nodes if node.name == node_name)
        return [f"{node_name}/{prefix}{state}0" for prefix, part in parts.items() for state in part.state_names]

    def named(self, states: States) -> dict[str, Array]:
        """The states by the names of `state_names`."""
        return {name: a for node in self.states for name, a in zip(self.state_names(node), states[node], strict=True)}


def wide(x: Any) -> Any:
    """An array in float64, or each of a list; None is left."""
    if isinstance(x, list):
        return [wide(part) for part in x]
    return None if x is None else x.astype(np.float64)


def as_float64(arrays: dict[str, Array]) -> dict[str, Array]:
    return {name: a.astype(np.float64) for name, a in arrays.items()}


def prepare(
    model: Network,
    x: ArrayLike,
    y: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    dtype: str | None = None,
    dropout: str | None = None,
    allow_short: bool = False,
    allow_small: bool = False,
    allow_chaotic: bool = False,
) -> Subject:
    """The subject of a check. ValueError for what would make the check wrong."""
    refusals.refuse_float32(model, dtype)
    refusals.refuse_live_dropout(model, dropout)
    model.data(x, y, mask, sample_weight)  # builds a model without weights, or raises if the data do not fit
    checked = model if dtype in (None, model.dtype) else model.twin(dtype, model.backend)
    training = dropout == "frozen"
    batch = Batch(*checked.data(x, y, mask, sample_weight).take(slice(None)))
    masks = listed(batch.mask) if len(checked.graph.inputs) > 1 else [batch.mask]
    for name, part, steps in zip(checked.graph.inputs, listed(batch.x), masks, strict=True):
        refusals.refuse_short(steps_of(checked, name, part), steps, allow_short)
    with one_thread_pool(checked.backends()), checked.undisturbed():
        forward_pass = checked.forward_pass(batch, training)
        gradients = checked.backward_pass(forward_pass)
    refusals.refuse_no_number(forward_pass)
    for target, head in zip(checked.targets, forward_pass.heads, strict=True):
        refusals.refuse_clipped(target.loss, head)
        refusals.refuse_perfect(target.loss, head)
        refusals.refuse_kink(target.loss, head)
    refusals.refuse_still_gates(recurrent_layers(checked, forward_pass.tapes), allow_small)
    x64, y64, weight = (wide(part) for part in (batch.x, batch.y, batch.sample_weight))
    twin = checked.twin()
    for part in twin.parts.values():
        part.unroll = False  # it changes nothing here, but would refuse initial states together with masks
    states = initial_states(checked, forward_pass.tapes)
    batch64 = Batch(x64, y64, batch.mask, weight)
    subject = Subject(checked, twin, batch64, training, states, forward_pass, gradients)
    refusals.refuse_chaos(subject.loss, subject.point(), allow_chaotic)
    return subject


def steps_of(model: Network, name: str, x: Array) -> int | None:
    """The steps of an input's sequences, (N, T, D) or (N, T) of ids; None when it has none."""
    readers = [node.layer for node in model.graph.nodes if any(edge.node == name for edge in node.inputs)]
    reads_ids = any(isinstance(part, Embedding) for layer in readers for part in layer.parts.values())
    return x.shape[1] if x.ndim == 3 or (x.ndim == 2 and reads_ids) else None


def initial_states(model: Network, tapes: dict[str, Any]) -> States:
    """The states that every recurrent layer started from in this forward pass."""
    free = [node for node in model.graph.nodes if not node.states]
    recurrences = {node.name: node.layer.recurrences(tapes[node.name], None) for node in free}
    return {
        name: [states[0] for _, tape, _ in parts for states in tape.steps.states]
        for name, parts in recurrences.items()
        if parts
    }


def loss_along(
    model: Network, x: ArrayLike, y: ArrayLike, **options: Any
) -> tuple[Callable[[dict[str, Array]], Any], dict[str, Array]]:
    """The loss as a function of named arrays, and the arrays of the model as it is: for differentiating it yourself.

    Options: gradcheck's mask, sample_weight, dtype, dropout and allow_...
    """
    subject = prepare(model, x, y, **options)
    f: Function = subject.loss
    return f, subject.point()
