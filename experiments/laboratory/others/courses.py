"""Adapters for solutions of two courses: CS231n (rows are sequences, four gates in one matrix) and Coursera's sequence models
(columns are sequences, a matrix and a bias a gate, a dict of parameters, a list of caches).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .source import Theirs
from .standard import Case, columns, from_columns, gates, hidden, inputs, one_hot, reordered, restored, step

TIME = {"x": 0}


# -- CS231n ------------------------------------------------------------------------------------------------------------


def cs231n(theirs: Theirs, cell: str) -> Case:
    """rnn_forward and lstm_forward of assignment 3: x (N, T, D), gates i f o g, c0 = 0."""
    order = "ifog" if cell == "lstm" else "h"

    def forward(x: Any, W: Any, U: Any, b: Any, h0: Any) -> Any:
        theirs.numbers.hold(x, W, U, b, h0)
        weights = [reordered(a, order, cell) for a in (W, U, b)]
        h, cache = theirs[f"{cell}_forward"](x.swapaxes(0, 1), h0, *weights)
        return h.swapaxes(0, 1), cache

    def backward(dh: Any, cache: Any) -> Any:
        dx, dh0, *weights = theirs[f"{cell}_backward"](dh.swapaxes(0, 1), cache)
        return dx.swapaxes(0, 1), *(restored(g, order, cell) for g in weights), dh0

    return Case(forward, backward, inputs(cell, "x W U b h0"), lambda **a: hidden(cell, **a), gates(cell), TIME)


# -- Coursera ----------------------------------------------------------------------------------------------------------

RNN_NAMES = {"Wax": "W", "Waa": "U", "ba": "b"}


def lstm_parameters(W: Any, U: Any, b: Any) -> dict[str, Any]:
    """Wf, bf, Wi, bi, Wc, bc, Wo, bo on [a_prev, x], and an output layer that is not judged."""
    by_name = {"Wy": np.zeros((1, len(U))), "by": np.zeros((1, 1))}
    for gate, (matrix, bias) in columns(W, U, b).items():
        by_name |= {f"W{gate.replace('g', 'c')}": matrix, f"b{gate.replace('g', 'c')}": bias}
    return by_name


def lstm_gradients(gradients: dict[str, Any]) -> dict[str, Any]:
    names = {gate: gate.replace("g", "c") for gate in "ifgo"}
    return from_columns({gate: (gradients[f"dW{name}"], gradients[f"db{name}"]) for gate, name in names.items()})


def rnn_parameters(W: Any, U: Any, b: Any) -> dict[str, Any]:
    return {"Wax": W.T, "Waa": U.T, "ba": b[:, None], "Wya": np.zeros((1, len(U))), "by": np.zeros((1, 1))}


def rnn_gradients(gradients: dict[str, Any]) -> dict[str, Any]:
    return {"W": gradients["dWax"].T, "U": gradients["dWaa"].T, "b": np.ravel(gradients["dba"])}


def coursera_step(
    theirs: Theirs, forward_name: str = "lstm_cell_forward", backward_name: str = "lstm_cell_backward"
) -> Case:
    """One step of the LSTM: xt (n_x, m), a_prev and c_prev (n_a, m)."""

    def forward(x: Any, h: Any, c: Any, W: Any, U: Any, b: Any) -> Any:
        theirs.numbers.hold(x, h, c, W, U, b)
        parameters = lstm_parameters(W, U, b)
        theirs.update(parameters)  # one of them reads its weights from global variables
        a_next, c_next, _, cache = theirs[forward_name](x.T, h.T, c.T, parameters)
        return (a_next.T, c_next.T), cache

    def backward(upstream: Any, cache: Any) -> Any:
        gradients = theirs[backward_name](upstream[0].T, upstream[1].T, cache)
        states = {"x": gradients["dxt"].T, "h": gradients["da_prev"].T, "c": gradients["dc_prev"].T}
        return states | lstm_gradients(gradients)

    return Case(forward, backward, inputs("lstm", "x h c W U b"), step, gates("lstm"))


def coursera_lstm(theirs: Theirs) -> Case:
    """lstm_forward and lstm_backward: x (n_x, m, T_x), c0 = 0."""

    def forward(x: Any, W: Any, U: Any, b: Any, h0: Any) -> Any:
        theirs.numbers.hold(x, W, U, b, h0)
        parameters = lstm_parameters(W, U, b)
        theirs.update(parameters)
        a, _, _, caches = theirs.lstm_forward(x.transpose(2, 1, 0), h0.T, parameters)
        return a.transpose(2, 1, 0), caches

    def backward(dh: Any, caches: Any) -> Any:
        gradients = theirs.lstm_backward(dh.transpose(2, 1, 0), caches)
        return {"x": gradients["dx"].transpose(2, 1, 0), "h0": gradients["da0"].T} | lstm_gradients(gradients)

    return Case(forward, backward, inputs("lstm", "x W U b h0"), lambda **a: hidden("lstm", **a), gates("lstm"), TIME)


def coursera_rnn(theirs: Theirs) -> Case:
    """rnn_forward and rnn_backward: x (n_x, m, T_x)."""

    def forward(x: Any, W: Any, U: Any, b: Any, h0: Any) -> Any:
        theirs.numbers.hold(x, W, U, b, h0)
        a, _, caches = theirs.rnn_forward(x.transpose(2, 1, 0), h0.T, rnn_parameters(W, U, b))
        return a.transpose(2, 1, 0), caches

    def backward(dh: Any, caches: Any) -> Any:
        gradients = theirs.rnn_backward(dh.transpose(2, 1, 0), caches)
        return {"x": gradients["dx"].transpose(2, 1, 0), "h0": gradients["da0"].T} | rnn_gradients(gradients)

    return Case(forward, backward, inputs("rnn", "x W U b h0"), lambda **a: hidden("rnn", **a), {}, TIME)


# -- kjpou1: Coursera's steps on tokens --------------------------------------------------------------------------------


def token_lstm(theirs: Theirs) -> Case:
    """lstm_forward and lstm_backwards on tokens: one sequence, no gradient of x."""

    def forward(tokens: Any, W: Any, U: Any, b: Any, h0: Any) -> Any:
        theirs.numbers.hold(W, U, b, h0)
        a, _, caches = theirs.lstm_forward(tokens, h0.T, lstm_parameters(W, U, b))
        return a.transpose(2, 1, 0), caches

    def backward(dh: Any, caches: Any) -> Any:
        gradients = theirs.lstm_backwards(dh.transpose(2, 1, 0), caches)
        return {"tokens": None, "h0": gradients["da0"].T} | lstm_gradients(gradients)

    return Case(forward, backward, token_inputs("lstm"), partial(token_hidden, "lstm"), gates("lstm"))


def token_rnn(theirs: Theirs) -> Case:
    """rnn_forward and rnn_backward on tokens: the states come as a dict by step, without a gradient of h0."""

    def forward(tokens: Any, W: Any, U: Any, b: Any, h0: Any) -> Any:
        theirs.numbers.hold(W, U, b, h0)
        parameters = rnn_parameters(W, U, b)
        a, x, logits, z = theirs.rnn_forward(tokens, h0.T, parameters)
        return np.stack([a[t].T for t in range(len(tokens))]), (parameters, (a, x, logits, z))

    def backward(dh: Any, cache: Any) -> Any:
        parameters, states = cache
        gradients, _ = theirs.rnn_backward(dh.transpose(2, 1, 0), parameters, states)
        return {"tokens": None, "h0": None} | rnn_gradients(gradients)

    return Case(forward, backward, token_inputs("rnn"), partial(token_hidden, "rnn"))


def token_inputs(cell: str) -> dict[str, Any]:
    """Tokens, weights for them, and h0, of one sequence."""
    drawn = inputs(cell, "tokens W U b V h0", batch=1)  # V says that there are characters instead of features
    return {name: a for name, a in drawn.items() if name != "V"}


def token_hidden(cell: str, tokens: Any, **weights: Any) -> Any:
    return hidden(cell, one_hot(tokens)[:, None], **weights)
