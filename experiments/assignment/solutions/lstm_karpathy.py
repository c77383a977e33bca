"""An LSTM by hand, with its gradient, in Karpathy's convention: one matrix whose first row is the bias, dicts by time step.

B sequences of T steps; every step has D inputs and d units. WLSTM (1 + D + d, 4d) multiplies [1, x, h]; its columns
are the gates, side by side in the order i f o g. There is no function for one step: forward and backward walk through
all of them.
"""

import numpy as np


def sigmoid(z):
    """σ(z) for any z, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * z))


def lstm_forward(X, WLSTM, c0, h0):
    """All steps:  i f o = σ([1, x, h] WLSTM)   g = tanh([1, x, h] WLSTM)   c = f∘c + i∘g   h = o∘tanh(c)

    X (T, B, D); WLSTM (1 + D + d, 4d); c0 and h0 (B, d), the states before the first step.
    Returns the h of every step, (T, B, d), the c of the last step, (B, d), and a cache: whatever lstm_backward needs.
    """
    T, B = X.shape[:2]
    d = h0.shape[1]
    Hin, IFOG, C, Ct, H = {}, {}, {-1: c0}, {}, {-1: h0}  # by step
    for t in range(T):
        Hin[t] = np.hstack([np.ones((B, 1)), X[t], H[t - 1]])  # (B, 1 + D + d)
        z = Hin[t].dot(WLSTM)  # (B, 4d)
        IFOG[t] = np.hstack([sigmoid(z[:, : 3 * d]), np.tanh(z[:, 3 * d :])])
        i, f, o, g = np.split(IFOG[t], 4, axis=1)  # (B, d) each
        C[t] = f * C[t - 1] + i * g
        Ct[t] = np.tanh(C[t])
        H[t] = o * Ct[t]
    Hout = np.array([H[t] for t in range(T)])
    return Hout, C[T - 1], (X, WLSTM, Hin, IFOG, C, Ct)


def lstm_backward(dHout, dcn, cache):
    """Backpropagation through time: the gradients of all steps together.

    dHout (T, B, d): the gradient of the loss with respect to the h of every step; dcn (B, d): with respect to the
    last c.
    Returns dX, dWLSTM, dc0, dh0.
    """
    X, WLSTM, Hin, IFOG, C, Ct = cache
    T, B, D = X.shape
    d = dHout.shape[2]
    dWLSTM, dX = np.zeros_like(WLSTM), np.zeros_like(X)
    dH = {t: dHout[t].copy() for t in range(T)} | {-1: np.zeros((B, d))}
    dC = {t: np.zeros((B, d)) for t in range(-1, T)}
    dC[T - 1] += dcn
    for t in reversed(range(T)):
        i, f, o, g = np.split(IFOG[t], 4, axis=1)
        do = Ct[t] * dH[t]
        dC[t] += (1 - Ct[t] ** 2) * (o * dH[t])
        df = C[t - 1] * dC[t]
        dC[t - 1] += f * dC[t]
        di = g * dC[t]
        dg = i * dC[t]
        dIFOG = np.hstack([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)])  # (B, 4d)
        dWLSTM += Hin[t].T.dot(dIFOG)
        dHin = dIFOG.dot(WLSTM.T)  # (B, 1 + D + d)
        dX[t] = dHin[:, 1 : 1 + D]
        dH[t - 1] += dHin[:, 1 + D :]
    return dX, dWLSTM, dC[-1], dH[-1]
