"""Clips in memory: what one extraction or several of the same recipe measured, with who speaks in each.

For training and evaluation on sequences. The contract: numbers that were made differently never stand side by side.
"""

import warnings
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from features.dataset import LABELS
from features.recipes import stamp_differences
from features.store import Store, open_store

VARIANTS = "variants"  # the folder, in that of an extraction, of its variants: 1, 2, ...


@dataclass(frozen=True)
class Clips:
    """N clips: sequences, N arrays (T_n, D) float32 of the recipe's columns, and what is known of each.

    labels (N,) int (male 1, female 0), speakers (N,) str or None where unknown, splits (N,) str, "" where not given,
    paths (N,) str relative to the corpus, hashes (N,) str of the sound (see audio.content_hash). columns are D names,
    stamp is the recipe's.
    """

    sequences: list[np.ndarray]
    labels: np.ndarray
    speakers: np.ndarray
    splits: np.ndarray
    paths: np.ndarray
    hashes: np.ndarray
    columns: tuple[str, ...]
    stamp: dict[str, Any]

    def __len__(self) -> int:
        return len(self.sequences)

    def take(self, rows: np.ndarray) -> "Clips":
        """The clips at these row numbers (or where a mask is True), in that order."""
        at = np.arange(len(self))[rows]
        own = (getattr(self, field.name)[at] for field in fields(self)[1:6])
        return Clips([self.sequences[n] for n in at], *own, self.columns, self.stamp)


def read_clips(*folders: str | Path) -> Clips:
    """The clips that were measured, of the extractions in these folders, one after the other.

    Raises FileNotFoundError, ValueError: a folder without an extraction, a damaged one, extractions by different recipes,
    parameters or library versions, or no clip at all.
    """
    stores = [open_store(folder) for folder in folders]
    for store in stores[1:]:
        _check_same(stores[0], store)
    found = [(entry, frames) for store in stores for entry, frames in store.clips() if frames is not None]
    if not found:
        raise ValueError(f"there is no measured clip in {' and '.join(map(str, folders)) or 'no folder at all'}")
    entries = [entry for entry, _ in found]
    return Clips(
        sequences=[np.asarray(frames, np.float32) for _, frames in found],
        labels=np.array([LABELS[entry.sex] for entry in entries]),
        speakers=np.array([entry.speaker for entry in entries], object),
        splits=np.array([entry.split for entry in entries]),
        paths=np.array([entry.path for entry in entries]),
        hashes=np.array([entry.sha256 for entry in entries]),
        columns=stores[0].columns,
        stamp=stores[0].stamp,
    )


def variant_folder(folder: str | Path, variant: int) -> Path:
    """Where an extraction's clips are (variant 0), and where they are as changed for training (1, 2, ...)."""
    return Path(folder) / VARIANTS / str(variant) if variant else Path(folder)


def read_variants(folder: str | Path) -> list[Clips]:
    """The clips of an extraction, then its variants 1, 2, ... (see `recipes.frame_rows`), all row by row the same.

    A clip that could not be measured in one of them is left out of all, with a warning. Raises as `read_clips` does, and
    ValueError for variants of other clips or measured otherwise.
    """
    numbers = sorted(int(p.name) for p in (Path(folder) / VARIANTS).glob("*") if p.name.isdecimal())
    folders = [Path(folder), *(variant_folder(folder, number) for number in numbers)]
    base = open_store(folder)
    for other in map(open_store, folders[1:]):
        words = stamp_differences(_without_variant(base.stamp), _without_variant(other.stamp))
        if other.header["clips_sha256"] != base.header["clips_sha256"]:
            words.append("another list of clips")
        if words:
            raise ValueError(
                f"{other.folder} is no variant of what is in {folder} now ({'; '.join(words)}): remove it, or make all "
                "anew with `lstm-engine features --variants --force`"
            )
    found = [read_clips(one) for one in folders]
    keys = [list(zip(clips.paths, clips.hashes, strict=True)) for clips in found]
    common = set(keys[0]).intersection(*keys[1:])
    kept = [clips.take(np.array([key in common for key in own])) for clips, own in zip(found, keys, strict=True)]
    if lost := len(found[0]) - len(kept[0]):
        warnings.warn(f"{lost} of {len(found[0])} clips could not be measured in every variant: left out", stacklevel=2)
    return kept


def _without_variant(stamp: dict[str, Any]) -> dict[str, Any]:
    return stamp | {"parameters": {k: v for k, v in stamp["parameters"].items() if k != "variant"}}


def _check_same(one: Store, other: Store) -> None:
    if words := stamp_differences(one.stamp, other.stamp):
        raise ValueError(
            f"{one.folder} and {other.folder} were not measured alike ({'; '.join(words)}): extract one of them again"
        )
