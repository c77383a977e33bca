"""Weights by name: `layer.weights["kernel"]` is the array that the layer computes with, and assigning writes into it.

No array is ever put in another's place. So the layer, a wrapper around it, the model and the optimizer all see the same
numbers, whichever of them a value was given to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from . import finite
from .activations import Array
from .owned import owned


class Weights(dict[str, Array]):
    """Arrays by name. `weights[name] = new` checks the new array's shape and writes it into the one that is there.

    Unpickled or copied, it owns its arrays (`owned.py`).
    """

    def __setitem__(self, name: str, new: ArrayLike) -> None:
        w = self[name]
        w[...] = fitted(name, w, new)

    def __missing__(self, name: Any) -> Any:
        names = ", ".join(self) or "none before build"
        if isinstance(name, str):
            raise KeyError(f"there is no weight {name!r}, but {names}")
        raise KeyError(
            f"weights[{name!r}]: weights have names here ({names}), not numbers; get_weights() is a list of copies in "
            "Keras's order"
        )

    def update(self, *new: Any, **named: Any) -> None:
        """Assigns several, or none when one does not fit; with |= too."""
        given = dict(*new, **named)
        fill({name: self[name] for name in given}, list(given.values()))

    def __ior__(self, new: Any) -> Self:  # type: ignore[override,misc]
        self.update(new)
        return self

    def fixed(self, *_: Any) -> Any:
        raise TypeError("weights cannot be removed, and none added: a layer has those that it needs")

    __delitem__ = pop = popitem = clear = setdefault = fixed

    def __reduce__(self) -> Any:
        return _owning, (dict(self),)

    def __repr__(self) -> str:
        return f"Weights({', '.join(f'{name} {w.shape} {w.dtype}' for name, w in self.items())})"


def _owning(arrays: dict[str, Array]) -> Weights:
    return Weights(owned(arrays))


class LayerWeights:
    """The attribute `weights` of a layer: its own arrays, or those of the layers inside it under the names of its `parts`.

    Assigning a whole dict writes all of its arrays, or none when one does not fit. Complex arrays, for a complex step, take
    the place of the real ones until real arrays are assigned again.
    """

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        if layer is None:
            return self
        if layer.holds_weights:
            return layer._weights
        parts = layer.parts
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
    """The new values of a weight in its dtype. ValueError for another shape, and for what are no finite real numbers."""
    try:
        array = np.asarray(new)
    except ValueError:
        raise ValueError(f"{name} is an array of shape {w.shape}; got rows of different lengths") from None
    if array.dtype.kind not in "buif" and array.dtype != w.dtype:
        raise ValueError(f"{name} holds real numbers, {w.dtype}; got an array of {array.dtype}")
    if array.shape != w.shape:
        raise ValueError(f"{name} has shape {w.shape}, got {array.shape}")
    new = finite.cast(array, w.dtype)
    if not finite.is_finite(new):
        at = tuple(map(int, np.argwhere(~np.isfinite(new))[0]))
        raise ValueError(f"{name}[{', '.join(map(str, at))}] {finite.fault(new[at], array[at])}; nothing was changed")
    return new


def drawn(name: str, w: ArrayLike, dtype: str) -> Array:
    """A weight's first numbers in the layer's dtype. ValueError for those of an initializer that are not finite."""
    first = np.ascontiguousarray(finite.cast(np.asarray(w), dtype))
    if not finite.is_finite(first):
        raise ValueError(f"{name}'s initial numbers hold NaN or infinity in {dtype}: look at its initializer")
    return first


def fill(weights: Mapping[str, Array], new: Sequence[ArrayLike]) -> None:
    """Writes new arrays into named weights, in order. ValueError, and nothing changed, when one does not fit."""
    given = [np.asarray(a) for a in new]
    if [a.shape for a in given] != [w.shape for w in weights.values()]:
        expected = ", ".join(f"{name} {w.shape}" for name, w in weights.items())
        raise ValueError(f"the weights are {expected}; got shapes {', '.join(str(a.shape) for a in given)}")
    arrays = [fitted(name, w, array) for (name, w), array in zip(weights.items(), given, strict=True)]
    for w, array in zip(weights.values(), arrays, strict=True):
        w[...] = array
