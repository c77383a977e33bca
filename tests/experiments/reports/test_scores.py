"""Balanced accuracy, its interval and the pitch threshold, against counts by hand and the exact binomial distribution."""

import json

import numpy as np
import pytest
from scipy.stats import binomtest, multinomial

from experiments.reports.scores import (
    balanced_accuracy,
    best_threshold,
    by_speaker,
    class_mean_interval,
    classification,
    share_interval,
)


def test_balanced_accuracy_is_the_mean_of_the_two_recalls():
    y = np.array([1, 1, 1, 1, 0, 0])
    predicted = np.array([1, 1, 1, 0, 1, 0])
    assert balanced_accuracy(y, predicted) == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_guessing_the_larger_class_is_worth_a_half():
    y = np.array([1] * 99 + [0])
    assert balanced_accuracy(y, np.ones(100, int)) == 0.5


def balanced_accuracy_interval(y, predicted, speakers, **options):
    return class_mean_interval((predicted == y).astype(float), y, speakers, **options)


def exact_recalls(n: int, right: int, unseen_right: float) -> tuple[np.ndarray, np.ndarray]:
    """(value, chance) of a class's bootstrapped recall: n + 1 drawn, of them `right` right, half an answer `unseen_right`."""
    counts = np.array([(r, n + 1 - r - u, u) for u in range(n + 2) for r in range(n + 2 - u)])  # right, wrong, unseen
    chance = multinomial.pmf(counts, n + 1, np.array([right, n - right, 1]) / (n + 1))
    r, _, u = counts.T
    return (r + u / 2 * unseen_right) / (n + 1 - u / 2), chance


@pytest.mark.parametrize(("end", "unseen_right", "tail"), [(0, 0.0, 0.025), (1, 1.0, 0.975)])
def test_an_end_is_the_quantile_of_the_exact_bootstrap_distribution(end, unseen_right, tail):
    """With one row a speaker a class's draw is multinomial, and the two classes are independent."""
    n, right, draws = {0: 20, 1: 15}, {0: 14, 1: 12}, 4000
    y = np.repeat([0, 1], [n[0], n[1]])
    predicted = np.where(np.concatenate([np.arange(n[k]) < right[k] for k in (0, 1)]), y, 1 - y)
    speakers = np.array([f"s{k}" for k in range(len(y))], object)
    found = balanced_accuracy_interval(y, predicted, speakers, draws=draws)[end]
    (v0, p0), (v1, p1) = (exact_recalls(n[k], right[k], unseen_right) for k in (0, 1))
    value, chance = (v0[:, None] + v1) / 2, np.outer(p0, p1)
    drawn = 4 * np.sqrt(0.025 * 0.975 / draws)  # four standard errors of a share of the draws
    assert chance[value < found - 1e-9].sum() <= tail + drawn
    assert chance[value <= found + 1e-9].sum() >= tail - drawn


def test_the_interval_counts_speakers_not_rows():
    """Ten rows alike of each speaker say no more than one; ten speakers of one row each say more."""
    y, predicted = np.repeat([0, 1], 10), np.array([0] * 7 + [1] * 3 + [1] * 8 + [0] * 2)
    speakers = np.array([f"s{k:02d}" for k in range(20)], object)
    once = balanced_accuracy_interval(y, predicted, speakers)
    tenfold = [np.repeat(a, 10) for a in (y, predicted, speakers)]
    assert balanced_accuracy_interval(*tenfold) == pytest.approx(once)
    nobody_known = balanced_accuracy_interval(*tenfold[:2], np.full(200, None, object))
    assert nobody_known[1] - nobody_known[0] < 0.5 * (once[1] - once[0])  # 1/√10 of it


def test_the_interval_of_the_flawless_leaves_room_for_an_error_not_seen():
    """Of 25 + 25 speakers all right: where the unseen half answers drawn weigh most, by the same exact chance."""
    y = np.repeat([0, 1], 25)
    low, high = balanced_accuracy_interval(y, y, np.array([f"s{k}" for k in range(50)], object), draws=20_000)
    value, chance = exact_recalls(25, 25, 0.0)
    both, p = ((value[:, None] + value) / 2).ravel(), np.outer(chance, chance).ravel()
    order = np.argsort(both)
    exact = both[order][np.searchsorted(np.cumsum(p[order]), 0.025)]
    assert low == pytest.approx(exact, abs=0.01)  # a unit of the sum is half an answer of 50, .01
    assert high == 1.0
    assert exact < 0.97


def test_the_unseen_weighs_as_the_errors_gather():
    """Of 20 speakers a sex with 50 rows, all of one speaker's rows wrong, or one row of each: 5 % and 2 % wrong. Where they
    gather the unseen half answer is 25 rows; where they are strewn it is half a row, four of which, as many as are drawn
    2.5 times of 100, move the end by 2/1000 and no more.
    """
    y, speakers = np.repeat([0, 1], 1000), np.repeat([f"s{k}" for k in range(40)], 50).astype(object)
    gathered, strewn = np.ones(2000), np.ones(2000)
    gathered[:50] = gathered[1000:1050] = 0.0
    strewn[::50] = 0.0
    assert class_mean_interval(strewn, y, speakers) == pytest.approx((0.98, 0.98), abs=0.0025)
    assert class_mean_interval(gathered, y, speakers)[0] < 0.9  # 3 of 20 + 1/2 speakers in one sex, 1 in the other


def test_one_speaker_of_a_sex_says_nothing_about_others():
    y, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    assert balanced_accuracy_interval(y, predicted, np.array(list("aabc"), object)) == (0.0, 1.0)


def test_a_paired_difference_knows_more_than_two_intervals():
    """Two classifiers wrong on the same hard speakers, one also on five of 40 more: the gap is 1/8 ± 4 standard errors."""
    y = np.repeat([0, 1], 40)
    a, b = np.ones(80), np.ones(80)
    a[:10] = a[40:50] = b[:15] = b[40:55] = 0.0  # both wrong on a quarter; b on another eighth
    speakers = np.array([f"s{k}" for k in range(80)], object)
    low, high = class_mean_interval(a - b, y, speakers, (-1.0, 1.0))
    spread = np.sqrt(1 / 8 * 7 / 8 / 80)  # of the mean of 80 values, 1 in an eighth of them and else 0
    assert low == pytest.approx(1 / 8 - 1.96 * spread, abs=0.02)
    assert high == pytest.approx(1 / 8 + 1.96 * spread, abs=0.02)
    ends = [class_mean_interval(v, y, speakers) for v in (a, b)]
    assert ends[0][0] < ends[1][1]  # each alone: they overlap
    assert low > 0


def test_the_difference_of_one_speaker_a_sex_is_anything():
    y = np.array([0, 0, 1, 1])
    assert class_mean_interval(np.zeros(4), y, np.array(list("aabb"), object), (-1.0, 1.0)) == (-1.0, 1.0)


@pytest.mark.parametrize(("right", "of"), [(0, 20), (7, 20), (20, 20), (1, 1)])
def test_a_share_has_scipys_wilson_interval(right, of):
    expected = binomtest(right, of).proportion_ci(method="wilson")
    assert share_interval(right, of) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_speakers_score_is_the_mean_of_the_speakers_rows():
    y = np.array([1, 0, 1, 1, 0, 0])
    scores = np.array([1.0, -2.0, 3.0, 5.0, 6.0, 7.0])
    labels, means, names = by_speaker(y, scores, np.array(["a", "b", "a", None, "b", None], object))
    assert labels.tolist() == [1, 0, 1, 0]
    assert means.tolist() == [2.0, 2.0, 5.0, 7.0]
    assert names.tolist() == ["a", "b", None, None]  # the unknown are one each


@pytest.mark.slow
def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Of 600 corpora of 40 speakers a sex, 6 clips each, whose ability varies (beta, mean .8): 95 % and hardly more, while
    an interval that draws clips is far too narrow.
    """
    rng = np.random.default_rng(0)
    y, speakers = np.repeat([0, 1], 240), np.repeat([f"s{k}" for k in range(80)], 6).astype(object)
    held = np.zeros(2)
    for _ in range(600):
        right = rng.random(480) < np.repeat(rng.beta(1.6, 0.4, 80), 6)
        for k, who in enumerate((speakers, np.full(480, None, object))):
            low, high = class_mean_interval(right.astype(float), y, who, draws=400)
            held[k] += low <= 0.8 <= high
    error = 4 * np.sqrt(0.95 * 0.05 / 600)  # of a share of 600 corpora
    assert 0.95 - error < held[0] / 600 < 0.98 + error  # half an answer more errs to this side
    assert held[1] / 600 < 0.85


@pytest.mark.slow
@pytest.mark.parametrize("truth", [0.93, 0.97])
def test_the_interval_of_few_and_good_speakers_holds_the_truth_too(truth):
    """25 speakers a sex, a clip each: without the half answer it would 87 and 78 times of 100."""
    rng = np.random.default_rng(0)
    y, speakers = np.repeat([0, 1], 25), np.array([f"s{k}" for k in range(50)], object)
    corpora = ((rng.random(50) < truth).astype(float) for _ in range(600))
    intervals = [class_mean_interval(right, y, speakers, draws=400) for right in corpora]
    assert sum(low <= truth <= high for low, high in intervals) / 600 > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 600)


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


@pytest.mark.parametrize("of", [1, 3, 6, 9, 12, 20, 21, 29, 30, 35, 200, 399])
def test_an_interval_holds_its_own_share_also_at_the_ends(of):
    """Rounding once put the low end of 0 of 20 at 1e-17, above the share itself, and the picture's error bar below zero."""
    for right in (0, 1, of - 1, of):
        low, high = share_interval(right, of)
        assert 0 <= low <= right / of <= high <= 1
