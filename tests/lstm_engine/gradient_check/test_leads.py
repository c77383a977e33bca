"""Where the mistake is: known slips exactly, unknown ones by what the rows show, and never a place where all is right."""

import inspect

import numpy as np
import pytest

import lstm_engine as le

from . import conventions as c
from .test_recognise import BATCH_FIRST, COLUMNS, STEP, TORCH

D, H, T = 3, 4, 4


def planted(function, *mistakes):
    """The function with mistakes in it, (old text, new text) each; what it calls has them too."""
    source = inspect.getsource(c)
    for old, new in mistakes:
        assert source.count(old) == 1
        source = source.replace(old, new)
    names: dict = {}
    exec(compile(source, "planted", "exec"), names)
    return names[function]


def lead(forward, backward, inputs, **options):
    report = le.gradcheck_function(forward, backward, inputs, elements=4, **options)
    assert not report.ok
    return report.lead


ROWS = [
    ("step_backward", STEP, "dc * prev_c * f * (1 - f)", "dc * c * f * (1 - f)", "δf", "inside a step"),
    ("backward_nt", BATCH_FIRST, "dh * np.tanh(c) * o * (1 - o)", "dh * c * o * (1 - o)", "δo", "inside a step"),
    ("backward_nt", BATCH_FIRST, "dh[:, t] + dprev_h", "dh[:, t]", "δh", "between steps"),
    ("backward_torch", TORCH, "prev_h.T @ dz", "(o * np.tanh(c)).T @ dz", "δU", "inside a step"),
    ("backward_columns", COLUMNS, "dc * it * (1 - cct**2)", "dc * it * (1 - np.tanh(cct) ** 2)", "δz_g", "inside a step"),
    ("backward_columns", COLUMNS, '"dc_prev": dc * ft', '"dc_prev": dc', "δc'", "between steps"),
]  # fmt: skip
FORWARD = {"step_backward": "step_forward", "backward_nt": "forward_nt", "backward_torch": "forward_torch",
           "backward_columns": "forward_columns"}  # fmt: skip


@pytest.mark.parametrize(("name", "inputs", "old", "new", "quantity", "region"), ROWS, ids=[row[3] for row in ROWS])
def test_a_known_slip_is_named_exactly(name, inputs, old, new, quantity, region):
    found = lead(getattr(c, FORWARD[name]), planted(name, (old, new)), inputs)
    assert (found.quantity, found.region, found.certain) == (quantity, region, True)
    assert found.equation
    assert found.equation in found.sentence


def test_what_stands_instead_and_what_follows_from_it_are_named():
    found = lead(c.step_forward, planted("step_backward", ("dc * prev_c * f", "dc * c * f")), STEP)
    assert found.sentence == (
        "After one step Wx (f), Wh (f), b (f) are wrong, and what follows from it, x, prev_h: look at δf = δc∘c'. "
        "Your gradients are exactly those of δf = δc∘c."
    )
    assert found.follows == ("x", "prev_h")


def test_an_unknown_slip_falls_back_to_the_gate_although_the_first_c_is_0():
    backward = planted("backward_nt", ("dc * prev_c * f * (1 - f)", "dc * prev_c * np.sin(f)"))
    found = lead(c.forward_nt, backward, BATCH_FIRST)
    assert (found.quantity, found.region, found.certain) == ("δf", "inside a step", False)


def test_an_unknown_slip_between_steps_is_placed_there():
    backward = planted("backward_nt", ("return dz @ Wx.T, dz @ Wh.T,", "return dz @ Wx.T, np.sin(dz @ Wh.T),"))
    found = lead(c.forward_nt, backward, BATCH_FIRST)
    assert (found.quantity, found.region, found.certain) == ("δh'", "between steps", False)


def test_two_slips_at_once_are_both_named():
    backward = planted(
        "step_backward", ("dc * prev_c * f", "dc * c * f"), ("dh * np.tanh(c) * o * (1 - o)", "dh * np.tanh(c)")
    )
    found = lead(c.step_forward, backward, STEP)
    assert found.certain
    assert "δz_o: δo" in found.sentence
    assert "δf: δc∘c" in found.sentence


# -- any function ------------------------------------------------------------------------------------------------------


def product(x, W):
    return np.tanh(x @ W), (x, W)


def product_back(dy, cache):
    x, W = cache
    dz = dy * (1 - np.tanh(x @ W) ** 2)
    return dz @ W.T, x.T @ dz


SQUARE = {"x": np.random.default_rng(0).standard_normal((3, 3)), "W": np.random.default_rng(1).standard_normal((3, 3))}


def test_gradients_in_each_others_place_are_recognised():
    found = lead(product, lambda dy, cache: product_back(dy, cache)[::-1], SQUARE)
    assert found.region == "order of gradients"
    assert "in each other's place" in found.sentence


def test_a_transposed_gradient_is_recognised():
    found = lead(product, lambda dy, cache: (product_back(dy, cache)[0], product_back(dy, cache)[1].T), SQUARE)
    assert found.sentence == "The gradient of W is right when it is transposed."


def test_a_constant_factor_is_fitted():
    found = lead(product, lambda dy, cache: tuple(g / 3 for g in product_back(dy, cache)), SQUARE)
    assert "Every gradient is 1/3 times the right one" in found.sentence


def test_clipping_is_recognised():
    found = lead(product, lambda dy, cache: tuple(np.clip(g, -0.3, 0.3) for g in product_back(dy, cache)), SQUARE)
    assert (found.region, found.instead) == ("clipping", "clipped to ±0.3")


def test_one_ignored_output_is_found_without_a_cell():
    def two(x, W):
        y, cache = product(x, W)
        return (y, y * y), (*cache, y)

    def back(d, cache):
        return product_back(d[0], cache[:2])

    found = lead(two, back, SQUARE)
    assert found.region == "upstream"
    assert "output 1 alone" in found.sentence


# -- an unknown cell: tanh(xW + (h'∘h')U) ------------------------------------------------------------------------------


def unknown_forward(x, W, U, h0):
    hs = [h0]
    for x_t in x:
        hs.append(np.tanh(x_t @ W + (hs[-1] * hs[-1]) @ U))
    return np.array(hs[1:]), (x, W, U, hs)


def unknown_backward(slip):
    def backward(dhs, cache):
        x, _, U, hs = cache
        dW, dU, dh = 0, 0, 0
        for t in reversed(range(len(x))):
            dz = (dhs[t] + dh) * (1 - (hs[t] if slip == "slope" else hs[t + 1]) ** 2)
            dW = (0 if slip == "sum" else dW) + x[t].T @ dz
            dU = dU + (hs[t] * hs[t]).T @ dz
            dh = (dz @ U.T) * (1 if slip == "carried" else 2) * hs[t]
        return None, dW, dU, None

    return backward


REGIONS = [("slope", "inside a step"), ("carried", "between steps"), ("sum", "sum over steps")]


@pytest.mark.parametrize(("slip", "region"), REGIONS)
def test_the_sweep_over_steps_needs_no_cell_and_no_gradient_of_x(slip, region):
    rng = np.random.default_rng(0)
    inputs = {"x": rng.standard_normal((T, 2, D)), "W": rng.standard_normal((D, H)), "U": rng.standard_normal((H, H))}
    found = lead(unknown_forward, unknown_backward(slip), inputs | {"h0": rng.standard_normal((2, H))})
    assert (found.region, found.certain) == (region, False)


# -- a layer and a loss after the cell ---------------------------------------------------------------------------------

HEADS = [
    ('d["Why"] += dy @ hs[t].T', 'd["Why"] += dy @ hs[t - 1].T', "last layer", "δWhy"),
    ("dy[targets[t]] -= 1", "dy[targets[t]] += 1", "last layer", "δy"),
    ("(1 - hs[t] * hs[t])", "(1 - np.tanh(hs[t]) ** 2)", "inside a step", "δz"),
    ('d["Whh"] += draw @ hs[t - 1].T', 'd["Whh"] += draw @ hs[t].T', "inside a step", "δU"),
]


@pytest.mark.parametrize(("old", "new", "region", "quantity"), HEADS, ids=[row[1] for row in HEADS])
def test_a_loss_inside_is_recognised_and_its_layer_told_from_the_cell(old, new, region, quantity):
    function = planted("loss_of_letters", (old, new))
    targets = [1, 2, 0, 0]

    names = ("Wxh", "Whh", "Why", "bh", "by")
    p = c.letters()

    def forward_of(tokens, targets, hprev, Wxh, Whh, Why, bh, by):
        values = dict(zip(names, (Wxh, Whh, Why, bh, by), strict=True))
        return c.loss_of_letters(values, tokens, targets, hprev)[0], (values, tokens, targets, hprev)

    def backward(cache):
        gradients = function(*cache)[1]
        return None, None, None, *(gradients[name] for name in names)

    inputs = {"tokens": [0, 1, 2, 0], "targets": targets, "hprev": np.zeros((H, 1))} | p
    found = lead(forward_of, backward, inputs)
    assert (found.region, found.quantity) == (region, quantity)


# -- forward -----------------------------------------------------------------------------------------------------------


def test_a_forward_that_is_no_lstm_is_said_to_be_none():
    """o∘c for o∘tanh(c), with a backward that fits."""
    forward = planted("step_forward", ("return o * np.tanh(c), c,", "return o * c, c,"))
    through_h = ("dc = dc + dh * o * (1 - np.tanh(c) ** 2)", "dc = dc + dh * o")
    backward = planted("step_backward", through_h, ("dh * np.tanh(c) * o * (1 - o)", "dh * c * o * (1 - o)"))
    report = le.gradcheck_function(forward, backward, STEP)
    assert report.ok
    assert "forward is not an LSTM's: h = o∘c, without tanh(c)." in report.notes


def test_like_says_when_a_forward_is_not_that_cell():
    report = le.gradcheck_function(product, product_back, SQUARE, like="lstm")
    assert any("does not give the values of an LSTM" in note for note in report.notes)
