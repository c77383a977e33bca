"""Metrics: what a person reads beside the loss. Each gives one number a sample; their mean is the metric."""

from collections.abc import Callable

import numpy as np

from .activations import Array


def accuracy(y: Array, p: Array) -> Array:
    """1 where the prediction is right. Keras's three readings, by shape: binary (p > 0.5), one-hot, class numbers."""
    if p.shape[-1] == 1:
        return ((p > 0.5) == y.reshape(p.shape)).mean(axis=-1)
    labels = y.argmax(axis=-1) if y.shape == p.shape else y.reshape(p.shape[:-1])
    return np.asarray(p.argmax(axis=-1) == labels, p.dtype)


METRICS: dict[str, Callable[[Array, Array], Array]] = {"accuracy": accuracy, "acc": accuracy}


def check_name(metric: str) -> str:
    """The name itself, which logs and history carry. ValueError for one that the engine does not have."""
    if not isinstance(metric, str) or metric not in METRICS:
        raise ValueError(f"metric {metric!r} is not in the engine; it has {', '.join(METRICS)}")
    return metric
