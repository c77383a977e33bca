"""A CSV that lists every clip with its speaker and sex; also parses the same columns in other tables."""

import math
from dataclasses import replace
from pathlib import Path

from features.corpora.settling import with_stated_sex
from features.corpora.utterances import Utterance
from features.csv_files import BadTable, Sheet, read_sheet, unguard

COLUMNS = ("path", "speaker", "sex")
MISTAKEN = {"file": "path", "filename": "path", "file_name": "path", "gender": "sex", "speaker_id": "speaker"}
IN_A_FOLDER = "metadata.csv"


def fits(path: Path) -> bool:
    """Whether `path` is a .csv file, or a folder with a metadata.csv that has the columns, perhaps under wrong names."""
    if path.is_file():
        return path.suffix.lower() == ".csv"
    if not (path / IN_A_FOLDER).is_file():
        return False
    with (path / IN_A_FOLDER).open(encoding="utf-8-sig", errors="replace") as file:
        names = {name.strip(' "\n').lower() for name in file.readline().split(",")}
    return set(COLUMNS) <= {MISTAKEN.get(name, name) for name in names}


def read(path: Path) -> list[Utterance]:
    return table(path / IN_A_FOLDER if path.is_dir() else path)


def table(csv_path: str | Path) -> list[Utterance]:
    """Read a CSV with the columns path, speaker, sex and optionally split, start_s, end_s; other columns are ignored.

    Column names may be in any case, paths are relative to the CSV, m and f stand for male and female. Clips of another sex
    are left out, with a UserWarning that counts them. A clip without a file is kept, so that extraction reports it. Raises
    BadTable.
    """
    sheet = read_sheet(csv_path, COLUMNS, any_case=True, mistaken=MISTAKEN)
    utterances = with_stated_sex(parse_utterances(sheet), sheet.path)
    if not utterances:
        raise BadTable(sheet.path, "no row has the sex male or female", column="sex")
    utterances.sort(key=lambda u: (u.path.as_posix(), u.start_s))
    return [replace(u, path=sheet.path.parent / u.path) for u in utterances]


def parse_utterances(sheet: Sheet) -> list[Utterance]:
    """The rows of a sheet with columns path, speaker, sex (split, start_s, end_s), unchanged. Raises BadTable."""
    utterances = []
    for row, line in zip(sheet.dicts(), sheet.lines, strict=True):
        if not row["path"]:
            raise BadTable(sheet.path, "an empty cell where a path belongs", line, "path")
        times = {name: _seconds(row.get(name, ""), sheet.path, line, name) for name in ("start_s", "end_s")}
        start, end = times["start_s"] or 0.0, times["end_s"]
        if end is not None and end <= start:
            raise BadTable(sheet.path, f"the clip ends at {end} s but starts at {start} s", line, "end_s")
        path, speaker = Path(unguard(row["path"])), unguard(row["speaker"]) or None
        split = row.get("split", "").strip().lower()
        utterances.append(Utterance(path, speaker, row["sex"].strip().lower(), split, start, end))
    return utterances


def _seconds(cell: str, path: Path, line: int, column: str) -> float | None:
    if not cell.strip():
        return None
    try:
        seconds = float(cell)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise BadTable(path, f"{cell!r} where a time in seconds belongs", line, column)
    return seconds
