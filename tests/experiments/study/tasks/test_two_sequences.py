"""Two sequences: experiment 3 of Hochreiter & Schmidhuber 1997, section 5.3."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.study.goals import errors
from experiments.study.seeds import digest_of_task
from experiments.study.tasks.two_sequences import NoisyTargets, TwoSequences


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


def test_noisy_targets_lie_about_a_fifth_for_plus_one_and_four_fifths_for_minus_one():
    n = 4000
    task = NoisyTargets(50, 3)
    drawn = task.draw(n, np.random.default_rng(0))
    plus = drawn.x[:, 0, 0] == 1
    np.testing.assert_array_equal(drawn.expected[:, 0], np.where(plus, 0.2, 0.8).astype("float32"))
    assert set(drawn.x[:, 0, 0]) == {-1.0, 1.0}  # as in 3a, the elements themselves are not noisy
    noise = drawn.y - drawn.expected
    assert abs(noise.mean()) < 4 * np.sqrt(0.1 / n)
    assert noise.var() == pytest.approx(0.1, rel=4 * np.sqrt(2 / n))


def test_noisy_targets_are_judged_by_what_is_expected():
    task = NoisyTargets(50, 3)
    drawn = task.draw(4, np.random.default_rng(0))
    p = drawn.expected + np.array([[0.0], [0.09], [-0.11], [0.11]])
    np.testing.assert_array_equal(task.right(p, drawn), [True, True, False, False])
    np.testing.assert_allclose(errors(p, drawn), [0, 0.09, 0.11, 0.11], atol=1e-7)
    part = drawn.take(slice(2, 4))
    np.testing.assert_array_equal(part.expected, drawn.expected[2:])
    np.testing.assert_array_equal(task.right(p[2:], part), [False, False])


def test_what_is_expected_is_part_of_a_task_s_digest(monkeypatch):
    before = digest_of_task(NoisyTargets(50, 3))
    original = NoisyTargets.draw

    def otherwise(self, n, rng):
        drawn = original(self, n, rng)
        return replace(drawn, expected=drawn.expected + np.float32(0.01))

    monkeypatch.setattr(NoisyTargets, "draw", otherwise)
    assert digest_of_task(NoisyTargets(50, 3)) != before
