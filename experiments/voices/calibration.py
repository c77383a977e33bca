"""Are the probabilities right: of the clips with p = 0.8, are eight in ten male? And the temperature that corrects them.

Log-odds z (N,) and labels y (N,) 0 or 1 come in; p = σ(z / temperature).
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import expit

from experiments.reports.scores import share_interval

TEMPERATURES = (0.05, 20.0)


def fit_temperature(z: np.ndarray, y: np.ndarray) -> float:
    """The temperature with the lowest log loss (Guo et al. 2017, section 4.2); above 1, the network was too confident.

    Fit it on clips that the network was not trained on. The targets are 1 - 1/(n₁ + 2) and 1/(n₀ + 2) for n₁ male and n₀
    female clips (Platt 1999): with targets 1 and 0, log-odds that are right on every clip would have no finite
    temperature. Raises ValueError for a class without clips.
    """
    n1, n0 = np.sum(y == 1), np.sum(y == 0)
    if not n1 or not n0:
        raise ValueError(f"a temperature needs clips of both sexes; got {n1} male and {n0} female")
    target = np.where(y == 1, 1 - 1 / (n1 + 2), 1 / (n0 + 2))  # (N,)
    low, high = np.log(TEMPERATURES)

    def loss(log_temperature: float) -> float:
        return _log_loss(z / np.exp(log_temperature), target)

    return float(np.exp(minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6}).x))


def calibration(z: np.ndarray, y: np.ndarray, temperature: float = 1.0) -> dict[str, float]:
    """Expected calibration error (over the bins of `reliability`), Brier score and log loss, as JSON values."""
    p = expit(z / temperature)
    bins = reliability(p, y)
    error = np.average(np.abs(bins["male"] - bins["p"]), weights=bins["clips"])
    return {
        "expected_calibration_error": float(error),
        "brier": float(np.mean((p - y) ** 2)),
        "log_loss": _log_loss(z / temperature, y),
    }


def reliability(p: np.ndarray, y: np.ndarray, bins: int | None = None) -> pd.DataFrame:
    """One row a bin of clips with similar p: clips, p (mean), male (share), low and high (the share's 95 % interval).

    Bins hold equal numbers of clips, so that each share is known equally well (Nixon et al. 2019); by default ten bins, fewer
    if a bin would hold less than ten clips. The interval is Wilson's and treats the clips as independent.
    """
    bins = bins or max(1, min(10, len(p) // 10))
    rows: list[dict[str, Any]] = []
    for part in np.array_split(np.argsort(p, kind="stable"), bins):
        low, high = share_interval(y[part].sum(), len(part))
        rows.append({"clips": len(part), "p": p[part].mean(), "male": y[part].mean(), "low": low, "high": high})
    return pd.DataFrame(rows).astype({"low": float, "high": float})


def _log_loss(z: np.ndarray, y: np.ndarray) -> float:
    """Mean of -y log σ(z) - (1 - y) log(1 - σ(z)), exact even if σ(z) rounds to 0 or 1."""
    return float(np.mean(np.logaddexp(0.0, z) - y * z))
