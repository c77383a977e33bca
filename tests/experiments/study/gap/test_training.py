"""A training learns, asks whom it should ask and nobody else, and says how much of the gradient arrives."""

import numpy as np
import pytest

from experiments.study.gap import training
from experiments.study.gap.settings import CELLS, Settings
from experiments.study.gap.training import arrival, arriving, final, trial
from experiments.study.tasks.late_digits import Condition, late_digits

SMALL = Settings(units=6, sequences=320, halved_every=160, quietest=0.1, traced=4)


# -- a training --------------------------------------------------------------------------------------------------------


@pytest.mark.slow  # 400 steps
def test_a_digit_is_learnt_through_a_silence(digit_corpus):
    settings = Settings(units=12, sequences=6_400, halved_every=3_200, quietest=0.1)
    result = final(str(digit_corpus), "gru-chrono", Condition(gap=8), settings, 0.03, 0)
    assert result["accuracy"] > 0.8
    assert result["accuracy"] == result["right"].count("1") / 80
    assert result["weights"] == 3 * 12 * (3 + 12 + 2) + 13 * 10
    assert result["seconds"] > 0


def test_a_seed_gives_one_training_and_another_one_another(digit_corpus):
    def once(seed):
        return trial(str(digit_corpus), "lstm1", Condition(), SMALL, 0.03, seed)["right"]

    assert once(1) == once(1) != once(2)


def test_a_rate_is_tried_without_the_test_speakers(digit_corpus, other_test_speakers):
    def right(folder):
        return trial(str(folder), "lstm1", Condition(3), SMALL, 0.03, 1)["right"]

    assert right(digit_corpus) == right(other_test_speakers)


def test_a_rate_is_tried_on_speakers_that_it_was_not_learnt_from(digit_corpus, monkeypatch):
    seen = []
    monkeypatch.setattr(training, "_training", lambda learn, ask, *rest: seen.append((learn, ask)))
    for seed in (100, 101):
        trial(str(digit_corpus), "lstm1", Condition(), SMALL, 0.03, seed)
    final(str(digit_corpus), "lstm1", Condition(), SMALL, 0.03, 0)
    *trials, (learn, ask) = [(set(a.speakers), set(b.speakers)) for a, b in seen]
    everyone = {f"s{n:02}" for n in range(10)}
    assert all(a | b == everyone and not a & b for a, b in trials)
    assert trials[0] != trials[1]  # each seed holds out speakers of its own
    assert learn == everyone
    assert ask == {f"s{n:02}" for n in range(10, 14)}


def test_answers_come_in_the_clips_order_however_many_are_asked_together(sides, monkeypatch):
    learnt, asked = late_digits(*sides, quietest=0.1)
    network = CELLS["gru-chrono"].network(learnt, SMALL, 0.03, 0)
    for _ in range(20):
        network.learn(learnt.draw(16, np.random.default_rng(0)))
    together = training.answers(network, asked, np.random.default_rng(0))
    monkeypatch.setattr(training, "AT_ONCE", 7)
    np.testing.assert_array_equal(training.answers(network, asked, np.random.default_rng(0)), together)
    assert 0 < together.sum() < len(asked) == len(together)


# -- the gradient that arrives -----------------------------------------------------------------------------------------


def still(sides, cell, gap, bias=None):
    """A network that hears nothing, and whose gates hear not even its own state; and its task."""
    learnt, _ = late_digits(*sides, Condition(gap), 0.1)
    network = CELLS[cell].network(learnt, SMALL, 0.03, 0)
    weights = network.model.layers[0].weights
    weights["kernel"][:] = 0
    if cell != "rnn":
        weights["recurrent_kernel"][:] = 0
    return network, learnt, weights["bias"]


def test_an_lstm_that_hears_nothing_passes_on_what_its_forget_gates_keep(sides):
    network, learnt, bias = still(sides, "lstm1", 20)
    bias[12:18] = 0.5  # i f g o are 0, 1, .5, 0
    shares = arriving(network, learnt, 4, np.random.default_rng(0))
    np.testing.assert_allclose(shares, (1 / (1 + np.exp(-1.0))) ** 20, rtol=1e-10)


def test_a_gru_that_hears_nothing_passes_on_what_its_update_gates_keep(sides):
    network, learnt, bias = still(sides, "gru", 20)
    bias[0, :6] = 2.0
    shares = arriving(network, learnt, 4, np.random.default_rng(0))
    np.testing.assert_allclose(shares, (1 / (1 + np.exp(-2.0))) ** 20, rtol=1e-10)


def test_an_orthogonal_simple_rnn_at_rest_passes_on_all(sides):
    network, learnt, _ = still(sides, "rnn", 20)
    shares = arriving(network, learnt, 4, np.random.default_rng(0))
    np.testing.assert_allclose(shares, 1.0, rtol=1e-5)  # U is orthogonal to float32's 1e-7, twenty times over


def test_what_is_too_small_for_a_number_is_counted_as_the_smallest(sides):
    network, learnt, bias = still(sides, "lstm0", 400)
    bias[6:12] = -5.0  # f = .0067: .0067 ** 400 is 1e-870
    assert arriving(network, learnt, 4, np.random.default_rng(0)).tolist() == [np.finfo(float).tiny] * 4


def test_the_arrival_is_a_power_of_ten_and_needs_no_test_speaker(digit_corpus, other_test_speakers):
    near, far = (arrival(str(digit_corpus), "lstm1", Condition(gap), SMALL, 0) for gap in (0, 10))
    assert near["log10"] == pytest.approx(0.0, abs=1e-12)  # the word's last frame is the decision
    assert -3 < far["log10"] < -0.5  # .73 ** 10 is -1.4, and the gates move
    assert (far["cell"], far["gap"]) == ("lstm1", 10)
    assert arrival(str(other_test_speakers), "lstm1", Condition(10), SMALL, 0)["log10"] == far["log10"]
