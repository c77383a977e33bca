"""Adam's compiled twin: `Adam.update` of `optimizers.py` in one pass over the four arrays, with the same bits.

NumPy makes an array for each sum and product. Here no multiplication is contracted with an addition, and denormals are
kept, so that every number is computed by the same operations. It runs on one thread, and takes half a millisecond for a
million weights.
"""

from typing import Any

import numpy as np

from ..activations import Array
from .disk_cache import kernel


def adam_update(adam: Any, w: Array, g: Array, lr: Any, m: Array, v: Array) -> None:
    """`Adam.update`, compiled: changes w, m and v (one shape and dtype) in place. ValueError unless C-contiguous."""
    if not (w.flags.c_contiguous and m.flags.c_contiguous and v.flags.c_contiguous):
        raise ValueError(
            "Adam's kernel changes arrays in C order, and of others it would change a copy: use np.ascontiguousarray"
        )
    rates = 1 - adam.beta_1, 1 - adam.beta_2
    _update(w.reshape(-1), g.reshape(-1), m.reshape(-1), v.reshape(-1), adam.alpha(lr), *rates, adam.epsilon)


@kernel(error_model="numpy")
def _update(w: Array, g: Array, m: Array, v: Array, alpha: Any, rate_m: float, rate_v: float, epsilon: float) -> None:
    real = w.dtype.type
    rate_m, rate_v, epsilon = real(rate_m), real(rate_v), real(epsilon)
    for n in range(w.size):
        m[n] += (g[n] - m[n]) * rate_m
        v[n] += (g[n] * g[n] - v[n]) * rate_v
        w[n] -= alpha * m[n] / (np.sqrt(v[n]) + epsilon)


COMPILED = adam_update
