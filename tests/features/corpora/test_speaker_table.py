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
