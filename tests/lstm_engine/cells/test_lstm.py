"""The readable LSTM pair against derivatives that know nothing of its backward pass."""

import numpy as np
import pytest

from lstm_engine.activations import ACTIVATIONS
from lstm_engine.cells.lstm import lstm_backward, lstm_forward

INPUTS = ("x", "W", "U", "b", "h0", "c0")


def masks(T, B, H, masked, dropped, seed=1):
    rng = np.random.default_rng(seed)
    return {
        "mask": rng.random((T, B)) > 0.3 if masked else None,
        "recurrent_dropout": (rng.random((4, B, H)) > 0.3) / 0.7 if dropped else None,
    }


def upstream(T, B, H, seed=2):
    rng = np.random.default_rng(seed)
    return {
        "dh": rng.standard_normal((T, B, H)),
        "dh_T": rng.standard_normal((B, H)),
        "dc_T": rng.standard_normal((B, H)),
    }


def weighted_outputs(inputs, options, up):
    """A scalar that every output takes part in, with `up` as its gradients: Σ dh∘h + Σ dh_T∘h_T + Σ dc_T∘c_T."""
    tape = lstm_forward(*inputs, **options)
    return (up["dh"] * tape.h).sum() + (up["dh_T"] * tape.h[-1]).sum() + (up["dc_T"] * tape.c[-1]).sum()


CASES = pytest.mark.parametrize(("masked", "dropped"), [(False, False), (True, False), (False, True), (True, True)])


def check_against_the_complex_step(rel, inputs, options, up):
    grads = lstm_backward(lstm_forward(*inputs, **options), **up)
    for k, name in enumerate(INPUTS):
        exact = np.empty_like(inputs[k])
        for at in np.ndindex(exact.shape):
            moved = [a.astype(complex) for a in inputs]
            moved[k][at] += 1e-30j
            exact[at] = weighted_outputs(moved, options, up).imag / 1e-30
        assert rel(getattr(grads, name), exact) < 1e-13, name  # ~T rounding errors of 1e-16 each


@CASES
def test_every_gradient_is_the_complex_step(unit_scale, rel, masked, dropped):
    T, B, D, H = 7, 3, 2, 5
    inputs, options, up = unit_scale(T, B, D, H), masks(T, B, H, masked, dropped), upstream(T, B, H)
    check_against_the_complex_step(rel, inputs, options, up)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("place", ["activation", "recurrent_activation"])
def test_every_activation_has_its_gradient_in_both_places(unit_scale, rel, name, place):
    options = masks(3, 3, 3, True, True) | {place: name}
    options["mask"][:, 2] = False  # a sequence without a step
    check_against_the_complex_step(rel, unit_scale(3, 3, 2, 3, seed=3), options, upstream(3, 3, 3))


def test_masked_step_carries_state_and_leaves_no_gates(unit_scale):
    T, B, H = 4, 3, 5
    mask = np.ones((T, B), bool)
    mask[2, 1] = False
    tape = lstm_forward(*unit_scale(T, B, 2, H), mask=mask)
    np.testing.assert_array_equal(tape.h[2, 1], tape.h[1, 1])
    np.testing.assert_array_equal(tape.c[2, 1], tape.c[1, 1])
    assert not tape.gates[2, 1].any()
    assert (tape.h[2, 0] != tape.h[1, 0]).all()


def test_masked_steps_change_nothing_a_shorter_sequence_would_not(unit_scale):
    x, W, U, b, h0, c0 = unit_scale(6, 2, 3, 4)
    mask = np.ones((6, 2), bool)
    mask[4:] = False
    x[4:] = np.nan  # what lies under the mask must not matter
    padded = lstm_forward(x, W, U, b, h0, c0, mask=mask)
    np.testing.assert_array_equal(padded.h[-1], lstm_forward(x[:4], W, U, b, h0, c0).h[-1])


def test_a_mask_of_zeros_and_ones_is_a_mask(unit_scale):
    inputs = unit_scale(4, 3, 2, 5)
    mask = np.random.default_rng(0).integers(0, 2, (4, 3))
    np.testing.assert_array_equal(lstm_forward(*inputs, mask=mask).h, lstm_forward(*inputs, mask=mask.astype(bool)).h)


def test_fully_masked_sequence_returns_its_initial_state_and_passes_the_gradient_through(unit_scale):
    inputs = unit_scale(3, 2, 3, 4)
    tape = lstm_forward(*inputs, mask=np.zeros((3, 2), bool))
    dh_T, dc_T = np.random.default_rng(0).standard_normal((2, 2, 4))
    grads = lstm_backward(tape, dh_T=dh_T, dc_T=dc_T)
    np.testing.assert_array_equal(tape.h[-1], inputs[4])
    np.testing.assert_array_equal(grads.h0, dh_T)
    np.testing.assert_array_equal(grads.c0, dc_T)
    assert not grads.W.any()


def test_the_gates_are_views_of_one_buffer_in_the_order_i_f_g_o(unit_scale):
    tape = lstm_forward(*unit_scale(3, 2, 3, 4))
    for k, gate in enumerate((tape.i, tape.f, tape.g, tape.o)):
        assert np.shares_memory(gate, tape.gates)
        np.testing.assert_array_equal(gate, tape.gates[..., 4 * k : 4 * k + 4])
    assert tape.g.min() < 0 <= min(tape.i.min(), tape.f.min(), tape.o.min())  # tanh among sigmoids


def test_states_follow_from_the_recorded_gates(unit_scale):
    tape = lstm_forward(*unit_scale(5, 2, 3, 4))
    np.testing.assert_array_equal(tape.c, tape.f * tape.c_states[:-1] + tape.i * tape.g)
    np.testing.assert_array_equal(tape.h, tape.o * np.tanh(tape.c))


def test_per_step_gradients_are_those_of_the_states(unit_scale, rel):
    """grads.h[t] and grads.c[t] are what starting afresh from the state after step t would send back."""
    T, B, H, t = 6, 2, 4, 3
    x, W, U, b, h0, c0 = unit_scale(T, B, 3, H)
    up = upstream(T, B, H)
    tape = lstm_forward(x, W, U, b, h0, c0)
    grads = lstm_backward(tape, **up)
    later = lstm_backward(
        lstm_forward(x[t + 1 :], W, U, b, tape.h[t], tape.c[t]), dh=up["dh"][t + 1 :], dh_T=up["dh_T"], dc_T=up["dc_T"]
    )
    assert rel(grads.h[t], later.h0 + up["dh"][t]) < 1e-14
    through_h = grads.h[t] * tape.o[t] * (1 - tape.tanh_c[t] ** 2)
    assert rel(grads.c[t], later.c0 + through_h) < 1e-14
