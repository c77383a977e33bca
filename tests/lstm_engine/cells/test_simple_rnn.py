"""The readable SimpleRNN pair against derivatives that know nothing of its backward pass."""

import functools
import math

import numpy as np
import pytest

from lstm_engine.activations import ACTIVATIONS
from lstm_engine.cells.simple_rnn import simple_rnn_backward, simple_rnn_forward

INPUTS = ("x", "W", "U", "b", "h0")


@pytest.fixture
def inputs(unit_scale):
    """x, W, U, b, h0 at unit scale."""
    return functools.partial(unit_scale, cell="simple_rnn")


def masks(T, B, H, masked, dropped):
    rng = np.random.default_rng(1)
    mask = rng.random((T, B)) > 0.3
    mask[:, -1] = B == 1  # beside holes, a sequence without a step
    dropout = (rng.random((1, B, H)) > 0.3) / 0.7
    return {"mask": mask if masked else None, "recurrent_dropout": dropout if dropped else None}


def check_gradients(rel, inputs, **options):
    """Every gradient of Σ dh∘h + Σ dh_T∘h_T, in which every output takes part, is its complex step."""
    rng, tape = np.random.default_rng(2), simple_rnn_forward(*inputs, **options)
    dh, dh_T = rng.standard_normal(tape.h.shape), rng.standard_normal(tape.h0.shape)
    grads = simple_rnn_backward(tape, dh=dh, dh_T=dh_T)
    for k, name in enumerate(INPUTS):
        exact = np.empty_like(inputs[k])
        for at in np.ndindex(exact.shape):
            moved = [a.astype(complex) for a in inputs]
            moved[k][at] += 1e-30j
            h = simple_rnn_forward(*moved, **options).h
            exact[at] = ((dh * h).sum() + (dh_T * h[-1]).sum()).imag / 1e-30
        assert rel(getattr(grads, name), exact) < 1e-13, name  # ~T rounding errors of 1e-16 each


@pytest.mark.parametrize(("masked", "dropped"), [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize(("T", "B"), [(6, 3), (1, 1)])
def test_every_gradient_is_the_complex_step(rel, inputs, masked, dropped, T, B):
    check_gradients(rel, inputs(T, B, 2, 4), **masks(T, B, 4, masked, dropped))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_has_its_gradient(rel, inputs, name):
    check_gradients(rel, inputs(3, 3, 2, 3, seed=3), **masks(3, 3, 3, True, True), activation=name)


def test_a_step_is_the_equation_worked_by_hand():
    x, h, w, u, b = 0.7, -1.3, 0.4, 0.9, 0.2
    tape = simple_rnn_forward(*(np.full((1,) * n, v) for n, v in ((3, x), (2, w), (2, u), (1, b), (2, h))))
    np.testing.assert_allclose(tape.h[0, 0, 0], math.tanh(x * w + h * u + b), rtol=1e-15)


def test_a_linear_network_is_a_sum_of_powers(rel, inputs):
    """Without a nonlinearity h_T = h0 Uᵀ + Σ (x_t W + b) U^(T-1-t)."""
    x, W, U, b, h0 = inputs(5, 2, 3, 4)
    power = np.linalg.matrix_power
    expected = h0 @ power(U, 5) + sum((x[t] @ W + b) @ power(U, 4 - t) for t in range(5))
    assert rel(simple_rnn_forward(x, W, U, b, h0, activation="linear").h[-1], expected) < 1e-14


def test_masked_step_carries_the_state_and_sends_no_gradient_into_its_product(inputs):
    mask = np.ones((4, 3), bool)
    mask[2, 1] = False
    tape = simple_rnn_forward(*inputs(4, 3, 2, 5), mask=mask)
    np.testing.assert_array_equal(tape.h[2, 1], tape.h[1, 1])
    assert (tape.h[2, 0] != tape.h[1, 0]).all()
    grads = simple_rnn_backward(tape, dh=np.ones(tape.h.shape))
    assert not grads.z[2, 1].any()
    assert not grads.x[2, 1].any()


def test_fully_masked_sequence_returns_its_initial_state_and_passes_the_gradient_through(inputs):
    arrays = inputs(3, 2, 3, 4)
    tape, dh_T = simple_rnn_forward(*arrays, mask=np.zeros((3, 2), bool)), np.ones((2, 4))
    grads = simple_rnn_backward(tape, dh_T=dh_T)
    np.testing.assert_array_equal(tape.h[-1], arrays[4])
    np.testing.assert_array_equal(grads.h0, dh_T)
    assert not grads.W.any()


def test_masked_steps_change_nothing_a_shorter_sequence_would_not(inputs):
    x, *rest = inputs(6, 2, 3, 4)
    mask = np.ones((6, 2), bool)
    mask[4:] = False
    x[4:] = np.nan  # what lies under the mask must not matter
    np.testing.assert_array_equal(simple_rnn_forward(x, *rest, mask=mask).h[-1], simple_rnn_forward(x[:4], *rest).h[-1])


def test_per_step_gradients_are_those_of_the_states(rel, inputs):
    """grads.h[t] is what starting afresh from the state after step t would send back, and what comes from above."""
    x, W, U, b, h0 = inputs(6, 2, 3, 4)
    tape, dh = simple_rnn_forward(x, W, U, b, h0), np.random.default_rng(2).standard_normal((6, 2, 4))
    later = simple_rnn_backward(simple_rnn_forward(x[4:], W, U, b, tape.h[3]), dh=dh[4:])
    assert rel(simple_rnn_backward(tape, dh=dh).h[3], later.h0 + dh[3]) < 1e-14


@pytest.mark.parametrize(
    ("at", "shape", "words"),
    [
        (1, (2, 4), r"W must have shape \(3, 4\)"),
        (2, (4, 8), r"U must have shape \(4, 4\)"),
        (3, (2, 4), r"b must have shape \(4,\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(inputs, at, shape, words):
    arrays = inputs(4, 2, 3, 4)
    arrays[at] = np.zeros(shape)
    with pytest.raises(ValueError, match=words):
        simple_rnn_forward(*arrays)
