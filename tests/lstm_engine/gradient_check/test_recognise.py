"""Which array is which, found in a caller's function by its values."""

import numpy as np
import pytest

from lstm_engine.gradient_check.pair import Calls, prepare
from lstm_engine.gradient_check.recognise import recognise, to_caller, to_standard

from . import conventions as c

T, N, D, H = 4, 2, 3, 5
RNG = np.random.default_rng(3)


def a(*shape):
    return RNG.standard_normal(shape)


def form_of(forward, backward, inputs, like=None):
    pair = prepare(forward, backward, inputs, 0)
    calls = Calls(pair)
    return recognise(calls.outputs, calls.values, pair.analytic, like)


def matrices(rows, shape):
    return {f"{kind}{k}": a(H, rows) if kind == "W" else a(H, 1) for k in "fico" for kind in "Wb"} | shape


STEP = {"x": a(N, D), "prev_h": a(N, H), "prev_c": a(N, H), "Wx": a(D, 4 * H), "Wh": a(H, 4 * H), "b": a(4 * H)}
BATCH_FIRST = {"x": a(N, T, D), "h0": a(N, H), "Wx": a(D, 4 * H), "Wh": a(H, 4 * H), "b": a(4 * H)}
COLUMNS = {"x": a(D, N, T), "a0": a(H, N), "parameters": matrices(H + D, {"Wy": a(2, H), "by": a(2, 1)})}
TORCH = {"x": a(T, N, D), "h0": a(N, H), "c0": a(N, H), "weight_ih": a(4 * H, D), "weight_hh": a(4 * H, H)}
TORCH |= {"bias_ih": a(4 * H), "bias_hh": a(4 * H)}


def test_one_step_in_rows():
    form = form_of(c.step_forward, c.step_backward, STEP)
    assert form.cell.name == "LSTM"
    assert form.is_step
    assert form.parts["Wx"].gates == ("i", "f", "o", "g")
    assert form.states == {"h0": ("prev_h", "BF"), "c0": ("prev_c", "BF")}


def test_batch_first_without_a_first_c():
    form = form_of(c.forward_nt, c.backward_nt, BATCH_FIRST)
    assert (form.x, form.outputs) == (("x", "BTF"), (("h", "BTF"),))
    assert set(form.states) == {"h0"}


def test_columns_with_a_matrix_a_gate_on_h_and_x():
    form = form_of(c.forward_columns, c.backward_columns, COLUMNS)
    assert form.x == ("x", "FBT")
    assert form.parts["Wf"].gates == ("f",)
    assert form.parts["Wc"].gates == ("g",)
    assert form.parts["Wf"].kinds == ("U", "W")
    assert form.parts["Wf"].turned


def test_two_biases_and_turned_matrices():
    form = form_of(c.forward_torch, c.backward_torch, TORCH)
    assert form.parts["weight_hh"].turned
    assert form.parts["bias_ih"].kinds == form.parts["bias_hh"].kinds == ("b",)
    assert [output[0] for output in form.outputs] == ["h", "h_T", "c_T"]


def test_what_is_no_cell_is_not_recognised():
    assert form_of(lambda x, W: (np.tanh(x @ W), (x, W)), lambda d, cache: (d @ cache[1].T, cache[0].T @ d),
                   {"x": a(N, D), "W": a(D, H)}) is None  # fmt: skip


@pytest.mark.parametrize("layout", ["TBF", "BTF", "FBT", "TFB"])
def test_layouts_go_both_ways(layout):
    standard = a(T, N, D)
    np.testing.assert_array_equal(to_standard(to_caller(standard, layout, "TBF"), layout, "TBF"), standard)


def test_a_form_draws_other_numbers_of_steps():
    form = form_of(c.forward_columns, c.backward_columns, COLUMNS)
    pair = prepare(c.forward_columns, c.backward_columns, COLUMNS, 0)
    drawn = form.draw(np.random.default_rng(0), pair.inputs.values, 7, 3)
    assert drawn["x"].shape == (D, 3, 7)
    assert drawn["a0"].shape == (H, 3)
