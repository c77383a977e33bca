"""The layers without recurrence: Dense, Activation, Dropout and Masking. Each treats every step by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import initializers, regularizers
from .activations import ACTIVATIONS, Array, canonical_name
from .checks import Shape, positive_int, require_features, require_sequences, share
from .layer import Backward, Forward, Layer, dropout_mask


class Dense(Layer):
    """y = activation(x W + b) over the last axis: (N, ..., D) -> (N, ..., units). Keras's `Dense`."""

    supports_masking = True

    def __init__(
        self, units: int, activation: str | None = None, *, use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None, bias_regularizer: Any = None, **general: Any,
    ) -> None:  # fmt: skip
        super().__init__(**general)
        self.units = positive_int("units", units)
        self.activation = canonical_name(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)

    def output_shape(self, input_shape: Shape) -> Shape:
        require_features(self.name or "dense", input_shape)
        return (*input_shape[:-1], self.units)

    def initial_weights(self, input_shape: Shape, rng: np.random.Generator) -> dict[str, Array]:
        kernel = {"kernel": self.kernel_initializer.draw((input_shape[-1], self.units), rng)}
        return kernel | ({"bias": self.bias_initializer.draw((self.units,), rng)} if self.use_bias else {})

    def penalties(self) -> dict[str, regularizers.Regularizer | None]:
        return {"kernel": self.kernel_regularizer, "bias": self.bias_regularizer}

    def forward(
        self, x: Array, training: bool = False, mask: Array | None = None, initial_state: Any = None, taped: bool = True
    ) -> Forward:
        z = x @ self.weights["kernel"]  # (N, ..., units)
        if self.use_bias:
            z += self.weights["bias"]
        y = ACTIVATIONS[self.activation].forward(z)
        return y, [], (x, y.copy()) if taped else None  # y itself is the caller's, who may write into it

    def backward(self, tape: Any, dy: Any, dstates: Sequence[Array] | None = None, want_dx: bool = True) -> Backward:
        x, y = tape
        dz = ACTIVATIONS[self.activation].backward(y, dy)  # (N, ..., units)
        dz_rows = dz.reshape(-1, dz.shape[-1])
        x_rows = x.reshape(-1, x.shape[-1])
        gradients = {"kernel": x_rows.T @ dz_rows} | ({"bias": dz_rows.sum(axis=0)} if self.use_bias else {})
        return dz @ self.weights["kernel"].T, [], gradients


class Activation(Layer):
    """An activation by itself, y = activation(x): Keras's `Activation`. softmax is over the last axis."""

    supports_masking = True

    def __init__(self, activation: str | None, **general: Any) -> None:
        super().__init__(**general)
        self.activation = canonical_name(activation)

    def forward(
        self, x: Array, training: bool = False, mask: Array | None = None, initial_state: Any = None, taped: bool = True
    ) -> Forward:
        y = np.array(ACTIVATIONS[self.activation].forward(x))  # the linear one hands back x itself
        return y, [], y.copy() if taped else None

    def backward(self, tape: Any, dy: Any, dstates: Sequence[Array] | None = None, want_dx: bool = True) -> Backward:
        return np.array(ACTIVATIONS[self.activation].backward(tape, dy)), [], {}


class Dropout(Layer):
    """Sets a share `rate` of the inputs to 0 while training and scales up the others (Srivastava et al. 2014)."""

    supports_masking = True

    def __init__(self, rate: float, *, seed: int | None = None, **general: Any) -> None:
        super().__init__(**general)
        self.rate = share("Dropout's rate", rate)
        self.seed = seed

    def build(self, input_shape: Shape, dtype: str, backend: str, rng: np.random.Generator) -> Shape:
        return super().build(
            input_shape, dtype, backend, rng if self.seed is None else np.random.default_rng(self.seed)
        )

    def forward(
        self, x: Array, training: bool = False, mask: Array | None = None, initial_state: Any = None, taped: bool = True
    ) -> Forward:
        if not training or self.rate == 0:
            return x.copy(), [], None  # x stays the caller's
        scale = dropout_mask(x.shape, self.rate, self.rng, x.dtype)
        return x * scale, [], scale

    def backward(self, tape: Any, dy: Any, dstates: Sequence[Array] | None = None, want_dx: bool = True) -> Backward:
        return dy.copy() if tape is None else dy * tape, [], {}


class Masking(Layer):
    """Masks the steps whose features all equal mask_value, and sets them to 0: Keras's `Masking`.

    A mask that the input already has (sequences of different lengths) is kept: a step must exist in both.
    """

    reads_sequences = True
    supports_masking = True

    def __init__(self, mask_value: float = 0.0, **general: Any) -> None:
        super().__init__(**general)
        if (
            isinstance(mask_value, bool)
            or not isinstance(mask_value, int | float | np.number)
            or not np.isfinite(mask_value)
        ):
            raise ValueError(f"mask_value must be a number (NaN equals no step's features), got {mask_value!r}")
        self.mask_value = float(mask_value)

    def output_shape(self, input_shape: Shape) -> Shape:
        require_sequences(self.name or "masking", input_shape)
        return input_shape

    def output_mask(self, x: Array, mask: Array | None) -> Array:
        live = (x.real != self.mask_value).any(axis=-1)  # (N, T); by the real part: a complex step unmasks no step
        return live if mask is None else live & mask

    def forward(
        self, x: Array, training: bool = False, mask: Array | None = None, initial_state: Any = None, taped: bool = True
    ) -> Forward:
        live = (x.real != self.mask_value).any(axis=-1, keepdims=True)  # (N, T, 1)
        return np.where(live, x, x.dtype.type(0)), [], live

    def backward(self, tape: Any, dy: Any, dstates: Sequence[Array] | None = None, want_dx: bool = True) -> Backward:
        return dy * tape, [], {}

    def stream(self, batch: int) -> Callable[[Array], Array]:
        raise ValueError(
            f"{self.name} masks steps, which a stream does not need: do not call step() for a step to leave out"
        )
