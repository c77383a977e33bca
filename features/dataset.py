"""Voices in memory: the tables of both sexes joined, shuffled, split so that no speaker is on both sides, and scaled.

For training and evaluation. The contract: no speaker of the training part is in the test part; if the tables do not name
the speakers, a warning says that the test figure will be too good.
"""

import warnings
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Self

import numpy as np

from features import copies
from features.audio import SOUND_EXTENSIONS
from features.corpora import Utterance
from features.store import MANIFEST
from features.tables import features_path, read_features, read_rows, rows_path

LABELS = {"male": 1, "female": 0}


@dataclass(frozen=True)
class Voices:
    """N rows: features (N, 112) float64, labels (N,) int (male 1, female 0), and the origin of each row.

    speakers (N,) str, None if unknown; splits (N,) str, "" if the tables have none; paths (N,) str, "" if unknown; starts
    (N,) float64, where the row's sound starts in its file, in seconds.
    """

    features: np.ndarray
    labels: np.ndarray
    speakers: np.ndarray
    splits: np.ndarray
    paths: np.ndarray
    starts: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def names(self) -> list[str]:
        """The recording and the start of each row, or, if it is unknown, "male row 5" (counted from 0 in its table)."""
        counts = dict.fromkeys(LABELS.values(), 0)
        names = []
        for path, start, label in zip(self.paths, self.starts, self.labels.tolist(), strict=True):
            sex = "male" if label else "female"
            names.append(f"{path} at {start:g} s" if path and start else path or f"{sex} row {counts[label]}")
            counts[label] += 1
        return names

    def take(self, indices: np.ndarray) -> "Voices":
        """The rows at `indices` (or where a mask is True), in that order."""
        return Voices(*(getattr(self, field.name)[indices] for field in fields(self)))


def read_voices(folder: str | Path, test: bool = False) -> Voices:
    """The male rows, then the female rows, of a folder of tables; with `test`, of its *_test_* tables.

    Left out, with UserWarnings that count them: rows of the same numbers with both sexes, and copies of a row
    (`copies.left_out`). Raises FileNotFoundError, NotADirectoryError, BadTable; ValueError if no row of a sex is left.
    """
    if not all(features_path(folder, sex, test).is_file() for sex in LABELS):
        _refuse_what_is_no_table(Path(folder), test)
    voices = _joined([_of_one_sex(features_path(folder, sex, test), sex) for sex in LABELS])
    why = copies.left_out((row.tobytes() for row in voices.features), voices.labels, voices.splits)
    copies.tell(why, voices.names, folder)
    voices = voices.take(why == "")
    if missing := [sex for sex, label in LABELS.items() if label not in voices.labels]:
        raise ValueError(f"no {missing[0]} row of {folder} is left: all of them are in the table of the other sex too")
    return voices


def _refuse_what_is_no_table(folder: Path, test: bool) -> None:
    """Raise FileNotFoundError or NotADirectoryError: what the folder holds instead of tables, and what to do."""
    missing = next(path for sex in LABELS if not (path := features_path(folder, sex, test)).is_file())
    make = "`lstm-engine features RECORDINGS --out my_features` writes such tables; then name my_features"
    if folder.is_file():
        raise NotADirectoryError(
            f"{folder} is a file: name a folder with male_features.csv and female_features.csv. {make}"
        )
    if (folder / MANIFEST).is_file():
        other = "measured clips, but no test tables" if test else "frames (features --recipe frames), not tables"
        raise FileNotFoundError(f"{folder} holds {other}: there is no {missing.name}. {make}")
    sound = folder.is_dir() and any(p.suffix.lower() in SOUND_EXTENSIONS for p in islice(folder.rglob("*"), 10_000))
    if sound or (folder / "metadata.csv").is_file():
        raise FileNotFoundError(
            f"{folder} holds recordings, not features: measure them first with `lstm-engine features {folder} --out "
            "my_features`, then name my_features"
        )
    raise FileNotFoundError(f"{missing} does not exist: make it with `lstm-engine features`, or name another folder")


def shuffled(voices: Voices, seed: int) -> Voices:
    """The same rows in an order drawn from `seed`."""
    return voices.take(np.random.default_rng(seed).permutation(len(voices)))


def split_by_speaker(voices: Voices, fraction: float, seed: int) -> tuple[Voices, Voices]:
    """(train, held out): about `fraction` of the speakers of each sex are held out; no speaker is on both sides.

    If a row's speaker is unknown, its recording counts as a speaker (or the row, if that is unknown too), with a
    UserWarning. Raises ValueError if a side would have no speaker of one sex.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction {fraction}: expected more than 0 and less than 1")
    rng = np.random.default_rng(seed)
    _warn_if_unknown(voices)
    sexes: dict[tuple[str, object], set[int]] = {}  # the labels of each speaker's rows: a name may be in both tables
    keys = speaker_keys(voices.speakers, voices.paths)
    for key, label in zip(keys, voices.labels.tolist(), strict=True):
        sexes.setdefault(key, set()).add(label)
    held_out: set[tuple[str, object]] = set()
    for stratum in ({1}, {0}, {0, 1}):
        names = sorted((key for key, labels in sexes.items() if labels == stratum), key=repr)
        count = min(max(round(fraction * len(names)), 1), len(names) - 1)  # -1 without names: none is taken
        held_out.update(names[k] for k in rng.permutation(len(names))[: max(count, 0)])
    return _parted(voices, np.array([key in held_out for key in keys]))


def train_and_held_out(voices: Voices, fraction: float = 0.2, seed: int = 0) -> tuple[Voices, Voices]:
    """(train, held out) by the published split ("train" against all other names), or else by `split_by_speaker`.

    Raises ValueError if only some rows state a split, or if a speaker is on both sides of it.
    """
    names = set(voices.splits.tolist())
    if names in ({""}, {"train"}):
        return split_by_speaker(voices, fraction, seed)
    if "" in names or "train" not in names:
        raise ValueError(
            f"the split column holds {sorted(names)}: expected train and dev on every row, or no entry at all"
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
    """One key for each row; rows with equal keys must stay on one side of a split.

    The key is the speaker; if unknown (None) the recording's path; if that is unknown too, the row's number.
    """
    paths = np.full(len(speakers), "", object) if paths is None else paths
    return [
        ("speaker", speaker) if speaker is not None else ("recording", path) if path else ("row", n)
        for n, (speaker, path) in enumerate(zip(speakers, paths, strict=True))
    ]


def speaker_counts(labels: np.ndarray, speakers: np.ndarray, paths: np.ndarray | None = None) -> dict[str, int]:
    """{"male": speakers, "female": speakers}; unknown speakers are counted by their `speaker_keys`."""
    keys = speaker_keys(speakers, paths)
    return {sex: len({key for key, y in zip(keys, labels, strict=True) if y == label}) for sex, label in LABELS.items()}


def speaker_folds(
    labels: np.ndarray, speakers: np.ndarray, folds: int, seed: int, paths: np.ndarray | None = None
) -> np.ndarray:
    """(N,) int, the fold 0 to folds - 1 of each row: all rows of a speaker in one fold, the speakers of each sex evenly.

    If a row's speaker is unknown (None), its recording counts as a speaker, or the row if `paths` is not given. Raises
    ValueError for fewer than `folds` speakers of one sex.
    """
    keys = speaker_keys(speakers, paths)
    rng = np.random.default_rng(seed)
    fold: dict[tuple[str, object], int] = {}
    for sex, label in LABELS.items():
        of_sex = [key for key, y in zip(keys, labels.tolist(), strict=True) if y == label and key not in fold]
        names = sorted(set(of_sex), key=repr)
        if len(names) < folds:
            raise ValueError(f"{folds} folds need as many {sex} speakers; there are {len(names)}")
        fold |= {names[n]: k % folds for k, n in enumerate(rng.permutation(len(names)))}
    return np.array([fold[key] for key in keys])


@dataclass(frozen=True)
class Scaler:
    """Standardises columns to mean 0 and standard deviation 1 on the rows it was fitted on; a constant column becomes 0.

    `mean` and `scale` (the standard deviation, 0 for a constant column) have the shape of one row. Fit on the training
    rows only: the network must learn nothing about the others.
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, features: np.ndarray) -> Self:
        """The scaler of features (N, ...)."""
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
            counts = speaker_counts(voices.labels, voices.speakers, voices.paths)
            there = " and ".join(f"{count} {sex}" for sex, count in counts.items())
            raise ValueError(
                f"the {name} part has no {' and no '.join(missing)} voice: at least two speakers of each sex are needed, "
                f"and there are {there}"
            )
    return parts


def _warn_if_unknown(voices: Voices) -> None:
    if unknown := sum(speaker is None for speaker in voices.speakers):
        warnings.warn(
            f"the speaker of {unknown} of {len(voices)} rows is unknown, so the same person may be in the training and in "
            "the test part: the score on the held-out rows will be better than on new speakers",
            UserWarning,
            stacklevel=3,
        )
