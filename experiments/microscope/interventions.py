"""What if? A unit silenced, a gate held: edits of a copy's weights, so that the equations and both backends stay as they are.

Each function returns a new model and leaves the one that it is given alone. Layers are named as in the trace, "lstm" or
"bidirectional/forward_lstm".
"""

from copy import deepcopy
from typing import Any

import numpy as np

import lstm_engine as le
from lstm_engine.feedforward import Dropout
from lstm_engine.recurrent import Recurrent
from lstm_engine.wrappers import Bidirectional


def silence(model: le.Sequential, layer: str, unit: int) -> le.Sequential:
    """The model in which nobody hears a unit: its rows in its own recurrent kernel and in the next layer's kernel are 0.

    The unit itself runs on. ValueError for a unit or a layer that is not there, or one whose rows others share.
    """
    own = recurrent(model, layer)
    if not 0 <= unit < own.units:
        raise ValueError(f"{layer} has the units 0 to {own.units - 1}, got {unit}")
    edited = deepcopy(model)
    for name, row in [(f"{layer}/recurrent_kernel", unit), *_rows_above(model, layer, unit)]:
        edited.weights[name][row] = 0
    return edited


def force(model: le.Sequential, layer: str, gate: str, value: float, unit: int | None = None) -> le.Sequential:
    """The model in which a gate is always `value`, of all units or of one: its columns are 0, and its bias σ⁻¹(value).

    value lies strictly between 0 and 1 for i, f and o (logit), between -1 and 1 for g (artanh). ValueError otherwise, and
    where the layer has no bias or other activations than an LSTM's own.
    """
    own = recurrent(model, layer)
    if (
        not isinstance(own, le.LSTM)
        or not own.use_bias
        or (own.activation, own.recurrent_activation) != ("tanh", "sigmoid")
    ):
        raise ValueError(
            f"{layer} must be an LSTM with a bias, sigmoid gates and tanh, for a gate to be held by its bias"
        )
    if gate not in own.gate_names:
        raise ValueError(f"gate must be one of {', '.join(own.gate_names)}, got {gate!r}")
    lowest = -1 if gate == "g" else 0
    if not lowest < value < 1:
        raise ValueError(f"gate {gate} lies strictly between {lowest} and 1, got {value}")
    if unit is not None and not 0 <= unit < own.units:
        raise ValueError(f"{layer} has the units 0 to {own.units - 1}, got {unit}")
    first = own.gate_names.index(gate) * own.units
    columns = slice(first, first + own.units) if unit is None else first + unit
    edited = deepcopy(model)
    edited.weights[f"{layer}/kernel"][:, columns] = 0
    edited.weights[f"{layer}/recurrent_kernel"][:, columns] = 0
    edited.weights[f"{layer}/bias"][columns] = np.arctanh(value) if gate == "g" else np.log(value) - np.log1p(-value)
    return edited


def from_step(before: le.Sequential, after: le.Sequential, x: Any, t: int) -> np.ndarray:
    """What a model says of x (N, T, D) that is `before` up to step t and `after` from step t on, going on from the state.

    A layer that reads from the end is `after` first, down to step t, and `before` from there to the beginning. Steps that a
    Masking layer masks stay masked. ValueError for a t that is no step of x.
    """
    x = np.asarray(x, before.dtype)
    if not 0 <= t < x.shape[1]:
        raise ValueError(f"t must be a step of x, 0 to {x.shape[1] - 1}, got {t}")
    if t == 0:
        return after(x)
    T, mask = x.shape[1], None  # mask (N, T) of bool, or None
    for one, other in zip(before.layers, after.layers, strict=True):
        if x.ndim == 2:  # the last states have answered
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


def recurrent(model: le.Sequential, name: str) -> Recurrent:
    """The recurrent layer, or direction of a Bidirectional, of that name. ValueError, with those that there are."""
    there = {f"{layer.name}/{prefix}".rstrip("/"): p for layer in model.layers for prefix, p in layer.parts.items()}
    there = {key: part for key, part in there.items() if isinstance(part, Recurrent)}
    if name not in there:
        raise ValueError(f"there is no recurrent layer {name!r}, but {', '.join(there) or 'none'}")
    return there[name]


def _rows_above(model: le.Sequential, layer: str, unit: int) -> list[tuple[str, int]]:
    """The weights that the unit's h meets in the layer above, by name and row."""
    name, _, direction = layer.partition("/")
    at = [own.name for own in model.layers].index(name)
    below = model.layers[at]
    if isinstance(below, Bidirectional):
        if below.merge_mode != "concat":
            raise ValueError(
                f"{name} merges its directions by {below.merge_mode!r}: no row is one direction's unit's alone"
            )
        unit += below.forward_half.units * (direction == below.backward_half.name)
    for above in model.layers[at + 1 :]:
        kernels = [n for n in above.weights if n.rpartition("/")[2] == "kernel"]
        if kernels:
            return [(f"{above.name}/{n}", unit) for n in kernels]
        if not isinstance(above, Dropout):
            raise ValueError(
                f"{above.name} stands between {name} and the next kernel: the rows of a unit are not known"
            )
    raise ValueError(f"no layer above {name} reads its units: it is the model's output")
