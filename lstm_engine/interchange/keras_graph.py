"""Keras's configuration of a graph of layers, both ways: each layer with its calls, and where each call's inputs come from.

A tensor is named by a layer, the number of its call, and the number of the output. Keras 3 writes a call as its arguments,
Keras 2 as a list of such names; both are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..graph import Edge
from ..layer import Layer
from ..network import Network
from ..schema import MOST_LAYERS
from ..tensors import Input, InputLayer, Tensor, call
from .keras_config import Config, Origin, keras_object, read_layer, read_name, read_shape, write_layer

MOST_CALLS = MOST_LAYERS
History = tuple[str, int, int]
# The operations with which Keras 3 computes a mask; it writes them into a graph beside the layers.
MASK_OPERATIONS = {
    "NotEqual",
    "Any",
    "All",
    "ExpandDims",
    "ZerosLike",
    "OnesLike",
    "LogicalOr",
    "LogicalAnd",
    "Concatenate",
}


class Mask(NamedTuple):
    """A mask in Keras's graph: which tensors are compared with which number. Here layers hand masks on by themselves."""

    sources: frozenset[tuple[History, float]]


# -- writing ---------------------------------------------------------------------------------------------------------


def write_graph(model: Network, batch: int | None) -> Config:
    """The config of Keras's Functional. batch: the number of sequences of a stateful model, or None."""
    graph, shapes = model.graph, model.graph.shapes([item.shape[1:] for item in model.inputs])

    def tensor(edge: Edge) -> Config:
        config = {"shape": [batch, *shapes[edge]], "dtype": model.dtype, "keras_history": history(edge)}
        return {"class_name": "__keras_tensor__", "config": config}

    calls: dict[str, list[Config]] = {}
    for node in graph.nodes:
        x = [tensor(edge) for edge in node.inputs]
        kwargs = {"initial_state": [tensor(edge) for edge in node.states]} if node.states else {}
        call = {"args": [x if node.layer.many_inputs else x[0]], "kwargs": kwargs}
        calls.setdefault(node.layer.name, []).append(call)
    layers = []
    for layer in model.layers:
        row = (
            write_input(layer, model.dtype, batch) if isinstance(layer, InputLayer) else write_layer(layer, model.dtype)
        )
        layers.append(row | {"name": layer.name, "inbound_nodes": calls.get(layer.name, [])})
    outputs: Any = [history(edge) for edge in graph.outputs]
    if getattr(model, "as_dict", False):
        outputs = dict(zip(model.output_names, outputs, strict=True))
    inputs = [history(Edge(name)) for name in graph.inputs]
    return {"name": model.name, "trainable": True, "layers": layers, "input_layers": inputs, "output_layers": outputs}


def write_input(layer: Layer, dtype: str, batch: int | None) -> Config:
    shape = {"batch_shape": [batch, *(layer.input_shape or ())], "dtype": dtype, "name": layer.name}
    return keras_object("layers", "InputLayer", shape)


def history(edge: Edge) -> list[Any]:
    name, _, number = edge.node.partition("@")  # the second call of a layer is "lstm@2"
    return [name, int(number or 1) - 1, edge.output]


# -- reading ---------------------------------------------------------------------------------------------------------


def read_graph(config: Any, origin: Origin, prepare: Callable[[Sequence[Layer]], Any]) -> tuple[Any, Any, list[Layer]]:
    """The Tensors of the inputs and outputs, as `Model` takes them, and the layers in the file's order.

    prepare(layers) is called before the first call of a layer.
    """
    rows = config.get("layers") if isinstance(config, dict) else None
    if not isinstance(rows, list) or len(rows) > MOST_LAYERS or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"its config has no list of at most {MOST_LAYERS:,} layers")
    made: dict[History, Any] = {}  # Tensors, and Masks
    masks: dict[int, frozenset[Any]] = {}  # by id, the sources of the mask that a Tensor has here
    operations: set[str] = set()
    layers: dict[str, Layer] = {}
    pending: list[tuple[str, int, Any]] = []
    for row in rows:
        name = _name(row)
        if name in layers or (name, 0, 0) in made:
            raise ValueError(f"two of its layers are named {name!r}")
        if row.get("class_name") == "InputLayer":
            made[name, 0, 0] = read_input(row, name)
            continue
        if is_operation(row):
            operations.add(name)
        else:
            layers[name] = read_layer(row, origin)
        pending += [(name, n, node) for n, node in enumerate(_nodes(row, name))]
    prepare(list(layers.values()))
    if len(pending) > MOST_CALLS:
        raise ValueError(f"its layers are called {len(pending):,} times, at most {MOST_CALLS:,} calls are read")
    while pending:
        ready = [item for item in pending if all(place in made for place in _places(item[2]))]
        if not ready:
            raise ValueError(f"what layer {pending[0][0]} reads is made by no layer before it")
        for name, n, node in ready:
            if name in operations:
                made[name, n, 0] = read_mask(node, made)
                continue
            x, states = _arguments(layers[name], name, node, made, masks)
            try:
                y = call(layers[name], x, states)
            except TypeError as error:
                raise ValueError(
                    f"layer {name!r:.80} cannot be called as its inbound_nodes say: {error!s:.300}"
                ) from None
            made |= {(name, n, k): item for k, item in enumerate(y if isinstance(y, list) else [y])}
            masks[id(made[name, n, 0])] = _mask_after(layers[name], x, list(_places(node)), masks)
        pending = [item for item in pending if item not in ready]
    ends = [_ends(config.get(key), made) for key in ("input_layers", "output_layers")]
    inputs = list(ends[0].values()) if isinstance(ends[0], dict) else ends[0]
    return inputs, ends[1], list(layers.values())


def _name(row: Config) -> str:
    options = row.get("config")
    return read_name(row.get("name") or (options.get("name") if isinstance(options, dict) else "") or "")


def is_operation(row: Config) -> bool:
    """Whether a row is one of the operations of a mask: a layer's config says `trainable`, an operation's does not."""
    options, module = row.get("config"), str(row.get("module") or "keras.src.ops.")
    known = str(row.get("class_name")) in MASK_OPERATIONS and module.startswith("keras.src.ops.")
    return known and isinstance(options, dict) and "trainable" not in options


def read_mask(node: Any, made: Mapping[History, Any]) -> Mask:
    """The mask that an operation makes of arrays and of other masks."""
    places, args = list(_places(node)), node.get("args") if isinstance(node, dict) else None
    sources = [made[place].sources for place in places if isinstance(made[place], Mask)]
    if isinstance(args, list) and len(args) == 2 and isinstance(args[1], int | float) and len(places) == 1:
        sources.append(frozenset([(places[0], float(args[1]))]))
    return Mask(frozenset().union(*sources))


def _mask_after(layer: Layer, x: Any, read: Sequence[History], masks: Mapping[int, frozenset[Any]]) -> frozenset[Any]:
    """The sources of the mask of a layer's output: a layer that makes masks names its input, others hand theirs on."""
    value = 0.0 if getattr(layer, "mask_zero", False) else getattr(layer, "mask_value", None)
    if value is not None:
        return frozenset([(read[0], float(value))])
    return frozenset().union(*(masks.get(id(item), frozenset()) for item in (x if isinstance(x, list) else [x])))


def read_input(row: Config, name: str) -> Tensor:
    options = row.get("config")
    options = options if isinstance(options, dict) else {}
    if options.get("sparse") or options.get("ragged"):
        raise ValueError(f"its input {name} is sparse or ragged, which the engine does not have")
    return Input(
        read_shape(options.get("batch_shape") or options.get("batch_input_shape")), name=name.replace("/", "_")
    )


def _nodes(row: Config, name: str) -> list[Any]:
    nodes = row.get("inbound_nodes")
    if not isinstance(nodes, list):
        raise ValueError(f"layer {name} has no list of inbound_nodes")
    return nodes


def _places(value: Any) -> Iterator[History]:
    """The names of all tensors in a call's arguments."""
    if (place := _place(value)) is not None:
        yield place
    elif isinstance(value, list):
        for item in value:
            yield from _places(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _places(item)


def _place(value: Any) -> History | None:
    """The name of a tensor: Keras 3's object, or Keras 2's list, perhaps with more arguments in a dict at its end."""
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        options = value.get("config")
        value = options.get("keras_history") if isinstance(options, dict) else None
    if isinstance(value, list) and len(value) in (3, 4) and [type(item) for item in value[:3]] == [str, int, int]:
        return value[0], value[1], value[2]
    return None


def _arguments(
    layer: Layer, name: str, node: Any, made: Mapping[History, Any], masks: Mapping[int, frozenset[Any]]
) -> tuple[Any, Any]:
    """A call's input, and its initial states or None. ValueError for arguments that the engine's layers do not take."""
    if isinstance(node, dict):  # Keras 3
        args, kwargs = _filled(node.get("args"), made), _filled(node.get("kwargs"), made)
    else:  # Keras 2: a list of inputs; those of a recurrent layer after the first one are its initial states
        items = node if isinstance(node, list) else []
        kwargs = {}
        for item in items:
            kwargs |= _filled(item[3], made) if isinstance(item, list) and len(item) == 4 else {}
        tensors = [made[place] for item in items if (place := _place(item)) is not None]
        args = [tensors] if layer.many_inputs else [tensors[0], tensors[1:] or None] if tensors else []
    if not isinstance(args, list) or not isinstance(kwargs, dict) or not 1 <= len(args) + ("inputs" in kwargs) <= 2:
        raise ValueError(f"layer {name} is called with {str(node)[:80]}, no call of one of the engine's layers")
    x, *rest = args
    states = kwargs.pop("initial_state", None) or (rest[0] if rest else None)
    given = kwargs.pop("mask", None)
    wanted = [item for item in (given if isinstance(given, list) else [given]) if item is not None]
    own = frozenset().union(*(masks.get(id(item), frozenset()) for item in (x if isinstance(x, list) else [x])))
    if any(not isinstance(item, Mask) for item in wanted) or (
        wanted and frozenset().union(*(item.sources for item in wanted)) != own
    ):
        raise ValueError(
            f"layer {name} is called with a mask that is not its input's own, which a graph here does not have"
        )
    if any(isinstance(item, Mask) for item in [*(x if isinstance(x, list) else [x]), states]):
        raise ValueError(
            f"layer {name} reads the result of an operation, and operations on tensors are not in the engine"
        )
    usual: dict[str, tuple[Any, ...]] = {"training": (None, False)}
    for key, value in kwargs.items():
        if value not in usual.get(key, (None,)):
            raise ValueError(f"layer {name} is called with {key}={value!r}, which a graph here does not have")
    return x, states


def _filled(value: Any, made: Mapping[History, Tensor]) -> Any:
    """Arguments with the Tensors in their places."""
    if (place := _place(value)) is not None:
        return made[place]
    if isinstance(value, list):
        return [_filled(item, made) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, made) for key, item in value.items()}
    return value


def _ends(value: Any, made: Mapping[History, Tensor]) -> Any:
    """The inputs or outputs: one name, a list or a dict of them."""
    filled = _filled(value, made) if all(place in made for place in _places(value)) else None
    items = list(filled.values()) if isinstance(filled, dict) else filled if isinstance(filled, list) else [filled]
    if not items or not all(isinstance(item, Tensor) for item in items):
        raise ValueError(f"its inputs or outputs are {str(value)[:80]}, no tensors of its layers")
    return filled if isinstance(filled, dict) else items
