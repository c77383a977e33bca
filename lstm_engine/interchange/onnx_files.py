"""ONNX: the weights of its LSTM, GRU and RNN nodes, and whole models as `.onnx` files that any runtime opens.

Gates are in ONNX's order, i o f c and z r h; the leading axis counts directions. A graph computes in float32, whatever the
model's dtype: onnxruntime has these nodes in float32 only.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import finite
from ..activations import LEAK, SELU_ALPHA, SELU_SCALE, Array
from ..embedding import Embedding
from ..feedforward import Activation, Dense, Dropout, Masking
from ..files import write_atomically
from ..graph import Edge, Node
from ..layer import Layer
from ..lists import listed
from ..network import Network
from ..normalization import LayerNormalization
from ..recurrent import Recurrent
from ..reshaping import Flatten, Permute, RepeatVector, Reshape, Reshaping
from ..wrappers import Bidirectional, TimeDistributed
from .common import assign, check, inside, optional, outside, require_alike, require_built

OPSET, IR_VERSION = 17, 8  # of 2022: supported by every runtime in use, and they have every node used here
NODES = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "RNN"}
TO_ONNX = {"lstm": (0, 3, 1, 2), "gru": (0, 1, 2), "simple_rnn": (0,)}  # i f g o to i o f c; z r ĥ have the same order
ACTIVATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "elu": ("Elu", {"alpha": 1.0}), "exponential": ("Exp", {}), "leaky_relu": ("LeakyRelu", {"alpha": LEAK}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "hard_sigmoid_keras2": ("HardSigmoid", {"alpha": 0.2, "beta": 0.5}), "linear": ("Affine", {"alpha": 1.0, "beta": 0.0}),
    "relu": ("Relu", {}), "relu6": ("Clip", {}), "selu": ("Selu", {"alpha": SELU_ALPHA, "gamma": SELU_SCALE}),
    "sigmoid": ("Sigmoid", {}), "softmax": ("Softmax", {"axis": -1}), "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}), "tanh": ("Tanh", {}),
}  # fmt: skip
MERGES = {"Add": "Sum", "Average": "Mean", "Maximum": "Max", "Minimum": "Min", "Multiply": "Mul", "Subtract": "Sub"}
NOT_IN_CELLS = ("Clip", "Exp", "Selu", "Softmax")  # ONNX's recurrent nodes do not have these activations


def to_onnx_tensors(layer: Layer) -> dict[str, Array]:
    """W (directions, gates H, D), R (directions, gates H, H) and B (directions, 2 gates H), first Wb, then Rb, of a node.

    For an LSTM, GRU, SimpleRNN or a Bidirectional one, whose halves must be alike. B is left out with use_bias=False; a cell
    with one bias has it in Wb, and zeros in Rb.
    """
    require_built(layer)
    require_alike(layer)
    halves = layer.parts.values()
    if not all(isinstance(half, Recurrent) for half in halves):
        raise TypeError(
            f"ONNX tensors are those of an LSTM, GRU, SimpleRNN or Bidirectional, got {type(layer).__name__}"
        )
    ways = [outside(half, TO_ONNX[half.cell]) for half in halves]
    tensors = {"W": np.stack([way["weight_ih"] for way in ways]), "R": np.stack([way["weight_hh"] for way in ways])}
    if "bias_ih" in ways[0]:
        tensors["B"] = np.stack([np.concatenate([way["bias_ih"], way["bias_hh"]]) for way in ways])
    return tensors


def from_onnx_tensors(layer: Layer, W: ArrayLike, R: ArrayLike, B: ArrayLike | None = None) -> None:
    """Reads a node's tensors into the layer; without B its biases are zero, as in ONNX. ValueError if they do not fit."""
    expected = to_onnx_tensors(layer)
    tensors = {"W": np.asarray(W), "R": np.asarray(R)}
    if B is not None or "B" in expected:
        tensors["B"] = np.zeros_like(expected["B"]) if B is None else np.asarray(B)
    source = f"the node for {layer.name or type(layer).__name__}"
    check(expected, tensors, source)
    weights: dict[str, Array] = {}
    for n, (prefix, half) in enumerate(layer.parts.items()):
        arrays = {"weight_ih": tensors["W"][n], "weight_hh": tensors["R"][n]}
        if half.use_bias:
            arrays["bias_ih"], arrays["bias_hh"] = np.split(tensors["B"][n], 2)
        weights |= {prefix + name: w for name, w in inside(half, TO_ONNX[half.cell], arrays).items()}
    assign(layer.weights, weights, source)


# -- whole models ----------------------------------------------------------------------------------------------------


@dataclass
class _Graph:
    """The nodes and constants of a graph under construction."""

    onnx: Any
    scope: str = "input"
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def add(self, kind: str, *inputs: Any, outputs: tuple[str, ...] = (), **attributes: Any) -> str:
        """Adds a node, with constants for inputs that are no names; returns the name of its first output."""
        name = f"{self.scope}/{kind}_{len(self.nodes)}"
        names = []
        for n, value in enumerate(inputs):
            names.append(value if isinstance(value, str) else f"{name}/{n}")
            if not isinstance(value, str):
                array = np.array(value, np.float32 if np.asarray(value).dtype.kind == "f" else np.int64, order="C")
                self.constants.append(self.onnx.numpy_helper.from_array(array, names[-1]))
        outputs = tuple(f"{name}/{output}" for output in outputs) or (name,)
        self.nodes.append(self.onnx.helper.make_node(kind, names, outputs, name=name, **attributes))
        return outputs[0]


def export_onnx(model: Network, path: str | Path, lengths: bool = False, *, allow_nan: bool = False) -> None:
    """Writes the computation of `model.predict` as an ONNX graph of float32, for any N and T.

    A model of one input and one output has "x" (N, T, D) and "y"; others have the inputs' and outputs' own names, an output
    that an input is named like too: "y_out". What an
    Embedding reads is (N, T) of int64. A Flatten, Reshape or Permute fixes T.
    lengths=True adds an input "lengths" (N,) of int32, the number of existing steps of each sequence: the others are masked,
    also for Masking and an Embedding with mask_zero. ValueError names a layer for which ONNX has no node, and weights that
    are not finite in float32, unless allow_nan.
    """
    require_built(model)
    finite.require({name: finite.cast(w, np.float32) for name, w in model.weights.items()}, allow_nan=allow_nan)
    onnx = optional("onnx")
    kinds = onnx.TensorProto
    graph, nodes = _Graph(onnx), model.graph.nodes
    shapes = model.graph.shapes([item.shape[1:] for item in model.inputs])
    sources = ["x"] if len(model.graph.inputs) == 1 else model.graph.inputs
    results = ["y"] if len(model.graph.outputs) == 1 else model.output_names
    results = [f"{name}_out" if name in sources else name for name in results]
    names = {Edge(name): source for name, source in zip(model.graph.inputs, sources, strict=True)}
    lives: dict[Edge, str] = {}  # the name of the mask of existing steps, where there is one

    def declare(name: str, kind: int, *dims: Any) -> Any:
        return onnx.helper.make_tensor_value_info(name, kind, dims)

    ids = {edge for node in nodes for edge in node.inputs if _reads_ids(node.layer)}
    steps_free = not any(_fixes_steps(node.layer) for node in nodes)
    inputs = []
    for edge, name in names.items():
        has_steps = len(shapes[edge]) > 1 or edge in ids
        sizes = _sizes(shapes[edge], has_steps and steps_free, "T" if name == "x" else f"T_{name}")
        inputs.append(declare(name, kinds.INT64 if edge in ids else kinds.FLOAT, "N", *sizes))
    if lengths:
        if len(names) > 1:
            raise ValueError(f"lengths=True is for a model with one input, this one has {', '.join(sources)}")
        inputs.append(declare("lengths", kinds.INT32, "N"))
        lives[Edge(model.graph.inputs[0])] = _live(graph)
    for node in nodes:
        graph.scope = node.name
        live = lives.get(node.inputs[0], "")
        outputs = _node(graph, node, [names[edge] for edge in node.inputs + node.states], live, shapes)
        names |= dict(zip(node.outputs, outputs, strict=True))
        if live and not isinstance(node.layer, Reshaping) and getattr(node.layer, "return_sequences", True):
            lives[node.outputs[0]] = live  # as the layers' output_mask
    reshaped = any(isinstance(node.layer, Reshaping) for node in nodes)
    for edge, name in zip(model.graph.outputs, results, strict=True):
        graph.nodes.append(onnx.helper.make_node("Identity", [names[edge]], [name]))
    out = [
        declare(name, kinds.FLOAT, "N", *_sizes(shapes[edge], not reshaped and len(shapes[edge]) > 1, f"T_{name}"))
        for edge, name in zip(model.graph.outputs, results, strict=True)
    ]
    body = onnx.helper.make_graph(graph.nodes, "lstm-engine", inputs, out, graph.constants)
    opset = [onnx.helper.make_opsetid("", OPSET)]
    whole = onnx.helper.make_model(body, opset_imports=opset, ir_version=IR_VERSION, producer_name="lstm-engine")
    onnx.checker.check_model(whole, full_check=True)
    write_atomically(Path(path), whole.SerializeToString(deterministic=True))


def _live(graph: _Graph) -> str:
    """Adds the mask (N, T, 1) of the steps that `lengths` says exist."""
    T = graph.add("Gather", graph.add("Shape", "x"), 1)
    steps = graph.add("Unsqueeze", graph.add("Range", 0, T, 1), [1])  # (T, 1)
    ends = graph.add("Unsqueeze", graph.add("Cast", "lengths", to=graph.onnx.TensorProto.INT64), [1, 2])  # (N, 1, 1)
    return graph.add("Less", steps, ends)


def _reads_ids(layer: Layer) -> bool:
    return any(isinstance(part, Embedding) for part in layer.parts.values())


def _node(graph: _Graph, node: Node, inputs: list[str], live: str, shapes: dict[Edge, Any]) -> list[str]:
    """Adds what a node computes and returns the names of its outputs. inputs: of x, then of the initial states."""
    layer, n = node.layer, len(node.inputs)
    if layer.many_inputs:
        return [_merge(graph, layer, inputs, [shapes[edge] for edge in node.inputs])]
    x, initial = inputs[0], inputs[n:]
    if isinstance(layer, Recurrent):
        y, last = _recurrent(graph, layer, x, "" if initial else live, initial=initial)
        return listed(layer.outputs(y, last))
    if isinstance(layer, Bidirectional):
        y, last = _two_ways(graph, layer, x, "" if initial else live, initial)
        return listed(layer.outputs(y, last))
    return [_layer(graph, layer, x, live)]


def _merge(graph: _Graph, layer: Layer, inputs: list[str], shapes: list[Any]) -> str:
    kind = type(layer).__name__
    if kind == "Concatenate":
        return graph.add("Concat", *inputs, axis=layer.axis)  # type: ignore[attr-defined]
    if kind == "Dot":
        return _dot(graph, layer, inputs, shapes)
    if kind not in MERGES:
        raise ValueError(f"{layer.name}: ONNX has no node for a {kind}")
    rank = max(map(len, shapes))
    aligned = [
        graph.add("Unsqueeze", x, list(range(1, 1 + rank - len(shape)))) if len(shape) < rank else x
        for x, shape in zip(inputs, shapes, strict=True)
    ]
    if MERGES[kind] in ("Mul", "Sub"):  # of two arrays each
        return functools.reduce(lambda a, b: graph.add(MERGES[kind], a, b), aligned)
    return graph.add(MERGES[kind], *aligned)


def _dot(graph: _Graph, layer: Any, inputs: list[str], shapes: list[Any]) -> str:
    """The sum over one axis of each, as an Einsum: "nak,nkb->nab"."""
    at = layer.places(shapes)
    letters = iter("abcdefgh")
    terms = [[next(letters) for _ in shape] for shape in shapes]
    for term, k in zip(terms, at, strict=True):
        term[k - 1] = "k"
    rest = "".join(letter for term in terms for letter in term if letter != "k")
    y = graph.add("Einsum", *inputs, equation=f"n{''.join(terms[0])},n{''.join(terms[1])}->n{rest}")
    return y if rest else graph.add("Unsqueeze", y, [1])


def _two_ways(graph: _Graph, layer: Bidirectional, x: str, live: str, initial: list[str]) -> tuple[Any, list[str]]:
    n = len(layer.forward_half.state_names)
    y, last = _recurrent(graph, layer.forward_half, x, live, initial=initial[:n])
    y_r, last_r = _recurrent(graph, layer.backward_half, x, live, turn=layer.return_sequences, initial=initial[n:])
    match layer.merge_mode:
        case "concat":
            merged: Any = graph.add("Concat", y, y_r, axis=-1)
        case "mul":
            merged = graph.add("Mul", y, y_r)
        case None:
            merged = [y, y_r]
        case mode:
            merged = graph.add("Add", y, y_r)
            merged = graph.add("Mul", merged, 0.5) if mode == "ave" else merged
    return merged, last + last_r


def _sizes(shape: tuple[Any, ...], steps_free: bool, steps: str) -> list[Any]:
    """The axes of x or y without the batch: a name for steps that may be any number, other sizes as they are."""
    first = steps if steps_free or shape[0] is None else shape[0]
    return [first, *shape[1:]]


def _fixes_steps(layer: Layer) -> bool:
    """Whether the layer makes features of steps, so that their number is that of `build`."""
    if isinstance(layer, LayerNormalization):
        return 1 in layer.axes(len(layer.input_shape or ()) + 1) and len(layer.input_shape or ()) > 1
    return isinstance(layer, Flatten | Reshape | Permute)


def _layer(graph: _Graph, layer: Layer, x: str, live: str, batch_axes: int = 1) -> str:
    """Adds the layer's nodes and returns the name of its output. batch_axes: the axes of x before those of a sample."""
    match layer:
        case TimeDistributed(layer=Recurrent()):
            raise ValueError(f"{layer.name}: ONNX's recurrent nodes read sequences, and not sequences of sequences")
        case TimeDistributed():
            return _layer(graph, layer.layer, x, live, batch_axes + 1)  # the steps are one more axis of samples
        case Dense():
            y = graph.add("MatMul", x, layer.weights["kernel"])
            y = graph.add("Add", y, layer.weights["bias"]) if layer.use_bias else y
            return _activation(graph, layer.activation, y)
        case Activation():
            return _activation(graph, layer.activation, x)
        case Embedding() if live or not layer.mask_zero:
            ids = graph.add("Cast", x, to=graph.onnx.TensorProto.INT64)
            return graph.add("Gather", layer.weights["embeddings"], ids)
        case LayerNormalization():
            return _layer_normalization(graph, layer, x)
        case Flatten():
            return graph.add("Reshape", x, [0] * batch_axes + [-1])  # 0 is the size that x has there
        case Reshape():
            return graph.add("Reshape", x, [0] * batch_axes + list(layer.target_shape))
        case Permute():
            order = [batch_axes - 1 + axis for axis in layer.dims]
            return graph.add("Transpose", x, perm=[*range(batch_axes), *order])
        case RepeatVector():
            one = graph.add("Unsqueeze", x, [batch_axes])
            return graph.add("Expand", one, [1] * batch_axes + [layer.n, 1])
        case Dropout():
            return x
        case Masking() if live:
            return graph.add("Where", live, x, 0.0)
        case Masking() | Embedding():
            raise ValueError(
                f"{layer.name}: a graph has no masks; if the masked steps come last, export with lengths=True"
            )
    raise ValueError(f"{layer.name}: ONNX has no node for a {type(layer).__name__}")


def _activation(graph: _Graph, name: str, x: str) -> str:
    kind, options = ACTIVATIONS[name]
    bounds = (0.0, 6.0) if kind == "Clip" else ()
    return x if name == "linear" else graph.add(kind, x, *bounds, **options)


def _layer_normalization(graph: _Graph, layer: LayerNormalization, x: str) -> str:
    ndim = len(layer.input_shape or ()) + 1
    axes = layer.axes(ndim)
    if axes != tuple(range(axes[0], ndim)):
        raise ValueError(
            f"{layer.name}: ONNX's LayerNormalization takes means over the last axes, not axis {layer.axis}"
        )
    sizes = layer.sizes(layer.input_shape or ())
    gamma, beta = layer.weights.get("gamma", np.ones(sizes)), layer.weights.get("beta", np.zeros(sizes))
    return graph.add("LayerNormalization", x, gamma, beta, axis=axes[0] - ndim, epsilon=layer.epsilon)


def _recurrent(
    graph: _Graph, layer: Recurrent, x: str, live: str, turn: bool = False, initial: Sequence[str] = ()
) -> tuple[str, list[str]]:
    """y (N, T, H) or (N, H) from x (N, T, D), and the last states; turn reverses y's steps once more."""
    node = NODES[layer.cell]
    if layer.stateful:
        raise ValueError(f"{layer.name} is stateful: an ONNX graph keeps nothing from one batch to the next")
    names = [name for name in (layer.recurrent_activation, layer.activation) if name]
    if refused := [name for name in names if ACTIVATIONS[name][0] in NOT_IN_CELLS]:
        raise ValueError(f"{layer.name}: ONNX's {node} has no activation {refused[0]!r}")
    functions = [ACTIVATIONS[name] for name in names + names[1:] * (node == "LSTM")]  # an LSTM's: gates, g and c
    options: dict[str, Any] = {"activations": [kind for kind, _ in functions], "hidden_size": layer.units}
    for name in ("alpha", "beta"):
        if values := [parameters[name] for _, parameters in functions if name in parameters]:
            options[f"activation_{name}"] = values
    if node == "GRU":
        options["linear_before_reset"] = int(len(layer.bias_shape()) == 2)
    options["direction"] = "reverse" if layer.go_backwards else "forward"
    w = to_onnx_tensors(layer)
    inputs = graph.add("Transpose", x, perm=[1, 0, 2]), w["W"], w["R"], w.get("B", ""), "lengths" if live else ""
    first = [graph.add("Unsqueeze", state, [0]) for state in initial]  # (1, N, H) each
    ends = ("Y", "Y_h", "Y_c")[: 1 + len(layer.state_names)]
    y = graph.add(node, *inputs, *first, outputs=ends, **options)  # (T, 1, N, H) in time's order, 0 after the end
    last = f"{y}_h"  # (1, N, H)
    states = [graph.add("Squeeze", y[:-1] + end, [0]) for end in ends[1:]] if layer.return_state else []
    if not layer.return_sequences:
        h = graph.add("Squeeze", last, [0])  # (N, H)
        if live and layer.zero_output_for_mask:  # then it is 0 where the last step that ran is masked
            h = graph.add("Where", graph.add("Gather", live, 0 if layer.go_backwards else -1, axis=1), h, 0.0)
        return h, states
    h = graph.add("Transpose", graph.add("Squeeze", y, [1]), perm=[1, 0, 2])  # (N, T, H)
    if live and not (layer.zero_output_for_mask or layer.go_backwards):
        h = graph.add("Where", live, h, graph.add("Transpose", last, perm=[1, 0, 2]))  # h of the step before
    turned = layer.go_backwards != turn
    return graph.add("Slice", h, [-1], [np.iinfo(np.int64).min], [1], [-1]) if turned else h, states
