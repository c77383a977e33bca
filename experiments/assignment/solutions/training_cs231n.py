"""The training loop in the convention of CS231n."""

import numpy as np

from .adam import adam_step
from .lstm_cs231n import lstm_backward, lstm_forward


def train(batches, parameters, learning_rate=0.001):
    """Trains the LSTM and a linear output on its last h: p = h_T V + d, with the loss mean((p - y)²).

    batches: a list of (x, y), x (N, T, D) and y (N, 1); parameters: a dict of Wx, Wh, b as above, V (H, 1) and d (1,). The
    states before the first step are 0. For every batch: the loss, its gradients, one step of Adam for every parameter.
    Returns the losses, a list of floats, each from before its step. The arrays that come in stay as they are.
    """
    parameters = dict(parameters)
    moments = {name: (np.zeros_like(w), np.zeros_like(w)) for name, w in parameters.items()}
    losses = []
    for t, (x, y) in enumerate(batches, start=1):
        Wx, Wh, b, V, d = (parameters[name] for name in ("Wx", "Wh", "b", "V", "d"))
        h, cache = lstm_forward(x, np.zeros((len(x), Wh.shape[0])), Wx, Wh, b)
        p = h[:, -1].dot(V) + d  # (N, 1)
        losses.append(float(np.mean((p - y) ** 2)))
        dp = 2 * (p - y) / p.size
        dh = np.zeros_like(h)
        dh[:, -1] = dp.dot(V.T)
        _, _, dWx, dWh, db = lstm_backward(dh, cache)
        gradients = {"Wx": dWx, "Wh": dWh, "b": db, "V": h[:, -1].T.dot(dp), "d": dp.sum(axis=0)}
        for name, (m, v) in moments.items():
            parameters[name], m, v = adam_step(parameters[name], gradients[name], m, v, t, learning_rate)
            moments[name] = m, v
    return losses
