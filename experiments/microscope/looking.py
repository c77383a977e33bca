"""What a network does with one sequence: its answers and losses by step, and every gate, state and gradient of its layers.

For any `Sequential` with recurrent layers. The numbers are those of `model.trace` and of `analyses.py`, in float64.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import lstm_engine as le
from experiments.microscope import analyses
from experiments.microscope.interventions import recurrent
from lstm_engine import losses
from lstm_engine.recurrent import Recurrent
from lstm_engine.trace import LayerTrace, Trace

SHOWN = {"lstm": ("i", "f", "g", "o", "c", "h"), "gru": ("z", "r", "candidate", "h"), "simple_rnn": ("h",)}
BEFORE = {
    "lstm": ("z_i", "z_f", "z_g", "z_o"),
    "gru": ("z_z", "z_r", "z_candidate"),
    "simple_rnn": ("z_h",),
}  # the activations
KEEPS = {"lstm": "f", "gru": "z"}  # the gate that multiplies the state of the step before


@dataclass(frozen=True)
class Layer:
    """One recurrent layer, or one direction, over T steps. values, gradients: (T, H) by name; masked: gates NaN, gradients 0.

    cell: a key of `microscope.cell.CELLS`. values also has the pre-activations; gradients only what a map shows.

    first: the states before the first step read, (H,) by name. By unit (H,), None where it is not defined: half_life in
    steps, low and high, shares of steps with that gate below 0.1 and above 0.9, effect, the change of s without the unit.
    """

    cell: str
    backwards: bool
    values: dict[str, np.ndarray]
    gradients: dict[str, np.ndarray]
    first: dict[str, np.ndarray]
    half_life: np.ndarray | None
    low: np.ndarray | None
    high: np.ndarray | None
    effect: np.ndarray | None


@dataclass(frozen=True)
class Seen:
    """A sequence x (T, D), and what a model does with it. mask (T,): its existing steps, or None for all.

    p (T, K): the answer at each step; with `so_far` the answer if the sequence ended there, of a model that answers once;
    (1, K) for one that answers once and reads in both directions. y: targets (T, K) or (1, K), loss_by_step (T,) or (1,) and
    loss: None without targets. slope: in words, of what the gradients are. rests (T or 1, T): ‖∂s_τ/∂x_t‖.
    """

    x: np.ndarray
    mask: np.ndarray | None
    p: np.ndarray
    so_far: bool
    y: np.ndarray | None
    loss_by_step: np.ndarray | None
    loss: float | None
    slope: str
    rests: np.ndarray
    layers: dict[str, Layer]


def look(
    model: le.Sequential, x: np.ndarray, y: Any = None, mask: np.ndarray | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Seen:  # fmt: skip
    """Look into a model at one sequence x (T, D), with its target y as `fit` takes it, without the axis of samples.

    ValueError for a model without recurrent layers, for a shape that it does not take, and for y before `compile`.
    """
    names = layer_names(model)
    X, on = np.asarray(x)[None], None if mask is None else np.asarray(mask, bool)[None]
    if y is not None and model.loss is None:
        raise ValueError(
            "a target y needs the model's loss, and it has none: compile it before it is saved, or leave y out"
        )
    trace = model.trace(X, None if y is None else np.asarray(y)[None], mask=on)
    each_step = trace.p.ndim == 3
    target = None if y is None else _targets(model, y, trace.p.shape)
    s = _of_loss(model, target, trace) if target is not None else _of_answer(trace)
    if target is None:
        trace = Trace(
            analyses.pulled_back(model, X, s.dp[None], on).layers, trace.p, trace.mask, None, by_now=trace.by_now
        )
    layers = {}
    for done, name in enumerate(names, start=1):
        layers[name] = _layer(model, name, trace[name], lambda layer: _effect(model, layer, X, s.measure, on))
        progress(done, len(names) + 1)
    rests = analyses.influence(model, x, s.by_step if each_step else s.dp, mask)
    progress(len(names) + 1, len(names) + 1)
    so_far = not each_step and trace.by_now is not None
    p = trace.p[0] if each_step else trace.by_now[0] if so_far else trace.p
    by_step = None
    if target is not None:
        loss = model.loss
        full = target[0] if each_step else np.broadcast_to(target, (len(p), target.shape[-1]))
        by_step = loss.values(full[:, 0] if loss.sparse else full, p)
        target = full if each_step else target
    return Seen(
        x=np.asarray(x, float), mask=_live(trace, mask), p=p, so_far=so_far, y=target, loss_by_step=by_step,
        loss=None if target is None else s.measure(trace.p), slope=s.words, rests=rests, layers=layers,
    )  # fmt: skip


def layer_names(model: le.Sequential) -> list[str]:
    """The recurrent layers and directions by the trace's names. ValueError if there is none, or another kind of cell."""
    parts = {name: part for name, part in model.parts.items() if isinstance(part, Recurrent)}
    if not parts:
        there = ", ".join(type(layer).__name__ for layer in model.layers) or "none"
        raise ValueError(f"this model has no recurrent layer to look into (LSTM, GRU, SimpleRNN); its layers: {there}")
    return list(parts)


@dataclass(frozen=True)
class _Scalar:
    """What the gradients are of: its slopes dp in p's shape without samples, by_step the slopes of each step's own scalar."""

    words: str
    dp: np.ndarray
    by_step: np.ndarray
    measure: Callable[[np.ndarray], float]


def _of_loss(model: le.Sequential, y: np.ndarray, trace: Trace) -> _Scalar:
    loss = model.loss
    y = y if not loss.sparse else y[..., 0]
    weights = losses.weights(trace.p.shape[:-1], trace.mask, None)
    dp = loss.gradient(y, trace.p)[0]  # of the mean over the steps
    steps = trace.p[0].size // trace.p.shape[-1]

    def measure(p: np.ndarray) -> float:
        values = loss.values(y, p.astype(float))
        return float(values.mean() if weights is None else (values * weights).mean())

    return _Scalar("the loss", dp, dp * steps, measure)


def _of_answer(trace: Trace) -> _Scalar:
    """The last answer: log p of its largest number, or the number itself if there is one alone."""
    p = trace.p[0] if trace.p.ndim == 3 else trace.p  # (T, K) or (1, K)
    last = len(p) - 1 if trace.mask is None or trace.p.ndim == 2 else int(np.flatnonzero(trace.mask[0])[-1])
    best = p.argmax(axis=-1)  # (T,)
    probabilities = p.shape[-1] > 1 and bool((p >= 0).all())
    slopes = np.eye(p.shape[-1])[best]
    if probabilities:
        slopes = slopes / np.maximum(p, losses.EPSILON)
    dp = np.where(np.arange(len(p))[:, None] == last, slopes, 0.0)

    def measure(changed: np.ndarray) -> float:
        number = float(changed.reshape(-1, p.shape[-1])[last, best[last]])
        return float(np.log(max(number, losses.EPSILON))) if probabilities else number

    words = "the log-probability of the most probable last answer" if probabilities else "the last answer"
    return _Scalar(words, dp if trace.p.ndim == 3 else dp[0], slopes, measure)


def _targets(model: le.Sequential, y: Any, shape: tuple[int, ...]) -> np.ndarray:
    """y in p's shape; class numbers (..., 1) for a loss that takes them."""
    loss = model.loss
    fitted = losses.fit_targets(loss, np.asarray(y, float)[None], shape)
    return fitted[..., None] if loss.sparse else fitted


def _effect(
    model: le.Sequential, layer: str, X: np.ndarray, measure: Any, mask: np.ndarray | None
) -> np.ndarray | None:
    try:
        return analyses.by_ablation(model, layer, X, measure, mask)
    except ValueError:  # `silence` does not know which rows of the layers above belong to a unit
        return None


def _layer(model: le.Sequential, name: str, traced: LayerTrace, effect: Callable[[str], Any]) -> Layer:
    part = recurrent(model, name)
    cell = part.cell
    gate = traced[KEEPS[cell]] if cell in KEEPS else None
    low, high = (None, None) if gate is None else analyses.saturation(gate)
    return Layer(
        cell="gru_reset_before" if isinstance(part, le.GRU) and not part.reset_after else cell,
        backwards=traced.go_backwards,
        values={k: traced[k][0] for k in (*SHOWN[cell], *BEFORE[cell])},
        gradients={k: traced.grad[k][0] for k in SHOWN[cell]} if traced.grad is not None else {},
        first={k: traced[f"{k}0"][0] for k in ("h", "c") if f"{k}0" in traced},
        half_life=None if gate is None else analyses.half_life(gate),
        low=low,
        high=high,
        effect=effect(name),
    )


def _live(trace: Trace, mask: np.ndarray | None) -> np.ndarray | None:
    """(T,): the steps that a layer reads: a Masking layer may mask more than the data does."""
    masks = [layer.mask[0] for layer in trace.layers.values() if layer.mask is not None]
    return masks[0] if masks else mask
