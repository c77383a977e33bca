"""How weights start, as Keras 3 starts them: Glorot-uniform kernels, orthogonal recurrent kernels, zero biases.

Every function takes a shape and a generator and returns float64; the layer casts to the model's dtype.
"""

import numpy as np
from numpy.typing import NDArray


def glorot_uniform(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """Uniform in ±sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010). Keras takes an LSTM's (D, 4H) as one."""
    fan_in, fan_out = shape
    limit = np.sqrt(6.0 / (fan_in + fan_out))
    return rng.uniform(-limit, limit, shape)


def orthogonal(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """A random orthogonal matrix (Saxe et al. 2014); in a wide one, as an LSTM's (H, 4H), the rows are orthonormal."""
    rows, columns = shape
    q, r = np.linalg.qr(rng.standard_normal((max(shape), min(shape))))
    q *= np.sign(np.diag(r))  # makes the distribution uniform over rotations
    return q.T if rows < columns else q


def unit_forget_bias(units: int) -> NDArray[np.float64]:
    """(4H,) zeros with ones in the forget quarter, so that it remembers at first (Jozefowicz et al. 2015)."""
    bias = np.zeros((4, units))
    bias[1] = 1.0
    return bias.reshape(-1)
