"""How good a classifier is, with the uncertainty: balanced accuracy, its interval, agreement, a baseline.

Labels are 0 and 1; p is the probability of 1.
"""

import numpy as np


def balanced_accuracy(y: np.ndarray, predicted: np.ndarray) -> float:
    """The mean of the two classes' shares of right answers: guessing gives 0.5 whatever the classes' sizes."""
    return class_mean(predicted == y, y)


def class_mean(values: np.ndarray, y: np.ndarray) -> float:
    """The mean over the two classes of the class's mean of `values` (N,): of right answers, the balanced accuracy."""
    return float(np.mean([values[y == k].mean() for k in (0, 1)]))


def class_mean_interval(
    values: np.ndarray, y: np.ndarray, speakers: np.ndarray, bounds: tuple[float, float] = (0.0, 1.0), draws: int = 2000
) -> tuple[float, float]:
    """95 % bootstrap interval of `class_mean`, drawing speakers with all their rows within each class (Efron 1979).

    A speaker's rows are alike, so speakers are drawn, not rows; a row whose speaker is None counts as a speaker. For each
    end of the interval, half an extra answer with that end's bound is added to those drawn from: it stands for the errors
    that happened not to be seen (Clopper & Pearson 1934 add one; docs/voices.md says why half). The extra answer is one row
    if errors are spread over the speakers, and a speaker's rows if they cluster in speakers, by the design effect (Kish
    1965). A single speaker in a class gives no information about others: then the result is `bounds`, the extremes of a
    value. For two classifiers on the same rows, the interval of `right_a - right_b` with bounds (-1, 1) is that of the
    paired difference.
    """
    names = np.array([f"row {n}" if s is None else f"speaker {s}" for n, s in enumerate(speakers)])
    rng = np.random.default_rng(0)
    means = np.zeros((2, draws))  # of the lower and of the upper end
    for k in (0, 1):
        _, owner = np.unique(names[y == k], return_inverse=True)  # (rows of class k,)
        if owner.max() == 0:
            return bounds
        of_class, mean = values[y == k], values[y == k].mean()
        rows, sums = np.bincount(owner), np.bincount(owner, weights=of_class)  # (speakers,)
        spread = np.sum((of_class - mean) ** 2)
        gathered = np.sum((sums - mean * rows) ** 2) / spread if spread > 0 else 1.0  # the design effect, in rows
        half = np.clip(gathered, 1.0, rows.mean()) / 2
        rows, sums = np.append(rows, half), np.append(sums, 0.0)  # (speakers + 1,); its sum comes with the bounds
        for few in np.array_split(means, -(-draws // 100), axis=1):  # views (2, 100): speakers may be many
            drawn = rng.integers(0, len(rows), (few.shape[1], len(rows)))  # (100, speakers + 1)
            unseen = half * (drawn == len(rows) - 1).sum(axis=1)
            few += (sums[drawn].sum(axis=1) + np.outer(bounds, unseen)) / rows[drawn].sum(axis=1) / 2
    return float(np.percentile(means[0], 2.5)), float(np.percentile(means[1], 97.5))


def share_interval(right: np.ndarray | int, of: np.ndarray | int) -> tuple[np.ndarray, np.ndarray]:
    """(low, high): Wilson's (1927) 95 % interval of a share, `right` of `of` independent answers; wide also at 0 and 1."""
    z = 1.959963984540054  # the normal distribution's 97.5 % quantile
    right, of = np.asarray(right, float), np.asarray(of, float)
    centre = (right + z * z / 2) / (of + z * z)
    half = z / (of + z * z) * np.sqrt(right * (of - right) / of + z * z / 4)
    low, high = np.clip(centre - half, 0.0, 1.0), np.clip(centre + half, 0.0, 1.0)
    return np.where(right == 0, 0.0, low), np.where(right == of, 1.0, high)  # there both are exact, and rounding is not


def by_speaker(y: np.ndarray, scores: np.ndarray, speakers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(y, score, speaker), one entry a speaker, whose score is the mean of the scores of the speaker's rows.

    For log-odds this mean combines the rows with equal weights. A row of an unknown speaker (None) counts as a speaker; a
    name under both labels counts as two speakers.
    """
    first: dict[tuple[object, object], list[int]] = {}
    for n, (speaker, label) in enumerate(zip(speakers, y, strict=True)):
        first.setdefault((n if speaker is None else speaker, label), []).append(n)
    rows = list(first.values())
    heads = np.array([r[0] for r in rows], int)
    return y[heads], np.array([scores[r].mean() for r in rows]), speakers[heads]


def best_threshold(values: np.ndarray, y: np.ndarray) -> float:
    """The threshold t for which "1 where value < t" has the highest balanced accuracy on these rows."""
    candidates = np.unique(values)
    candidates = np.concatenate([candidates, [candidates[-1] + 1.0]])
    return float(candidates[np.argmax([balanced_accuracy(y, (values < t).astype(int)) for t in candidates])])


def classification(y: np.ndarray, p: np.ndarray, speakers: np.ndarray, threshold: float = 0.5) -> dict[str, object]:
    """All the numbers of one evaluation as JSON values. y (N,), p (N,), speakers (N,) str or None."""
    predicted = (p > threshold).astype(int)
    right = (predicted == y).astype(float)
    return {
        "clips": len(y),
        "speakers": None if any(s is None for s in speakers) else len(set(speakers)),
        "accuracy": float(right.mean()),
        "balanced_accuracy": class_mean(right, y),
        "interval_95": list(class_mean_interval(right, y, speakers)),
        "male_right": int(((predicted == 1) & (y == 1)).sum()),
        "male": int((y == 1).sum()),
        "female_right": int(((predicted == 0) & (y == 0)).sum()),
        "female": int((y == 0).sum()),
    }
