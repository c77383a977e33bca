"""How a network is described: layers are called on Tensors, which stand for arrays to come.

`layer(tensor)` computes nothing: it notes the call and returns a Tensor for what the layer will hand out. `graph_of` collects
the calls that lead from inputs to outputs into the `Graph` that runs them. The names are Keras's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import keras_2_words
from .absent import argument
from .checks import Shape
from .graph import Edge, Graph, Node
from .keras_names import snake, takes_keras_arguments
from .layer import Layer
from .lists import listed

INPUT_DTYPES = ("float32", "float64", "int32", "int64")


class Tensor:
    """An array to come: output number `index` of a call. `shape` begins with None, the batch, as that of a KerasTensor."""

    __array_ufunc__ = None  # then `array + tensor` comes to __radd__

    def __init__(self, shape: Shape, call: Call, index: int = 0) -> None:
        self.shape = (None, *shape)
        self.call = call
        self.index = index

    def __repr__(self) -> str:
        return f"<Tensor {self.shape} of {self.call.layer!r}>"

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            f"{self!r} stands for an array to come and holds no numbers: make a Model with it, then predict"
        )

    def no_arithmetic(self, _: Any) -> Any:
        raise TypeError(f"{self!r} takes no arithmetic: use the layers Add, Subtract, Multiply, Concatenate or Dot")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __matmul__ = no_arithmetic


class Call:
    """One call of a layer on Tensors. A layer keeps its calls, so that `layer.output` is the first one's."""

    def __init__(
        self, layer: Layer, inputs: Sequence[Tensor], states: Sequence[Tensor], shapes: Sequence[Shape]
    ) -> None:
        self.layer = layer
        self.inputs = list(inputs)  # several where the layer has many_inputs
        self.states = list(states)  # the initial states that the call names
        self.outputs = [Tensor(shape, self, k) for k, shape in enumerate(shapes)]
        layer.calls.append(self)


class InputLayer(Layer):
    """Where data come into a network. It has no weights and computes nothing."""

    whole = False  # whether the data are whole numbers

    def __init__(self, shape: Shape | None = None, *, batch_shape: Shape | None = None, **general: Any) -> None:
        general.pop("batch_size", None)  # any fits
        given = [shape, None if batch_shape is None else tuple(batch_shape)[1:]]
        given.append(keras_2_words.input_shape(self, general, general.pop("input_shape", None)))
        if len(shapes := [tuple(s) for s in given if s is not None]) != 1:
            raise ValueError("Input takes a shape (T, D), or a batch_shape (N, T, D)")
        super().__init__(**general)
        self.shape = shapes[0]
        self.batch_shape = None  # in a config `shape` says it
        self.input_shape = self.shape
        self.built = True


@takes_keras_arguments
def Input(
    shape: Shape | None = None, *, batch_shape: Shape | None = None, name: str | None = None, dtype: Any = None
) -> Tensor:
    """Keras's `Input((T, D))`: where data come in. A Sequential takes it as its first item; layers can be called on it.

    T may be None: sequences of any length. A batch_shape (N, T, D), which Keras requires for stateful layers, is accepted.
    With dtype "int32" or "int64" the data must be whole numbers; the model computes in its own dtype.
    """
    kind = dtype if isinstance(dtype, str | None) else np.dtype(dtype).name
    if kind not in (None, *INPUT_DTYPES):
        raise ValueError(f"Input's dtype is one of {', '.join(INPUT_DTYPES)}, got {dtype!r}: {argument('dtype')}")
    layer = InputLayer(shape, batch_shape=batch_shape, name=name)
    layer.whole = kind in ("int32", "int64")
    return source(layer)


def source(layer: Any) -> Tensor:
    """The Tensor of an input."""
    return Call(layer, [], [], [layer.shape]).outputs[0]


def is_symbolic(x: Any) -> bool:
    """Whether x is a Tensor, or a list or dict with one in it."""
    items = x.values() if isinstance(x, Mapping) else x if isinstance(x, list | tuple) else [x]
    return any(isinstance(item, Tensor) for item in items)


def check_noted(layers: Sequence[Layer], training: bool | None, mask: Any) -> None:
    """TypeError for what a call on a Tensor would have to note for later, and a graph here does not hold."""
    if mask is not None:
        raise TypeError(
            "a call on a Tensor takes no mask=: a mask comes from Masking or Embedding(mask_zero=True) below, or with the "
            "data, as fit(x, y, mask=mask)"
        )
    parts = [part for layer in layers for part in [layer, *layer.parts.values()]]
    drops = [p for p in parts if any(getattr(p, rate, 0) for rate in ("rate", "dropout", "recurrent_dropout"))]
    if training is not None and drops:
        raise TypeError(
            f"training={training} of {drops[0]!r} called on a Tensor is not in this engine: fit drops, predict does not. For "
            "predictions with dropout call the model on arrays, model(x, training=True)"
        )


def call(layer: Layer, x: Any, initial_state: Any = None) -> Any:
    """Notes a call of the layer; returns the Tensor of its output, or a list of them. x is a Tensor, or a list of them.

    ValueError, and nothing noted, when the layer cannot read arrays of these shapes.
    """
    inputs, states = listed(x), [] if initial_state is None else listed(initial_state)
    if odd := [item for item in inputs + states if not isinstance(item, Tensor)]:
        raise TypeError(
            f"{layer!r} is called on Tensors and on {odd[0]!r} together: give it Tensors alone, or arrays alone"
        )
    if not inputs:
        raise ValueError(f"{layer!r} is called on an empty list: give it a Tensor")
    if len(inputs) > 1 and not layer.many_inputs:
        raise ValueError(f"{layer!r} reads one Tensor, got {len(inputs)}: Concatenate or Add makes one of several")
    if states and not layer.has_states:
        raise TypeError(f"{layer!r} has no states: leave initial_state out")
    shapes = [item.shape[1:] for item in inputs]
    _check_steps(layer, inputs[0])
    layer.check_fit(shapes if layer.many_inputs else shapes[0])
    needed = layer.state_shapes()
    if states and [state.shape[1:] for state in states] != needed:
        got = ", ".join(str(state.shape) for state in states)
        raise ValueError(f"{layer!r} needs initial states of shapes {[(None, *s) for s in needed]}, got {got}")
    y = layer.outputs(layer.output_shape(shapes if layer.many_inputs else shapes[0]), needed)
    noted = Call(layer, inputs, states, y if isinstance(y, list) else [y])
    return noted.outputs if isinstance(y, list) else noted.outputs[0]


def _check_steps(layer: Layer, x: Tensor) -> None:
    below = x.call.layer
    if layer.reads_sequences and len(x.shape) == 2 and getattr(below, "return_sequences", None) is False:
        name, other = layer.name or type(layer).__name__, below.name or type(below).__name__
        raise ValueError(
            f"{name} reads sequences, but {other} below it returns its last step alone: give {other} return_sequences=True"
        )


def between(sources: Mapping[Tensor, Tensor], outputs: Sequence[Tensor]) -> tuple[list[Call], list[Layer]]:
    """The calls that the outputs need, each after those that it reads; and their layers, in Keras's order.

    sources: by a model's input the Tensor of its InputLayer. Keras sorts layers by depth, the longest way to an output, and
    those of one depth as a search from the outputs first meets them; so do the weights. ValueError for an output that needs
    another input, and for an input that no output needs.
    """
    calls: list[Call] = []
    met: dict[Layer, int] = {}
    entered: set[Call] = set()

    def before(here: Call) -> list[Call]:
        return [sources.get(item, item).call for item in here.inputs + here.states]

    pending = [(sources.get(item, item).call, False) for item in reversed(outputs)]
    while pending:
        here, inputs_done = pending.pop()
        if inputs_done:
            calls.append(here)
        elif here not in entered:
            entered.add(here)
            met.setdefault(here.layer, len(met))
            pending += [(here, True), *((other, False) for other in reversed(before(here)))]
    known = {item.call for item in sources.values()}
    if strange := [here for here in calls if isinstance(here.layer, InputLayer) and here not in known]:
        raise ValueError(f"the outputs need the input {strange[0].outputs[0]!r}, which is not among the model's inputs")
    if unread := known - set(calls):
        raise ValueError(f"no output depends on the input {unread.pop().outputs[0]!r}: leave it out")
    depth: dict[Call, int] = {}
    layer_depth: dict[Layer, int] = {}
    for here in reversed(calls):
        depth[here] = layer_depth[here.layer] = max(depth.get(here, 0), layer_depth.get(here.layer, 0))
        for other in before(here):
            depth[other] = max(depth.get(other, 0), depth[here] + 1)
    return calls, sorted(met, key=lambda layer: (-layer_depth[layer], met[layer]))


def graph_of(sources: Mapping[Tensor, Tensor], outputs: Sequence[Tensor], calls: Sequence[Call]) -> Graph:
    """The graph of the calls that `between` found, when their layers have names."""
    names: dict[Call, str] = {}
    nodes: list[Node] = []
    count: Counter[str] = Counter()

    def edge(item: Tensor) -> Edge:
        return Edge(names[sources.get(item, item).call], item.index if item not in sources else 0)

    for here in calls:
        layer = here.layer
        count[layer.name] += 1
        names[here] = layer.name if count[layer.name] == 1 else f"{layer.name}@{count[layer.name]}"
        if not isinstance(layer, InputLayer):
            states = [edge(item) for item in here.states]
            out = [Edge(names[here], k) for k in range(len(here.outputs))]
            nodes.append(Node(names[here], layer, [edge(item) for item in here.inputs], states, out))
    return Graph([names[item.call] for item in sources.values()], nodes, [edge(item) for item in outputs])


def call_again(graph: Graph, inputs: Sequence[Tensor], layers: Mapping[str, Layer] | None = None) -> list[Tensor]:
    """The outputs when the calls of a graph are made on other Tensors, perhaps of other layers by the same names."""
    if len(inputs) != len(graph.inputs):
        raise ValueError(f"the model is called on {len(graph.inputs)}, {', '.join(graph.inputs)}, got {len(inputs)}")
    made: dict[Edge, Tensor] = dict(zip(map(Edge, graph.inputs), inputs, strict=True))

    def of(edges: Sequence[Edge]) -> list[Tensor]:
        if strange := [edge for edge in edges if edge not in made]:
            raise ValueError(f"{strange[0].node!r:.80} has no output {strange[0][1]}")
        return [made[edge] for edge in edges]

    for node in graph.nodes:
        layer = layers[node.layer.name] if layers else node.layer
        x = of(node.inputs)
        y = call(layer, x if layer.many_inputs else x[0], of(node.states) or None)
        made |= {Edge(node.name, k): item for k, item in enumerate(listed(y))}
    return of(graph.outputs)


def source_of(item: Tensor) -> Tensor:
    """The Tensor itself if it is an Input, else a new Input of its shape: a network may begin inside another one."""
    if not isinstance(item, Tensor):
        raise TypeError(
            f"a Model's inputs and outputs are Tensors, as Input and calls of layers on it return, got {item!r}"
        )
    return item if isinstance(item.call.layer, InputLayer) else Input(item.shape[1:])


def name_all(layers: Sequence[Layer]) -> None:
    """Gives names to the layers that have none: lstm, lstm_1, ... ValueError for two layers of one name."""
    names = Counter(layer.name for layer in layers if layer.name)
    if twice := [name for name, count in names.items() if count > 1]:
        raise ValueError(f"two layers cannot both be named {twice[0]!r}: give one of them another name=")
    for layer in layers:
        layer.name = layer.name or free_name(layer, {other.name for other in layers})


def free_name(layer: Layer, taken: set[str]) -> str:
    base, n = snake(type(layer).__name__), 0
    while (name := f"{base}_{n}" if n else base) in taken:
        n += 1
    return name


def output_names(graph: Graph) -> list[str]:
    """The outputs' names: those of their layers; a second output of one layer is dense_1, as in Keras's history."""
    names: list[str] = []
    for edge in graph.outputs:
        layer, n = edge.node.partition("@")[0], 0
        while (name := f"{layer}_{n}" if n else layer) in names:
            n += 1
        names.append(name)
    return names


def named(item: Tensor, name: str) -> Tensor:
    """The Input under the name that a dict of inputs gives it."""
    if isinstance(item, Tensor) and isinstance(item.call.layer, InputLayer):
        item.call.layer.name = name
    return item


def graph_to_config(graph: Graph) -> dict[str, Any]:
    """The graph as JSON values, with its layers' names."""
    nodes = [{"layer": n.layer.name, "name": n.name, "inputs": n.inputs, "states": n.states} for n in graph.nodes]
    return {"inputs": graph.inputs, "nodes": nodes, "outputs": graph.outputs}


def graph_from_config(config: dict[str, Any], layers: Sequence[Layer]) -> Graph:
    """The graph of these layers. ValueError for a config that describes none."""
    by_name = {layer.name: layer for layer in layers}
    sources = [layer.name for layer in layers if isinstance(layer, InputLayer)]
    if strange := [name for name in config["inputs"] if name not in sources]:
        raise ValueError(f"its graph begins at {strange[0]!r:.80}, its input layers are {', '.join(sources) or 'none'}")
    known = set(sources)  # and the names of the nodes so far

    def edges(rows: Any, what: str) -> list[Edge]:
        if strange := [row[0] for row in rows if row[0] not in known]:
            raise ValueError(f"its graph's {what:.80} reads {strange[0]!r:.80}, which is no input or node before it")
        return [Edge(*row) for row in rows]

    nodes = []
    for row in config["nodes"]:
        what, layer = f"node {row['name']!r}", by_name.get(row["layer"])
        if layer is None or not row["inputs"] or (len(row["inputs"]) > 1 and not layer.many_inputs):
            said = f"of the layer {row['layer']!r:.80} with {len(row['inputs'])} inputs"
            raise ValueError(f"its graph has the {what:.80} {said}, which it cannot be")
        nodes.append(Node(row["name"], layer, edges(row["inputs"], what), edges(row["states"], what), []))
        known.add(row["name"])
    return Graph(list(config["inputs"]), nodes, edges(config["outputs"], "output"))
