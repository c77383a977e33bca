"""A network is a graph: its nodes are calls of layers, its edges the arrays that go from one call to the next.

`forward` runs the nodes in order, `backward` in reverse. A row of layers is the simplest graph; a layer that is called twice
has two nodes, and one set of weights. `tensors.py` makes the graph of what a reader wrote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from .activations import Array
from .checks import Shape
from .layer import Layer
from .lists import listed, unlisted

States = dict[str, list[Array]]  # by the node's name: one array (N, units) a state
Masked = tuple[Array, Array | None]  # an array, and the mask (N, T) of its existing steps


class Edge(NamedTuple):
    """Output number `output` of a node, or an input of the graph."""

    node: str
    output: int = 0


class Node(NamedTuple):
    """One call of a layer in a network."""

    name: str  # the layer's; its second call in the network is "lstm@2"
    layer: Layer
    inputs: list[Edge]  # several where the layer has many_inputs
    states: list[Edge]  # where its initial states come from; [] is zeros, or what the layer kept
    outputs: list[Edge]


class BackwardPass(NamedTuple):
    """The gradients of the loss."""

    inputs: list[Any]  # None where nothing is differentiable in it, or it is not wanted
    outputs: dict[str, list[Any]]  # by the node's name: of its outputs; None where nobody reads one
    states: States  # of the initial states
    weights: dict[str, Array]  # by name: "lstm/kernel"

    @property
    def x(self) -> Any:
        """That of the input, or a list of those of several."""
        return unlisted(self.inputs)


class Plan(NamedTuple):
    """How a forward pass goes."""

    steps: list[tuple[Node, list[Edge]]]  # the nodes in order, each with the arrays that nobody reads after it
    wanted: set[Edge]  # the arrays that somebody reads
    shared: set[Edge]  # outputs that are an input too, or that others read: the caller, who may write, gets a copy


@dataclass(frozen=True)
class Graph:
    """The names of the inputs; the nodes, each after those that it reads; and the edges that are the outputs."""

    inputs: list[str]
    nodes: list[Node]
    outputs: list[Edge]

    def forward(
        self, inputs: Sequence[Masked], training: bool = False, states: States | None = None, taped: bool = True,
        given: Mapping[Edge, Masked] | None = None, kept: dict[Edge, Masked] | None = None,
    ) -> tuple[list[Masked], dict[str, Any]]:  # fmt: skip
        """The outputs with their masks, and the tapes by the nodes' names. states: initial states by the nodes' names.

        Arrays that are `given` stand in place of those that a node would hand out; a node that nobody needs then does not
        run. A dict as `kept` gets every array; otherwise one is let go when its last reader has run.
        """
        plan = self.plan(given) if given else self.whole
        arrays = dict(zip(self.at_inputs, inputs, strict=False)) | dict(given or {})
        tapes: dict[str, Any] = {}
        x: Any
        mask: Any
        for node, done in plan.steps:
            layer = node.layer
            if layer.many_inputs:
                x, mask = map(list, zip(*(arrays[edge] for edge in node.inputs), strict=True))
            else:
                x, mask = arrays[node.inputs[0]]
            initial = [arrays[edge][0] for edge in node.states] or (states or {}).get(node.name)
            live = None if node.states else mask  # as in Keras, a call with initial states does not get the mask
            y, last, tapes[node.name] = layer.forward(x, training, live, initial, taped)
            for edge in done:
                del arrays[edge]
            mask = layer.output_mask(x, mask)
            for edge, array in zip(node.outputs, listed(layer.outputs(y, last)), strict=True):
                if edge in plan.wanted:
                    arrays[edge] = array, mask
                if kept is not None:
                    kept[edge] = array, mask
                mask = None  # states have none
        passed = [arrays[edge] for edge in self.outputs]
        for k, edge in enumerate(self.outputs):
            if edge in plan.shared:
                passed[k] = passed[k][0].copy(), passed[k][1]
        return passed, tapes

    def backward(self, tapes: Mapping[str, Any], dp: Sequence[Any], want_dx: bool = True) -> BackwardPass:
        """All gradients, from those of the outputs.

        An array that several nodes read gets a gradient from each of them, and the loss's is their sum: hence add, not set.
        The same holds for the weights of a layer with several nodes.
        """
        d: dict[Edge, Array] = {}  # the gradient of the array on each edge
        outputs: dict[str, list[Any]] = {}
        states: States = {}
        weights: dict[str, Array] = {}

        def add(to: dict[Any, Array], key: Any, gradient: Array | None) -> None:
            if gradient is not None:  # a sum is a new array: the first summand may be somebody else's
                to[key] = to[key] + gradient if key in to else gradient

        for edge, gradient in zip(self.outputs, dp, strict=True):
            add(d, edge, gradient)
        for node in reversed(self.nodes):
            layer = node.layer
            outputs[node.name] = dys = [d.pop(edge, None) for edge in node.outputs]
            if all(dy is None for dy in dys):
                continue  # what reads it has no gradient for it, as the Embedding of a number of a class
            dy, dlast = layer.split(dys)
            want = want_dx or node.name not in self.lowest
            dx, states[node.name], dW = layer.backward(tapes[node.name], dy, dlast, want_dx=want)
            for edge, gradient in zip(node.inputs, dx if layer.many_inputs else [dx], strict=True):
                add(d, edge, gradient)
            for edge, gradient in zip(node.states, states[node.name], strict=False):
                add(d, edge, gradient)
            for name, gradient in dW.items():
                add(weights, f"{layer.name}/{name}", gradient)
        return BackwardPass([d.get(edge) for edge in self.at_inputs], outputs, states, weights)

    @cached_property
    def at_inputs(self) -> dict[Edge, None]:
        return dict.fromkeys(map(Edge, self.inputs))

    @cached_property
    def lowest(self) -> set[str]:
        """The nodes below which there is nothing to train."""
        return {node.name for node in self.nodes if self.at_inputs.keys() >= {*node.inputs}}

    @cached_property
    def whole(self) -> Plan:
        return self.plan({})

    def plan(self, given: Mapping[Edge, Any]) -> Plan:
        """What must run when some arrays are given. ValueError for one that no node hands out."""
        known = [*self.at_inputs, *(edge for node in self.nodes for edge in node.outputs)]
        if unknown := [edge.node for edge in given if edge not in known]:
            raise ValueError(
                f"no node {unknown[0]!r} hands this out; there are {', '.join(n.name for n in self.nodes)}"
            )
        reads: Counter[Edge] = Counter(self.outputs)
        steps: list[tuple[Node, list[Edge]]] = []
        for node in reversed(self.nodes):
            if any(edge in reads and edge not in given for edge in node.outputs):
                read = list(dict.fromkeys(node.inputs + node.states))
                steps.insert(0, (node, [edge for edge in read if edge not in reads]))
                reads.update(read)
        shared = {edge for edge in self.outputs if reads[edge] > 1 or edge in self.at_inputs}
        return Plan(steps, reads.keys() - given.keys(), shared)

    def shapes(self, inputs: Sequence[Shape]) -> dict[Edge, Shape]:
        """The shape on every edge, without the batch. ValueError from the layer that cannot read what comes to it."""
        shapes: dict[Edge, Shape] = dict(zip(map(Edge, self.inputs), inputs, strict=True))
        for node in self.nodes:
            of = [shapes[edge] for edge in node.inputs]
            y = node.layer.outputs(
                node.layer.output_shape(of if node.layer.many_inputs else of[0]), node.layer.state_shapes()
            )
            shapes |= dict(zip(node.outputs, y if isinstance(y, list) else [y], strict=True))
        return shapes

    def is_row(self) -> bool:
        """Whether every node reads one array, that of the node before it."""
        before = [*self.inputs, *(node.name for node in self.nodes)]
        read = [[edge.node for edge in node.inputs + node.states] for node in self.nodes]
        return len(self.inputs) == 1 and read == [[name] for name in before[:-1]]
