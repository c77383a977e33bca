"""Weights that are read, not drawn: a layer out of a file is built with zeros, and never with more than the file holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from .initializers import Initializer
from .layer import Layer


@dataclass(frozen=True)
class Undrawn(Initializer):
    """Zeros in place of what another initializer would draw, as long as the file has so many numbers."""

    left: list[int]

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Any:
        self.left[0] -= int(np.prod(shape, dtype=object))
        if self.left[0] < 0:
            raise ValueError(f"a weight of shape {shape} is more than the file has numbers for")
        return np.zeros(shape)


@contextmanager
def undrawn(layers: Sequence[Layer], numbers: int | None) -> Iterator[None]:
    """In the block the layers' weights are built as zeros, at most so many numbers; with None they are drawn."""
    kept: list[tuple[Any, str, Any]] = []
    if numbers is not None:
        zeros = Undrawn([numbers])
        parts = [part for layer in layers for part in layer.parts.values()]
        kept = [(p, name, v) for p in parts for name, v in vars(p).items() if isinstance(v, Initializer)]
        for part, name, _ in kept:
            setattr(part, name, zeros)
    try:
        yield
    finally:
        for part, name, value in kept:
            setattr(part, name, value)
