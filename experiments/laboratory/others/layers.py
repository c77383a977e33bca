"""Adapters for layers written as classes, which keep their cache and their gradients in themselves."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from .source import Theirs
from .standard import (
    GATES,
    Case,
    by_gate,
    columns,
    from_columns,
    gates,
    hidden,
    inputs,
    last,
    reordered,
    restored,
    side_by_side,
    step,
)

TIME = {"x": 0}


def made(kind: type, **attributes: Any) -> Any:
    """An instance without its constructor, which would draw weights of its own."""
    instance = object.__new__(kind)
    vars(instance).update(attributes)
    return instance


def nicodjimenez(theirs: Theirs) -> Case:
    """LstmNetwork: one sequence, a matrix on [x, h'] a gate, a loss layer that hands down the gradient of h."""
    loss_layer = SimpleNamespace(loss=lambda h, upstream: 0.0, bottom_diff=lambda h, upstream: upstream.copy())

    def forward(x: Any, W: Any, U: Any, b: Any) -> Any:
        theirs.numbers.hold(x, W, U, b)
        units, features = len(U), x.shape[-1]
        weights = made(theirs.LstmParam, mem_cell_ct=units, x_dim=features)
        for gate, (matrix, bias) in columns(W, U, b, h_first=False).items():
            vars(weights).update({f"w{gate}": matrix, f"b{gate}": bias[:, 0]})
            vars(weights).update({f"w{gate}_diff": np.zeros(matrix.shape), f"b{gate}_diff": np.zeros(units)})
        network = theirs.LstmNetwork(weights)
        for x_t in x:
            network.x_list_add(x_t)
        return np.stack([node.state.h for node in network.lstm_node_list]), network

    def backward(dh: Any, network: Any) -> Any:
        network.y_list_is(dh, loss_layer)
        w = network.lstm_param
        pairs = {gate: (getattr(w, f"w{gate}_diff"), getattr(w, f"b{gate}_diff")) for gate in "ifgo"}
        return {"x": None} | from_columns(pairs, h_first=False)

    return Case(forward, backward, inputs("lstm", "x W U b", batch=0), lambda **a: hidden("lstm", **a), gates("lstm"))


def hanbt_lstm(theirs: Theirs) -> Case:
    """LstmLayer: one sequence of columns; the upstream gradient is that of the last h."""
    names = {"i": "i", "f": "f", "g": "c", "o": "o"}

    def forward(x: Any, W: Any, U: Any, b: Any) -> Any:
        theirs.numbers.hold(x, W, U, b)
        layer = made(theirs.LstmLayer, input_width=len(W), state_width=len(U))
        layer.gate_activator, layer.output_activator = theirs.SigmoidActivator(), theirs.TanhActivator()
        for gate, k in names.items():
            arrays = [by_gate(W)[gate].T, by_gate(U)[gate].T, by_gate(b)[gate][:, None]]
            vars(layer).update(zip((f"W{k}x", f"W{k}h", f"b{k}"), arrays, strict=True))
        layer.reset_state()
        layer.every_x = [x_t[:, None] for x_t in x]  # their backward is handed the last x alone: for the mend
        for x_t in layer.every_x:
            layer.forward(x_t)
        return layer.h_list[-1][:, 0], layer

    def backward(dh: Any, layer: Any) -> Any:
        layer.backward(layer.every_x[-1], dh[:, None], None)
        attributes = vars(layer)
        return {
            "x": None,
            "W": side_by_side({gate: attributes[f"W{k}x_grad"].T for gate, k in names.items()}),
            "U": side_by_side({gate: attributes[f"W{k}h_grad"].T for gate, k in names.items()}),
            "b": side_by_side({gate: attributes[f"b{k}_grad"][:, 0] for gate, k in names.items()}),
        }

    return Case(forward, backward, inputs("lstm", "x W U b", batch=0), last("lstm"), gates("lstm"))


def hanbt_rnn(theirs: Theirs) -> Case:
    """RecurrentLayer: no bias, a gradient of U alone, handed in as the gradient before the last activation."""

    def forward(x: Any, W: Any, U: Any) -> Any:
        theirs.numbers.hold(x, W, U)
        layer = made(theirs.RecurrentLayer, state_width=len(U), activator=theirs.TanhActivator(), U=W.T, W=U.T)
        layer.reset_state()
        for x_t in x:
            layer.forward(x_t[:, None])
        return layer.state_list[-1][:, 0], layer

    def backward(dh: Any, layer: Any) -> Any:
        layer.backward(dh[:, None] * (1 - layer.state_list[-1] ** 2), layer.activator)
        return {"x": None, "W": None, "U": layer.gradient.T}

    def reference(x: Any, W: Any, U: Any) -> Any:
        return hidden("rnn", x, W, U, np.zeros(len(U)))[-1]

    return Case(forward, backward, inputs("rnn", "x W U", batch=0), reference)


def llsourcell(theirs: Theirs) -> Case:
    """One step of the LSTM class, on [h', x], without biases; its clipping to ±6 is left out."""
    names = {"f": 0, "i": 1, "g": 2, "o": 3}  # places among the gradients; the weights are f, i, c, o

    def forward(h: Any, c: Any, x: Any, W: Any, U: Any) -> Any:
        theirs.numbers.hold(h, c, x, W, U)
        matrices = {gate.replace("g", "c"): m for gate, (m, _) in columns(W, U, np.zeros(4 * len(U))).items()}
        layer = made(theirs.LSTM, ys=len(U), x=np.hstack([h[0], x[0]]), **matrices)
        layer.cs = c[0] + np.zeros(len(U), complex if np.iscomplexobj(matrices["f"] + h[0][0] + x[0][0]) else float)
        _, h_new, *gates_of_step = layer.forwardProp()
        return (h_new[None], layer.cs[None]), (layer, c[0], gates_of_step)

    def backward(upstream: Any, cache: Any) -> Any:
        layer, c, gates_of_step = cache
        dh, dc = upstream
        *matrices, dc_prev, dh_prev = layer.backProp(dh[0], c, *gates_of_step, dc[0], np.zeros_like(dh[0]))
        of_cell = from_columns({gate: (matrices[k], np.zeros(len(dc_prev))) for gate, k in names.items()})
        return {"h": dh_prev[None], "c": dc_prev[None], "x": None, "W": of_cell["W"], "U": of_cell["U"]}

    def reference(h: Any, c: Any, x: Any, W: Any, U: Any) -> Any:
        return step(x, h, c, W, U, np.zeros(4 * len(U)))

    of_weights = {name: parts for name, parts in gates("lstm").items() if name != "b"}
    return Case(forward, backward, inputs("lstm", "h c x W U", batch=1), reference, of_weights)


# -- numpy-ml ----------------------------------------------------------------------------------------------------------

KEPT = ("A", "Z", "C", "Gf", "Gu", "Go", "Gc", "Cc")


def numpy_ml_cell(kind: type, parameters: dict[str, Any], **functions: Any) -> Any:
    """A cell as its own first forward would make it, with our weights."""
    return made(
        kind,
        X=[],
        n_out=next(iter(parameters.values())).shape[-1],
        trainable=True,
        is_initialized=True,
        parameters=parameters,
        gradients={name: np.zeros(a.shape) for name, a in parameters.items()},
        derived_variables={name: [] for name in KEPT}
        | {"n_timesteps": 0, "current_step": 0, "dLdA_accumulator": None, "dLdC_accumulator": None},
        **functions,
    )


def numpy_ml_lstm(theirs: Theirs) -> Case:
    """LSTMCell, step by step: a matrix on [h', x] a gate, u for i, c for g; both initial states 0."""
    names = {"i": "u", "f": "f", "g": "c", "o": "o"}

    def forward(x: Any, W: Any, U: Any, b: Any) -> Any:
        theirs.numbers.hold(x, W, U, b)
        parameters = {}
        for gate, (matrix, bias) in columns(W, U, b).items():
            parameters |= {f"W{names[gate]}": matrix.T, f"b{names[gate]}": bias.T}
        cell = numpy_ml_cell(theirs.LSTMCell, parameters, act_fn=theirs.Tanh(), gate_fn=theirs.Sigmoid())
        return np.stack([cell.forward(x_t)[0] for x_t in x]), cell

    def backward(dh: Any, cell: Any) -> Any:
        dx = [cell.backward(dh_t) for dh_t in dh[::-1]][::-1]
        gradients = cell.gradients
        pairs = {gate: (gradients[f"W{name}"].T, gradients[f"b{name}"]) for gate, name in names.items()}
        return {"x": np.stack(dx)} | from_columns(pairs)

    return Case(forward, backward, inputs("lstm", "x W U b"), lambda **a: hidden("lstm", **a), gates("lstm"), TIME)


def numpy_ml_rnn(theirs: Theirs) -> Case:
    """RNNCell, step by step: two biases that are added, as columns; here each is half of b."""

    def forward(x: Any, W: Any, U: Any, b: Any) -> Any:
        theirs.numbers.hold(x, W, U, b)
        parameters = {"Wax": W, "Waa": U, "ba": b[:, None] / 2, "bx": b[:, None] / 2}
        cell = numpy_ml_cell(theirs.RNNCell, parameters, act_fn=theirs.Tanh())
        cell.n_out = len(U)
        return np.stack([cell.forward(x_t) for x_t in x]), cell

    def backward(dh: Any, cell: Any) -> Any:
        dx = [cell.backward(dh_t) for dh_t in dh[::-1]][::-1]
        gradients = cell.gradients
        return {
            "x": np.stack(dx),
            "W": gradients["Wax"],
            "U": gradients["Waa"],
            "b": (gradients["ba"] + gradients["bx"])[:, 0] / 2,
        }

    return Case(forward, backward, inputs("rnn", "x W U b"), lambda **a: hidden("rnn", **a), {}, TIME)


# -- Deep Learning from Scratch 2 --------------------------------------------------------------------------------------


def oreilly(theirs: Theirs, cell: str) -> Case:
    """TimeRNN, TimeLSTM and TimeGRU: x (N, T, D); stateful, so that h0 is ours and its gradient is kept.

    Gates f g i o, and z r h with h = (1-z)∘h' + z∘ĥ, which is ours with the sign of z's weights turned.
    """
    order = {"rnn": "h", "lstm": "fgio", "gru": "zrh"}[cell]
    kind = {"rnn": "TimeRNN", "lstm": "TimeLSTM", "gru": "TimeGRU"}[cell]

    def forward(x: Any, W: Any, U: Any, b: Any, h0: Any) -> Any:
        theirs.numbers.hold(x, W, U, b, h0)
        layer = theirs[kind](*(reordered(a, order, cell) for a in (W, U, b)), stateful=True)
        layer.set_state(h0)
        return layer.forward(x.swapaxes(0, 1)).swapaxes(0, 1), layer

    def backward(dh: Any, layer: Any) -> Any:
        dx = layer.backward(dh.swapaxes(0, 1)).swapaxes(0, 1)
        return dx, *(restored(g, order, cell) for g in layer.grads), layer.dh

    def reference(x: Any, W: Any, U: Any, b: Any, h0: Any) -> Any:
        sign = np.repeat([-1 if cell == "gru" and gate == "z" else 1 for gate in GATES[cell]], len(U))
        return hidden(cell, x, W * sign, U * sign, b * sign, h0)

    return Case(forward, backward, inputs(cell, "x W U b h0"), reference, gates(cell), TIME)


# -- EpyNN -------------------------------------------------------------------------------------------------------------


def epynn(theirs: Theirs, cell: str) -> Case:
    """Functions on a layer object: x (m, s, e), matrices U for x and V for h', a row of biases; initial states 0."""
    names = {"lstm": {gate: gate for gate in "ifgo"}, "gru": {"z": "z", "r": "r", "h": "hh"}, "rnn": {"h": ""}}[cell]
    sigmoids = ("activate_output", "activate_input", "activate_forget", "activate_update", "activate_reset")

    def forward(x: Any, W: Any, U: Any, b: Any) -> Any:
        theirs.numbers.hold(x, W, U, b)
        weights = {}
        for gate, name in names.items():
            arrays = by_gate(W, cell)[gate], by_gate(U, cell)[gate], by_gate(b, cell)[gate][None]
            weights |= dict(zip((f"U{name}", f"V{name}", f"b{name}"), arrays, strict=True))
        steps, batch, features = x.shape
        layer = SimpleNamespace(
            p=weights, g={}, fc={}, bc={}, d={"s": steps}, sequences=True,
            fs={"h": (batch, steps, len(U)), "X": (batch, steps, features)},
            activate=theirs.tanh, activate_candidate=theirs.tanh, **dict.fromkeys(sigmoids, theirs.sigmoid),
        )  # fmt: skip
        return theirs[f"{cell}_forward"](layer, x.swapaxes(0, 1)).swapaxes(0, 1), layer

    def backward(dh: Any, layer: Any) -> Any:
        dx = theirs[f"{cell}_backward"](layer, dh.swapaxes(0, 1)).swapaxes(0, 1)
        theirs[f"{cell}_compute_gradients"](layer)
        gradients = {
            k: side_by_side({gate: layer.g[f"d{k}{name}"] for gate, name in names.items()}, cell) for k in "UVb"
        }
        return {"x": dx, "W": gradients["U"], "U": gradients["V"], "b": gradients["b"][0]}

    return Case(forward, backward, inputs(cell, "x W U b"), lambda **a: hidden(cell, **a), gates(cell), TIME)


def numpy_ml_layer(theirs: Theirs) -> Case:
    """The layer LSTM, as its own first forward makes it: it makes its cell with an argument that the cell does not take."""
    layer = made(theirs.LSTM, n_in=3, n_out=4, act_fn=None, gate_fn=None, init="glorot_uniform")
    layer._init_params()
    raise NotImplementedError("the layer can be made: write its adapter")
