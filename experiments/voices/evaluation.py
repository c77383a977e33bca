"""How good a model is on voices that are new to it, how certain that is, whether its probabilities are right, and its errors.

Works on scores from any source: log-odds of male (N,), above 0 for male; a score of exactly 0 is no answer and counts as
wrong. The contract: figures by clip and by speaker, intervals by resampling speakers, and baselines on the same clips.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import expit

from experiments.reports.scores import by_speaker, class_mean, class_mean_interval, share_interval
from experiments.voices.baselines import Baselines, f0_statistic
from experiments.voices.clip_model import ClipModel
from features.clips import Clips
from features.dataset import LABELS
from features.frames import HOP, RATE_HZ
from features.speech import ENOUGH_S, FRAME_S, LEAST_S, find_speech

SHORT_S = 1.0
TEMPERATURES = (0.05, 20.0)


def evaluate_model(model: ClipModel, metadata: Mapping[str, Any], clips: Clips) -> tuple[dict[str, Any], pd.DataFrame]:
    """`evaluate_clips` of a model and of its baselines; metadata: the model's, with temperature, uncertain and baselines."""
    baselines = Baselines.from_json(metadata["baselines"])
    scores = {"LSTM": model.log_odds(clips)} | baselines.scores(clips)
    band = (1 - metadata["uncertain"], metadata["uncertain"])
    return evaluate_clips(scores, clips, metadata["temperature"], band, baselines.f0_hz)


def evaluate_clips(
    scores: Mapping[str, np.ndarray],
    clips: Clips,
    temperature: float = 1.0,
    uncertain: tuple[float, float] = (0.5, 0.5),
    f0_hz: float = 155.0,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Returns (result as JSON values, table with one row a clip). scores: {name: (N,)}, the model's first, then baselines'.

    temperature divides the model's log-odds. The model abstains if the probability lies in the band `uncertain`, or with
    less than ENOUGH_S of voice. f0_hz: above it a man's pitch is called high, below it a woman's low, in remarks on errors.
    Raises ValueError for scores that are not finite and for clips of one sex only.
    """
    for name, z in scores.items():
        if len(z) != len(clips) or not np.isfinite(z).all():
            raise ValueError(
                f"{name}: expected {len(clips)} finite scores, got {len(z)}, {np.isfinite(z).sum()} finite"
            )
    if missing := [sex for sex, label in LABELS.items() if label not in clips.labels]:
        raise ValueError(f"no {missing[0]} clip is among the {len(clips)}: a balanced accuracy needs both sexes")
    y, speakers, z = clips.labels, clips.speakers, next(iter(scores.values()))
    rows = clip_rows(z, clips, temperature, uncertain, f0_hz)
    unknown = sum(s is None for s in speakers)
    result = {
        "clips": len(clips),
        "speakers": len({s for s in speakers if s is not None}),
        "clips_of_unknown_speakers": unknown,
        "hours": float(rows["seconds"].sum() / 3600),
        "temperature": temperature,
        "uncertain": list(uncertain),
        "f0_hz": f0_hz,
        "sides": sides(scores, y, speakers),
        "calibration": {
            "before": calibration(z, y),
            "after": calibration(z, y, temperature),
            "reliability": reliability(rows["p"].to_numpy(), y).to_dict("records"),
        },
        "abstentions": abstentions(rows, y),
        "people": people(rows),
        "errors": rows[~rows["right"]].sort_values("log_odds", key=abs, ascending=False).to_dict("records"),
    }
    return result, rows


def sides(scores: Mapping[str, np.ndarray], y: np.ndarray, speakers: np.ndarray) -> dict[str, dict[str, Any]]:
    """{name: figures by clip and, if speakers are known, by speaker}; those of a baseline hold the model's lead over it."""
    units = {name: {"by_clip": (y, z, speakers)} for name, z in scores.items()}
    if any(s is not None for s in speakers):
        for name, z in scores.items():
            units[name]["by_speaker"] = by_speaker(y, z, speakers)
    model = next(iter(units.values()))
    figures: dict[str, dict[str, Any]] = {}
    for name, unit in units.items():
        figures[name] = {}
        for kind, (labels, z, who) in unit.items():
            right = rights(labels, z)
            side = figures[name][kind] = figures_of(labels, right, who, independent=kind == "by_speaker")
            if unit is not model:
                lead = rights(labels, model[kind][1]) - right  # (N,) 1, 0 or -1: paired, both answered the same clips
                side["model_leads_by"] = class_mean(lead, labels)
                side["model_leads_by_95"] = list(class_mean_interval(lead, labels, who, (-1.0, 1.0)))
    return figures


def rights(y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """(N,) 1.0 where the score's sign is that of the label, else 0.0."""
    return np.where(y == 1, z > 0, z < 0).astype(float)


def figures_of(y: np.ndarray, right: np.ndarray, speakers: np.ndarray, independent: bool) -> dict[str, Any]:
    """Accuracy, balanced accuracy with its interval, and how many of each sex are right.

    independent: the answers are (a speaker's clips are not), so that each sex's share gets Wilson's interval. That one is
    wide even if no answer is wrong, where the bootstrap's is a point.
    """
    figures = {
        "accuracy": float(right.mean()),
        "balanced_accuracy": class_mean(right, y),
        "interval_95": list(class_mean_interval(right, y, speakers)),
    }
    for sex, label in LABELS.items():
        count, total = int(right[y == label].sum()), int((y == label).sum())
        figures[sex] = {"right": count, "of": total}
        if independent:
            figures[sex]["interval_95"] = [float(end) for end in share_interval(count, total)]
    return figures


def clip_rows(
    z: np.ndarray, clips: Clips, temperature: float, uncertain: tuple[float, float], f0_hz: float
) -> pd.DataFrame:
    """A row a clip: path, speaker, sex, said (the answer), right, log_odds and p at the temperature, median f0_hz, seconds,
    of them voice_s voiced, abstains ("", "no speech", "uncertain") and, on errors, a remark.
    """
    p = expit(z / temperature)
    seconds = np.array([(len(frames) - 1) * HOP / RATE_HZ for frames in clips.sequences])
    pitch = clips.stamp["parameters"]["pitch"]
    voice_s = np.array([FRAME_S * find_speech(frames, pitch).voice.sum() for frames in clips.sequences])
    low, high = uncertain
    rows = pd.DataFrame(
        {
            "path": clips.paths,
            "speaker": clips.speakers,
            "sex": np.where(clips.labels == 1, "male", "female"),
            "said": np.select([z > 0, z < 0], ["male", "female"], "neither"),
            "right": rights(clips.labels, z).astype(bool),
            "log_odds": z / temperature,
            "p": p,
            "f0_hz": f0_statistic(clips),
            "seconds": seconds,
            "voice_s": voice_s,
            "abstains": np.select(  # as `judge` does for a recording
                [voice_s < LEAST_S, voice_s < ENOUGH_S, (p > low) & (p < high)],
                ["no speech", "uncertain", "uncertain"],
                "",
            ),
        }
    )
    rows["remark"] = ["" if row.right else remark(row, f0_hz) for row in rows.itertuples()]
    return rows


def remark(row: Any, f0_hz: float) -> str:
    """A possible reason for an error, in words, from the clip's measurements: a hint, not a proof."""
    words = []
    if row.voice_s < ENOUGH_S:
        words.append(f"hardly any voice: {row.voice_s:.1f} s")
    if row.seconds < SHORT_S:
        words.append(f"short: {row.seconds:.1f} s")
    if row.sex == "male" and row.f0_hz > f0_hz:
        words.append(f"high-pitched for a male label: {row.f0_hz:.0f} Hz")
    if row.sex == "female" and row.f0_hz < f0_hz:
        words.append(f"low-pitched for a female label: {row.f0_hz:.0f} Hz")
    usual = f"{row.f0_hz:.0f} Hz lies {'below' if row.sex == 'male' else 'above'} {f0_hz:.0f} Hz"
    return "; ".join(words) or f"not explained by pitch: {usual}"


def abstentions(rows: pd.DataFrame, y: np.ndarray) -> dict[str, Any]:
    """How many clips the model would abstain on and why; its balanced accuracy on the rest, None if a sex has none left."""
    answered = (rows["abstains"] == "").to_numpy()
    both = all((y[answered] == label).any() for label in LABELS.values())
    right = rows["right"].to_numpy(float)
    return {
        "no speech": int((rows["abstains"] == "no speech").sum()),
        "uncertain": int((rows["abstains"] == "uncertain").sum()),
        "wrong_among_them": int((~answered & (right == 0)).sum()),
        "balanced_accuracy_of_the_rest": class_mean(right[answered], y[answered]) if both else None,
    }


def people(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """A row a known speaker: sex, clips, how many right, median F0, the mean log-odds as p, and the answer `said` by it.

    Speakers with the most errors come first.
    """
    known = rows[rows["speaker"].notna()]
    table = known.groupby(["speaker", "sex"], sort=True, as_index=False).agg(
        clips=("right", "size"), right=("right", "sum"), log_odds=("log_odds", "mean"), f0_hz=("f0_hz", "median")
    )
    table["said"] = np.select([table["log_odds"] > 0, table["log_odds"] < 0], ["male", "female"], "neither")
    table["p"] = expit(table["log_odds"])
    side = np.where(table["sex"] == "male", 1, -1)
    table = table.assign(against=table["log_odds"] * side, wrong=table["clips"] - table["right"])
    table = table.sort_values(["wrong", "against"], ascending=[False, True], kind="stable")
    return table.drop(columns=["against", "wrong", "log_odds"]).to_dict("records")


# -- are the probabilities right: of the clips with p = 0.8, are eight in ten male? p = σ(z / temperature) ----------------


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
    options = {"bounds": np.log(TEMPERATURES), "method": "bounded", "options": {"xatol": 1e-6}}
    return float(np.exp(minimize_scalar(lambda log_t: _log_loss(z / np.exp(log_t), target), **options).x))


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


def reliability(p: np.ndarray, y: np.ndarray) -> pd.DataFrame:
    """One row a bin of clips with similar p: clips, p (mean), male (share), low and high (the share's 95 % interval).

    Bins hold equal numbers of clips, so that each share is known equally well (Nixon et al. 2019); ten bins, fewer
    if a bin would hold less than ten clips. The interval is Wilson's and treats the clips as independent.
    """
    parts = np.array_split(np.argsort(p, kind="stable"), max(1, min(10, len(p) // 10)))
    table = pd.DataFrame([{"clips": len(part), "p": p[part].mean(), "male": y[part].mean()} for part in parts])
    table["low"], table["high"] = share_interval(np.array([y[part].sum() for part in parts]), table["clips"])
    return table


def _log_loss(z: np.ndarray, y: np.ndarray) -> float:
    """Mean of -y log σ(z) - (1 - y) log(1 - σ(z)), exact even if σ(z) rounds to 0 or 1."""
    return float(np.mean(np.logaddexp(0.0, z) - y * z))
