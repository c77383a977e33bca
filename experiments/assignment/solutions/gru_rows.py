"""A GRU by hand, with its gradient. A batch of B sequences of T steps; every step has D inputs and H units.

The letters: x input, h output, W U b the parameters; z update gate, r reset gate, n candidate (often written with a
tilde). "d" stands for the gradient of the loss, so dW has the shape of W. The three lie side by side on the last axis
of W, U and b, in the order z r n. The reset comes before the recurrent product, as in the paper (Cho et al. 2014).
"""

import numpy as np


def sigmoid(z):
    """σ(z) for any z, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * z))


def gru_step_forward(x, h, W, U, b):
    """One step:  z = σ(xW_z + hU_z + b_z)   r = σ(xW_r + hU_r + b_r)   n = tanh(xW_n + (r∘h)U_n + b_n)
    h_new = z∘h + (1 - z)∘n

    x (B, D); h (B, H), from the step before; W (D, 3H); U (H, 3H); b (3H,).
    Returns h_new (B, H), and a cache: whatever gru_step_backward needs.
    """
    H = h.shape[1]
    xW = x @ W + b  # (B, 3H)
    z = sigmoid(xW[:, :H] + h @ U[:, :H])  # (B, H) each
    r = sigmoid(xW[:, H : 2 * H] + h @ U[:, H : 2 * H])
    n = np.tanh(xW[:, 2 * H :] + (r * h) @ U[:, 2 * H :])
    h_new = z * h + (1 - z) * n
    return h_new, (x, h, W, U, z, r, n)


def gru_step_backward(dh_new, cache):
    """The gradients of one step; dh_new (B, H) is the loss's gradient with respect to h_new.

    Returns dx, dh, dW, dU, db, each of the shape of the input that it belongs to.
    """
    x, h, W, U, z, r, n = cache
    H = h.shape[1]
    dz = dh_new * (h - n)
    dn = dh_new * (1 - z)
    da_n = dn * (1 - n**2)
    ds = da_n @ U[:, 2 * H :].T  # of s = r∘h
    dr = ds * h
    da_z = dz * z * (1 - z)
    da_r = dr * r * (1 - r)
    da = np.concatenate([da_z, da_r, da_n], axis=1)  # (B, 3H)
    dh = dh_new * z + ds * r + da_z @ U[:, :H].T + da_r @ U[:, H : 2 * H].T
    dx = da @ W.T
    dW = x.T @ da
    dU = np.concatenate([h.T @ da_z, h.T @ da_r, (r * h).T @ da_n], axis=1)
    db = da.sum(axis=0)
    return dx, dh, dW, dU, db


def gru_forward(x, W, U, b, h0):
    """All steps, one after the other.

    x (T, B, D); W, U, b as above; h0 (B, H), the state before the first step.
    Returns the h of every step, (T, B, H), and a cache.
    """
    h = h0
    outputs, caches = [], []
    for x_t in x:
        h, cache = gru_step_forward(x_t, h, W, U, b)
        outputs.append(h)
        caches.append(cache)
    return np.stack(outputs), caches


def gru_backward(doutputs, caches):
    """Backpropagation through time: the gradients of all steps together.

    doutputs (T, B, H): the gradient of the loss with respect to the h of every step, by what lies above the GRU.
    Returns dx, dW, dU, db, dh0.
    """
    x, h, W, U = caches[0][:4]
    dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros(W.shape[1])
    dx = np.zeros((len(caches), *x.shape))
    dh = np.zeros_like(h)  # from the step after
    for t in reversed(range(len(caches))):
        dx[t], dh, dW_t, dU_t, db_t = gru_step_backward(doutputs[t] + dh, caches[t])
        dW += dW_t
        dU += dU_t
        db += db_t
    return dx, dW, dU, db, dh
