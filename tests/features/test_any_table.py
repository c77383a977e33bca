"""Tables of any content: what is written is read back, and any bytes are read or refused in words that name the file."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.csv_files import LONGEST, BadTable, guard, read_sheet, unguard, write_csv

QUICK = settings(max_examples=60, deadline=None, derandomize=True)
cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@QUICK
@given(rows=st.lists(st.tuples(st.just("row"), cells, cells), max_size=5))
def test_every_cell_is_read_as_it_was_written(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("table", numbered=True) / "t.csv"
    write_csv(path, ("name", "a", "b"), rows)
    assert read_sheet(path).rows == [list(row) for row in rows]


@QUICK
@given(text=cells)
def test_a_guarded_cell_is_read_back(text):
    assert unguard(guard(text)) == text


@QUICK
@given(
    start=st.sampled_from([b"", b"path,speaker,sex\n", b"sep=;\n", b"\xff\xfe", b"\xef\xbb\xbf"]),
    rest=st.binary(max_size=60),
)
def test_any_bytes_are_a_table_or_a_bad_one(start, rest, tmp_path_factory):
    path = tmp_path_factory.mktemp("table", numbered=True) / "t.csv"
    path.write_bytes(start + rest)
    said = ""
    try:
        sheet = read_sheet(path, ("path",))
    except BadTable as bad:
        said = str(bad)
    assert said.startswith(str(path)) if said else all(len(row) == len(sheet.header) for row in sheet.rows)


def test_a_message_does_not_repeat_a_cell_that_holds_the_rest_of_the_file(tmp_path):
    (path := tmp_path / "t.csv").write_text("x" * 100_000 + ",y\n1,2\n")
    with pytest.raises(BadTable, match="line 1: 'sex' is missing from the header; it has 'xxx") as bad:
        read_sheet(path, ("sex",))
    assert len(str(bad.value)) < 2 * LONGEST


def test_a_header_of_100_000_columns_is_read(tmp_path):
    (path := tmp_path / "t.csv").write_text(",".join(map(str, range(100_000))) + "\n")
    assert len(read_sheet(path).header) == 100_000
