"""Weights at which a gradient check detects an error in any term."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from ..assembly import NOT_BUILT
from ..initializers import Orthogonal
from ..layer import Layer
from ..network import Network

N = TypeVar("N", bound=Network | Layer)


def unit_scale(model: N, seed: int | np.random.Generator = 0) -> N:
    """Draws new weights for a model or layer in place: kernels N(0, 1/D), recurrent kernels orthogonal, all others N(0, 1).

    The others are biases, an Embedding's rows, which are inputs, and a LayerNormalization's gamma and beta.

    Returns the model. At this scale, with inputs N(0, 1), all terms of a gradient count, and T steps amplify rounding little.
    Smaller weights hide wrong terms; recurrent weights of N(0, 1) are chaotic and make right gradients look wrong.
    """
    if not model.built:
        raise ValueError(NOT_BUILT)
    rng = np.random.default_rng(seed)
    for name, w in model.weights.items():
        if name.endswith("recurrent_kernel"):
            w[...] = Orthogonal().draw(w.shape, rng)
        elif name.endswith(("bias", "embeddings", "gamma", "beta")):
            w[...] = rng.standard_normal(w.shape)
        else:
            w[...] = rng.standard_normal(w.shape) / np.sqrt(len(w))
    return model
