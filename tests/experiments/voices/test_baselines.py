"""The baselines on clips whose numbers are known, and the regression against scikit-learn's and its own equations."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logit

from experiments.voices.baselines import Baselines, Logistic, clip_statistics, f0_scores, f0_statistic, f0_threshold
from features.clips import Clips
from features.frames import COLUMNS


def make_clips(sequences: list[np.ndarray], labels: np.ndarray, speakers: np.ndarray | None = None) -> Clips:
    n = len(sequences)
    names = np.array([f"s{k}" for k in range(n)], object) if speakers is None else speakers
    paths = np.array([f"{k}.wav" for k in range(n)])
    hashes = np.array([f"{k:064x}" for k in range(n)])
    return Clips(sequences, np.asarray(labels), names, np.full(n, ""), paths, hashes, COLUMNS, {})


def frames_of(f0_hz: list[float], voicing: list[float], seed: int = 0) -> np.ndarray:
    """(T, 23): this F0 and voicing, noise in the other columns."""
    frames = np.random.default_rng(seed).standard_normal((len(f0_hz), len(COLUMNS))).astype(np.float32)
    frames[:, 0], frames[:, 1] = np.log(f0_hz), voicing
    return frames


def test_the_pitch_of_a_clip_is_that_of_its_voiced_frames():
    clips = make_clips([frames_of([100, 120, 500, 130, 60], [0.9, 0.5, 0.4, 1.0, 0.0])], [1])
    assert f0_statistic(clips) == pytest.approx([120], rel=1e-6)  # float32 holds log F0 to 3e-7


def test_the_least_voicing_is_that_of_the_pitch_and_older_models_keep_theirs():
    clips = make_clips([frames_of([100, 60, 120], [0.09, 0.01, 0.02])], [1])
    for pitch, revision, expected in (("pyin", 2, 109.54), ("pyin", 1, np.nan), ("yin", 2, np.nan)):
        measured = replace(clips, stamp={"parameters": {"pitch": pitch, "revision": revision}})
        assert f0_statistic(measured) == pytest.approx([expected], abs=0.01, nan_ok=True)


def test_a_clip_without_voice_has_no_pitch_and_gets_no_answer():
    clips = make_clips([frames_of([100, 100], [0.1, 0.2]), frames_of([100, 100], [1, 1])], [1, 1])
    assert np.isnan(f0_statistic(clips)).tolist() == [True, False]
    assert f0_scores(f0_statistic(clips), 150.0) == pytest.approx([0.0, np.log(1.5)], rel=1e-6)


def test_statistics_by_hand():
    frames = frames_of([100, 200, 400, 60], [1, 1, 1, 0])
    row = clip_statistics(make_clips([frames], [1]))[0]  # (47,)
    f0 = np.log([100, 200, 400])
    assert row[:7] == pytest.approx([f0.mean(), f0.std(), *np.percentile(f0, [5, 25, 50, 75, 95])], rel=1e-6)
    assert row[7:27] == pytest.approx(frames[:, 3:].mean(axis=0), rel=1e-5)
    assert row[27:] == pytest.approx(frames[:, 3:].std(axis=0), rel=1e-5)


def test_the_order_of_the_frames_does_not_matter():
    frames = frames_of(list(np.linspace(80, 300, 50)), list(np.linspace(0, 1, 50)))
    forth, back = clip_statistics(make_clips([frames, frames[::-1]], [1, 0]))
    assert forth == pytest.approx(back, rel=1e-6)


def test_the_threshold_parts_what_can_be_parted():
    f0, y = np.array([90, 110, 140, 190, 220, np.nan]), np.array([1, 1, 1, 0, 0, 0])
    threshold = f0_threshold(f0, y)
    assert 140 < threshold <= 190
    assert (f0_scores(f0, threshold)[:5] > 0).tolist() == [True, True, True, False, False]


def problem(n: int = 80, columns: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, columns)) * [1, 100, 0.01, 1, 1, 1] + 3
    return X, (X[:, 0] - 3 + (X[:, 1] - 3) / 100 + rng.standard_normal(n) > 0).astype(int)


@pytest.mark.parametrize("l2", [1e-3, 1e-1, 10.0])
def test_the_regression_is_scikit_learns(l2):
    """It minimises the sum of log losses times C and |w|²/2, so C = 1 / (n l2); both to their own tolerance, 1e-5 here."""
    linear = pytest.importorskip("sklearn.linear_model")
    X, y = problem()
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    reference = linear.LogisticRegression(C=1 / (len(y) * l2), tol=1e-10, max_iter=10_000).fit(Z, y)
    own = Logistic.fit(X, y, l2)
    assert own.weights == pytest.approx(reference.coef_[0], rel=1e-5, abs=1e-6)
    assert own.bias == pytest.approx(reference.intercept_[0], rel=1e-5, abs=1e-6)
    assert own.log_odds(X) == pytest.approx(reference.decision_function(Z), rel=1e-5, abs=1e-5)


def test_at_its_minimum_the_gradient_is_nothing():
    """Σ (p - y) = 0 for the bias, mean (p - y) z = -l2 w for the weights: to 1e-6, of 2e-8 that the optimiser leaves."""
    X, y = problem()
    own = Logistic.fit(X, y, 0.05)
    error = 1 / (1 + np.exp(-own.log_odds(X))) - y  # (N,)
    assert error.mean() == pytest.approx(0, abs=1e-6)
    assert own.scaler(X).T @ error / len(y) == pytest.approx(-0.05 * own.weights, abs=1e-6)


def test_under_a_heavy_penalty_only_the_share_of_the_classes_is_left():
    X, y = problem()
    assert Logistic.fit(X, y, 1e6).log_odds(X) == pytest.approx(np.full(len(y), logit(y.mean())), abs=1e-5)


def test_an_unknown_number_counts_as_average():
    X, y = problem()
    own = Logistic.fit(X, y, 0.1)
    holed = X.copy()
    holed[0, 0] = np.nan
    average = X.copy()
    average[0, 0] = X[:, 0].mean()
    assert own.log_odds(holed) == pytest.approx(own.log_odds(average))
    assert np.isfinite(Logistic.fit(holed, y, 0.1).weights).all()


def test_the_penalty_is_chosen_on_speakers_held_out():
    """Twelve columns name the speaker and nothing else: only folds by speaker show that they are worth nothing."""
    rng = np.random.default_rng(0)
    speakers = np.repeat([f"s{k:02d}" for k in range(20)], 10).astype(object)
    y = np.repeat(np.arange(20) % 2, 10)
    names = np.repeat(rng.standard_normal((20, 12)), 10, axis=0) + 0.01 * rng.standard_normal((200, 12))
    by_speaker = Logistic.fit_by_folds(names, y, speakers)
    by_row = Logistic.fit_by_folds(names, y, np.array([f"r{k}" for k in range(200)], object))
    assert np.linalg.norm(by_speaker.weights) < 0.1 * np.linalg.norm(by_row.weights)


def test_baselines_learn_travel_and_answer():
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    clips = make_clips(
        [frames_of(list(rng.normal(210 - 90 * y, 15, 60)), [0.9] * 60, seed) for seed, y in enumerate(labels)], labels
    )
    baselines = Baselines.fit(clips)
    scores = baselines.scores(clips)
    assert list(scores) == [f"F0 below {baselines.f0_hz:.0f} Hz", "logistic regression"]
    assert all(((z > 0) == labels).all() for z in scores.values())  # 90 Hz apart, spread 15 / √60
    again = Baselines.from_json(json.loads(json.dumps(baselines.as_json()))).scores(clips)
    assert all((again[name] == z).all() for name, z in scores.items())
