"""Random losses and metrics beside Keras in float64: `python -m experiments.beside_keras.random_losses --examples 1000`.

`random_cases()` draws a loss or a metric with its options, its data, a mask and sample weights; `compare(case)` returns the
error of the loss's values, its mean and its gradient, or of the metric over several batches.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.beside_keras.jax_by_numpy import call
from experiments.beside_keras.random_layers import error, pick, run
from lstm_engine import losses, metrics

Array = np.ndarray
TOLERANCE = 1e-12  # norm-wise and relative: sums of 500 numbers that are rounded to 1e-16

SHAPES = [(1, 1), (5, 1), (4, 3), (6, 2), (1, 4), (3, 5, 1), (2, 4, 3), (4, 1, 2), (8, 7, 5)]
SHARES = (0.0, 0.0, 0.1, 1.0)
LOGITS = {"from_logits": (False, True)}
LOSSES: dict[str, dict[str, Any]] = {
    "MeanSquaredError": {},
    "MeanAbsoluteError": {},
    "Huber": {"delta": (1.0, 0.5, 2.0, 0.3)},
    "BinaryCrossentropy": LOGITS | {"label_smoothing": SHARES},
    "CategoricalCrossentropy": LOGITS | {"label_smoothing": SHARES},
    "SparseCategoricalCrossentropy": LOGITS,
}
METRICS: dict[str, dict[str, Any]] = {
    "MeanSquaredError": {},
    "MeanAbsoluteError": {},
    "RootMeanSquaredError": {},
    "BinaryAccuracy": {"threshold": (0.5, 0.0, 0.25)},
    "CategoricalAccuracy": {},
    "SparseCategoricalAccuracy": {},
}


@dataclass(frozen=True)
class LossCase:
    """One comparison: kind is "losses" or "metrics"."""

    kind: str
    name: str
    options: dict[str, Any]
    shape: tuple[int, ...]  # of the predictions
    mask: bool
    weights: str  # of the samples: "none", "samples", "steps"
    seed: int


def random_cases(number: int, seed: int) -> Iterator[LossCase]:
    """So many cases, always the same ones for a seed."""
    rng = np.random.default_rng(seed)
    for _ in range(number):
        kind, table = pick(rng, [("losses", LOSSES), ("losses", LOSSES), ("metrics", METRICS)])
        name = pick(rng, list(table))
        options = {key: pick(rng, values) for key, values in table[name].items()}
        classes = "Categorical" in name
        shape = pick(rng, [shape for shape in SHAPES if not classes or shape[-1] > 1])
        # Keras counts masked steps in the root mean square; ours does not (docs/keras-parity.md).
        mask = len(shape) == 3 and name != "RootMeanSquaredError" and bool(rng.integers(2))
        weights = pick(rng, ["none", "samples", *(["steps"] if len(shape) == 3 else [])])
        yield LossCase(kind, name, options, shape, mask, weights, int(rng.integers(2**32)))


def draw_data(case: LossCase, rng: np.random.Generator) -> tuple[Array, Array, Array | None, Array | None]:
    """y, p, the mask and the sample weights. Some numbers lie on a grid, so that kinks, ties and thresholds are met."""
    N, *steps, K = case.shape
    p = 3 * rng.standard_normal(case.shape)
    p = np.where(rng.random(p.shape) < 0.3, np.round(4 * p) / 4 + 0.0, p)  # no -0.0: Keras's argmax parts it from 0
    y = np.where(rng.random(p.shape) < 0.3, p, np.round(4 * rng.standard_normal(p.shape)) / 4)
    if "Crossentropy" in case.name or "Accuracy" in case.name:
        y = rng.random(p.shape) if rng.random() < 0.5 else (rng.random(p.shape) < 0.5) * 1.0
    if case.options.get("from_logits"):
        # Large logits too. Of classes they leave p - y to the rounding of p, on both sides: small ones there.
        p = p * (pick(rng, [1.0, 10.0]) if case.name == "BinaryCrossentropy" else 0.3)
    elif "Crossentropy" in case.name:
        p = 1 / (1 + np.exp(-3 * p))  # some in the clipped zone
    if "Sparse" in case.name:
        y = rng.integers(0, K, (N, *steps)).astype(float)
    mask = rng.random((N, *steps)) < 0.6 if case.mask else None
    w = {"none": None, "samples": rng.random(N), "steps": rng.random((N, *steps))}[case.weights]
    return y, p, mask, w


@contextmanager
def exact_mean() -> Iterator[None]:
    """Inside, Keras's mean is jax.numpy's: on JAX its own computes float64 in float32."""
    import jax.numpy as jnp
    from keras.src import backend

    own = backend.numpy.mean
    backend.numpy.mean = lambda x, axis=None, keepdims=False: jnp.mean(x, axis=axis, keepdims=keepdims)
    try:
        yield
    finally:
        backend.numpy.mean = own


def compare(case: LossCase) -> list[tuple[str, float | None]]:
    """The relative error ‖engine - Keras‖ / ‖Keras‖ of every number, by its kind; None where both are 0 throughout."""
    rng = np.random.default_rng(case.seed)
    with exact_mean():
        return (compare_loss if case.kind == "losses" else compare_metric)(case, rng)


def compare_loss(case: LossCase, rng: np.random.Generator) -> list[tuple[str, float | None]]:
    import jax
    import keras
    from keras.src import backend

    y, p, mask, w = draw_data(case, rng)
    theirs, ours = getattr(keras.losses, case.name)(**case.options), getattr(losses, case.name)(**case.options)

    def mean(p: Any) -> Any:
        if mask is not None:
            backend.set_keras_mask(p, mask)
        return theirs(y, p, sample_weight=w if w is None or w.ndim == p.ndim - 1 else w[:, None])

    total, slopes = call(jax.value_and_grad(mean), p)
    values = ours.values(y, p)
    factors = losses.weights(values.shape, mask, w)
    weighted = values if factors is None else values * factors
    gradient = ours.gradient(y, p) if factors is None else ours.gradient(y, p) * factors[..., None]
    expected = call(theirs.call, y, p)
    found = {"values": (values, expected), "mean": (weighted.mean(), total), "gradient": (gradient, slopes)}
    if mask is None and w is None:
        found["called"] = ours(y, p), total
    return [(f"{case.name} {kind}", error(np.asarray(a), np.asarray(b))) for kind, (a, b) in found.items()]


def compare_metric(case: LossCase, rng: np.random.Generator) -> list[tuple[str, float | None]]:
    import jax.numpy as jnp
    import keras
    from keras.src import backend

    theirs = getattr(keras.metrics, case.name)(**case.options, dtype="float64")
    ours = getattr(metrics, case.name)(**case.options)
    for _ in range(3):
        y, p, mask, _ = draw_data(case, rng)
        ours.update(y, p, mask)
        p_of_keras = jnp.asarray(p)
        if mask is not None:
            backend.set_keras_mask(p_of_keras, jnp.asarray(mask))
        theirs.update_state(jnp.asarray(y), p_of_keras)
    return [(f"metric {case.name}", error(np.float64(ours.result()), np.asarray(theirs.result(), np.float64)))]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.beside_keras.random_losses", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sys.exit(0 if run(options.examples, options.seed, random_cases, compare, TOLERANCE) else 1)


if __name__ == "__main__":
    main()
