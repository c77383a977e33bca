"""Copies of built layers in another dtype or on another backend, for `model.twin`.

They are copies of the objects, not made anew from their options: so a reader's own layer needs no registration to be checked
by `gradcheck` or traced, and whatever it holds comes along.
"""

import copy
from collections.abc import Sequence

from .layer import Layer
from .named_weights import Weights


def copied(layers: Sequence[Layer], dtype: str, backend: str) -> list[Layer]:
    """The layers with their own weights, kept states and random generators. ValueError for a backend that cannot run one."""
    new = copy.deepcopy(list(layers))  # all at once: what layers share, their copies share
    for layer in new:
        layer.backend = backend
        for part in layer.parts.values():
            part.backend = backend
            part._weights = Weights({name: w.astype(dtype) for name, w in part.weights.items()})
            if getattr(part, "states", None) is not None:
                part.states = part.states  # in the new dtype
        layer.backends()
    return new
