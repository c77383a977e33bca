"""What every layer is, and the layers without recurrence: Dense and Dropout. The recurrent ones live in `cells/`.

A layer is two pure functions over its weights: `forward(x, training) -> (y, tape)` and `backward(tape, dy) -> (dx,
gradients)`. Whatever backward needs is on the tape, so nothing hides in the layer between the two. Shapes are
without the batch: a sequence of T steps with D features is (T, D).
"""

import inspect
from typing import Any, ClassVar

import numpy as np

from .activations import ACTIVATIONS, Array, canonical_name
from .initializers import glorot_uniform

Shape = tuple[int, ...]

# Keras's arguments that the engine has at their default alone: given so they change nothing, otherwise they are refused.
_WEIGHTS = {"use_bias": True, "kernel_initializer": "glorot_uniform", "bias_initializer": "zeros"}
KERAS_DEFAULTS: dict[str, dict[str, Any]] = {
    "Dense": _WEIGHTS,
    "LSTM": _WEIGHTS
    | {"activation": "tanh", "recurrent_activation": "sigmoid", "recurrent_initializer": "orthogonal"}
    | {"unit_forget_bias": True, "return_state": False, "go_backwards": False, "stateful": False, "unroll": False}
    | {"dropout": 0.0, "recurrent_dropout": 0.0},
}


class Layer:
    """Base of all layers: a name, weights by name, and the pair. `built` once the input's shape is known."""

    cell: ClassVar[str | None] = None  # a recurrent layer's name for backend.pair

    def __init__(self, *, name: str | None = None, input_shape: Shape | None = None, **unknown: Any) -> None:
        defaults = KERAS_DEFAULTS.get(type(self).__name__, {})
        unknown = {k: v for k, v in unknown.items() if k not in defaults or v != defaults[k]}
        if unknown:
            own = [p for p in inspect.signature(type(self)).parameters if p != "general"]
            raise TypeError(
                f"{type(self).__name__} has no {', '.join(f'{k}={v!r}' for k, v in unknown.items())} in this engine; "
                f"it has {', '.join([*own, 'name', 'input_shape'])}"
            )
        self.name = name or ""  # Sequential fills it in: lstm, lstm_1, ...
        self.input_shape = None if input_shape is None else tuple(input_shape)
        self.weights: dict[str, Array] = {}
        self.backend = "auto"
        self.rng = np.random.default_rng()
        self.built = False

    def build(self, input_shape: Shape, dtype: str, backend: str, rng: np.random.Generator) -> Shape:
        """Draws the initial weights for inputs of this shape, and returns the output's shape."""
        output_shape = self.output_shape(input_shape)
        self.weights = {k: np.ascontiguousarray(w, dtype) for k, w in self.initial_weights(input_shape, rng).items()}
        self.input_shape, self.backend, self.rng, self.built = input_shape, backend, rng, True
        return output_shape

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON values, without name and input_shape."""
        raise NotImplementedError

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def initial_weights(self, input_shape: Shape, rng: np.random.Generator) -> dict[str, Array]:
        return {}

    def forward(self, x: Array, training: bool) -> tuple[Array, Any]:
        raise NotImplementedError

    def backward(self, tape: Any, dy: Array) -> tuple[Array, dict[str, Array]]:
        raise NotImplementedError


class Dense(Layer):
    """y = activation(x W + b) over the last axis: (N, ..., D) -> (N, ..., units). Keras's `Dense`."""

    def __init__(self, units: int, activation: str | None = None, **general: Any) -> None:
        super().__init__(**general)
        self.units = positive_int("units", units)
        self.activation = canonical_name(activation)

    def config(self) -> dict[str, Any]:
        return {"units": self.units, "activation": self.activation}

    def output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)

    def initial_weights(self, input_shape: Shape, rng: np.random.Generator) -> dict[str, Array]:
        return {"kernel": glorot_uniform((input_shape[-1], self.units), rng), "bias": np.zeros(self.units)}

    def forward(self, x: Array, training: bool) -> tuple[Array, tuple[Array, Array]]:
        W, b = self.weights["kernel"], self.weights["bias"]  # (D, units), (units,)
        y = ACTIVATIONS[self.activation].forward(x @ W + b)
        return y, (x, y)

    def backward(self, tape: tuple[Array, Array], dy: Array) -> tuple[Array, dict[str, Array]]:
        x, y = tape
        W = self.weights["kernel"]
        dz = ACTIVATIONS[self.activation].backward(y, dy)  # (N, ..., units)
        dz_rows, x_rows = dz.reshape(-1, dz.shape[-1]), x.reshape(-1, x.shape[-1])
        return dz @ W.T, {"kernel": x_rows.T @ dz_rows, "bias": dz_rows.sum(axis=0)}


class Dropout(Layer):
    """Zeroes a share `rate` of the inputs while training and scales the rest up (Srivastava et al. 2014)."""

    def __init__(self, rate: float, *, seed: int | None = None, **general: Any) -> None:
        super().__init__(**general)
        if not 0 <= rate <= 1:
            raise ValueError(f"Dropout's rate must lie in [0, 1], got {rate}")
        self.rate, self.seed = rate, seed

    def build(self, input_shape: Shape, dtype: str, backend: str, rng: np.random.Generator) -> Shape:
        own = rng if self.seed is None else np.random.default_rng(self.seed)
        return super().build(input_shape, dtype, backend, own)

    def config(self) -> dict[str, Any]:
        return {"rate": self.rate, "seed": self.seed}

    def forward(self, x: Array, training: bool) -> tuple[Array, Array | None]:
        if not training or self.rate == 0:
            return x, None
        kept = self.rng.random(x.shape) >= self.rate
        scale = kept.astype(x.dtype) / (1.0 - self.rate or 1.0)  # a rate of 1 keeps nothing
        return x * scale, scale

    def backward(self, tape: Array | None, dy: Array) -> tuple[Array, dict[str, Array]]:
        return dy if tape is None else dy * tape, {}


def time_major(x: Array) -> Array:
    """(N, T, D) to (T, N, D), or back: contiguous, so that a step is one block of memory."""
    return np.ascontiguousarray(x.swapaxes(0, 1))


def check_shapes(**arrays: tuple[Array | None, Shape]) -> None:
    """name=(array, expected shape); None passes. ValueError names the first array of another shape."""
    for name, (array, expected) in arrays.items():
        if array is not None and array.shape != expected:
            raise ValueError(f"{name} must have shape {expected} beside the other arrays, got {array.shape}")


def positive_int(what: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{what} must be a whole number of at least 1, got {value!r}")
    return int(value)


def require_sequences(name: str, shape: Shape) -> None:
    """Refuses anything but (T, D), and explains the error that most people meet first: X without a feature axis."""
    if len(shape) == 1:
        (n,) = shape
        raise ValueError(
            f"{name} reads sequences and expects X of shape (samples, timesteps, features), but got (samples, {n}). "
            f"You probably want X.reshape(-1, {n}, 1), {n} timesteps of one number (the voice tutorial's reading), "
            f"or X.reshape(-1, 1, {n}), one timestep of {n} features. "
            "(Keras 3 adds the last axis by itself when input_shape ends in 1; this engine asks you to choose.)"
        )
    if len(shape) != 2:
        expected = "(samples, timesteps, features)"
        raise ValueError(f"{name} expects X of shape {expected}, but got (samples, {', '.join(map(str, shape))})")
    if shape[0] == 0:
        raise ValueError(f"{name} needs at least one timestep, but got X of shape (samples, 0, {shape[1]})")
