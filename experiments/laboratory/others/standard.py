"""What every adapter works with: inputs at unit scale in the engine's form, other layouts of them, the engine's own forward.

x (T, B, D), W (D, nH), U (H, nH), b (nH,), h0 and c0 (B, H), h (T, B, H); gates side by side on the last axis: i f g o for an
LSTM, z r ĥ for a GRU, one for an RNN. A character model adds logits = hV + d and takes tokens instead of x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lstm_engine.cells.gru import gru_forward
from lstm_engine.cells.lstm import lstm_forward
from lstm_engine.cells.simple_rnn import simple_rnn_forward

Arrays = dict[str, Any]

GATES = {"lstm": "ifgo", "gru": "zrh", "rnn": "h"}
T, B, D, H = 5, 2, 3, 4  # D is no multiple of 4, and no two are equal but where a layout asks for it
VOCABULARY = 4
TOKENS = np.array([2, 0, 3, 1, 2])  # every character occurs
TARGETS = np.array([1, 3, 0, 2, 1])


@dataclass
class Case:
    """A public pass in the form that `gradcheck_function` takes, with the engine's forward to compare with."""

    forward: Callable[..., Any]
    backward: Callable[..., Any]
    inputs: Arrays
    reference: Callable[..., Any] | None = None  # the engine's outputs for the same inputs
    gates: dict[str, Any] = field(default_factory=dict)
    time_axis: dict[str, int] = field(default_factory=dict)
    method: str = "complex"


def inputs(cell: str, names: str, batch: int = B, seed: int = 0) -> Arrays:
    """Weights and inputs by name, at unit scale: "x W U b h0 c0", "V d" behind it, "h c" of a step, "tokens targets".

    Biases are N(0, 1), kernels N(0, 1/rows), so that every term of a gradient counts and no gate is saturated. batch=0 leaves
    the axis of sequences out: x (T, D).
    """
    rng, n = np.random.default_rng(seed), len(GATES[cell])
    features = VOCABULARY if "V" in names.split() else D
    shapes = {
        "x": (batch, D) if "h" in names.split() else (T, batch, D) if batch else (T, D),
        "W": (features, n * H),
        "U": (H, n * H),
        "b": (n * H,),
        "V": (H, VOCABULARY),
        "d": (VOCABULARY,),
    }
    drawn = {name: rng.standard_normal(shapes.get(name, (batch, H))) for name in names.split()}
    scaled = {name: a / np.sqrt(len(a)) if name in ("W", "U", "V") else a for name, a in drawn.items()}
    return scaled | {name: a for name, a in (("tokens", TOKENS), ("targets", TARGETS)) if name in scaled}


def gates(cell: str) -> dict[str, Any]:
    names = ("z", "r", "ĥ") if cell == "gru" else tuple(GATES[cell])
    return {} if cell == "rnn" else dict.fromkeys(("W", "U", "b"), names)


# -- layouts -----------------------------------------------------------------------------------------------------------


def reordered(a: Any, order: str, cell: str = "lstm") -> Any:
    """The blocks of the last axis in another order of the gates: "ifog" for CS231n's."""
    blocks = np.split(a, len(order), axis=-1)
    return np.concatenate([blocks[GATES[cell].index(gate)] for gate in order], axis=-1)


def restored(a: Any, order: str, cell: str = "lstm") -> Any:
    """Undoes `reordered`."""
    blocks = np.split(np.asarray(a), len(order), axis=-1)
    return np.concatenate([blocks[order.index(gate)] for gate in GATES[cell]], axis=-1)


def by_gate(a: Any, cell: str = "lstm") -> dict[str, Any]:
    """{"i": ..., "f": ...}: the block of each gate."""
    return dict(zip(GATES[cell], np.split(a, len(GATES[cell]), axis=-1), strict=True))


def side_by_side(blocks: dict[str, Any], cell: str = "lstm") -> Any:
    """Undoes `by_gate`."""
    return np.concatenate([blocks[gate] for gate in GATES[cell]], axis=-1)


def columns(W: Any, U: Any, b: Any, h_first: bool = True, cell: str = "lstm") -> dict[str, tuple[Any, Any]]:
    """For each gate one matrix of rows for units, on [h', x] or [x, h'], and its bias as a column."""
    W, U, b = by_gate(W, cell), by_gate(U, cell), by_gate(b, cell)
    return {
        gate: (np.hstack([U[gate].T, W[gate].T] if h_first else [W[gate].T, U[gate].T]), b[gate][:, None])
        for gate in GATES[cell]
    }


def from_columns(gradients: dict[str, tuple[Any, Any]], h_first: bool = True, cell: str = "lstm") -> Arrays:
    """The gradients of W, U and b from those of `columns`."""
    matrices = {gate: np.asarray(matrix).T for gate, (matrix, _) in gradients.items()}
    units = next(iter(matrices.values())).shape[1]
    split = units if h_first else -units
    above = side_by_side({gate: m[:split] for gate, m in matrices.items()}, cell)
    below = side_by_side({gate: m[split:] for gate, m in matrices.items()}, cell)
    W, U = (below, above) if h_first else (above, below)
    return {"W": W, "U": U, "b": side_by_side({gate: np.ravel(b) for gate, (_, b) in gradients.items()}, cell)}


# -- the engine's forward ----------------------------------------------------------------------------------------------


def hidden(cell: str, x: Any, W: Any, U: Any, b: Any, h0: Any = None, c0: Any = None) -> Any:
    """The engine's h of every step (T, B, H), or (T, H) for one sequence x (T, D); states that are not given are 0."""
    if x.ndim == 2:
        return hidden(cell, x[:, None], W, U, b, h0, c0)[:, 0]
    zeros = np.zeros((x.shape[1], len(U)))
    h0, c0 = (zeros if state is None else state for state in (h0, c0))
    if cell == "lstm":
        return lstm_forward(x, W, U, b, h0, c0).h
    return gru_forward(x, W, U, b, h0).h if cell == "gru" else simple_rnn_forward(x, W, U, b, h0).h


def last(cell: str) -> Callable[..., Any]:
    """The engine's h of the last step."""
    return lambda **arrays: hidden(cell, **arrays)[-1]


def step(x: Any, h: Any, c: Any, W: Any, U: Any, b: Any) -> tuple[Any, Any]:
    """The engine's h and c after one step of an LSTM."""
    tape = lstm_forward(x[None], W, U, b, h, c)
    return tape.h[0], tape.c[0]


def one_hot(tokens: Any) -> Any:
    """(T, VOCABULARY)"""
    return np.eye(VOCABULARY)[tokens]


def text_loss(cell: str, tokens: Any, targets: Any, W: Any, U: Any, b: Any, V: Any, d: Any) -> Any:
    """The engine's loss of a character model: Σ -log softmax(hV + d) at the targets, in nats."""
    logits = hidden(cell, one_hot(tokens), W, U, b) @ V + d  # (T, VOCABULARY)
    return (np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(targets)), targets]).sum()
