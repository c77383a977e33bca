"""A simple recurrent network by hand, with its gradient, in Karpathy's convention: columns, dicts by time step.

Every step has D inputs and H units: xs[t] (D, 1) and hs[t] (H, 1). There is no function for one step: forward and
backward walk through all of them.
"""

import numpy as np


def rnn_forward(xs, Wxh, Whh, bh, hprev):
    """All steps:  hs[t] = tanh(Wxh xs[t] + Whh hs[t - 1] + bh)

    xs: a list of T columns (D, 1); Wxh (H, D); Whh (H, H); bh (H, 1); hprev (H, 1), the state before the first step.
    Returns the h of every step, a list of T columns (H, 1), and a cache: whatever rnn_backward needs.
    """
    hs = {-1: hprev}
    for t, x in enumerate(xs):
        hs[t] = np.tanh(np.dot(Wxh, x) + np.dot(Whh, hs[t - 1]) + bh)
    return [hs[t] for t in range(len(xs))], (xs, hs, Wxh, Whh)


def rnn_backward(dhs, cache):
    """Backpropagation through time: the gradients of all steps together.

    dhs: the gradient of the loss with respect to the h of every step, a list of T columns (H, 1).
    Returns dxs (a list of T columns), dWxh, dWhh, dbh, dhprev.
    """
    xs, hs, Wxh, Whh = cache
    dWxh, dWhh, dbh = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros((Whh.shape[0], 1))
    dhnext = np.zeros_like(hs[-1])
    dxs = [None] * len(xs)
    for t in reversed(range(len(xs))):
        dh = dhs[t] + dhnext
        dhraw = (1 - hs[t] * hs[t]) * dh
        dbh += dhraw
        dWxh += np.dot(dhraw, xs[t].T)
        dWhh += np.dot(dhraw, hs[t - 1].T)
        dxs[t] = np.dot(Wxh.T, dhraw)
        dhnext = np.dot(Whh.T, dhraw)
    return dxs, dWxh, dWhh, dbh, dhnext
