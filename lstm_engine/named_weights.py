"""Weights by name: `layer.weights["kernel"]` is the array that the layer computes with, and assigning writes into it.

No array is ever put in another's place. So the layer, a wrapper around it, the model and the optimizer all see the same
numbers, whichever of them a value was given to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .activations import Array
from .owned import OwnsArrays


class Weights(OwnsArrays, MutableMapping[str, Array]):
    """Arrays by name. `weights[name] = new` checks the new array's shape and writes it into the one that is there."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._arrays = dict(arrays)

    def __getitem__(self, name: str) -> Array:
        if isinstance(name, str) and name in self._arrays:
            return self._arrays[name]
        if isinstance(name, str):
            raise KeyError(f"there is no weight {name!r}, but {', '.join(self) or 'none before build'}")
        raise KeyError(
            f"weights[{name!r}]: weights have names here ({', '.join(self) or 'none before build'}), not numbers; "
            "get_weights() is a list of copies in Keras's order"
        )

    def __setitem__(self, name: str, new: ArrayLike) -> None:
        w = self[name]
        w[...] = fitted(name, w, new)

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"{name} cannot be removed: a layer needs all of its weights")

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return self._arrays | dict(other)

    def __repr__(self) -> str:
        return f"Weights({', '.join(f'{name} {w.shape} {w.dtype}' for name, w in self.items())})"


class LayerWeights:
    """The attribute `weights` of a layer: its own arrays, or those of the layers inside it under the names of its `parts`.

    Assigning a whole dict writes all of its arrays, or none when one does not fit. Complex arrays, for a complex step, take
    the place of the real ones until real arrays are assigned again.
    """

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        if layer is None:
            return self
        parts = layer.parts
        if parts.get("") is layer:
            return layer._weights
        return Weights({prefix + name: w for prefix, part in parts.items() for name, w in part.weights.items()})

    def __set__(self, layer: Any, new: Mapping[str, ArrayLike]) -> None:
        weights = layer.weights
        if set(new) != set(weights):
            raise ValueError(
                f"the weights are {', '.join(weights) or 'none before build'}; got {', '.join(map(str, new))}"
            )
        if not any(np.iscomplexobj(a) for a in (*new.values(), *weights.values())):
            fill(weights, [new[name] for name in weights])
            return
        for prefix, part in layer.parts.items():
            part._weights = Weights({name: np.asarray(new[prefix + name]) for name in part.weights})


def fitted(name: str, w: Array, new: ArrayLike) -> Array:
    """The new values of a weight in its dtype. ValueError for another shape, and for what are no real numbers."""
    try:
        array = np.asarray(new)
    except ValueError:
        raise ValueError(f"{name} is an array of shape {w.shape}; got rows of different lengths") from None
    if array.dtype.kind not in "buif" and array.dtype != w.dtype:
        raise ValueError(f"{name} holds real numbers, {w.dtype}; got an array of {array.dtype}")
    if array.shape != w.shape:
        raise ValueError(f"{name} has shape {w.shape}, got {array.shape}")
    return array.astype(w.dtype, copy=False)


def fill(weights: Mapping[str, Array], new: Sequence[ArrayLike]) -> None:
    """Writes new arrays into named weights, in order. ValueError, and nothing changed, when one does not fit."""
    given = [np.asarray(a) for a in new]
    if [a.shape for a in given] != [w.shape for w in weights.values()]:
        expected = ", ".join(f"{name} {w.shape}" for name, w in weights.items())
        raise ValueError(f"the weights are {expected}; got shapes {', '.join(str(a.shape) for a in given)}")
    arrays = [fitted(name, w, array) for (name, w), array in zip(weights.items(), given, strict=True)]
    for w, array in zip(weights.values(), arrays, strict=True):
        w[...] = array
