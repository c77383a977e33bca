"""Balanced accuracy, its interval and the pitch threshold, against counts by hand and the exact binomial distribution."""

import json

import numpy as np
import pytest
from scipy.stats import binom

from experiments.scores import balanced_accuracy, balanced_accuracy_interval, best_threshold, classification


def test_balanced_accuracy_is_the_mean_of_the_two_recalls():
    y = np.array([1, 1, 1, 1, 0, 0])
    predicted = np.array([1, 1, 1, 0, 1, 0])
    assert balanced_accuracy(y, predicted) == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_guessing_the_larger_class_is_worth_a_half():
    y = np.array([1] * 99 + [0])
    assert balanced_accuracy(y, np.ones(100, int)) == 0.5


def test_the_interval_holds_the_middle_95_per_cent_of_the_exact_bootstrap_distribution():
    """With one row a speaker, a class's bootstrapped recall is binomial; the two are independent."""
    n, right, draws = {0: 20, 1: 15}, {0: 14, 1: 12}, 4000
    y = np.repeat([0, 1], [n[0], n[1]])
    predicted = np.concatenate([np.arange(n[k]) < right[k] for k in (0, 1)]) == y
    speakers = np.array([f"s{k}" for k in range(len(y))], object)
    assert ((predicted == y)[y == 0].sum(), (predicted == y)[y == 1].sum()) == (14, 12)
    low, high = balanced_accuracy_interval(y, predicted.astype(int), speakers, draws=draws)
    chance = np.outer(*(binom.pmf(np.arange(n[k] + 1), n[k], right[k] / n[k]) for k in (0, 1)))  # (21, 16)
    value = (np.arange(n[0] + 1)[:, None] / n[0] + np.arange(n[1] + 1) / n[1]) / 2  # (21, 16)
    drawn = 4 * np.sqrt(0.025 * 0.975 / draws)  # four standard errors of a share of the draws
    assert chance[value < low - 1e-9].sum() <= 0.025 + drawn
    assert chance[value <= low + 1e-9].sum() >= 0.025 - drawn
    assert chance[value > high + 1e-9].sum() <= 0.025 + drawn
    assert chance[value >= high - 1e-9].sum() >= 0.025 - drawn


def test_the_interval_counts_speakers_not_rows():
    """Ten rows alike of each speaker say no more than one; ten speakers of one row each say more."""
    y, predicted = np.repeat([0, 1], 10), np.array([0] * 7 + [1] * 3 + [1] * 8 + [0] * 2)
    speakers = np.array([f"s{k:02d}" for k in range(20)], object)
    once = balanced_accuracy_interval(y, predicted, speakers)
    tenfold = [np.repeat(a, 10) for a in (y, predicted, speakers)]
    assert balanced_accuracy_interval(*tenfold) == pytest.approx(once)
    nobody_known = balanced_accuracy_interval(*tenfold[:2], np.full(200, None, object))
    assert nobody_known[1] - nobody_known[0] < 0.5 * (once[1] - once[0])  # 1/√10 of it


def test_the_interval_of_the_flawless_is_a_point():
    y = np.array([0, 0, 1, 1])
    assert balanced_accuracy_interval(y, y, np.array(list("abcd"), object)) == (1.0, 1.0)


def test_one_speaker_of_a_sex_says_nothing_about_others():
    y, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    assert balanced_accuracy_interval(y, predicted, np.array(list("aabc"), object)) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("pitch", "y", "threshold", "reached"),
    [
        ([100, 120, 200, 220], [1, 1, 0, 0], 200, 1.0),
        ([100, 190, 180, 220], [1, 1, 0, 0], 180, 0.75),  # 180 parts {100} from the rest, 220 would part three
        ([200, 210, 100, 110], [1, 1, 0, 0], 100, 0.5),  # the wrong way round: no threshold beats a guess
    ],
)
def test_best_threshold_by_hand(pitch, y, threshold, reached):
    pitch, y = np.array(pitch, float), np.array(y)
    assert best_threshold(pitch, y) == threshold
    assert balanced_accuracy(y, (pitch < threshold).astype(int)) == reached


def test_no_threshold_between_the_values_is_better():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 50)
    pitch = rng.normal(200 - 60 * y, 30)

    def worth(t):
        return balanced_accuracy(y, (pitch < t).astype(int))

    assert worth(best_threshold(pitch, y)) == max(worth(t) for t in np.linspace(0, 400, 4001))


def test_classification_counts_by_hand():
    y, p = np.array([1, 1, 1, 0, 0]), np.array([0.9, 0.8, 0.4, 0.5, 0.6])
    speakers = np.array(["a", "a", "b", "c", "d"], object)
    result = classification(y, p, speakers)
    interval = result.pop("interval_95")
    assert json.loads(json.dumps(result)) == {
        "clips": 5,
        "speakers": 4,
        "accuracy": pytest.approx(3 / 5),  # 0.5 is not more than 0.5: female
        "balanced_accuracy": pytest.approx((2 / 3 + 1 / 2) / 2),
        "male_right": 2,
        "male": 3,
        "female_right": 1,
        "female": 2,
    }
    assert 0 <= interval[0] <= result["balanced_accuracy"] <= interval[1] <= 1


def test_one_speaker_unknown_makes_the_number_of_speakers_unknown():
    y = np.array([1, 0])
    assert classification(y, y / 1.0, np.array(["a", None], object))["speakers"] is None
