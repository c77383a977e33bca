"""Network: layers with their weights, and one training step.

    step    forward_pass   x through the layers to the predictions p, and with y to the loss
            backward_pass  from the loss back through the layers, to the gradient of every weight
            optimizer      moves the weights

`Sequential` in `model.py` puts Keras's verbs on top. The trace, the files and the gradient check use the methods here. Only
this module knows how layers are connected; what a pass leaves is kept by the layers' names. Both passes take complex128 too,
so that a complex step can go through the whole network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from . import losses, optimizers
from .activations import Array
from .backend import BACKENDS
from .checks import Shape
from .embedding import check_ids
from .keras_names import snake
from .layer import LAYERS, Layer, fill
from .metrics import Metric, get_all
from .samples import Data, Samples
from .wrappers import as_config, from_config

DTYPES = ("float32", "float64")
NOT_BUILT = "the model has no weights yet: give input_shape, or call build((T, D))"

States = dict[str, list[Array]]  # by the layer's name: one array (N, units) a state


class Batch(NamedTuple):
    """The data of one loss: x (N, T, D), y, the mask (N, T) of existing steps, and the samples' weights."""

    x: Array
    y: Array
    mask: Array | None = None
    sample_weight: Array | None = None


class ForwardPass(NamedTuple):
    """The loss, and everything that the backward pass reads."""

    loss: Any  # a number: the weighted mean of the loss's values, and the penalties on the weights
    p: Array  # the predictions, the last layer's output
    y: Array  # the targets, in p's shape
    weights: Array | None  # the factors of the values before their mean; None is 1
    mask: Array | None  # which steps of p exist
    tapes: dict[str, Any]  # by the layer's name


class BackwardPass(NamedTuple):
    """The gradients of the loss."""

    x: Any  # or None where it is not wanted
    outputs: dict[str, Array]  # by the layer's name: of its output
    states: States  # of the initial states
    weights: dict[str, Array]  # by name: "lstm/kernel"


class Outcome(NamedTuple):
    """A training step's loss, targets, predictions and their mask, all from before the weights moved."""

    loss: float
    y: Array
    p: Array
    mask: Array | None


class Network:
    """Layers, one on the other. seed, dtype and backend as in `Sequential`."""

    def __init__(self, layers: Sequence[Any], *, seed: int | None, dtype: str, backend: str) -> None:
        if dtype not in DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
        if backend not in BACKENDS:
            raise ValueError(f"backend must be one of {', '.join(BACKENDS)}, got {backend!r}")
        self.dtype, self.backend, self.seed = dtype, backend, seed
        self.layers: list[Layer] = []  # in the order in which they run
        self.input_shape: Shape | None = None
        self.optimizer: optimizers.Optimizer | None = None
        self.loss: losses.Loss | None = None
        self.metrics: list[Metric] = []
        self.metadata: dict[str, Any] = {}
        self.epochs_done = 0  # with the seed it gives the order of the next epoch
        self.stop_training = False  # a callback sets it to end the training
        self._seeds = np.random.SeedSequence(seed)
        for layer in layers:
            self.add(layer)

    # -- one training step -------------------------------------------------------------------------------------------

    def step(self, batch: Batch) -> Outcome:
        """One training step: forward to the loss, backward to the gradients, and the optimizer moves the weights."""
        optimizer, _ = self.compiled
        forward_pass = self.forward_pass(batch, training=True)
        gradients = self.backward_pass(forward_pass, want_dx=False).weights
        optimizer.apply(self.weights, gradients, "numba" if "numba" in self.backends() else "numpy")
        return Outcome(float(forward_pass.loss), forward_pass.y, forward_pass.p, forward_pass.mask)

    def forward_pass(self, batch: Batch, training: bool, initial_states: States | None = None) -> ForwardPass:
        """From x to the loss."""
        _, loss = self.compiled
        p, mask, tapes = self.forward(batch.x, training, batch.mask, initial_states)
        y = losses.fit_targets(loss, batch.y, p.shape)
        weights = losses.weights(p.shape[:-1], mask, batch.sample_weight)
        return ForwardPass(self.total_loss(y, p, weights), p, y, weights, mask, tapes)

    def backward_pass(self, forward_pass: ForwardPass, want_dx: bool = True) -> BackwardPass:
        """From the loss to all gradients; want_dx=False leaves out that of x, which training does not use."""
        _, loss = self.compiled
        dp = loss.gradient(forward_pass.y, forward_pass.p)
        if forward_pass.weights is not None:
            dp = dp * forward_pass.weights[..., None]
        gradients = self.backward(forward_pass.tapes, dp.astype(forward_pass.p.dtype, copy=False), want_dx)
        for name, penalty in self.penalties().items():
            gradients.weights[name] += penalty.gradient(self.weights[name])
        return gradients

    def forward(
        self, x: Array, training: bool = False, mask: Array | None = None, initial_states: States | None = None,
        taped: bool = True, after: str = "",
    ) -> tuple[Array, Array | None, dict[str, Any]]:  # fmt: skip
        """The predictions, their mask where their steps have one, and the tapes by the layers' names; see `walk`."""
        tapes = {}
        for layer, y, y_mask, tape in self.walk(x, training, mask, initial_states, taped, after):
            x, mask = y, y_mask
            if taped:
                tapes[layer.name] = tape
        return x, mask, tapes

    def walk(
        self, x: Array, training: bool = False, mask: Array | None = None, initial_states: States | None = None,
        taped: bool = True, after: str = "",
    ) -> Iterator[tuple[Layer, Array, Array | None, Any]]:  # fmt: skip
        """Runs the layers and yields each with its output, the output's mask and the tape.

        With the name of a layer as `after`, x and mask are that layer's output, and only the layers after it run: this
        assumes that the layers stand in a row. ValueError for a name that no layer has, and before `build`.
        """
        if not self.built:
            raise ValueError(NOT_BUILT)
        names = [layer.name for layer in self.layers]
        if after and after not in names:
            raise ValueError(f"the network has no layer {after!r} to go on after, only {', '.join(names)}")
        start = names.index(after) + 1 if after else 0
        for layer in self.layers[start:]:
            y, _, tape = layer.forward(x, training, mask, (initial_states or {}).get(layer.name), taped)
            x, mask = y, layer.output_mask(x, mask)
            yield layer, x, mask, tape

    def backward(self, tapes: dict[str, Any], dp: Array, want_dx: bool = True) -> BackwardPass:
        """All gradients, from the gradient dp of the predictions."""
        dy = dp
        outputs: dict[str, Array] = {}
        states: States = {}
        by_layer: dict[str, dict[str, Array]] = {}
        for layer in reversed(self.layers):
            outputs[layer.name] = dy
            want = want_dx or layer is not self.layers[0]
            if dy is None:  # the layer above reads ids, which have no gradient
                states[layer.name], by_layer[layer.name] = [], {n: np.zeros_like(w) for n, w in layer.weights.items()}
                continue
            dy, states[layer.name], by_layer[layer.name] = layer.backward(tapes[layer.name], dy, want_dx=want)
        gradients = {f"{layer.name}/{name}": g for layer in self.layers for name, g in by_layer[layer.name].items()}
        return BackwardPass(dy, outputs, states, gradients)

    def total_loss(self, y: Array, p: Array, weights: Array | None) -> Any:
        """The weighted mean of the loss's values, and the penalties on the weights."""
        _, loss = self.compiled
        values = loss.values(y, p)
        mean = values.mean() if weights is None else (values * weights).mean()
        if penalties := self.penalties():
            mean = mean + sum(penalty.value(self.weights[name]) for name, penalty in penalties.items())
        return mean

    def penalties(self) -> dict[str, Any]:
        """The penalties by the names of the weights that have one."""
        return {f"{layer.name}/{k}": p for layer in self.layers for k, p in layer.weight_penalties().items()}

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

    # -- layers and weights ------------------------------------------------------------------------------------------

    def add(self, layer: Layer) -> None:
        """Puts a layer on top. It is built at once when the shape below it is known, else with the first data."""
        if not isinstance(layer, Layer):
            raise TypeError(f"{type(self).__name__} takes layers of lstm_engine ({', '.join(LAYERS)}), got {layer!r}")
        if any(layer is other for other in self.layers):
            raise ValueError(f"layer {layer.name} is in this model already: make a new one for every place")
        if getattr(layer, "return_state", False) or getattr(layer, "merge_mode", "concat") is None:
            raise ValueError(
                f"a {type(self).__name__} hands one array from layer to layer, but {type(layer).__name__} would return "
                "several: leave return_state and merge_mode=None to a layer that you call yourself, layer(x)"
            )
        layer.name = self._free_name(layer)
        self.layers.append(layer)
        if len(self.layers) == 1 and self.input_shape is None:
            self.input_shape = layer.input_shape
        try:
            if self.input_shape is not None:
                self.build(self.input_shape)
        except ValueError:
            self.layers.pop()  # a layer that does not fit leaves the model as it was
            raise

    def _free_name(self, layer: Layer) -> str:
        taken = {other.name for other in self.layers}
        if layer.name:
            if layer.name in taken:
                raise ValueError(f"two layers cannot both be named {layer.name!r}")
            return layer.name
        base, n = snake(type(layer).__name__), 0
        while (name := f"{base}_{n}" if n else base) in taken:
            n += 1
        return name

    def build(self, input_shape: Shape) -> None:
        """Draws the weights of the layers that have none yet, for inputs (samples, *input_shape)."""
        if not self.layers:
            raise ValueError("the model has no layers yet: add some")
        self.input_shape = shape = tuple(input_shape)
        for below, layer in zip([None, *self.layers], self.layers, strict=False):
            if (
                below
                and layer.reads_sequences
                and len(shape) == 1
                and getattr(below, "return_sequences", None) is False
            ):
                raise ValueError(
                    f"{layer.name} reads sequences, but {below.name} below it returns its last step alone: "
                    f"give {below.name} return_sequences=True"
                )
            if layer.built:
                layer.check_fit(shape)
                shape = layer.output_shape(shape)
            else:
                rng = np.random.default_rng(self._seeds.spawn(1)[0])
                shape = layer.build(shape, self.dtype, self.backend, rng)

    @property
    def built(self) -> bool:
        return bool(self.layers) and all(layer.built for layer in self.layers)

    @property
    def weights(self) -> dict[str, Array]:
        """Every weight by name, "lstm/kernel": the arrays themselves."""
        return {f"{layer.name}/{name}": w for layer in self.layers for name, w in layer.weights.items()}

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

    def twin(self, dtype: str = "float64", backend: str = "numpy") -> Self:
        """The same network with its own copies of weights and states, in another dtype or on another backend."""
        if not self.built:
            raise ValueError(NOT_BUILT)
        layers = [from_config(as_config(layer)) for layer in self.layers]
        twin = type(self)(layers, seed=self.seed, dtype=dtype, backend=backend)
        twin.build(self.input_shape or ())
        twin.set_weights(self.get_weights())
        for part, copy in zip(self.parts.values(), twin.parts.values(), strict=True):
            copy.rng.bit_generator.state = part.rng.bit_generator.state
            if getattr(part, "states", None) is not None:
                copy.states = [state.astype(dtype) for state in part.states]
        if self.optimizer and self.loss:
            twin.compile(optimizers.from_config(optimizers.to_config(self.optimizer)), self.loss.name)
        return twin

    # -- training and data -------------------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: str | optimizers.Optimizer = "rmsprop",
        loss: str | None = None,
        *,
        metrics: Sequence[str | Metric] | None = None,
    ) -> None:
        """Chooses an optimizer ("adam", Adam(1e-3), ...), a loss by name, and metrics ("accuracy", AUC(), ...)."""
        if not isinstance(loss, str):
            raise ValueError(f"compile needs a loss by name, got {loss!r}: one of {', '.join(losses.LOSSES)}")
        self.optimizer, self.loss = optimizers.get(optimizer), losses.get(loss)
        self.metrics = get_all(metrics)

    @property
    def compiled(self) -> tuple[optimizers.Optimizer, losses.Loss]:
        """The optimizer and the loss. ValueError before `compile`."""
        if self.optimizer is None or self.loss is None:
            raise ValueError(
                'compile the model first: model.compile("adam", "binary_crossentropy", metrics=["accuracy"])'
            )
        return self.optimizer, self.loss

    def epoch_rng(self) -> np.random.Generator:
        """Draws the order of the next epoch: it follows from the seed and the epoch's number alone."""
        return np.random.default_rng([self._seeds.generate_state(1)[0], self.epochs_done])

    def samples(self, x: Any, mask: ArrayLike | None = None) -> Samples:
        """x and its mask, checked against the network; a network without weights is built for them."""
        samples = Samples(x, self.dtype, mask)
        for layer in self.layers if samples.lengths is not None else ():
            if getattr(layer, "go_backwards", False) and getattr(layer, "return_sequences", False):
                raise ValueError(
                    f"{layer.name} returns sequences in reverse, so that the padding of a list of sequences would come "
                    "first; put it into Bidirectional, or give arrays of one length"
                )
        if not self.built:
            self.build(samples.shape)
        elif self.layers and samples.shape != self.input_shape:
            self._check_shape(samples.shape)
        check_ids(self.layers[0], samples.rows)
        return samples

    def data(self, x: Any, y: Any, mask: Any = None, sample_weight: Any = None) -> Data:
        """x, y and their weights, checked against the network and against each other. ValueError before `compile`."""
        _ = self.compiled
        return Data(self.samples(x, mask), y, self.dtype, sample_weight)

    def _check_shape(self, shape: Shape) -> None:
        """ValueError for samples that the weights do not fit. Another number of steps is no error."""
        self.layers[0].output_shape(shape)  # explains a missing axis
        built_for, given = self.input_shape or (), shape
        try:
            for layer in self.layers:
                layer.check_fit(shape)
                shape = layer.output_shape(shape)
            fault = "" if len(given) == len(built_for) else "of other axes"
        except ValueError as error:
            fault = str(error)
        if fault:
            expected, got = (", ".join(map(str, sizes)) for sizes in (built_for, given))
            raise ValueError(f"the model was built for X of shape (samples, {expected}), got (samples, {got}): {fault}")
