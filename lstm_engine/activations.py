"""Activation functions and their gradients, each pair side by side.

A backward function takes the output y, not the input z: every gradient here can be written with it. All of
them accept float32, float64 and complex128, so that a complex step can pass through.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # float32, float64 or complex128


def sigmoid(z: Array) -> Array:
    """σ(z) = 1 / (1 + e⁻ᶻ), written so that it overflows for no z, real or complex."""
    return 0.5 * (1.0 + np.tanh(0.5 * z))


def sigmoid_backward(y: Array, dy: Array) -> Array:
    return dy * y * (1.0 - y)


def tanh_backward(y: Array, dy: Array) -> Array:
    return dy * (1.0 - y * y)


def relu(z: Array) -> Array:
    return np.where(z.real > 0, z, 0.0 * z)


def relu_backward(y: Array, dy: Array) -> Array:
    return np.where(y.real > 0, dy, 0.0 * dy)


def softmax(z: Array) -> Array:
    """softmax(z)ₖ = exp(zₖ) / Σⱼ exp(zⱼ) over the last axis; less the largest z, so that exp stays finite."""
    e = np.exp(z - z.real.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_backward(y: Array, dy: Array) -> Array:
    return y * (dy - (dy * y).sum(axis=-1, keepdims=True))


def linear(z: Array) -> Array:
    return z


def linear_backward(y: Array, dy: Array) -> Array:
    return dy


class Activation(NamedTuple):
    """y = forward(z), dz = backward(y, dy): arrays of one shape."""

    forward: Callable[[Array], Array]
    backward: Callable[[Array, Array], Array]


ACTIVATIONS = {
    "linear": Activation(linear, linear_backward),
    "relu": Activation(relu, relu_backward),
    "sigmoid": Activation(sigmoid, sigmoid_backward),
    "softmax": Activation(softmax, softmax_backward),
    "tanh": Activation(np.tanh, tanh_backward),
}


def canonical_name(activation: str | None) -> str:
    """The activation's name; None means "linear", as in Keras. ValueError for one that the engine does not have."""
    name = "linear" if activation is None else activation
    if name not in ACTIVATIONS:
        raise ValueError(f"activation {activation!r} is not in the engine; it has {', '.join(ACTIVATIONS)}")
    return name
