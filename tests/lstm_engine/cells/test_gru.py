"""The readable GRU pair, in both readings, against derivatives that know nothing of its backward pass."""

import math

import numpy as np
import pytest

from lstm_engine.activations import ACTIVATIONS
from lstm_engine.cells.gru import gru_backward, gru_forward

INPUTS = ("x", "W", "U", "b", "h0")
READINGS = pytest.mark.parametrize("reset_after", [True, False])
CASES = pytest.mark.parametrize(("masked", "dropped"), [(False, False), (True, False), (False, True), (True, True)])


@pytest.fixture
def inputs(unit_scale):
    """x, W, U, b, h0 at unit scale."""

    def draw(T, B, D, H, reset_after, seed=0):
        return unit_scale(T, B, D, H, seed=seed, cell="gru" if reset_after else "gru, reset before")

    return draw


def masks(T, B, H, masked, dropped):
    rng = np.random.default_rng(1)
    mask = rng.random((T, B)) > 0.3
    mask[:, -1] = B == 1  # beside holes, a sequence without a step
    dropout = (rng.random((3, B, H)) > 0.3) / 0.7
    return {"mask": mask if masked else None, "recurrent_dropout": dropout if dropped else None}


def check_gradients(rel, inputs, **options):
    """Every gradient of Σ dh∘h + Σ dh_T∘h_T, in which every output takes part, is its complex step."""
    rng, tape = np.random.default_rng(2), gru_forward(*inputs, **options)
    dh, dh_T = rng.standard_normal(tape.h.shape), rng.standard_normal(tape.h0.shape)
    grads = gru_backward(tape, dh=dh, dh_T=dh_T)
    for k, name in enumerate(INPUTS):
        exact = np.empty_like(inputs[k])
        for at in np.ndindex(exact.shape):
            moved = [a.astype(complex) for a in inputs]
            moved[k][at] += 1e-30j
            h = gru_forward(*moved, **options).h
            exact[at] = ((dh * h).sum() + (dh_T * h[-1]).sum()).imag / 1e-30
        assert rel(getattr(grads, name), exact) < 1e-13, name  # ~T rounding errors of 1e-16 each


@READINGS
@CASES
@pytest.mark.parametrize(("T", "B"), [(6, 3), (1, 1)])
def test_every_gradient_is_the_complex_step(rel, inputs, reset_after, masked, dropped, T, B):
    check_gradients(rel, inputs(T, B, 2, 4, reset_after), **masks(T, B, 4, masked, dropped))


@READINGS
@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("place", ["activation", "recurrent_activation"])
def test_every_activation_has_its_gradient_in_both_places(rel, inputs, reset_after, name, place):
    arrays = [0.5 * a for a in inputs(3, 3, 2, 3, reset_after, seed=3)]  # exponential gates overflow at 1
    check_gradients(rel, arrays, **masks(3, 3, 3, True, True), **{place: name})


@READINGS
def test_a_step_is_the_equations_worked_by_hand(reset_after):
    """One unit, one step, scalars: which product the reset gate meets, and which way z mixes."""
    x, h, (wz, wr, wh), (uz, ur, uh) = 0.7, -1.3, (0.4, -0.8, 1.1), (0.9, 0.5, -0.6)
    b, c = (0.2, -0.1, 0.3), (0.15, 0.25, -0.35) if reset_after else (0.0, 0.0, 0.0)
    z = 1 / (1 + math.exp(-(x * wz + h * uz + b[0] + c[0])))
    r = 1 / (1 + math.exp(-(x * wr + h * ur + b[1] + c[1])))
    candidate = math.tanh(x * wh + b[2] + (r * (h * uh + c[2]) if reset_after else (r * h) * uh))
    bias = np.array([b, c] if reset_after else b)
    tape = gru_forward(
        np.full((1, 1, 1), x), np.array([[wz, wr, wh]]), np.array([[uz, ur, uh]]), bias, np.full((1, 1), h)
    )
    np.testing.assert_allclose(tape.h[0, 0, 0], z * h + (1 - z) * candidate, rtol=0, atol=1e-15)
    np.testing.assert_allclose(tape.gates[0, 0], [z, r, candidate], rtol=0, atol=1e-15)


def test_the_readings_agree_where_no_unit_sees_another(rel, inputs):
    """With a diagonal Uₕ and no bias of its own, r∘(h'Uₕ) = (r∘h')Uₕ."""
    x, W, U, b, h0 = inputs(5, 3, 2, 4, reset_after=True)
    U[:, 8:] = np.diag([0.9, -0.7, 1.1, 0.4])
    b[1] = 0
    after, before = gru_forward(x, W, U, b, h0), gru_forward(x, W, U, b[0], h0)
    assert rel(before.h, after.h) < 1e-15
    dh = np.random.default_rng(0).standard_normal(after.h.shape)
    grads, others = gru_backward(after, dh=dh), gru_backward(before, dh=dh)
    for name in ("x", "W", "h0", "z"):
        assert rel(getattr(others, name), getattr(grads, name)) < 1e-14, name


@READINGS
def test_masked_step_carries_the_state_and_leaves_no_gates(inputs, reset_after):
    mask = np.ones((4, 3), bool)
    mask[2, 1] = False
    tape = gru_forward(*inputs(4, 3, 2, 5, reset_after), mask=mask)
    np.testing.assert_array_equal(tape.h[2, 1], tape.h[1, 1])
    assert not tape.gates[2, 1].any()
    assert not tape.inner[2, 1].any()
    assert tape.gates[2, 0].all()
    assert tape.inner[2, 0].all()
    grads = gru_backward(tape, dh=np.ones(tape.h.shape))
    assert not grads.z[2, 1].any()
    assert not grads.recurrent_z[2, 1].any()


@READINGS
def test_fully_masked_sequence_returns_its_initial_state_and_passes_the_gradient_through(inputs, reset_after):
    arrays = inputs(3, 2, 3, 4, reset_after)
    tape, dh_T = gru_forward(*arrays, mask=np.zeros((3, 2), bool)), np.ones((2, 4))
    grads = gru_backward(tape, dh_T=dh_T)
    np.testing.assert_array_equal(tape.h[-1], arrays[4])
    np.testing.assert_array_equal(grads.h0, dh_T)
    assert not grads.W.any()
    assert not grads.U.any()


@READINGS
def test_masked_steps_change_nothing_a_shorter_sequence_would_not(inputs, reset_after):
    x, *rest = inputs(6, 2, 3, 4, reset_after)
    mask = np.ones((6, 2), bool)
    mask[4:] = False
    x[4:] = np.nan  # what lies under the mask must not matter
    np.testing.assert_array_equal(gru_forward(x, *rest, mask=mask).h[-1], gru_forward(x[:4], *rest).h[-1])


@READINGS
def test_per_step_gradients_are_those_of_the_states(rel, inputs, reset_after):
    """grads.h[t] is what starting afresh from the state after step t would send back, and what comes from above."""
    x, W, U, b, h0 = inputs(6, 2, 3, 4, reset_after)
    tape, dh = gru_forward(x, W, U, b, h0), np.random.default_rng(2).standard_normal((6, 2, 4))
    later = gru_backward(gru_forward(x[4:], W, U, b, tape.h[3]), dh=dh[4:])
    assert rel(gru_backward(tape, dh=dh).h[3], later.h0 + dh[3]) < 1e-14


@READINGS
def test_the_gates_are_views_of_one_buffer_in_the_order_z_r_candidate(inputs, reset_after):
    tape = gru_forward(*inputs(3, 2, 3, 4, reset_after))
    for k, gate in enumerate((tape.z, tape.r, tape.candidate)):
        assert np.shares_memory(gate, tape.gates)
        np.testing.assert_array_equal(gate, tape.gates[..., 4 * k : 4 * k + 4])


@pytest.mark.parametrize(
    ("at", "shape", "words"),
    [
        (1, (2, 9), r"W must have shape \(3, 12\)"),
        (2, (4, 9), r"U must have shape \(4, 12\)"),
        (3, (3, 12), r"b must have shape \(2, 12\)"),
        (3, (9,), r"b must have shape \(12,\)"),
        (4, (1, 4), r"h0 must have shape|W must have"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(inputs, at, shape, words):
    arrays = inputs(4, 2, 3, 4, reset_after=True)
    arrays[at] = np.zeros(shape)
    with pytest.raises(ValueError, match=words):
        gru_forward(*arrays)
