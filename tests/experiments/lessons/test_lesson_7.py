"""What the lesson says of the two networks and of the unit that keeps the number holds, and its exercises' answers."""

import numpy as np
import pytest

from experiments.lessons.solutions import lesson_7 as solution
from experiments.lessons.words import OTHERS, TESTS, WORDS, drawn, log_odds, right, sentence

pytestmark = pytest.mark.slow  # it trains its networks


@pytest.fixture(scope="module")
def words(lesson):
    return lesson(7, answer_1=solution.answer_1, answer_2=solution.answer_2)


def test_the_verb_follows_the_first_noun_and_nothing_between_tells_its_number():
    rng = np.random.default_rng(0)
    assert sentence(rng, 3, 0)[12:] == ["flaps", "its", "wings", "it", "flies", "."]
    assert sentence(rng, 3, 1)[12:] == ["flap", "their", "wings", "they", "fly", "."]
    one, many = drawn(0, 3, 5)
    assert (one[:, 2] != many[:, 2]).all()
    np.testing.assert_array_equal(one[:, 3:12], many[:, 3:12])


@pytest.mark.parametrize("phrases", [1, 2, 3, 6])
def test_no_tested_sentence_is_in_training(phrases):
    """What `learned` draws its batches from is drawn(0, ...); every word of the tests stands there all the same."""
    training = np.concatenate(drawn(0, phrases, 2000))
    there = {tuple(n) for n in training}
    assert not any(tuple(n) in there for n in np.concatenate(TESTS[phrases]))
    assert set(np.unique(TESTS[phrases])) <= set(np.unique(training))
    assert {WORDS[n] for n in TESTS[phrases][..., 5].flat} == {word for pair in OTHERS for word in pair}


def test_the_lstm_learns_what_stands_far_back_and_the_simple_rnn_does_not(words):
    """One half is guessing, and who guesses one form alone gets exactly that. Chance may spoil one LSTM of three."""
    assert np.median(words["far"]["LSTM"], axis=1).min() > 0.95
    assert words["far"]["SimpleRNN"][0].min() > 0.95
    assert words["far"]["SimpleRNN"][-1].max() < 0.65


def test_a_simple_rnn_can_keep_the_number_when_short_sentences_teach_it(words):
    for model in words["mixed"].values():
        assert right(model, 6) > 0.95


def test_the_gradient_at_the_start_does_not_decide_who_learns_but_the_lstm_learns_to_reach_further(words):
    at = words["at_noun"]
    assert at["SimpleRNN, untrained"] > 10 * at["LSTM, untrained"]
    assert at["LSTM, trained"] > 10 * at["LSTM, untrained"]
    assert all(curve[0] == 1 for curve in words["reached"].values())


def test_one_unit_keeps_the_number_by_its_forget_gate(words):
    """Without it the verb is a guess; it keeps what it holds far longer than the median unit."""
    assert right(words["lstm"], 4) > 0.95
    assert words["without"] < 0.75
    assert words["lost"].argmax() == words["keeper"]
    assert words["life"][words["keeper"]] > 10 * np.median(words["life"])
    one, many = log_odds(words["lstm"], 2)
    assert (many - one).min() > np.log(20)


def test_the_right_answers_are_right(words):
    assert (words["check_1"].state, words["check_2"].state) == ("right", "right")


def test_misconceptions_are_wrong(lesson, words):
    """That the unit with the largest cell keeps the number, and that what a unit says of many alone is what parts them."""
    answered = lesson(
        7,
        answer_1=lambda c: np.abs(c[:, -1]).sum(axis=0).argmax(),
        answer_2=lambda h, W: h[1] * (W[:, 1] - W[:, 0]),
        **{name: words[name] for name in ("trained", "far", "mixed")},  # not trained again
    )
    assert (answered["check_1"].state, answered["check_2"].state) == ("wrong", "wrong")
