"""Sequential: a model whose layers stand in a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from . import tensors
from .checks import Shape
from .layer import Layer
from .model import Model
from .network import Network
from .undone import undone_if_it_fails


class Sequential(Model):
    """Layers in a row: `Sequential([LSTM(64), Dense(1, activation="sigmoid")], seed=0)`. The arguments are `Model`'s."""

    def __init__(
        self, layers: Sequence[Any] | None = None, trainable: bool = True, name: str | None = None, *,
        seed: int | None = None, dtype: str = "float32", backend: str = "auto",
    ) -> None:  # fmt: skip
        if trainable is not True:
            raise ValueError(f"set model.trainable = False once the layers are there, got trainable={trainable!r}")
        Network.__init__(self, name=name, seed=seed, dtype=dtype, backend=backend)
        self.as_dict = False
        self.first: tensors.Tensor | None = None  # the Input, once its shape is known
        for layer in layers or ():
            self.add(layer)

    @undone_if_it_fails
    def add(self, layer: Any) -> None:
        """Puts a layer on top. It is built at once when the shape below it is known, else with the first data."""
        if isinstance(layer, tensors.InputLayer):
            layer = tensors.source(layer)
        if isinstance(layer, tensors.Tensor):
            if self.layers or not isinstance(layer.call.layer, tensors.InputLayer):
                raise ValueError("Input gives the model's input shape: it goes first")
            self.first, self.input_shape = layer, layer.shape[1:]
            return
        if isinstance(layer, Network):
            raise TypeError(f"add the layers of {layer.name} one by one, or call it on an Input, to make a Model")
        if not isinstance(layer, Layer):
            raise TypeError(f"{type(self).__name__} takes layers of lstm_engine, got {layer!r}")
        if any(layer is other for other in self.layers):
            raise ValueError(f"layer {layer.name} is in this model already: make a new one for every place")
        if getattr(layer, "return_state", False) or getattr(layer, "merge_mode", "concat") is None or layer.many_inputs:
            raise ValueError(
                f"a {type(self).__name__} hands one array from layer to layer, but {type(layer).__name__} "
                f"{'takes several' if layer.many_inputs else 'would return several (return_state, merge_mode=None)'}: call "
                "the layer yourself, on Tensors for a Model, or on arrays"
            )
        shape = self.input_shape or (None if self.layers else layer.input_shape)
        before, name = self.layers, layer.name
        try:
            tensors.name_all([*before, layer])
            self.layers = [*before, layer]
            if shape is not None:
                self.build(shape)
        except (ValueError, TypeError):
            self.layers, layer.name = before, name  # a layer that does not fit leaves the model as it was
            raise

    @undone_if_it_fails
    def build(self, input_shape: Shape) -> None:
        """Draws the weights of the layers that have none yet, for inputs (samples, *input_shape)."""
        if not self.layers:
            raise ValueError("the model has no layers yet: add some")
        shape = tuple(input_shape)
        if self.first is None or self.first.shape[1:] != shape:
            self.first, self.outputs = tensors.Input(shape), []
        row = self.layers
        top = self.outputs[0] if self.outputs else self.first
        for layer in row[len(self.graph.nodes) if self.outputs else 0 :]:
            top = layer(top)
        self.describe([self.first], [top])
        self.layers = row  # without the InputLayer, as in Keras

    def rebuilt(self, layers: Sequence[Layer], **how: Any) -> Self:
        model = type(self)(layers, **how)
        model.build(self.input_shape)
        return model


def made(architecture: dict[str, Any], layers: Sequence[Layer], **how: Any) -> Model:
    """The model of a file: a graph if the file describes one, else a row."""
    if "graph" not in architecture:
        row = Sequential(layers, **how)
        row.build(architecture["input_shape"])
        return row
    graph = tensors.graph_from_config(architecture["graph"], layers)
    sources = {layer.name: tensors.source(layer) for layer in layers if isinstance(layer, tensors.InputLayer)}
    inputs = [sources[name] for name in graph.inputs]
    outputs = tensors.call_again(graph, inputs)
    names = architecture.get("output_names")
    return Model(inputs, dict(zip(names, outputs, strict=True)) if names else outputs, **how)
