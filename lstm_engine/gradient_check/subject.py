"""What a gradient check is about: a model, a batch, the pass through them, and the loss as a function of named arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import passes
from ..activations import Array
from ..backend import one_thread_pool
from ..passes import Back, Batch, States, There
from ..samples import Data
from ..trace import recurrent_layers
from . import refusals
from .numeric import Function

if TYPE_CHECKING:
    from ..layers import Layer
    from ..model import Sequential


class Subject(NamedTuple):
    """A pass that was made, with the gradients to check, and the float64 NumPy twin whose loss is differentiated."""

    model: Sequential  # whose gradients are checked
    twin: Sequential
    batch: Batch  # in float64
    training: bool
    states: States  # initial, by the layer's name
    way: There
    back: Back

    def loss(self, arrays: dict[str, Array]) -> Any:
        """The loss at these weights, input and initial states, by the names of `point`; complex when they are."""
        self.put(arrays)
        assert self.twin.loss is not None
        states = {name: [arrays[own] for own in self.state_names(name)] for name in self.states}
        batch = self.batch._replace(x=arrays["x"])
        with passes.undisturbed(self.twin.layers):  # the same dropout masks and kept states for every loss
            return passes.there(self.twin.layers, self.twin.loss, batch, self.training, states).loss

    def put(self, arrays: dict[str, Array]) -> None:
        """Gives the twin these weights. A wrapper's weights are those of its parts."""
        for layer in self.twin.layers:
            for prefix, part in layer.parts.items():
                for name in part.weights:
                    part.weights[name] = layer.weights[prefix + name] = arrays[f"{layer.name}/{prefix}{name}"]

    def point(self) -> dict[str, Array]:
        """Where the model stands: "lstm/kernel", ..., "x", "lstm/h0", ... in float64."""
        return as_float64(self.model.weights | {"x": self.batch.x} | self.named(self.states))

    def analytic(self) -> dict[str, Array]:
        """The model's own gradients, by the names of `point`."""
        return as_float64(self.back.weights | {"x": self.back.x} | self.named(self.back.states))

    def gates(self) -> dict[str, Sequence[str]]:
        """The gates that lie side by side in each weight of a recurrent layer with more than one."""
        parts = [(f"{layer.name}/{prefix}", part) for layer in self.twin.layers for prefix, part in layer.parts.items()]
        gated = [(prefix, part) for prefix, part in parts if len(getattr(part, "gate_names", ())) > 1]
        return {prefix + name: part.gate_names for prefix, part in gated for name in part.weights}

    def state_names(self, layer_name: str) -> list[str]:
        """["lstm/h0", "lstm/c0"], in the order in which the layer takes its initial states."""
        (parts,) = (layer.parts for layer in self.twin.layers if layer.name == layer_name)
        return [f"{layer_name}/{prefix}{state}0" for prefix, part in parts.items() for state in part.state_names]

    def named(self, states: States) -> dict[str, Array]:
        return {own: a for name in self.states for own, a in zip(self.state_names(name), states[name], strict=True)}


def as_float64(arrays: dict[str, Array]) -> dict[str, Array]:
    return {name: a.astype(np.float64) for name, a in arrays.items()}


def prepare(
    model: Sequential, x: ArrayLike, y: ArrayLike, *, mask: ArrayLike | None = None, sample_weight: ArrayLike | None = None,
    dtype: str | None = None, dropout: str | None = None, allow_short: bool = False, allow_small: bool = False,
    allow_chaotic: bool = False,
) -> Subject:  # fmt: skip
    """The pass to check. ValueError for what would make the check lie."""
    refusals.refuse_float32(model, dtype)
    refusals.refuse_live_dropout(model, dropout)
    model._data(x, y, mask, sample_weight)  # builds a model that has no weights yet, or says what is wrong with x and y
    checked = model if dtype in (None, model.dtype) else model.twin(dtype, model.backend)
    samples, training, loss = checked._samples(x, mask), dropout == "frozen", checked.loss
    assert loss is not None
    batch = Batch(*Data(samples, y, checked.dtype, sample_weight).take(slice(None)))
    refusals.refuse_short(batch.x, batch.mask, allow_short)
    with one_thread_pool(checked._backends()), passes.undisturbed(checked.layers):
        way = passes.there(checked.layers, loss, batch, training)
        back = passes.back(checked.layers, loss, way)
    refusals.refuse_no_number(way)
    refusals.refuse_clipped(loss, way)
    refusals.refuse_perfect(loss, way)
    refusals.refuse_still_gates(recurrent_layers(checked, way.tapes), allow_small)
    x64, y64 = batch.x.astype(np.float64), batch.y.astype(np.float64)
    weight = None if batch.sample_weight is None else batch.sample_weight.astype(np.float64)
    twin = checked.twin()
    for part in twin._parts():
        part.unroll = False  # says how Keras runs its loop, and would refuse given states beside masks
    states = initial_states(checked.layers, way.tapes)
    subject = Subject(checked, twin, Batch(x64, y64, batch.mask, weight), training, states, way, back)
    refusals.refuse_chaos(subject.loss, subject.point(), allow_chaotic)
    return subject


def initial_states(layers: list[Layer], tapes: list[Any]) -> States:
    """The states that every recurrent layer started from in this pass."""
    found = {layer.name: layer.recurrences(tape, None) for layer, tape in zip(layers, tapes, strict=True)}
    return {
        name: [getattr(tape.steps, f"{s}_states")[0] for part, tape, _ in parts for s in part.state_names]
        for name, parts in found.items() if parts
    }  # fmt: skip


def loss_along(
    model: Sequential, x: ArrayLike, y: ArrayLike, **options: Any
) -> tuple[Callable[[dict[str, Array]], Any], dict[str, Array]]:
    """The loss as a function of named arrays, and the point where the model stands: for differentiating it yourself.

    Options as gradcheck's mask, sample_weight, dtype, dropout and allow_...
    """
    subject = prepare(model, x, y, **options)
    f: Function = subject.loss
    return f, subject.point()
