"""The memory of a stateful layer. What is read from it or put into it is copied, so that nobody else can write into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .activations import Array


class KeptStates:
    """The attribute `states` of a recurrent layer: None, or an array (N, units) for each of its states, h first."""

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        if layer is None:
            return self
        kept = layer.__dict__.get("_states")
        return None if kept is None else [state.copy() for state in kept]

    def __set__(self, layer: Any, states: Sequence[ArrayLike] | None) -> None:
        layer.__dict__["_states"] = None if states is None else self.checked(layer, states)

    def checked(self, layer: Any, states: Sequence[ArrayLike]) -> list[Array]:
        """Copies, in the dtype of the layer's weights. ValueError unless there is one (N, units) for every state."""
        kernel = layer.weights.get("kernel")
        real = kernel is not None and kernel.dtype.kind == "f"  # in a complex step states stay what they are
        arrays = [np.array(state, kernel.dtype if real and not np.iscomplexobj(state) else None) for state in states]
        shapes = [a.shape for a in arrays]
        N = shapes[0][:1] if shapes else ()
        if len(N) == 0 or shapes != [(*N, layer.units)] * len(layer.state_names):
            raise ValueError(
                f"{layer.name or layer.cell} keeps {' and '.join(layer.state_names)}, each of shape (N, {layer.units}), "
                f"got {', '.join(map(str, shapes)) or 'none'}"
            )
        return arrays
