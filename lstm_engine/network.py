"""Network: layers with their weights, and one training step.

    step    forward_pass   x through the graph to the predictions p, and with y to the loss
            backward_pass  from the loss back through the graph, to the gradient of every weight
            optimizer      moves the weights

`Model` in `model.py` puts Keras's verbs on top. The trace, the files and the gradient check use the methods here. Only
`graph.py` knows how layers are connected; what a pass leaves is kept by its nodes' names. Both passes take complex128 too,
so that a complex step can go through the whole network.

x, y, p, mask and sample_weight are lists where the network has several inputs or outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from . import diverging, losses, optimizers, small_step
from .activations import Array
from .assembly import NOT_BUILT, Assembly
from .checks import existing, finite_where_masked
from .compiling import Target, targets
from .copies import copied
from .graph import BackwardPass, Edge, Masked, States
from .keras_names import takes_keras_arguments
from .lists import unlisted
from .metrics import Metric
from .samples import Data
from .undone import check_targets


class Batch(NamedTuple):
    """The data of one loss: x (N, T, D), y (None to predict), the mask (N, T) of existing steps, and the samples' weights."""

    x: Any
    y: Any
    mask: Any = None
    sample_weight: Any = None


class Head(NamedTuple):
    """One output in a forward pass."""

    loss: Any  # a number: the weighted mean of the loss's values
    p: Array  # the predictions
    y: Array  # the targets, in p's shape
    weights: Array | None  # the factors of the values before their mean; None is 1
    mask: Array | None  # which steps of p exist


class ForwardPass(NamedTuple):
    """The loss, with the penalties on the weights, and everything that the backward pass reads."""

    loss: Any
    heads: list[Head]  # one an output
    tapes: dict[str, Any]  # by the node's name

    @property
    def p(self) -> Any:
        return unlisted([head.p for head in self.heads])

    @property
    def mask(self) -> Any:
        return unlisted([head.mask for head in self.heads])


class Outcome(NamedTuple):
    """A training step's loss and heads, all from before the weights moved."""

    loss: float
    heads: list[Head]

    @property
    def p(self) -> Any:
        return unlisted([head.p for head in self.heads])


class Network(Assembly):
    """Layers put together, with a loss and an optimizer."""

    def __init__(self, *, name: str | None, seed: int | None, dtype: str, backend: str) -> None:
        super().__init__(name=name, seed=seed, dtype=dtype, backend=backend)
        self.optimizer: optimizers.Optimizer | None = None
        self.targets: list[Target] = []  # one an output
        self.epochs_done = 0  # with the seed it gives the order of the next epoch
        self.stop_training = False  # a callback sets it to end the training
        self.initial_epoch = 0  # the number of the first epoch of a fit

    # -- one training step -------------------------------------------------------------------------------------------

    def step(self, batch: Batch, careful: bool = False) -> Outcome:
        """A training step: loss, gradients, the optimizer's move. careful: Diverged before the move if one is not finite."""
        optimizer, _ = self.compiled
        if small_step.trains(self, batch):
            loss, heads, gradients = small_step.gradients(self, batch)
        else:
            loss, heads, _ = forward_pass = self.forward_pass(batch, training=True)
            gradients = self.backward_pass(forward_pass, want_dx=False).weights
        trained = self.trainable_weights
        moved = {k: gradients[k] for k in trained}
        if careful:
            diverging.check_step(self, batch, loss, heads, moved)
        optimizer.apply(trained, moved, "numba" if "numba" in self.backends() else "numpy")
        return Outcome(float(loss), heads)

    def forward_pass(self, batch: Batch, training: bool, initial_states: States | None = None) -> ForwardPass:
        """From x to the loss."""
        p, mask, tapes = self.forward(batch.x, training, batch.mask, initial_states)
        heads = self.heads(p, mask, batch.y, batch.sample_weight)
        return ForwardPass(self.total_loss(heads), heads, tapes)

    def backward_pass(self, forward_pass: ForwardPass, want_dx: bool = True) -> BackwardPass:
        """From the loss to all gradients; want_dx=False leaves out that of x, which training does not use."""
        dp = []
        for target, head in zip(self.targets, forward_pass.heads, strict=True):
            gradient = target.loss.gradient(head.y, head.p)
            if head.weights is not None:
                gradient = gradient * head.weights[..., None]
            if target.weight != 1:
                gradient = gradient * target.weight
            dp.append(gradient.astype(head.p.dtype, copy=False))
        gradients = self.backward(forward_pass.tapes, unlisted(dp), want_dx)
        for name, penalty in self.penalties().items():
            gradients.weights[name] = gradients.weights[name] + penalty.gradient(self.weights[name])
        return gradients

    def forward(
        self, x: Any, training: bool = False, mask: Any = None, initial_states: States | None = None, taped: bool = True,
        given: Mapping[Edge, Masked] | None = None, kept: dict[Edge, Masked] | None = None,
    ) -> tuple[Any, Any, dict[str, Any]]:  # fmt: skip
        """The predictions, their mask where their steps have one, and the tapes by the nodes' names; see `Graph.forward`."""
        if not self.built:
            raise ValueError(NOT_BUILT)
        xs = x if len(self.graph.inputs) > 1 else [x]
        masks = [None] * len(xs) if mask is None else mask if len(xs) > 1 else [mask]
        pairs = [(finite_where_masked(x_, mask_), mask_) for x_, mask_ in zip(xs, masks, strict=True)]
        passed, tapes = self.graph.forward(pairs, training, initial_states, taped, given, kept)
        p, mask = zip(*passed, strict=True)
        return unlisted(p), unlisted(mask), tapes

    def backward(self, tapes: dict[str, Any], dp: Any, want_dx: bool = True) -> BackwardPass:
        """All gradients, from the gradient dp of the predictions. A weight that p does not depend on has the gradient 0."""
        found = self.graph.backward(tapes, dp if len(self.graph.outputs) > 1 else [dp], want_dx)
        weights = {k: found.weights[k] if k in found.weights else np.zeros_like(w) for k, w in self.weights.items()}
        return BackwardPass(found.inputs, found.outputs, found.states, weights)

    def heads(self, p: Any, mask: Any, y: Any, sample_weight: Any) -> list[Head]:
        """The outputs, each with its targets and its loss."""
        n, heads = len(self.compiled[1]), []
        ys, ps, masks = (y, p, mask) if n > 1 else ([y], [p], [mask])
        samples_weights = sample_weight if isinstance(sample_weight, list) else [sample_weight] * n
        for target, p_, mask_, y_, w in zip(self.targets, ps, masks, ys, samples_weights, strict=True):
            y_ = existing(y_, mask_)  # a masked y may be NaN, or no class
            fitted = losses.fit_targets(target.loss, y_, p_.shape)
            weights = losses.weights(p_.shape[:-1], mask_, w)
            values = target.loss.values(fitted, p_)
            mean = losses.mean(values if weights is None else values * weights)
            heads.append(Head(mean, p_, fitted, weights, mask_))
        return heads

    def total_loss(self, heads: Sequence[Head]) -> Any:
        """The weighted sum of the outputs' losses, and the penalties on the weights."""
        total = sum(target.weight * head.loss for target, head in zip(self.targets, heads, strict=True))
        return total + sum(penalty.value(self.weights[name]) for name, penalty in self.penalties().items())

    def penalties(self) -> dict[str, Any]:
        """The penalties by the names of the weights that have one."""
        layers = [layer for layer in self.layers if layer.trainable]
        return {f"{layer.name}/{k}": p for layer in layers for k, p in layer.weight_penalties().items()}

    # -- what it is trained towards ------------------------------------------------------------------------------------

    @takes_keras_arguments
    def compile(
        self, optimizer: str | optimizers.Optimizer = "rmsprop", loss: Any = None, loss_weights: Any = None,
        metrics: Any = None,
    ) -> None:  # fmt: skip
        """Chooses an optimizer ("adam", Adam(1e-3), ...), a loss by name, and metrics ("accuracy", AUC(), ...).

        With several outputs loss, loss_weights and metrics are lists of one item an output, or dicts by the outputs' names.
        """
        chosen = optimizers.get(optimizer), targets(self.output_names or ["output"], loss, loss_weights, metrics)
        self.optimizer, self.targets = chosen

    @property
    def compiled(self) -> tuple[optimizers.Optimizer, list[Target]]:
        """The optimizer, and what each output is trained towards. ValueError before `compile`."""
        if self.optimizer is None or not self.targets:
            raise ValueError(
                'compile the model first: model.compile("adam", "binary_crossentropy", metrics=["accuracy"])'
            )
        return self.optimizer, self.targets

    @property
    def loss(self) -> Any:
        """The loss, or a list of those of several outputs; None before `compile`."""
        return unlisted([target.loss for target in self.targets]) if self.targets else None

    @property
    def metrics(self) -> list[Metric]:
        return [metric for target in self.targets for metric in target.metrics]

    @property
    def metrics_names(self) -> list[str]:
        """What the numbers that `evaluate` returns are, in Keras's order: metrics of several outputs by their names."""
        names = [metric.name for metric in self.metrics]
        if len(self.targets) == 1:
            return ["loss", *names]
        return ["loss", *(f"{target.name}_loss" for target in self.targets), *sorted(names)]

    def data(self, x: Any, y: Any, mask: Any = None, sample_weight: Any = None) -> Data:
        """x, y and their weights, checked against the network and against each other. ValueError before `compile`."""
        _ = self.compiled
        data = Data(self.samples(x, mask), y, self.dtype, sample_weight, self.output_names)
        check_targets(self, data)
        return data

    def epoch_rng(self) -> np.random.Generator:
        """Draws the order of the next epoch: it follows from the seed and the epoch's number alone."""
        return np.random.default_rng([self._seeds.generate_state(1)[0], self.epochs_done])

    def twin(self, dtype: str = "float64", backend: str = "numpy") -> Self:
        """The same network with its own copies of weights and states, in another dtype or on another backend."""
        if not self.built:
            raise ValueError(NOT_BUILT)
        twin = self.rebuilt(copied(self.layers, dtype, backend), seed=self.seed, dtype=dtype, backend=backend)
        if self.optimizer:
            twin.optimizer = self.optimizer.fresh()
            twin.targets = [target._replace(metrics=[]) for target in self.targets]
        return twin
