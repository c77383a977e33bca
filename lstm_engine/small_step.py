"""The most common network, one recurrent layer and a Dense layer on its last state: its training step, and a prediction.

Both call the functions that `Network` would call, in the same order, so that the numbers are the same bit for bit. They
leave out the bookkeeping that other networks need: the graph, masks, several outputs, dropout, penalties. That takes as long
as the arithmetic of a small batch. A network in which a reader has replaced one of those functions goes the long way.
"""

from __future__ import annotations

import functools
from operator import attrgetter
from typing import Any

import numpy as np

from . import finite, losses
from .activations import ACTIVATIONS
from .backend import forked
from .cells.gru import GRU
from .cells.lstm import LSTM
from .cells.simple_rnn import SimpleRNN
from .feedforward import Dense
from .layer import time_major

# What this stands in for, where a reader has put nothing else in its place.
OF_LAYER = "forward", "backward"
OF_NETWORK = "forward_pass", "forward", "heads", "total_loss", "backward_pass", "backward"
of_layer, of_network = attrgetter(*OF_LAYER), attrgetter(*OF_NETWORK)
LAYERS = {c: of_layer(c) for c in (LSTM, GRU, SimpleRNN, Dense)}


def plain(network: Any) -> bool:
    """Whether the network is of this kind, with the engine's own methods and one output."""
    nodes = network.graph.nodes
    if len(nodes) != 2 or len(network.graph.inputs) != 1 or len(network.graph.outputs) != 1:
        return False
    r, dense = nodes[0].layer, nodes[1].layer
    return (
        type(r) in (LSTM, GRU, SimpleRNN)
        and type(dense) is Dense
        and not (r.go_backwards or r.stateful or r.return_sequences or r.return_state)
        and all(of_layer(type(x)) == LAYERS[type(x)] and not vars(x).keys() & OF_LAYER for x in (r, dense))
        and of_network(type(network)) == of_the_engine()
        and not vars(network).keys() & OF_NETWORK
    )


@functools.cache
def of_the_engine() -> tuple[Any, ...]:
    """`OF_NETWORK` as the engine has them. The package calls this when it is imported, before a reader replaces one."""
    from .network import Network  # which imports this module

    return of_network(Network)


def trains(network: Any, batch: Any) -> bool:
    """Whether `gradients` are those of the network for this batch."""
    if batch.mask is not None or batch.sample_weight is not None or len(network.targets) != 1 or not plain(network):
        return False
    r, dense = network.graph.nodes[0].layer, network.graph.nodes[1].layer
    return r.trainable and dense.trainable and not (r.dropout or r.recurrent_dropout or network.penalties())


def predicts(network: Any, x: Any) -> bool:
    """Whether `prediction` is the network's: for an array of one sequence, (1, T, D)."""
    return (
        type(x) is np.ndarray
        and x.dtype == network.dtype
        and x.ndim == 3
        and len(x) == 1
        and x.shape[1] > 0
        and plain(network)
        and x.shape[2] == network.input_shape[-1]
        and finite.is_finite(x)  # the long way names what is not
        and not (network.as_dict or network.sources[0].whole)
        and not forked()  # the long way says what to do
    )


def prediction(network: Any, x: Any) -> Any:
    """p (1, units)."""
    r, dense = (node.layer for node in network.graph.nodes)
    h, _ = r.runs.infer(*inputs(r, x), mask=None, sequences=False, **r.other_activations())
    return output(dense, h[-1])


def inputs(r: Any, x: Any) -> list[Any]:
    """What the pair takes: x (T, N, D), the weights, and states of zero."""
    states = [np.zeros((len(x), r.units), x.dtype) for _ in r.state_names]
    return [time_major(x), r.weights["kernel"], r.weights["recurrent_kernel"], r._bias(), *states]


def output(dense: Any, h: Any) -> Any:
    """p (N, K) of h (N, units)."""
    z = h @ dense.weights["kernel"]
    if dense.use_bias:
        z += dense.weights["bias"]
    return ACTIVATIONS[dense.activation].forward(z)


def gradients(network: Any, batch: Any) -> tuple[Any, list[Any], dict[str, Any]]:
    """The loss, the head, and the gradients by the weights' names."""
    from .network import Head  # which imports this module

    (r, dense), (target,) = (node.layer for node in network.graph.nodes), network.targets
    runs, loss = r.runs, target.loss
    tape = runs.forward(*inputs(r, batch.x), None, None, **r.other_activations())
    h = tape.h[-1]  # (N, units)
    p = output(dense, h)
    y = losses.fit_targets(loss, batch.y, p.shape)
    mean = losses.mean(loss.values(y, p))

    dp = loss.gradient(y, p)
    dp = (dp if target.weight == 1 else dp * target.weight).astype(p.dtype, copy=False)
    dz = ACTIVATIONS[dense.activation].backward(p, dp)
    d = runs.backward(tape, None, dz @ dense.weights["kernel"].T, *[None] * (len(r.state_names) - 1), lean=True)
    found = [d.W, d.U, *([d.b] if r.use_bias else []), h.T @ dz, *([dz.sum(axis=0)] if dense.use_bias else [])]
    head = Head(mean, p, y, None, None)
    return target.weight * mean, [head], dict(zip(network.weights, found, strict=True))
