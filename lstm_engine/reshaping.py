"""Layers that only lay out the same numbers anew: Flatten, Reshape, Permute, and RepeatVector, which repeats them.

As in Keras their output has no mask: its axes are no longer those of the input's steps.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .activations import Array
from .checks import Shape, positive_int
from .layer import Backward, Forward, Layer


class Reshaping(Layer):
    """Base of these layers. They have no weights, and y is a new array, so that writing to it changes no tape."""

    def output_mask(self, x: Array, mask: Array | None) -> None:
        if mask is not None:
            warnings.warn(
                f"{self.name} ({type(self).__name__}) got steps with a mask and drops it, as Keras's does: the layers above "
                "see every step",
                stacklevel=2,
            )

    def stream(self, batch: int) -> Callable[[Array], Array]:
        raise ValueError(
            f"{self.name} ({type(self).__name__}) lays out a whole sequence anew, which a stream has not seen: see predict"
        )


class Flatten(Reshaping):
    """All numbers of a sample in a row: (N, T, D) -> (N, T D). Keras's `Flatten`."""

    def __init__(self, data_format: str | None = None, **general: Any) -> None:
        super().__init__(**general)
        if data_format not in (None, "channels_last"):
            raise ValueError(
                f'Flatten has data_format "channels_last" only, got {data_format!r}: put a Permute before it'
            )
        self.data_format = data_format

    def output_shape(self, input_shape: Shape) -> Shape:
        return (None,) if None in input_shape else (math.prod(input_shape),)

    def forward(
        self, x: Array, training: bool = False, mask: Array | None = None, initial_state: Any = None, taped: bool = True
    ) -> Forward:
        return x.reshape(len(x), math.prod(x.shape[1:])).copy(), [], x.shape

    def backward(self, tape: Any, dy: Any, dstates: Sequence[Array] | None = None, want_dx: bool = True) -> Backward:
        return dy.reshape(tape).copy(), [], {}


class Reshape(Reshaping):
    """(N, ...) -> (N, *target_shape); one size may be -1, and follows from the others. Keras's `Reshape`."""

    def __init__(self, target_shape: Sequence[int], **general: Any) -> None:
        super().__init__(**general)
        sizes = tuple(target_shape) if isinstance(target_shape, list | tuple) else ()
        whole = all(isinstance(n, int | np.integer) and not isinstance(n, bool) and (n > 0 or n == -1) for n in sizes)
        if not sizes or not whole or sizes.count(-1) > 1:
            raise ValueError(
                f"target_shape is a tuple of sizes without the batch, of which one may be -1, got {target_shape!r}"
            )
        self.target_shape = tuple(int(n) for n in sizes)

    def output_shape(self, input_shape: Shape) -> Shape:
        known = math.prod(n for n in self.target_shape if n != -1)
        if None in input_shape:  # a number of steps that is not known before the data come
            return tuple(None if n == -1 else n for n in self.target_shape)
        size = math.prod(input_shape)
        if size % known or (-1 not in self.target_shape and size != known):
            target = ", ".join(map(str, self.target_shape))
            raise ValueError(
                f"{self.name or 'reshape'} makes (samples, {target}) of {size} numbers a sample, which does not work out: "
                f"X is (samples, {', '.join(map(str, input_shape))})"
            )
        return tuple(size // known if n == -1 else n for n in self.target_shape)

    def forward(
        self, x: Array, training: bool = False, mask: Array | None = None, initial_state: Any = None, taped: bool = True
    ) -> Forward:
        return x.reshape(len(x), *self.output_shape(x.shape[1:])).copy(), [], x.shape

    def backward(self, tape: Any, dy: Any, dstates: Sequence[Array] | None = None, want_dx: bool = True) -> Backward:
        return dy.reshape(tape).copy(), [], {}


class Permute(Reshaping):
    """The axes in another order, counted from 1 without the batch: dims=(2, 1) makes (N, D, T) of (N, T, D)."""

    def __init__(self, dims: Sequence[int], **general: Any) -> None:
        super().__init__(**general)
        if not isinstance(dims, list | tuple) or not dims or sorted(dims) != list(range(1, len(dims) + 1)):
            raise ValueError(f"dims holds the axes without the batch, counted from 1, in their new order, got {dims!r}")
        self.dims = tuple(int(axis) for axis in dims)

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != len(self.dims):
            got = ", ".join(map(str, input_shape))
            raise ValueError(f"{self.name or 'permute'} has dims {self.dims}, but X is (samples, {got})")
        return tuple(input_shape[axis - 1] for axis in self.dims)

    def forward(
        self, x: Array, training: bool = False, mask: Array | None = None, initial_state: Any = None, taped: bool = True
    ) -> Forward:
        return x.transpose(0, *self.dims).copy(), [], None

    def backward(self, tape: Any, dy: Any, dstates: Sequence[Array] | None = None, want_dx: bool = True) -> Backward:
        return dy.transpose(np.argsort((0, *self.dims))).copy(), [], {}  # the order that leads back


class RepeatVector(Reshaping):
    """The same vector at n steps, as for a decoder: (N, D) -> (N, n, D). Keras's `RepeatVector`.

    y[:, t] = x for every t, so δx = Σₜ δy[:, t].
    """

    def __init__(self, n: int, **general: Any) -> None:
        super().__init__(**general)
        self.n = positive_int("RepeatVector's n", n)

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            name, got = self.name or "repeat_vector", ", ".join(map(str, input_shape))
            raise ValueError(
                f"{name} repeats vectors (samples, features), but X is (samples, {got}): the layer below must return its "
                "last step alone, return_sequences=False"
            )
        return (self.n, *input_shape)

    def forward(
        self, x: Array, training: bool = False, mask: Array | None = None, initial_state: Any = None, taped: bool = True
    ) -> Forward:
        return x[:, None].repeat(self.n, axis=1), [], None

    def backward(self, tape: Any, dy: Any, dstates: Sequence[Array] | None = None, want_dx: bool = True) -> Backward:
        return dy.sum(axis=1), [], {}
