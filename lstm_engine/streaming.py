"""A model fed step by step, for sound that is still being recorded. A step takes microseconds."""

import numpy as np
from numpy.typing import ArrayLike

from . import finite
from .activations import Array
from .graph import Edge, Graph


class Stream:
    """The result of `model.stream(batch)`: each `step` takes one step of `batch` sequences and keeps the layers' states.

    After t calls, the output of `step` is what `predict` returns for the t steps so far (for the last of them, where the last
    layer returns sequences). Dropout is off, and the states of a stateful model do not change.
    """

    def __init__(self, graph: Graph, dtype: str, shape: tuple[int, ...], allow_nan: bool = False) -> None:
        if len(graph.inputs) > 1 or len(graph.outputs) > 1:
            raise ValueError("a stream is for a model with one input and one output: see predict")
        if busy := [node.name for node in graph.nodes if node.states or len(node.outputs) > 1]:
            raise ValueError(f"{busy[0]} takes or hands out states, which a stream keeps for itself: see predict")
        self.graph = graph
        self.dtype = dtype
        self.shape = shape
        self.allow_nan = allow_nan
        self.reset()

    def reset(self) -> None:
        """Starts again from states of zero, with a copy of the model's present weights: the model may go on training."""
        weights = {f"{node.layer.name}/{k}": w for node in self.graph.nodes for k, w in node.layer.weights.items()}
        if not self.allow_nan and (broken := finite.broken(weights)):
            raise ValueError(f"{broken} holds NaN or infinity; allow_nan=True streams all the same")
        self.parts = [(node, node.layer.stream(self.shape[0])) for node in self.graph.nodes]

    def step(self, x: ArrayLike) -> Array:
        """The output (batch, units) after one more step x (batch, D), for ids (batch,).

        ValueError or TypeError for another shape or kind, and for NaN or infinity; the states then stay what they were.
        """
        x = np.asarray(x)
        if x.shape != self.shape:
            axes = "(batch, features)" if len(self.shape) > 1 else "(batch,), an id each"
            raise ValueError(f"a step of this stream has shape {self.shape}, {axes}, got {x.shape}")
        if x.dtype.kind not in "biuf":
            raise TypeError(f"a step of this stream is an array of real numbers, got one of {x.dtype}")
        given = x
        # a copy, as the kernels are compiled; a chunk of sound is often read-only
        x = np.array(finite.cast(x, self.dtype), order="C")
        if not self.allow_nan:
            finite.check("x", x, given, advice=". The stream is as before; allow_nan=True lets it through")
        arrays = {Edge(self.graph.inputs[0]): x}
        for node, part in self.parts:
            of = [arrays[edge] for edge in node.inputs]
            arrays[Edge(node.name)] = part(of if node.layer.many_inputs else of[0])  # type: ignore[arg-type]
        return arrays[self.graph.outputs[0]]
