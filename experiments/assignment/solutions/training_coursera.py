"""The training loop in the convention of Coursera's course."""

import numpy as np

from .adam import adam_step
from .lstm_coursera import lstm_backward, lstm_forward


def train(batches, parameters, learning_rate=0.001):
    """Trains the LSTM and a linear output on its last a: p = V a_T + d, with the loss mean((p - y)²).

    batches: a list of (x, y), x (n_x, m, T_x) and y (1, m); parameters: the dict of the LSTM's, with V (1, n_a) and d (1, 1).
    The states before the first step are 0. For every batch: the loss, its gradients, one step of Adam for every parameter.
    Returns the losses, a list of floats, each from before its step. The arrays that come in stay as they are.
    """
    parameters = dict(parameters)
    moments = {name: (np.zeros_like(w), np.zeros_like(w)) for name, w in parameters.items()}
    losses = []
    for t, (x, y) in enumerate(batches, start=1):
        V = parameters["V"]
        a, _, caches = lstm_forward(x, np.zeros((V.shape[1], x.shape[1])), parameters)
        p = V @ a[:, :, -1] + parameters["d"]  # (1, m)
        losses.append(float(np.mean((p - y) ** 2)))
        dp = 2 * (p - y) / p.size
        da = np.zeros_like(a)
        da[:, :, -1] = V.T @ dp
        gradients = lstm_backward(da, caches)
        gradients |= {"dV": dp @ a[:, :, -1].T, "dd": dp.sum(axis=1, keepdims=True)}
        for name, (m, v) in moments.items():
            parameters[name], m, v = adam_step(parameters[name], gradients[f"d{name}"], m, v, t, learning_rate)
            moments[name] = m, v
    return losses
