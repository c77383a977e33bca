"""What makes a gradient check wrong. Each case is refused before anything is compared, and the error says what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import losses
from ..activations import Array, sigmoid, softmax
from ..feedforward import Masking
from ..network import ForwardPass, Head, Network

PERFECT = 1e-5  # of p: with a smaller difference p - y, fewer than 11 of its 16 digits are left
NUDGE = 1e-14  # a relative change of all numbers
# if that changes the loss by more; at unit scale it does by 1e-14, with kernels of N(0, 1), H=64, T=112, by 1e-6
CHAOTIC = 1e-9
STILL = 0.02  # with less spread of pre-activations gates hardly move; weights of 0.01 times unit scale have a spread of 0.01


def refuse_float32(model: Network, dtype: str | None) -> None:
    if dtype not in (None, "float32", "float64"):
        raise ValueError(f'dtype must be "float32" or "float64", got {dtype!r}')
    if dtype is None and model.dtype == "float32":
        raise ValueError(
            "the model computes in float32, whose rounding (1e-7) hides mistakes as large as itself: "
            'dtype="float64" checks the same network in float64, dtype="float32" checks it as it is, with a tolerance of 1e-3'
        )


def refuse_live_dropout(model: Network, dropout: str | None) -> None:
    if dropout not in (None, "off", "frozen"):
        raise ValueError(f'dropout must be "off" or "frozen", got {dropout!r}')
    rates = {
        part.name: max(getattr(part, k, 0.0) for k in ("rate", "dropout", "recurrent_dropout"))
        for part in model.parts.values()
    }
    if dropout is None and (live := [f"{name} ({rate:g})" for name, rate in rates.items() if rate]):
        raise ValueError(
            f"{', '.join(live)} {'has' if len(live) == 1 else 'have'} dropout, which would draw other masks for every loss "
            "that is compared: "
            'dropout="frozen" (--dropout frozen) draws them once and keeps them, "off" checks the network without them'
        )


def refuse_to_wake_steps(model: Network, method: str) -> None:
    """A Masking layer no longer masks a step whose x a difference has changed."""
    layers = [part.name for part in model.parts.values() if isinstance(part, Masking)]
    if layers and method != "complex":
        raise ValueError(
            f'{layers[0]} masks steps by their values, and a difference of method="{method}" would change these and unmask '
            'the step: use method="complex", or a model without the layer and mask='
        )


def refuse_short(steps: int | None, mask: Array | None, allowed: bool) -> None:
    """steps: of the sequences; None where there are none."""
    if steps is None or allowed:
        return
    longest = steps if mask is None else int(mask.sum(axis=1).max())
    if longest < 3:
        raise ValueError(
            f"the longest sequence has {longest} step{'' if longest == 1 else 's'}: with fewer than 3, a wrong step back "
            "through time can go unseen; give longer sequences, or allow_short=True"
        )


def refuse_no_number(forward_pass: ForwardPass) -> None:
    if not np.isfinite(forward_pass.loss):
        raise ValueError(
            f"the loss is {float(forward_pass.loss)}: look for NaN, infinity or very large numbers in X, y and the weights"
        )


def refuse_perfect(loss: losses.Loss, head: Head) -> None:
    """If every prediction equals its target, p - y is nothing but the rounding of p."""
    if from_probabilities(loss):
        return  # their perfect predictions lie in the clipped zone
    p, y = p_and_y(loss, head)
    difference = np.sqrt((np.abs(p - y) ** 2).mean())
    if difference < PERFECT * np.sqrt((p**2).mean()):
        raise ValueError(
            f"the predictions equal y but for {difference:.1e}: the gradient is then made of their rounding; give other "
            "targets, such as random ones"
        )


def refuse_kink(loss: losses.Loss, head: Head) -> None:
    """The absolute error's gradient jumps from -1 to 1 where p = y: there the rounding of p decides it."""
    if not isinstance(loss, losses.MeanAbsoluteError):
        return
    p, y = head.p, head.y
    counts = True if head.weights is None else head.weights[..., None] != 0
    at_kink = counts & (np.abs(p - y) < PERFECT * np.sqrt((p**2).mean()))
    if at_kink.any():
        at = tuple(map(int, np.argwhere(at_kink)[0]))
        raise ValueError(
            f"sample {at[0]}'s prediction {p[at]:.6g} equals its target but for {abs(p[at] - y[at]):.1e}, and there "
            f"{loss.name} has a kink: its gradient is -1 on one side and 1 on the other; move the target a little"
        )


def refuse_chaos(loss: Callable[[dict[str, Array]], Any], point: dict[str, Array], allowed: bool) -> None:
    """Rounding changes every number by 1e-16. If a change by 1e-14 changes the loss much, right gradients look wrong."""
    rng = np.random.default_rng(0)
    before = float(loss(point))
    moved = {name: a * (1 + NUDGE * rng.standard_normal(a.shape)) for name, a in point.items()}
    change = abs(float(loss(moved)) - before) / abs(before)
    if change > CHAOTIC and not allowed:
        raise ValueError(
            f"the network is chaotic: a relative change of {NUDGE:.0e} in its weights and inputs changes the loss by "
            f"{change:.1e}, so that a right gradient, which is rounded too, looks wrong. Recurrent kernels of N(0, 1) do "
            "that; lstm_engine.gradient_check.unit_scale(model) draws weights that do not; allow_chaotic=True checks "
            "anyway"
        )


def refuse_clipped(loss: losses.Loss, head: Head) -> None:
    """Outside [1e-7, 1 - 1e-7] probabilities are clipped before the logarithm, and the loss's gradient is 0."""
    if not from_probabilities(loss):
        return
    p, y = p_and_y(loss, head)
    counts = np.ones_like(p, bool)
    if not isinstance(loss, losses.BinaryCrossentropy):
        p, counts = p / p.sum(axis=-1, keepdims=True), y != 0
    if (outside := (head.p < 0) | (head.p > 1)).any():
        at = tuple(map(int, np.argwhere(outside)[0]))
        raise ValueError(
            f"the model predicts {head.p[at]:.3g} for sample {at[0]}, and {loss.name} needs probabilities: give the "
            'last layer activation="sigmoid" or "softmax", or compile with a loss that has from_logits=True'
        )
    if head.weights is not None:
        counts = counts & (head.weights[..., None] != 0)
    clipped = counts & ((p < losses.EPSILON) | (p > 1 - losses.EPSILON))
    if clipped.any():
        at = tuple(map(int, np.argwhere(clipped)[0]))
        raise ValueError(
            f"sample {at[0]} has a probability of {p[at]:.3g}, where {loss.name} is clipped and its gradient exactly 0, "
            "whatever the backward pass does: leave the sample out, or make the last layer's weights smaller"
        )


def from_probabilities(loss: losses.Loss) -> bool:
    return isinstance(loss, losses.Crossentropy) and not loss.from_logits


def p_and_y(loss: losses.Loss, head: Head) -> tuple[Array, Array]:
    """What a loss compares, in one shape: the predictions, as probabilities where they are logits, and the targets."""
    p, y = head.p, losses.one_hot(head.y, head.p) if loss.sparse else head.y
    if isinstance(loss, losses.Crossentropy) and loss.from_logits:
        p = sigmoid(p) if isinstance(loss, losses.BinaryCrossentropy) else softmax(p)
    return p, y


def refuse_still_gates(traced: dict[str, Any], allowed: bool) -> None:
    """traced: by layer, the arrays of its trace, in which the names of pre-activations begin with z_."""
    for name, layer in traced.items():
        spread = np.sqrt(
            np.nanmean([np.nanvar(a, axis=(0, 1)).mean() for key, a in layer.items() if key.startswith("z_")])
        )
        if spread < STILL and not allowed:
            raise ValueError(
                f"{name}'s pre-activations vary by {spread:.2g} (root mean square): its weights or inputs are too "
                "small to detect a wrong term; lstm_engine.gradient_check.unit_scale(model) draws weights at which every "
                "term counts; allow_small=True checks anyway"
            )
