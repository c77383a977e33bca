"""Layers around layers: Bidirectional reads a sequence in both directions, TimeDistributed applies a layer to every step."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .activations import Array
from .checks import Shape, require_sequences
from .layer import Backward, Forward, Layer
from .recurrent import Recurrent, Upstream
from .registry import file_name, make
from .regularizers import Regularizer

MERGE_MODES = ("concat", "sum", "mul", "ave", None)
ALIKE = ("return_sequences", "return_state", "stateful")


class Wrapper(Layer):
    """Base of the layers whose weights are those of their `parts`."""

    reads_sequences = True
    supports_masking = True
    holds_weights = False

    def build(self, input_shape: Shape, dtype: str, backend: str, rng: np.random.Generator) -> Shape:
        output_shape = self.output_shape(input_shape)
        for layer in self.parts.values():
            layer.build(self.inner_shape(input_shape), dtype, backend, rng)
        self.input_shape = input_shape
        self.backend = backend
        self.built = True
        return output_shape

    def inner_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, an inner layer as {"class", "name", "config"}."""
        values = {name: getattr(self, name) for name in self.options()}
        return {k: as_config(v) if isinstance(v, Layer) else v for k, v in values.items()} | self.frozen()

    def backends(self) -> set[str]:
        return {backend for layer in self.parts.values() for backend in layer.backends()}

    def weight_penalties(self) -> dict[str, Regularizer]:
        return {prefix + n: p for prefix, layer in self.parts.items() for n, p in layer.weight_penalties().items()}


class Bidirectional(Wrapper):
    """A recurrent layer from first step to last, a second one of its kind from last to first, their outputs merged.

    (N, T, D) -> (N, T, 2 units) or (N, 2 units) with merge_mode "concat"; "sum", "mul" and "ave" keep the units; None gives
    [y, y_reversed] when the layer is called. As in Keras, both directions are copies of `layer`, or the second one a copy of
    backward_layer, which has go_backwards=True. With return_sequences the output of masked steps is 0. With return_state:
    [y, *forward states, *backward states]; initial_state in the same order (Schuster & Paliwal 1997).
    """

    has_states = True

    def __init__(
        self, layer: Any, merge_mode: str | None = "concat", *, backward_layer: Any = None, **general: Any
    ) -> None:
        if "input_shape" not in general and getattr(layer, "input_shape", None):
            general["input_shape"] = layer.input_shape
        super().__init__(**general)
        if merge_mode not in MERGE_MODES:
            raise ValueError(f"merge_mode must be one of {', '.join(map(repr, MERGE_MODES))}, got {merge_mode!r}")
        self.layer = from_config(layer)
        self.backward_layer = from_config(backward_layer)
        self.merge_mode = merge_mode
        for pattern in (self.layer, self.backward_layer or self.layer):
            if not isinstance(pattern, Recurrent):
                raise TypeError(f"Bidirectional takes an LSTM, GRU or SimpleRNN, got {pattern!r}")
        self.forward_half = copy_of(self.layer, "forward_")
        other = {} if self.backward_layer else {"go_backwards": True}
        self.backward_half = copy_of(self.backward_layer or self.layer, "backward_", **other)
        if self.forward_half.go_backwards == self.backward_half.go_backwards:
            raise ValueError("Bidirectional's two layers must run opposite ways: give one of them go_backwards=True")
        if differ := [a for a in ALIKE if getattr(self.forward_half, a) != getattr(self.backward_half, a)]:
            raise ValueError(f"Bidirectional's two layers must have the same {' and '.join(differ)}")
        if merge_mode in ("sum", "mul", "ave") and self.forward_half.units != self.backward_half.units:
            raise ValueError(
                f"merge_mode={merge_mode!r} needs as many units in both directions, "
                f"got {self.forward_half.units} and {self.backward_half.units}"
            )
        self.return_sequences = self.layer.return_sequences
        self.return_state = self.layer.return_state
        self.stateful = self.layer.stateful
        for half in (self.forward_half, self.backward_half):
            half.zero_output_for_mask = self.return_sequences  # as Keras does, whatever the option was

    @property
    def parts(self) -> dict[str, Any]:
        return {f"{half.name}/": half for half in (self.forward_half, self.backward_half)}

    def output_shape(self, input_shape: Shape) -> Any:
        *steps, units = self.forward_half.output_shape(input_shape)
        if self.merge_mode is None:
            return [(*steps, units), (*steps, self.backward_half.units)]
        return (*steps, units + self.backward_half.units if self.merge_mode == "concat" else units)

    def output_mask(self, x: Array, mask: Array | None) -> Array | None:
        return mask if self.return_sequences else None

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        mask = super().compute_mask(x, mask)
        states = [None] * 2 * len(self.forward_half.state_names)
        return self.outputs([mask, mask] if self.merge_mode is None else mask, states)

    @property
    def states(self) -> list[Array] | None:
        """Copies of the states that a stateful layer keeps, the forward half's first; None before there are any."""
        kept = [half.states for half in self.parts.values()]
        return None if None in kept else [state for states in kept for state in states]

    def reset_states(self) -> None:
        """Lets both directions of a stateful layer start again from zeros."""
        for half in self.parts.values():
            half.reset_states()

    reset_state = reset_states

    def forward(
        self, x: Array, training: bool = False, mask: Array | None = None, initial_state: Any = None, taped: bool = True
    ) -> Forward:
        """The merged outputs, the last states (forward's, then backward's) and the tape; see `Recurrent.forward`."""
        n = len(self.forward_half.state_names)
        if initial_state is not None and len(initial_state) != 2 * n:
            name = self.name or "bidirectional"
            raise ValueError(f"{name} needs {2 * n} initial states, {n} each way, got {len(initial_state)}")
        first, second = (None, None) if initial_state is None else (initial_state[:n], initial_state[n:])
        y, states, tape = self.forward_half.forward(x, training, mask, first, taped)
        y_r, states_r, tape_r = self.backward_half.forward(x, training, mask, second, taped)
        y_r = y_r[:, ::-1] if self.return_sequences else y_r  # in the order of time
        return self.merge(y, y_r), [*states, *states_r], (tape, tape_r, y, y_r) if taped else None

    def stream(self, batch: int) -> Callable[[Array], Array]:
        raise ValueError(f"{self.name} reads a sequence from its end too, which a stream has not seen: see predict")

    def merge(self, y: Array, y_r: Array) -> Any:
        """The layer's output from those of the two directions, both in the order of time."""
        match self.merge_mode:
            case "concat":
                return np.concatenate((y, y_r), axis=-1)
            case "sum":
                return y + y_r
            case "mul":
                return y * y_r
            case "ave":
                return (y + y_r) / 2
        return [y, y_r]

    def merge_backward(self, dy: Any, y: Array, y_r: Array) -> Any:
        match self.merge_mode:
            case "concat":
                return np.split(dy, [y.shape[-1]], axis=-1)
            case "sum":
                return dy, dy
            case "mul":
                return dy * y_r, dy * y
            case "ave":
                return dy / 2, dy / 2
        return dy

    def backward(self, tape: Any, dy: Any, dstates: Sequence[Array] | None = None, want_dx: bool = True) -> Backward:
        """dx or None, the gradients of the initial states (forward's, then backward's), and of the weights."""
        n = len(self.forward_half.state_names)
        dstates = dstates or []
        dy_f, dy_r = self._dy_each_way(tape, dy)
        dx, d0, gradients = self.forward_half.backward(tape[0], dy_f, dstates[:n], want_dx)
        dx_r, d0_r, gradients_r = self.backward_half.backward(tape[1], dy_r, dstates[n:], want_dx)
        name, name_r = self.parts
        named = {name + k: g for k, g in gradients.items()} | {name_r + k: g for k, g in gradients_r.items()}
        return dx + dx_r if want_dx else None, [*d0, *d0_r], named

    def _dy_each_way(self, tape: Any, dy: Any) -> tuple[Any, Any]:
        _, _, y, y_r = tape
        dy_f, dy_r = (None, None) if dy is None else self.merge_backward(dy, y, y_r)
        return dy_f, dy_r[:, ::-1] if dy_r is not None and self.return_sequences else dy_r

    def recurrences(
        self, tape: Any, dy: Any, dstates: Sequence[Any] | None = None
    ) -> list[tuple[Recurrent, Any, Upstream]]:
        n, dstates = len(self.forward_half.state_names), dstates or []
        dy_f, dy_r = self._dy_each_way(tape, dy)
        first = self.forward_half.recurrences(tape[0], dy_f, dstates[:n])
        return first + self.backward_half.recurrences(tape[1], dy_r, dstates[n:])

    def state_shapes(self) -> list[Shape]:
        return self.forward_half.state_shapes() + self.backward_half.state_shapes()

    def outputs(self, y: Any, states: list[Any]) -> Any:
        if not self.return_state:
            return y
        return [*(y if self.merge_mode is None else [y]), *states]

    def split(self, outputs: list[Any]) -> tuple[Any, list[Any]]:
        if self.merge_mode is not None:
            return super().split(outputs)
        return (None if outputs[0] is outputs[1] is None else outputs[:2]), outputs[2:]


class TimeDistributed(Wrapper):
    """The same layer at every step: (N, T, ...) -> (N, T, ...). The N T steps are that many samples of the layer.

    A recurrent layer reads each step from its beginning, so that (N, T, T', D) -> (N, T, units): sequences of sequences.
    """

    def __init__(self, layer: Any, **general: Any) -> None:
        super().__init__(**general)
        self.layer = from_config(layer)
        if not isinstance(self.layer, Layer) or isinstance(self.layer, Wrapper) or self.layer.many_inputs:
            raise TypeError(f"TimeDistributed takes a layer that reads one step, as Dense or LSTM, got {self.layer!r}")
        if getattr(self.layer, "return_state", False) or getattr(self.layer, "stateful", False):
            raise ValueError(
                f"TimeDistributed takes a layer with one output that keeps no states, got {self.layer!r}: leave out "
                "return_state and stateful"
            )

    @property
    def parts(self) -> dict[str, Any]:
        return {"": self.layer}

    def inner_shape(self, input_shape: Shape) -> Shape:
        return input_shape[1:]

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) < 2 or input_shape[0] == 0:
            require_sequences(self.name or "time_distributed", input_shape)
        return (input_shape[0], *self.layer.output_shape(input_shape[1:]))

    def check_fit(self, shape: Shape) -> None:
        self.layer.check_fit(shape[1:])

    def step_shape(self, input_shape: Shape) -> Shape:
        return input_shape[1:]

    def forward(
        self, x: Array, training: bool = False, mask: Array | None = None, initial_state: Any = None, taped: bool = True
    ) -> Forward:
        if mask is not None and isinstance(self.layer, Recurrent):
            raise ValueError(
                f"layer {self.name}: a mask of steps {mask.shape} says nothing of the steps inside each, which "
                f"{self.layer.name} reads: leave Masking and mask_zero out below it"
            )
        y, _, tape = self.layer.forward(x.reshape(-1, *x.shape[2:]), training)  # (N T, ...)
        return y.reshape(*x.shape[:2], *y.shape[1:]), [], (tape, x.shape)

    def backward(self, tape: Any, dy: Any, dstates: Sequence[Array] | None = None, want_dx: bool = True) -> Backward:
        inner, x_shape = tape
        dx, _, gradients = self.layer.backward(inner, dy.reshape(-1, *dy.shape[2:]))
        return None if dx is None else dx.reshape(x_shape), [], gradients

    def stream(self, batch: int) -> Callable[[Array], Array]:
        return Layer.stream(self.layer, batch)  # whatever it does in a step, a Flatten too, needs no other step


def as_config(layer: Layer) -> dict[str, Any]:
    """The layer as JSON values, from which `from_config` makes it again."""
    return {"class": file_name(layer), "name": layer.name, "config": layer.config()}


def from_config(layer: Any) -> Any:
    """The layer that a config describes; a layer or None is returned unchanged."""
    return make("layer", layer["class"], layer["config"], name=layer["name"]) if isinstance(layer, dict) else layer


def copy_of(layer: Recurrent, prefix: str, **other: Any) -> Recurrent:
    """A new layer with the same options except `other`, named as Keras names a direction: forward_lstm."""
    name = layer.name or layer.cell
    options = {option: getattr(layer, option) for option in layer.options()}
    return type(layer)(**options | other, name=prefix + name.removeprefix(prefix))
