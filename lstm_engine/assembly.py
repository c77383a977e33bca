"""Assembly: layers put together by a graph, with their names, their weights, and the data that fit them.

`Network` in `network.py` adds the training step. What the layers are connected to is in `graph.py`, and how a reader says so
in `tensors.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from . import tensors
from .absent import Answering
from .activations import Array
from .backend import BACKENDS
from .checks import Shape
from .embedding import check_ids
from .graph import Graph
from .keras_names import snake
from .layer import Layer
from .lists import unlisted
from .named_weights import Weights, fill
from .samples import Samples, Several

DTYPES = ("float32", "float64")
NOT_BUILT = "the model has no weights yet: give input_shape, or call build((T, D))"


class Assembly(Answering):
    """Layers, connected by a graph. seed, dtype and backend as in `Model`."""

    keras_class, never_called = "Model", ("call", "train_step", "test_step", "predict_step")

    def __init__(self, *, name: str | None, seed: int | None, dtype: str, backend: str) -> None:
        if dtype not in DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
        if backend not in BACKENDS:
            raise ValueError(f"backend must be one of {', '.join(BACKENDS)}, got {backend!r}")
        self.name = name or snake(type(self).__name__)
        self.dtype, self.backend, self.seed = dtype, backend, seed
        self.layers: list[Layer] = []  # in Keras's order
        self.graph = Graph([], [], [])
        self.inputs: list[tensors.Tensor] = []
        self.outputs: list[tensors.Tensor] = []
        self.output_names: list[str] = []
        self.input_shape: Any = None
        self.metadata: dict[str, Any] = {}
        self._seeds = np.random.SeedSequence(seed)

    # -- layers and weights ------------------------------------------------------------------------------------------

    def describe(self, inputs: Sequence[tensors.Tensor], outputs: Sequence[tensors.Tensor]) -> None:
        """Makes the graph between these Tensors, names its layers, and draws the weights of those that have none yet."""
        for item in [*inputs, *outputs]:
            if not isinstance(item, tensors.Tensor):
                raise TypeError(
                    f"a Model's inputs and outputs are Tensors, made by Input and by layers called on it, got {item!r}"
                )
        sources = {item: tensors.source_of(item) for item in inputs}
        calls, layers = tensors.between(sources, outputs)
        tensors.name_all(layers)
        self.graph = tensors.graph_of(sources, outputs, calls)
        self.inputs, self.outputs = list(inputs), list(outputs)
        self.sources: list[Any] = [item.call.layer for item in sources.values()]
        self.layers = layers
        self.output_names = tensors.output_names(self.graph)
        self.input_shape = unlisted([item.shape[1:] for item in inputs])
        self.draw()

    def draw(self) -> None:
        """Draws the weights of the layers that have none yet."""
        shapes = self.graph.shapes([item.shape[1:] for item in self.inputs])
        first = {id(node.layer): node for node in reversed(self.graph.nodes)}
        if other := [layer for layer in self.layers for w in layer.weights.values() if w.dtype != self.dtype]:
            raise ValueError(
                f"{other[0].name} computes in {next(iter(other[0].weights.values())).dtype}, the model in {self.dtype}: "
                f'give the model dtype="{next(iter(other[0].weights.values())).dtype}"'
            )
        for layer in self.layers:
            if not layer.built:
                of = [shapes[edge] for edge in first[id(layer)].inputs]
                rng = np.random.default_rng(self._seeds.spawn(1)[0])
                layer.build(of if layer.many_inputs else of[0], self.dtype, self.backend, rng)  # type: ignore[arg-type]

    @property
    def input(self) -> Any:
        """The Tensor that data come in at, or a list of those of several inputs."""
        return unlisted(self.inputs)

    @property
    def output(self) -> Any:
        """The Tensor of the predictions, or a list of those of several outputs."""
        return unlisted(self.outputs)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name, or the one at this place. ValueError if there is none."""
        if (name is None) == (index is None):
            raise ValueError(f"get_layer takes a name or an index, got {name=}, {index=}")
        found = [layer for n, layer in enumerate(self.layers) if layer.name == name or n == index]
        if not found:
            raise ValueError(
                f"no layer {index if name is None else repr(name)}; there are {[x.name for x in self.layers]}"
            )
        return found[0]

    @property
    def built(self) -> bool:
        return bool(self.graph.nodes) and all(layer.built for layer in self.layers)

    @property
    def weights(self) -> Weights:
        """Every weight by name, "lstm/kernel": the arrays themselves. Assigning to a name writes into the array."""
        return Weights({f"{layer.name}/{name}": w for layer in self.layers for name, w in layer.weights.items()})

    @property
    def trainable(self) -> bool:
        """Whether training moves every weight. Setting it sets that of every layer, as in Keras."""
        return all(layer.trainable for layer in self.layers)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self.layers:
            layer.trainable = bool(value)

    def count_params(self) -> int:
        return sum(w.size for w in self.weights.values())

    @property
    def trainable_weights(self) -> dict[str, Array]:
        """Those that training moves: the weights of layers that are `trainable`."""
        return {
            f"{layer.name}/{name}": w for layer in self.layers if layer.trainable for name, w in layer.weights.items()
        }

    def get_weights(self) -> list[Array]:
        """Copies of all weights, in Keras's order and layouts."""
        return [w.copy() for w in self.weights.values()]

    def set_weights(self, new: Sequence[ArrayLike]) -> None:
        """Sets all weights, in the order of `get_weights`. ValueError, and nothing changed, when one does not fit."""
        if not self.built:
            raise ValueError(NOT_BUILT)
        fill(self.weights, new)

    @property
    def parts(self) -> dict[str, Any]:
        """The layers that hold the weights, those inside wrappers too: "lstm", "bidirectional/forward_lstm"."""
        return {
            f"{layer.name}/{prefix}".rstrip("/"): part for layer in self.layers for prefix, part in layer.parts.items()
        }

    def backends(self) -> set[str]:
        """What runs the layers: {"numpy"}, {"numba"} or both."""
        return {backend for layer in self.layers for backend in layer.backends()}

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """After the block, the kept states and the random generators of dropout are what they were before it."""
        parts = list(self.parts.values())
        before = [(part.rng.bit_generator.state, getattr(part, "states", None)) for part in parts]
        try:
            yield
        finally:
            for part, (generator, states) in zip(parts, before, strict=True):
                part.rng.bit_generator.state = generator
                if hasattr(part, "states"):
                    part.states = states

    def samples(self, x: Any, mask: Any = None, allow_nan: bool = False) -> Samples | Several:
        """x and its mask, checked against the network; a network without weights is built for them.

        ValueError for NaN and infinity, unless allow_nan or at steps that the mask leaves out.
        """
        x, names = self.in_order(x), self.graph.inputs
        if len(names) > 1:
            if not isinstance(x, list | tuple) or len(x) != len(names):
                raise ValueError(
                    f"x must be a list of {len(names)} arrays, for {', '.join(names)}, or a dict by these names"
                )
            masks = [None] * len(names) if mask is None else mask
            if not isinstance(masks, list | tuple) or len(masks) != len(names):
                raise ValueError(f"mask must be a list, one or None for each of the inputs {', '.join(names)}")
            each = zip(x, masks, names, strict=True)
            several = Several([Samples(x_, self.dtype, m, allow_nan, f"X of {name}") for x_, m, name in each], names)
            self.check_shapes([part.shape for part in several.parts])
            self._check_whole([part.rows for part in several.parts])
            check_ids(self.graph, [part.rows for part in several.parts])
            return several
        samples = Samples(x, self.dtype, mask, allow_nan)
        for layer in self.layers if samples.lengths is not None else ():
            if getattr(layer, "go_backwards", False) and getattr(layer, "return_sequences", False):
                raise ValueError(
                    f"{layer.name} returns sequences in reverse, so that the padding of a list of sequences would come "
                    "first; put it into Bidirectional, or give arrays of one length"
                )
        if not self.built:
            self.build(samples.shape)
        elif samples.shape != self.input_shape:
            self.check_shapes([samples.shape])
        self._check_whole([samples.rows])
        check_ids(self.graph, [samples.rows])
        return samples

    def in_order(self, x: Any) -> Any:
        """What a dict has for the inputs, by their names, as a list of them; x itself if it is none."""
        if not isinstance(x, Mapping):
            return x
        if not self.graph.inputs:
            raise ValueError(
                f"x has {', '.join(map(str, x))}, and the model no named inputs yet: give the array itself, or begin the "
                "model with Input(shape, name=...)"
            )
        if set(x) != set(self.graph.inputs):
            raise ValueError(f"x has {', '.join(map(str, x))}, the model's inputs are {', '.join(self.graph.inputs)}")
        return unlisted([x[name] for name in self.graph.inputs])

    def _check_whole(self, inputs: Sequence[Any]) -> None:
        """ValueError for a fraction in data whose Input has dtype "int32". Keras cuts it off."""
        for layer, rows in zip(self.sources, inputs, strict=True):
            for row in rows if layer.whole else ():
                if (odd := np.asarray(row)[np.asarray(row) % 1 != 0]).size:
                    raise ValueError(
                        f'{layer.name} is an Input of whole numbers (dtype="int32" or "int64"), got {odd.flat[0]}: leave its '
                        "dtype out, or round the data"
                    )

    def build(self, input_shape: Shape) -> None:
        """For a Sequential whose input's shape is not known; a graph has its weights from the beginning."""

    def rebuilt(self, layers: Sequence[Layer], **how: Any) -> Self:
        """The same calls of other layers."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"inputs": [], "outputs": []}  # Tensors lead to whatever else their layers are part of

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.graph.nodes:
            self.inputs = [tensors.source(layer) for layer in self.sources]
            self.outputs = tensors.call_again(self.graph, self.inputs)

    def check_shapes(self, shapes: Sequence[Shape]) -> None:
        """ValueError for samples that the weights do not fit. Another number of steps is no error."""
        for node in self.graph.nodes:
            if node.inputs[0].node in self.graph.inputs and not node.layer.many_inputs:
                node.layer.output_shape(shapes[self.graph.inputs.index(node.inputs[0].node)])  # explains a missing axis
        built_for = list(self.input_shape) if len(shapes) > 1 else [self.input_shape]
        fault = "" if [*map(len, shapes)] == [*map(len, built_for)] else "the number of axes differs"
        try:
            of = self.graph.shapes(shapes)
            for node in self.graph.nodes:
                x = [of[edge] for edge in node.inputs]
                node.layer.check_fit(x if node.layer.many_inputs else x[0])
        except ValueError as error:
            fault = str(error)
        if fault:
            differ = [pair for pair in zip(built_for, shapes, strict=True) if pair[0] != pair[1]]
            expected, got = (f"(samples, {', '.join(map(str, shape))})" for shape in differ[0])
            raise ValueError(f"the model was built for X of shape {expected}, got {got}: {fault}")
