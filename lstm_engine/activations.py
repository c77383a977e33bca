"""Activation functions and their gradients, each pair side by side. Names and constants are Keras's.

A backward function takes the output y, not the input z. silu and gelu, whose gradients need z, are therefore not here. All
functions accept float32, float64 and complex128, so that a complex step can pass through: branches test the real part.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # float32, float64 or complex128
LEAK = 0.2  # leaky_relu's slope below 0
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # Klambauer et al. 2017


def sigmoid(z: Array) -> Array:
    """σ(z) = 1 / (1 + e⁻ᶻ), in a form that does not overflow for any z, real or complex."""
    return 0.5 * (1.0 + np.tanh(0.5 * z))


def sigmoid_backward(y: Array, dy: Array) -> Array:
    return dy * y * (1.0 - y)


def tanh_backward(y: Array, dy: Array) -> Array:
    return dy * (1.0 - y * y)


def relu(z: Array) -> Array:
    return np.where(z.real > 0, z, 0.0 * z)


def relu_backward(y: Array, dy: Array) -> Array:
    return np.where(y.real > 0, dy, 0.0 * dy)


def leaky_relu(z: Array) -> Array:
    return np.where(z.real > 0, z, LEAK * z)


def leaky_relu_backward(y: Array, dy: Array) -> Array:
    return np.where(y.real >= 0, dy, LEAK * dy)  # slope 1 at 0, as in Keras


def relu6(z: Array) -> Array:
    return np.where(z.real < 6, relu(z), 6.0 + 0.0 * z)


def relu6_backward(y: Array, dy: Array) -> Array:
    return np.where((y.real > 0) & (y.real < 6), dy, 0.0 * dy)


def elu(z: Array) -> Array:
    return np.where(z.real > 0, z, np.expm1(np.where(z.real > 0, 0.0 * z, z)))


def elu_backward(y: Array, dy: Array) -> Array:
    return np.where(y.real > 0, dy, dy * (y + 1.0))


def selu(z: Array) -> Array:
    return SELU_SCALE * np.where(z.real > 0, z, SELU_ALPHA * elu(z))


def selu_backward(y: Array, dy: Array) -> Array:
    return np.where(y.real > 0, SELU_SCALE * dy, dy * (y + SELU_SCALE * SELU_ALPHA))


def hard_sigmoid(z: Array) -> Array:
    return relu6(z + 3.0) / 6.0


def hard_sigmoid_backward(y: Array, dy: Array) -> Array:
    return np.where((y.real > 0) & (y.real < 1), dy / 6.0, 0.0 * dy)


def hard_sigmoid_keras2(z: Array) -> Array:
    """clip(0.2 z + 0.5, 0, 1): what Keras 1 and 2 call hard_sigmoid, the gates of their LSTM and GRU before 2.3."""
    return np.where(z.real > 2.5, 1.0 + 0.0 * z, np.where(z.real < -2.5, 0.0 * z, 0.2 * z + 0.5))


def hard_sigmoid_keras2_backward(y: Array, dy: Array) -> Array:
    return np.where((y.real > 0) & (y.real < 1), 0.2 * dy, 0.0 * dy)


def exponential_backward(y: Array, dy: Array) -> Array:
    return dy * y


def softplus(z: Array) -> Array:
    """log(1 + eᶻ) = max(z, 0) + log(1 + e^-|z|); the right-hand side does not overflow for any z."""
    size = np.where(z.real > 0, z, -z)
    return relu(z) + np.log1p(np.exp(-size))


def softplus_backward(y: Array, dy: Array) -> Array:
    return dy * -np.expm1(-y)


def softsign(z: Array) -> Array:
    return z / (1.0 + np.where(z.real > 0, z, -z))


def softsign_backward(y: Array, dy: Array) -> Array:
    return dy * (1.0 - np.where(y.real > 0, y, -y)) ** 2


def softmax(z: Array) -> Array:
    """softmax(z)ₖ = exp(zₖ) / Σⱼ exp(zⱼ) over the last axis; the largest z is subtracted, so that exp stays finite."""
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
    "elu": Activation(elu, elu_backward),
    "exponential": Activation(np.exp, exponential_backward),
    "hard_sigmoid": Activation(hard_sigmoid, hard_sigmoid_backward),
    "hard_sigmoid_keras2": Activation(hard_sigmoid_keras2, hard_sigmoid_keras2_backward),
    "leaky_relu": Activation(leaky_relu, leaky_relu_backward),
    "linear": Activation(linear, linear_backward),
    "relu": Activation(relu, relu_backward),
    "relu6": Activation(relu6, relu6_backward),
    "selu": Activation(selu, selu_backward),
    "sigmoid": Activation(sigmoid, sigmoid_backward),
    "softmax": Activation(softmax, softmax_backward),
    "softplus": Activation(softplus, softplus_backward),
    "softsign": Activation(softsign, softsign_backward),
    "tanh": Activation(np.tanh, tanh_backward),
}

KERAS_2 = {"hard_sigmoid": "hard_sigmoid_keras2"}  # names that meant another function in Keras 1 and 2


tanh, exponential = np.tanh, np.exp


def get(activation: str | Callable[[Array], Array] | None) -> Callable[[Array], Array]:
    """The function of this name; a function of this module is returned unchanged."""
    return ACTIVATIONS[canonical_name(activation)].forward


def canonical_name(activation: str | Callable[[Array], Array] | None) -> str:
    """The name of an activation, or of a function of this module; None means "linear", as in Keras. ValueError for others."""
    names = {pair.forward: name for name, pair in ACTIVATIONS.items()}
    name = "linear" if activation is None else names.get(activation, activation) if callable(activation) else activation
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise ValueError(f"activation {activation!r} is not in the engine; it has {', '.join(ACTIVATIONS)}")
    return name
