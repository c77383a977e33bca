"""From a list of clips to tables on disk: measures every clip, and reports the ones that could not be.

For the command `features`. The contract: a bad clip becomes a line in failed.csv, never a row, and stops no other clip;
the tables are the same bytes for any number of workers; nothing is overwritten unless asked.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import joblib
import numpy as np

from features.audio import BadClip, read_clip
from features.corpora import SEXES, Utterance
from features.csv_files import guard, replace_file, write_csv
from features.recipes import TUTORIAL
from features.tables import features_path, rows_path, write_features, write_rows


@dataclass(frozen=True)
class Extraction:
    """What happened: rows written to each table, and (path, reason, message) of every clip that failed."""

    out: Path
    rows: dict[str, int]
    failed: list[tuple[str, str, str]]


def extract(
    utterances: Sequence[Utterance],
    out: str | Path,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    force: bool = False,
) -> Extraction:
    """Measure every utterance and write the tables of features into the folder `out`, with the recipe's stamp.

    Writes male_features.csv, female_features.csv (for split "test": male_test_features.csv, female_test_features.csv),
    a *_rows.csv beside each with paths relative to the folder that holds all clips, recipe.json, and failed.csv when
    clips failed. `jobs` workers (-1: one a core); `progress(done, total)` is called after each clip. `force` replaces
    an earlier run. Raises FileExistsError; ValueError when no clip of a sex is left.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    tables = {(sex, test): features_path(out, sex, test) for test in (False, True) for sex in SEXES}
    files = [f for table in tables.values() for f in (table, rows_path(table))]
    files += [out / "recipe.json", out / "failed.csv"]
    if not force and (standing := [f for f in files if f.exists()]):
        raise FileExistsError(f"{standing[0]} exists: choose another folder, or replace the earlier run with --force")
    _need_both_sexes(utterances, "there is")

    measured: list[tuple[Utterance, np.ndarray]] = []
    failed: list[tuple[str, str, str]] = []
    root = os.path.commonpath([os.path.dirname(os.path.abspath(u.path)) for u in utterances])  # not into a table
    work = joblib.Parallel(n_jobs=jobs, return_as="generator")(joblib.delayed(_measure)(u) for u in utterances)
    for done, (u, result) in enumerate(zip(utterances, work, strict=True), start=1):
        named = replace(u, path=Path(os.path.abspath(u.path)).relative_to(root))
        if isinstance(result, BadClip):
            failed.append((named.path.as_posix(), result.reason, result.detail))
        else:
            measured.append((named, result))
        if progress is not None:
            progress(done, len(utterances))
    why = ", ".join(f"{count} {reason}" for reason, count in Counter(f[1] for f in failed).most_common())
    first = f"; the first, {failed[0][0]}: {failed[0][2]}" if failed else ""
    _need_both_sexes([u for u, _ in measured], f"{len(failed)} of {len(utterances)} failed ({why}{first}), so there is")

    for file in files:  # tables of an earlier run must not stand beside those of this one
        file.unlink(missing_ok=True)
    counts = {}
    for (sex, test), path in tables.items():
        chosen = [(u, row) for u, row in measured if u.sex == sex and (u.split == "test") == test]
        if chosen:
            write_features(path, np.stack([row for _, row in chosen]), sex)
            write_rows(rows_path(path), [u for u, _ in chosen])
            counts[path.name] = len(chosen)
    replace_file(out / "recipe.json", json.dumps(TUTORIAL.stamp(), indent=2) + "\n")
    if failed:
        write_csv(
            out / "failed.csv", ("path", "reason", "message"), ([guard(cell) for cell in line] for line in failed)
        )
    return Extraction(out, counts, failed)


def _measure(utterance: Utterance) -> np.ndarray | BadClip:
    """One clip's row (111,), or what is wrong with it: returned, not raised, so that the other clips go on."""
    try:
        row = TUTORIAL.row(*read_clip(utterance.path, utterance.start_s, utterance.end_s))
    except BadClip as bad:
        return bad
    return row if np.isfinite(row).all() else BadClip("not_finite", utterance.path, "its features are not finite")


def _need_both_sexes(utterances: Sequence[Utterance], story: str) -> None:
    """Both sexes in the training tables, and in the test tables when there is anything to test."""
    for test in sorted({False} | {u.split == "test" for u in utterances}):
        for sex in SEXES:
            if not any(u.sex == sex and (u.split == "test") == test for u in utterances):
                raise ValueError(f"{story} no usable {sex} clip for the {'test' if test else 'training'} tables")
