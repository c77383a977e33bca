"""An LSTM by hand, with its gradient, in the convention of Coursera's course on sequence models: examples are columns.

n_x inputs, n_a units, m examples, T_x steps. `a` is the output of a step (often called h) and c its cell state. Each
gate has a matrix of its own that multiplies [a_prev; xt], and gradients come in a dict: "dWf" has the shape of Wf.
"""

import numpy as np


def sigmoid(z):
    """σ(z) for any z, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * z))


def lstm_cell_forward(xt, a_prev, c_prev, parameters):
    """One step:  ft = σ(Wf [a_prev; xt] + bf)   it = σ(Wi [a_prev; xt] + bi)   ot = σ(Wo [a_prev; xt] + bo)
    cct = tanh(Wc [a_prev; xt] + bc)        c_next = ft∘c_prev + it∘cct        a_next = ot∘tanh(c_next)

    xt (n_x, m); a_prev and c_prev (n_a, m); parameters: a dict of Wf, Wi, Wc, Wo (n_a, n_a + n_x) and bf, bi, bc, bo
    (n_a, 1).
    Returns a_next, c_next, both (n_a, m), and a cache: whatever lstm_cell_backward needs.
    """
    concat = np.concatenate((a_prev, xt), axis=0)  # (n_a + n_x, m)
    ft = sigmoid(parameters["Wf"] @ concat + parameters["bf"])  # (n_a, m) each
    it = sigmoid(parameters["Wi"] @ concat + parameters["bi"])
    cct = np.tanh(parameters["Wc"] @ concat + parameters["bc"])
    ot = sigmoid(parameters["Wo"] @ concat + parameters["bo"])
    c_next = ft * c_prev + it * cct
    a_next = ot * np.tanh(c_next)
    return a_next, c_next, (a_next, c_next, a_prev, c_prev, ft, it, cct, ot, xt, parameters)


def lstm_cell_backward(da_next, dc_next, cache):
    """The gradients of one step.

    da_next and dc_next (n_a, m): the gradient of the loss with respect to a_next and c_next.
    Returns a dict: dxt, da_prev, dc_prev, dWf, dbf, dWi, dbi, dWc, dbc, dWo, dbo.
    """
    a_next, c_next, a_prev, c_prev, ft, it, cct, ot, xt, parameters = cache
    n_a = a_next.shape[0]
    concat = np.concatenate((a_prev, xt), axis=0)
    dc = dc_next + da_next * ot * (1 - np.tanh(c_next) ** 2)
    dot = da_next * np.tanh(c_next) * ot * (1 - ot)
    dcct = dc * it * (1 - cct**2)
    dit = dc * cct * it * (1 - it)
    dft = dc * c_prev * ft * (1 - ft)
    dWf = dft @ concat.T
    dWi = dit @ concat.T
    dWc = dcct @ concat.T
    dWo = dot @ concat.T
    dbf = np.sum(dft, axis=1, keepdims=True)
    dbi = np.sum(dit, axis=1, keepdims=True)
    dbc = np.sum(dcct, axis=1, keepdims=True)
    dbo = np.sum(dot, axis=1, keepdims=True)
    Wf, Wi, Wc, Wo = parameters["Wf"], parameters["Wi"], parameters["Wc"], parameters["Wo"]
    da_prev = Wf[:, :n_a].T @ dft + Wi[:, :n_a].T @ dit + Wc[:, :n_a].T @ dcct + Wo[:, :n_a].T @ dot
    dxt = Wf[:, n_a:].T @ dft + Wi[:, n_a:].T @ dit + Wc[:, n_a:].T @ dcct + Wo[:, n_a:].T @ dot
    dc_prev = dc * ft
    return {
        "dxt": dxt, "da_prev": da_prev, "dc_prev": dc_prev,
        "dWf": dWf, "dbf": dbf, "dWi": dWi, "dbi": dbi, "dWc": dWc, "dbc": dbc, "dWo": dWo, "dbo": dbo,
    }  # fmt: skip


def lstm_forward(x, a0, parameters):
    """All steps, one after the other; the cell state before the first step is 0.

    x (n_x, m, T_x); a0 (n_a, m); parameters as above. Returns a (n_a, m, T_x), c (n_a, m, T_x) and caches.
    """
    n_a, m = a0.shape
    T_x = x.shape[2]
    a, c = np.zeros((n_a, m, T_x)), np.zeros((n_a, m, T_x))
    a_next, c_next = a0, np.zeros((n_a, m))
    caches = []
    for t in range(T_x):
        a_next, c_next, cache = lstm_cell_forward(x[:, :, t], a_next, c_next, parameters)
        a[:, :, t] = a_next
        c[:, :, t] = c_next
        caches.append(cache)
    return a, c, caches


def lstm_backward(da, caches):
    """Backpropagation through time: the gradients of all steps together.

    da (n_a, m, T_x): the gradient of the loss with respect to the a of every step, by what lies above the LSTM.
    Returns a dict: dx (n_x, m, T_x), da0 (n_a, m), dWf, dbf, dWi, dbi, dWc, dbc, dWo, dbo.
    """
    n_a, m, T_x = da.shape
    xt, parameters = caches[0][8], caches[0][9]
    dx = np.zeros((xt.shape[0], m, T_x))
    gradients = {
        f"d{name}": np.zeros_like(parameters[name]) for name in ("Wf", "bf", "Wi", "bi", "Wc", "bc", "Wo", "bo")
    }
    da_prev, dc_prev = np.zeros((n_a, m)), np.zeros((n_a, m))
    for t in reversed(range(T_x)):
        step = lstm_cell_backward(da[:, :, t] + da_prev, dc_prev, caches[t])
        da_prev, dc_prev = step["da_prev"], step["dc_prev"]
        dx[:, :, t] = step["dxt"]
        for name in gradients:
            gradients[name] += step[name]
    return gradients | {"dx": dx, "da0": da_prev}
