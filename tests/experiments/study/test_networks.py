"""The engine's networks in a study: they learn as `train_on_batch` does, and gates may start by the lag."""

import numpy as np
import pytest

import lstm_engine as le
from experiments.study.networks import EngineNetwork, Learning, chrono_bias, chrono_update_bias
from experiments.study.tasks.adding import Adding
from experiments.study.tasks.reber import EmbeddedReber


def network(task, layer=le.LSTM, seed=1):
    return EngineNetwork(layer(4, return_sequences=task.per_step), task, Learning(), seed)


@pytest.mark.parametrize("layer", [le.LSTM, le.GRU, le.SimpleRNN])
@pytest.mark.parametrize("task", [Adding(24), EmbeddedReber()], ids=["at the end", "at every step"])
def test_learning_answers_first_and_then_does_what_train_on_batch_does(task, layer):
    drawn = task.draw(4, np.random.default_rng(0))
    own, other = (network(task, layer) for _ in range(2))
    for _ in range(3):  # the optimizer's moments too
        before = other.model(drawn.x, training=True, mask=drawn.mask)
        np.testing.assert_array_equal(own.learn(drawn), before)
        other.model.train_on_batch(drawn.x, drawn.y, mask=drawn.mask)
    for a, b in zip(own.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_answers_do_not_depend_on_how_many_are_asked_together():
    task = Adding(24)
    net, drawn = network(task), task.draw(300, np.random.default_rng(0))  # two parts
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


def test_update_gates_keep_for_every_lag_up_to_the_longest():
    """Without input and recurrence ĥ = 0, and h decays by z = u / (1 + u) a step."""
    gru, b = le.GRU(50, return_sequences=True), chrono_update_bias(50, 100, np.random.default_rng(0))
    le.Sequential([le.Input((None, 1)), gru], dtype="float64", backend="numpy")
    for w in gru.weights.values():
        w[:] = 0
    gru.weights["bias"][:] = b
    u = np.exp(b[0, :50])
    assert 1 <= u.min() < 10
    assert 90 < u.max() <= 99
    h = gru(np.zeros((1, 30, 1)), initial_state=np.ones((1, 50)))[0]  # (T, H)
    np.testing.assert_allclose(h, (u / (1 + u)) ** np.arange(1, 31)[:, None], rtol=1e-12)


def test_the_rate_is_halved_every_so_many_sequences():
    optimizer = Learning(batch_size=5, rate=0.02, halved_every=100).optimizer()
    optimizer.iterations = 40  # 200 sequences
    assert optimizer.learning_rate == pytest.approx(0.005)
