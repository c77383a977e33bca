"""The matrix products that the cells share. G is the number of gates side by side in U (H, G H) and z (B, G H).

Without recurrent dropout one product h'U serves all gates. With it, gate k reads h∘rₖ, and one mask r (G, B, H) serves all
steps.
"""

import numpy as np

from ..activations import Array


def recurrent_product(h: Array, U: Array, r: Array | None) -> Array:
    if r is None:
        return h @ U  # (B, GH)
    return np.concatenate([(h * r_k) @ U_k for r_k, U_k in zip(r, np.split(U, len(r), axis=-1), strict=True)], axis=-1)


def recurrent_product_backward(dz: Array, U: Array, r: Array | None) -> Array:
    if r is None:
        return dz @ U.T  # (B, H)
    gates = zip(np.split(dz, len(r), axis=-1), np.split(U, len(r), axis=-1), r, strict=True)
    return sum((dz_k @ U_k.T) * r_k for dz_k, U_k, r_k in gates)


def recurrent_kernel_gradient(h_prev: Array, dz: Array, r: Array | None) -> Array:
    """dU (H, GH) from the states that the steps start from, h_prev (T, B, H), and dz (T, B, GH)."""
    if r is None:
        return sum_over_steps(h_prev, dz)
    gates = zip(r, np.split(dz, len(r), axis=-1), strict=True)
    return np.concatenate([sum_over_steps(h_prev * r_k, dz_k) for r_k, dz_k in gates], axis=-1)


def sum_over_steps(a: Array, dz: Array) -> Array:
    """Σ over steps and sequences of aᵀδz, as one matrix product: (T, B, K) and (T, B, GH) -> (K, GH)."""
    return np.tensordot(a, dz, axes=((0, 1), (0, 1)))
