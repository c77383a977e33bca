"""A model fed step by step, for sound that is still coming in: each step costs microseconds and remembers all before it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .activations import Array
from .layers import Layer


class Stream:
    """What `model.stream(batch)` gives: `step` after step of `batch` sequences at once, the layers' states kept between.

    After t calls of step the output is what `predict` says of the t steps so far; where the last layer returns
    sequences, of the last of them. Dropout is off, and the model's own states stay as they are.
    """

    def __init__(self, layers: Sequence[Layer], dtype: str, shape: tuple[int, int]) -> None:
        self.layers, self.dtype, self.shape = layers, dtype, shape
        self.reset()

    def reset(self) -> None:
        """Begins anew, from zeros and with the weights that the model has now, which are kept: it may train on meanwhile."""
        self.parts = [layer.stream(self.shape[0]) for layer in self.layers]

    def step(self, x: ArrayLike) -> Array:
        """The output (batch, units) after one more step x (batch, D). ValueError or TypeError for another shape or kind."""
        x = np.asarray(x)
        if x.shape != self.shape:
            raise ValueError(f"a step of this stream has shape {self.shape}, (batch, features), got {x.shape}")
        if x.dtype.kind not in "biuf":
            raise TypeError(f"a step of this stream is an array of real numbers, got one of {x.dtype}")
        y = np.require(x, self.dtype, ["C", "W"])  # kernels are compiled for these; a chunk of sound is often read-only
        for part in self.parts:
            y = part(y)
        return y
