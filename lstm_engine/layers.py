"""What every layer is, and the layers without recurrence. The recurrent ones live in `cells/`, wrappers in `wrappers.py`.

A layer is two pure functions over its weights: `forward(x, training, mask) -> (y, tape)` and `backward(tape, dy) -> (dx,
gradients)`. Whatever backward needs is on the tape, so nothing hides in the layer between the two. Shapes are without the
batch: a sequence of T steps with D features is (T, D). A mask (N, T) of bool says which steps there are.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from . import initializers, regularizers
from .activations import ACTIVATIONS, Array, canonical_name
from .backend import one_thread_pool
from .keras_names import arguments, refuse_unknown

Shape = tuple[int, ...]
Gradients = dict[str, Array]

# Keras's arguments that the engine has at their default alone: given so they change nothing, otherwise they are refused.
KERAS_DEFAULTS: dict[str, Any] = {
    "activity_regularizer": None, "kernel_constraint": None, "recurrent_constraint": None, "bias_constraint": None,
    "use_cudnn": "auto", "implementation": 2, "lora_rank": None, "trainable": True, "dtype": None, "noise_shape": None,
}  # fmt: skip
LAYERS: dict[str, type[Layer]] = {}  # by class name, as model files write it


class Layer:
    """Base of all layers: a name, weights by name, and the pair. `built` once the input's shape is known.

    A layer also works alone: `layer(x)` builds it on first use and returns what Keras's would, as NumPy arrays.
    """

    reads_sequences: ClassVar[bool] = False  # whether it takes (T, D) and nothing else

    def __init__(self, *, name: str | None = None, input_shape: Shape | None = None, **unknown: Any) -> None:
        refuse_unknown(type(self), unknown, KERAS_DEFAULTS, [*self.options(), "name", "input_shape"])
        if name is not None and (not isinstance(name, str) or "/" in name):
            raise ValueError(
                f"a layer's name is a string without '/', which parts it from its weights' names, got {name!r}"
            )
        self.name = name or ""  # Sequential fills it in: lstm, lstm_1, ...
        self.input_shape = None if input_shape is None else tuple(input_shape)
        self.weights: dict[str, Array] = {}
        self.backend = "auto"
        self.rng = np.random.default_rng()
        self.built = False

    def __init_subclass__(cls, abstract: bool = False) -> None:
        if not abstract:
            LAYERS[cls.__name__] = cls

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>" if self.name else f"<{type(self).__name__}>"

    @classmethod
    def options(cls) -> list[str]:
        """The names of the constructor's arguments but name and input_shape: its own first, then those it hands on."""
        return arguments(cls, "name", "input_shape")

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON values, without name and input_shape."""
        values = {name: getattr(self, name) for name in self.options()}
        return {k: v.config() if hasattr(v, "config") else v for k, v in values.items()}

    def build(self, input_shape: Shape, dtype: str, backend: str, rng: np.random.Generator) -> Shape:
        """Draws the initial weights for inputs of this shape, and returns the output's shape."""
        output_shape = self.output_shape(input_shape)
        self.weights = {k: np.ascontiguousarray(w, dtype) for k, w in self.initial_weights(input_shape, rng).items()}
        self.input_shape, self.backend, self.rng, self.built = input_shape, backend, rng, True
        return output_shape

    def __call__(self, x: ArrayLike, *, training: bool = False, **more: Any) -> Any:
        """The output for x (N, ...), float64 when x is, else float32. Recurrent layers take mask= and initial_state=."""
        x = np.asarray(x)
        x = x if x.dtype == np.float64 else x.astype(np.float32)
        if not self.built:
            self.build(x.shape[1:], x.dtype.name, self.backend, self.rng)
        self.output_shape(x.shape[1:])
        if self.weights and self.input_shape and self.input_shape[-1] != x.shape[-1]:
            raise ValueError(f"{self!r} was built for {self.input_shape[-1]} features, got x of shape {x.shape}")
        dtype = next((w.dtype for w in self.weights.values()), x.dtype)
        with one_thread_pool(self.backends()):
            return self.forward(x.astype(dtype, copy=False), training, **more)[0]

    @property
    def parts(self) -> dict[str, Any]:
        """The layers that hold its weights, by the prefix of the weights' names: itself, or those that it wraps."""
        return {"": self}

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def output_mask(self, x: Array, mask: Array | None) -> Array | None:
        """Which steps of the output there are: the input's, unless the layer makes or ends a sequence."""
        return mask

    def initial_weights(self, input_shape: Shape, rng: np.random.Generator) -> dict[str, Array]:
        return {}

    def forward(self, x: Array, training: bool = False, mask: Array | None = None) -> tuple[Any, Any]:
        raise NotImplementedError

    def backward(self, tape: Any, dy: Any) -> tuple[Array, Gradients]:
        raise NotImplementedError

    def run(
        self, x: Array, training: bool = False, mask: Array | None = None, initial_state: Any = None, taped: bool = True
    ) -> tuple[Any, list[Array], Any]:
        """Forward for layers that may have states: y, the last states (none here) and the tape, None with taped=False."""
        y, tape = self.forward(x, training, mask)
        return y, [], tape if taped else None

    def stream(self, batch: int) -> Callable[[Array], Array]:
        """A function that takes a step x (batch, D) and returns its y, with the weights of now however they move later."""
        frozen = copy.copy(self)
        frozen.weights = {name: w.copy() for name, w in self.weights.items()}
        return lambda x: frozen.forward(x)[0]

    def run_backward(
        self, tape: Any, dy: Any, dstates: list[Array] | None = None, want_dx: bool = True
    ) -> tuple[Any, list[Array], Gradients]:
        """Backward of `run`: dx, the gradients of the initial states (none here), and of the weights.

        Where nobody wants dx, a layer to which it is work leaves it out: it is None.
        """
        dx, gradients = self.backward(tape, dy)
        return dx, [], gradients

    def recurrences(self, tape: Any, dy: Any) -> list[tuple[Any, Any, dict[str, Array]]]:
        """Its recurrent parts after a pass, each with its tape and what its pair's backward is given from above."""
        return []

    def backends(self) -> set[str]:
        """What runs it: {"numpy"}, {"numba"} or both."""
        return {"numpy"}

    def get_weights(self) -> list[Array]:
        """Copies of the weights, in Keras's order."""
        return [w.copy() for w in self.weights.values()]

    def set_weights(self, new: list[ArrayLike]) -> None:
        """Takes weights in the order of `get_weights`. ValueError, and nothing changed, when one does not fit."""
        fill(self.weights, new)

    def weight_penalties(self) -> dict[str, regularizers.L1L2]:
        """The penalties by weight name, for those that have one."""
        own = {name: getattr(self, f"{name.removesuffix('_kernel')}_regularizer", None) for name in self.weights}
        return {name: penalty for name, penalty in own.items() if penalty}


class Dense(Layer):
    """y = activation(x W + b) over the last axis: (N, ..., D) -> (N, ..., units). Keras's `Dense`."""

    def __init__(
        self, units: int, activation: str | None = None, *, use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None, bias_regularizer: Any = None, **general: Any,
    ) -> None:  # fmt: skip
        super().__init__(**general)
        self.units, self.activation, self.use_bias = positive_int("units", units), canonical_name(activation), use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)

    def output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)

    def initial_weights(self, input_shape: Shape, rng: np.random.Generator) -> dict[str, Array]:
        kernel = {"kernel": self.kernel_initializer.draw((input_shape[-1], self.units), rng)}
        return kernel | ({"bias": self.bias_initializer.draw((self.units,), rng)} if self.use_bias else {})

    def forward(self, x: Array, training: bool = False, mask: Array | None = None) -> tuple[Array, tuple[Array, Array]]:
        z = x @ self.weights["kernel"]  # (N, ..., units)
        if self.use_bias:
            z += self.weights["bias"]
        y = ACTIVATIONS[self.activation].forward(z)
        return y, (x, y)

    def backward(self, tape: tuple[Array, Array], dy: Array) -> tuple[Array, Gradients]:
        x, y = tape
        dz = ACTIVATIONS[self.activation].backward(y, dy)  # (N, ..., units)
        dz_rows, x_rows = dz.reshape(-1, dz.shape[-1]), x.reshape(-1, x.shape[-1])
        gradients = {"kernel": x_rows.T @ dz_rows} | ({"bias": dz_rows.sum(axis=0)} if self.use_bias else {})
        return dz @ self.weights["kernel"].T, gradients


class Dropout(Layer):
    """Zeroes a share `rate` of the inputs while training and scales the rest up (Srivastava et al. 2014)."""

    def __init__(self, rate: float, *, seed: int | None = None, **general: Any) -> None:
        super().__init__(**general)
        self.rate, self.seed = share("Dropout's rate", rate), seed

    def build(self, input_shape: Shape, dtype: str, backend: str, rng: np.random.Generator) -> Shape:
        return super().build(
            input_shape, dtype, backend, rng if self.seed is None else np.random.default_rng(self.seed)
        )

    def forward(self, x: Array, training: bool = False, mask: Array | None = None) -> tuple[Array, Array | None]:
        if not training or self.rate == 0:
            return x, None
        scale = dropout_mask(x.shape, self.rate, self.rng, x.dtype)
        return x * scale, scale

    def backward(self, tape: Array | None, dy: Array) -> tuple[Array, Gradients]:
        return dy if tape is None else dy * tape, {}


class Masking(Layer):
    """Masks the steps whose features all equal mask_value, and sets them to 0: Keras's `Masking`.

    A mask that is already there (sequences of different lengths) stays in force beside it.
    """

    reads_sequences = True

    def __init__(self, mask_value: float = 0.0, **general: Any) -> None:
        super().__init__(**general)
        if isinstance(mask_value, bool) or not isinstance(mask_value, int | float | np.number):
            raise ValueError(f"mask_value must be a number, got {mask_value!r}")
        self.mask_value = float(mask_value)

    def output_shape(self, input_shape: Shape) -> Shape:
        require_sequences(self.name or "masking", input_shape)
        return input_shape

    def output_mask(self, x: Array, mask: Array | None) -> Array:
        live = (x.real != self.mask_value).any(axis=-1)  # (N, T); by the real part: a complex step wakes no step
        return live if mask is None else live & mask

    def forward(self, x: Array, training: bool = False, mask: Array | None = None) -> tuple[Array, Array]:
        live = (x.real != self.mask_value).any(axis=-1, keepdims=True)  # (N, T, 1)
        return np.where(live, x, x.dtype.type(0)), live

    def backward(self, tape: Array, dy: Array) -> tuple[Array, Gradients]:
        return dy * tape, {}

    def stream(self, batch: int) -> Callable[[Array], Array]:
        raise ValueError(
            f"{self.name} masks steps, and a stream has none to pass over: leave out the call of step() instead"
        )


def fill(own: dict[str, Array], new: Sequence[ArrayLike]) -> None:
    """Writes new arrays into named ones, in order. ValueError, and nothing changed, when one does not fit."""
    arrays = [np.asarray(w, next((o.dtype for o in own.values()), None)) for w in new]
    if [a.shape for a in arrays] != [w.shape for w in own.values()]:
        expected = ", ".join(f"{name} {w.shape}" for name, w in own.items())
        raise ValueError(f"the weights are {expected}; got shapes {', '.join(str(a.shape) for a in arrays)}")
    for w, array in zip(own.values(), arrays, strict=True):
        w[...] = array


def dropout_mask(shape: Shape, rate: float, rng: np.random.Generator, dtype: Any) -> Array:
    """0 with probability `rate`, else 1 / (1 - rate), so that the mean stays; a rate of 1 keeps nothing."""
    return (rng.random(shape) >= rate).astype(dtype) / (1.0 - rate or 1.0)


def time_major(x: Array) -> Array:
    """(N, T, D) to (T, N, D), or back: contiguous, so that a step is one block of memory."""
    return np.ascontiguousarray(x.swapaxes(0, 1))


def check_shapes(**arrays: tuple[Array | None, Shape]) -> None:
    """name=(array, expected shape); None passes. ValueError names the first array of another shape."""
    for name, (array, expected) in arrays.items():
        if array is not None and array.shape != expected:
            raise ValueError(f"{name} must have shape {expected} beside the other arrays, got {array.shape}")


def check_mask(name: str, x: Array, mask: Any) -> Array | None:
    """The mask as bool (N, T), or None. ValueError names both shapes when it is not x's."""
    if mask is None:
        return None
    mask = np.asarray(mask)
    if mask.shape != x.shape[:2]:
        raise ValueError(
            f"{name}: mask must have shape {x.shape[:2]}, one value a step of x {x.shape}, got {mask.shape}"
        )
    return mask.astype(bool)


def positive_int(what: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{what} must be a whole number of at least 1, got {value!r}")
    return int(value)


def share(what: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value <= 1:
        raise ValueError(f"{what} must lie in [0, 1], got {value!r}")
    return float(value)


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
