"""The training step of the most common network: one recurrent layer, and a Dense layer on its last state.

It calls the functions that `Network.step` would call, in the same order, so that the numbers are the same bit for bit. It
leaves out the bookkeeping that other networks need: the graph, masks, several outputs, dropout, penalties. That takes as long
as the arithmetic of a small batch. A network in which a reader has replaced one of those functions goes the long way.
"""

from __future__ import annotations

import functools
from operator import attrgetter
from typing import Any

import numpy as np

from . import losses
from .activations import ACTIVATIONS
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


def fits(network: Any, batch: Any) -> bool:
    """Whether the network and the batch are of this kind, with the engine's own methods."""
    nodes = network.graph.nodes
    if len(nodes) != 2 or batch.mask is not None or batch.sample_weight is not None or len(network.targets) != 1:
        return False
    r, dense = nodes[0].layer, nodes[1].layer
    return (
        type(r) in (LSTM, GRU, SimpleRNN)
        and type(dense) is Dense
        and all(of_layer(type(x)) == LAYERS[type(x)] and not vars(x).keys() & OF_LAYER for x in (r, dense))
        and of_network(type(network)) == of_the_engine()
        and not vars(network).keys() & OF_NETWORK
        and len(network.graph.inputs) == 1
        and r.trainable
        and dense.trainable
        and not (
            r.dropout or r.recurrent_dropout or r.go_backwards or r.stateful or r.return_sequences or r.return_state
        )
        and not network.penalties()
    )


@functools.cache
def of_the_engine() -> tuple[Any, ...]:
    from .network import Network  # which imports this module

    return of_network(Network)


def gradients(network: Any, batch: Any) -> tuple[Any, list[Any], dict[str, Any]]:
    """The loss, the head, and the gradients by the weights' names."""
    from .network import Head  # which imports this module

    (r, dense), (target,), x = (node.layer for node in network.graph.nodes), network.targets, batch.x
    runs, loss, activation = r.runs, target.loss, ACTIVATIONS[dense.activation]
    W_y, states = dense.weights["kernel"], [np.zeros((len(x), r.units), x.dtype) for _ in r.state_names]

    inputs = time_major(x), r.weights["kernel"], r.weights["recurrent_kernel"], r._bias(), *states
    tape = runs.forward(*inputs, None, None, **r.other_activations())
    h = tape.h[-1]  # (N, units)
    z = h @ W_y
    if dense.use_bias:
        z += dense.weights["bias"]
    p = activation.forward(z)
    y = losses.fit_targets(loss, batch.y, p.shape)
    mean = losses.mean(loss.values(y, p))

    dp = loss.gradient(y, p)
    dp = (dp if target.weight == 1 else dp * target.weight).astype(p.dtype, copy=False)
    dz = activation.backward(p, dp)
    d = runs.backward(tape, None, dz @ W_y.T, *states[1:], lean=True)
    found = [d.W, d.U, *([d.b] if r.use_bias else []), h.T @ dz, *([dz.sum(axis=0)] if dense.use_bias else [])]
    head = Head(mean, p, y, None, None)
    return target.weight * mean, [head], dict(zip(network.weights, found, strict=True))
