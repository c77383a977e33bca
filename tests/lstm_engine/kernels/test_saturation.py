"""Gates that are closed or open are exactly 0 or 1: an error in a gate is made again at every step."""

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.backend import compiled

BOTH = pytest.mark.parametrize("dtype", ["float32", "float64"])
SATURATED = {"float32": 20.0, "float64": 40.0}  # σ and tanh of it are 1, to the last bit
T = 20_000


def constant_gates(layer, dtype, z, backend="numba"):
    """The layer with a bias of z = [...] for its gates and no other weight, so that they are the same at every step."""
    layer.build((1, 1), dtype, backend, np.random.default_rng(0))
    for part in layer.parts.values():
        for name, w in part.weights.items():
            w[...] = 0.0
            if name == "bias":
                w.reshape(-1, w.shape[-1])[0] = np.repeat(np.asarray(z, dtype), part.units)
    return layer


def keeping(dtype):
    """Pre-activations i f g o of an LSTM that keeps its cell: nothing comes in, all stays, everything is read."""
    s = SATURATED[dtype]
    return [-s, s, s, s]


def states(dtype, *shape):
    return np.random.default_rng(1).standard_normal(shape).astype(dtype)


@BOTH
@pytest.mark.parametrize("taped", [True, False])
def test_an_open_forget_gate_keeps_the_cell_over_20_000_steps(dtype, taped):
    layer = constant_gates(le.LSTM(3), dtype, keeping(dtype))
    h0, c0 = states(dtype, 2, 2, 3)
    _, (h, c), _ = layer.forward(np.zeros((2, T, 1), dtype), initial_state=[h0, c0], taped=taped)
    np.testing.assert_array_equal(c, c0)
    np.testing.assert_allclose(h, np.tanh(c0), rtol=4e-7)


@BOTH
def test_both_directions_keep_their_cells(dtype):
    layer = constant_gates(le.Bidirectional(le.LSTM(3)), dtype, keeping(dtype))
    h0, c0, h0_back, c0_back = states(dtype, 4, 1, 3)  # a single sequence runs on the calling thread
    _, last, _ = layer.forward(np.zeros((1, T, 1), dtype), initial_state=[h0, c0, h0_back, c0_back])
    np.testing.assert_array_equal(last[1], c0)
    np.testing.assert_array_equal(last[3], c0_back)


@BOTH
@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("taped", [True, False])
def test_an_update_gate_of_one_keeps_the_state_over_20_000_steps(dtype, reset_after, taped):
    s = SATURATED[dtype]
    layer = constant_gates(le.GRU(3, reset_after=reset_after), dtype, [s, s, 0.5])
    h0 = states(dtype, 2, 3)
    _, (h,), _ = layer.forward(np.zeros((2, T, 1), dtype), initial_state=[h0], taped=taped)
    np.testing.assert_array_equal(h, h0)


@BOTH
def test_a_stream_keeps_the_cell(dtype):
    z = keeping(dtype)
    step = constant_gates(le.LSTM(3), dtype, z).runs.stream(
        np.zeros((1, 12), dtype), np.zeros((3, 12), dtype), np.repeat(np.asarray(z, dtype), 3), *states(dtype, 2, 2, 3)
    )
    x = np.zeros((2, 1), dtype)
    first = step(x)
    for _ in range(T // 10):
        last = step(x)
    np.testing.assert_array_equal(last, first)


@BOTH
def test_a_simple_rnn_reaches_one_exactly(dtype):
    s = SATURATED[dtype]
    for z in (-s, s):
        y, _, _ = constant_gates(le.SimpleRNN(3), dtype, [z]).forward(np.zeros((2, 3, 1), dtype))
        np.testing.assert_array_equal(y, np.full((2, 3), np.sign(z), dtype))


@BOTH
def test_the_cells_gradient_comes_through_20_000_steps_unchanged_and_saturated_gates_get_none(dtype):
    """δc' = δc∘f with f = 1, and δz of every gate has a factor i(1-i), f(1-f), 1-g² or o(1-o) of 0: as in the pair."""
    for backend in ("numba", "numpy"):
        steps = T if backend == "numba" else 50
        layer = constant_gates(le.LSTM(3), dtype, keeping(dtype), backend)
        _, _, tape = layer.forward(np.zeros((2, steps, 1), dtype), initial_state=list(states(dtype, 2, 2, 3)))
        dc = states(dtype, 2, 3)
        _, (_, dc0), gradients = layer.backward(tape, None, [np.zeros_like(dc), dc])
        np.testing.assert_array_equal(dc0, dc)
        assert not any(g.any() for g in gradients.values())


@BOTH
def test_a_grus_gradient_comes_through_20_000_steps_unchanged(dtype):
    s = SATURATED[dtype]
    layer = constant_gates(le.GRU(3), dtype, [s, s, s])
    _, _, tape = layer.forward(np.zeros((2, T, 1), dtype), initial_state=[states(dtype, 2, 3)])
    dh = states(dtype, 2, 3)
    _, (dh0,), gradients = layer.backward(tape, None, [dh])
    np.testing.assert_array_equal(dh0, dh)
    assert not any(g.any() for g in gradients.values())


def sigmoid_as_compiled(z):
    """The forget gate of z (B, H), read from the tape of one step."""
    H = z.shape[1]
    none = np.zeros((1, len(z), H), np.float32)
    W = np.tile(np.eye(H, dtype=np.float32), 4)  # each gate's z is x
    tape = compiled("lstm").forward(z[None], W, np.zeros_like(W), np.zeros(4 * H, np.float32), none[0], none[0])
    return tape.f[0]


def test_float32_gates_have_a_small_error_and_no_side():
    """Within 2.2e-7 of σ; where 1,000 neighbouring z are averaged the error is 2e-8, so that it does not add up."""
    z = np.linspace(-19, 19, 128_000, dtype=np.float32).reshape(-1, 32)
    error = sigmoid_as_compiled(z).astype(float) - 1 / (1 + np.exp(-z.astype(float)))
    assert np.abs(error).max() < 2.2e-7
    assert np.abs(error.reshape(-1, 1000).mean(axis=1)).max() < 2e-8


def test_gates_are_0_and_1_where_float32_has_no_nearer_number():
    z = np.float32([18.03, 19.0, 25.0, 90.0, 1e30]).reshape(1, -1)
    np.testing.assert_array_equal(sigmoid_as_compiled(z), np.ones_like(z))
    np.testing.assert_array_equal(sigmoid_as_compiled(-z), np.zeros_like(z))


def test_a_cell_that_fades_is_off_by_less_than_its_bound():
    """c of T steps is fᵀ within T (2.2e-7 / f + 6e-8): the gate's error and the product's rounding, once a step."""
    z, steps = np.linspace(4, 18.5, 64), 2000
    layer = constant_gates(le.LSTM(64), "float32", [-20.0, 0.0, 0.0, 0.0])
    layer.weights["bias"][64:128] = z
    one = np.ones((1, 64), np.float32)
    _, (_, c), _ = layer.forward(np.zeros((1, steps, 1), np.float32), initial_state=[0 * one, one])
    f = 1 / (1 + np.exp(-layer.weights["bias"][64:128].astype(float)))
    seen = c[0] > 1e-30
    assert seen.sum() > 50
    assert (np.abs(c[0] / f**steps - 1) < steps * (2.2e-7 / f + 6e-8))[seen].all()
