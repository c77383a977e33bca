"""An LSTM by hand, with its gradient. A batch of B sequences of T steps; every step has D inputs and H units.

The letters: x input, h output, c cell state; i f g o the gates; W U b the parameters. "d" stands for the gradient of
the loss, so dW has the shape of W. The four gates lie side by side on the last axis of W, U and b, in the order
i f g o.
"""

import numpy as np


def sigmoid(z):
    """σ(z) for any z, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * z))


def lstm_step_forward(x, h, c, W, U, b):
    """One step:  i = σ(xW_i + hU_i + b_i)   f = σ(xW_f + hU_f + b_f)   g = tanh(xW_g + hU_g + b_g)   o = σ(xW_o + hU_o + b_o)
    c_new = f∘c + i∘g        h_new = o∘tanh(c_new)

    x (B, D); h and c (B, H), from the step before; W (D, 4H); U (H, 4H); b (4H,).
    Returns (h_new, c_new), both (B, H), and a cache: whatever lstm_step_backward needs.
    """
    z = x @ W + h @ U + b  # (B, 4H)
    z_i, z_f, z_g, z_o = np.split(z, 4, axis=1)  # (B, H) each
    i, f, g, o = sigmoid(z_i), sigmoid(z_f), np.tanh(z_g), sigmoid(z_o)
    c_new = f * c + i * g
    tanh_c = np.tanh(c_new)
    h_new = o * tanh_c
    return (h_new, c_new), (x, h, c, W, U, i, f, g, o, tanh_c)


def lstm_step_backward(dstates, cache):
    """The gradients of one step.

    dstates: (dh_new, dc_new), the loss's gradient with respect to h_new and c_new, (B, H) each.
    Returns dx, dh, dc, dW, dU, db, each of the shape of the input that it belongs to.
    """
    dh_new, dc_new = dstates
    x, h, c, W, U, i, f, g, o, tanh_c = cache
    do = dh_new * tanh_c
    dc_total = dc_new + dh_new * o * (1 - tanh_c**2)
    df = dc_total * c
    di = dc_total * g
    dg = dc_total * i
    dc = dc_total * f
    dz = np.concatenate([di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)], axis=1)  # (B, 4H)
    dx = dz @ W.T
    dh = dz @ U.T
    dW = x.T @ dz
    dU = h.T @ dz
    db = dz.sum(axis=0)
    return dx, dh, dc, dW, dU, db


def lstm_forward(x, W, U, b, h0, c0):
    """All steps, one after the other.

    x (T, B, D); W, U, b as above; h0 and c0 (B, H), the states before the first step.
    Returns the h of every step, (T, B, H), and a cache.
    """
    h, c = h0, c0
    outputs, caches = [], []
    for x_t in x:
        (h, c), cache = lstm_step_forward(x_t, h, c, W, U, b)
        outputs.append(h)
        caches.append(cache)
    return np.stack(outputs), caches


def lstm_backward(doutputs, caches):
    """Backpropagation through time: the gradients of all steps together.

    doutputs (T, B, H): the gradient of the loss with respect to the h of every step, by what lies above the LSTM.
    Returns dx, dW, dU, db, dh0, dc0.
    """
    x, h, c, W, U = caches[0][:5]
    dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros(W.shape[1])
    dx = np.zeros((len(caches), *x.shape))
    dh, dc = np.zeros_like(h), np.zeros_like(c)  # from the step after
    for t in reversed(range(len(caches))):
        dx[t], dh, dc, dW_t, dU_t, db_t = lstm_step_backward((doutputs[t] + dh, dc), caches[t])
        dW += dW_t
        dU += dU_t
        db += db_t
    return dx, dW, dU, db, dh, dc
