"""What often follows a cell inside a function: a linear layer on h, an activation, and a loss, with their gradients.

y = act(h V + b_y) at every step or at the last one; the loss is a cross-entropy or a sum of squares, times a constant. Which
of these a function has is found by comparing values, as for the cell itself (`recognise.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from ..activations import Array, sigmoid
from .equations import Blocks

SAME = 1e-9


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "softmax": softmax,
    "": lambda z: z,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
}
SLOPES: dict[str, Callable[[Array, Any], Array]] = {  # δz from y and δy
    "softmax": lambda y, dy: y * (dy - (dy * y).sum(axis=-1, keepdims=True)),
    "": lambda y, dy: dy,
    "sigmoid": lambda y, dy: dy * y * (1 - y),
    "tanh": lambda y, dy: dy * (1 - y * y),
}
LOSSES: dict[str, Callable[[Array, Array], Any]] = {  # of y and the targets
    "cross-entropy": lambda y, t: -(t * np.log(y)).sum(),
    "binary cross-entropy": lambda y, t: -(t * np.log(y) + (1 - t) * np.log(1 - y)).sum(),
    "squares": lambda y, t: ((y - t) ** 2).sum(),
    "-log y": lambda y, t: -np.log(y).sum(),
}
LOSS_SLOPES: dict[str, Callable[[Array, Array], Array]] = {
    "cross-entropy": lambda y, t: -t / y,
    "binary cross-entropy": lambda y, t: -t / y + (1 - t) / (1 - y),
    "squares": lambda y, t: 2 * (y - t),
    "-log y": lambda y, t: -1 / y,
}
LOSS_OF = {
    "softmax": ("cross-entropy", "squares"),
    "sigmoid": ("binary cross-entropy", "squares"),
    "": ("squares",),
    "tanh": ("squares",),
}


@dataclass(frozen=True)
class Head:
    """The layer after a cell, and the loss where the function has one."""

    V: str  # name of the caller's matrix
    turned: bool  # (K, H)
    bias: str = ""
    activation: str = ""
    last: bool = False  # on the last h alone
    loss: str = ""
    target: tuple[str, str] = ("", "")  # name and layout; no name where the target is fixed inside, as for -log y
    divisor: str = ""  # of the loss: letters of the axes over which it is a mean, and "2" for half of it

    def logits(self, hs: Array, values: Mapping[str, Any]) -> Array:
        """(T, B, K), or (1, B, K) of the last step."""
        V = values[self.V].T if self.turned else values[self.V]
        b = values[self.bias].reshape(-1) if self.bias else 0.0
        return (hs[-1:] if self.last else hs) @ V + b

    def outputs(self, hs: Array, values: Mapping[str, Any]) -> Array:
        return ACTIVATIONS[self.activation](self.logits(hs, values))

    def divided(self, sizes: Mapping[str, int]) -> float:
        return float(np.prod([2 if k == "2" else sizes[k] for k in self.divisor]))

    def loss_value(self, hs: Array, values: Mapping[str, Any]) -> float:
        y = self.outputs(hs, values)
        sizes = dict(zip("TBK", y.shape, strict=True))
        return float(LOSSES[self.loss](y, self.targets(values, y)) / self.divided(sizes))

    def targets(self, values: Mapping[str, Any], y: Array) -> Array:
        """The targets in the shape of y."""
        name, layout = self.target
        return targets(values[name], layout, y.shape) if name else np.ones_like(y)

    def back(self, hs: Array, values: Mapping[str, Any], dy: Array | float) -> tuple[Array, Blocks]:
        """δh (T, B, H) and the blocks ("V", ""), ("by", ""). dy: the upstream gradient of y (T, B, K), or of the loss."""
        y = self.outputs(hs, values)
        if self.loss:
            dy = (
                dy
                * LOSS_SLOPES[self.loss](y, self.targets(values, y))
                / self.divided(dict(zip("TBK", y.shape, strict=True)))
            )
        dz = SLOPES[self.activation](y, dy)  # (T, B, K)
        V = values[self.V].T if self.turned else values[self.V]  # (H, K)
        seen = hs[-1:] if self.last else hs
        dh = np.zeros_like(hs)
        dh[-len(dz) :] = dz @ V.T
        return dh, {("V", ""): np.einsum("tbh,tbk->hk", seen, dz), ("by", ""): dz.sum(axis=(0, 1))}

    def draw(self, rng: np.random.Generator, values: Mapping[str, Any], T: int, B: int) -> dict[str, Any]:
        """New parameters and targets; the targets are classes where they are whole numbers or rows of one 1."""
        drawn = {name: 0.7 * rng.standard_normal(np.shape(values[name])) for name in (self.V, self.bias) if name}
        if not self.target[0]:
            return drawn
        name, layout = self.target
        K = width(values[self.V], self.turned)
        old = values[name]
        sizes = {"T": T, "B": B}
        if is_whole(old):
            shape = tuple(sizes[k] for k in layout)
            new = rng.integers(0, K, shape)
            drawn[name] = [int(n) for n in new] if isinstance(old, list) else int(new) if not shape else new
            return drawn
        steps = 1 if self.last else T
        one = (
            np.eye(K)[rng.integers(0, K, (steps, B))] if self.loss != "squares" and K > 1 else rng.random((steps, B, K))
        )
        drawn[name] = lie(one, layout)
        return drawn


def width(V: Array, turned: bool) -> int:
    return V.shape[0] if turned else V.shape[1]


def lie(a: Array, layout: str) -> Array:
    """An array (T, B, F) in the caller's layout."""
    kept = [k for k in "TBF" if k in layout]
    a = a.reshape([n for n, k in zip(a.shape, "TBF", strict=True) if k in layout])
    return a.transpose([kept.index(k) for k in layout])


def is_whole(a: Any) -> bool:
    return np.asarray(a).dtype.kind in "iu"


def targets(a: Any, layout: str, shape: tuple[int, ...]) -> Array:
    """The targets (T, B, K) of y's shape; whole numbers are classes."""
    t = np.asarray(a)
    if t.dtype.kind in "iu":
        order = [layout.index(k) for k in "TB" if k in layout]
        return np.eye(shape[-1])[t.transpose(order).reshape(shape[:2])]
    order = [layout.index(k) for k in "TBF" if k in layout]
    return t.transpose(order).reshape(shape)


# -- finding it --------------------------------------------------------------------------------------------------------

TARGETS = {0: ("",), 1: ("T", "B"), 2: ("TB", "BT")}
FLOAT_TARGETS = {3: ("TBF", "BTF", "FBT", "TFB"), 2: ("TF", "BF", "FB", "FT", "TB", "BT"), 1: ("F", "T", "B")}


def layers(left: Mapping[str, Array], H: int) -> Iterator[Head]:
    """Linear layers on h that the arrays left over admit."""
    for name, V in left.items():
        if V.ndim != 2 or H not in V.shape:
            continue
        for turned in (False, True):
            if V.shape[1 if turned else 0] != H:
                continue
            K = width(V, turned)
            biases = [b for b, a in left.items() if b != name and a.size == K and max(a.shape, default=1) == K]
            for bias in [*biases, ""]:
                yield Head(name, turned, bias)


def heads(left: Mapping[str, Array], H: int, hs: Array, values: Mapping[str, Any], shown: Array) -> Iterator[Head]:
    """Every head whose values are this output of the function."""
    for layer, activation, last in product(layers(left, H), ACTIVATIONS, (False, True)):
        head = replace(layer, activation=activation, last=last)
        if shown.size != 1:
            rows = hs.shape[1] * (1 if last else hs.shape[0])  # B or T · B
            if shown.size == rows * width(values[layer.V], layer.turned) and among(head.outputs(hs, values), shown):
                yield head
            continue
        y = head.outputs(hs, values)
        if activation == "sigmoid" and abs(-np.log(y).sum() - float(shown.reshape(()))) <= SAME * abs(np.log(y).sum()):
            yield replace(head, loss="-log y")
        for name, layout in target_choices(values, left, y.shape):
            for loss in LOSS_OF[activation]:
                with np.errstate(all="ignore"):
                    full = LOSSES[loss](y, targets(values[name], layout, y.shape))
                if not np.isfinite(full):
                    continue
                for divisor in ("", "T", "B", "TB", "K", "BK", "TK", "TBK", "2", "2B", "2T", "2TB", "2K"):
                    found = replace(head, loss=loss, target=(name, layout), divisor=divisor)
                    if abs(
                        full / found.divided(dict(zip("TBK", y.shape, strict=True))) - float(shown.reshape(()))
                    ) <= SAME * abs(full):
                        yield found


def among(computed: Array, shown: Array) -> bool:
    """Whether the first computed number is among those shown: a quick no for most guesses."""
    return bool(np.abs(shown - computed.flat[0]).min() <= SAME * max(abs(computed.flat[0]), 1e-3) * 10)


def target_choices(
    values: Mapping[str, Any], left: Mapping[str, Array], shape: tuple[int, ...]
) -> Iterator[tuple[str, str]]:
    """Inputs that may be the targets of y, with their layout."""
    sizes = dict(zip("TBF", shape, strict=True))
    for name, a in values.items():
        try:
            t = np.asarray(a)
        except ValueError:
            continue
        if t.dtype.kind in "iu":
            choices = [k for k in TARGETS.get(t.ndim, ()) if t.size == 0 or t.max() < shape[-1]]
        elif t.dtype == float and name in left:
            choices = list(FLOAT_TARGETS.get(t.ndim, ()))
        else:
            continue
        for layout in choices:
            fits = all(n == sizes[k] for n, k in zip(t.shape, layout, strict=True))
            axes = "TB" if t.dtype.kind in "iu" else "TBF"
            if fits and all(sizes[k] == 1 for k in axes if k not in layout):
                yield name, layout
