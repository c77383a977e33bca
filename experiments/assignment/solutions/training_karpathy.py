"""The training loop in Karpathy's convention."""

import numpy as np

from .adam import adam_step
from .lstm_karpathy import lstm_backward, lstm_forward


def train(batches, parameters, learning_rate=0.001):
    """Trains the LSTM and a linear output on its last h: p = h_T V + k, with the loss mean((p - y)²).

    batches: a list of (X, y), X (T, B, D) and y (B, 1); parameters: a dict of WLSTM as above, V (d, 1) and k (1,). The
    states before the first step are 0. For every batch: the loss, its gradients, one step of Adam for every parameter.
    Returns the losses, a list of floats, each from before its step. The arrays that come in stay as they are.
    """
    parameters = dict(parameters)
    moments = {name: (np.zeros_like(w), np.zeros_like(w)) for name, w in parameters.items()}
    losses = []
    for t, (X, y) in enumerate(batches, start=1):
        V = parameters["V"]
        start = np.zeros((X.shape[1], V.shape[0]))  # (B, d)
        Hout, _, cache = lstm_forward(X, parameters["WLSTM"], start, start)
        p = Hout[-1].dot(V) + parameters["k"]  # (B, 1)
        losses.append(float(np.mean((p - y) ** 2)))
        dp = 2 * (p - y) / p.size
        dHout = np.zeros_like(Hout)
        dHout[-1] = dp.dot(V.T)
        dWLSTM = lstm_backward(dHout, np.zeros_like(start), cache)[1]
        gradients = {"WLSTM": dWLSTM, "V": Hout[-1].T.dot(dp), "k": dp.sum(axis=0)}
        for name, (m, v) in moments.items():
            parameters[name], m, v = adam_step(parameters[name], gradients[name], m, v, t, learning_rate)
            moments[name] = m, v
    return losses
