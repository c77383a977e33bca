"""LayerNormalization: every sample, at every step, gets mean 0 and variance 1 over its features (Ba et al. 2016)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import initializers, regularizers
from .activations import Array
from .checks import Shape
from .layer import Backward, Forward, Layer


class LayerNormalization(Layer):
    """x less its mean, over its standard deviation, times γ, plus β: Keras's `LayerNormalization`. The shape stays.

        μ = mean(x)      s = √(mean((x - μ)²) + ε)      x̂ = (x - μ) / s      y = γ∘x̂ + β

        δβ = Σ δy      δγ = Σ δy∘x̂      δx̂ = δy∘γ      δx = (δx̂ - mean(δx̂) - x̂∘mean(δx̂∘x̂)) / s

    Means are over all n numbers on `axis`, one or several, counted with the batch as axis 0; sums are over all other axes.
    δx has three terms because x moves x̂ in three ways: by itself, by μ with ∂μ/∂xᵢ = 1/n, and by s with
    ∂s/∂xᵢ = (xᵢ - μ) / (n s) = x̂ᵢ/n. So ∂x̂ⱼ/∂xᵢ = ([i = j] - 1/n - x̂ⱼ x̂ᵢ/n) / s, and δxᵢ = Σⱼ δx̂ⱼ ∂x̂ⱼ/∂xᵢ.
    """

    supports_masking = True

    def __init__(
        self, axis: int | Sequence[int] = -1, epsilon: float = 1e-3, center: bool = True, scale: bool = True,
        beta_initializer: Any = "zeros", gamma_initializer: Any = "ones", beta_regularizer: Any = None,
        gamma_regularizer: Any = None, **general: Any,
    ) -> None:  # fmt: skip
        super().__init__(**general)
        listed = [axis] if isinstance(axis, int | np.integer) else axis
        if not isinstance(listed, list | tuple) or not all(
            type(a) is not bool and isinstance(a, int | np.integer) for a in listed
        ):
            raise TypeError(f"axis is a whole number or a list of them, got {axis!r}")
        if not listed or 0 in listed or len(set(listed)) < len(listed) or len({a < 0 for a in listed}) > 1:
            raise ValueError(
                f"axis must name axes without the batch, 0, each once, all counted from one end, got {axis!r}"
            )
        if isinstance(epsilon, bool) or not isinstance(epsilon, int | float | np.number) or not 0 <= epsilon < np.inf:
            raise ValueError(f"epsilon must be a number of at least 0, got {epsilon!r}")
        self.axis = [int(a) for a in listed] if listed is axis else int(listed[0])
        self.epsilon = float(epsilon)
        self.center = bool(center)
        self.scale = bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)

    def axes(self, ndim: int) -> tuple[int, ...]:
        """The axes of the means in an array of so many axes, the first of them the batch."""
        listed = self.axis if isinstance(self.axis, list) else [self.axis]
        if not all(-ndim < axis < ndim for axis in listed):
            raise ValueError(f"{self.name or 'layer_normalization'} has axis={self.axis}, but x has {ndim} axes")
        return tuple(sorted(axis % ndim for axis in listed))

    def sizes(self, input_shape: Shape) -> Shape:
        """The shape of γ and β."""
        sizes = tuple(input_shape[axis - 1] for axis in self.axes(len(input_shape) + 1))
        if None in sizes:
            got = ", ".join(map(str, input_shape))
            raise ValueError(
                f"{self.name or 'layer_normalization'} needs the size of axis {self.axis}, but X is (samples, {got})"
            )
        return sizes

    def output_shape(self, input_shape: Shape) -> Shape:
        self.sizes(input_shape)
        return input_shape

    def check_fit(self, shape: Shape) -> None:
        if self.weights and (expected := next(iter(self.weights.values())).shape) != (got := self.sizes(shape)):
            raise ValueError(f"{self!r} was built for {expected} numbers on axis {self.axis}, got {got}")

    def initial_weights(self, input_shape: Shape, rng: np.random.Generator) -> dict[str, Array]:
        sizes = self.sizes(input_shape)
        gamma = {"gamma": self.gamma_initializer.draw(sizes, rng)} if self.scale else {}
        return gamma | ({"beta": self.beta_initializer.draw(sizes, rng)} if self.center else {})

    def penalties(self) -> dict[str, regularizers.Regularizer | None]:
        return {"gamma": self.gamma_regularizer, "beta": self.beta_regularizer}

    def along(self, w: Array, x: Array) -> Array:
        """γ or β with axes of 1 for those of x that it does not have."""
        axes = self.axes(x.ndim)
        return w.reshape([n if axis in axes else 1 for axis, n in enumerate(x.shape)])

    def forward(
        self, x: Array, training: bool = False, mask: Array | None = None, initial_state: Any = None, taped: bool = True
    ) -> Forward:
        axes = self.axes(x.ndim)
        centred = x - x.mean(axis=axes, keepdims=True)
        s = np.sqrt((centred * centred).mean(axis=axes, keepdims=True) + self.epsilon)
        x_hat = centred / s
        y = x_hat * self.along(self.weights["gamma"], x) if self.scale else x_hat.copy()
        if self.center:
            y = y + self.along(self.weights["beta"], x)
        return y, [], (x_hat, s)

    def backward(self, tape: Any, dy: Any, dstates: Sequence[Array] | None = None, want_dx: bool = True) -> Backward:
        x_hat, s = tape
        axes = self.axes(dy.ndim)
        others = tuple(axis for axis in range(dy.ndim) if axis not in axes)
        gradients = {"gamma": (dy * x_hat).sum(axis=others)} if self.scale else {}
        gradients |= {"beta": dy.sum(axis=others)} if self.center else {}
        dx_hat = dy * self.along(self.weights["gamma"], dy) if self.scale else dy
        by_mean = dx_hat.mean(axis=axes, keepdims=True)
        by_s = x_hat * (dx_hat * x_hat).mean(axis=axes, keepdims=True)
        return (dx_hat - by_mean - by_s) / s, [], gradients

    def stream(self, batch: int) -> Callable[[Array], Array]:
        features = len(self.input_shape or ())
        if self.axes(features + 1) != (features,):
            raise ValueError(
                f"{self.name} takes means over axis {self.axis}, which are not those of one step: a stream has no others"
            )
        one_step = copy.copy(self)
        one_step.axis = -1  # of a step (batch, D)
        return Layer.stream(one_step, batch)
