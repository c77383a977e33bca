"""The equations of the cells as lines: they equal the engine's pairs; a variant's backward is its forward's derivative."""

import numpy as np
import pytest

from lstm_engine.cells.gru import gru_backward, gru_forward
from lstm_engine.cells.lstm import lstm_backward, lstm_forward
from lstm_engine.cells.simple_rnn import simple_rnn_backward, simple_rnn_forward
from lstm_engine.gradient_check.equations import CELLS, VARIANTS, walk, walk_back, written

T, B, D, H = 3, 2, 3, 4
ROUNDING = 1e-13


def drawn(cell):
    rng = np.random.default_rng(0)
    shapes = {"W": (D, H), "U": (H, H), "b": (H,), "v": (H,)}
    given = {(kind, gate): rng.standard_normal(shapes[kind]) for kind in cell.parameters for gate in cell.gates}
    given |= {("x", ""): rng.standard_normal((T, B, D))}
    given |= {(f"{s}0", ""): rng.standard_normal((B, H)) for s in cell.states}
    upstream = {f"up_{s}": rng.standard_normal((T, B, H)) for s in cell.states}
    return given, upstream | {f"end_{s}": rng.standard_normal((B, H)) for s in cell.states}


def side_by_side(cell, blocks, kind):
    return np.concatenate([blocks[kind, gate] for gate in cell.gates], axis=-1)


def engine(cell, given, upstream):
    """The engine's gradients for the same arrays, with one bias array for both of a GRU."""
    W, U, b = (side_by_side(cell, given, kind) for kind in "WUb")
    x, h0 = given["x", ""], given["h0", ""]
    if "c" in cell.states:
        tape = lstm_forward(x, W, U, b, h0, given["c0", ""])
        return lstm_backward(tape, upstream["up_h"], upstream["end_h"], upstream["end_c"])
    if len(cell.gates) == 3:
        b = np.stack([b, side_by_side(cell, given, "v")]) if "v" in cell.parameters else b
        return gru_backward(gru_forward(x, W, U, b, h0), upstream["up_h"], upstream["end_h"])
    activation = {"simple RNN": "tanh", "simple RNN with σ": "sigmoid", "simple RNN with relu": "relu"}[cell.name]
    return simple_rnn_backward(
        simple_rnn_forward(x, W, U, b, h0, activation=activation), upstream["up_h"], upstream["end_h"]
    )


ENGINES = [cell for cells in CELLS.values() for cell in cells if "h = (1 - z)" not in cell.name]


@pytest.mark.parametrize("cell", ENGINES, ids=lambda cell: cell.name)
def test_with_nothing_replaced_the_lines_equal_the_engine(cell):
    given, upstream = drawn(cell)
    if "c" in cell.states:
        upstream["up_c"] = np.zeros((T, B, H))  # the engine's pair takes no upstream gradient of every c
    of_lines, of_engine = walk_back(cell, walk(cell, given), upstream), engine(cell, given, upstream)
    for kind, expected in (("W", of_engine.W), ("U", of_engine.U)):
        np.testing.assert_allclose(side_by_side(cell, of_lines, kind), expected, rtol=0, atol=ROUNDING)
    b = [side_by_side(cell, of_lines, kind) for kind in "bv" if kind in cell.parameters]
    np.testing.assert_allclose(np.squeeze(b), of_engine.b, rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(of_lines["x", ""], of_engine.x, rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(of_lines["h0", ""], of_engine.h0, rtol=0, atol=ROUNDING)


ALL = [cell for table in (CELLS, VARIANTS) for cells in table.values() for cell in cells]


@pytest.mark.parametrize("cell", [cell for cell in ALL if "relu" not in cell.name], ids=lambda cell: cell.name)
def test_the_backward_lines_are_the_derivative_of_the_forward_lines(cell):
    given, upstream = drawn(cell)
    gradients = walk_back(cell, walk(cell, given), upstream)

    def value(blocks):
        steps = walk(cell, blocks)
        every = sum((upstream[f"up_{s}"] * np.array([step[s] for step in steps])).sum() for s in cell.states)
        return every + sum((upstream[f"end_{s}"] * steps[-1][s]).sum() for s in cell.states)

    rng = np.random.default_rng(1)
    for key, a in given.items():
        v = rng.standard_normal(a.shape)
        moved = {k: block.astype(complex) for k, block in given.items()} | {key: a + 1e-30j * v}
        assert np.imag(value(moved)) / 1e-30 == pytest.approx((gradients[key] * v).sum(), rel=1e-10, abs=1e-12)


def test_an_equation_is_written_as_people_write_it():
    (lstm,) = CELLS["lstm"]
    assert lstm.equation("δf") == "δf = δc∘c'"
    assert lstm.equation("δc") == "δc = upstream + δc'₊₁ + δh∘o∘(1 - tanh²(c))"
    assert lstm.equation("δh_prev") == "δh' = δz_i U_iᵀ + δz_f U_fᵀ + δz_g U_gᵀ + δz_o U_oᵀ"
    assert written("δg * tanh1(tanh(g))") == "δg∘(1 - tanh(g)²)"
