"""A simple recurrent network by hand, with its gradient, in the convention of Coursera's course: examples are columns.

n_x inputs, n_a units, m examples, T_x steps. `a` is the output of a step (often called h). Gradients come in a dict:
"dWax" has the shape of Wax.
"""

import numpy as np


def rnn_cell_forward(xt, a_prev, parameters):
    """One step:  a_next = tanh(Wax xt + Waa a_prev + ba)

    xt (n_x, m); a_prev (n_a, m); parameters: a dict of Wax (n_a, n_x), Waa (n_a, n_a) and ba (n_a, 1).
    Returns a_next (n_a, m), and a cache: whatever rnn_cell_backward needs.
    """
    a_next = np.tanh(parameters["Wax"] @ xt + parameters["Waa"] @ a_prev + parameters["ba"])
    return a_next, (a_next, a_prev, xt, parameters)


def rnn_cell_backward(da_next, cache):
    """The gradients of one step; da_next (n_a, m) is the gradient of the loss with respect to a_next.

    Returns a dict: dxt, da_prev, dWax, dWaa, dba.
    """
    a_next, a_prev, xt, parameters = cache
    dtanh = (1 - a_next**2) * da_next
    return {
        "dxt": parameters["Wax"].T @ dtanh,
        "da_prev": parameters["Waa"].T @ dtanh,
        "dWax": dtanh @ xt.T,
        "dWaa": dtanh @ a_prev.T,
        "dba": np.sum(dtanh, axis=1, keepdims=True),
    }


def rnn_forward(x, a0, parameters):
    """All steps, one after the other.

    x (n_x, m, T_x); a0 (n_a, m); parameters as above. Returns a (n_a, m, T_x) and caches.
    """
    a = np.zeros((*a0.shape, x.shape[2]))
    a_next = a0
    caches = []
    for t in range(x.shape[2]):
        a_next, cache = rnn_cell_forward(x[:, :, t], a_next, parameters)
        a[:, :, t] = a_next
        caches.append(cache)
    return a, caches


def rnn_backward(da, caches):
    """Backpropagation through time: the gradients of all steps together.

    da (n_a, m, T_x): the gradient of the loss with respect to the a of every step, by what lies above the network.
    Returns a dict: dx (n_x, m, T_x), da0 (n_a, m), dWax, dWaa, dba.
    """
    n_a, m, T_x = da.shape
    xt, parameters = caches[0][2], caches[0][3]
    dx = np.zeros((xt.shape[0], m, T_x))
    dWax, dWaa, dba = (np.zeros_like(parameters[name]) for name in ("Wax", "Waa", "ba"))
    da_prev = np.zeros((n_a, m))
    for t in reversed(range(T_x)):
        step = rnn_cell_backward(da[:, :, t] + da_prev, caches[t])
        da_prev = step["da_prev"]
        dx[:, :, t] = step["dxt"]
        dWax += step["dWax"]
        dWaa += step["dWaa"]
        dba += step["dba"]
    return {"dx": dx, "da0": da_prev, "dWax": dWax, "dWaa": dWaa, "dba": dba}
