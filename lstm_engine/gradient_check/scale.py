"""Weights at which a gradient check sees every term."""

from __future__ import annotations

import numpy as np

from ..initializers import Orthogonal
from ..network import Network


def unit_scale(model: Network, seed: int = 0) -> Network:
    """Draws new weights in place and returns the model: kernels N(0, 1/D), recurrent kernels orthogonal, biases N(0, 1).

    At this scale, with inputs N(0, 1), all terms of a gradient count and T steps amplify rounding little. Smaller weights
    hide wrong terms; recurrent weights of N(0, 1) are chaotic and make right gradients look wrong.
    """
    if not model.built:
        raise ValueError("the model has no weights yet: give input_shape, or call build((T, D))")
    rng = np.random.default_rng(seed)
    for name, w in model.weights.items():
        if name.endswith("recurrent_kernel"):
            w[...] = Orthogonal().draw(w.shape, rng)
        elif name.endswith("bias"):
            w[...] = rng.standard_normal(w.shape)
        else:
            w[...] = rng.standard_normal(w.shape) / np.sqrt(len(w))
    return model
