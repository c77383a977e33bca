"""How good a classifier is, with what chance leaves open: balanced accuracy, its interval, agreement, a baseline.

Labels are 0 and 1; p is the probability of 1. For reports; nothing here trains anything.
"""

import numpy as np


def balanced_accuracy(y: np.ndarray, predicted: np.ndarray) -> float:
    """The mean of the two classes' shares of right answers: guessing gives 0.5 whatever the classes' sizes."""
    return float(np.mean([(predicted[y == k] == k).mean() for k in (0, 1)]))


def balanced_accuracy_interval(
    y: np.ndarray, predicted: np.ndarray, speakers: np.ndarray, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile bootstrap interval, drawing speakers (with all their rows) within each class (Efron 1979).

    A speaker's rows are alike, so speakers are drawn, not rows; a speaker of None counts as one speaker a row. A class
    with a single speaker says nothing about others: (0, 1) then. All answers right gives (1, 1), the bootstrap's limit.
    """
    names = np.array([f"row {n}" if s is None else f"speaker {s}" for n, s in enumerate(speakers)])
    right = (predicted == y).astype(float)
    rng = np.random.default_rng(seed)
    recalls = []
    for k in (0, 1):
        _, owner = np.unique(names[y == k], return_inverse=True)  # (rows of class k,)
        if owner.max() == 0:
            return 0.0, 1.0
        rows, rights = np.bincount(owner), np.bincount(owner, weights=right[y == k])  # (speakers,)
        drawn = rng.integers(0, len(rows), (draws, len(rows)))  # (draws, speakers)
        recalls.append(rights[drawn].sum(axis=1) / rows[drawn].sum(axis=1))
    low, high = np.percentile((recalls[0] + recalls[1]) / 2, [2.5, 97.5])
    return float(low), float(high)


def best_threshold(values: np.ndarray, y: np.ndarray) -> float:
    """The threshold t for which "1 where value < t" has the highest balanced accuracy on these rows."""
    candidates = np.unique(values)
    candidates = np.concatenate([candidates, [candidates[-1] + 1.0]])
    return float(candidates[np.argmax([balanced_accuracy(y, (values < t).astype(int)) for t in candidates])])


def classification(y: np.ndarray, p: np.ndarray, speakers: np.ndarray, threshold: float = 0.5) -> dict[str, object]:
    """All the numbers of one evaluation as JSON values. y (N,), p (N,), speakers (N,) str or None."""
    predicted = (p > threshold).astype(int)
    low, high = balanced_accuracy_interval(y, predicted, speakers)
    return {
        "clips": len(y),
        "speakers": None if any(s is None for s in speakers) else len(set(speakers)),
        "accuracy": float((predicted == y).mean()),
        "balanced_accuracy": balanced_accuracy(y, predicted),
        "interval_95": [low, high],
        "male_right": int(((predicted == 1) & (y == 1)).sum()),
        "male": int((y == 1).sum()),
        "female_right": int(((predicted == 0) & (y == 0)).sum()),
        "female": int((y == 0).sum()),
    }
