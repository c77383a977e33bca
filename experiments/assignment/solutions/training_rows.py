"""The training loop, time-major; the GRU's and the simple network's differ in the names and in c0 alone (`starters.py`)."""

import numpy as np

from .adam import adam_step
from .lstm_rows import lstm_backward, lstm_forward


def train(batches, parameters, learning_rate=0.001):
    """Trains the LSTM and a linear output on its last h: p = h_T V + d, with the loss mean((p - y)²).

    batches: a list of (x, y), x (T, B, D) and y (B, 1); parameters: a dict of W, U, b as above, V (H, 1) and d (1,). The
    states before the first step are 0. For every batch: the loss, its gradients, one step of Adam for every parameter.
    Returns the losses, a list of floats, each from before its step. The arrays that come in stay as they are.
    """
    parameters = dict(parameters)
    moments = {name: (np.zeros_like(w), np.zeros_like(w)) for name, w in parameters.items()}
    losses = []
    for t, (x, y) in enumerate(batches, start=1):
        W, U, b, V, d = (parameters[name] for name in ("W", "U", "b", "V", "d"))
        start = np.zeros((x.shape[1], U.shape[0]))  # (B, H)
        h, cache = lstm_forward(x, W, U, b, start, start)
        p = h[-1] @ V + d  # (B, 1)
        losses.append(float(((p - y) ** 2).mean()))
        dp = 2 * (p - y) / p.size
        dh = np.zeros_like(h)
        dh[-1] = dp @ V.T
        dW, dU, db = lstm_backward(dh, cache)[1:4]
        gradients = {"W": dW, "U": dU, "b": db, "V": h[-1].T @ dp, "d": dp.sum(axis=0)}
        for name, (m, v) in moments.items():
            parameters[name], m, v = adam_step(parameters[name], gradients[name], m, v, t, learning_rate)
            moments[name] = m, v
    return losses
