"""Recall: symbols, blanks, a cue, and the same symbols again."""

import numpy as np
import pytest

from experiments.study.tasks.recall import Recall

N = 2000


def test_symbols_come_first_then_blanks_then_the_cue():
    task = Recall(lag=7, shown=3, symbols=5)
    inputs = task.draw(N, np.random.default_rng(0)).x.argmax(axis=-1)  # (N, 3 + 7 + 1)
    assert inputs.shape == (N, 11)
    assert set(np.unique(inputs[:, :3])) == set(range(5))
    assert (inputs[:, 3:10] == 5).all()  # the blank
    assert (inputs[:, 10] == 6).all()  # the cue


def test_every_step_shows_one_symbol():
    drawn = Recall(lag=4).draw(N, np.random.default_rng(0))
    assert (drawn.x.sum(axis=-1) == 1).all()
    assert drawn.mask.all()
    assert drawn.x.dtype == drawn.y.dtype == np.float32


def test_the_answer_is_what_was_shown_in_its_order():
    task = Recall(lag=4, shown=3, symbols=5)
    drawn = task.draw(N, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn.y.reshape(N, 3, 5), drawn.x[:, :3, :5])


def test_symbols_are_drawn_evenly_and_each_on_its_own():
    shown = Recall(lag=4, shown=2, symbols=3).draw(N, np.random.default_rng(0)).y.reshape(N, 2, 3).argmax(axis=-1)
    counts = np.bincount(3 * shown[:, 0] + shown[:, 1], minlength=9)
    assert np.abs(counts - N / 9).max() < 4 * np.sqrt(N / 9 * 8 / 9)


def test_one_symbol_wrong_is_a_wrong_answer():
    task = Recall(lag=2, shown=2, symbols=3)
    drawn = task.draw(3, np.random.default_rng(0))
    p = drawn.y.copy()
    p[1, 3 + drawn.y[1, 3:].argmax()] = 0.69  # of the second symbol, .31 off
    p[2] = 0.29 + 0.42 * p[2]
    np.testing.assert_array_equal(task.right(p, drawn), [True, False, True])


@pytest.mark.parametrize("given", [{"lag": 0}, {"shown": 0}, {"symbols": 1}])
def test_what_cannot_be_recalled_is_refused(given):
    with pytest.raises(ValueError, match="a recall takes a lag of 1 or more"):
        Recall(**given)
