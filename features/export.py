"""CSV tables of what a store holds: the tutorial's 113 columns, or one line a frame, and one of what failed.

For people, spreadsheets, and the tutorial's own script. The contract: rows stand in the store's order, training and test
clips in tables of their own, and one shard is in memory at a time.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from features.corpora import SEXES, Utterance
from features.csv_files import guard, write_csv
from features.store import MANIFEST, Store, open_store
from features.tables import features_path, rows_path, write_features, write_rows
from features.whole_files import replace_file

KINDS = {"tutorial": "features", "frames": "frames"}  # what a recipe's tables are called: male_features.csv
TABLES = [(sex, test) for test in (False, True) for sex in SEXES]
FAILED, RECIPE = "failed.csv", "recipe.json"


def write(store: Store, tables: bool) -> None:
    """Write recipe.json, failed.csv where clips failed, and the tables on request, each with its *_rows.csv.

    Raises ValueError when no clip, for the tutorial's tables of a sex, is left.
    """
    recipe = store.header["recipe"]
    failed = [(entry.path, entry.reason or "", entry.message or "") for entry in store.manifest if entry.reason]
    why = ", ".join(f"{count} {reason}" for reason, count in Counter(f[1] for f in failed).most_common())
    first = f"; the first, {failed[0][0]}: {failed[0][2]}" if failed else ""
    story = f"{len(failed)} of {store.header['clips']} failed ({why}{first}), so there is" if failed else "there is"
    check_sexes(recipe, (entry.utterance for entry in store.manifest if not entry.reason), story)
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
    """Write clips, each (T, D), as one line a frame: row (the clip's, in *_rows.csv), frame, the columns, label."""
    lines = (
        (n, t, *map(str, frame), sex)  # NumPy's str of a float32 is the shortest that reads back the same
        for n, clip in enumerate(clips)
        for t, frame in enumerate(clip)
    )
    write_csv(path, ("row", "frame", *columns, "label"), lines)


def check_sexes(recipe: str, clips: Iterable[Utterance], story: str) -> None:
    """ValueError when there is no clip; for the tutorial, when training or test tables would have one sex only."""
    there = {(clip.sex, clip.split == "test") for clip in clips}
    if recipe != "tutorial":
        if not there:
            raise ValueError(f"{story} no usable clip")
        return
    for test in sorted({False} | {test for _, test in there}):
        for sex in SEXES:
            if (sex, test) not in there:
                raise ValueError(f"{story} no usable {sex} clip for the {'test' if test else 'training'} tables")


def counts(store: Store) -> dict[str, int]:
    """Clips in each table that is there, by its name; where there is no table, in the manifest."""
    found = _counts(store)
    tables = {table_path(store.folder, store.header["recipe"], *key): n for key, n in found.items()}
    return {path.name: n for path, n in tables.items() if path.exists()} or {MANIFEST: sum(found.values())}


def is_complete(folder: Path, tables: bool) -> bool:
    """Whether everything that `write` makes is there. recipe.json is the last of it."""
    try:
        store = open_store(folder)
    except (FileNotFoundError, ValueError):
        return False
    wanted = [table_path(folder, store.header["recipe"], *key) for key in _counts(store)] if tables else []
    return all(path.exists() for path in [*wanted, folder / RECIPE])


def remove(folder: Path) -> None:
    """Remove the manifest and all that is made from it."""
    for path in [folder / MANIFEST, *standing(folder)]:
        path.unlink(missing_ok=True)


def standing(folder: Path) -> list[Path]:
    """What of all that `write` makes is in a folder."""
    tables = [table_path(folder, recipe, *key) for recipe in KINDS for key in TABLES]
    files = [*tables, *map(rows_path, tables), folder / RECIPE, folder / FAILED]
    return [path for path in dict.fromkeys(files) if path.exists()]


def table_path(folder: Path, recipe: str, sex: str, test: bool) -> Path:
    """folder/male_features.csv, folder/male_test_frames.csv."""
    path = features_path(folder, sex, test)
    return path.with_name(path.name.replace("features", KINDS[recipe]))


def _counts(store: Store) -> dict[tuple[str, bool], int]:
    """Clips that are not failed, by (sex, whether to test), in the order of TABLES."""
    found = Counter((entry.sex, entry.split == "test") for entry in store.manifest if not entry.reason)
    return {key: found[key] for key in TABLES if found[key]}


def _chosen(store: Store, sex: str, test: bool) -> Iterator[tuple[Utterance, Any]]:
    for entry, rows in store.clips():
        if rows is not None and entry.sex == sex and (entry.split == "test") == test:
            yield entry.utterance, rows
