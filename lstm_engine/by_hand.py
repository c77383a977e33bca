"""A layer called by hand, as in Keras: `layer(x)` computes on arrays, and on Tensors it notes the call for a Model.

A network does not come here: `Graph.forward` calls the layers' `forward`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .backend import one_thread_pool
from .checks import real_numbers
from .lists import unlisted
from .masks import handed_out, mask_of


class ByHand:
    """What a layer answers when it is called, and the Tensors of its first call."""

    calls: list[Any]  # on Tensors, see tensors.py

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"calls": []}  # they lead to the other layers of a network

    def __call__(
        self: Any, x: ArrayLike, *, training: bool | None = None, mask: Any = None, initial_state: Any = None
    ) -> Any:
        """The output for x (N, ...), float64 when x is, or longer, else float32. Recurrent layers read mask, initial_state.

        Without `mask` it is the one that x carries from the layer that made it (`masks.py`), and y carries its own. As in
        Keras 3.15, a layer that is given initial_state reads no mask but one that is given too.
        On a Tensor, as `Input` makes one, nothing is computed: the result is the Tensor of the output.
        """
        from . import tensors  # which imports this module

        if tensors.is_symbolic(x):
            tensors.check_noted([self], training, mask)
            return tensors.call(self, x, initial_state)
        carried = mask_of(x) if mask is None else mask
        mask = mask if initial_state is not None else carried
        if initial_state is not None and not self.has_states:
            raise TypeError(f"{self!r} has no states: leave initial_state out")
        x = real_numbers(f"{self!r}: x", x)
        if not self.built:
            self.build(x.shape[1:], x.dtype.name, self.backend, self.rng)
        self.output_shape(x.shape[1:])
        self.check_fit(x.shape[1:])
        dtype = next((w.dtype for w in self.weights.values()), x.dtype)
        with one_thread_pool(self.backends()):
            y, states, _ = self.forward(x.astype(dtype, copy=False), bool(training), mask, initial_state)
        return handed_out(self.outputs(y, states), self.compute_mask(x, carried), x)

    @property
    def input(self) -> Any:
        """The Tensor that it was first called on, or a list of them."""
        return unlisted(self._first_call.inputs)

    @property
    def output(self) -> Any:
        """The Tensor of its first call, or a list of them."""
        return unlisted(self._first_call.outputs)

    @property
    def _first_call(self) -> Any:
        if not self.calls:
            raise AttributeError(f"{self!r} has not been called on an Input, and has no Tensors")
        return self.calls[0]

    def compute_mask(self: Any, x: Any, mask: Any = None) -> Any:
        """Keras's: the mask of what `layer(x, mask=mask)` returns, a list where that is one."""
        return self.output_mask(np.asarray(x), None if mask is None else np.asarray(mask, bool))
