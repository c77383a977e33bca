"""What LSTM, GRU and SimpleRNN share: everything around the pair of a cell, with Keras's names and meanings.

The pair in `cells/` computes the recurrence. This module has the options of the layer: direction, masks, dropout, initial and
kept states, penalties, and whether all h or the last one are returned. The class of a cell names its gates and its states.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from . import initializers, regularizers
from .activations import Array, canonical_name
from .backend import Kernels, Pair, compiled, resolve
from .checks import Shape, check_mask, counted, existing, positive_int, require_sequences, share
from .kept_states import KeptStates
from .layer import Backward, Layer, dropout_mask, time_major

DEFAULT_ACTIVATIONS = {"activation": "tanh", "recurrent_activation": "sigmoid"}  # those of the kernels


class RecurrentTape(NamedTuple):
    """The pair's tape, and what the layer did to the input before the pair and to the output after it."""

    steps: Any  # the pair's tape: time-major, in the order in which the steps ran
    input_dropout: Array | None  # (K, N, D): K = 1, or with recurrent dropout one for each gate
    # (N, T) of bool: the outputs that zero_output_for_mask set to 0, in the order in which the steps ran
    zeroed: Array | None


class Upstream(NamedTuple):
    """The gradients that a pair's backward starts from; None is zero."""

    dh: Array | None  # (T, N, units), of every step's h as the layer hands it up
    dlast: list[Array | None]  # (N, units) each: of the last states


class Recurrent(Layer):
    """Base of the recurrent layers. All have these options:

    activation (and recurrent_activation): the compiled kernels run the defaults, NumPy anything in `ACTIVATIONS`.
    use_bias; kernel_, recurrent_ and bias_initializer (a name or an object of `initializers`), and _regularizer.
    dropout, recurrent_dropout: shares of x and h to drop while training, by masks that are the same at all steps of a batch;
    seed draws them. return_sequences: h of every step. return_state: [y, *states] when the layer is called.
    go_backwards: from the last step to the first; the output has that order too. stateful: each row of a batch starts from
    the state in which the same row of the batch before ended, until reset_states(). zero_output_for_mask: y is 0 at masked
    steps, not the h of the step before. unroll is accepted and changes nothing: it is how Keras runs the loop.
    """

    reads_sequences = supports_masking = has_states = True
    cell: ClassVar[str]
    pair: ClassVar[Pair]  # of the cell: LSTM.pair in cells/lstm.py names lstm_forward and lstm_backward
    gate_names: ClassVar[tuple[str, ...]]  # in their order in the weights
    gates: ClassVar[int]
    state_names: ClassVar[tuple[str, ...]]
    states = KeptStates()  # of a stateful layer: (N, units) each, or None

    def __init_subclass__(cls) -> None:
        cls.gates = len(cls.gate_names)

    def __init__(
        self, units: int, *, activation: str | None = "tanh", recurrent_activation: str | None = None,
        use_bias: bool = True, kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros", kernel_regularizer: Any = None, recurrent_regularizer: Any = None,
        bias_regularizer: Any = None, dropout: float = 0.0, recurrent_dropout: float = 0.0, seed: int | None = None,
        return_sequences: bool = False, return_state: bool = False, go_backwards: bool = False, stateful: bool = False,
        zero_output_for_mask: bool = False, unroll: bool = False, **general: Any,
    ) -> None:  # fmt: skip
        super().__init__(**general)
        self.units = positive_int("units", units)
        self.use_bias = use_bias
        self.activations = {"activation": canonical_name(activation)}
        if self.gates > 1:  # a SimpleRNN has one activation
            self.activations["recurrent_activation"] = canonical_name(recurrent_activation)
        elif recurrent_activation is not None:
            raise TypeError("SimpleRNN has no recurrent_activation: its one activation is `activation`")
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.dropout = share("dropout", dropout)
        self.recurrent_dropout = share("recurrent_dropout", recurrent_dropout)
        if 1.0 in (self.dropout, self.recurrent_dropout):
            raise ValueError("a dropout of 1 would drop everything (Keras's LSTM and GRU then drop nothing): use less")
        self.seed = seed
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.zero_output_for_mask = zero_output_for_mask
        self.unroll = unroll

    activation = property(lambda self: self.activations["activation"])
    recurrent_activation = property(lambda self: self.activations.get("recurrent_activation"))

    def backends(self) -> set[str]:
        return {resolve(self.cell, self.backend, self.other_activations())}

    def build(self, input_shape: Shape, dtype: str, backend: str, rng: np.random.Generator) -> Shape:
        resolve(
            self.cell, backend, self.other_activations()
        )  # without such a kernel it raises, before anything is drawn
        output_shape = super().build(input_shape, dtype, backend, rng)
        self.rng = rng if self.seed is None else np.random.default_rng(self.seed)
        return output_shape

    def output_shape(self, input_shape: Shape) -> Shape:
        require_sequences(self.name or self.cell, input_shape)
        return (input_shape[0], self.units) if self.return_sequences else (self.units,)

    def output_mask(self, x: Array, mask: Array | None) -> Array | None:
        return mask if self.return_sequences else None  # as in Keras, in the input's order also with go_backwards

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return self.outputs(super().compute_mask(x, mask), [None] * len(self.state_names))

    def bias_shape(self) -> Shape:
        return (self.gates * self.units,)

    def initial_bias(self, rng: np.random.Generator) -> Array:
        return self.bias_initializer.draw(self.bias_shape(), rng)

    def initial_weights(self, input_shape: Shape, rng: np.random.Generator) -> dict[str, Array]:
        H, GH = self.units, self.gates * self.units
        W = self.kernel_initializer.draw((input_shape[-1], GH), rng)
        weights = {"kernel": W, "recurrent_kernel": self.recurrent_initializer.draw((H, GH), rng)}
        return weights | ({"bias": self.initial_bias(rng)} if self.use_bias else {})

    def penalties(self) -> dict[str, regularizers.Regularizer | None]:
        return {
            "kernel": self.kernel_regularizer,
            "recurrent_kernel": self.recurrent_regularizer,
            "bias": self.bias_regularizer,
        }

    def reset_states(self) -> None:
        """Lets a stateful layer start again from zeros, with any batch size."""
        self.states = None

    reset_state = reset_states  # Keras has both names

    # -- the passes: what Keras does around the recurrence ------------------------------------------------------------

    @property
    def runs(self) -> Pair | Kernels:
        """The functions that run this layer: those of its class's `pair`, or their compiled twins."""
        return self.pair if self.backends() == {"numpy"} else compiled(self.cell)

    def forward(
        self, x: Array, training: bool = False, mask: Array | None = None, initial_state: Any = None, taped: bool = True
    ) -> tuple[Array, list[Array], RecurrentTape | None]:
        """y, the last states (N, units) and the tape. x (N, T, D), mask (N, T), initial_state one array per state.

        With taped=False there is no tape, and kernels keep the present step only.
        """
        mask = check_mask(self.name or self.cell, x, mask)
        states = self._first_states(x, mask, initial_state)
        x = existing(x, mask)  # the x of a masked step, perhaps NaN, must not matter
        if self.go_backwards:
            x, mask = x[:, ::-1], None if mask is None else mask[:, ::-1]
        input_dropout, recurrent_dropout = self.dropout_masks(x.shape, x.dtype) if training else (None, None)
        steps_x, W = self._input_and_kernel(time_major(x), input_dropout)
        steps_mask = None if mask is None else time_major(mask)
        inputs = (steps_x, W, self.weights["recurrent_kernel"], self._bias(), *states)
        activations = self.other_activations()
        steps = None
        if taped:
            steps = self.runs.forward(*inputs, steps_mask, recurrent_dropout, **activations)
            h, last = steps.h, [state[-1] for state in steps.states]
        else:
            h, last = self.runs.infer(*inputs, mask=steps_mask, sequences=self.return_sequences, **activations)
        zeroed = None if mask is None or not self.zero_output_for_mask else ~mask
        y = time_major(h) if self.return_sequences else h[-1].copy()
        if zeroed is not None:
            y = np.where(zeroed[..., None] if self.return_sequences else zeroed[:, -1:], y.dtype.type(0), y)
        elif y.base is not None:  # with one step or one row a view of the tape's states, which backward reads
            y = y.copy()
        last = [state.copy() for state in last]
        if self.stateful:
            self.states = last
        return y, last, RecurrentTape(steps, input_dropout, zeroed) if taped else None

    def backward(
        self, tape: RecurrentTape, dy: Array | None, dstates: Sequence[Array] | None = None, want_dx: bool = True
    ) -> Backward:
        """dx or None, the gradients of the initial states and of the weights, from those of y and of the last states."""
        upstream = self.upstream(tape, dy, dstates)
        grads = self.runs.backward(tape.steps, upstream.dh, *upstream.dlast, lean=not want_dx)
        dx, dW = self._input_and_kernel_backward(grads.x, grads.W, tape.input_dropout)
        if want_dx:
            dx = time_major(dx)[:, ::-1] if self.go_backwards else time_major(dx)
        weights = {"kernel": dW, "recurrent_kernel": grads.U} | ({"bias": grads.b} if self.use_bias else {})
        return dx, list(grads.initial_states), weights

    def upstream(self, tape: RecurrentTape, dy: Array | None, dstates: Sequence[Array] | None = None) -> Upstream:
        """The gradients that the pair's backward starts from, made of those of y and of the last states."""
        dlast: list[Any] = [None] * len(self.state_names)
        dlast[: len(dstates or ())] = dstates or ()
        if dy is None:
            return Upstream(None, dlast)
        if tape.zeroed is not None:
            dy = np.where(tape.zeroed[..., None] if self.return_sequences else tape.zeroed[:, -1:], 0.0, dy)
        if self.return_sequences:
            return Upstream(time_major(dy), dlast)
        dlast[0] = (0.0 if dlast[0] is None else dlast[0]) + dy
        return Upstream(None, dlast)

    def recurrences(
        self, tape: RecurrentTape, dy: Array | None, dstates: Sequence[Any] | None = None
    ) -> list[tuple[Recurrent, RecurrentTape, Upstream]]:
        return [(self, tape, self.upstream(tape, dy, dstates))]

    def state_shapes(self) -> list[Shape]:
        return [(self.units,)] * len(self.state_names)

    def outputs(self, y: Any, states: list[Any]) -> Any:
        return [y, *states] if self.return_state else y

    def stream(self, batch: int) -> Callable[[Array], Array]:
        """A function that takes one step x (batch, D) per call and returns its h (batch, units); it starts from zeros."""
        if self.go_backwards:
            raise ValueError(f"{self.name} begins at a sequence's last step, which a stream has not seen: see predict")
        W, U = self.weights["kernel"], self.weights["recurrent_kernel"]
        zeros = [np.zeros((batch, self.units), W.dtype) for _ in self.state_names]
        return self.runs.stream(W.copy(), U.copy(), self._bias().copy(), *zeros, **self.other_activations())

    def dropout_masks(self, shape: Shape, dtype: Any) -> tuple[Array | None, Array | None]:
        """Keras's masks for x of shape (N, T, D): (K, N, D) on the input and (gates, N, units) on h; None for a rate of 0.

        K is 1; with recurrent dropout it is the number of gates, each of which has another input mask.
        """
        N, _, D = shape
        K = self.gates if self.recurrent_dropout else 1
        return (
            dropout_mask((K, N, D), self.dropout, self.rng, dtype) if self.dropout else None,
            dropout_mask((self.gates, N, self.units), self.recurrent_dropout, self.rng, dtype)
            if self.recurrent_dropout
            else None,
        )

    def _input_and_kernel(self, x: Array, r: Array | None) -> tuple[Array, Array]:
        """x (T, N, D) under its dropout, and W.

        With a mask r_k for each of G gates, [x∘r_1, x∘r_2, ...] (T, N, G D) and W as blocks (G D, G H): then one product
        gives every gate the input under its mask.
        """
        W = self.weights["kernel"]
        if r is None or len(r) == 1:
            return (x if r is None else x * r[0]), W
        blocks = np.zeros((len(r), W.shape[0], len(r), self.units), W.dtype)  # (G, D, G, H), zero off the diagonal
        for k, W_k in enumerate(np.split(W, len(r), axis=-1)):
            blocks[k, :, k] = W_k
        return np.concatenate([x * r_k for r_k in r], axis=-1), blocks.reshape(-1, W.shape[1])

    def _input_and_kernel_backward(self, dx: Any, dW: Array, r: Array | None) -> tuple[Any, Array]:
        if r is None or len(r) == 1:
            return (dx if r is None or dx is None else dx * r[0]), dW
        G = len(r)
        blocks = dW.reshape(G, -1, G, self.units)  # (G, D, G, H)
        if dx is not None:
            dx = sum(dx_k * r_k for dx_k, r_k in zip(np.split(dx, G, axis=-1), r, strict=True))
        return dx, np.concatenate([blocks[k, :, k] for k in range(G)], axis=-1)

    def _bias(self) -> Array:
        return self.weights["bias"] if self.use_bias else np.zeros(self.bias_shape(), self.weights["kernel"].dtype)

    def other_activations(self) -> dict[str, str]:
        """The activations that are not the kernels', by option."""
        return {k: v for k, v in self.activations.items() if v != DEFAULT_ACTIVATIONS[k]}

    def _first_states(self, x: Array, mask: Array | None, initial_state: Any) -> list[Array]:
        """The initial states as arrays: those given, else those kept by a stateful layer, else zeros."""
        N = len(x)
        kept = self.states if self.stateful else None
        if self.unroll and mask is not None and (self.zero_output_for_mask or initial_state is not None or kept):
            raise ValueError(
                f"{self.name or self.cell}: with unroll=True Keras repeats zeros, not the initial state, at masked first "
                "steps, and forgets zero_output_for_mask; leave unroll out, it changes nothing else here"
            )
        if kept and len(kept[0]) != N:
            raise ValueError(
                f"{self.name or self.cell} is stateful and holds the states of {counted(len(kept[0]), 'sequence')}, got a "
                f"batch of {N}: keep the batch size, or call reset_states()"
            )
        if initial_state is None:
            return kept or [np.zeros((N, self.units), x.dtype) for _ in self.state_names]
        listed = initial_state if isinstance(initial_state, list | tuple) else [initial_state]
        arrays = [np.asarray(state, x.dtype) for state in listed]
        if [a.shape for a in arrays] != [(N, self.units)] * len(self.state_names):
            raise ValueError(
                f"{self.name or self.cell} needs initial_state for {' and '.join(self.state_names)}, each of shape "
                f"{(N, self.units)}, got {', '.join(str(a.shape) for a in arrays)}"
            )
        return arrays
