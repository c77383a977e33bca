"""Read CSV files strictly, in the variants that spreadsheets save, and write them whole or not at all.

For every table in this package. The contract: a cell is the exact text in the file ("NA" and "0001" stay as they are), and
every error is a `BadTable` that names the file, the line and the column.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from features.whole_files import replacing

# A spreadsheet takes these for the start of a formula, or removes the '.
_GUARDED = ("=", "+", "-", "@", "\t", "\r", "'")
SEPARATORS = ",;\t|"
LONGEST = 800  # letters of what a message says of a cell or a row


class BadTable(ValueError):
    """A table that cannot be used: `path`, `line` (the header is line 1), `column` (its name), and a message."""

    def __init__(self, path: str | Path, problem: str, line: int | None = None, column: str | None = None) -> None:
        where = [str(path)]
        where += [f"line {line}"] if line is not None else []
        where += [f"column {shortened(column)!r}"] if column is not None else []
        super().__init__(f"{', '.join(where)}: {shortened(problem)}")
        self.path, self.line, self.column = Path(path), line, column


def shortened(text: str) -> str:
    """The text without its middle, if it is longer than a message may be: a damaged cell can hold the rest of the file."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-LONGEST // 4 :]}"


@dataclass(frozen=True)
class Sheet:
    """A header, rows with as many cells as the header, and for each row the line of the file on which it ends.

    separator: what stands between cells. If it is no comma, a comma inside a number is a decimal one.
    """

    path: Path
    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    separator: str = ","

    def dicts(self) -> list[dict[str, str]]:
        """The rows, each as {column: cell}."""
        return [dict(zip(self.header, row, strict=True)) for row in self.rows]


def read_sheet(
    path: str | Path, required: Sequence[str] = (), any_case: bool = False, mistaken: Mapping[str, str] | None = None
) -> Sheet:
    """Read a CSV whose header has the columns `required`, in the forms that spreadsheets save.

    Commas, semicolons, tabs or | separate the cells, whichever the header has most of; a first line `sep=;` names another
    sign. The text is UTF-8, or UTF-16 with its byte-order mark. Lines without any entry, and columns without name and entry
    at the right, are skipped. any_case: accept Path and PATH for the column path. mistaken: {wrong name: the required column
    that it probably means}.

    Raises BadTable: empty file, another encoding, broken quoting, repeated or missing columns, a row of another length.
    """
    path = Path(path)
    text, separator, skipped = _separated(_text(path))
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
    rows, lines = [], []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(cells)
                lines.append(reader.line_num + skipped)
    except csv.Error as error:
        raise BadTable(path, f"this is not CSV ({error})", reader.line_num + skipped) from error
    if not rows:
        raise BadTable(path, "the file is empty; a header line was expected")
    _drop_unnamed_columns(rows)
    header = [name.strip().lower() if any_case else name.strip() for name in rows.pop(0)]
    header_line = lines.pop(0)
    if twice := [name for name, count in Counter(header).items() if name and count > 1]:
        raise BadTable(path, "this column is in the header more than once", header_line, twice[0])
    if missing := [name for name in required if name not in header]:
        hint = f"; it has {_some(header, verb=False)}"
        meant = {column: name for name, column in (mistaken or {}).items() if name in header and column in missing}
        if meant:
            hint = f"; did you mean {' and '.join(f'{column!r} by {name!r}' for column, name in meant.items())}?"
        raise BadTable(path, f"{_some(missing)} missing from the header{hint}", header_line)
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(header):
            raise BadTable(path, f"{len(row)} cells where the header has {len(header)}", line)
    return Sheet(path, header, rows, lines, separator)


def _separated(text: str) -> tuple[str, str, int]:
    """(text without a line `sep=`, the separator, how many lines were taken away)."""
    first, _, rest = text.partition("\n")
    if named := re.fullmatch(r'"?sep=(.)"?\r?', first, re.IGNORECASE):
        return rest, named[1], 1
    header = next((line for line in text.splitlines() if line.strip(SEPARATORS + " ")), "")
    return text, max(SEPARATORS, key=header.count), 0  # of equals the first: a comma


def _drop_unnamed_columns(rows: list[list[str]]) -> None:
    """Drop cells at the right that are empty in the header and in all rows: Excel writes them for columns once in use."""
    named = len(rows[0])
    while named and not rows[0][named - 1].strip():
        named -= 1
    if all(not cell.strip() for row in rows for cell in row[named:]):
        for row in rows:
            del row[named:]


def tab_rows(path: str | Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, the cells of `columns`) of a tab-separated file in UTF-8; quotation marks have no special meaning.

    One row at a time, for tables of millions of rows. Raises BadTable: missing column, row of another length, encoding.
    """
    path = Path(path)
    with path.open("rb") as file:
        lines = (_decoded(raw, path, number).rstrip("\r\n") for number, raw in enumerate(file, start=1))
        header = [name.strip() for name in next(lines, "").split("\t")]
        if missing := [name for name in columns if name not in header]:
            raise BadTable(path, f"{_some(missing)} missing from the header, which tabs should separate", 1)
        chosen = [header.index(name) for name in columns]
        for number, line in enumerate(lines, start=2):
            cells = line.split("\t")
            if len(cells) == len(header):
                yield number, [cells[k].strip() for k in chosen]
            elif line:
                raise BadTable(path, f"{len(cells)} cells where the header has {len(header)}", number)


def utf8_text(path: Path) -> str:
    """The text of a file in UTF-8, with or without a byte-order mark. Raises BadTable for another encoding."""
    return _decoded(path.read_bytes(), path)


def write_csv(path: str | Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV in UTF-8, whole or not at all. Floats keep all digits, so that the same number is read back."""
    with replacing(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def guard(cell: str) -> str:
    """The cell, with ' in front if a spreadsheet would take it for a formula (or if it starts with ' itself)."""
    return f"'{cell}" if cell.startswith(_GUARDED) else cell


def unguard(cell: str) -> str:
    """The cell as it was before `guard`."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_GUARDED) else cell


def _text(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 with a byte-order mark (Excel's "Unicode text"). Raises BadTable."""
    raw = path.read_bytes()
    if not raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _decoded(raw, path)
    try:
        return raw.decode("utf-16")
    except UnicodeDecodeError as error:
        raise BadTable(path, "this begins like UTF-16 text, but is damaged: save it in UTF-8") from error


def _decoded(raw: bytes, path: Path, first_line: int = 1) -> str:
    if raw.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise BadTable(path, "this is a workbook or an archive, no text: save the sheet as CSV (in Excel: CSV UTF-8)")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in raw[:1000]:
        raise BadTable(path, "this is UTF-16 or no text at all: save it in UTF-8")
    try:
        return raw.decode("utf-8-sig" if first_line == 1 else "utf-8")
    except UnicodeDecodeError as error:
        line = first_line + raw.count(b"\n", 0, error.start)
        raise BadTable(path, "this is not UTF-8 text: save it in UTF-8 (in Excel: CSV UTF-8)", line) from error


def _some(names: Sequence[str], verb: bool = True) -> str:
    shown = ", ".join(map(repr, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{shown} {'is' if len(names) == 1 else 'are'}" if verb else shown
