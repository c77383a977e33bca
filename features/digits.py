"""Spoken digits as sequences: the UCI "Spoken Arabic Digit" corpus in memory, with the speaker and the split of each clip.

For `lstm-engine train --task digits`. The contract: a folder with sad.npz and metadata.csv becomes one `Digits`; no speaker
is on both sides of the published split; every error names the file, and the line or the array.
"""

import zipfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from features.csv_files import BadTable, read_sheet

FRAMES, METADATA = "sad.npz", "metadata.csv"
COLUMNS = {"digit": tuple("0123456789"), "sex": ("female", "male"), "split": ("train", "test")}


@dataclass(frozen=True)
class Digits:
    """N clips: sequences, N arrays (T_n, D) float32 of D coefficients per frame, and the facts about each clip.

    digits (N,) int 0 to 9, sexes (N,) int (male 1, female 0), speakers (N,) str, splits (N,) str, "train" or "test".
    """

    sequences: list[np.ndarray]
    digits: np.ndarray
    sexes: np.ndarray
    speakers: np.ndarray
    splits: np.ndarray

    def __len__(self) -> int:
        return len(self.sequences)

    def take(self, rows: np.ndarray) -> "Digits":
        """The clips at these row numbers (or where a mask is True), in that order."""
        numbers = np.arange(len(self))[rows]
        facts = (self.digits, self.sexes, self.speakers, self.splits)
        return Digits([self.sequences[n] for n in numbers], *(column[numbers] for column in facts))


def read_digits(folder: str | Path) -> Digits:
    """Read the clips of a folder: row i of metadata.csv (speaker, sex, split, digit) is frames[offsets[i]:offsets[i+1]].

    Raises FileNotFoundError, BadTable (a wrong cell), ValueError (a wrong array).
    """
    folder = Path(folder)
    if missing := [name for name in (FRAMES, METADATA) if not (folder / name).is_file()]:
        raise FileNotFoundError(
            f"{folder} has no {' and no '.join(missing)}: name the folder of the Spoken Arabic Digit corpus (UCI Machine "
            f"Learning Repository), with {FRAMES} (frames, offsets) and {METADATA} (speaker, sex, split, digit); see "
            "docs/digits.md"
        )
    sheet = read_sheet(folder / METADATA, ("speaker", *COLUMNS))
    rows = sheet.dicts()
    if not rows:
        raise BadTable(sheet.path, "a header, but no rows")
    for row, line in zip(rows, sheet.lines, strict=True):
        for column, allowed in COLUMNS.items():
            if row[column] not in allowed:
                raise BadTable(sheet.path, f"expected {', '.join(allowed)}, got {row[column]!r}", line, column)
        if not row["speaker"]:
            raise BadTable(sheet.path, "the speaker is missing", line, "speaker")
    first: dict[str, tuple[str, str]] = {}
    for row, line in zip(rows, sheet.lines, strict=True):
        stated = first.setdefault(row["speaker"], (row["sex"], row["split"]))
        for column, before in zip(("sex", "split"), stated, strict=True):
            if row[column] != before:
                problem = f"speaker {row['speaker']!r} is {before} above, here {row[column]}"
                raise BadTable(sheet.path, problem, line, column)
    frames, offsets = _arrays(folder / FRAMES, len(rows))
    return Digits(
        sequences=[frames[start:end] for start, end in pairwise(offsets)],
        digits=np.array([int(row["digit"]) for row in rows]),
        sexes=np.array([COLUMNS["sex"].index(row["sex"]) for row in rows]),
        speakers=np.array([row["speaker"] for row in rows]),
        splits=np.array([row["split"] for row in rows]),
    )


def published_split(clips: Digits, folder: str | Path) -> tuple[Digits, Digits]:
    """(train, test): the clips of the training speakers and of the test speakers.

    Raises ValueError, which names the folder, if a side has no speaker of one sex.
    """
    train, test = (clips.take(clips.splits == split) for split in COLUMNS["split"])
    for part, name in ((train, "training"), (test, "test")):
        if len(present := set(part.sexes.tolist())) < 2:
            sexes = " and ".join(COLUMNS["sex"][sex] for sex in present) or "no"
            raise ValueError(f"{folder} has {sexes} {name} speakers: both sexes are needed on both sides")
    return train, test


def speaker_folds(clips: Digits, folds: int, seed: int = 0) -> np.ndarray:
    """(N,) int, the fold 0 to folds - 1 of each clip: all clips of a speaker in one fold, the speakers of each sex evenly.

    Raises ValueError if one sex has fewer speakers than there are folds.
    """
    fold, rng = np.zeros(len(clips), int), np.random.default_rng(seed)
    for sex, name in enumerate(COLUMNS["sex"]):
        speakers = np.unique(clips.speakers[clips.sexes == sex])
        if len(speakers) < folds:
            raise ValueError(f"{folds} folds need at least as many {name} speakers, got {len(speakers)}")
        for n, speaker in enumerate(rng.permutation(speakers)):
            fold[clips.speakers == speaker] = n % folds
    return fold


def _arrays(path: Path, clips: int) -> tuple[np.ndarray, np.ndarray]:
    """Read and check frames (M, D) float32 and offsets (clips + 1,). Pickled arrays are refused."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            frames, offsets = stored["frames"], stored["offsets"]
    except (KeyError, ValueError, OSError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not an .npz with the arrays frames and offsets: {error}") from None
    if frames.ndim != 2 or frames.dtype.kind != "f" or offsets.ndim != 1 or offsets.dtype.kind not in "iu":
        raise ValueError(
            f"{path}: expected frames (M, D) of floats and offsets (N + 1,) of integers, got frames {frames.shape} of "
            f"{frames.dtype} and offsets {offsets.shape} of {offsets.dtype}"
        )
    if len(offsets) != clips + 1:
        raise ValueError(f"{path} holds {len(offsets) - 1} clips, but {METADATA} has {clips} rows")
    steps = np.diff(offsets.astype(np.int64))
    if offsets[0] != 0 or offsets[-1] != len(frames) or (steps < 1).any():
        raise ValueError(
            f"{path}: offsets must rise from 0 to {len(frames)}, the number of frames; they run from {offsets[0]} to "
            f"{offsets[-1]}, and the shortest clip has {steps.min()} frames"
        )
    if (bad := ~np.isfinite(frames).all(axis=1)).any():
        clip = int(np.searchsorted(offsets, np.argmax(bad), side="right")) - 1
        raise ValueError(f"{path}: frames of clip {clip} (counted from 0) hold NaN or infinity")
    return frames.astype(np.float32, copy=False), offsets
