"""Random layers without recurrence beside Keras in float64: `python -m experiments.beside_keras.random_layers --kind others`.

Embedding, LayerNormalization, Activation, Flatten, Reshape, Permute and RepeatVector, alone and in a TimeDistributed: their
outputs, masks and gradients.
"""

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import lstm_engine as le
from experiments.beside_keras.jax_by_numpy import call
from experiments.beside_keras.random_layers import FLAGS, NAMES, Array, Spec, error, make, pick
from experiments.beside_keras.twins import exact_tanh
from lstm_engine.gradient_check import unit_scale

# Of a sample: every size is 1 somewhere, and otherwise they differ within a shape.
SHAPES = [(3,), (1,), (4, 3), (1, 5), (6, 1), (2, 3, 4), (3, 1, 2), (4, 6)]
ROWS = (1, 2, 5)
KINDS = ("Embedding", "LayerNormalization", "Activation", "Flatten", "Reshape", "Permute", "RepeatVector")


@dataclass(frozen=True)
class OtherCase:
    """One comparison: the layer, x's shape, whether x has a mask (N, T), and the ids' number where x holds ids."""

    spec: Spec
    shape: tuple[int, ...]
    masked: bool
    ids: int | None
    seed: int


def draw_layer(rng: np.random.Generator, kind: str, shape: tuple[int, ...]) -> Spec:
    """A layer of this kind with random options, for samples of this shape."""
    options: dict[str, Any] = {}
    match kind:
        case "Embedding":
            options = {
                "input_dim": int(rng.integers(1, 9)),
                "output_dim": pick(rng, (1, 2, 5)),
                "mask_zero": pick(rng, FLAGS),
            }
        case "LayerNormalization":
            axes = sorted(
                rng.choice(np.arange(1, len(shape) + 1), rng.integers(1, len(shape) + 1), replace=False).tolist()
            )
            axes = [axis - len(shape) - 1 for axis in axes] if pick(rng, FLAGS) else axes
            options = {"axis": pick(rng, [-1, -1, axes, axes[0]]), "epsilon": pick(rng, (1e-3, 1e-6, 0.1))}
            options |= {"center": pick(rng, FLAGS), "scale": pick(rng, FLAGS)}
        case "Activation":
            options = {"activation": pick(rng, NAMES)}
        case "Reshape":
            size = math.prod(shape)
            first = pick(rng, [n for n in range(1, size + 1) if size % n == 0])
            target = [first, size // first, 1][: pick(rng, (2, 3))] if pick(rng, FLAGS) else [size]
            if pick(rng, FLAGS):
                target[rng.integers(len(target))] = -1
            options = {"target_shape": tuple(int(n) for n in rng.permutation(target))}
        case "Permute":
            options = {"dims": tuple(int(axis) for axis in 1 + rng.permutation(len(shape)))}
        case "RepeatVector":
            options = {"n": int(rng.integers(1, 5))}
    return kind, options


def draw_case(rng: np.random.Generator) -> OtherCase:
    kind = pick(rng, KINDS)
    shape = pick(rng, [shape for shape in SHAPES if kind != "RepeatVector" or len(shape) == 1])
    spec, ids = draw_layer(rng, kind, shape), None
    if kind == "Embedding":
        ids = spec[1]["input_dim"]
    if pick(rng, FLAGS):
        spec, shape = ("TimeDistributed", {"layer": spec}), (pick(rng, (1, 3)), *shape)
    # A mask on ids: Keras's Embedding drops it, and that of the engine keeps it.
    masked = len(shape) > 1 and spec[0] != "Embedding" and pick(rng, FLAGS)
    return OtherCase(spec, (pick(rng, ROWS), *shape), masked, ids, int(rng.integers(2**32)))


def random_cases(number: int, seed: int) -> Iterator[OtherCase]:
    """So many cases, always the same ones for a seed."""
    rng = np.random.default_rng(seed)
    return (draw_case(rng) for _ in range(number))


def keras_call(
    layer: Any, x: Array, mask: Array | None, upstream: Array, ids: bool
) -> tuple[Array, Array | None, list[Array], Array | None]:
    """The output, its mask, the gradients of the weights, and that of x (None of ids)."""
    import jax
    import keras

    backend = keras.src.backend

    def output(weights: Any, x: Any) -> Any:
        with keras.StatelessScope(state_mapping=zip(layer.trainable_variables, weights, strict=True)):
            if mask is not None:
                backend.set_keras_mask(x, jax.numpy.asarray(mask))
            y = layer(x)
            # JAX returns x itself where nothing moves: its mask is then still attached, and no layer of a model sees it.
            return y, None if y is x and not layer.supports_masking else backend.get_keras_mask(y)

    def everything(weights: Any, x: Any, upstream: Any) -> Any:
        if ids:
            out, pull, live = jax.vjp(lambda weights: output(weights, x), weights, has_aux=True)
            return out, live, *pull(upstream), None
        out, pull, live = jax.vjp(output, weights, x, has_aux=True)
        return out, live, *pull(upstream)

    return call(everything, [v.value for v in layer.trainable_variables], x, upstream)


def compare(case: OtherCase) -> list[tuple[str, float | None]]:
    """The relative error of the output and of every gradient, by its kind; None where both are 0.

    A mask that differs, or a gradient that one side alone has, is infinitely wrong.
    """
    import keras

    rng = np.random.default_rng(case.seed)
    x = rng.standard_normal(case.shape) if case.ids is None else rng.integers(0, case.ids, case.shape).astype(float)
    mask = rng.random(case.shape[:2]) < 0.6 if case.masked else None
    ours, theirs = make(le, case.spec), exact_tanh(make(keras.layers, case.spec))
    ours.build(case.shape[1:], "float64", "numpy", rng)
    theirs.build(case.shape)
    theirs.set_weights(list(unit_scale(ours, rng).weights.values()))
    y, _, tape = ours.forward(x, True, mask)
    dy = rng.standard_normal(y.shape)
    dx, _, gradients = ours.backward(tape, dy)
    with warnings.catch_warnings():  # both say that a mask is dropped
        warnings.simplefilter("ignore")
        live = ours.output_mask(x, mask)
        expected, expected_live, dw_, dx_ = keras_call(theirs, x, mask, dy, case.ids is not None)
    kind = case.spec[0] if case.spec[0] != "TimeDistributed" else f"{case.spec[1]['layer'][0]} at every step"
    errors = [(f"{kind}: output", error(y, expected))]
    if dx_ is not None:
        errors.append((f"{kind}: gradient x", error(dx, dx_)))
    errors += [(f"{kind}: gradient {n}", error(g, g_)) for (n, g), g_ in zip(gradients.items(), dw_, strict=True)]
    alike = (live is None) == (expected_live is None) and (live is None or np.array_equal(live, expected_live))
    ids_alike = (dx is None) == (case.ids is not None)
    return [*errors, (f"{kind}: mask", 0.0 if alike and ids_alike else np.inf)]
