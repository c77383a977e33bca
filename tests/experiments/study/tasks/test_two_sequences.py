"""Two sequences: experiment 3 of Hochreiter & Schmidhuber 1997, section 5.3."""

import numpy as np
import pytest

from experiments.study.tasks.two_sequences import TwoSequences


@pytest.mark.parametrize("noisy", [False, True])
def test_the_first_elements_are_the_class_and_the_rest_is_noise(noisy):
    n = 2000
    drawn = TwoSequences(50, 3, noisy).draw(n, np.random.default_rng(0))
    x, sign = drawn.x[..., 0], 2 * drawn.y - 1
    assert set(drawn.lengths) == set(range(50, 56))
    assert set(drawn.y[:, 0]) == {0.0, 1.0}
    rest = x[:, 3:50]
    assert abs(rest.mean()) < 4 * np.sqrt(0.2 / rest.size)
    assert rest.var() == pytest.approx(0.2, rel=4 * np.sqrt(2 / rest.size))
    first = x[:, :3] - sign
    if noisy:
        assert first.var() == pytest.approx(0.2, rel=4 * np.sqrt(2 / first.size))
    else:
        assert not first.any()
    assert not x[~drawn.mask].any()


def test_right_is_within_a_fifth():
    task = TwoSequences(50, 3)
    drawn = task.draw(2, np.random.default_rng(0))
    np.testing.assert_array_equal(task.right(drawn.y + np.array([[0.19], [-0.21]]), drawn), [True, False])


def test_no_first_element_is_refused():
    with pytest.raises(ValueError, match="N must be from 1 to below T = 50, got 0"):
        TwoSequences(50, 0)
