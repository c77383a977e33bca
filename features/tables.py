"""The tables on disk: the tutorial's 113 columns in each row, and a second table with the origin of each row.

For everything between extraction and training. The contract: the numbers that are read are complete and finite, or a
`BadTable` names the file, the line and the column of the error.
"""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from features.corpora import Utterance, parse_utterances
from features.csv_files import BadTable, guard, read_sheet, write_csv
from features.recipes import TUTORIAL_COLUMNS, with_index

LARGEST = 1e6  # of a pitch in Hz or of an MFCC: a larger number is damage, and would dominate its column's spread
INDEX_NAMES = ("", "Unnamed: 0")  # pandas's name for the index, and its name once the table was read and saved again
ROWS_COLUMNS = ("row", "path", "speaker", "sex", "split", "start_s", "end_s")


def features_path(folder: str | Path, sex: str, test: bool = False) -> Path:
    """folder/male_features.csv, or male_test_features.csv for the test clips."""
    return Path(folder) / f"{sex}{'_test' if test else ''}_features.csv"


def rows_path(features: str | Path) -> Path:
    """The table of origins for a table of features or frames: male_features.csv -> male_rows.csv."""
    return Path(features).with_name(Path(features).name.rpartition("_")[0] + "_rows.csv")


def write_features(path: str | Path, rows: Iterable[np.ndarray], sex: str) -> None:
    """Write rows, each (111,), in the tutorial's columns: an unnamed index (0 on every row), pitch, mfcc1-110, label.

    Raises ValueError for a row of another shape, or with NaN or infinity.
    """

    def lines() -> Iterator[list[object]]:
        for n, row in enumerate(rows):
            if np.shape(row) != (len(TUTORIAL_COLUMNS),):
                raise ValueError(f"row {n} has shape {np.shape(row)}; expected ({len(TUTORIAL_COLUMNS)},)")
            if not np.isfinite(row).all():
                raise ValueError(f"row {n} holds NaN or infinity")
            yield [0, *np.asarray(row, float).tolist(), sex]

    write_csv(path, ("", *TUTORIAL_COLUMNS, "label"), lines())


def read_features(path: str | Path, sex: str) -> np.ndarray:
    """Features (N, 112) float64 of a table whose label is `sex` on every row. Raises BadTable.

    Column 0 is the tutorial's index. It is set to 0 on every row, whatever the file has: a row's number is not a feature.
    """
    columns = (*TUTORIAL_COLUMNS, "label")
    sheet = read_sheet(path, required=columns)
    if unknown := [name for name in sheet.header if name not in (*columns, *INDEX_NAMES)]:
        raise BadTable(path, "this column does not belong to the tutorial's recipe", 1, unknown[0])
    if not sheet.rows:
        raise BadTable(path, "a header, but no rows")
    order = [sheet.header.index(name) for name in TUTORIAL_COLUMNS]
    label = sheet.header.index("label")
    table = np.empty((len(sheet.rows), len(TUTORIAL_COLUMNS)))  # (N, 111)
    for n, (cells, line) in enumerate(zip(sheet.rows, sheet.lines, strict=True)):
        if cells[label] != sex:
            raise BadTable(path, f"the label is {cells[label]!r} where {sex!r} belongs", line, "label")
        numbers = [cells[k] for k in order]
        try:
            table[n] = list(map(float, numbers))
        except ValueError:
            table[n] = math.nan
        if not (np.abs(table[n]) < LARGEST).all() or any("_" in x for x in numbers):  # search for the wrong cell
            column, cell = next((c, x) for c, x in zip(TUTORIAL_COLUMNS, numbers, strict=True) if not _is_number(x))
            what = f"{cell!r} where a finite number below {LARGEST:,.0f} belongs" if cell else "an empty cell"
            what += ": write decimal points, not commas" if "," in cell else ""
            raise BadTable(path, what, line, column)
    return with_index(table)


def write_rows(path: str | Path, utterances: Iterable[Utterance]) -> None:
    """Write the origin of each row: row, path, speaker, sex, split, start_s, end_s (empty: to the end of the file)."""
    rows = (
        (
            n,
            guard(u.path.as_posix()),
            guard(u.speaker or ""),
            u.sex,
            u.split,
            u.start_s,
            "" if u.end_s is None else u.end_s,
        )
        for n, u in enumerate(utterances)
    )
    write_csv(path, ROWS_COLUMNS, rows)


def read_rows(path: str | Path, sex: str, count: int) -> list[Utterance] | None:
    """Read the origins that `write_rows` wrote for the `count` rows of one sex's table; None if there is no such file.

    Raises BadTable, also if the file does not fit the table of features.
    """
    if not Path(path).exists():
        return None
    sheet = read_sheet(path, required=ROWS_COLUMNS)
    utterances = parse_utterances(sheet)
    if len(utterances) != count:
        raise BadTable(
            path, f"{len(utterances)} rows, but {count} rows of features: one of the two files is not of this run"
        )
    for n, (row, u, line) in enumerate(zip(sheet.dicts(), utterances, sheet.lines, strict=True)):
        if row["row"] != str(n):
            raise BadTable(path, f"{row['row']!r} where {n} was expected", line, "row")
        if u.sex != sex:
            raise BadTable(path, f"{u.sex!r} in the table of {sex} voices", line, "sex")
    return utterances


def _is_number(cell: str) -> bool:
    try:
        return abs(float(cell)) < LARGEST and "_" not in cell  # Python reads 1_000 as a number
    except ValueError:
        return False
