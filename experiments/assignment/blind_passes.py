"""Right passes in nine ways of writing, in which `blind.py` plants mistakes. Every pair keeps gradcheck_function's contract.

They differ in what people differ in: batch first or time first, columns, a dict of gates, gates in any order, states that
start at 0, no gradient of x, a loss inside, a head on top.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def σ(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def lstm_batch_forward(x, h0, c0, Wx, Wh, b):
    """Batch first, x (B, T, D), the gates o f i g side by side."""
    T = x.shape[1]
    H = h0.shape[1]
    h, c, hs, cache = h0, c0, [], []
    for t in range(T):
        z = x[:, t] @ Wx + h @ Wh + b
        o, f, i, g = σ(z[:, :H]), σ(z[:, H : 2 * H]), σ(z[:, 2 * H : 3 * H]), np.tanh(z[:, 3 * H :])
        c_new = f * c + i * g
        cache.append((x[:, t], h, c, o, f, i, g, c_new))
        h, c = o * np.tanh(c_new), c_new
        hs.append(h)
    return (np.stack(hs, axis=1), c), (cache, x, Wx, Wh)


def lstm_batch_backward(douts, caches):
    dhs, dcT = douts
    cache, x, Wx, Wh = caches
    T = len(cache)
    dx, dWx, dWh, db = np.zeros_like(x), np.zeros_like(Wx), np.zeros_like(Wh), np.zeros(Wx.shape[1])
    dh_next, dc_next = np.zeros_like(cache[0][1]), dcT
    for t in reversed(range(T)):
        x_t, h_prev, c_prev, o, f, i, g, c = cache[t]
        dh = dhs[:, t] + dh_next
        dc = dc_next + dh * o * (1 - np.tanh(c) ** 2)
        do = dh * np.tanh(c)
        df = dc * c_prev
        di = dc * g
        dg = dc * i
        dzo, dzf, dzi, dzg = do * o * (1 - o), df * f * (1 - f), di * i * (1 - i), dg * (1 - g**2)
        dz = np.hstack([dzo, dzf, dzi, dzg])
        dWx += x_t.T @ dz
        dWh += h_prev.T @ dz
        db += dz.sum(axis=0)
        dx[:, t] = dz @ Wx.T
        dh_next = dz @ Wh.T
        dc_next = dc * f
    return dx, dh_next, dc_next, dWx, dWh, db


def lstm_dict_forward(x, h0, c0, params):
    """Columns, x (T, D, B), a matrix on [h'; x] for each gate in a dict."""
    h, c, hs, caches = h0, c0, [], []
    for x_t in x:
        s = np.concatenate([h, x_t])
        f = σ(params["Wf"] @ s + params["bf"])
        i = σ(params["Wi"] @ s + params["bi"])
        g = np.tanh(params["Wc"] @ s + params["bc"])
        o = σ(params["Wo"] @ s + params["bo"])
        c_prev, c = c, f * c + i * g
        h = o * np.tanh(c)
        caches.append((s, c_prev, c, f, i, g, o))
        hs.append(h)
    return np.array(hs), (caches, params, h0.shape[0])


def lstm_dict_backward(dhs, cache):
    caches, params, H = cache
    grads = {"d" + k: np.zeros_like(v) for k, v in params.items()}
    dxs, dh_next, dc_next = [], 0, 0
    for dh, (s, c_prev, c, f, i, g, o) in zip(dhs[::-1], caches[::-1], strict=True):
        dh = dh + dh_next
        dc = dc_next + dh * o * (1 - np.tanh(c) ** 2)
        dzo = dh * np.tanh(c) * o * (1 - o)
        dzf = dc * c_prev * f * (1 - f)
        dzi = dc * g * i * (1 - i)
        dzg = dc * i * (1 - g**2)
        grads["dWf"] += dzf @ s.T
        grads["dWi"] += dzi @ s.T
        grads["dWc"] += dzg @ s.T
        grads["dWo"] += dzo @ s.T
        grads["dbf"] += dzf.sum(axis=1, keepdims=True)
        grads["dbi"] += dzi.sum(axis=1, keepdims=True)
        grads["dbc"] += dzg.sum(axis=1, keepdims=True)
        grads["dbo"] += dzo.sum(axis=1, keepdims=True)
        ds = params["Wf"].T @ dzf + params["Wi"].T @ dzi + params["Wc"].T @ dzg + params["Wo"].T @ dzo
        dh_next = ds[:H]
        dxs.append(ds[H:])
        dc_next = f * dc
    return np.array(dxs[::-1]), dh_next, dc_next, {k[1:]: v for k, v in grads.items()}


def lstm_text_forward(ids, targets, W, U, b, V, d):
    """Letters in, the next letters' loss out; the states start at 0 and letters have no gradient. ids: (T, B)."""
    T, B = ids.shape
    H = U.shape[0]
    h = np.zeros((B, H), W.dtype)
    c, loss, cache = h, 0.0, []
    for t in range(T):
        z = W[ids[t]] + h @ U + b
        i, f, o, g = σ(z[:, :H]), σ(z[:, H : 2 * H]), σ(z[:, 2 * H : 3 * H]), np.tanh(z[:, 3 * H :])
        c_prev, h_prev = c, h
        c = f * c + i * g
        h = o * np.tanh(c)
        y = h @ V + d
        p = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
        loss = loss - np.log(p[np.arange(B), targets[t]]).sum() / (T * B)
        cache.append((h_prev, c_prev, i, f, o, g, c, h, p))
    return loss, (cache, ids, targets, W, U, V)


def lstm_text_backward(cache):
    cache, ids, targets, W, U, V = cache
    T, B = ids.shape
    dW, dU, dV = np.zeros_like(W), np.zeros_like(U), np.zeros_like(V)
    db, dd = np.zeros(W.shape[1]), np.zeros(V.shape[1])
    dh_next = dc_next = 0
    for t in range(T - 1, -1, -1):
        h_prev, c_prev, i, f, o, g, c, h, p = cache[t]
        dy = p.copy()
        dy[np.arange(B), targets[t]] -= 1
        dy /= T * B
        dV += h.T @ dy
        dd += dy.sum(axis=0)
        dh = dy @ V.T + dh_next
        dc = dc_next + dh * o * (1 - np.tanh(c) ** 2)
        di, df, do, dg = dc * g, dc * c_prev, dh * np.tanh(c), dc * i
        dz = np.hstack([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)])
        np.add.at(dW, ids[t], dz)
        dU += h_prev.T @ dz
        db += dz.sum(axis=0)
        dh_next, dc_next = dz @ U.T, dc * f
    return None, None, dW, dU, db, dV, dd


def gru_gates_forward(x, h0, Wz, Wr, Wh, Uz, Ur, Uh, bz, br, bh):
    """A matrix a gate, reset before the product, h = (1 - z)∘h' + z∘ĥ (Chung et al. 2014). x: (T, B, D)."""
    h, hs, cache = h0, [], []
    for x_t in x:
        z = σ(x_t @ Wz + h @ Uz + bz)
        r = σ(x_t @ Wr + h @ Ur + br)
        n = np.tanh(x_t @ Wh + (r * h) @ Uh + bh)
        cache.append((x_t, h, z, r, n))
        h = (1 - z) * h + z * n
        hs.append(h)
    return np.array(hs), (cache, Wz, Wr, Wh, Uz, Ur, Uh)


def gru_gates_backward(dhs, cache):
    cache, Wz, Wr, Wh, Uz, Ur, Uh = cache
    dWz, dWr, dWh, dUz, dUr, dUh = (np.zeros_like(a) for a in (Wz, Wr, Wh, Uz, Ur, Uh))
    dbz, dbr, dbh = np.zeros((3, Uz.shape[0]))
    dxs, dh_prev = [], 0
    for t in reversed(range(len(cache))):
        x_t, h, z, r, n = cache[t]
        dh = dhs[t] + dh_prev
        dn = dh * z
        dz = dh * (n - h)
        dn_pre = dn * (1 - n * n)
        drh = dn_pre @ Uh.T
        dr = drh * h
        dz_pre = dz * z * (1 - z)
        dr_pre = dr * r * (1 - r)
        dh_prev = dh * (1 - z) + drh * r + dz_pre @ Uz.T + dr_pre @ Ur.T
        dxs.insert(0, dz_pre @ Wz.T + dr_pre @ Wr.T + dn_pre @ Wh.T)
        dWz += x_t.T @ dz_pre
        dWr += x_t.T @ dr_pre
        dWh += x_t.T @ dn_pre
        dUz += h.T @ dz_pre
        dUr += h.T @ dr_pre
        dUh += (r * h).T @ dn_pre
        dbz += dz_pre.sum(axis=0)
        dbr += dr_pre.sum(axis=0)
        dbh += dn_pre.sum(axis=0)
    return np.array(dxs), dh_prev, dWz, dWr, dWh, dUz, dUr, dUh, dbz, dbr, dbh


def gru_after_forward(x, h0, W, U, b, b_rec):
    """Batch first, gates r z n in one matrix, reset after the product with a bias of its own, h = (1 - z)∘n + z∘h'."""
    H = h0.shape[1]
    h, hs, cache = h0, [], []
    for t in range(x.shape[1]):
        a, s = x[:, t] @ W + b, h @ U + b_rec
        r = σ(a[:, :H] + s[:, :H])
        z = σ(a[:, H : 2 * H] + s[:, H : 2 * H])
        n = np.tanh(a[:, 2 * H :] + r * s[:, 2 * H :])
        cache.append((x[:, t], h, r, z, n, s[:, 2 * H :]))
        h = (1 - z) * n + z * h
        hs.append(h)
    return np.stack(hs, 1), (cache, x, W, U)


def gru_after_backward(dout, cache):
    cache, x, W, U = cache
    dx, dW, dU = np.zeros_like(x), np.zeros_like(W), np.zeros_like(U)
    db, db_rec = np.zeros(W.shape[1]), np.zeros(W.shape[1])
    dnext = np.zeros_like(cache[0][1])
    for t in range(len(cache) - 1, -1, -1):
        x_t, h, r, z, n, s = cache[t]
        dh = dout[:, t] + dnext
        dzn = dh * (1 - z) * (1 - n**2)
        dzr = dzn * s * r * (1 - r)
        dzz = dh * (h - n) * z * (1 - z)
        da = np.hstack([dzr, dzz, dzn])
        ds = np.hstack([dzr, dzz, dzn * r])
        dx[:, t] = da @ W.T
        dW += x_t.T @ da
        dU += h.T @ ds
        db += da.sum(0)
        db_rec += ds.sum(0)
        dnext = dh * z + ds @ U.T
    return dx, dnext, dW, dU, db, db_rec


def rnn_plain_forward(x, Wxh, Whh, bh):
    """Batch first, the first state is 0."""
    h = np.zeros((x.shape[0], Whh.shape[0]), x.dtype)
    states = [h]
    for t in range(x.shape[1]):
        states.append(np.tanh(x[:, t] @ Wxh + states[-1] @ Whh + bh))
    return np.stack(states[1:], axis=1), (x, states, Wxh, Whh)


def rnn_plain_backward(dout, cache):
    x, states, Wxh, Whh = cache
    dx, dWxh, dWhh, dbh = np.zeros_like(x), np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros(Whh.shape[0])
    carry = np.zeros_like(states[0])
    for t in range(x.shape[1])[::-1]:
        h = states[t + 1]
        da = (dout[:, t] + carry) * (1 - h * h)
        dx[:, t] = da @ Wxh.T
        dWxh += x[:, t].T @ da
        dWhh += states[t].T @ da
        dbh += da.sum(axis=0)
        carry = da @ Whh.T
    return dx, dWxh, dWhh, dbh


def rnn_value_forward(x, y, Wxh, Whh, Why, bh, by):
    """A number out of each sequence's last h; the loss is the mean of squares. x: (T, B, D)."""
    hs = [np.zeros((x.shape[1], Whh.shape[0]), x.dtype)]
    for x_t in x:
        hs.append(np.tanh(x_t @ Wxh + hs[-1] @ Whh + bh))
    out = hs[-1] @ Why + by
    return ((out - y) ** 2).mean(), (x, y, hs, out, Wxh, Whh, Why)


def rnn_value_backward(cache):
    x, y, hs, out, Wxh, Whh, Why = cache
    dout = 2 * (out - y) / out.size
    dWhy = hs[-1].T @ dout
    dby = dout.sum(axis=0)
    dWxh, dWhh, dbh = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros(Whh.shape[0])
    dh = dout @ Why.T
    for t in reversed(range(len(x))):
        dz = dh * (1 - hs[t + 1] ** 2)
        dWxh += x[t].T @ dz
        dWhh += hs[t].T @ dz
        dbh += dz.sum(axis=0)
        dh = dz @ Whh.T
    return None, None, dWxh, dWhh, dWhy, dbh, dby


def lstm_step_forward(x, h_prev, c_prev, W, b):
    """One step, one matrix on [x, h'], the gates i f o g."""
    s = np.hstack([x, h_prev])
    zi, zf, zo, zg = np.split(s @ W + b, 4, axis=1)
    i, f, o, g = σ(zi), σ(zf), σ(zo), np.tanh(zg)
    c = f * c_prev + i * g
    tc = np.tanh(c)
    return o * tc, c, (s, x.shape[1], c_prev, i, f, o, g, tc, W)


def lstm_step_backward(dh, dc, cache):
    s, D, c_prev, i, f, o, g, tc, W = cache
    dct = dc + dh * o * (1 - tc**2)
    dzi = dct * g * i * (1 - i)
    dzf = dct * c_prev * f * (1 - f)
    dzo = dh * tc * o * (1 - o)
    dzg = dct * i * (1 - g**2)
    dz = np.hstack([dzi, dzf, dzo, dzg])
    ds = dz @ W.T
    dc_prev = dct * f
    return ds[:, :D], ds[:, D:], dc_prev, s.T @ dz, dz.sum(axis=0)


def lstm_label_forward(x, labels, W, U, b, V, d):
    """A class for each sequence from the last h, the mean cross-entropy; states start at 0. x: (T, B, D)."""
    T, B, _ = x.shape
    H = U.shape[0]
    h = c = np.zeros((B, H), x.dtype)
    tape = []
    for t in range(T):
        z = x[t] @ W + h @ U + b
        i, f, g, o = σ(z[:, :H]), σ(z[:, H : 2 * H]), np.tanh(z[:, 2 * H : 3 * H]), σ(z[:, 3 * H :])
        c_new = f * c + i * g
        tape.append((h, c, i, f, g, o, c_new))
        h, c = o * np.tanh(c_new), c_new
    y = h @ V + d
    p = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(B), labels]).mean(), (tape, x, labels, h, p, W, U, V)


def lstm_label_backward(cache):
    tape, x, labels, h_last, p, W, U, V = cache
    B = len(labels)
    dy = p.copy()
    dy[np.arange(B), labels] -= 1
    dy = dy / B
    dV, dd = h_last.T @ dy, dy.sum(axis=0)
    dh = dy @ V.T
    dc_next = np.zeros_like(dh)
    dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros(W.shape[1])
    for t in range(len(x) - 1, -1, -1):
        h, c, i, f, g, o, c_new = tape[t]
        dc = dc_next + dh * o * (1 - np.tanh(c_new) ** 2)
        dz = [dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g**2), dh * np.tanh(c_new) * o * (1 - o)]
        dz = np.concatenate(dz, axis=1)
        dW += x[t].T @ dz
        dU += h.T @ dz
        db += dz.sum(axis=0)
        dh = dz @ U.T
        dc_next = dc * f
    return None, None, dW, dU, db, dV, dd
