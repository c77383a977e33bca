import unicodedata
import warnings

import pytest

from features.corpora import Utterance, detect, table
from features.csv_files import BadTable


def test_a_table_keeps_names_as_they_are_written(tmp_path):
    (tmp_path / "t.csv").write_text(
        "path,speaker,sex,split\nb.wav,0001,Female,train\na.wav,NA,male,\nc.wav,,male,dev\n"
    )
    assert table(tmp_path / "t.csv") == [
        Utterance(tmp_path / "a.wav", "NA", "male", ""),
        Utterance(tmp_path / "b.wav", "0001", "female", "train"),
        Utterance(tmp_path / "c.wav", None, "male", "dev"),
    ]


def test_the_columns_of_a_table_may_be_named_in_any_case(tmp_path):
    (tmp_path / "metadata.csv").write_text('Path,"Speaker",SEX,Split,Start_S\na.wav,Ann,F,Dev,0.5\n')
    assert table(tmp_path / "metadata.csv") == [Utterance(tmp_path / "a.wav", "Ann", "female", "dev", 0.5)]
    assert detect(tmp_path)[0].name == "table"


def test_a_column_by_another_name_is_asked_about(tmp_path):
    (tmp_path / "metadata.csv").write_text("Filename,speaker,Gender\na.wav,1,male\n")
    corpus, place = detect(tmp_path)
    with pytest.raises(
        BadTable,
        match=r"'path', 'sex' are missing from the header; did you mean 'path' by 'filename' "
        r"and 'sex' by 'gender'\?",
    ):
        corpus.read(place)


def test_a_sex_that_is_not_stated_is_left_out_and_counted(tmp_path):
    (tmp_path / "t.csv").write_text("path,speaker,sex\na.wav,1,male\nb.wav,2,other\nc.wav,3,\nd.wav,4,other\n")
    with pytest.warns(UserWarning, match="3 of 4 clips left out.*2 'other'"):
        assert [u.speaker for u in table(tmp_path / "t.csv")] == ["1"]


@pytest.mark.filterwarnings("ignore:.*left out")  # the note beside the error
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("path,sex\na.wav,male\n", "'speaker' is missing"),
        ("path,speaker,sex\na.wav,1,diverse\n", "no row has the sex"),
        ("path,speaker,sex\n,1,male\n", "line 2, column 'path'"),
        ("path,speaker,sex,start_s\na.wav,1,male,soon\n", "line 2, column 'start_s': 'soon'"),
        ("path,speaker,sex,start_s,end_s\na.wav,1,male,2,1\n", "ends at 1.0 s but starts at 2.0 s"),
    ],
)
def test_a_table_that_cannot_be_used_says_where(tmp_path, text, says):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(BadTable, match=says):
        table(tmp_path / "t.csv")


def noted(path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clips = table(path)
    return clips, {w.message.kind: w.message.says for w in caught}


@pytest.mark.parametrize(
    "text",
    [
        "path;speaker;sex;start_s\na.wav;Ann;f;0,5\n",
        "sep=;\r\npath;speaker;sex;start_s\r\na.wav;Ann;f;0,5\r\n;;;\r\n",
        "path\tspeaker\tsex\tstart_s\na.wav\tAnn\tf\t0.5\n".encode("utf-16"),
        "path,speaker,sex,start_s,,\n a.wav , Ann ,Woman,0.5,,\n,,,,,\n",
    ],
    ids=["semicolons", "sep and an empty line", "Unicode text", "blanks and empty columns"],
)
def test_a_table_is_read_as_a_spreadsheet_saves_it(tmp_path, text):
    (tmp_path / "a.wav").touch()
    (tmp_path / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode("utf-8-sig"))
    assert table(tmp_path / "t.csv") == [Utterance(tmp_path / "a.wav", "Ann", "female", "", 0.5)]


def test_paths_of_windows_and_of_a_mac_are_found(tmp_path):
    for name in ("anna/1 a.wav", "anna/2.wav", unicodedata.normalize("NFD", "josé.wav")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "t.csv").write_text(
        "path,speaker,sex\nanna\\1 a.wav,1,f\nANNA\\2.WAV,1,f\njosé.wav,2,m\n", encoding="utf-8"
    )
    assert all(u.path.is_file() for u in table(tmp_path / "t.csv"))


def test_words_for_parts_are_understood_or_refused_before_anything_is_measured(tmp_path):
    rows = "a.wav,1,m,Training\nb.wav,2,m,VAL\nc.wav,3,m,testing\n"
    (tmp_path / "t.csv").write_text(f"path,speaker,sex,split\n{rows}")
    assert [u.split for u in table(tmp_path / "t.csv")] == ["train", "dev", "test"]
    (tmp_path / "t.csv").write_text(f"path,speaker,sex,split\n{rows}d.wav,4,m,eval\n")
    with pytest.raises(BadTable, match=r"line 5, column 'split': 'eval' is no part; .* dev \(dev, development, val"):
        table(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("rows", "kind", "kept"),
    [
        ("a.wav,1,m,\nb.wav,2,f,\nc.wav,2,m,\n", "speakers_of_both_sexes", ["a.wav"]),
        ("a.wav,1,m,\na.wav,2,f,\nc.wav,3,m,\n", "both_sexes", ["c.wav"]),
        ("a.wav,1,m,\n./a.wav,1,m,\n", "twice", ["a.wav"]),
        ("a.wav,1,m,train\nb.wav,1,m,\n", "split_incomplete", ["a.wav", "b.wav"]),
        ("a.wav,1,m,dev\nb.wav,2,m,test\n", "no_train_part", ["a.wav", "b.wav"]),
    ],
)
def test_rows_that_contradict_are_left_out_with_a_note(tmp_path, rows, kind, kept):
    (tmp_path / "t.csv").write_text(f"path,speaker,sex,split\n{rows}")
    clips, notes = noted(tmp_path / "t.csv")
    assert list(notes) == [kind]
    assert [u.path.name for u in clips] == kept


def test_an_optional_column_by_another_name_is_told(tmp_path):
    (tmp_path / "t.csv").write_text("path,speaker,sex,Set\na.wav,1,m,test\n")
    clips, notes = noted(tmp_path / "t.csv")
    assert notes == {"column_not_read": "the column 'set' is not read; if it holds split, call it 'split'"}
    assert clips[0].split == ""


def test_a_table_of_another_ending_or_name_is_found(tmp_path):
    (tmp_path / "list.tsv").write_text("path\tspeaker\tsex\na.wav\t1\tm\n")
    assert detect(tmp_path / "list.tsv")[0].name == "table"
    with pytest.raises(ValueError, match=r"list\.tsv lists clips: name that file"):
        detect(tmp_path)
    (tmp_path / "list.xlsx").touch()
    with pytest.raises(ValueError, match="workbook: save the sheet as CSV"):
        detect(tmp_path / "list.xlsx")
