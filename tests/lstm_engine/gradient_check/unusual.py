"""Right passes of cells that are no textbook LSTM, GRU or RNN, or are written in a way that few people choose."""

from __future__ import annotations

import numpy as np

from experiments.assignment.blind_passes import lstm_batch_backward, lstm_batch_forward


def σ(z):
    return 1 / (1 + np.exp(-z))


def fused_forward(x, h0, c0, W, U, b):
    """One array of gates for all steps, activated in place."""
    T, B, _ = x.shape
    H = h0.shape[1]
    acts = x @ W + b  # (T, B, 4H)
    acts = acts.astype(np.result_type(acts, U, h0, c0))
    h, c = np.empty((2, T + 1, B, H), acts.dtype)
    h[0], c[0] = h0, c0
    for t in range(T):
        acts[t] += h[t] @ U
        acts[t, :, : 3 * H] *= 0.5
        np.tanh(acts[t], out=acts[t])  # σ(z) = (1 + tanh(z / 2)) / 2
        acts[t, :, : 3 * H] += 1
        acts[t, :, : 3 * H] *= 0.5
        i, f, o, g = (acts[t, :, k * H : (k + 1) * H] for k in range(4))
        c[t + 1] = f * c[t] + i * g
        h[t + 1] = o * np.tanh(c[t + 1])
    return h[1:], (x, W, U, acts, h, c)


def fused_backward(dh, cache):
    """The gradients of z are written over the gates in a copy of the cache."""
    x, W, U, acts, h, c = cache
    dz = acts.copy()
    T, B, H = dh.shape
    dh_t, dc = np.zeros((2, B, H))
    for t in range(T - 1, -1, -1):
        dh_t += dh[t]
        i, f, o, g = (dz[t, :, k * H : (k + 1) * H] for k in range(4))
        tc = np.tanh(c[t + 1])
        dc += dh_t * o * (1 - tc**2)
        new_dc, di, dg = dc * f, dc * g * i * (1 - i), dc * i * (1 - g**2)
        f *= dc * c[t] * (1 - f)
        o *= dh_t * tc * (1 - o)
        i[:], g[:] = di, dg
        dc = new_dc
        dh_t = dz[t] @ U.T
    flat = dz.reshape(T * B, -1)
    return dz @ W.T, dh_t, dc, x.reshape(T * B, -1).T @ flat, h[:-1].reshape(T * B, -1).T @ flat, flat.sum(axis=0)


def cell_walk(step, step_back, weights):
    """forward and backward over the steps of a cell with states h and c, from its two functions of one step."""

    def forward(x, h0, c0, *arrays):
        h, c, hs, cs, caches = h0, c0, [], [], []
        for x_t in x:
            h, c, cache = step(x_t, h, c, *arrays)
            hs.append(h)
            cs.append(c)
            caches.append(cache)
        return (np.array(hs), np.array(cs)), (caches, arrays)

    def backward(upstream, cache):
        (dhs, dcs), (caches, arrays) = upstream, cache
        grads, dxs, dh, dc = [np.zeros_like(a) for a in arrays], [], 0, 0
        for t in range(len(caches))[::-1]:
            dx, dh, dc, *of_step = step_back(dhs[t] + dh, dcs[t] + dc, caches[t], *arrays)
            grads = [g + s for g, s in zip(grads, of_step, strict=True)]
            dxs.insert(0, dx)
        return np.array(dxs), dh, dc, *grads

    return forward, backward, weights


def peephole(x, h, c, W, U, b, p):
    zi, zf, zo, zg = np.split(x @ W + h @ U + b, 4, 1)
    i, f, g = σ(zi + p[0] * c), σ(zf + p[1] * c), np.tanh(zg)
    new = f * c + i * g
    o = σ(zo + p[2] * new)
    return o * np.tanh(new), new, (x, h, c, i, f, o, g, new)


def peephole_back(dh, dc, cache, W, U, b, p):
    x, h, c, i, f, o, g, new = cache
    dzo = dh * np.tanh(new) * o * (1 - o)
    dc = dc + dh * o * (1 - np.tanh(new) ** 2) + dzo * p[2]
    dzi, dzf, dzg = dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g**2)
    dz = np.hstack([dzi, dzf, dzo, dzg])
    dp = np.array([(dzi * c).sum(0), (dzf * c).sum(0), (dzo * new).sum(0)])
    return dz @ W.T, dz @ U.T, dc * f + dzi * p[0] + dzf * p[1], x.T @ dz, h.T @ dz, dz.sum(0), dp


def coupled(x, h, c, W, U, b):
    zf, zo, zg = np.split(x @ W + h @ U + b, 3, 1)
    f, o, g = σ(zf), σ(zo), np.tanh(zg)
    new = f * c + (1 - f) * g
    return o * np.tanh(new), new, (x, h, c, f, o, g, new)


def coupled_back(dh, dc, cache, W, U, b):
    x, h, c, f, o, g, new = cache
    dc = dc + dh * o * (1 - np.tanh(new) ** 2)
    dz = np.hstack([dc * (c - g) * f * (1 - f), dh * np.tanh(new) * o * (1 - o), dc * (1 - f) * (1 - g**2)])
    return dz @ W.T, dz @ U.T, dc * f, x.T @ dz, h.T @ dz, dz.sum(0)


def normed(x, h, c, W, U, b, γ):
    """Layer normalization of z without a mean of its own (RMS norm)."""
    z = x @ W + h @ U + b
    scale = 1 / np.sqrt((z * z).mean(1, keepdims=True) + 1e-5)
    a = z * scale * γ
    i, f, o, g = σ(a[:, : len(γ) // 4]), *(σ(v) for v in np.split(a, 4, 1)[1:3]), np.tanh(np.split(a, 4, 1)[3])
    new = f * c + i * g
    return o * np.tanh(new), new, (x, h, c, i, f, o, g, new, z, scale)


def normed_back(dh, dc, cache, W, U, b, γ):
    x, h, c, i, f, o, g, new, z, scale = cache
    dc = dc + dh * o * (1 - np.tanh(new) ** 2)
    da = np.hstack([dc * g * i * (1 - i), dc * c * f * (1 - f), dh * np.tanh(new) * o * (1 - o), dc * i * (1 - g * g)])
    dn = da * γ
    dz = scale * dn - z * scale**3 * (dn * z).mean(1, keepdims=True)
    return dz @ W.T, dz @ U.T, dc * f, x.T @ dz, h.T @ dz, dz.sum(0), (da * z * scale).sum(0)


def projected(x, h, c, W, U, b, P):
    zi, zf, zo, zg = np.split(x @ W + h @ U + b, 4, 1)
    i, f, o, g = σ(zi), σ(zf), σ(zo), np.tanh(zg)
    new = f * c + i * g
    m = o * np.tanh(new)
    return m @ P, new, (x, h, c, i, f, o, g, new, m)


def projected_back(dh, dc, cache, W, U, b, P):
    x, h, c, i, f, o, g, new, m = cache
    dP, dh = m.T @ dh, dh @ P.T
    dc = dc + dh * o * (1 - np.tanh(new) ** 2)
    dz = np.hstack([dc * g * i * (1 - i), dc * c * f * (1 - f), dh * np.tanh(new) * o * (1 - o), dc * i * (1 - g**2)])
    return dz @ W.T, dz @ U.T, dc * f, x.T @ dz, h.T @ dz, dz.sum(0), dP


def forget_bias(x, h, c, W, U, b):
    """1 is added to z of the forget gate, as TensorFlow's old cells do."""
    zi, zg, zf, zo = np.split(x @ W + h @ U + b, 4, 1)
    i, f, o, g = σ(zi), σ(zf + 1.0), σ(zo), np.tanh(zg)
    new = f * c + i * g
    return o * np.tanh(new), new, (x, h, c, i, f, o, g, new)


def forget_bias_back(dh, dc, cache, W, U, b):
    x, h, c, i, f, o, g, new = cache
    dc = dc + dh * o * (1 - np.tanh(new) ** 2)
    dz = np.hstack([dc * g * i * (1 - i), dc * i * (1 - g**2), dc * c * f * (1 - f), dh * np.tanh(new) * o * (1 - o)])
    return dz @ W.T, dz @ U.T, dc * f, x.T @ dz, h.T @ dz, dz.sum(0)


def hard(z):
    return np.where(np.abs(z.real) < 2.5, 0.2 * z + 0.5, (z.real > 0) * 1.0)


def hard_gates(x, h, c, W, U, b):
    """Keras's old default: gates of straight lines."""
    zi, zf, zg, zo = np.split(x @ W + h @ U + b, 4, 1)
    i, f, o, g = hard(zi), hard(zf), hard(zo), np.tanh(zg)
    new = f * c + i * g
    return o * np.tanh(new), new, (x, h, c, i, f, o, g, new, [np.abs(z.real) < 2.5 for z in (zi, zf, zo)])


def hard_gates_back(dh, dc, cache, W, U, b):
    x, h, c, i, f, o, g, new, (li, lf, lo) = cache
    dc = dc + dh * o * (1 - np.tanh(new) ** 2)
    dz = np.hstack([0.2 * dc * g * li, 0.2 * dc * c * lf, dc * i * (1 - g**2), 0.2 * dh * np.tanh(new) * lo])
    return dz @ W.T, dz @ U.T, dc * f, x.T @ dz, h.T @ dz, dz.sum(0)


def masked_forward(x, mask, h0, c0, W, U, b):
    """A step that mask (T, B) leaves out keeps both states."""
    h, c, hs, caches = h0, c0, [], []
    for x_t, m in zip(x, mask[..., None], strict=True):
        h_new, c_new, cache = projected(x_t, h, c, W, U, b, np.eye(h0.shape[1]))
        h, c = np.where(m, h_new, h), np.where(m, c_new, c)
        hs.append(h)
        caches.append((cache, m))
    return np.array(hs), (caches, W, U, b)


def masked_backward(dhs, cache):
    caches, W, U, b = cache
    dx, grads, dh, dc = [], [0.0, 0.0, 0.0], np.zeros_like(dhs[0]), np.zeros_like(dhs[0])
    for dh_t, (of_step, m) in zip(dhs[::-1], caches[::-1], strict=True):
        dh = dh + dh_t
        dx_t, dh_prev, dc_prev, dW, dU, db, _ = projected_back(dh * m, dc * m, of_step, W, U, b, np.eye(dh.shape[1]))
        dh, dc = dh_prev + dh * ~m, dc_prev + dc * ~m
        grads = [g + s for g, s in zip(grads, (dW, dU, db), strict=True)]
        dx.insert(0, dx_t)
    return np.array(dx), None, dh, dc, *grads


def stacked_forward(x, h0, c0, Wx, Wh, b, Wx2, b2):
    """Two layers, whose recurrent matrix is shared."""
    (h, _), low = lstm_batch_forward(x, h0, c0, Wx, Wh, b)
    (y, c), high = lstm_batch_forward(h, h0, c0, Wx2, Wh, b2)
    return (y, c), (low, high)


def stacked_backward(douts, cache):
    low, high = cache
    dh, dh2, dc2, dWx2, dWh2, db2 = lstm_batch_backward(douts, high)
    dx, dh0, dc0, dWx, dWh, db = lstm_batch_backward((dh, np.zeros_like(dc2)), low)
    return dx, dh0 + dh2, dc0 + dc2, dWx, dWh + dWh2, db, dWx2, db2


def reversed_forward(x, h0, c0, Wx, Wh, b):
    """From the last step to the first."""
    (h, c), cache = lstm_batch_forward(x[:, ::-1], h0, c0, Wx, Wh, b)
    return (h[:, ::-1], c), cache


def reversed_backward(douts, cache):
    dx, *rest = lstm_batch_backward((douts[0][:, ::-1], douts[1]), cache)
    return dx[:, ::-1], *rest


def minimal_forward(x, h0, Wf, Uf, bf, Wh, Uh, bh):
    """A GRU with one gate (Zhou et al. 2016)."""
    h, hs, cache = h0, [], []
    for x_t in x:
        f = σ(x_t @ Wf + h @ Uf + bf)
        n = np.tanh(x_t @ Wh + (f * h) @ Uh + bh)
        cache.append((x_t, h, f, n))
        h = (1 - f) * h + f * n
        hs.append(h)
    return np.array(hs), (cache, Wf, Uf, Wh, Uh)


def minimal_backward(dhs, cache):
    cache, Wf, Uf, Wh, Uh = cache
    dx, dh, grads = [], 0, [0.0] * 6
    for dh_t, (x_t, h, f, n) in zip(dhs[::-1], cache[::-1], strict=True):
        dh = dh + dh_t
        dn = dh * f * (1 - n**2)
        ds = dn @ Uh.T
        df = (dh * (n - h) + ds * h) * f * (1 - f)
        dx.insert(0, dn @ Wh.T + df @ Wf.T)
        of_step = (x_t.T @ df, h.T @ df, df.sum(0), x_t.T @ dn, (f * h).T @ dn, dn.sum(0))
        grads = [g + s for g, s in zip(grads, of_step, strict=True)]
        dh = dh * (1 - f) + ds * f + df @ Uf.T
    return np.array(dx), dh, *grads


def leaky_forward(x, h0, W, U, b):
    """A leaky simple network, h = 0.7 h' + 0.3 tanh(z), of relu on top."""
    h, hs, cache = h0, [], []
    for x_t in x:
        n = np.tanh(x_t @ W + h @ U + b)
        cache.append((x_t, h, n))
        h = 0.7 * h + 0.3 * n
        hs.append(h * (h.real > 0))
    return np.array(hs), (cache, hs, W, U)


def leaky_backward(dhs, cache):
    cache, hs, W, U = cache
    dx, dh, grads = [], 0, [0.0] * 3
    for dh_t, y, (x_t, h, n) in zip(dhs[::-1], hs[::-1], cache[::-1], strict=True):
        dh = dh + dh_t * (y > 0)
        dz = 0.3 * dh * (1 - n**2)
        dx.insert(0, dz @ W.T)
        grads = [g + s for g, s in zip(grads, (x_t.T @ dz, h.T @ dz, dz.sum(0)), strict=True)]
        dh = 0.7 * dh + dz @ U.T
    return np.array(dx), dh, *grads


T, B, D, H = 4, 3, 2, 5
STATES = {"x": (T, B, D), "h0": (B, H), "c0": (B, H)}
FOUR = {"W": (D, 4 * H), "U": (H, 4 * H), "b": (4 * H,)}
BATCH_FIRST = {"x": (B, T, D), "h0": (B, H), "c0": (B, H), "Wx": (D, 4 * H), "Wh": (H, 4 * H), "b": (4 * H,)}
PASSES = {
    "fused": (fused_forward, fused_backward, STATES | FOUR),
    "peepholes": cell_walk(peephole, peephole_back, STATES | FOUR | {"p": (3, H)}),
    "coupled gates": cell_walk(
        coupled, coupled_back, STATES | {"W": (D, 3 * H), "U": (H, 3 * H), "b": (3 * H,)}
    ),
    "normed": cell_walk(normed, normed_back, STATES | FOUR | {"gamma": (4 * H,)}),
    "projected": cell_walk(
        projected,
        projected_back,
        {"x": (T, B, D), "h0": (B, 3), "c0": (B, H), "W": (D, 4 * H), "U": (3, 4 * H), "b": (4 * H,), "P": (H, 3)},
    ),
    "forget bias": cell_walk(forget_bias, forget_bias_back, STATES | FOUR),
    "hard gates": cell_walk(hard_gates, hard_gates_back, STATES | FOUR),
    "masked": (masked_forward, masked_backward, {"x": (T, B, D), "mask": (T, B), **STATES, **FOUR}),
    "stacked": (stacked_forward, stacked_backward, BATCH_FIRST | {"Wx2": (H, 4 * H), "b2": (4 * H,)}),
    "reversed": (reversed_forward, reversed_backward, BATCH_FIRST),
    "minimal": (
        minimal_forward,
        minimal_backward,
        {"x": (T, B, D), "h0": (B, H)}
        | {f"{w}{g}": s for g in "fh" for w, s in (("W", (D, H)), ("U", (H, H)), ("b", (H,)))},
    ),
    "leaky": (
        leaky_forward,
        leaky_backward,
        {"x": (T, B, D), "h0": (B, H), "W": (D, H), "U": (H, H), "b": (H,)},
    ),
}  # fmt: skip
LIKE_LSTM = {"fused", "reversed", "masked"}  # an LSTM's equations, in an order or with a switch of their own


def inputs_of(name):
    """Random inputs of a pass, by name."""
    rng = np.random.default_rng(3)
    arrays = {key: rng.standard_normal(shape) for key, shape in PASSES[name][2].items()}
    return arrays | ({"mask": arrays["mask"] > -0.5} if "mask" in arrays else {})
