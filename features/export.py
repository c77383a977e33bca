"""CSV tables made from a store: the tutorial's 113 columns or one line for each frame, and a table of the failed clips.

For people, spreadsheets, and the tutorial's own script. The contract: rows are in the store's order, each sound is there
once, training and test clips are in separate tables, and one shard is in memory at a time.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from features import copies
from features.corpora import SEXES, Utterance
from features.csv_files import guard, write_csv
from features.store import MANIFEST, Entry, Store, open_store
from features.tables import features_path, rows_path, write_features, write_rows
from features.whole_files import replace_file

KINDS = {"tutorial": "features", "frames": "frames"}  # the name of a recipe's tables: male_features.csv
TABLES = [(sex, test) for test in (False, True) for sex in SEXES]
FAILED, RECIPE = "failed.csv", "recipe.json"


def write_tables(store: Store, tables: bool) -> None:
    """Write failed.csv if clips failed, the tables with their *_rows.csv if `tables` is set, and recipe.json last.

    Raises ValueError if no clip is left, or for the tutorial's tables no clip of one sex.
    """
    recipe = store.header["recipe"]
    failed = [(entry.path, entry.reason or "", entry.message or "") for entry in store.manifest if entry.reason]
    why = ", ".join(f"{count} {reason}" for reason, count in Counter(f[1] for f in failed).most_common())
    first = f"; the first, {failed[0][0]}: {failed[0][2]}" if failed else ""
    opening = f"{len(failed)} of {store.header['clips']} failed ({why}{first}), so there is" if failed else "there is"
    out = _left_out(store)
    kept = (entry.utterance for n, entry in enumerate(store.manifest) if not entry.reason and n not in out)
    check_sexes(recipe, kept, opening)
    if failed:
        lines = ([guard(cell) for cell in line] for line in failed)
        write_csv(store.folder / FAILED, ("path", "reason", "message"), lines)
    if tables:
        for sex, test in _counts(store):
            path = table_path(store.folder, recipe, sex, test)
            if recipe == "tutorial":
                write_features(path, (rows[0] for _, rows in _chosen(store, sex, test)), sex)
            else:
                write_frames(path, store.columns, (rows for _, rows in _chosen(store, sex, test)), sex)
            write_rows(rows_path(path), (clip for clip, _ in _chosen(store, sex, test)))
    replace_file(store.folder / RECIPE, json.dumps(store.stamp, indent=2) + "\n")


def write_frames(path: Path, columns: Iterable[str], clips: Iterable[np.ndarray], sex: str) -> None:
    """Write clips, each (T, D), one line for each frame: row (the clip's number in *_rows.csv), frame, columns, label."""
    lines = (
        # NumPy's str of a float32 is the shortest text that gives the same number when read.
        (n, t, *map(str, frame), sex)
        for n, clip in enumerate(clips)
        for t, frame in enumerate(clip)
    )
    write_csv(path, ("row", "frame", *columns, "label"), lines)


def check_sexes(recipe: str, clips: Iterable[Utterance], opening: str) -> None:
    """Raise ValueError, a sentence that begins with `opening`, if there is no clip to write into a table.

    The tutorial's training tables need clips of both sexes, and so do its test tables if there are any.
    """
    present = {(clip.sex, clip.split == "test") for clip in clips}
    if recipe != "tutorial":
        if not present:
            raise ValueError(f"{opening} no usable clip")
        return
    for test in sorted({False} | {test for _, test in present}):
        for sex in SEXES:
            if (sex, test) not in present:
                raise ValueError(f"{opening} no usable {sex} clip for the {'test' if test else 'training'} tables")


def counts(store: Store) -> dict[str, int]:
    """{file name: number of clips} of the tables that exist; without tables, of the manifest."""
    clips = _counts(store)
    tables = {table_path(store.folder, store.header["recipe"], *key): n for key, n in clips.items()}
    return {path.name: n for path, n in tables.items() if path.exists()} or {MANIFEST: sum(clips.values())}


def is_complete(folder: Path, tables: bool) -> bool:
    """Whether every file that `write_tables` writes exists; recipe.json is written last."""
    try:
        store = open_store(folder)
    except (FileNotFoundError, ValueError):
        return False
    paths = [table_path(folder, store.header["recipe"], *key) for key in _counts(store)] if tables else []
    return all(path.exists() for path in [*paths, folder / RECIPE])


def remove(folder: Path) -> None:
    """Remove the manifest and all files that are made from it."""
    for path in [folder / MANIFEST, *existing(folder)]:
        path.unlink(missing_ok=True)


def existing(folder: Path) -> list[Path]:
    """The files in a folder that `write_tables` may have written, whatever the recipe."""
    tables = [table_path(folder, recipe, *key) for recipe in KINDS for key in TABLES]
    files = [*tables, *map(rows_path, tables), folder / RECIPE, folder / FAILED]
    return [path for path in dict.fromkeys(files) if path.exists()]


def table_path(folder: Path, recipe: str, sex: str, test: bool) -> Path:
    """folder/male_features.csv, folder/male_test_frames.csv."""
    path = features_path(folder, sex, test)
    return path.with_name(path.name.replace("features", KINDS[recipe]))


def _counts(store: Store) -> dict[tuple[str, bool], int]:
    """The number of clips for the tables of each (sex, whether they are test clips), in the order of TABLES."""
    out = _left_out(store)
    clips = Counter((e.sex, e.split == "test") for n, e in enumerate(store.manifest) if not e.reason and n not in out)
    return {key: clips[key] for key in TABLES if clips[key]}


def _chosen(store: Store, sex: str, test: bool) -> Iterator[tuple[Utterance, Any]]:
    out = _left_out(store)
    for n, (entry, rows) in enumerate(store.clips()):
        if rows is not None and n not in out and entry.sex == sex and (entry.split == "test") == test:
            yield entry.utterance, rows


def _left_out(store: Store) -> set[int]:
    """The numbers of the measured clips that no table has: sounds with both sexes, and copies (see `copies`).

    In memory are 64 bits of each hash, and the entries of those that are there twice.
    """

    def key(entry: Entry) -> int:
        return int(str(entry.sha256)[:16], 16)

    times = Counter(key(entry) for entry in store.manifest if not entry.reason)
    several = [(n, e) for n, e in enumerate(store.manifest) if not e.reason and times[key(e)] > 1]
    facts = [(e.sha256, e.sex, e.split) for _, e in several]
    why = copies.left_out(*zip(*facts, strict=True)) if facts else []
    return {n for (n, _), reason in zip(several, why, strict=True) if reason}
