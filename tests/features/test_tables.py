from pathlib import Path

import numpy as np
import pytest

from features import tables
from features.corpora import Utterance
from features.csv_files import BadTable, guard, read_sheet, unguard
from features.recipes import TUTORIAL_COLUMNS
from features.tables import read_features, read_rows, write_features, write_rows
from features.whole_files import replace_file

ROWS = np.random.default_rng(0).normal(scale=100, size=(4, 111))


@pytest.fixture
def good(tmp_path):
    write_features(tmp_path / "male_features.csv", ROWS, "male")
    return tmp_path / "male_features.csv"


def test_what_is_written_is_read_back_to_the_last_digit(good):
    features = read_features(good, "male")
    assert features.shape == (4, 112)
    np.testing.assert_array_equal(features[:, 1:], ROWS)
    np.testing.assert_array_equal(features[:, 0], 0.0)


def test_the_file_has_the_tutorials_columns(good):
    lines = good.read_text().splitlines()
    assert lines[0] == "," + ",".join(["pitch", *(f"mfcc{k}" for k in range(1, 111)), "label"])
    assert lines[1].startswith("0,")
    assert lines[1].endswith(",male")
    assert len(lines) == 5


def edited(line, column, cell):
    """An edit that puts `cell` at (line, column), counted from 0, the header being line 0."""

    def edit(text):
        lines = [row.split(",") for row in text.splitlines()]
        lines[line][column] = cell
        return "\n".join(map(",".join, lines)) + "\n"

    return edit


SAME = {
    "without the index column": lambda text: "".join(line.split(",", 1)[1] + "\n" for line in text.splitlines()),
    "with the name that pandas gives it": lambda text: "Unnamed: 0" + text,
    "with row numbers in it": edited(2, 0, "1"),
    "with a byte-order mark": lambda text: "\ufeff" + text,
    "with Windows line ends": lambda text: text.replace("\n", "\r\n"),
    "with a blank line at the end": lambda text: text + "\n\n",
    "with empty cells in its last line": lambda text: text + "," * 112 + "\n",
    "with semicolons": lambda text: text.replace(",", ";"),
    "with tabs, and a line that says so": lambda text: "sep=\t\n" + text.replace(",", "\t"),
    "with unnamed columns at the right": lambda text: text.replace("\n", ",,\n"),
    "with its columns in another order": lambda text: "".join(
        ",".join(line.split(",")[::-1]) + "\n" for line in text.splitlines()
    ),
}


@pytest.mark.parametrize("edit", SAME.values(), ids=SAME.keys())
def test_a_table_in_another_form_gives_the_same_numbers(good, edit):
    good.write_bytes(edit(good.read_text()).encode())
    np.testing.assert_array_equal(read_features(good, "male")[:, 1:], ROWS)


WRONG = {
    "empty file": (lambda text: "", "the file is empty"),
    "a header alone": (lambda text: text.splitlines()[0], "a header, but no rows"),
    "missing column": (edited(0, 5, "mfcc99x"), "line 1: 'mfcc4' is missing"),
    "no header": (lambda text: text.split("\n", 1)[1], "is missing|are missing"),
    "a decimal comma": (
        lambda text: text.replace(",", ";").replace(".", ","),
        "line 2, column 'pitch': '.*' where .*: write decimal points",
    ),
    "repeated column": (edited(0, 5, "mfcc3"), "line 1, column 'mfcc3': .* more than once"),
    "unknown column": (
        lambda text: "".join(f"{line},9\n" for line in text.splitlines()),
        "line 1, column '9': .*not belong",
    ),
    "text": (edited(3, 1, "high"), "line 4, column 'pitch': 'high'"),
    "nan": (edited(2, 111, "nan"), "line 3, column 'mfcc110': 'nan'"),
    "infinity": (edited(2, 7, "-inf"), "line 3, column 'mfcc6': '-inf'"),
    "1e999": (edited(2, 7, "1e999"), "line 3, column 'mfcc6': '1e999'"),
    "empty cell": (edited(4, 2, ""), "line 5, column 'mfcc1': an empty cell"),
    "too large": (edited(2, 5, "1e300"), "line 3, column 'mfcc4': '1e300' where a finite number below"),
    "underscore": (edited(2, 5, "1_000"), "line 3, column 'mfcc4': '1_000' where"),
    "wrong label": (edited(2, 112, "female"), "line 3, column 'label': .*'female' where 'male' belongs"),
    "a longer row": (lambda text: text.rstrip("\n") + ",7\n", "line 5: 114 cells where the header has 113"),
    "a shorter row": (lambda text: text[: text.rindex(",")], "line 5: 112 cells where the header has 113"),
    "every row longer than the header": (
        lambda text: "".join(line + (",7\n" if n else "\n") for n, line in enumerate(text.splitlines())),
        "line 2: 114 cells",
    ),
    "an open quote": (edited(2, 3, '"1.0'), "line .*not CSV"),
}


@pytest.mark.parametrize(("edit", "says"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_table_is_refused_and_the_place_named(good, edit, says):
    good.write_text(edit(good.read_text()))
    with pytest.raises(BadTable, match=f"male_features.csv.*({says})"):
        read_features(good, "male")


def test_utf_16_is_read_by_its_mark_and_refused_without(good):
    text = good.read_text()
    good.write_bytes(text.encode("utf-16"))
    np.testing.assert_array_equal(read_features(good, "male")[:, 1:], ROWS)
    good.write_bytes(text.encode("utf-16-le"))
    with pytest.raises(BadTable, match=r"UTF-16.*UTF-8"):
        read_features(good, "male")


def test_a_workbook_under_the_name_of_a_table_is_told(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"PK\x03\x04\x14\0")
    with pytest.raises(BadTable, match=r"workbook.*save the sheet as CSV"):
        read_sheet(tmp_path / "t.csv")


def test_latin_1_is_refused_at_its_line(tmp_path):
    (tmp_path / "t.csv").write_bytes("path,speaker\na.wav,b\na.wav,Zoë\n".encode("latin-1"))
    with pytest.raises(BadTable, match=r"line 3: .*UTF-8"):
        read_sheet(tmp_path / "t.csv")


def test_cells_are_checked_one_by_one_only_in_a_wrong_row(good, monkeypatch):
    # Python would need some 0.1 ms for each of 111 cells: a minute and a half for a table of 8,000 good rows.
    checked, check = [], tables._is_number
    monkeypatch.setattr(tables, "_is_number", lambda cell: checked.append(cell) or check(cell))
    read_features(good, "male")
    assert checked == []
    good.write_text(edited(3, 1, "high")(good.read_text()))
    with pytest.raises(BadTable, match="line 4, column 'pitch'"):
        read_features(good, "male")
    assert checked == ["high"]


@pytest.mark.parametrize("rows", [np.zeros((3, 112)), np.zeros(111), np.full((2, 111), np.nan)])
def test_rows_that_are_no_table_are_not_written(tmp_path, rows):
    with pytest.raises(ValueError, match=r"shape|row 0"):
        write_features(tmp_path / "t.csv", rows, "male")
    assert list(tmp_path.iterdir()) == []


ORIGINS = [
    Utterance(path, speaker, "male", "train", 0.1 + 0.2, end)
    for path, speaker, end in zip(
        map(Path, ("=1+1.wav", "a,b.wav", 'c"d\n.wav', "-e/f.wav")),
        ("NA", "0001", None, "@me"),
        (1.5, None, 2 / 3, 9.0),
        strict=True,
    )
]


def test_where_rows_come_from_is_read_back_as_written(tmp_path):
    write_rows(tmp_path / "male_rows.csv", ORIGINS)
    assert read_rows(tmp_path / "male_rows.csv", "male", 4) == ORIGINS


def test_no_cell_is_a_formula_to_a_spreadsheet(tmp_path):
    write_rows(tmp_path / "male_rows.csv", ORIGINS)
    for row in read_sheet(tmp_path / "male_rows.csv").rows:
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)


@pytest.mark.parametrize("cell", ["=1", "'", "''", "'=1", "'a", "a", "", "-", "\t"])
def test_guarding_a_cell_loses_nothing(cell):
    assert unguard(guard(cell)) == cell


def test_no_table_of_origins_is_none(tmp_path):
    assert read_rows(tmp_path / "male_rows.csv", "male", 4) is None


def test_origins_of_another_run_are_refused(tmp_path):
    write_rows(tmp_path / "male_rows.csv", ORIGINS)
    with pytest.raises(BadTable, match="4 rows, but 5 rows of features"):
        read_rows(tmp_path / "male_rows.csv", "male", 5)
    with pytest.raises(BadTable, match="line 2, column 'sex': 'male' in the table of female"):
        read_rows(tmp_path / "male_rows.csv", "female", 4)
    text = (tmp_path / "male_rows.csv").read_text()
    (tmp_path / "male_rows.csv").write_text(text.replace("\n1,", "\n7,"))
    with pytest.raises(BadTable, match="column 'row': '7' where 1"):
        read_rows(tmp_path / "male_rows.csv", "male", 4)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    replace_file(tmp_path / "t.csv", "old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("the disk is full")))
    with pytest.raises(OSError, match="full"):
        replace_file(tmp_path / "t.csv", "new")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("t.csv", "old")]


def test_the_published_tables_are_read(shared_data):
    for sex, count in (("male", 273), ("female", 272)):
        features = read_features(shared_data / "tutorial_csv" / f"{sex}_features.csv", sex)
        assert features.shape == (count, 112)
        rows = read_rows(shared_data / "tutorial_csv" / f"{sex}_rows.csv", sex, count)
        assert {u.split for u in rows} == {"train", "dev"}


def test_every_column_of_the_recipe_is_one_name():
    assert len(set(TUTORIAL_COLUMNS)) == 111
