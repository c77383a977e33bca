"""Right LSTMs, GRUs and RNNs in the conventions in which people write them: whoever is accused here is accused wrongly."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# -- rows: x (B, D), W (D, 4H), every gate beside the other ------------------------------------------------------------


def step_forward(x, prev_h, prev_c, Wx, Wh, b, order="ifog"):
    """(h, c, cache), as in CS231n."""
    z = dict(zip(order, np.split(x @ Wx + prev_h @ Wh + b, 4, axis=1), strict=True))
    i, f, o, g = sigmoid(z["i"]), sigmoid(z["f"]), sigmoid(z["o"]), np.tanh(z["g"])
    c = f * prev_c + i * g
    return o * np.tanh(c), c, (x, prev_h, prev_c, Wx, Wh, i, f, o, g, c)


def step_backward(dh, dc, cache, order="ifog"):
    x, prev_h, prev_c, Wx, Wh, i, f, o, g, c = cache
    dc = dc + dh * o * (1 - np.tanh(c) ** 2)
    dz = {
        "i": dc * g * i * (1 - i),
        "f": dc * prev_c * f * (1 - f),
        "o": dh * np.tanh(c) * o * (1 - o),
        "g": dc * i * (1 - g**2),
    }
    dz = np.hstack([dz[gate] for gate in order])
    return dz @ Wx.T, dz @ Wh.T, dc * f, x.T @ dz, prev_h.T @ dz, dz.sum(axis=0)


def forward_nt(x, h0, Wx, Wh, b):
    """x (N, T, D); the outputs in np.zeros, as nearly everybody writes them."""
    N, T, _ = x.shape
    h, prev_h, prev_c, caches = np.zeros((N, T, h0.shape[1])), h0, np.zeros_like(h0), []
    for t in range(T):
        prev_h, prev_c, cache = step_forward(x[:, t], prev_h, prev_c, Wx, Wh, b)
        h[:, t] = prev_h
        caches.append(cache)
    return h, caches


def backward_nt(dh, caches):
    N, T, H = dh.shape
    D = caches[0][0].shape[1]
    dx, dWx, dWh, db = np.zeros((N, T, D)), np.zeros((D, 4 * H)), np.zeros((H, 4 * H)), np.zeros(4 * H)
    dprev_h, dprev_c = np.zeros((N, H)), np.zeros((N, H))
    for t in reversed(range(T)):
        dx[:, t], dprev_h, dprev_c, dw, du, d = step_backward(dh[:, t] + dprev_h, dprev_c, caches[t])
        dWx, dWh, db = dWx + dw, dWh + du, db + d
    return dx, dprev_h, dWx, dWh, db


# -- columns: x (D, N), a matrix for every gate on [a; x], gradients in a dict -----------------------------------------


def cell_forward(xt, a_prev, c_prev, parameters):
    p, concat = parameters, np.concatenate([a_prev, xt])
    ft, it = sigmoid(p["Wf"] @ concat + p["bf"]), sigmoid(p["Wi"] @ concat + p["bi"])
    cct, ot = np.tanh(p["Wc"] @ concat + p["bc"]), sigmoid(p["Wo"] @ concat + p["bo"])
    c_next = ft * c_prev + it * cct
    a_next = ot * np.tanh(c_next)
    z = p["Wy"] @ a_next + p["by"]
    return a_next, c_next, np.exp(z) / np.exp(z).sum(axis=0), (a_next, c_next, a_prev, c_prev, ft, it, cct, ot, xt, p)


def cell_backward(da_next, dc_next, cache):
    a_next, c_next, a_prev, c_prev, ft, it, cct, ot, xt, p = cache
    n_a, concat = len(a_next), np.concatenate([a_prev, xt])
    dc = dc_next + da_next * ot * (1 - np.tanh(c_next) ** 2)
    d = {
        "o": da_next * np.tanh(c_next) * ot * (1 - ot),
        "c": dc * it * (1 - cct**2),
        "i": dc * cct * it * (1 - it),
        "f": dc * c_prev * ft * (1 - ft),
    }
    gradients = {f"dW{k}": d[k] @ concat.T for k in d} | {f"db{k}": d[k].sum(axis=1, keepdims=True) for k in d}
    dconcat = sum(p[f"W{k}"].T @ d[k] for k in d)
    return gradients | {"dxt": dconcat[n_a:], "da_prev": dconcat[:n_a], "dc_prev": dc * ft}


def forward_columns(x, a0, parameters):
    """x (D, N, T); outputs a, y and c, of which backward takes a."""
    _, m, T = x.shape
    a, c = np.zeros((len(a0), m, T)), np.zeros((len(a0), m, T))
    y, caches, a_next, c_next = np.zeros((len(parameters["by"]), m, T)), [], a0, np.zeros(a0.shape)
    for t in range(T):
        a_next, c_next, y[:, :, t], cache = cell_forward(x[:, :, t], a_next, c_next, parameters)
        a[:, :, t], c[:, :, t] = a_next, c_next
        caches.append(cache)
    return a, y, c, (caches, x)


def backward_columns(da, caches):
    caches, x = caches
    total, dx = {}, np.zeros(x.shape)
    da_prev, dc_prev = np.zeros(da.shape[:2]), np.zeros(da.shape[:2])
    for t in reversed(range(x.shape[2])):
        step = cell_backward(da[:, :, t] + da_prev, dc_prev, caches[t])
        dx[:, :, t], da_prev, dc_prev = step.pop("dxt"), step.pop("da_prev"), step.pop("dc_prev")
        total = {name: total.get(name, 0) + g for name, g in step.items()}
    return total | {"dx": dx, "da0": da_prev}


# -- (4H, D) and two biases, time first --------------------------------------------------------------------------------


def forward_torch(x, h0, c0, weight_ih, weight_hh, bias_ih, bias_hh):
    h, c, hs, steps = h0, c0, [], []
    for x_t in x:
        h_new, c_new, step = step_forward(x_t, h, c, weight_ih.T, weight_hh.T, bias_ih + bias_hh, "ifgo")
        h, c = h_new, c_new
        hs.append(h)
        steps.append(step)
    return (np.array(hs), h, c), steps


def backward_torch(doutputs, steps):
    dhs, dh, dc = doutputs
    dW, dU, db, dx = 0, 0, 0, []
    for dh_t, step in zip(reversed(dhs), reversed(steps), strict=True):
        dx_t, dh, dc, dw, du, d = step_backward(dh_t + dh, dc, step, "ifgo")
        dW, dU, db, dx = dW + dw.T, dU + du.T, db + d, [dx_t, *dx]
    return np.array(dx), dh, dc, dW, dU, db, db


# -- lists by step, columns --------------------------------------------------------------------------------------------


def rnn_forward(xs, Wxh, Whh, bh, hprev):
    hs = {-1: hprev}
    for t in range(len(xs)):
        hs[t] = np.tanh(Wxh @ xs[t] + Whh @ hs[t - 1] + bh)
    return [hs[t] for t in range(len(xs))], (xs, hs, Wxh, Whh)


def rnn_backward(dhs, cache):
    xs, hs, Wxh, Whh = cache
    dWxh, dWhh, dbh, dh_next = 0, 0, 0, 0
    dxs = [None] * len(xs)
    for t in reversed(range(len(xs))):
        draw = (dhs[t] + dh_next) * (1 - hs[t] ** 2)
        dxs[t], dh_next = Wxh.T @ draw, Whh.T @ draw
        dWxh, dWhh, dbh = dWxh + draw @ xs[t].T, dWhh + draw @ hs[t - 1].T, dbh + draw.sum(axis=1, keepdims=True)
    return dxs, dWxh, dWhh, dbh, dh_next


# -- loss and gradients ------------------------------------------------------------------------------------------------


def loss_of_letters(p, inputs, targets, hprev):
    """Karpathy's lossFun for the parameters in p: loss, gradients, and the last state."""
    xs, hs, ps, loss = {}, {-1: hprev}, {}, 0.0
    for t, letter in enumerate(inputs):
        xs[t] = np.zeros((p["Wxh"].shape[1], 1))
        xs[t][letter] = 1
        hs[t] = np.tanh(p["Wxh"] @ xs[t] + p["Whh"] @ hs[t - 1] + p["bh"])
        y = p["Why"] @ hs[t] + p["by"]
        ps[t] = np.exp(y) / np.exp(y).sum()
        loss = loss - np.log(ps[t][targets[t], 0])
    d = {name: np.zeros_like(a) for name, a in p.items()}
    dh_next = np.zeros_like(hs[0])
    for t in reversed(range(len(inputs))):
        dy = ps[t].copy()
        dy[targets[t]] -= 1
        d["Why"] += dy @ hs[t].T
        d["by"] += dy
        draw = (1 - hs[t] * hs[t]) * (p["Why"].T @ dy + dh_next)
        d["bh"] += draw
        d["Wxh"] += draw @ xs[t].T
        d["Whh"] += draw @ hs[t - 1].T
        dh_next = p["Whh"].T @ draw
    return loss, d, hs[len(inputs) - 1]


def letters(seed=0, V=3, H=4):
    """Parameters of unit scale for V letters."""
    rng = np.random.default_rng(seed)
    shapes = {"Wxh": (H, V), "Whh": (H, H), "Why": (V, H), "bh": (H, 1), "by": (V, 1)}
    return {name: rng.standard_normal(shape) / (1.5 if "W" in name else 1) for name, shape in shapes.items()}


# -- an object that keeps its cache ------------------------------------------------------------------------------------


class Network:
    """An RNN with forward(x) and backward(dh); its gradients add up in .grads."""

    def __init__(self, seed=0, D=3, H=4):
        rng = np.random.default_rng(seed)
        self.params = {
            "W": rng.standard_normal((D, H)),
            "U": rng.standard_normal((H, H)) / 2,
            "b": rng.standard_normal(H),
        }
        self.grads = {name: np.zeros_like(a) for name, a in self.params.items()}

    def forward(self, x):
        self.x, self.hs = x, [np.zeros((x.shape[1], len(self.params["b"])))]
        for x_t in x:
            self.hs.append(np.tanh(x_t @ self.params["W"] + self.hs[-1] @ self.params["U"] + self.params["b"]))
        return np.array(self.hs[1:])

    def backward(self, dh):
        carried, dx = 0, np.zeros_like(self.x)
        for t in reversed(range(len(dh))):
            dz = (dh[t] + carried) * (1 - self.hs[t + 1] ** 2)
            self.grads["W"] += self.x[t].T @ dz
            self.grads["U"] += self.hs[t].T @ dz
            self.grads["b"] += dz.sum(axis=0)
            dx[t], carried = dz @ self.params["W"].T, dz @ self.params["U"].T
        return dx
