"""Two baselines for a network: a threshold on a clip's median pitch, and a logistic regression on a clip's statistics.

Both are fitted on the network's training clips, stored in its metadata, and evaluated on the same clips as the network. Both
read the columns of the `frames` recipe; neither knows the order of the frames.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from threadpoolctl import ThreadpoolController

from experiments.reports.scores import best_threshold
from features.clips import Clips
from features.dataset import Scaler, speaker_counts, speaker_folds

VOICED = 0.5  # a frame's F0 counts from this value of `voicing` on; on LibriSpeech 0.3 to 0.85 work as well
PERCENTILES = (5, 25, 50, 75, 95)
PENALTIES = tuple(10.0**k for k in range(-4, 2))
STRICT = {"maxiter": 10_000, "ftol": 1e-13, "gtol": 1e-8}  # L-BFGS's defaults stop before the minimum

_BLAS = ThreadpoolController().select(user_api="blas")


def f0_statistic(clips: Clips) -> np.ndarray:
    """(N,) median F0 in Hz over the voiced frames of each clip; NaN for a clip without any."""
    return np.exp([np.median(f0) if len(f0) else np.nan for f0 in _voiced_log_f0(clips)])


def clip_statistics(clips: Clips) -> np.ndarray:
    """(N, 47) float64: mean, deviation and percentiles of log F0 over voiced frames; mean and deviation of each MFCC.

    Without voiced frames the statistics of F0 are NaN, which `Logistic` replaces by the mean of the training clips.
    """
    cepstra = [k for k, name in enumerate(clips.columns) if name.startswith("mfcc")]
    rows = []
    for frames, f0 in zip(clips.sequences, _voiced_log_f0(clips), strict=True):
        pitch = [f0.mean(), f0.std(), *np.percentile(f0, PERCENTILES)] if len(f0) else [np.nan] * (2 + len(PERCENTILES))
        mfcc = frames[:, cepstra].astype(float)  # (T, 20)
        rows.append(np.concatenate([pitch, mfcc.mean(axis=0), mfcc.std(axis=0)]))
    return np.array(rows)


def f0_threshold(f0: np.ndarray, labels: np.ndarray) -> float:
    """In Hz, with the highest balanced accuracy on clips of median F0 `f0` (N,) Hz, male below; NaNs are left out."""
    known = np.isfinite(f0)
    return best_threshold(f0[known], labels[known])


def f0_scores(f0: np.ndarray, threshold_hz: float) -> np.ndarray:
    """(N,) log(threshold / f0): above 0 is male. For a clip without pitch 0, which is no answer."""
    return np.nan_to_num(np.log(threshold_hz / f0), nan=0.0)


@dataclass(frozen=True)
class Logistic:
    """L2-regularised logistic regression on standardised columns: log-odds of male = scaled x · weights + bias."""

    scaler: Scaler
    weights: np.ndarray  # (K,)
    bias: float

    @classmethod
    def fit(cls, X: np.ndarray, y: np.ndarray, l2: float) -> Self:
        """Minimises mean log loss + l2/2 |weights|² over X (N, K), y (N,) 0 or 1, by L-BFGS; the bias has no penalty."""
        scaler = _scaler(X)
        Z = _scaled(X, scaler)  # (N, K)

        def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
            z = Z @ w[:-1] + w[-1]  # (N,)
            δz = (expit(z) - y) / len(y)  # (N,)
            value = np.mean(np.logaddexp(0.0, z) - y * z) + l2 / 2 * w[:-1] @ w[:-1]
            return value, np.append(Z.T @ δz + l2 * w[:-1], δz.sum())

        with _BLAS.limit(limits=1):  # for products this small, threads cost more than they gain
            w = minimize(loss, np.zeros(Z.shape[1] + 1), jac=True, method="L-BFGS-B", options=STRICT).x
        return cls(scaler, w[:-1], float(w[-1]))

    @classmethod
    def fit_by_folds(cls, X: np.ndarray, y: np.ndarray, speakers: np.ndarray, seed: int = 0) -> Self:
        """`fit` with the l2 of PENALTIES that has the lowest log loss over folds of the speakers: five, or fewer."""
        count = min(5, *speaker_counts(y, speakers).values())
        folds = speaker_folds(y, speakers, count, seed)

        def held_out_loss(l2: float) -> float:
            z = np.empty(len(y))
            for k in range(count):
                z[folds == k] = cls.fit(X[folds != k], y[folds != k], l2).log_odds(X[folds == k])
            return float(np.mean(np.logaddexp(0.0, z) - y * z))

        return cls.fit(X, y, min(PENALTIES, key=held_out_loss))

    def log_odds(self, X: np.ndarray) -> np.ndarray:
        """(N,) of X (N, K)."""
        return _scaled(X, self.scaler) @ self.weights + self.bias


@dataclass(frozen=True)
class Baselines:
    """Both baselines of one network: male below f0_hz, and the regression."""

    f0_hz: float
    logistic: Logistic

    @classmethod
    def fit(cls, clips: Clips) -> Self:
        """Fit both on the training clips, which must come from at least two speakers of each sex."""
        f0_hz = f0_threshold(f0_statistic(clips), clips.labels)
        return cls(f0_hz, Logistic.fit_by_folds(clip_statistics(clips), clips.labels, clips.speakers))

    def scores(self, clips: Clips) -> dict[str, np.ndarray]:
        """{name: (N,) score, above 0 for male}."""
        return {
            f"F0 below {self.f0_hz:.0f} Hz": f0_scores(f0_statistic(clips), self.f0_hz),
            "logistic regression": self.logistic.log_odds(clip_statistics(clips)),
        }

    def as_json(self) -> dict[str, Any]:
        """For a model's metadata; `from_json` reads it."""
        logistic = self.logistic
        parts = {"mean": logistic.scaler.mean, "scale": logistic.scaler.scale, "weights": logistic.weights}
        return {"f0_hz": self.f0_hz, "logistic": {k: v.tolist() for k, v in parts.items()} | {"bias": logistic.bias}}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        mean, scale, weights = (np.array(stored["logistic"][k]) for k in ("mean", "scale", "weights"))
        return cls(stored["f0_hz"], Logistic(Scaler(mean, scale), weights, stored["logistic"]["bias"]))


def _voiced_log_f0(clips: Clips) -> list[np.ndarray]:
    """For each clip (V,) float64, the log F0 of its V voiced frames."""
    f0, voicing = clips.columns.index("log_f0"), clips.columns.index("voicing")
    return [frames[frames[:, voicing] >= VOICED, f0].astype(float) for frames in clips.sequences]


def _scaler(X: np.ndarray) -> Scaler:
    """As Scaler.fit, but leaving out NaNs."""
    spread = np.nanmax(X, axis=0) > np.nanmin(X, axis=0)
    return Scaler(np.nanmean(X, axis=0), np.where(spread, np.nanstd(X, axis=0), 0.0))


def _scaled(X: np.ndarray, scaler: Scaler) -> np.ndarray:
    return np.nan_to_num(scaler(X), nan=0.0)
