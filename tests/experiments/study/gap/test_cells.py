"""The cells differ in what they say they differ in: equations, the gates' first bias, and whether that is told the gap."""

import numpy as np
import pytest

from experiments.study.gap.settings import CELLS, Settings
from experiments.study.tasks.late_digits import Condition, late_digits

SETTINGS = Settings(units=4, fixed=100)


def start(sides, cell, gap):
    """The recurrent layer's weights before training."""
    learnt, _ = late_digits(*sides, Condition(gap))
    return CELLS[cell].network(learnt, SETTINGS, 0.01, 0).model.layers[0].weights


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_starts_by_the_gap_only_where_it_is_said_to_be_told(sides, cell):
    near, far = start(sides, cell, 0), start(sides, cell, 500)
    np.testing.assert_array_equal(near["kernel"], far["kernel"])
    np.testing.assert_array_equal(near["recurrent_kernel"], far["recurrent_kernel"])
    assert (near["bias"] != far["bias"]).any() == CELLS[cell].knows_gap


@pytest.mark.parametrize(("cell", "forget"), [("lstm0", 0.0), ("lstm1", 1.0)])
def test_the_plain_lstms_differ_in_the_forget_gates_bias_alone(sides, cell, forget):
    plain, keras = start(sides, cell, 0), start(sides, "lstm1", 0)
    np.testing.assert_array_equal(plain["bias"], np.repeat([0, forget, 0, 0], 4))
    np.testing.assert_array_equal(plain["kernel"], keras["kernel"])


@pytest.mark.parametrize(("cell", "longest"), [("chrono", 8 + 500), ("gru-chrono", 8 + 500), ("chrono-fixed", 100)])
def test_a_chrono_start_keeps_for_up_to_the_longest_sequence(sides, cell, longest):
    H, (learnt, _) = 2000, late_digits(*sides, Condition(500))  # so many units, to meet the ends of the range
    bias = CELLS[cell].bias(H, learnt, SETTINGS, np.random.default_rng(0))
    kept = np.exp(bias[0, :H] if cell == "gru-chrono" else bias[H : 2 * H])  # evenly from 1 to longest - 1
    assert 1 - 1e-12 <= kept.min() < kept.max() <= (longest - 1) * (1 + 1e-12)
    assert kept.max() > longest - 1 - 10 * longest / H
    assert kept.mean() == pytest.approx(longest / 2, abs=4 * longest / np.sqrt(12 * H))


def test_the_simple_rnn_starts_orthogonal_and_is_given_more_rates_than_the_others(sides):
    U = start(sides, "rnn", 0)["recurrent_kernel"]
    np.testing.assert_allclose(U @ U.T, np.eye(4), atol=1e-6)  # float32
    rates = {cell: CELLS[cell].rates(SETTINGS) for cell in CELLS}
    assert rates["rnn"] == [0.03, 0.01, 0.003, 0.001, 0.0003]
    assert all(rates[cell] == [0.03, 0.01, 0.003] for cell in CELLS if cell != "rnn")
