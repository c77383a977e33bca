"""Memory that comes late: outputs that hear the inputs beside the units, and at first the inputs alone."""

from dataclasses import replace

import numpy as np
import pytest

import lstm_engine as le
from experiments.study.goals import MostRecent
from experiments.study.lstm1997.experiments import SETUPS
from experiments.study.lstm1997.modern import BesideInput, HeadStart, Modern
from experiments.study.solving import solve
from experiments.study.tasks.long_lags import LongLag

TASK = LongLag(10)


def network(sequences=8, seed=0):
    return Modern(10, units=5, head_start=HeadStart(sequences)).network(TASK, seed)


def batches(count, seed=0):
    drawn = TASK.draw(4 * count, np.random.default_rng(seed))
    return [drawn.take(slice(4 * k, 4 * k + 4)) for k in range(count)]


def test_the_inputs_stand_beside_what_the_units_say():
    rng = np.random.default_rng(0)
    x, layer = rng.standard_normal((2, 6, 3)), BesideInput(le.LSTM(4, return_sequences=True))
    assert layer.build((6, 3), "float64", "numpy", rng) == (6, 7)
    both, _, _ = layer.forward(x)
    assert both.shape == (2, 6, 7)
    np.testing.assert_array_equal(both[..., :4], layer.layer(x))
    np.testing.assert_array_equal(both[..., 4:], x)


def test_its_gradients_are_the_complex_step_s():
    rng, layer = np.random.default_rng(0), BesideInput(le.LSTM(4, return_sequences=True))
    layer.build((6, 3), "float64", "numpy", rng)
    weights = {name: rng.standard_normal(w.shape) / np.sqrt(w.shape[0]) for name, w in layer.weights.items()}

    def forward(x, *given):
        layer.layer.weights = dict(zip(weights, given, strict=True))
        y, _, tape = layer.forward(x)
        return y, tape

    def backward(dy, tape):
        dx, _, gradients = layer.backward(tape, dy)
        return {"x": dx} | gradients

    inputs = {"x": rng.standard_normal((2, 6, 3))} | weights
    assert le.gradcheck_function(forward, backward, inputs, time_axis={"x": 1}).ok


def test_a_layer_that_answers_once_is_refused():
    with pytest.raises(ValueError, match="give the layer return_sequences=True"):
        BesideInput(le.LSTM(4))


def test_without_memory_an_answer_hangs_on_its_own_input():
    net, (batch, *more) = network(sequences=100), batches(4)
    for given in more:
        net.learn(given)
    other_past = np.concatenate([batch.x[:, 4::-1], batch.x[:, 5:]], axis=1)
    np.testing.assert_array_equal(net.answer(batch)[:, 5:], net.answer(replace(batch, x=other_past))[:, 5:])


def test_memory_comes_after_so_many_sequences_and_goes_on_from_what_was_learnt():
    net = network(sequences=8)
    one, two, three = batches(3)
    whole = net.whole.model.layers[-1].weights
    units_before = whole["kernel"][:5].copy()
    net.learn(one)
    net.learn(two)
    alone = net.now
    assert alone is not net.whole
    p = net.learn(three)
    assert net.now is net.whole
    h = alone.model.layers[-1].weights  # what a step from here changed is the whole network's alone
    lstm = Modern(10, units=5, head_start=HeadStart(8)).network(TASK, 0).whole.model.layers[0].layer
    z = lstm(three.x) @ units_before + three.x @ h["kernel"] + h["bias"]
    np.testing.assert_allclose(p, np.exp(z) / np.exp(z).sum(-1, keepdims=True), rtol=1e-5)  # float32


def test_the_network_of_the_paper_has_as_many_weights_beside_the_inputs():
    """Inputs to outputs; one cell and its input gate hear the inputs, and the outputs hear the cell: no biases."""
    for key in ("2a", "2b"):
        setup = next(s for s in SETUPS if s.key == key)
        D, K = setup.task.features, setup.task.outputs
        assert setup.paper.weights == D * K + 2 * D + K


def test_weights_are_counted_as_they_are_once_memory_is_there():
    D = TASK.features
    assert network().count_params() == 4 * 5 * (D + 5 + 1) + (5 + D + 1) * D


@pytest.mark.parametrize("head_start", [HeadStart(1_000), None], ids=["late", "from the start"])
def test_long_lags_between_regular_symbols_are_bridged_when_memory_comes_late(head_start):
    """The units are taken up by what the last symbol tells of the next one, unless that is learnt before they come."""
    task, goal = LongLag(40), MostRecent(200, leads=200)
    found = solve(Modern(40, units=8, head_start=head_start).network(task, 0), task, goal, 2_000, 0, tested=False)
    assert (found["sequences"] is not None) == (head_start is not None)
