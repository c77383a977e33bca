"""One batch through a stack of layers: there, to the loss, and back, to every gradient.

`there` and `back` mirror each other. They are what a training step, `model.gradients`, the trace and the gradient check have
in common, and take complex128 too, so that a complex step can go through the whole of a model.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from . import losses
from .activations import Array
from .layers import Layer

States = dict[str, list[Array]]  # by the layer's name: one array (N, units) a state


class Batch(NamedTuple):
    """What a loss is computed from: x (N, T, D), y, the steps that there are (N, T), and the weights of the samples."""

    x: Array
    y: Array
    mask: Array | None = None
    sample_weight: Array | None = None


class There(NamedTuple):
    """The way there: the loss, and everything that the way back reads."""

    loss: Any  # a number: the weighted mean of the values, and the penalties on the weights
    p: Array  # what the last layer says
    y: Array  # the targets, in p's shape
    weights: Array | None  # what the values are multiplied by before their mean; None is 1
    mask: Array | None  # which steps of p there are
    tapes: list[Any]  # one a layer


class Back(NamedTuple):
    """The gradients of the loss."""

    x: Any  # or None where it is not wanted
    outputs: list[Array]  # one a layer, with respect to what it hands up
    states: States  # with respect to the initial states
    weights: dict[str, Array]  # by name: "lstm/kernel"


def forward(
    layers: Sequence[Layer], x: Array, training: bool, mask: Array | None, initial_states: States | None = None,
    taped: bool = True,
) -> tuple[Array, Array | None, list[Any]]:  # fmt: skip
    """The last layer's output, its mask where its steps have one, and every layer's tape, if there are to be tapes."""
    tapes = []
    for layer in layers:
        y, _, tape = layer.run(x, training, mask, (initial_states or {}).get(layer.name), taped)
        tapes.append(tape)
        x, mask = y, layer.output_mask(x, mask)
    return x, mask, tapes


def there(
    layers: Sequence[Layer], loss: losses.Loss, batch: Batch, training: bool, initial_states: States | None = None
) -> There:
    p, mask, tapes = forward(layers, batch.x, training, batch.mask, initial_states)
    y = losses.fit_targets(loss, batch.y, p.shape)
    w = losses.weights(p.shape[:-1], mask, batch.sample_weight)
    return There(total(layers, loss, y, p, w), p, y, w, mask, tapes)


def back(layers: Sequence[Layer], loss: losses.Loss, way: There, to_x: bool = True) -> Back:
    """All gradients; with to_x=False without that of x, which training has no use for."""
    dp = loss.gradient(way.y, way.p)
    if way.weights is not None:
        dp = dp * way.weights[..., None]
    dy, outputs, states, by_layer = dp.astype(way.p.dtype, copy=False), [], {}, {}
    for layer, tape in zip(reversed(layers), reversed(way.tapes), strict=True):
        outputs.append(dy)
        want_dx = to_x or layer is not layers[0]
        dy, states[layer.name], by_layer[layer.name] = layer.run_backward(tape, dy, None, want_dx)
    gradients = {f"{layer.name}/{name}": g for layer in layers for name, g in by_layer[layer.name].items()}
    for name, penalty in penalties(layers).items():
        gradients[name] += penalty.gradient(weights(layers)[name])
    return Back(dy, outputs[::-1], states, gradients)


def total(layers: Sequence[Layer], loss: losses.Loss, y: Array, p: Array, w: Array | None) -> Any:
    """The weighted mean of the loss, and the penalties on the weights."""
    values = loss.values(y, p)
    mean = values.mean() if w is None else (values * w).mean()
    if given := penalties(layers):
        own = weights(layers)
        mean = mean + sum(penalty.value(own[name]) for name, penalty in given.items())
    return mean


def penalties(layers: Sequence[Layer]) -> dict[str, Any]:
    return {f"{layer.name}/{name}": p for layer in layers for name, p in layer.weight_penalties().items()}


def weights(layers: Sequence[Layer]) -> dict[str, Array]:
    """Every weight by name, "lstm/kernel": the arrays themselves."""
    return {f"{layer.name}/{name}": w for layer in layers for name, w in layer.weights.items()}


@contextmanager
def undisturbed(layers: Sequence[Layer]) -> Iterator[None]:
    """Whatever runs inside, the layers' kept states and their sources of dropout masks are afterwards what they were."""
    parts = [part for layer in layers for part in layer.parts.values()]
    before = [(part.rng.bit_generator.state, getattr(part, "states", None)) for part in parts]
    try:
        yield
    finally:
        for part, (generator, states) in zip(parts, before, strict=True):
            part.rng.bit_generator.state = generator
            if hasattr(part, "states"):
                part.states = states
