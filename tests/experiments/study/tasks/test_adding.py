"""Adding and multiplication: lengths, marks and targets are those of Hochreiter & Schmidhuber 1997, sections 5.4 and 5.5."""

import numpy as np
import pytest

from experiments.study.seeds import digest_of_task
from experiments.study.tasks.adding import Adding, Multiplication

N = 4000


@pytest.fixture(scope="module")
def drawn():
    return Adding(100).draw(N, np.random.default_rng(0))


def last(drawn):
    """The index of every sequence's last pair."""
    return np.arange(len(drawn)), drawn.lengths - 1


def test_lengths_are_from_T_to_a_tenth_more_and_all_occur(drawn):
    assert set(drawn.lengths) == set(range(100, 111))
    assert drawn.x.shape == (N, 110, 2)
    assert drawn.x.dtype == drawn.y.dtype == np.float32


def test_first_and_last_pair_have_the_marker_minus_one_and_no_other(drawn):
    marker = drawn.x[..., 1]
    assert (marker[:, 0] == -1).all()
    assert (marker[last(drawn)] == -1).all()
    assert ((marker == -1).sum(axis=1) == 2).all()
    assert set(np.unique(marker)) == {-1.0, 0.0, 1.0}


def test_two_pairs_are_marked_one_of_the_first_ten_and_both_of_the_first_half(drawn):
    marked = drawn.x[..., 1] == 1
    there = marked.sum(axis=1)
    assert set(there) == {1, 2}  # 1 where the first pair was drawn, which keeps its -1
    places = [np.flatnonzero(row) for row in marked]
    assert all(p[0] < 10 for p, n in zip(places, there, strict=True) if n == 2)
    assert {p[-1] for p in places} >= {47, 48}
    assert max(p[-1] for p in places) == 48  # the last of the first T/2 - 1 = 49 pairs
    # The first mark falls on the first pair in 1 of 10; else the second does, in 1 of the 48 pairs left.
    assert np.mean(there == 1) == pytest.approx(0.1 + 0.9 / 48, abs=4 * np.sqrt(0.12 * 0.88 / N))


def test_the_target_is_the_marked_sum_scaled_and_a_first_pair_counts_as_zero(drawn):
    values, marker = drawn.x[..., 0].astype(float), drawn.x[..., 1]
    sums = (values * (marker == 1)).sum(axis=1)  # a first pair has the marker -1, so that nothing is added for it
    np.testing.assert_allclose(drawn.y[:, 0], 0.5 + sums / 4, atol=1e-6)  # float32's rounding of numbers up to 1


def test_numbers_fill_the_range(drawn):
    values = drawn.x[..., 0][drawn.mask]
    assert -1 <= values.min() < -0.99
    assert 0.99 < values.max() <= 1
    assert abs(values.mean()) < 4 * np.sqrt(1 / 3 / values.size)


def test_nothing_stands_behind_the_end(drawn):
    assert not drawn.x[~drawn.mask].any()


def test_an_answer_is_right_within_four_hundredths(drawn):
    some = drawn.take(slice(4))
    off = np.array([[0.0], [0.039], [0.041], [-0.041]], "float32")
    np.testing.assert_array_equal(Adding(100).right(some.y + off, some), [True, True, False, False])


def test_a_product_of_numbers_from_zero_to_one_and_a_first_pair_counts_as_one():
    drawn = Multiplication(100).draw(N, np.random.default_rng(1))
    values, marker = drawn.x[..., 0].astype(float), drawn.x[..., 1]
    assert values.min() >= 0
    products = np.where(marker == 1, values, 1.0).prod(axis=1)
    np.testing.assert_allclose(drawn.y[:, 0], products, atol=1e-6)


def test_the_same_generator_draws_the_same_and_another_one_others():
    a, b, c = (Adding(50).draw(5, np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(a.x, b.x)
    assert not np.array_equal(a.lengths, c.lengths) or not np.array_equal(a.x, c.x)


@pytest.mark.parametrize("T", [8, 10, 23])
def test_a_short_sequence_has_both_marks_in_its_first_half_too(T):
    marked = Adding(T).draw(N, np.random.default_rng(0)).x[..., 1] == 1
    assert set(marked.sum(axis=1)) == {1, 2}
    places = [np.flatnonzero(row) for row in marked]
    assert {p[-1] for p in places} == set(range(1, T // 2 - 1))  # up to the last of the first T/2 - 1 pairs


def test_sequences_are_those_that_results_were_made_from():
    """A generator that draws others would make every result of a study one of something else."""
    assert digest_of_task(Adding(24)) == "567eb35c477e"
    assert digest_of_task(Adding(100)) == "e720155ff28d"


def test_too_short_a_sequence_is_refused():
    with pytest.raises(ValueError, match="T must be 8 or more, got 7"):
        Adding(7)


def test_taken_rows_are_padded_to_their_own_longest(drawn):
    short = np.flatnonzero(drawn.lengths == 100)[:3]
    part = drawn.take(short)
    assert part.x.shape == (3, 100, 2)
    np.testing.assert_array_equal(part.x, drawn.x[short][:, :100])
    assert [len(x) for x in drawn.take(slice(5)).as_list()] == drawn.lengths[:5].tolist()
