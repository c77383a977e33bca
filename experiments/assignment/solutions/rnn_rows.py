"""A simple recurrent network by hand, with its gradient. A batch of B sequences of T steps; D inputs and H units.

The letters: x input, h output, W U b the parameters. "d" stands for the gradient of the loss, so dW has the shape
of W.
"""

import numpy as np


def rnn_step_forward(x, h, W, U, b):
    """One step:  h_new = tanh(xW + hU + b)

    x (B, D); h (B, H), from the step before; W (D, H); U (H, H); b (H,).
    Returns h_new (B, H), and a cache: whatever rnn_step_backward needs.
    """
    h_new = np.tanh(x @ W + h @ U + b)
    return h_new, (x, h, W, U, h_new)


def rnn_step_backward(dh_new, cache):
    """The gradients of one step; dh_new (B, H) is the loss's gradient with respect to h_new.

    Returns dx, dh, dW, dU, db, each of the shape of the input that it belongs to.
    """
    x, h, W, U, h_new = cache
    dz = dh_new * (1 - h_new**2)  # (B, H)
    dx = dz @ W.T
    dh = dz @ U.T
    dW = x.T @ dz
    dU = h.T @ dz
    db = dz.sum(axis=0)
    return dx, dh, dW, dU, db


def rnn_forward(x, W, U, b, h0):
    """All steps, one after the other.

    x (T, B, D); W, U, b as above; h0 (B, H), the state before the first step.
    Returns the h of every step, (T, B, H), and a cache.
    """
    h = h0
    outputs, caches = [], []
    for x_t in x:
        h, cache = rnn_step_forward(x_t, h, W, U, b)
        outputs.append(h)
        caches.append(cache)
    return np.stack(outputs), caches


def rnn_backward(doutputs, caches):
    """Backpropagation through time: the gradients of all steps together.

    doutputs (T, B, H): the gradient of the loss with respect to the h of every step, by what lies above the network.
    Returns dx, dW, dU, db, dh0.
    """
    x, h, W, U, _ = caches[0]
    dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros(W.shape[1])
    dx = np.zeros((len(caches), *x.shape))
    dh = np.zeros_like(h)  # from the step after
    for t in reversed(range(len(caches))):
        dx[t], dh, dW_t, dU_t, db_t = rnn_step_backward(doutputs[t] + dh, caches[t])
        dW += dW_t
        dU += dU_t
        db += db_t
    return dx, dW, dU, db, dh
