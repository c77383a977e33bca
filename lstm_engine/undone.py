"""A call that fails changes nothing: what is checked before a step, and what is put back where something failed after it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import wraps
from itertools import chain
from typing import Any, TypeVar

import numpy as np

from . import finite, losses
from .layer import Layer

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)


def check_targets(network: Any, data: Any) -> None:
    """ValueError for y, weights or metrics that do not fit the network's outputs, before anything is computed or moved."""
    x, y, _, weights = data.take(slice(0, 2))  # a few
    if not data.several:
        y, weights = [y], [weights]
    kinds = [a.shape[1:] for a in (x if isinstance(x, list) else [x])]
    looks = (kinds, [a.shape[1:] for a in y], [None if w is None else w.shape[1:] for w in weights])
    targets, before, shapes = getattr(network, "_looked_at", (None, None, []))
    known = targets is network.targets and before == looks
    if not known:
        of = network.graph.shapes(kinds)
        shapes = [of[edge] for edge in network.graph.outputs]
    for k, shape in enumerate(shapes):
        finite.check_targets(network, data, k, has_steps=len(shape) > 1)
    if not known:
        for target, shape, y_k, w in zip(network.targets, shapes, y, weights, strict=True):
            p = np.full((len(y_k), *shape), 0.5, network.dtype)
            # y of masked steps may be anything, so that of sequences is looked at in its shape alone
            fitted = losses.fit_targets(target.loss, np.zeros_like(y_k) if p.ndim > 2 else y_k, p.shape)
            losses.weights(p.shape[:-1], None, w)
            for metric in copy.deepcopy(target.metrics):
                metric.reset()
                metric.update(fitted, p)
        network._looked_at = (network.targets, looks, shapes)  # the next batch of these shapes is looked at no more
    for target, shape, whole in zip(network.targets, shapes, data.y, strict=True):
        if len(shape) == 1:
            losses.fit_targets(target.loss, whole, (len(data), *shape))


def undone_if_it_fails(method: F) -> F:
    """A method of a network that raises before the weights have moved leaves the network as it was.

    That is the layers (also one that is given), their kept states and random generators, the history and the counts. Once
    the optimizer has made a step, as when a callback raises in the second epoch, what was trained stays.
    """

    @wraps(method)
    def careful(network: Any, *args: Any, **more: Any) -> Any:
        before = Before(network, [a for a in args if isinstance(a, Layer)])
        try:
            return method(network, *args, **more)
        except Exception:
            if before.steps == steps(network):
                before.restore()
            raise

    return careful  # type: ignore[return-value]


def undone_if_they_fail(*names: str) -> Callable[[C], C]:
    """A class whose methods of these names are `undone_if_it_fails`."""

    def of(cls: C) -> C:
        for name in names:
            setattr(cls, name, undone_if_it_fails(getattr(cls, name)))
        return cls

    return of


def steps(network: Any) -> int | None:
    """How often the optimizer has moved the weights."""
    optimizer = getattr(network, "optimizer", None)
    return None if optimizer is None else optimizer.iterations


class Before:
    """What a network and its layers are, without the arrays of the weights: no failing call writes into them."""

    def __init__(self, network: Any, given: list[Layer]) -> None:
        layers = {id(layer): layer for layer in [*getattr(network, "layers", []), *given]}
        parts = {id(part): part for layer in layers.values() for part in [layer, *layer.parts.values()]}
        self.objects = [(obj, vars(obj).copy()) for obj in (network, *parts.values())]
        values = chain.from_iterable(attributes.values() for _, attributes in self.objects)
        self.lists = [(value, value[:]) for value in values if type(value) is list]
        self.generators = [(part.rng, part.rng.bit_generator.state) for part in parts.values()]
        self.seeds = getattr(network, "_seeds", None)
        self.spawned = self.seeds.n_children_spawned if self.seeds else 0
        self.steps = steps(network)

    def restore(self) -> None:
        for obj, attributes in self.objects:
            vars(obj).clear()
            vars(obj).update(attributes)
        for value, items in self.lists:
            value[:] = items
        for rng, state in self.generators:
            rng.bit_generator.state = state
        if self.seeds is not None:
            network, _ = self.objects[0]
            network._seeds = np.random.SeedSequence(
                self.seeds.entropy, spawn_key=self.seeds.spawn_key, n_children_spawned=self.spawned
            )
