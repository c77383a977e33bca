"""What every layer is. The layers: `cells/` (recurrent), `feedforward.py` (Dense, Dropout, Masking), `wrappers.py`.

A layer is a pair of functions over its weights, `forward` and `backward`. Whatever backward needs is on the tape that forward
returns, so several forward passes can be open at once. Shapes are without the batch: a sequence of T steps with D features
is (T, D). A mask (N, T) of bool is True at the steps that exist.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from . import keras_2_words, regularizers
from .absent import Answering
from .activations import Array
from .by_hand import ByHand
from .checks import Shape, counted
from .keras_names import arguments, refuse_unknown
from .named_weights import LayerWeights, Weights, drawn, fill
from .owned import OwnsArrays

Gradients = dict[str, Array]
Forward = tuple[Any, list[Array], Any]  # y, the last states, the tape
Backward = tuple[Any, list[Array], Gradients]  # dx, the gradients of the initial states, those of the weights

# Arguments of Keras that the engine accepts at these default values only; other values are refused.
KERAS_DEFAULTS: dict[str, Any] = {
    "activity_regularizer": None, "kernel_constraint": None, "recurrent_constraint": None, "bias_constraint": None,
    "use_cudnn": "auto", "implementation": 2, "lora_rank": None, "dtype": None, "noise_shape": None,
    "embeddings_constraint": None, "beta_constraint": None, "gamma_constraint": None, "rms_scaling": False,
    "weights": None, "lora_alpha": None, "quantization_config": None, "autocast": True,
}  # fmt: skip


class Layer(ByHand, Answering, OwnsArrays):
    """Base of all layers: a name, weights by name, forward and backward. It is `built` once the input's shape is known.

    A layer also works alone: `layer(x)` builds it on first use and returns what Keras's layer would, as NumPy arrays.
    """

    reads_sequences: ClassVar[bool] = False  # whether it takes (T, D) and nothing else
    supports_masking: ClassVar[bool] = False  # whether its output has a mask where its input has one
    has_states: ClassVar[bool] = False  # whether forward takes initial states and returns the last ones
    weights = LayerWeights()  # by name: {"kernel": array, ...}
    holds_weights: ClassVar[bool] = True  # itself, not the layers inside it, its `parts`
    keras_class, never_called = "Layer", ("call",)
    many_inputs: ClassVar[bool] = False  # whether x, its mask, its shape and dx are lists, as of Add and Concatenate

    def __init__(
        self, *, name: str | None = None, input_shape: Shape | None = None, trainable: bool = True, **unknown: Any
    ) -> None:  # fmt: skip
        input_shape = keras_2_words.input_shape(self, unknown, input_shape)
        refuse_unknown(type(self), unknown, KERAS_DEFAULTS, [*self.options(), "name", "input_shape", "trainable"])
        if name is not None and (not isinstance(name, str) or "/" in name):
            raise ValueError(
                f"a layer's name is a string without '/', which separates it from its weights' names, got {name!r}"
            )
        self.name = name or ""  # a network fills it in: lstm, lstm_1, ...
        self.input_shape = None if input_shape is None else tuple(input_shape)
        self.trainable = trainable  # with False training leaves its weights as they are, and its penalties do not count
        self._weights = Weights({})
        self.backend = "auto"
        self.rng = np.random.default_rng()
        self.built = False
        self.calls = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>" if self.name else f"<{type(self).__name__}>"

    @classmethod
    def options(cls) -> list[str]:
        """The names of the constructor's arguments without name, input_shape and trainable: those of the class first."""
        return arguments(cls, "name", "input_shape", "trainable")

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON values, without name and input_shape."""
        values = {name: getattr(self, name) for name in self.options()}
        return {k: v.config() if hasattr(v, "config") else v for k, v in values.items()} | self.frozen()

    def frozen(self) -> dict[str, Any]:
        """Of a config: that it is not trained."""
        return {} if self.trainable else {"trainable": False}

    def build(self, input_shape: Shape, dtype: str, backend: str, rng: np.random.Generator) -> Shape:
        """Draws the initial weights for inputs of this shape, and returns the output's shape."""
        output_shape = self.output_shape(input_shape)
        first = self.initial_weights(input_shape, rng)
        self._weights = Weights({name: drawn(name, w, dtype) for name, w in first.items()})
        self.input_shape = input_shape
        self.backend = backend
        self.rng = rng
        self.built = True
        return output_shape

    @property
    def parts(self) -> dict[str, Any]:
        """The layers that hold the weights, by the prefix of the weights' names: the layer itself, or those inside it."""
        return {"": self}

    def output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def check_fit(self, shape: Any) -> None:
        """ValueError for inputs that the weights were not built for: of another number of features."""
        if self.weights and self.input_shape and self.input_shape[-1] != shape[-1]:
            got = f"x of shape (samples, {', '.join(map(str, shape))})"
            raise ValueError(f"{self!r} takes {counted(self.input_shape[-1], 'feature')}, got {got}")

    def step_shape(self, input_shape: Shape) -> Shape:
        """The shape of one step of an input sequence of this shape: (T, D) has steps of (D,)."""
        return input_shape[-1:]

    def output_mask(self, x: Any, mask: Any) -> Any:
        """The mask of the output: that of the input, unless the layer makes a mask or ends the sequence.

        As in Keras, a layer that does not say `supports_masking = True` ends it, and warns.
        """
        if mask is not None and not self.supports_masking:
            warnings.warn(f"{self!r} ends the mask of its input: it has no supports_masking = True", stacklevel=2)
            return None
        return mask

    def initial_weights(self, input_shape: Shape, rng: np.random.Generator) -> dict[str, Array]:
        return {}

    def forward(
        self, x: Any, training: bool = False, mask: Any = None, initial_state: Any = None, taped: bool = True
    ) -> Forward:
        """y, the last states and the tape; a layer without states ignores initial_state and returns [] for them.

        With taped=False no backward pass follows, and the layer need not fill a tape. The caller may write into y and the
        states, which are in no memory of x or the tape, but not into x before backward. It is written in each kind of layer:
        `Recurrent.forward` in `recurrent.py`, `Dense.forward` in `feedforward.py`, `Bidirectional.forward` and
        `TimeDistributed.forward` in `wrappers.py`.
        """
        raise NotImplementedError

    def backward(self, tape: Any, dy: Any, dstates: Sequence[Array] | None = None, want_dx: bool = True) -> Backward:
        """dx, the gradients of the initial states, and those of the weights, from those of y and of the last states.

        With want_dx=False a layer may leave dx out where computing it would be work: it is then None. Beside every layer's
        forward stands its backward: `Recurrent.backward` in `recurrent.py`, and so on.
        """
        raise NotImplementedError

    def state_shapes(self) -> list[Shape]:
        """The shapes of its states."""
        return []

    def outputs(self, y: Any, states: list[Any]) -> Any:
        """What a call of the layer returns, as Keras's does: y, or a list."""
        return y

    def split(self, outputs: list[Any]) -> tuple[Any, list[Any]]:
        """y and the states, of a list as `outputs` makes it; None stands for what is not there."""
        return outputs[0], outputs[1:]

    def stream(self, batch: int) -> Callable[[Array], Array]:
        """A function that takes a step x (batch, D) and returns its y, always with a copy of the present weights."""
        frozen = copy.copy(self)
        frozen._weights = Weights({name: w.copy() for name, w in self.weights.items()})
        return lambda x: frozen.forward(x)[0]

    def recurrences(self, tape: Any, dy: Any, dstates: Sequence[Any] | None = None) -> list[tuple[Any, Any, Any]]:
        """The recurrent parts of the layer after a forward pass: each with its tape and its `Upstream` gradients."""
        return []

    def backends(self) -> set[str]:
        """What runs it: {"numpy"}, {"numba"} or both."""
        return {"numpy"}

    def count_params(self) -> int:
        return sum(w.size for w in self.weights.values())

    def get_weights(self) -> list[Array]:
        """Copies of the weights, in Keras's order."""
        return [w.copy() for w in self.weights.values()]

    def set_weights(self, new: list[ArrayLike]) -> None:
        """Sets all weights, in the order of `get_weights`. ValueError, and nothing changed, when one does not fit."""
        fill(self.weights, new)

    def weight_penalties(self) -> dict[str, regularizers.Regularizer]:
        """The penalties by weight name, for those that have one."""
        return {name: penalty for name, penalty in self.penalties().items() if penalty and name in self.weights}

    def penalties(self) -> dict[str, regularizers.Regularizer | None]:
        """The constructor's regularizers by the names of the weights that they are for."""
        return {}


def dropout_mask(shape: Shape, rate: float, rng: np.random.Generator, dtype: Any) -> Array:
    """0 with probability `rate`, else 1 / (1 - rate), so that the mean is kept; with a rate of 1 all are 0."""
    return (rng.random(shape) >= rate).astype(dtype) / (1.0 - rate or 1.0)


def time_major(x: Array) -> Array:
    """(N, T, D) to (T, N, D), or back; contiguous, so that a step is one block of memory."""
    return np.ascontiguousarray(x.swapaxes(0, 1))
