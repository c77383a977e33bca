"""The temperature, and what calibration is measured by, against cases whose answers are known."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import norm

from experiments.voices.evaluation import calibration, fit_temperature, reliability

N = 20_000
TENTHS = np.arange(1, 10) / 10


def binormal(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(z, y): scores x ~ N(±1, 1), whose log-odds are 2x exactly (two normals of one variance, equal priors)."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(N) % 2)
    return 2 * rng.normal(2 * y - 1, 1.0), y


def density(z: float) -> float:
    """Of those log-odds: each class's are N(±2, 2²)."""
    return (norm.pdf(z, 2, 2) + norm.pdf(z, -2, 2)) / 2


def test_log_odds_that_are_true_keep_temperature_1():
    z, y = binormal()
    assert fit_temperature(z, y) == pytest.approx(1.0, abs=4 * spread_of_temperature())


@pytest.mark.parametrize("scale", [3.0, 0.25])
def test_the_temperature_undoes_a_scale(scale):
    z, y = binormal()
    assert fit_temperature(scale * z, y) == pytest.approx(scale, rel=4 * spread_of_temperature())


def spread_of_temperature() -> float:
    """Its standard error at 1, by the Fisher information of β = 1/T, which is N E[z² p(1 - p)] (here by quadrature)."""
    information = quad(lambda z: z**2 * expit(z) * expit(-z) * density(z), -40, 40)[0]
    return 1 / np.sqrt(N * information)


def test_the_fitted_temperature_has_the_least_log_loss():
    z, y = binormal()
    best = fit_temperature(3 * z, y)
    losses = [calibration(3 * z, y, t)["log_loss"] for t in (0.97 * best, best, 1.03 * best)]
    assert losses[1] == min(losses)


def test_log_odds_that_are_right_on_every_clip_get_a_finite_temperature():
    y = np.array([1] * 50 + [0] * 50)
    z = np.where(y == 1, 2.0, -2.0)
    assert fit_temperature(z, y) == pytest.approx(2 / np.log(51), rel=1e-4)  # Platt's p = 51/52 by hand: odds of 51


def test_a_temperature_needs_both_sexes():
    with pytest.raises(ValueError, match="3 male and 0 female"):
        fit_temperature(np.ones(3), np.ones(3))


def test_the_calibration_error_is_that_of_the_distribution():
    """Log-odds thrice too large: in each tenth of the distribution of z the error is |E σ(z) - E σ(3z)|, by quadrature."""
    z, y = binormal()
    edges = [
        -40,
        *(brentq(lambda v, q=q: (norm.cdf(v, 2, 2) + norm.cdf(v, -2, 2)) / 2 - q, -40, 40) for q in TENTHS),
        40,
    ]
    parts = [quad(lambda v: (expit(v) - expit(3 * v)) * density(v), a, b)[0] for a, b in pairwise(edges)]
    found = calibration(3 * z, y)["expected_calibration_error"]
    assert found == pytest.approx(
        np.abs(parts).sum(), abs=4 * 0.5 / np.sqrt(N)
    )  # 4 standard errors of a share, at most


def test_true_probabilities_have_no_calibration_error_but_chance():
    """The mean of ten |errors|, each normal of standard deviation s at most: 0.8 s, and 4 standard errors more."""
    z, y = binormal()
    s = 0.5 / np.sqrt(N / 10)
    assert calibration(z, y)["expected_calibration_error"] < (0.8 + 4 / np.sqrt(10)) * s
    assert calibration(3 * z, y, temperature=3.0) == pytest.approx(calibration(z, y))


def test_brier_and_log_loss_by_hand():
    z, y = np.log([4.0, 0.25, 4.0, 1.0]), np.array([1, 0, 0, 1])  # p = .8, .2, .8, .5
    figures = calibration(z, y)
    assert figures["brier"] == pytest.approx((0.04 + 0.04 + 0.64 + 0.25) / 4)
    assert figures["log_loss"] == pytest.approx(-np.log([0.8, 0.8, 0.2, 0.5]).mean())
    assert figures["expected_calibration_error"] == pytest.approx(abs(0.5 - (0.8 + 0.2 + 0.8 + 0.5) / 4))  # one bin


def test_log_loss_is_exact_where_p_rounds_to_1():
    assert calibration(np.array([800.0, -800.0]), np.array([0, 0]))["log_loss"] == 400.0


def test_reliability_bins_hold_equally_many_clips():
    p = np.random.default_rng(0).random(103)
    y = (p > 0.3).astype(int)
    bins = reliability(p, y)
    assert sorted(bins["clips"]) == [10] * 7 + [11] * 3
    assert bins["p"].is_monotonic_increasing
    assert np.average(bins["male"], weights=bins["clips"]) == pytest.approx(y.mean())
    assert ((bins["low"] <= bins["male"]) & (bins["male"] <= bins["high"])).all()
    assert len(reliability(p[:25], y[:25])) == 2
