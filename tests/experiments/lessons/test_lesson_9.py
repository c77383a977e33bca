"""What lesson 9 says of its network and of its tables of letters holds, and its exercises' answers."""

import numpy as np
import pytest

from experiments.lessons import letters
from experiments.lessons.solutions import lesson_9 as solution

TEXT = 'A goat sat. "I see," said she.\nNo? Yes.'


@pytest.fixture(scope="module")
def small():
    """A reader that has hardly learned: two layers of 6 units."""
    return letters.Learner(units=6, layers=2, window=50, epochs=1).reader()


@pytest.fixture(scope="module")
def tales(lesson):
    return lesson(9, answer_1=solution.answer_1, answer_2=solution.answer_2, answer_3=solution.answer_3)


def test_the_tales_have_the_promised_size_and_the_held_out_ones_no_letter_of_their_own():
    assert 25_000 < sum(map(len, letters.TOLD)) < 40_000
    assert set(letters.HELD_OUT) <= set(letters.LETTERS)
    assert letters.HELD_OUT not in letters.TRAINING
    assert not any(paragraph in letters.TRAINING for paragraph in letters.HELD_OUT.split("\n") if paragraph)


def test_streams_go_on_where_the_batch_before_ended():
    batches = letters.streams(np.arange(23), 2, 5)  # 3 are left over
    assert batches.tolist() == [[[0, 1, 2, 3, 4], [11, 12, 13, 14, 15]], [[5, 6, 7, 8, 9], [16, 17, 18, 19, 20]]]


def test_a_learner_predicts_the_letter_after_each():
    learner = letters.Learner(units=2, layers=1, window=10, epochs=1)
    np.testing.assert_array_equal(learner.x[:, :, 1:], learner.y[:, :, :-1])
    np.testing.assert_array_equal(learner.x[1:, :, 0], learner.y[:-1, :, -1])  # also across the windows


def test_a_table_of_one_letter_is_the_entropy_of_the_counts():
    n = letters.numbers(letters.TRAINING)
    p = (np.bincount(n) + 4 / len(letters.LETTERS)) / (len(n) + 4)
    assert letters.table_bits(1) == pytest.approx(-np.log2(p[letters.numbers(letters.HELD_OUT)[1:]]).mean(), rel=1e-12)


def test_a_table_of_a_text_that_it_knows_gets_better_with_every_letter():
    bits = [letters.table_bits(order, letters.TRAINING[:2000]) for order in range(1, 6)]
    assert bits == sorted(bits, reverse=True)
    assert bits[-1] < bits[1] / 2


@pytest.mark.parametrize(
    ("temperature", "expected"), [(1.0, [0.8, 0.2]), (0.5, [16 / 17, 1 / 17]), (2.0, [2 / 3, 1 / 3])]
)
def test_a_temperature_raises_the_probabilities_to_a_power(temperature, expected):
    np.testing.assert_allclose(letters.warmed(np.array([0.8, 0.2]), temperature), expected, rtol=1e-12)


def test_what_is_written_is_what_the_whole_network_finds_likely(small):
    """At a temperature near 0: the likeliest letter after all so far, as the network says that reads it in one go."""
    text = "The "
    for _ in range(5):
        p = small(letters.one_hot(letters.numbers(text))[None])[0, -1]
        text += letters.LETTERS[p.argmax()]
    assert letters.write(small, "The ", 5, temperature=1e-3) == text[4:]


def test_pieces_start_from_zeros(small):
    whole, pieces = letters.bits(small, TEXT), letters.bits(small, TEXT, restart=13)
    assert whole.shape == (len(TEXT) - 1,)
    np.testing.assert_allclose(pieces[0], whole[:13], rtol=1e-4)  # float32
    np.testing.assert_allclose(pieces[1], letters.bits(small, TEXT[13:27]), rtol=1e-4)


def test_unknown_words_are_found_and_cut_ones_do_not_count():
    assert letters.strange_words("the goatx sat") == [(4, 9)]
    assert letters.known("xx the goat goatx zz") == pytest.approx(2 / 3)


def test_a_speech_is_open_between_its_marks_and_words_and_sentences_are_counted():
    features = letters.features(TEXT)
    spoken = "".join(letter for letter, inside in zip(TEXT, features["whether somebody speaks"], strict=True) if inside)
    assert spoken == '"I see,'
    assert features["how long the word is so far"][:7].tolist() == [1, 0, 1, 2, 3, 4, 0]
    assert features["how long the sentence is so far"][TEXT.index(".") :][:3].tolist() == [0, 1, 2]
    assert features["how long the paragraph is so far"][TEXT.index("\n") + 2] == 2


def test_the_unit_that_follows_is_the_one_that_was_made_to():
    c = np.random.default_rng(0).standard_normal((len(TEXT), 5))
    c[:, 3] = -2 * letters.features(TEXT)["whether somebody speaks"] + 1
    assert letters.followers(c, TEXT)["whether somebody speaks"] == (3, pytest.approx(-1))


def test_what_the_next_letter_rests_on_is_the_slope_of_its_log_probability(small):
    twin, x = small.twin("float64"), letters.one_hot(letters.numbers("The fox")).astype(complex)
    n, slopes = letters.LETTERS.index("e"), np.zeros(x.shape)
    for t, d in np.ndindex(*x.shape):
        moved = x.copy()
        moved[t, d] += 1e-20j
        slopes[t, d] = np.log(twin.forward(moved[None])[0][0, -1, n]).imag / 1e-20
    np.testing.assert_allclose(letters.rests_on(small, "The fox", "e"), np.linalg.norm(slopes, axis=1), rtol=1e-9)


def test_a_reader_names_its_letters_for_inspect(small, tmp_path):
    import lstm_engine as le

    small.save(tmp_path / "tales.safetensors")
    assert le.load(tmp_path / "tales.safetensors").metadata["characters"] == letters.LETTERS


@pytest.mark.slow
def test_the_network_predicts_better_than_every_table(tales):
    assert tales["held_out"] < min(tales["tables"]) < tales["tables"][1]
    assert tales["held_out"] < 1.8


@pytest.mark.slow
def test_at_a_temperature_of_one_half_four_words_of_five_are_words(tales):
    assert letters.known(letters.write(tales["model"], "\n", 10_000, 0.5)) > 0.8


@pytest.mark.slow
def test_carried_state_helps_at_every_window_and_most_at_the_shortest(tales):
    better = {}
    for window in (10, 25, 50):
        carried, zeros = (tales["compared"][window, state] for state in (True, False))
        better[window] = letters.bits(zeros, restart=window).mean() - letters.bits(carried).mean()
    assert min(better.values()) > 0
    assert better[10] == max(better.values())


@pytest.mark.slow
def test_the_right_answers_are_right(tales):
    assert [tales[f"check_{n}"].state for n in (1, 2, 3)] == ["right", "right", "right"]


@pytest.mark.slow
def test_misconceptions_are_wrong(lesson, tales):
    """The power without the sum; a gradient of one window from any step; windows in a row instead of streams."""
    answered = lesson(
        9,
        answer_1=lambda p, temperature: p ** (1 / temperature),
        answer_2=lambda t, window: (t + 1, min(t + 1, window)),
        answer_3=lambda n, streams, window: n.reshape(-1, streams, window),
        **{name: tales[name] for name in ("learner", "model", "curves", "written", "compared")},  # not trained again
    )
    assert [answered[f"check_{n}"].state for n in (1, 2, 3)] == ["wrong", "wrong", "wrong"]
