"""The cells of the study: alike in size, in how they begin, and in what they are told, but for what their names say."""

import numpy as np
import pytest

from experiments.study.memory.settings import CELLS, PARTS, TASKS, EngineCell, Settings, count_weights, units_of
from experiments.study.networks import chrono_bias

TASK = TASKS["order"](10)
ENGINE = [name for name, cell in CELLS.items() if isinstance(cell, EngineCell)]


def layer(cell, seed=3, lag=10):
    return CELLS[cell].network(TASK, lag, Settings(units=4), 0.01, seed).model.layers[0]


@pytest.mark.parametrize("cell", ENGINE)
def test_no_cell_has_more_weights_than_the_lstm_and_with_one_more_unit_it_would(cell):
    own, most = layer(cell), count_weights("LSTM", TASK.features, 4)
    assert sum(w.size for w in own.weights.values()) == count_weights(own.__class__.__name__, TASK.features, own.units)
    assert count_weights(own.__class__.__name__, TASK.features, own.units) <= most
    assert count_weights(own.__class__.__name__, TASK.features, own.units + 1) > most


@pytest.mark.parametrize("features", [task(10).features for task in TASKS.values()])
def test_at_the_study_s_size_all_have_weights_within_five_percent(features):
    most = count_weights("LSTM", features, Settings().units)
    assert all(count_weights(kind, features, units_of(kind, features, 16)) > 0.94 * most for kind in PARTS)


@pytest.mark.parametrize("cell", ENGINE)
def test_recurrent_kernels_begin_orthogonal(cell):
    U = layer(cell).weights["recurrent_kernel"].astype(float)
    np.testing.assert_allclose(U @ U.T, np.eye(len(U)), atol=1e-6)  # float32's rounding


def test_forget_gates_begin_as_the_cell_s_name_says():
    np.testing.assert_array_equal(layer("lstm0").weights["bias"], np.zeros(16))
    np.testing.assert_array_equal(layer("lstm1").weights["bias"], [0] * 4 + [1] * 4 + [0] * 8)
    drawn = chrono_bias(4, 50, np.random.default_rng([3, 1])).astype("float32")
    np.testing.assert_array_equal(layer("chrono", seed=3, lag=50).weights["bias"], drawn)


def test_lstms_of_a_seed_differ_in_their_biases_alone():
    for name in ("kernel", "recurrent_kernel"):
        one, two, three = (layer(cell).weights[name] for cell in ("lstm0", "lstm1", "chrono"))
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)


def test_the_lstm_with_peepholes_begins_as_the_one_without_and_has_three_more_weights_a_unit():
    settings, drawn = Settings(), TASK.draw(32, np.random.default_rng(0))
    one, two = (CELLS[cell].network(TASK, 10, settings, 0.01, 3) for cell in ("lstm1", "peephole"))
    np.testing.assert_allclose(two.answer(drawn), one.answer(drawn), atol=2e-6)  # float32's rounding over ten steps
    assert two.count_params() == one.count_params() + 3 * settings.units
    one.learn(drawn)
    two.learn(drawn)
    assert np.any(two.cell_weights["p"])
