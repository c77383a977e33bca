"""What the lesson says of the two networks and of the unit that keeps the number holds, and its exercises' answers."""

import numpy as np
import pytest

import lstm_engine as le


def left(f, words):
    return f**words


def probability(p):
    return np.prod(p)


@pytest.fixture(scope="module")
def words(lesson):
    return lesson(7, answer_1=left, answer_2=probability)


def test_the_verb_follows_the_first_noun_and_nothing_between_tells_its_number(words):
    rng = np.random.default_rng(0)
    assert words["sentence"](rng, 3, 0)[12:] == ["flaps", "its", "wings", "it", "flies", "."]
    assert words["sentence"](rng, 3, 1)[12:] == ["flap", "their", "wings", "they", "fly", "."]
    one, many = words["drawn"](0, 3, 5)
    assert (one[:, 2] != many[:, 2]).all()
    np.testing.assert_array_equal(one[:, 3:12], many[:, 3:12])


def test_the_lstm_learns_what_stands_far_back_and_the_simple_rnn_does_not(words):
    """One half is guessing, and a network that guesses one form alone gets exactly that."""
    assert min(words["far"]["LSTM"]) > 0.95
    assert words["far"]["SimpleRNN"][0] > 0.95
    assert words["far"]["SimpleRNN"][-1] < 0.75


def test_of_both_verbs_the_lstm_knows_which_and_the_simple_rnn_does_not(words):
    """Log-odds after two phrases: far apart by the number, or nearly the same (a factor of two)."""
    one, many = words["log_odds"](words["mixed"]["LSTM"], 2)
    assert (many - one).min() > np.log(20)
    one, many = words["log_odds"](words["mixed"]["SimpleRNN"], 2)
    assert np.abs(many - one).max() < np.log(2)


def test_a_simple_rnn_can_keep_the_number_when_short_sentences_teach_it(words):
    """The words that the lesson asks the reader to try."""
    assert words["right"](words["learned"](le.SimpleRNN, range(5), 600, 0.01), 6) > 0.95


def test_one_unit_keeps_the_number_by_its_forget_gate(words):
    """Without it the verb is a guess; it keeps what it holds far longer than the median unit."""
    right = words["right"]
    assert right(words["lstm"], 4) > 0.95
    assert words["without"] < 0.75
    assert words["lost"].argmax() == words["keeper"]
    assert words["life"][words["keeper"]] > 10 * np.median(words["life"])


def test_the_right_answers_are_right(words):
    assert (words["check_1"].state, words["check_2"].state) == ("right", "right")


def test_misconceptions_are_wrong(lesson):
    """That a gate takes the same amount off at each word, and that a sentence is as probable as its words are on average."""
    answered = lesson(7, answer_1=lambda f, words: 1 - (1 - f) * words, answer_2=np.mean)
    assert (answered["check_1"].state, answered["check_2"].state) == ("wrong", "wrong")
