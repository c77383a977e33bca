"""Layers that make one array of several: Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate and Dot.

Each is called on a list, `Add()([a, b])` or `add([a, b])`, of Tensors or of arrays. x, its mask and shape, and dx are lists.
The elementwise ones take shapes that NumPy would broadcast: (N, D) beside (N, T, D) is (N, 1, D), the same at every step. The
gradient of what was broadcast is the sum over the axes along which it was repeated. Masks are Keras's: a step exists in the
output where it does in any input, if all inputs have a mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import mul
from typing import Any, ClassVar

import numpy as np

from .activations import Array
from .backend import one_thread_pool
from .checks import Shape
from .layer import Backward, Forward, Layer
from .masks import handed_out, mask_of
from .tensors import call, check_noted, is_symbolic

Masks = Sequence[Array | None]


class Merge(Layer):
    """Base: checks the inputs. `merge` and `merge_backward` are a pair over a list of arrays of one rank."""

    many_inputs = True
    supports_masking = True
    exactly_two = False

    def __call__(self, x: Any, *, training: bool | None = None, mask: Any = None, initial_state: Any = None) -> Any:
        """The output for a list of arrays (N, ...), float64 when one is, else float32; a Tensor for a list of Tensors."""
        if not isinstance(x, list | tuple):
            raise ValueError(f"{self!r} is called on a list, as [a, b], got {x!r}")
        if is_symbolic(x):
            check_noted([self], training, mask)
            return call(self, x, initial_state)
        if initial_state is not None:
            raise TypeError(f"{self!r} has no states: leave initial_state out")
        masks = mask_of(x) if mask is None else mask
        arrays = [np.asarray(one) for one in x]
        dtype = np.float64 if any(one.dtype == np.float64 for one in arrays) else np.float32
        self.output_shape([one.shape[1:] for one in arrays])
        if len({len(one) for one in arrays}) > 1:
            raise ValueError(f"{self!r} needs arrays of as many samples, got {', '.join(str(a.shape) for a in arrays)}")
        with one_thread_pool(self.backends()):
            y = self.forward([one.astype(dtype, copy=False) for one in arrays], bool(training), masks)[0]
        return handed_out(y, self.output_mask(arrays, masks), arrays)

    def output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        """The shape that all are broadcast to. ValueError where they do not fit."""
        self.check_number(input_shape)
        shape: Shape = ()
        for other in input_shape:
            longer, shorter = sorted((shape, other), key=len, reverse=True)
            start = len(longer) - len(shorter)
            pairs = list(zip(longer[start:], shorter, strict=True))
            if any(None not in pair and 1 not in pair and len(set(pair)) > 1 for pair in pairs):
                raise ValueError(f"{self!r} cannot merge arrays of shapes {without_batch(input_shape)}: they differ")
            shape = (*longer[:start], *(broadcast(*pair) for pair in pairs))
        return shape

    def check_number(self, input_shape: Sequence[Shape]) -> None:
        if self.exactly_two and len(input_shape) != 2:
            raise ValueError(f"{self!r} merges exactly two arrays, got {len(input_shape)}")
        if not input_shape:
            raise ValueError(f"{self!r} merges a list of arrays, got none")

    def output_mask(self, x: Any, mask: Any) -> Any:
        if mask is None or any(one is None for one in mask):
            return None
        return reduce(np.logical_or, mask)

    def forward(
        self, x: Any, training: bool = False, mask: Any = None, initial_state: Any = None, taped: bool = True
    ) -> Forward:
        rank = max(one.ndim for one in x)
        ones = [one.reshape(len(one), *[1] * (rank - one.ndim), *one.shape[1:]) for one in x]
        masks = mask or [None] * len(x)  # that of an array with fewer axes is not read, as in Keras
        live = [
            None if m is None or one.ndim < rank else m.reshape(*m.shape, *[1] * (rank - m.ndim))
            for one, m in zip(x, masks, strict=True)
        ]
        y, tape = self.merge(ones, live)
        return y, [], ([one.shape for one in x], [one.shape for one in ones], tape)

    def backward(self, tape: Any, dy: Any, dstates: Sequence[Array] | None = None, want_dx: bool = True) -> Backward:
        shapes, aligned, merged = tape
        dx = [summed(d, shape) for d, shape in zip(self.merge_backward(merged, dy), aligned, strict=True)]
        return [np.array(d.reshape(shape)) for d, shape in zip(dx, shapes, strict=True)], [], {}  # each its own memory

    def merge(self, x: list[Array], live: Masks) -> tuple[Array, Any]:
        """y and what merge_backward needs. live: the masks (N, T, 1) of the inputs that have one."""
        raise NotImplementedError

    def merge_backward(self, tape: Any, dy: Array) -> list[Array]:
        """A gradient for each input, in dy's shape."""
        raise NotImplementedError


class Add(Merge):
    """y = Σₖ xₖ    dxₖ = dy"""

    def merge(self, x: list[Array], live: Masks) -> tuple[Array, Any]:
        return sum(x[1:], x[0] + 0), len(x)

    def merge_backward(self, tape: Any, dy: Array) -> list[Array]:
        return [dy] * tape


class Average(Merge):
    """y = Σₖ xₖ / n    dxₖ = dy / n"""

    def merge(self, x: list[Array], live: Masks) -> tuple[Array, Any]:
        return sum(x[1:], x[0]) / len(x), len(x)

    def merge_backward(self, tape: Any, dy: Array) -> list[Array]:
        return [dy / tape] * tape


class Subtract(Merge):
    """y = a - b    da = dy    db = -dy"""

    exactly_two = True

    def merge(self, x: list[Array], live: Masks) -> tuple[Array, Any]:
        return x[0] - x[1], None

    def merge_backward(self, tape: Any, dy: Array) -> list[Array]:
        return [dy, -dy]


class Multiply(Merge):
    """y = Πₖ xₖ    dxₖ = dy Πⱼ xⱼ over j ≠ k

    As in Keras, x counts as 1 at its masked steps; where all inputs have a mask, y is 0 at the steps that exist in none.
    """

    def merge(self, x: list[Array], live: Masks) -> tuple[Array, Any]:
        x = [one if m is None else np.where(m, one, one.dtype.type(1)) for one, m in zip(x, live, strict=True)]
        masks = [m for m in live if m is not None]
        exists = reduce(np.logical_or, masks) if len(masks) == len(x) else None
        y = reduce(mul, x, x[0].dtype.type(1))
        return y if exists is None else np.where(exists, y, y.dtype.type(0)), (x, live)

    def merge_backward(self, tape: Any, dy: Array) -> list[Array]:
        x, live = tape
        dx = [reduce(mul, x[:k] + x[k + 1 :], dy) for k in range(len(x))]
        return [d if m is None else np.where(m, d, d.dtype.type(0)) for d, m in zip(dx, live, strict=True)]


class Maximum(Merge):
    """y = max(x₁, x₂, ...), one after the other: a = max(a, b)    da = dy where a > b, ½ dy where a = b, else 0

    As in Keras, b counts as a at b's masked steps, and a as b at those of all before; then each step's y comes from the
    inputs in which it exists.
    """

    pick: ClassVar[Any] = np.maximum

    def merge(self, x: list[Array], live: Masks) -> tuple[Array, Any]:
        a, exists = x[0] + 0, live[0]
        stages = []
        for b, m in zip(x[1:], live[1:], strict=True):
            shapes = a.shape, b.shape
            b = b if m is None else np.where(m, b, a)
            a = a if exists is None else np.where(exists, a, b)
            stages.append((a, b, exists, m, *shapes))
            exists = None if m is None or exists is None else m | exists
            a = type(self).pick(a, b)
        return a, stages

    def merge_backward(self, tape: Any, dy: Array) -> list[Array]:
        dx = []
        for a, b, exists, m, a_shape, b_shape in reversed(tape):
            share = np.where(a == b, 0.5, type(self).pick(a, b) == a).astype(dy.dtype)  # of dy that goes to a
            da, db = dy * share, dy * (1 - share)
            if exists is not None:  # a = where(exists, a, b)
                da, db = np.where(exists, da, dy.dtype.type(0)), np.where(exists, db, da + db)
            if m is not None:  # b = where(m, b, a)
                da, db = np.where(m, da, da + db), np.where(m, db, dy.dtype.type(0))
            dx.append(summed(db, b_shape))
            dy = summed(da, a_shape)
        return [dy, *reversed(dx)]


class Minimum(Maximum):
    """y = min(x₁, x₂, ...), as `Maximum` with the smaller of two."""

    pick: ClassVar[Any] = np.minimum


class Concatenate(Merge):
    """y = [x₁ x₂ ...] along `axis`, counted with the batch as in Keras: -1 is the features, 1 the steps. dx is dy, cut up."""

    def __init__(self, axis: int = -1, **general: Any) -> None:
        super().__init__(**general)
        if isinstance(axis, bool) or not isinstance(axis, int | np.integer) or axis == 0:
            raise ValueError(f"axis must be a whole number other than 0, which is the batch, got {axis!r}")
        self.axis = int(axis)

    def output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        self.check_number(input_shape)
        ranks = {len(shape) for shape in input_shape}
        at = self.place(max(ranks))
        columns = list(zip(*input_shape, strict=False))
        if len(ranks) > 1 or any(len(set(sizes) - {None}) > 1 for k, sizes in enumerate(columns) if k != at):
            raise ValueError(
                f"{self!r} joins arrays that differ in axis {self.axis} alone, got shapes {without_batch(input_shape)}"
            )
        shape = [next((n for n in sizes if n is not None), None) for sizes in columns]
        shape[at] = None if None in columns[at] else sum(columns[at])
        return tuple(shape)

    def place(self, rank: int) -> int:
        """The axis in a shape without the batch."""
        at = self.axis - 1 if self.axis > 0 else self.axis + rank
        if not 0 <= at < rank:
            raise ValueError(f"{self!r} has axis={self.axis}, the arrays have {rank + 1} axes with the batch")
        return at

    def output_mask(self, x: Any, mask: Any) -> Any:
        """Where all features are joined a step exists if it does in any input; an input without a mask has all steps."""
        if mask is None or all(m is None for m in mask):
            return None
        each = [
            np.ones(one.shape, bool) if m is None else np.broadcast_to(m[..., None], one.shape)
            for one, m in zip(x, mask, strict=True)
        ]
        return np.concatenate(each, axis=self.axis).any(axis=-1)

    def forward(
        self, x: Any, training: bool = False, mask: Any = None, initial_state: Any = None, taped: bool = True
    ) -> Forward:
        return np.concatenate(x, axis=self.axis), [], np.cumsum([one.shape[self.axis] for one in x])[:-1]

    def backward(self, tape: Any, dy: Any, dstates: Sequence[Array] | None = None, want_dx: bool = True) -> Backward:
        return [part.copy() for part in np.split(dy, tape, axis=self.axis)], [], {}


class Dot(Merge):
    """y = Σₖ a..ₖ.. b..ₖ.. of each sample, over one axis of each: axes=(2, 1) of (N, T, K) and (N, K, D) gives (N, T, D).

    axes are counted with the batch, as in Keras; one number is for both. With a (N, A, K) and b (N, K, B), whatever axes
    A and B stand for:    y = a b    da = dy bᵀ    db = aᵀ dy. Two arrays (N, K) give (N, 1). The output has no mask.
    """

    exactly_two = True

    def __init__(self, axes: Any, normalize: bool = False, **general: Any) -> None:
        super().__init__(**general)
        pair = [axes, axes] if isinstance(axes, int) else list(axes) if isinstance(axes, list | tuple) else []
        if len(pair) != 2 or not all(isinstance(axis, int) and not isinstance(axis, bool) for axis in pair):
            raise ValueError(f"axes must be a whole number, or two of them, got {axes!r}")
        if 0 in pair:
            raise ValueError(
                f"axes are counted with the batch, which is axis 0 and cannot be summed over, got {axes!r}"
            )
        if normalize:
            raise TypeError(
                "Dot has no normalize=True in this engine: its product is of the arrays as they are; divide them by their "
                "norms before the network"
            )
        self.axes = axes if isinstance(axes, int) else pair
        self.normalize = False

    def places(self, shapes: Sequence[Shape]) -> list[int]:
        """The two axes, counted with the batch from the front; shapes are without it. ValueError where there is none."""
        pair = [self.axes] * 2 if isinstance(self.axes, int) else self.axes
        at = [axis if axis > 0 else axis + len(shape) + 1 for axis, shape in zip(pair, shapes, strict=True)]
        if not all(0 < k <= len(shape) for k, shape in zip(at, shapes, strict=True)):
            raise ValueError(f"{self!r} has axes={self.axes}, the arrays have shapes {without_batch(shapes)}")
        return at

    def output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        self.check_number(input_shape)
        at = self.places(input_shape)
        sizes = {shape[k - 1] for k, shape in zip(at, input_shape, strict=True)}
        if len(sizes - {None}) > 1:
            raise ValueError(
                f"{self!r} sums over axes {at[0]} and {at[1]}, which must be as long, got {without_batch(input_shape)}"
            )
        rest = [n for k, shape in zip(at, input_shape, strict=True) for n in (*shape[: k - 1], *shape[k:])]
        return tuple(rest) or (1,)

    def output_mask(self, x: Any, mask: Any) -> Any:
        return None

    def forward(
        self, x: Any, training: bool = False, mask: Any = None, initial_state: Any = None, taped: bool = True
    ) -> Forward:
        at = self.places([one.shape[1:] for one in x])
        first, second = np.moveaxis(x[0], at[0], -1), np.moveaxis(x[1], at[1], 1)
        N, K = len(first), first.shape[-1]
        a, b = first.reshape(N, -1, K), second.reshape(N, K, -1)  # (N, A, K), (N, K, B)
        y = (a @ b).reshape(N, *(first.shape[1:-1] + second.shape[2:] or (1,)))
        return y, [], (a, b, at, first.shape, second.shape)

    def backward(self, tape: Any, dy: Any, dstates: Sequence[Array] | None = None, want_dx: bool = True) -> Backward:
        a, b, at, first, second = tape
        dy = dy.reshape(len(a), a.shape[1], b.shape[2])
        da, db = dy @ b.swapaxes(1, 2), a.swapaxes(1, 2) @ dy
        return [np.moveaxis(da.reshape(first), -1, at[0]), np.moveaxis(db.reshape(second), 1, at[1])], [], {}


# -- Keras's functions -------------------------------------------------------------------------------------------------


def add(inputs: Any, **general: Any) -> Any:
    """`Add` of a list of Tensors or arrays."""
    return Add(**general)(inputs)


def average(inputs: Any, **general: Any) -> Any:
    """`Average` of a list of Tensors or arrays."""
    return Average(**general)(inputs)


def subtract(inputs: Any, **general: Any) -> Any:
    """`Subtract` of two Tensors or arrays."""
    return Subtract(**general)(inputs)


def multiply(inputs: Any, **general: Any) -> Any:
    """`Multiply` of a list of Tensors or arrays."""
    return Multiply(**general)(inputs)


def maximum(inputs: Any, **general: Any) -> Any:
    """`Maximum` of a list of Tensors or arrays."""
    return Maximum(**general)(inputs)


def minimum(inputs: Any, **general: Any) -> Any:
    """`Minimum` of a list of Tensors or arrays."""
    return Minimum(**general)(inputs)


def concatenate(inputs: Any, axis: int = -1, **general: Any) -> Any:
    """`Concatenate` of a list of Tensors or arrays."""
    return Concatenate(axis, **general)(inputs)


def dot(inputs: Any, axes: Any = -1, **general: Any) -> Any:
    """`Dot` of two Tensors or arrays."""
    return Dot(axes, **general)(inputs)


# -- shapes ------------------------------------------------------------------------------------------------------------


def broadcast(m: int | None, n: int | None) -> int | None:
    """The size of an axis of these two sizes; None is not known."""
    if m == 1 or n == 1:
        return n if m == 1 else m
    return None if None in (m, n) else m


def summed(d: Array, shape: Sequence[int]) -> Array:
    """The gradient of an array that was broadcast from this shape: the sum over the axes along which it was repeated."""
    repeated = tuple(k for k, (n, m) in enumerate(zip(d.shape, shape, strict=True)) if n != m)
    return d.sum(axis=repeated, keepdims=True) if repeated else d


def without_batch(shapes: Sequence[Shape]) -> str:
    return " and ".join(str((None, *shape)) for shape in shapes)
