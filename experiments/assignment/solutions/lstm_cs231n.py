"""An LSTM by hand, with its gradient, in the convention of CS231n: a minibatch of N sequences comes first, then the steps.

N sequences of T steps; every step has D inputs and H units. The four gates lie side by side on the last axis of Wx,
Wh and b, in the order i f o g. "d" stands for the gradient of the loss, so dWx has the shape of Wx.
"""

import numpy as np


def sigmoid(z):
    """σ(z) for any z, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * z))


def lstm_step_forward(x, prev_h, prev_c, Wx, Wh, b):
    """One step:  a = x Wx + prev_h Wh + b,   i = σ(a_i)   f = σ(a_f)   o = σ(a_o)   g = tanh(a_g)
    next_c = f∘prev_c + i∘g        next_h = o∘tanh(next_c)

    x (N, D); prev_h and prev_c (N, H); Wx (D, 4H); Wh (H, 4H); b (4H,).
    Returns next_h, next_c, both (N, H), and a cache: whatever lstm_step_backward needs.
    """
    H = prev_h.shape[1]
    a = x.dot(Wx) + prev_h.dot(Wh) + b  # (N, 4H)
    i = sigmoid(a[:, :H])  # (N, H) each
    f = sigmoid(a[:, H : 2 * H])
    o = sigmoid(a[:, 2 * H : 3 * H])
    g = np.tanh(a[:, 3 * H :])
    next_c = f * prev_c + i * g
    next_h = o * np.tanh(next_c)
    return next_h, next_c, (x, prev_h, prev_c, Wx, Wh, i, f, o, g, next_c)


def lstm_step_backward(dnext_h, dnext_c, cache):
    """The gradients of one step.

    dnext_h and dnext_c (N, H): the loss's gradient with respect to next_h and next_c.
    Returns dx, dprev_h, dprev_c, dWx, dWh, db, each of the shape of the input that it belongs to.
    """
    x, prev_h, prev_c, Wx, Wh, i, f, o, g, next_c = cache
    H = prev_h.shape[1]
    tanh_c = np.tanh(next_c)
    dnext_c = dnext_c + dnext_h * o * (1 - tanh_c**2)
    da = np.zeros((x.shape[0], 4 * H))
    da[:, :H] = dnext_c * g * i * (1 - i)
    da[:, H : 2 * H] = dnext_c * prev_c * f * (1 - f)
    da[:, 2 * H : 3 * H] = dnext_h * tanh_c * o * (1 - o)
    da[:, 3 * H :] = dnext_c * i * (1 - g**2)
    dprev_c = dnext_c * f
    dx = da.dot(Wx.T)
    dprev_h = da.dot(Wh.T)
    dWx = x.T.dot(da)
    dWh = prev_h.T.dot(da)
    db = np.sum(da, axis=0)
    return dx, dprev_h, dprev_c, dWx, dWh, db


def lstm_forward(x, h0, Wx, Wh, b):
    """All steps, one after the other; the cell state before the first step is 0.

    x (N, T, D); h0 (N, H); Wx, Wh, b as above. Returns the h of every step, (N, T, H), and a cache.
    """
    N, T, _ = x.shape
    h = np.zeros((N, T, h0.shape[1]))
    prev_h, prev_c = h0, np.zeros_like(h0)
    cache = []
    for t in range(T):
        prev_h, prev_c, step_cache = lstm_step_forward(x[:, t], prev_h, prev_c, Wx, Wh, b)
        h[:, t] = prev_h
        cache.append(step_cache)
    return h, cache


def lstm_backward(dh, cache):
    """Backpropagation through time: the gradients of all steps together.

    dh (N, T, H): the gradient of the loss with respect to the h of every step, by what lies above the LSTM.
    Returns dx, dh0, dWx, dWh, db.
    """
    N, T, H = dh.shape
    D = cache[0][0].shape[1]
    dx = np.zeros((N, T, D))
    dWx, dWh, db = np.zeros((D, 4 * H)), np.zeros((H, 4 * H)), np.zeros(4 * H)
    dprev_h, dprev_c = np.zeros((N, H)), np.zeros((N, H))
    for t in range(T - 1, -1, -1):
        step = lstm_step_backward(dh[:, t] + dprev_h, dprev_c, cache[t])
        dx[:, t], dprev_h, dprev_c = step[0], step[1], step[2]
        dWx += step[3]
        dWh += step[4]
        db += step[5]
    dh0 = dprev_h
    return dx, dh0, dWx, dWh, db
