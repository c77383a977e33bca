"""Voices in memory: the tables of both sexes joined, shuffled, split so that no speaker is on both sides, and scaled.

For training and evaluation. The contract: whoever is heard in training is not heard in the test; where the tables do
not say who speaks, a warning says what the figure is then worth.
"""

import warnings
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np

from features.corpora import Utterance
from features.tables import features_path, read_features, read_rows, rows_path

LABELS = {"male": 1, "female": 0}


@dataclass(frozen=True)
class Voices:
    """N rows: features (N, 112) float64, labels (N,) int (male 1, female 0), and where each row comes from.

    speakers (N,) str or None where unknown; splits (N,) str, "" where not given; paths (N,) str, "" where unknown, and
    starts (N,) float64 in seconds.
    """

    features: np.ndarray
    labels: np.ndarray
    speakers: np.ndarray
    splits: np.ndarray
    paths: np.ndarray
    starts: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray) -> "Voices":
        """The rows at `indices` (or where a mask is True), in that order."""
        return Voices(*(getattr(self, field.name)[indices] for field in fields(self)))


def read_voices(folder: str | Path, test: bool = False) -> Voices:
    """The male rows, then the female rows, of a folder of tables; `test` takes its *_test_* tables.

    Raises FileNotFoundError, BadTable.
    """
    if Path(folder).is_file():
        raise NotADirectoryError(
            f"{folder} is a file: name the folder with male_features.csv and female_features.csv in it"
        )
    return _joined([_of_one_sex(features_path(folder, sex, test), sex) for sex in LABELS])


def shuffled(voices: Voices, seed: int) -> Voices:
    """The same rows in an order drawn from `seed`."""
    return voices.take(np.random.default_rng(seed).permutation(len(voices)))


def split_by_speaker(voices: Voices, fraction: float, seed: int) -> tuple[Voices, Voices]:
    """(train, held out): about `fraction` of the speakers of each sex held out, no speaker on both sides.

    Where the speaker is unknown a recording stands for one (a row, where that is unknown too), with a UserWarning.
    Raises ValueError when either side would be without one of the sexes.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction {fraction}: expected more than 0 and less than 1")
    rng = np.random.default_rng(seed)
    _warn_if_unknown(voices)
    sexes: dict[tuple[str, object], set[int]] = {}  # what each speaker's rows are labelled: a name may stand in both
    keys = speaker_keys(voices.speakers, voices.paths)
    for key, label in zip(keys, voices.labels.tolist(), strict=True):
        sexes.setdefault(key, set()).add(label)
    held_out: set[tuple[str, object]] = set()
    for stratum in ({1}, {0}, {0, 1}):
        names = sorted((key for key, labels in sexes.items() if labels == stratum), key=repr)
        count = min(max(round(fraction * len(names)), 1), len(names) - 1)  # -1 where there is none, and takes none
        held_out.update(names[k] for k in rng.permutation(len(names))[: max(count, 0)])
    return _parted(voices, np.array([key in held_out for key in keys]))


def train_and_held_out(voices: Voices, fraction: float = 0.2, seed: int = 0) -> tuple[Voices, Voices]:
    """(train, held out), as the corpus publishes it ("train" against any other name) or else `split_by_speaker`.

    Raises ValueError for a split that is filled in for some rows only, or that has a speaker on both sides.
    """
    names = set(voices.splits.tolist())
    if names in ({""}, {"train"}):
        return split_by_speaker(voices, fraction, seed)
    if "" in names or "train" not in names:
        raise ValueError(
            f"the split column says {sorted(names)}: expected train and dev on every row, or nothing at all"
        )
    held_out = voices.splits != "train"
    both = {s for s in voices.speakers[held_out] if s is not None} & set(voices.speakers[~held_out])
    if both:
        raise ValueError(
            f"the split column has speaker {min(both)!r} in train and outside it ({len(both)} such speakers)"
        )
    _warn_if_unknown(voices)
    return _parted(voices, held_out)


def speaker_keys(speakers: np.ndarray, paths: np.ndarray | None = None) -> list[tuple[str, object]]:
    """What must not be torn apart: the speaker, where unknown (None) the recording, where its path is unknown the row."""
    paths = np.full(len(speakers), "", object) if paths is None else paths
    return [
        ("speaker", speaker) if speaker is not None else ("recording", path) if path else ("row", n)
        for n, (speaker, path) in enumerate(zip(speakers, paths, strict=True))
    ]


def fewest_speakers(labels: np.ndarray, speakers: np.ndarray, paths: np.ndarray | None = None) -> int:
    """How many speakers the sex with fewer of them has; unknown ones are counted as `speaker_keys` has them."""
    keys = speaker_keys(speakers, paths)
    return min(len({k for k, own in zip(keys, labels, strict=True) if own == label}) for label in LABELS.values())


def speaker_folds(
    labels: np.ndarray, speakers: np.ndarray, folds: int, seed: int, paths: np.ndarray | None = None
) -> np.ndarray:
    """(N,) int, the fold 0 to folds - 1 of each row: a speaker's rows in one fold, the speakers of each sex spread evenly.

    Where the speaker is unknown (None) the recording stands for one, by its path, or the row where paths are not given.
    Raises ValueError for fewer than `folds` speakers of a sex.
    """
    keys = speaker_keys(speakers, paths)
    rng = np.random.default_rng(seed)
    fold: dict[tuple[str, object], int] = {}
    for sex, label in LABELS.items():
        of_sex = [key for key, own in zip(keys, labels.tolist(), strict=True) if own == label and key not in fold]
        names = sorted(set(of_sex), key=repr)
        if len(names) < folds:
            raise ValueError(f"{folds} folds need as many {sex} speakers; there are {len(names)}")
        fold |= {names[n]: k % folds for k, n in enumerate(rng.permutation(len(names)))}
    return np.array([fold[key] for key in keys])


@dataclass(frozen=True)
class Scaler:
    """Brings every column to mean 0 and spread 1, by the rows it was fitted on; a column of zero spread becomes 0.

    `mean` and `scale` (the standard deviation, 0 where there is no spread) have the shape of one row. Fit on the
    training rows only: the others must not tell the network anything.
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, features: np.ndarray) -> Self:
        """From features (N, ...)."""
        spread = np.ptp(features, axis=0) > 0  # the standard deviation of a constant column may round to 1e-17
        return cls(features.mean(axis=0), np.where(spread, features.std(axis=0), 0.0))

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """(features - mean) / scale, float64 of the same shape."""
        centred = np.asarray(features, float) - self.mean
        scaled: np.ndarray = np.divide(
            centred, self.scale, out=np.zeros_like(centred), where=np.asarray(self.scale) > 0
        )
        return scaled


def _of_one_sex(path: Path, sex: str) -> Voices:
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: make it with `lstm-engine features`, or name another folder")
    table = read_features(path, sex)  # (N, 112)
    rows = read_rows(rows_path(path), sex, len(table)) or [Utterance(Path(), None, sex)] * len(table)
    return Voices(
        features=table,
        labels=np.full(len(table), LABELS[sex]),
        speakers=np.array([u.speaker for u in rows], object),
        splits=np.array([u.split for u in rows], object),
        paths=np.array(["" if u.path == Path() else u.path.as_posix() for u in rows], object),
        starts=np.array([u.start_s for u in rows], float),
    )


def _joined(parts: list[Voices]) -> Voices:
    return Voices(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Voices)))


def _parted(voices: Voices, held_out: np.ndarray) -> tuple[Voices, Voices]:
    parts = voices.take(~held_out), voices.take(held_out)
    for part, name in zip(parts, ("training", "held-out"), strict=True):
        if missing := [sex for sex, label in LABELS.items() if label not in part.labels]:
            raise ValueError(
                f"the {name} part has no {' and no '.join(missing)} voice: at least two speakers of each sex are needed"
            )
    return parts


def _warn_if_unknown(voices: Voices) -> None:
    if unknown := sum(speaker is None for speaker in voices.speakers):
        warnings.warn(
            f"the speaker of {unknown} of {len(voices)} rows is unknown, so the same person may be heard in training "
            "and in the test: the figure on the held-out rows will be better than on new voices",
            UserWarning,
            stacklevel=3,
        )
