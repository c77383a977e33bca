"""What a recurrent layer did: how far back it remembers and by which path, which inputs and which units matter.

Every function computes a formula, stated in its docstring, from a trace (`model.trace`) or a model. s is any scalar function
of the model's output, such as the loss. Arrays are (N, T, units) as in the trace, in the order of the input's steps.
"""

from typing import Any, NamedTuple

import numpy as np

import lstm_engine as le
from experiments.microscope.interventions import recurrent, silence
from lstm_engine.activations import ACTIVATIONS
from lstm_engine.backend import one_thread_pool
from lstm_engine.cells.lstm import lstm_backward, lstm_forward
from lstm_engine.trace import Arrays, LayerTrace, Trace, recurrent_layers

# -- gradients ---------------------------------------------------------------------------------------------------------


def pulled_back(model: le.Sequential, x: Any, dp: Any, mask: Any = None) -> Trace:
    """The trace of x (N, T, D) with the gradients of s = Σ dp ∘ p, where p is the model's output, instead of the loss.

    mask (N, T): True at the steps that exist.

    dp has the shape of p, or broadcasts to it, or is a function that maps p to dp: lambda p: 1 / (p * (1 - p)) gives the
    gradients of the log-odds. `grad` holds x only. In float64, by the readable pair, without dropout.
    """
    twin = model.twin("float64")
    with one_thread_pool(model.backends()):
        p, mask, tapes = twin.forward(np.asarray(x, float), False, mask)
        gradients = twin.backward(tapes, np.broadcast_to(dp(p) if callable(dp) else dp, p.shape).astype(float))
        return Trace(recurrent_layers(twin, tapes, gradients.outputs), p, mask, None, Arrays({"x": gradients.x}))


def connectivity(model: le.Sequential, x: Any) -> np.ndarray:
    """(T_out, T): ‖∂p_τ/∂x_t‖, how much the output at step τ depends on the input at step t (Madsen 2019, Distill).

    x (T, D) is one sequence; a model with one output for the sequence has T_out = 1. For an output p_τ (K,) this is the
    Frobenius norm of the derivative (K, D), with one backward pass for each k. The derivative of the sum over k would not do:
    a softmax always sums to 1.
    """
    x = np.asarray(x, float)
    p = model(x[None])[0]  # (T_out, K), or (K,)
    squares = []
    for start in range(0, p.size, 64):  # 64 outputs at once: the tape for all of them could exceed the memory
        wanted = np.arange(start, min(start + 64, p.size))
        dp = (np.arange(p.size) == wanted[:, None]).reshape(-1, *p.shape)
        slopes = pulled_back(model, np.repeat(x[None], len(wanted), axis=0), dp).grad.x  # (., T, D)
        squares.append((slopes**2).sum(axis=-1))
    return np.sqrt(np.concatenate(squares).reshape(-1, p.shape[-1], len(x)).sum(axis=1))


def influence(model: le.Sequential, x: Any, dp: Any, mask: Any = None) -> np.ndarray:
    """(T_out, T): ‖∂s_τ/∂x_t‖, where s_τ is a scalar of the output at step τ, with the slopes dp[τ] = ∂s_τ/∂p_τ.

    x (T, D) is one sequence, mask (T,) its existing steps, dp (T_out, K), or (K,) for a model with one output. Other than
    `connectivity`, this takes one backward pass a step, however many numbers K an output has: s_τ may be a step's loss.
    """
    x, dp = np.asarray(x, float), np.asarray(dp, float)
    at_step = dp if dp.ndim == 2 else dp[None]  # (T_out, K)
    slopes, twin = [], model.twin("float64")
    with one_thread_pool(model.backends()):
        for start in range(0, len(at_step), 64):
            wanted = np.arange(start, min(start + 64, len(at_step)))
            one_step = np.where((np.arange(len(at_step)) == wanted[:, None])[..., None], at_step, 0.0)  # (., T_out, K)
            on = None if mask is None else np.repeat(np.asarray(mask)[None], len(wanted), axis=0)
            p, _, tapes = twin.forward(np.repeat(x[None], len(wanted), axis=0), False, on)
            dx = twin.backward(tapes, one_step.reshape(p.shape)).x  # (., T, D)
            slopes.append(np.linalg.norm(dx, axis=-1))
    return np.concatenate(slopes)


def gradient_by_lag(layer: LayerTrace) -> np.ndarray:
    """(T,): the mean over the sequences of ‖∂s/∂h_(T-1-k)‖₂, for lags k = 0, 1, ... back from the last step read.

    Masked steps are left out, and lags are counted without them; NaN for lags longer than every sequence. ValueError for a
    trace without gradients.
    """
    if layer.grad is None:
        raise ValueError("this trace has no gradients: give model.trace the targets y too")
    norms = np.linalg.norm(layer.grad.h, axis=-1)  # (N, T)
    live = np.ones(norms.shape, bool) if layer.mask is None else layer.mask
    if not layer.go_backwards:
        norms, live = norms[:, ::-1], live[:, ::-1]  # the last step read comes first
    total, count = np.zeros(norms.shape[1]), np.zeros(norms.shape[1])
    for of_sequence, on in zip(norms, live, strict=True):
        total[: on.sum()] += of_sequence[on]
        count[: on.sum()] += 1
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)


class Split(NamedTuple):
    """∂h_T/∂c_t = forget + gates, (T, H, H) each: entry [t, k, j] is ∂h_T[k]/∂c_t[j]."""

    total: np.ndarray
    forget: np.ndarray
    gates: np.ndarray


def split_by_path(layer: le.LSTM, x: Any) -> Split:
    """How the last state depends on an earlier cell state: along the cell, and through the gates of the steps between.

    forget: ∂h_T/∂c_t with all gates held = diag(o_T ∘ (1 - tanh² c_T) ∘ f_T ∘ ... ∘ f_(t+1)), the "constant error carousel"
    of Hochreiter & Schmidhuber (1997). total: by backpropagation, in a batch of H sequences, one for each unit of h_T.
    gates: the rest, which is every path on which some h_s with t ≤ s < T enters a later step's gates.

    x (T, D) is one sequence. With go_backwards, T is the first step and the order of t is the input's. float64.
    """
    x = np.asarray(x, float)
    x = x[::-1] if layer.go_backwards else x
    H = layer.units
    W, U = layer.weights["kernel"].astype(float), layer.weights["recurrent_kernel"].astype(float)
    b = layer.weights["bias"].astype(float) if layer.use_bias else np.zeros(4 * H)
    zeros, names = np.zeros((H, H)), layer.activations
    with one_thread_pool(layer.backends()):
        tape = lstm_forward(np.repeat(x[:, None], H, axis=1), W, U, b, zeros, zeros, **names)
        total = lstm_backward(tape, dh_T=np.eye(H)).c  # (T, H, H): row k of the batch is for h_T[k]
    f, o, tanh_c = tape.f[:, 0], tape.o[-1, 0], tape.tanh_c[-1, 0]  # (T, H), (H,), (H,)
    later = np.cumprod(np.concatenate([np.ones((1, H)), f[:0:-1]]), axis=0)[::-1]  # (T, H): f_T ∘ ... ∘ f_(t+1)
    forget = later[:, None] * np.diag(ACTIVATIONS[layer.activation].backward(tanh_c, o))
    split = Split(total, forget, total - forget)
    return Split(*(a[::-1] for a in split)) if layer.go_backwards else split


# -- gates -------------------------------------------------------------------------------------------------------------


def saturation(gate: np.ndarray, low: float = 0.1, high: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
    """(units,) twice: the share of steps in which a gate (N, T, units) is below `low`, and above `high`.

    Masked steps, which are NaN in a trace, do not count (Karpathy, Johnson & Fei-Fei 2015, section 4.2).
    """
    there = ~np.isnan(gate)
    n = there.sum(axis=(0, 1))
    return (gate < low).sum(axis=(0, 1)) / n, (gate > high).sum(axis=(0, 1)) / n


def half_life(f: np.ndarray) -> np.ndarray:
    """(units,) in steps, from f (N, T, units): after how many steps half of a cell state is left, ln ½ / mean ln f.

    exp(mean ln f) is the factor by which the forget gates multiply the cell state at each step, in the geometric mean. New
    content, written in the meantime, is not counted.
    """
    with np.errstate(divide="ignore"):
        return np.log(0.5) / np.minimum(np.nanmean(np.log(f), axis=(0, 1)), -np.finfo(float).tiny)


# -- which units count -------------------------------------------------------------------------------------------------


def by_ablation(model: le.Sequential, layer: str, x: Any, measure: Any, mask: Any = None) -> np.ndarray:
    """(units,): measure(p without the unit) - measure(p), where p is the model's output for x (N, T, D).

    measure maps p to a number, such as a clip's log-odds. The model runs once for each unit, with that unit silenced by
    `interventions.silence`.
    """
    whole, units = measure(model(x, mask=mask)), range(recurrent(model, layer).units)
    return np.array([measure(silence(model, layer, u)(x, mask=mask)) - whole for u in units])


def by_gradient(layer: LayerTrace) -> np.ndarray:
    """(units,): - Σ h ∘ ∂s/∂h over sequences and steps: the change of s on silencing a unit, if s were linear in its output.

    h influences s only through the unit's outgoing weights, so this is the exact derivative of s for shrinking all of them
    together. ValueError for a trace without gradients.
    """
    if layer.grad is None:
        raise ValueError("this trace has no gradients: give model.trace the targets y too")
    return -(layer.h * layer.grad.h).sum(axis=(0, 1))
