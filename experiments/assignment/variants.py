"""Right solutions as other people write them: on these the judge must be silent.

A row is a solution with texts replaced by others that compute the same, or another convention of it: the order of the
gates, what forward returns, which matrix stands on top, a dict for a tuple.
"""

from __future__ import annotations

from typing import NamedTuple

from experiments.assignment.mutants import (
    COURSERA,
    CS231N,
    GRU,
    GRU_COLUMNS,
    KARPATHY,
    RNN,
    RNN_COLUMNS,
    RNN_DICTS,
    ROWS,
)
from experiments.assignment.mutants import solution_source as source_of

NAIVE = ("0.5 * (1 + np.tanh(0.5 * z))", "1 / (1 + np.exp(-z))")
OUTPUT_C = (
    ("return np.stack(outputs), caches", "return np.stack(outputs), c, caches"),
    ("def lstm_backward(doutputs, caches):", "def lstm_backward(doutputs, dc_last, caches):"),
    ("dh, dc = np.zeros_like(h), np.zeros_like(c)", "dh, dc = np.zeros_like(h), dc_last"),
)
GATHERED = tuple((f"{name} += {name}_t", f"{name} = {name} + {name}_t") for name in ("dW", "dU", "db"))


class Variant(NamedTuple):
    """A right solution, written otherwise."""

    name: str
    solution: str
    changes: tuple[tuple[str, str], ...] = ()  # old and new text, everywhere in the file

    def source(self) -> str:
        """The file. ValueError if a text to be replaced is not there."""
        text = source_of(self.solution)
        for old, new in self.changes:
            if old not in text:
                raise ValueError(f"variant {self.name!r}: {old!r} is not in {self.solution}")
            text = text.replace(old, new)
        return text


VARIANTS = [
    *(Variant("as it is", s) for s in (ROWS, CS231N, COURSERA, KARPATHY, GRU, GRU_COLUMNS, RNN, RNN_COLUMNS, RNN_DICTS)),
    Variant("σ as 1 / (1 + exp(-z))", ROWS, (NAIVE,)),
    Variant("σ as 1 / (1 + exp(-z))", CS231N, (NAIVE,)),
    Variant("σ as 1 / (1 + exp(-z))", GRU, (NAIVE,)),
    Variant("products by einsum", ROWS, (("x.T @ dz", 'np.einsum("bd,bk->dk", x, dz)'),
           ("dz @ U.T", 'np.einsum("bk,hk->bh", dz, U)'))),
    Variant("hstack, and σ' by a square", ROWS, (("np.concatenate(", "np.hstack("),
           (", axis=1)  # (B, 4H)\n    dx", ")\n    dx"),
            ("i * (1 - i)", "(i - i**2)"))),
    Variant("sums by a new array", ROWS, GATHERED),
    Variant("the last c is an output too", ROWS, OUTPUT_C),
    Variant("(h, c) of the last step in a tuple", ROWS,
           (("return np.stack(outputs), caches", "return (np.stack(outputs), c), caches"),
            ("h, c = h0, c0", "h, c = h0 + 0, c0 + 0"), ("def lstm_backward(doutputs, caches):\n",
           "def lstm_backward(both, caches):\n"),
            ("    x, h, c, W, U = caches[0][:5]\n", "    doutputs, dc_last = both\n    x, h, c, W, U = caches[0][:5]\n"),
            OUTPUT_C[2])),
    Variant("gradients in a dict", ROWS,
           (("return dx, dh, dc, dW, dU, db", 'return {"x": dx, "h": dh, "c": dc, "W": dW, "U": dU, "b": db}'),
            ("dx[t], dh, dc, dW_t, dU_t, db_t = lstm_step_backward((doutputs[t] + dh, dc), caches[t])",
             "dx[t], dh, dc, dW_t, dU_t, db_t = lstm_step_backward((doutputs[t] + dh, dc), caches[t]).values()"),
            ("return dx, dW, dU, db, dh, dc", 'return {"dx": dx, "dW": dW, "dU": dU, "db": db, "dh0": dh, "dc0": dc}'))),
    Variant("the gates in the order o g f i", ROWS, (("z_i, z_f, z_g, z_o =", "z_o, z_g, z_f, z_i ="),
            ("[di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)]",
             "[do * o * (1 - o), dg * (1 - g**2), df * f * (1 - f), di * i * (1 - i)]"))),
    Variant("the cell state is kept, not its tanh", ROWS, (("g, o, tanh_c)\n", "g, o, c_new)\n"),
           ("g, o, tanh_c = cache", "g, o, c_new = cache\n    tanh_c = np.tanh(c_new)"))),
    Variant("the upstream gradient is changed in place", CS231N, (("dnext_c = dnext_c + dnext_h", "dnext_c += dnext_h"),
           )),
    Variant("the gates in the order i f g o", CS231N, (("o = sigmoid(a[:, 2 * H : 3 * H])", "o = sigmoid(a[:, 3 * H :])"),
            ("g = np.tanh(a[:, 3 * H :])", "g = np.tanh(a[:, 2 * H : 3 * H])"),
            ("da[:, 2 * H : 3 * H] = dnext_h * tanh_c * o * (1 - o)", "da[:, 3 * H :] = dnext_h * tanh_c * o * (1 - o)"),
            ("da[:, 3 * H :] = dnext_c * i", "da[:, 2 * H : 3 * H] = dnext_c * i"))),
    Variant("the steps in a list", CS231N, (("for t in range(T - 1, -1, -1):", "for t in list(range(T))[::-1]:"),)),
    Variant("x on top of a_prev", COURSERA,
           (("np.concatenate((a_prev, xt), axis=0)", "np.concatenate((xt, a_prev), axis=0)"),
            ("[:, :n_a].T", "[:, -n_a:].T"), ("[:, n_a:].T", "[:, :-n_a].T"))),
    Variant("Wu and bu for the input gate's", COURSERA, (('"Wi"', '"Wu"'), ('"bi"', '"bu"'), ('"dWi"', '"dWu"'),
           ('"dbi"', '"dbu"'))),
    Variant("biases by reshape", COURSERA, (("np.sum(dft, axis=1, keepdims=True)", "np.sum(dft, axis=1).reshape(-1, 1)"),
           )),
    Variant("two matrices a gate", GRU_COLUMNS, (('p["Uz"] @ h_prev', 'np.matmul(p["Uz"], h_prev)'),)),
    Variant("the bias row last", KARPATHY,
           (("np.hstack([np.ones((B, 1)), X[t], H[t - 1]])", "np.hstack([X[t], H[t - 1], np.ones((B, 1))])"),
            ("dHin[:, 1 : 1 + D]", "dHin[:, :D]"), ("dHin[:, 1 + D :]", "dHin[:, D:-1]"))),
    Variant("h before x", KARPATHY,
           (("np.hstack([np.ones((B, 1)), X[t], H[t - 1]])", "np.hstack([np.ones((B, 1)), H[t - 1], X[t]])"),
            ("dHin[:, 1 : 1 + D]", "dHin[:, 1 + d :]"), ("dHin[:, 1 + D :]", "dHin[:, 1 : 1 + d]"))),
    Variant("the last c's gradient added at the end", KARPATHY, (("dC[T - 1] += dcn", "dC[T - 1] = dC[T - 1] + dcn"),)),
    Variant("tanh' by 1 - h∘h", RNN, (("1 - h_new**2", "1 - h_new * h_new"),)),
    Variant("sums by a new array", RNN, GATHERED),
    Variant("names as in PyTorch", RNN_DICTS, (("Wxh", "W_ih"), ("Whh", "W_hh"))),
]  # fmt: skip
