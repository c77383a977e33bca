"""A CSV that lists every clip with its speaker and sex, as spreadsheets save it; also parses the columns in other tables."""

import math
import os
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from features.corpora.notes import note
from features.corpora.settling import PART_WORDS, PARTS, of_one_sex, some, with_stated_sex
from features.corpora.utterances import Utterance, child
from features.csv_files import BadTable, Sheet, read_sheet, unguard

COLUMNS = ("path", "speaker", "sex")
OPTIONAL = ("split", "start_s", "end_s")
MISTAKEN = dict.fromkeys(
    ("file", "filename", "file_name", "file name", "filepath", "file_path", "wav", "audio"), "path"
)
MISTAKEN |= {"gender": "sex"} | dict.fromkeys(
    ("speaker_id", "speaker id", "speakerid", "spk", "spk_id", "name"), "speaker"
)
MISTAKEN |= dict.fromkeys(("set", "subset", "partition", "part"), "split")
MISTAKEN |= dict.fromkeys(
    ("start", "begin", "start_time", "start time", "start_ms", "start (s)", "onset", "from"), "start_s"
)
MISTAKEN |= dict.fromkeys(("end", "stop", "end_time", "end time", "end_ms", "end (s)", "offset", "to"), "end_s")
ENDINGS = (".csv", ".tsv", ".txt")
IN_A_FOLDER = "metadata.csv"


def fits(path: Path) -> bool:
    """Whether `path` is a table by its ending, or a folder with a metadata.csv that has the columns, perhaps misnamed."""
    if path.is_file():
        return path.suffix.lower() == ".csv" or (path.suffix.lower() in ENDINGS and names_columns(path))
    inside = child(path, IN_A_FOLDER)
    return inside is not None and names_columns(inside)


def names_columns(path: Path) -> bool:
    """Whether a file's header names path, speaker and sex, perhaps by other names. Any file may be asked."""
    try:
        sheet = read_sheet(path, any_case=True)
    except (BadTable, OSError):
        return False
    return set(COLUMNS) <= {MISTAKEN.get(name, name) for name in sheet.header}


def read(path: Path) -> list[Utterance]:
    return table(child(path, IN_A_FOLDER) or path / IN_A_FOLDER if path.is_dir() else path)


def table(csv_path: str | Path) -> list[Utterance]:
    r"""Read a CSV with the columns path, speaker, sex and optionally split, start_s, end_s; other columns are ignored.

    Column names and words may be in any case. Paths are relative to the CSV; where there is no such file, \ separates
    folders too, blanks around a path are dropped, and its case does not count. Split: train, dev or test, in the words of
    PART_WORDS, on every row or on none. A clip without a file is kept, so that extraction reports it. Left out, each with a
    UserWarning: clips of another sex, speakers with both sexes, a recording that is listed under both, and rows that repeat
    one. Raises BadTable.
    """
    sheet = read_sheet(csv_path, COLUMNS, any_case=True, mistaken=MISTAKEN)
    _warn_of_misnamed(sheet)
    rows = parse_utterances(sheet)
    _check_splits(sheet)
    rows = [replace(u, split=PART_WORDS.get(u.split, ""), speaker=(u.speaker or "").strip() or None) for u in rows]
    found = _Finder(sheet.path.parent)
    rows = [replace(u, path=found(u.path)) for u in with_stated_sex(rows, sheet.path)]
    if not rows:
        raise BadTable(
            sheet.path, "no row is male or female: write these words, or m and f, man and woman", column="sex"
        )
    rows = _each_once(of_one_sex(rows, sheet.path), sheet.path)
    if not rows:
        raise BadTable(sheet.path, "no row is left: every speaker or recording is listed as male and as female")
    return sorted(rows, key=lambda u: (u.path.as_posix(), u.start_s))


def column(path: Path, name: str) -> dict[Path, str]:
    """{recording: its cell in a column} of the table that `read` reads; the name in any case. Raises BadTable.

    A recording may have several rows, but one value.
    """
    source = child(path, IN_A_FOLDER) or path / IN_A_FOLDER if path.is_dir() else path
    sheet = read_sheet(source, COLUMNS, any_case=True, mistaken=MISTAKEN)
    wanted = name.strip().lower()
    if wanted not in sheet.header:
        raise BadTable(
            sheet.path, f"there is no column {name!r} to group by: the columns are {', '.join(sheet.header)}"
        )
    found, cells = _Finder(sheet.path.parent), {}
    for row, line in zip(sheet.dicts(), sheet.lines, strict=True):
        recording, cell = found(Path(unguard(row["path"]))), unguard(row[wanted]).strip()
        if cells.setdefault(recording, cell) != cell:
            both = f"{cells[recording]!r} and {cell!r}"
            raise BadTable(
                sheet.path, f"{row['path']} has two values, {both}: clips are grouped by recording", line, wanted
            )
    return cells


def parse_utterances(sheet: Sheet) -> list[Utterance]:
    """The rows of a sheet with columns path, speaker, sex (split, start_s, end_s), unchanged. Raises BadTable."""
    utterances = []
    for row, line in zip(sheet.dicts(), sheet.lines, strict=True):
        if not row["path"].strip():
            raise BadTable(sheet.path, "an empty cell where a path belongs", line, "path")
        times = {name: _seconds(row.get(name, ""), sheet, line, name) for name in ("start_s", "end_s")}
        start, end = times["start_s"] or 0.0, times["end_s"]
        if end is not None and end <= start:
            raise BadTable(sheet.path, f"the clip ends at {end} s but starts at {start} s", line, "end_s")
        path, speaker = Path(unguard(row["path"])), unguard(row["speaker"]) or None
        split = row.get("split", "").strip().lower()
        utterances.append(Utterance(path, speaker, row["sex"].strip().lower(), split, start, end))
    return utterances


def _seconds(cell: str, sheet: Sheet, line: int, column: str) -> float | None:
    if not cell.strip():
        return None
    try:
        seconds = float(cell.replace(",", ".") if sheet.separator != "," else cell)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise BadTable(sheet.path, f"{cell!r} where a time in seconds belongs, such as 1.5", line, column)
    return seconds


def _warn_of_misnamed(sheet: Sheet) -> None:
    """An optional column under another name is not read, which must be said: the split would be drawn by chance."""
    for name in sheet.header:
        if (meant := MISTAKEN.get(name)) in OPTIONAL and meant not in sheet.header:
            seconds = ", and write seconds" if meant.endswith("_s") else ""
            says = f"the column {name!r} is not read; if it holds {meant}, call it {meant!r}{seconds}"
            note(sheet.path, "column_not_read", 1, says)


def _check_splits(sheet: Sheet) -> None:
    """Raise BadTable for a word that is no part. A UserWarning says so if `train` will not take the split."""
    cells = [(line, row.get("split", "").strip()) for line, row in zip(sheet.lines, sheet.dicts(), strict=True)]
    for line, cell in cells:
        if cell and cell.lower() not in PART_WORDS:
            words = ", ".join(f"{part} ({', '.join(w for w, p in PART_WORDS.items() if p == part)})" for part in PARTS)
            raise BadTable(sheet.path, f"{cell!r} is not the name of a part; the names are {words}", line, "split")
    parts = {PART_WORDS[cell.lower()] for _, cell in cells if cell}
    blank = [line for line, cell in cells if not cell]
    if parts - {"test"} and blank:
        says = (
            f"the split is empty in {len(blank)} of {len(cells)} rows (the first: line {blank[0]}): `train` will stop; "
        )
        note(sheet.path, "split_incomplete", len(blank), says + "fill it everywhere or nowhere")
    elif parts and "train" not in parts and not blank:
        says = f"the split has {' and '.join(sorted(parts))} but no train: `train` will stop, `evaluate` will not"
        note(sheet.path, "no_train_part", len(cells), says)


class _Finder:
    """finder(path): the file in `folder` as it is written if there is one, else the first other spelling that exists."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._names: dict[Path, dict[str, str]] = {}  # of each folder: {name in small letters: name}

    def __call__(self, path: Path) -> Path:
        for spelling in _spellings(str(path)):
            if os.path.lexists(self.folder / spelling):
                return self.folder / spelling
        found = self.folder
        for name in Path(str(path).strip().replace("\\", "/")).parts:  # Windows and macOS take a name in any case
            found = found / self._names_in(found).get(name.lower(), name)
        return found if found.exists() else self.folder / path

    def _names_in(self, folder: Path) -> dict[str, str]:
        if folder not in self._names:
            entries = os.scandir(folder) if folder.is_dir() else []
            self._names[folder] = {entry.name.lower(): entry.name for entry in entries}
        return self._names[folder]


def _spellings(path: str) -> Iterator[str]:
    """As written; without blanks around; Windows's folders; accents in one letter (Windows, Linux) or two (macOS)."""
    yield path
    plain = path.strip()
    for text in (plain, plain.replace("\\", "/")):
        yield text
        for form in ("NFC", "NFD"):
            yield unicodedata.normalize(form, text)


def _each_once(clips: list[Utterance], source: Path) -> list[Utterance]:
    """The clips without repeated rows, of which the one in the last part stays, and without those listed for both sexes."""
    same: dict[tuple[str, float, float | None], list[Utterance]] = {}
    for u in clips:
        same.setdefault((os.path.normpath(u.path), u.start_s, u.end_s), []).append(u)
    both = [rows for rows in same.values() if len({u.sex for u in rows}) > 1]
    one = [rows for rows in same.values() if len({u.sex for u in rows}) == 1]
    kept = [max(rows, key=lambda u: ("", *PARTS).index(u.split)) for rows in one]
    if both:
        names = some([os.path.relpath(rows[0].path, source.parent) for rows in both])
        count = sum(map(len, both))
        note(
            source,
            "both_sexes",
            count,
            f"rows left out, the recording is listed as male and as female: {count} ({names})",
        )
    if twice := [rows for rows in one if len(rows) > 1]:
        names = some([os.path.relpath(rows[0].path, source.parent) for rows in twice])
        count = sum(map(len, twice)) - len(twice)
        note(source, "twice", count, f"rows left out, the recording is listed before: {count} ({names})")
    return kept
