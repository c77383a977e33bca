"""An LSTM with one mistake, and the page of its gradient check, for a picture in these documents.

python docs/failing_lstm.py runs/failing.html
python -m experiments.microscope.page_picture runs/failing.html docs/pictures/gradient_report.png --width 900 --height 600
"""

import sys

import numpy as np

import lstm_engine as le


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def forward(x, W, U, b, h0, c0):
    """x (T, B, D), W (D, 4H), U (H, 4H), b (4H,), h0 and c0 (B, H) -> h (T, B, H)."""
    h, c, hs, cache = h0, c0, [], []
    for x_t in x:
        i, f, g, o = np.split(x_t @ W + h @ U + b, 4, axis=-1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        before, c = (h, c), f * c + i * g
        h = o * np.tanh(c)
        hs.append(h)
        cache.append((x_t, *before, i, f, g, o, c))
    return np.stack(hs), (cache, W, U, b)


def backward(dhs, cache):
    steps, W, U, b = cache
    dx, dW, dU, db = [], np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
    dh = dc = np.zeros_like(steps[0][1])
    for dh_t, (x, h_prev, _, i, f, g, o, c) in zip(dhs[::-1], steps[::-1], strict=True):
        dh = dh + dh_t
        dc = dc + dh * o * (1 - np.tanh(c) ** 2)
        df = dc * c  # the mistake: c of the step before belongs here
        dz_i, dz_f, dz_g, dz_o = (
            dc * g * i * (1 - i),
            df * f * (1 - f),
            dc * i * (1 - g**2),
            dh * np.tanh(c) * o * (1 - o),
        )
        dz = np.concatenate([dz_i, dz_f, dz_g, dz_o], axis=-1)
        dW, dU, db = dW + x.T @ dz, dU + h_prev.T @ dz, db + dz.sum(axis=0)
        dx.append(dz @ W.T)
        dh, dc = dz @ U.T, dc * f
    return np.stack(dx[::-1]), dW, dU, db, dh, dc


if __name__ == "__main__":
    T, B, D, H = 5, 3, 3, 4
    rng = np.random.default_rng(0)
    shapes = {"x": (T, B, D), "W": (D, 4 * H), "U": (H, 4 * H), "b": (4 * H,), "h0": (B, H), "c0": (B, H)}
    report = le.gradcheck_function(forward, backward, {name: rng.standard_normal(s) for name, s in shapes.items()})
    report.save(sys.argv[1], "My LSTM")
