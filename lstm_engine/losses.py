"""Losses as Keras 3 computes them from probabilities: one value a sample, and its gradient beside it.

`values(y, p)` gives one number for every position of p but its last axis; `gradient(y, p)` is d mean(values) / dp.
Probabilities are clipped to [1e-7, 1 - 1e-7] before the logarithm, as Keras's JAX and NumPy backends do, and outside
that zone the gradient is exactly 0.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .activations import Array

EPSILON = 1e-7


def binary_crossentropy(y: Array, p: Array) -> Array:
    """-(y log p + (1 - y) log(1 - p)), averaged over the last axis."""
    q = np.clip(p, EPSILON, 1 - EPSILON)
    return -(y * np.log(q) + (1.0 - y) * np.log(1.0 - q)).mean(axis=-1)


def binary_crossentropy_gradient(y: Array, p: Array) -> Array:
    q = np.clip(p, EPSILON, 1 - EPSILON)
    return (q - y) / (q * (1.0 - q)) * (q == p) / p.size


def categorical_crossentropy(y: Array, p: Array) -> Array:
    """-Σₖ yₖ log pₖ with p normalised to sum 1; y is one-hot, or any distribution."""
    q = np.clip(p / p.sum(axis=-1, keepdims=True), EPSILON, 1 - EPSILON)
    return -(y * np.log(q)).sum(axis=-1)


def categorical_crossentropy_gradient(y: Array, p: Array) -> Array:
    total = p.sum(axis=-1, keepdims=True)
    normal = p / total
    q = np.clip(normal, EPSILON, 1 - EPSILON)
    dq = -y / q * (q == normal)
    return (dq - (dq * normal).sum(axis=-1, keepdims=True)) / total / (p.size // p.shape[-1])


def sparse_categorical_crossentropy(y: Array, p: Array) -> Array:
    """categorical_crossentropy for labels that are class numbers."""
    return categorical_crossentropy(one_hot(y, p), p)


def sparse_categorical_crossentropy_gradient(y: Array, p: Array) -> Array:
    return categorical_crossentropy_gradient(one_hot(y, p), p)


def mean_squared_error(y: Array, p: Array) -> Array:
    """(y - p)², averaged over the last axis."""
    return ((y - p) ** 2).mean(axis=-1)


def mean_squared_error_gradient(y: Array, p: Array) -> Array:
    return 2.0 * (p - y) / p.size


class Loss(NamedTuple):
    """A loss by name: values(y, p), gradient(y, p). With `sparse` y holds class numbers, else it has p's shape."""

    name: str
    values: Callable[[Array, Array], Array]
    gradient: Callable[[Array, Array], Array]
    sparse: bool = False


LOSSES = {
    loss.name: loss
    for loss in (
        Loss("binary_crossentropy", binary_crossentropy, binary_crossentropy_gradient),
        Loss("categorical_crossentropy", categorical_crossentropy, categorical_crossentropy_gradient),
        Loss(
            "sparse_categorical_crossentropy",
            sparse_categorical_crossentropy,
            sparse_categorical_crossentropy_gradient,
            sparse=True,
        ),
        Loss("mean_squared_error", mean_squared_error, mean_squared_error_gradient),
    )
}


def get(loss: str) -> Loss:
    """The loss of this name; "mse" is one too. ValueError for a name that the engine does not have."""
    name = "mean_squared_error" if loss in ("mse", "MSE") else loss
    if name not in LOSSES:
        raise ValueError(f"loss {loss!r} is not in the engine; it has {', '.join(LOSSES)} (and mse)")
    return LOSSES[name]


def fit_targets(loss: Loss, y: Array, p_shape: tuple[int, ...]) -> Array:
    """Brings y to the shape that the loss compares with p: a last axis of size 1 is added or dropped, as in Keras.

    ValueError when the shapes do not fit, when a label is no class of p, or is no probability where the loss needs one.
    """
    expected = p_shape[:-1] if loss.sparse else p_shape
    fitted = y
    if y.ndim == len(expected) + 1 and y.shape[-1] == 1:
        fitted = y[..., 0]
    elif y.ndim == len(expected) - 1 and expected[-1] == 1:
        fitted = y[..., None]
    if fitted.shape != expected:
        raise ValueError(f"{loss.name} expects y of shape {expected} for predictions of shape {p_shape}, got {y.shape}")
    if loss.sparse:
        classes = p_shape[-1]
        if not np.all((fitted >= 0) & (fitted < classes) & (fitted == np.floor(fitted))):
            raise ValueError(
                f"{loss.name} expects whole class numbers from 0 to {classes - 1}, got {np.unique(fitted)[:8]}"
            )
    elif loss.name != "mean_squared_error" and not ((fitted >= 0) & (fitted <= 1)).all():
        raise ValueError(f"{loss.name} expects targets from 0 to 1, got values from {fitted.min()} to {fitted.max()}")
    return fitted


def one_hot(y: Array, p: Array) -> Array:
    """Class numbers (...,) to (..., K) in p's real dtype."""
    return np.eye(p.shape[-1], dtype=p.real.dtype)[y.astype(np.intp)]


def weights(shape: tuple[int, ...], mask: Array | None, sample_weight: Array | None) -> Array | None:
    """The factors of the values (N,) or (N, T) before their mean; None is 1 everywhere.

    The result is Keras's reduction: with a mask (N, T) the mean over the unmasked steps (0 if there are none); with
    sample_weight (N,), (N, 1) or (N, T) the sum of the weighted values divided by the number of all samples. ValueError names
    the shapes.
    """
    w = None
    if mask is not None:
        w = mask * (mask.size / max(mask.sum(), 1))
    if sample_weight is not None:
        fitted = sample_weight
        if fitted.ndim < len(shape):
            fitted = fitted.reshape(len(fitted), *[1] * (len(shape) - 1))
        elif fitted.ndim == len(shape) + 1 and fitted.shape[-1] == 1:
            fitted = fitted[..., 0]
        if fitted.ndim != len(shape) or any(n not in (1, m) for n, m in zip(fitted.shape, shape, strict=True)):
            raise ValueError(f"sample_weight must have shape {shape} or ({shape[0]},), got {sample_weight.shape}")
        w = np.broadcast_to(fitted, shape) if w is None else w * fitted
    return w


def class_weights(y: Array, by_class: dict[int, float]) -> Array:
    """The weight of each sample's class, 1 for classes not named. y: class numbers (N,), (N, 1) or one-hot (N, K)."""
    one_each = isinstance(y, np.ndarray) and (y.size == len(y) or (y.ndim == 2 and np.all(y.sum(axis=1) == 1)))
    if not one_each or not isinstance(by_class, dict) or not all(isinstance(k, int | np.integer) for k in by_class):
        raise ValueError(
            "class_weight is a dict from class number to weight, for targets of one class a sample; "
            "use sample_weight for others"
        )
    labels = y.reshape(len(y)) if y.size == len(y) else y.argmax(axis=-1)
    return np.array([by_class.get(int(label), 1.0) for label in np.round(labels)], y.dtype)
