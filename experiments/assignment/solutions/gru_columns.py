"""A GRU by hand, with its gradient: examples are columns, and each gate has matrices of its own in a dict.

D inputs, H units, B sequences, T steps. z update gate, r reset gate, n candidate; Wz multiplies x and Uz multiplies
h. The reset comes before the recurrent product (Cho et al. 2014). Gradients come in a dict too: "dWz" has the shape
of Wz.
"""

import numpy as np


def sigmoid(z):
    """σ(z) for any z, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * z))


def gru_step_forward(x, h_prev, p):
    """One step:  z = σ(Wz x + Uz h + bz)   r = σ(Wr x + Ur h + br)   n = tanh(Wn x + Un (r∘h) + bn)   h_new = z∘h + (1 - z)∘n

    x (D, B); h_prev (H, B); p: a dict of Wz, Wr, Wn (H, D), Uz, Ur, Un (H, H) and bz, br, bn (H, 1).
    Returns h_new (H, B), and a cache: whatever gru_step_backward needs.
    """
    z = sigmoid(p["Wz"] @ x + p["Uz"] @ h_prev + p["bz"])  # (H, B) each
    r = sigmoid(p["Wr"] @ x + p["Ur"] @ h_prev + p["br"])
    n = np.tanh(p["Wn"] @ x + p["Un"] @ (r * h_prev) + p["bn"])
    h_new = z * h_prev + (1 - z) * n
    return h_new, {"x": x, "h_prev": h_prev, "z": z, "r": r, "n": n, "p": p}


def gru_step_backward(dh_new, cache):
    """The gradients of one step; dh_new (H, B) is the loss's gradient with respect to h_new.

    Returns a dict: dx, dh_prev, dWz, dUz, dbz, dWr, dUr, dbr, dWn, dUn, dbn.
    """
    x, h_prev, z, r, n, p = (cache[name] for name in ("x", "h_prev", "z", "r", "n", "p"))
    dan = dh_new * (1 - z) * (1 - n * n)
    daz = dh_new * (h_prev - n) * z * (1 - z)
    drh = p["Un"].T @ dan  # of r∘h
    dar = drh * h_prev * r * (1 - r)
    dh_prev = dh_new * z + drh * r + p["Uz"].T @ daz + p["Ur"].T @ dar
    return {
        "dx": p["Wz"].T @ daz + p["Wr"].T @ dar + p["Wn"].T @ dan,
        "dh_prev": dh_prev,
        "dWz": daz @ x.T,
        "dWr": dar @ x.T,
        "dWn": dan @ x.T,
        "dUz": daz @ h_prev.T,
        "dUr": dar @ h_prev.T,
        "dUn": dan @ (r * h_prev).T,
        "dbz": daz.sum(axis=1, keepdims=True),
        "dbr": dar.sum(axis=1, keepdims=True),
        "dbn": dan.sum(axis=1, keepdims=True),
    }


def gru_forward(xs, h0, p):
    """All steps, one after the other.

    xs: a list of T arrays (D, B); h0 (H, B); p as above. Returns the h of every step, a list of T arrays (H, B), and
    caches.
    """
    h, hs, caches = h0, [], []
    for x in xs:
        h, cache = gru_step_forward(x, h, p)
        hs.append(h)
        caches.append(cache)
    return hs, caches


def gru_backward(dhs, caches):
    """Backpropagation through time: the gradients of all steps together.

    dhs: the gradient of the loss with respect to the h of every step, a list of T arrays (H, B).
    Returns a dict: dxs (a list of T arrays), dh0, dWz, dUz, dbz, dWr, dUr, dbr, dWn, dUn, dbn.
    """
    p = caches[0]["p"]
    gradients = {f"d{name}": np.zeros_like(value) for name, value in p.items()}
    dh, dxs = np.zeros_like(dhs[0]), []
    for t in reversed(range(len(caches))):
        step = gru_step_backward(dhs[t] + dh, caches[t])
        dh = step["dh_prev"]
        dxs.insert(0, step["dx"])
        for name in gradients:
            gradients[name] += step[name]
    return gradients | {"dxs": dxs, "dh0": dh}
