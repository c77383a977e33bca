"""Clips in memory: the frames of one extraction, or of several by the same recipe, with the speaker of each clip.

For training and evaluation on sequences. The contract: numbers that were measured with different settings are never joined.
"""

import warnings
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from features import copies
from features.dataset import LABELS
from features.recipes import stamp_differences
from features.store import Store, open_store

VARIANTS = "variants"  # the folder inside an extraction's folder that holds its variants 1, 2, ...


@dataclass(frozen=True)
class Clips:
    """N clips: sequences, N arrays (T_n, D) float32 of the recipe's columns, and the facts about each clip.

    labels (N,) int (male 1, female 0); speakers (N,) str, None if unknown; splits (N,) str, "" if the corpus states none;
    paths (N,) str relative to the corpus; hashes (N,) str of the sound (audio.content_hash). columns: the D names. stamp:
    that of the recipe (`Recipe.stamp`).
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
        numbers = np.arange(len(self))[rows]
        facts = (getattr(self, field.name)[numbers] for field in fields(self)[1:6])  # labels to hashes
        return Clips([self.sequences[n] for n in numbers], *facts, self.columns, self.stamp)


def read_clips(*folders: str | Path) -> Clips:
    """The measured clips of the extractions in these folders, one folder after the other.

    Left out, with UserWarnings that count them: a sound with both sexes, and copies of a sound (`copies.left_out`).

    Raises FileNotFoundError for a folder without an extraction; ValueError if an extraction is damaged, if recipes,
    parameters or library versions differ, or if there is no clip.
    """
    stores = [open_store(folder) for folder in folders]
    for store in stores[1:]:
        _check_same(stores[0], store)
    measured = [(entry, frames) for store in stores for entry, frames in store.clips() if frames is not None]
    if not measured:
        raise ValueError(f"there is no measured clip in {' and '.join(map(str, folders)) or 'no folder at all'}")
    entries = [entry for entry, _ in measured]
    why = copies.left_out((e.sha256 for e in entries), (e.sex for e in entries), (e.split for e in entries))
    copies.tell(why, [entry.path for entry in entries], " and ".join(map(str, folders)))
    measured = [clip for clip, reason in zip(measured, why, strict=True) if not reason]
    if not measured:
        raise ValueError(
            f"no clip of {' and '.join(map(str, folders))} is left: every sound is labelled male and female"
        )
    entries = [entry for entry, _ in measured]
    return Clips(
        sequences=[np.asarray(frames, np.float32) for _, frames in measured],
        labels=np.array([LABELS[entry.sex] for entry in entries]),
        speakers=np.array([entry.speaker for entry in entries], object),
        splits=np.array([entry.split for entry in entries]),
        paths=np.array([entry.path for entry in entries]),
        hashes=np.array([entry.sha256 for entry in entries]),
        columns=stores[0].columns,
        stamp=stores[0].stamp,
    )


def variant_folder(folder: str | Path, variant: int) -> Path:
    """The folder of an extraction's clips (variant 0), or of its randomly changed copies (1, 2, ...)."""
    return Path(folder) / VARIANTS / str(variant) if variant else Path(folder)


def variants_in(folder: str | Path) -> list[int]:
    """The numbers of the variants in an extraction's folder."""
    return sorted(int(p.name) for p in (Path(folder) / VARIANTS).glob("*") if p.name.isdecimal())


def read_variants(folder: str | Path) -> list[Clips]:
    """[clips, variant 1, variant 2, ...] of an extraction (see `extraction.extract`); row n is the same clip in all of them.

    A clip that could not be measured in one variant is left out of all, with a UserWarning. Raises the errors of
    `read_clips`, and ValueError if a variant has other clips or other settings than the clips themselves.
    """
    folders = [Path(folder), *(variant_folder(folder, number) for number in variants_in(folder))]
    base = open_store(folder)
    for other in map(open_store, folders[1:]):
        differences = stamp_differences(_without_variant(base.stamp), _without_variant(other.stamp))
        if other.header["clips_sha256"] != base.header["clips_sha256"]:
            differences.append("another list of clips")
        if differences:
            raise ValueError(
                f"{other.folder} is not a variant of the clips that {folder} holds now ({'; '.join(differences)}): run the "
                "same `lstm-engine features` again, which measures what is missing, or remove it"
            )
    versions = [read_clips(folder) for folder in folders]
    keys = [list(zip(clips.paths, clips.hashes, strict=True)) for clips in versions]
    common = set(keys[0]).intersection(*keys[1:])
    kept = [clips.take(np.array([k in common for k in ks])) for clips, ks in zip(versions, keys, strict=True)]
    if count := len(versions[0]) - len(kept[0]):
        total = len(versions[0])
        warnings.warn(f"{count} of {total} clips could not be measured in every variant: left out", stacklevel=2)
    return kept


def _without_variant(stamp: dict[str, Any]) -> dict[str, Any]:
    return stamp | {"parameters": {k: v for k, v in stamp["parameters"].items() if k != "variant"}}


def _check_same(one: Store, other: Store) -> None:
    if differences := stamp_differences(one.stamp, other.stamp):
        raise ValueError(
            f"{one.folder} and {other.folder} were measured with different settings ({'; '.join(differences)}): extract one "
            "of them again"
        )
