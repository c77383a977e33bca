"""A word, its silence, and then the question: nothing lost, nothing in between, nothing that tells the digit."""

import numpy as np
import pytest

from experiments.study.gap.settings import Settings
from experiments.study.tasks.late_digits import Condition, late_digits

QUIETEST = 0.1


@pytest.fixture
def learnt(sides):
    """The training speakers' words, each before five silent frames."""
    return late_digits(*sides, Condition(gap=5), QUIETEST)[0]


def silences(drawn, gap):
    """(N, gap, D): the last frames of each sequence."""
    return np.stack([x[end - gap : end] for x, end in zip(drawn.x, drawn.lengths, strict=True)])


def test_a_sequence_is_the_word_then_the_silence_then_nothing(learnt):
    rows = np.arange(20)
    drawn = learnt.sequences(rows, np.random.default_rng(0))
    for x, mask, n in zip(drawn.x, drawn.mask, rows, strict=True):
        word = learnt.words[n]
        np.testing.assert_array_equal(x[: len(word)], word)
        assert mask.sum() == len(word) + 5
        assert not x[~mask].any()
    assert drawn.y.argmax(axis=1).tolist() == learnt.digits[rows].tolist()
    assert drawn.x.shape[1] == max(len(learnt.words[n]) for n in rows) + 5


def test_words_are_standardised_and_otherwise_as_they_were(sides):
    learnt, asked = late_digits(*sides)
    frames = np.concatenate(learnt.words)
    np.testing.assert_allclose(frames.mean(axis=0), 0, atol=1e-5)  # float32's means of a thousand frames
    np.testing.assert_allclose(frames.std(axis=0), 1, rtol=1e-5)
    raw = [np.concatenate(part.sequences) for part in sides]
    scaled = (raw[1] - raw[0].mean(axis=0)) / raw[0].std(axis=0)
    np.testing.assert_allclose(np.concatenate(asked.words), scaled, atol=1e-5)
    assert [len(word) for word in asked.words] == [len(x) for x in sides[1].sequences]


def test_silence_is_the_quietest_tenth_of_the_frames_learnt_from(sides, learnt):
    frames = np.concatenate(sides[0].sequences)
    louder = np.sort(frames[:, 0])[len(learnt.quiet)]
    assert len(learnt.quiet) == pytest.approx(0.1 * len(frames), abs=1)
    scaled = (frames - frames.mean(axis=0)) / frames.std(axis=0)
    np.testing.assert_allclose(learnt.quiet, scaled[frames[:, 0] < louder], atol=1e-5)  # float32
    drawn = silences(learnt.sequences(np.arange(40), np.random.default_rng(0)), 5).reshape(-1, 3)
    assert {tuple(frame) for frame in drawn} <= {tuple(frame) for frame in learnt.quiet}


def test_speakers_who_are_asked_have_no_part_in_scale_or_silence(sides):
    learn, ask = sides
    others = ask.take(np.arange(len(ask)))
    others.sequences[:] = [x - 1e3 for x in ask.sequences]
    one, other = late_digits(learn, ask, quietest=QUIETEST), late_digits(learn, others, quietest=QUIETEST)
    np.testing.assert_array_equal(one[0].quiet, other[0].quiet)
    np.testing.assert_array_equal(one[1].quiet, other[1].quiet)
    np.testing.assert_array_equal(np.concatenate(one[0].words), np.concatenate(other[0].words))


def test_the_silence_is_drawn_anew_for_each_sequence_and_does_not_depend_on_the_word(learnt):
    first = silences(learnt.sequences(np.arange(10), np.random.default_rng(3)), 5)
    other_words = silences(learnt.sequences(np.arange(40, 50), np.random.default_rng(3)), 5)
    np.testing.assert_array_equal(first, other_words)
    rng = np.random.default_rng(3)
    twice = [silences(learnt.sequences(np.arange(10), rng), 5) for _ in range(2)]
    assert (twice[0] != twice[1]).any(axis=(1, 2)).all()
    assert len({part.tobytes() for part in first}) == 10


def test_a_constant_silence_is_the_mean_of_the_quiet_frames(sides, learnt):
    constant = late_digits(*sides, Condition(gap=5), QUIETEST, "constant")[0]
    drawn = silences(constant.draw(8, np.random.default_rng(0)), 5)
    np.testing.assert_allclose(drawn, np.broadcast_to(learnt.quiet.mean(axis=0), drawn.shape), rtol=1e-6)
    with pytest.raises(ValueError, match="silence must be drawn or constant, got 'loud'"):
        Settings(silence="loud")


def test_a_word_is_turned_round_or_cut(learnt):
    word = np.arange(6.0)[:, None]
    assert Condition(turned=True).altered(word).ravel().tolist() == [5, 4, 3, 2, 1, 0]
    assert Condition(first=4).altered(word).ravel().tolist() == [0, 1, 2, 3]
    assert Condition(first=10).altered(word).ravel().tolist() == word.ravel().tolist()
    assert Condition(gap=7).altered(word).ravel().tolist() == word.ravel().tolist()


def test_conditions_have_names_of_their_own():
    conditions = [Condition(), Condition(10), Condition(turned=True), Condition(first=10)]
    assert [c.key for c in conditions] == ["gap0", "gap10", "reversed", "first10"]
    assert [c.words for c in conditions] == [
        "as spoken", "10 frames of silence", "reversed in time", "the first 10 frames",
    ]  # fmt: skip


def test_an_answer_is_right_when_its_digit_is_the_likeliest(learnt):
    drawn = learnt.sequences(np.arange(3), np.random.default_rng(0))  # digits 0, 1, 2
    p = np.full((3, 10), 0.05)
    p[[0, 1, 2], [0, 7, 2]] = 0.5
    assert learnt.right(p, drawn).tolist() == [True, False, True]
