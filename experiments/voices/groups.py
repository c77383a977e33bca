"""An evaluation's answers by the groups of a column, such as the manner of speaking: in which group which sex is wrong.

For `evaluate --by` and `experiments.voices.reasons`. Works on the rows that `evaluation.clip_rows` makes.
"""

from typing import Any

import numpy as np
import pandas as pd

from experiments.reports.scores import class_mean, class_mean_interval
from features.dataset import LABELS


def grouped(rows: pd.DataFrame, column: str) -> list[dict[str, Any]]:
    """A JSON row for each value of a column, in order: how good the answers are there.

    rows: a clip each, with speaker, sex, right, abstains and f0_hz. balanced_accuracy and interval_95 are None in a group of
    one sex; answered is the share of clips with an answer, right_of_answered the share of those that is right, None without.
    """
    return [{"value": str(value), **_figures(group)} for value, group in rows.groupby(column, sort=True)]


def _figures(rows: pd.DataFrame) -> dict[str, Any]:
    y, right = (rows["sex"] == "male").to_numpy(int), rows["right"].to_numpy(float)
    answered = (rows["abstains"] == "").to_numpy()
    both = len(set(y)) == len(LABELS)
    speakers = np.array([None if pd.isna(s) else s for s in rows["speaker"]], object)
    figures: dict[str, Any] = {
        "clips": len(rows),
        "balanced_accuracy": class_mean(right, y) if both else None,
        "interval_95": list(class_mean_interval(right, y, speakers)) if both else None,
        "answered": float(answered.mean()),
        "right_of_answered": float(right[answered].mean()) if answered.any() else None,
    }
    for sex, label in LABELS.items():
        own = y == label
        f0 = rows["f0_hz"].to_numpy()[own]
        hz = float(np.nanmedian(f0)) if np.isfinite(f0).any() else None
        figures[sex] = {"right": int(right[own].sum()), "of": int(own.sum()), "f0_hz": hz}
    return figures


def table(groups: list[dict[str, Any]], f0: bool = True) -> pd.DataFrame:
    """The groups as text, a row each; f0: with the median F0 of each sex."""
    shown = {}
    for g in groups:
        low, high = g["interval_95"] or (None, None)
        balanced = "" if low is None else f"{g['balanced_accuracy']:.3f} ({low:.2f} to {high:.2f})"
        right = {f"{sex} right": f"{g[sex]['right']} of {g[sex]['of']}" for sex in LABELS}
        rest = "" if g["right_of_answered"] is None else f"{g['right_of_answered']:.3f}"
        name = g["value"] or "(none given)"
        shown[name] = {
            "balanced accuracy": balanced,
            **right,
            "answered": f"{g['answered']:.2f}",
            "right of them": rest,
        }
        if f0:
            hz = {sex: g[sex]["f0_hz"] for sex in LABELS}
            shown[name] |= {f"F0, {sex}": "" if hz[sex] is None else f"{hz[sex]:.0f} Hz" for sex in LABELS}
    return pd.DataFrame(shown).T
