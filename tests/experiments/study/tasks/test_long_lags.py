"""Long lags: experiments 2a to 2c of Hochreiter & Schmidhuber 1997, section 5.2."""

import numpy as np
import pytest

from experiments.study.tasks.long_lags import LongLag, VeryLongLag


def test_2a_is_one_of_two_sequences_that_end_as_they_began():
    drawn = LongLag(10).draw(200, np.random.default_rng(0))
    seen = {(*x.argmax(1), y[-1].argmax()) for x, y in zip(drawn.x, drawn.y, strict=True)}
    assert seen == {(k, *range(9), k) for k in (9, 10)}
    np.testing.assert_array_equal(drawn.y[:, :-1], drawn.x[:, 1:])
    assert drawn.x.shape == (200, 10, 11)


def test_2b_has_random_symbols_between():
    drawn = LongLag(10, regular=False).draw(400, np.random.default_rng(0))
    symbols = drawn.x.argmax(2)
    np.testing.assert_array_equal(drawn.y[:, -1].argmax(1), symbols[:, 0])
    assert set(symbols[:, 0]) == {9, 10}
    assert all(set(symbols[:, t]) == set(range(9)) for t in range(1, 10))


def test_only_the_last_step_counts_and_every_output_of_it():
    task = LongLag(10)
    drawn = task.draw(3, np.random.default_rng(0))
    p = drawn.y.copy()
    p[0, :-1] = 0.5
    p[1, -1, 0] = 0.26
    p[2, -1] += 0.24
    np.testing.assert_array_equal(task.right(p, drawn), [True, False, True])


def test_2c_has_b_then_x_or_y_then_q_or_more_distractors_then_e():
    q, p, n = 20, 6, 4000
    drawn = VeryLongLag(q, p).draw(n, np.random.default_rng(0))
    assert drawn.x.shape[2] == p + 4
    symbols, lengths = drawn.x.argmax(2), drawn.lengths
    assert (symbols[:, 0] == p + 1).all()  # b
    np.testing.assert_array_equal(symbols[:, 1], p + 2 + drawn.y.argmax(1))  # x or y, which is the answer
    assert set(drawn.y.argmax(1)) == {0, 1}
    assert (symbols[np.arange(n), lengths - 1] == p).all()  # e
    for row, length in zip(symbols, lengths, strict=True):
        assert (row[2 : length - 1] < p).all()
    more = lengths - 3 - q
    assert more.min() == 0
    assert more.mean() == pytest.approx(9, abs=4 * np.sqrt(90 / n))  # geometric: mean 9, variance .9 / .01


def test_right_in_2c_is_within_a_fifth():
    drawn = VeryLongLag(20, 6).draw(2, np.random.default_rng(0))
    p = drawn.y + np.array([[0.19, 0.0], [0.21, 0.0]], "float32")
    np.testing.assert_array_equal(VeryLongLag(20, 6).right(p, drawn), [True, False])


def test_a_lag_of_nothing_is_refused():
    with pytest.raises(ValueError, match="p must be 2 or more, so that something lies between the two ends, got 1"):
        LongLag(1)
