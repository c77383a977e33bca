"""Adapters for networks that predict a character, after Karpathy's min-char-rnn: one sequence, columns, parameters in global
variables, the loss inside. The last one, NumPy's tutorial, predicts one number after the last word.

The output of all of them is the loss; backward multiplies their gradients with its upstream gradient, a number.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .source import Theirs
from .standard import (
    VOCABULARY,
    Case,
    H,
    by_gate,
    columns,
    from_columns,
    gates,
    hidden,
    inputs,
    one_hot,
    side_by_side,
    text_loss,
)

Gradients = dict[str, Any]


def text_case(cell: str, both: Callable[..., tuple[Any, Gradients]], numbers: Any) -> Case:
    """A case from a function that gives the loss and, by our names, its gradients."""

    def forward(tokens: Any, targets: Any, W: Any, U: Any, b: Any, V: Any, d: Any) -> Any:
        numbers.hold(W, U, b, V, d)
        loss, gradients = both(tokens.tolist(), targets.tolist(), W, U, b, V, d)
        return np.squeeze(loss), gradients

    def backward(dloss: Any, gradients: Gradients) -> Gradients:
        of_weights = {name: dloss * gradients[name] for name in ("W", "U", "b", "V", "d")}
        return {"tokens": None, "targets": None} | of_weights

    arguments = inputs(cell, "tokens targets W U b V d")
    return Case(forward, backward, arguments, partial(text_loss, cell), gates(cell))


def column(a: Any) -> Any:
    return a[:, None]


def rnn_names(W: Any, U: Any, b: Any, V: Any, d: Any, names: str) -> dict[str, Any]:
    """The five arrays as columns, by the names of "W U V b d" in this order."""
    return dict(zip(names.split(), (W.T, U.T, V.T, column(b), column(d)), strict=True))


def rnn_gradients(dW: Any, dU: Any, dV: Any, db: Any, dd: Any) -> Gradients:
    return {"W": dW.T, "U": dU.T, "V": dV.T, "b": np.ravel(db), "d": np.ravel(dd)}


# -- min-char-rnn and its relatives ------------------------------------------------------------------------------------


def eliben_rnn(theirs: Theirs) -> Case:
    def both(tokens: Any, targets: Any, *weights: Any) -> Any:
        theirs.update(rnn_names(*weights, names="Wxh Whh Why bh by"), vocab_size=VOCABULARY)
        loss, *gradients, _ = theirs.lossFun(tokens, targets, np.zeros((H, 1)))
        return loss, rnn_gradients(*gradients)

    return text_case("rnn", both, theirs.numbers)


def eliben_lstm(theirs: Theirs) -> Case:
    names = {"f": "f", "i": "i", "g": "cc", "o": "o"}  # in the order of the gradients

    def both(tokens: Any, targets: Any, W: Any, U: Any, b: Any, V: Any, d: Any) -> Any:
        for gate, (matrix, bias) in columns(W, U, b, h_first=False).items():
            theirs.update({f"W{names[gate]}": matrix, f"b{names[gate]}": bias})
        theirs.update(Wy=V.T, by=column(d), V=VOCABULARY)
        loss, *gradients, _, _ = theirs.lossFun(tokens, targets, np.zeros((H, 1)), np.zeros((H, 1)))
        pairs = [(gradients[k], gradients[k + 1]) for k in range(0, 10, 2)]
        of_cell = from_columns(dict(zip(names, pairs[:4], strict=True)), h_first=False)
        return loss, of_cell | {"V": pairs[4][0].T, "d": np.ravel(pairs[4][1])}

    return text_case("lstm", both, theirs.numbers)


def jy_yoon(theirs: Theirs) -> Case:
    def both(tokens: Any, targets: Any, *weights: Any) -> Any:
        theirs.update(rnn_names(*weights, names="W_xh W_hh W_hy b_h b_y"), num_chars=VOCABULARY)
        loss, ps, hs, xs = theirs.forwardprop(tokens, targets, np.zeros((H, 1)))
        theirs["targets"] = targets  # backprop reads it from a global variable
        return loss, rnn_gradients(*theirs.backprop(ps, tokens, hs, xs))

    return text_case("rnn", both, theirs.numbers)


def javaidnabi31(theirs: Theirs) -> Case:
    theirs["zero_init"] = lambda rows, columns: theirs.numbers.zeros((rows, columns))  # the notebook uses it undefined

    def both(tokens: Any, targets: Any, *weights: Any) -> Any:
        network = object.__new__(theirs.RNN)
        vars(network).update(rnn_names(*weights, names="U W V b c"), vocab_size=VOCABULARY, seq_length=len(tokens))
        xs, hs, ps = network.forward(tokens, np.zeros((H, 1)))
        dU, dW, dV, db, dc = network.backward(xs, hs, ps, targets)
        return network.loss(ps, targets), rnn_gradients(dU, dW, dV, db, dc)

    return text_case("rnn", both, theirs.numbers)


def dinosaurs(theirs: Theirs) -> Case:
    """The course's utils for its second notebook: rnn_forward and rnn_backward on tokens, the loss inside."""

    def both(tokens: Any, targets: Any, *weights: Any) -> Any:
        parameters = rnn_names(*weights, names="Wax Waa Wya b by")
        loss, cache = theirs.rnn_forward(tokens, targets, np.zeros((H, 1)), parameters, VOCABULARY)
        gradients, _ = theirs.rnn_backward(tokens, targets, parameters, cache)
        return loss, rnn_gradients(*(gradients[f"d{name}"] for name in parameters))

    return text_case("rnn", both, theirs.numbers)


def erikvdplas(theirs: Theirs) -> Case:
    """A GRU with the reset before the product: gates z r h, a matrix for x and one for h' each."""

    def both(tokens: Any, targets: Any, W: Any, U: Any, b: Any, V: Any, d: Any) -> Any:
        for gate in "zrh":
            named = {f"W{gate}": by_gate(W, "gru")[gate].T, f"U{gate}": by_gate(U, "gru")[gate].T}
            theirs.update(named | {f"b{gate}": column(by_gate(b, "gru")[gate])})
        theirs.update(Wy=V.T, by=column(d), vocab_size=VOCABULARY)
        loss, dWy, dWh, dWr, dWz, dUh, dUr, dUz, dby, dbh, dbr, dbz, _ = theirs.lossFun(
            tokens, targets, np.zeros((H, 1))
        )
        return loss, {
            "W": side_by_side({"z": dWz.T, "r": dWr.T, "h": dWh.T}, "gru"),
            "U": side_by_side({"z": dUz.T, "r": dUr.T, "h": dUh.T}, "gru"),
            "b": side_by_side({"z": np.ravel(dbz), "r": np.ravel(dbr), "h": np.ravel(dbh)}, "gru"),
            "V": dWy.T,
            "d": np.ravel(dby),
        }

    return text_case("gru", both, theirs.numbers)


# -- nicklashansen's exercise and CaptainE's solution of it ------------------------------------------------------------


def cross_entropy(probabilities: Any, targets: Any) -> Any:
    """In nats; their own loss is a mean over the vocabulary too, which their gradient is not."""
    return -sum(np.log(p[target, 0]) for p, target in zip(probabilities, targets, strict=True))


def ab_inputs(tokens: Any, targets: Any) -> tuple[Any, Any]:
    """Tokens and targets one-hot, (T, VOCABULARY, 1)."""
    return one_hot(tokens)[:, :, None], one_hot(targets)[:, :, None]


def ab_rnn(theirs: Theirs) -> Case:
    theirs["clip_gradient_norm"] = lambda gradients: gradients

    def both(tokens: Any, targets: Any, W: Any, U: Any, b: Any, V: Any, d: Any) -> Any:
        x, y = ab_inputs(tokens, targets)
        parameters = W.T, U.T, V.T, column(b), column(d)
        outputs, states = theirs.forward_pass(x, np.zeros((H, 1)), parameters)
        _, gradients = theirs.backward_pass(x, outputs, states, y, parameters)
        return cross_entropy(outputs, targets), rnn_gradients(*gradients)

    return text_case("rnn", both, theirs.numbers)


def ab_lstm(theirs: Theirs) -> Case:
    theirs.update(clip_gradient_norm=lambda gradients: gradients, hidden_size=H)

    def both(tokens: Any, targets: Any, W: Any, U: Any, b: Any, V: Any, d: Any) -> Any:
        x, y = ab_inputs(tokens, targets)
        matrices, biases = zip(*(columns(W, U, b)[gate] for gate in "figo"), strict=True)
        parameters = *matrices, V.T, *biases, column(d)
        *states, outputs = theirs.forward(x, theirs.numbers.zeros((H, 1)), theirs.numbers.zeros((H, 1)), parameters)
        _, gradients = theirs.backward(*states, outputs, y, parameters)
        of_cell = from_columns({gate: (gradients[k], gradients[5 + k]) for k, gate in enumerate("figo")})
        return cross_entropy(outputs, targets), of_cell | {"V": gradients[4].T, "d": np.ravel(gradients[9])}

    return text_case("lstm", both, theirs.numbers)


# -- NumPy's "NLP from scratch" ----------------------------------------------------------------------------------------

TARGET = 1.0  # the one label, after the last word


def numpy_tutorial(theirs: Theirs) -> Case:
    """One label from the last h: a = σ(hV + d), loss -log a. The words' vectors come from a dict, here by step."""
    names = {"f": "f", "i": "i", "g": "cm", "o": "o"}

    def forward(x: Any, W: Any, U: Any, b: Any, V: Any, d: Any) -> Any:
        theirs.numbers.hold(x, W, U, b, V, d)
        theirs.update(emb_matrix=dict(enumerate(x[:, :, None])), rng=np.random.default_rng(2), target=TARGET)
        parameters = {"W2": V.T, "b2": column(d)}
        for gate, (matrix, bias) in columns(W, U, b).items():
            parameters |= {f"W{names[gate]}": matrix, f"b{names[gate]}": bias}
        caches = theirs.forward_prop(list(range(len(x))), parameters, len(W))
        return -np.log(caches["fc_values"][0]["a2"][0, 0]), (caches, parameters, x.shape)

    def backward(dloss: Any, cache: Any) -> Gradients:
        caches, parameters, (steps, features) = cache
        of_parameters = theirs.backprop(TARGET, caches, H, features, steps, parameters)
        of_cell = from_columns(
            {gate: (of_parameters[f"dW{name}"], of_parameters[f"db{name}"]) for gate, name in names.items()}
        )
        gradients = of_cell | {"V": of_parameters["dW2"].T, "d": np.atleast_1d(of_parameters["db2"])}
        return {"x": None} | {name: dloss * g for name, g in gradients.items()}

    def reference(x: Any, W: Any, U: Any, b: Any, V: Any, d: Any) -> Any:
        return np.log1p(np.exp(-(hidden("lstm", x, W, U, b)[-1] @ V + d)))[0]

    drawn = inputs("lstm", "x W U b", batch=0) | inputs("lstm", "V d")
    arguments = drawn | {"V": drawn["V"][:, :1], "d": drawn["d"][:1]}
    method = "central"  # their sigmoid takes np.abs, through which complex numbers do not pass
    return Case(forward, backward, arguments, reference, gates("lstm"), method=method)
