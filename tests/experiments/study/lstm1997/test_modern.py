"""The network of today in the study: it learns as `train_on_batch` does, and its forget gates start by the lag."""

import numpy as np
import pytest

from experiments.study.lstm1997.modern import Modern, chrono_bias
from experiments.study.tasks.adding import Adding
from experiments.study.tasks.reber import EmbeddedReber


@pytest.mark.parametrize("task", [Adding(24), EmbeddedReber()], ids=["at the end", "at every step"])
def test_learning_answers_first_and_then_does_what_train_on_batch_does(task):
    settings, drawn = Modern(memory=20, units=4), task.draw(4, np.random.default_rng(0))
    own, other = (settings.network(task, seed=1) for _ in range(2))
    for _ in range(3):  # the optimizer's moments too
        before = other.model(drawn.x, training=True, mask=drawn.mask)
        np.testing.assert_array_equal(own.learn(drawn), before)
        other.model.train_on_batch(drawn.x, drawn.y, mask=drawn.mask)
    for a, b in zip(own.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_answers_do_not_depend_on_how_many_are_asked_together():
    task = Adding(24)
    net, drawn = Modern(memory=24, units=4).network(task, 0), task.draw(300, np.random.default_rng(0))  # two parts
    alone = np.concatenate([net.answer(drawn.take(slice(k, k + 1))) for k in range(250, 262)])
    np.testing.assert_allclose(net.answer(drawn)[250:262], alone, rtol=0, atol=1e-6)  # float32's products


def test_forget_gates_keep_for_every_lag_up_to_the_longest():
    b = chrono_bias(20_000, 100, np.random.default_rng(0))
    b_i, b_f, rest = b[:20_000], b[20_000:40_000], b[40_000:]
    np.testing.assert_array_equal(b_i, -b_f)
    assert not rest.any()
    lag = np.exp(b_f)  # even from 1 to 99
    assert 1 <= lag.min() < 1.1
    assert 98.9 < lag.max() <= 99
    assert lag.mean() == pytest.approx(50, abs=4 * 98 / np.sqrt(12 * 20_000))


def test_the_network_starts_with_these_biases_or_with_the_one_given():
    task = Adding(24)
    bias = Modern(memory=24, units=4).network(task, 3).model.layers[0].weights["bias"]
    np.testing.assert_array_equal(bias, chrono_bias(4, 24, np.random.default_rng([3, 1])).astype("float32"))
    given = Modern(memory=24, units=4, forget_bias=1.0).network(task, 3).model.layers[0].weights["bias"]
    np.testing.assert_array_equal(given, [0] * 4 + [1] * 4 + [0] * 8)


@pytest.mark.parametrize("bias", [np.nan, np.inf, -np.inf])
def test_a_bias_that_is_not_finite_is_refused(bias):
    with pytest.raises(ValueError, match=f"must be a finite number, got {bias}"):
        Modern(memory=24, forget_bias=bias)


def test_the_rate_is_halved_every_so_many_sequences():
    net = Modern(memory=24, batch_size=5, learning_rate=0.02, halved_every=100).network(Adding(24), 0)
    net.model.optimizer.iterations = 40  # 200 sequences
    assert net.model.optimizer.learning_rate == pytest.approx(0.005)
