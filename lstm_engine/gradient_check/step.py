"""The inputs of one step, made from those of the walk: x at its first step, the states, and the parameters as they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..activations import Array
from .contract import ForwardFunction, positional
from .pair import CheckedPair

STATE_NAMES = {"h": ("h", "a", "s"), "c": ("c",)}  # letters of the first and the second state


def step_inputs_of(pair: CheckedPair, step_forward: ForwardFunction) -> dict[str, Any]:
    """By the names of step_forward's parameters. ValueError for one that is no input of the walk by name.

    "x", "xt" and "x_t" are x at step 0. A name with the letter of a state, "h", "h_prev", "prev_h", "hprev", "a_prev", is a
    random array of that state's shape: at the first step a state is often 0, which hides mistakes.
    """
    top = dict(zip(pair.inputs.arguments, pair.inputs.call_with(pair.inputs.values), strict=True))
    x = next((name for name in (*pair.time_axis, "x", "X", "xs") if name in top), next(iter(top)))
    axis = pair.time_axis.get(x, 0)
    rng = np.random.default_rng(3)
    inputs: dict[str, Any] = {}
    for parameter in positional(step_forward):
        name = parameter.name
        if name in (x, f"{x}t", f"{x}_t", "xt", "x_t"):
            inputs[name] = np.take(top[x], 0, axis=axis)
        elif name in top:
            inputs[name] = top[name]
        elif is_state(name):
            inputs[name] = rng.standard_normal(state_shape(pair, x, axis))
        elif parameter.default is parameter.empty:
            raise ValueError(
                f"step takes {name}, which is no input of forward ({', '.join(top)}): give step_inputs={{...}} by name, in "
                "the order in which the step takes them"
            )
    return inputs


def is_state(name: str) -> bool:
    letters = name.replace("prev", "").replace("last", "").strip("_0")
    return any(letters in letters_of for letters_of in STATE_NAMES.values())


def state_shape(pair: CheckedPair, x: str, axis: int) -> tuple[int, ...]:
    """Of the first output without its axis of steps, if it has one."""
    y: Array = pair.outputs.arrays[0]
    steps = np.shape(pair.inputs.values[x])[axis]
    if y.ndim > axis and y.ndim == np.ndim(pair.inputs.values[x]) and y.shape[axis] == steps:
        return (*y.shape[:axis], *y.shape[axis + 1 :])
    return y.shape
