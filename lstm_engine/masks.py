"""Masks between layers called by hand, as in Keras: the array that `layer(x)` returns has its mask in `_keras_mask`.

The next layer finds it there. A new array that is computed from it, or a part of it, has none: then give `mask=`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .activations import Array


class Masked(np.ndarray):
    """An array with a mask (N, T). Whatever NumPy computes from it is an ordinary array, and so is its pickle."""

    _keras_mask: Array | None = None

    def __array_wrap__(self, array: Array, context: Any = None, return_scalar: bool = False) -> Any:
        return array[()] if return_scalar else np.asarray(array)

    def __getitem__(self, at: Any) -> Any:
        return np.asarray(self)[at]

    def __reduce_ex__(self, protocol: Any) -> Any:
        return np.asarray(self).__reduce_ex__(protocol)

    def __repr__(self) -> str:
        return repr(np.asarray(self))


def mask_of(x: Any) -> Any:
    """The mask that an array carries, or None; for a list of inputs a list, or None when none of them has one."""
    if isinstance(x, list | tuple):
        masks = [getattr(one, "_keras_mask", None) for one in x]
        return masks if any(mask is not None for mask in masks) else None
    return getattr(x, "_keras_mask", None)


def handed_out(outputs: Any, masks: Any, x: Any) -> Any:
    """What a layer's call returns: its outputs with their masks, each a list or one, and none of them memory of x."""
    if isinstance(outputs, list):
        masks = masks if isinstance(masks, list) else [masks] * len(outputs)
        return [handed_out(y, mask, x) for y, mask in zip(outputs, masks, strict=True)]
    for one in x if isinstance(x, list) else [x]:
        if np.may_share_memory(outputs, one):
            outputs = outputs.copy()
    if masks is None:
        return outputs
    y = outputs.view(Masked)
    y._keras_mask = np.array(masks, bool)
    return y
