"""nn.LSTM, nn.GRU and nn.RNN in double beside our layers: one way and both, stacked twice, sequences packed by their lengths.

Outputs, last states and every gradient. PyTorch computes all of it in float64, so nothing but rounding remains.
"""

import numpy as np
import pytest

import lstm_engine as le

torch = pytest.importorskip("torch")

T, N, D, H = 6, 5, 3, 4
TOLERANCE = 1e-12  # norm-wise: two layers of six steps at unit scale leave some hundred roundings of 1e-16
CELLS = {
    "LSTM": (le.LSTM, [0, 1, 2, 3]),
    "GRU": (le.GRU, [1, 0, 2]),
    "RNN": (le.SimpleRNN, [0]),
}  # PyTorch's GRU: r z n


def to_keras_order(array, order):
    """(gates H, ...) in PyTorch's order to (..., gates H) in Keras's."""
    blocks = np.split(np.asarray(array.detach()), len(order))
    return np.concatenate([blocks[k] for k in order]).T


def weights_of(module, suffix, order, take):
    """kernel, recurrent_kernel and bias of one layer and direction; `take` gives a parameter or its gradient."""
    names = [f"{name}_{suffix}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    W, U, b, b_h = (to_keras_order(take(getattr(module, name)), order) for name in names)
    return W, U, b, b_h


def one_bias(kind, b, b_h, together):
    """Keras has one bias where PyTorch adds two; its GRU keeps both."""
    return np.stack([b, b_h]) if kind == "GRU" else together(b, b_h)


@pytest.mark.parametrize("lengths", [None, [6, 2, 5, 1, 3]], ids=["whole", "packed"])
@pytest.mark.parametrize("both_ways", [False, True], ids=["one way", "both ways"])
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("backend", ["numpy", "auto"])
@pytest.mark.parametrize("kind", list(CELLS))
def test_a_stack_computes_what_pytorch_computes(rel, kind, backend, depth, both_ways, lengths):
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    (layer_class, order), ways = CELLS[kind], 2 if both_ways else 1
    module = getattr(torch.nn, kind)(D, H, num_layers=depth, batch_first=True, bidirectional=both_ways).double()
    stack, width = [], D
    for level in range(depth):
        layer = layer_class(H, return_sequences=True, return_state=True, zero_output_for_mask=True)
        layer = le.Bidirectional(layer) if both_ways else layer
        layer.build((T, width), "float64", backend, rng)
        suffixes = [f"l{level}", f"l{level}_reverse"][:ways]
        for way, suffix in enumerate(suffixes):
            W, U, b, b_h = weights_of(module, suffix, order, lambda p: p)
            half = (layer.forward_half, layer.backward_half)[way] if both_ways else layer
            own = {"kernel": W, "recurrent_kernel": U, "bias": one_bias(kind, b, b_h, np.add)}
            for name, w in half.weights.items():
                w[...] = own[name]
        stack.append((layer, suffixes))
        width = ways * H

    x = rng.standard_normal((N, T, D))
    n = len(layer_class.state_names)
    first = [rng.standard_normal((depth * ways, N, H)) for _ in range(n)]  # PyTorch's: layers and ways in one axis
    mask = None if lengths is None else np.arange(T) < np.array(lengths)[:, None]

    tx, *tstates = (torch.tensor(a, requires_grad=True) for a in (x, *first))
    given = tx if lengths is None else torch.nn.utils.rnn.pack_padded_sequence(tx, lengths, True, enforce_sorted=False)
    ty, tlast = module(given, tuple(tstates) if n == 2 else tstates[0])
    ty = ty if lengths is None else torch.nn.utils.rnn.pad_packed_sequence(ty, True, total_length=T)[0]
    tlast = tlast if n == 2 else (tlast,)
    dy, dlast = rng.standard_normal(ty.shape), [rng.standard_normal(s.shape) for s in tlast]
    torch.autograd.backward([ty, *tlast], [torch.tensor(a) for a in (dy, *dlast)])

    y, tapes, last = x, [], []
    for level, (layer, _) in enumerate(stack):
        y, states, tape = layer.forward(y, mask=mask, initial_state=rows(first, level, ways))
        tapes.append(tape)
        last.append(states)
    assert rel(y, ty.detach().numpy()) < TOLERANCE
    for level, states in enumerate(last):
        for ours, theirs in zip(states, rows([s.detach().numpy() for s in tlast], level, ways), strict=True):
            assert rel(ours, theirs) < TOLERANCE

    for level, (layer, suffixes) in reversed(list(enumerate(stack))):
        dy, dfirst, gradients = layer.backward(tapes[level], dy, rows(dlast, level, ways))
        for ours, theirs in zip(dfirst, rows([s.grad.numpy() for s in tstates], level, ways), strict=True):
            assert rel(ours, theirs) < TOLERANCE
        for way, suffix in enumerate(suffixes):
            W, U, b, b_h = weights_of(module, suffix, order, lambda p: p.grad)
            expected = W, U, one_bias(kind, b, b_h, lambda b, _: b)  # a sum's gradient is that of either
            for ours, theirs in zip(list(gradients.values())[3 * way :], expected, strict=False):
                assert rel(ours, theirs) < TOLERANCE
    assert rel(dy, tx.grad.numpy()) < TOLERANCE


def rows(states, level, ways):
    """One level's states, as Keras orders them: all of the way forward, then all of the way back."""
    return [s[level * ways + way] for way in range(ways) for s in states]
