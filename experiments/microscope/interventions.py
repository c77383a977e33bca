"""What if a unit were silent, or a gate constant? Edits of the weights, the equations and both backends stay the same.

Each function edits a copy and leaves the given model unchanged. Layers are named as in the trace, "lstm" or
"bidirectional/forward_lstm".
"""

from copy import deepcopy
from typing import Any

import numpy as np

import lstm_engine as le
from lstm_engine.feedforward import Dropout
from lstm_engine.layer import Layer
from lstm_engine.recurrent import Recurrent
from lstm_engine.wrappers import Bidirectional


def silence(model: le.Sequential, layer: str, unit: int) -> le.Sequential:
    """The model with one unit's output unused: its rows in the recurrent kernel and in the next layer's kernel are 0.

    The unit is still computed. ValueError if the layer or the unit does not exist, or if its rows belong to other units too.
    """
    _check_unit(layer, recurrent(model, layer), unit)
    edited = deepcopy(model)
    for name, row in [(f"{layer}/recurrent_kernel", unit), *_rows_above(model, layer, unit)]:
        edited.weights[name][row] = 0
    return edited


def force(model: le.Sequential, layer: str, gate: str, value: float, unit: int | None = None) -> le.Sequential:
    """The model with a gate held at `value`, for all units or for one: the gate's columns are 0, its bias σ⁻¹(value).

    value lies strictly between 0 and 1 for i, f and o (logit), between -1 and 1 for g (artanh). ValueError otherwise, and for
    a layer without a bias or with other activations than sigmoid and tanh.
    """
    lstm = recurrent(model, layer)
    usual = ("tanh", "sigmoid", True)
    if not isinstance(lstm, le.LSTM) or (lstm.activation, lstm.recurrent_activation, lstm.use_bias) != usual:
        raise ValueError(f"a gate is held by its bias: {layer} must be an LSTM with a bias, sigmoid gates and tanh")
    if gate not in lstm.gate_names:
        raise ValueError(f"gate must be one of {', '.join(lstm.gate_names)}, got {gate!r}")
    lowest = -1 if gate == "g" else 0
    if not lowest < value < 1:
        raise ValueError(f"gate {gate} lies strictly between {lowest} and 1, got {value}")
    if unit is not None:
        _check_unit(layer, lstm, unit)
    first = lstm.gate_names.index(gate) * lstm.units
    columns = slice(first, first + lstm.units) if unit is None else first + unit
    edited = deepcopy(model)
    edited.weights[f"{layer}/kernel"][:, columns] = 0
    edited.weights[f"{layer}/recurrent_kernel"][:, columns] = 0
    edited.weights[f"{layer}/bias"][columns] = np.arctanh(value) if gate == "g" else np.log(value) - np.log1p(-value)
    return edited


def from_step(before: le.Sequential, after: le.Sequential, x: Any, t: int) -> np.ndarray:
    """The output for x (N, T, D) of a model that is `before` up to step t, and `after` from step t on with the same state.

    A layer that reads backwards is `after` first, from the end to step t, and then `before`, to the beginning. Steps that a
    Masking layer masks stay masked. ValueError if x has no step t.
    """
    x = np.asarray(x, before.dtype)
    if not 0 <= t < x.shape[1]:
        raise ValueError(f"t must be a step of x, 0 to {x.shape[1] - 1}, got {t}")
    if t == 0:
        return after(x)
    T, mask = x.shape[1], None  # mask (N, T) of bool, or None
    for one, other in zip(in_a_row(before), in_a_row(after), strict=True):
        if x.ndim == 2:  # no time axis any more: a layer below returned its last state
            x = other.forward(x)[0]
            continue
        early, late = ((x[:, at], None if mask is None else mask[:, at]) for at in (slice(t), slice(t, T)))
        masks = one.output_mask(*early), other.output_mask(*late)
        if isinstance(one, Bidirectional):
            y, y_r = (
                _in_turn(a, b, early, late) for a, b in zip(one.parts.values(), other.parts.values(), strict=True)
            )
            x = one.merge(y, y_r[:, ::-1] if one.return_sequences else y_r)
        elif isinstance(one, Recurrent):
            x = _in_turn(one, other, early, late)
        else:
            x = np.concatenate(
                [layer.forward(part, mask=on)[0] for layer, (part, on) in ((one, early), (other, late))], axis=1
            )
        mask = None if masks[0] is None else np.concatenate(masks, axis=1)
    return x


Part = tuple[np.ndarray, np.ndarray | None]  # x (N, T, D) and its mask (N, T)


def _in_turn(before: Recurrent, after: Recurrent, early: Part, late: Part) -> np.ndarray:
    """The layer's output, in the order in which it reads."""
    parts = [(after, late), (before, early)] if before.go_backwards else [(before, early), (after, late)]
    state, outputs = None, []
    for layer, (x, mask) in parts:
        y, state, _ = layer.forward(np.ascontiguousarray(x), mask=mask, initial_state=state)
        outputs.append(y)
    return np.concatenate(outputs, axis=1) if before.return_sequences else outputs[-1]


def in_a_row(model: le.Model) -> list[Layer]:
    """The layers from the input to the output. ValueError for a model whose layers do not stand in a row."""
    if not model.graph.is_row():
        raise ValueError(f"{model.name} is a graph with branches; this is for a model whose layers stand in a row")
    return [node.layer for node in model.graph.nodes]


def recurrent(model: le.Sequential, name: str) -> Recurrent:
    """The recurrent layer, or the direction of a Bidirectional, of that name. ValueError lists the names that exist."""
    there = {f"{layer.name}/{prefix}".rstrip("/"): p for layer in model.layers for prefix, p in layer.parts.items()}
    there = {key: part for key, part in there.items() if isinstance(part, Recurrent)}
    if name not in there:
        raise ValueError(f"there is no recurrent layer {name!r}, but {', '.join(there) or 'none'}")
    return there[name]


def _check_unit(name: str, layer: Recurrent, unit: int) -> None:
    if not 0 <= unit < layer.units:
        raise ValueError(f"{name} has the units 0 to {layer.units - 1}, got {unit}")


def _rows_above(model: le.Sequential, layer: str, unit: int) -> list[tuple[str, int]]:
    """The rows of the next layer's kernels that the unit's output is multiplied by, as (name of the weight, row)."""
    name, _, direction = layer.partition("/")
    layers = in_a_row(model)
    at = [other.name for other in layers].index(name)
    below = layers[at]
    if isinstance(below, Bidirectional):
        if below.merge_mode != "concat":
            raise ValueError(
                f"{name} merges its directions by {below.merge_mode!r}: units of both directions share their rows"
            )
        unit += below.forward_half.units * (direction == below.backward_half.name)
    for above in layers[at + 1 :]:
        kernels = [n for n in above.weights if n.rpartition("/")[2] == "kernel"]
        if kernels:
            return [(f"{above.name}/{n}", unit) for n in kernels]
        if not isinstance(above, Dropout):
            raise ValueError(f"{above.name} lies between {name} and the next kernel: the rows of a unit are not known")
    raise ValueError(f"no layer reads the units of {name}: {name} is the model's output")
