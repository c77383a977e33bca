"""The word after It: a toy grammar, whose answer is the verb of its first noun."""

import re

import numpy as np
import pytest

from experiments.study.tasks.delayed_reference import NOUNS, SAYS, VERBS, DelayedReference, text

N = 2000
NOUN = "(bird|dog|plane|ship)"
PHRASE = f"(near|under|behind|above) a (small|red|old|quiet) {NOUN}"


@pytest.mark.parametrize("lag", [5, 15])
def test_a_sentence_is_a_noun_phrases_and_It(lag):
    drawn = DelayedReference(lag).draw(200, np.random.default_rng(0))
    sentence = re.compile(rf"{NOUN} ({PHRASE} and ){{{lag // 5 - 1}}}{PHRASE} \. It")
    assert all(sentence.fullmatch(text(x)) for x in drawn.x)
    assert set(drawn.lengths) == {lag + 2}


def test_the_answer_is_the_verb_of_the_first_noun():
    drawn = DelayedReference(10).draw(200, np.random.default_rng(0))
    for x, y in zip(drawn.x, drawn.y, strict=True):
        assert VERBS[y.argmax()] == SAYS[text(x).split()[0]]
    assert (drawn.y.sum(axis=1) == 1).all()


def test_no_other_noun_tells_the_subject():
    """Every noun behind is as likely after any subject: the answer is in the first word alone."""
    drawn = DelayedReference(10).draw(N, np.random.default_rng(0))
    words = drawn.x.argmax(axis=-1)
    for place in (4, 9):  # the nouns of both phrases
        counts = np.histogram2d(words[:, 0], words[:, place], bins=[range(5), range(5)])[0]
        assert np.abs(counts - N / 16).max() < 4 * np.sqrt(N / 16 * 15 / 16)
    assert len(NOUNS) == 4


def test_right_needs_every_output_within_three_tenths():
    task = DelayedReference(5)
    drawn = task.draw(2, np.random.default_rng(0))
    p = drawn.y.copy()
    p[1] = 0.69 * p[1]
    np.testing.assert_array_equal(task.right(p, drawn), [True, False])


@pytest.mark.parametrize("lag", [0, 3, 12])
def test_a_lag_that_no_phrases_fill_is_refused(lag):
    with pytest.raises(ValueError, match=f"the lag must be 5, 10, ..., got {lag}"):
        DelayedReference(lag)
