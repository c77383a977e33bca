import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from features.corpora import Utterance, class_folders, detect, table, tutorial_folders, windows
from features.csv_files import BadTable


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_a_folder_in_a_class_is_a_speaker(tmp_path):
    touch(tmp_path / "Male/anna/take/1.wav", tmp_path / "Male/2.FLAC", tmp_path / "Female/zoe/3.mp3")
    found = [(u.path.relative_to(tmp_path).as_posix(), u.speaker, u.sex, u.split) for u in tutorial_folders(tmp_path)]
    assert found == [
        ("Male/2.FLAC", None, "male", ""),
        ("Male/anna/take/1.wav", "male/anna", "male", ""),
        ("Female/zoe/3.mp3", "female/zoe", "female", ""),
    ]


def test_folders_are_found_in_any_case_and_test_folders_are_marked(tmp_path):
    touch(*(tmp_path / folder / "s" / "1.wav" for folder in ("MALE", "female", "male test", "FEMALE TEST")))
    found = [(u.sex, u.split) for u in tutorial_folders(tmp_path)]
    assert found == [("male", ""), ("female", ""), ("male", "test"), ("female", "test")]


def test_what_is_not_a_recording_is_passed_over(tmp_path):
    touch(
        tmp_path / "m/1.wav",
        tmp_path / "m/._1.wav",
        tmp_path / "m/notes.txt",
        tmp_path / "m/.trash/2.wav",
        tmp_path / "f/3.wav",
    )
    assert [u.path.name for u in class_folders(tmp_path / "m", tmp_path / "f")] == ["1.wav", "3.wav"]


def test_a_missing_folder_an_empty_one_and_half_a_test_are_refused(tmp_path):
    touch(tmp_path / "Male/1.wav")
    with pytest.raises(FileNotFoundError, match=r"no folder Female.*Male"):
        tutorial_folders(tmp_path)
    touch(tmp_path / "Female/notes.txt")
    with pytest.raises(ValueError, match=r"no female clip.*\.flac.*\.wav"):
        tutorial_folders(tmp_path)
    touch(tmp_path / "Female/2.wav")
    touch(tmp_path / "Male Test/3.wav")
    with pytest.raises(ValueError, match="one sex only"):
        tutorial_folders(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        class_folders(tmp_path / "Male", tmp_path / "nowhere")


def test_one_class_inside_the_other_is_refused(tmp_path):
    touch(tmp_path / "male/1.wav", tmp_path / "male/female/2.wav")
    with pytest.raises(ValueError, match=r"2\.wav belongs to two"):
        class_folders(tmp_path / "male", tmp_path / "male/female")


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


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.5, [(0.0, 0.5)]),  # shorter than a window, and all there is
        (1.0, [(0.0, 1.0)]),
        (1.4, [(0.0, 1.0)]),  # a rest of less than half a window is dropped
        (1.5, [(0.0, 1.0), (1.0, 1.5)]),
        (3.0, [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]),
    ],
)
def test_windows_follow_each_other_and_a_rest_of_half_a_window_is_kept(tmp_path, seconds, expected):
    sf.write(tmp_path / "x.wav", np.zeros(round(8000 * seconds)), 8000)
    cut = windows([Utterance(tmp_path / "x.wav", "s", "male", "train")], 1.0)
    assert [(u.start_s, u.end_s) for u in cut] == expected
    assert {(u.path, u.speaker, u.sex, u.split) for u in cut} == {(tmp_path / "x.wav", "s", "male", "train")}


def test_windows_stay_inside_the_stretch_that_a_table_gives(tmp_path):
    sf.write(tmp_path / "x.wav", np.zeros(8000 * 9), 8000)
    cut = windows([Utterance(tmp_path / "x.wav", None, "male", "", 2.0, 4.5)], 1.0)
    assert [(u.start_s, u.end_s) for u in cut] == [(2.0, 3.0), (3.0, 4.0), (4.0, 4.5)]


def test_a_file_that_cannot_be_opened_stays_for_extraction_to_report(tmp_path):
    broken = [Utterance(tmp_path / "gone.wav", None, "male")]
    assert windows(broken, 1.0) == broken


def test_windows_of_the_real_corpus_are_the_545_rows_of_its_tables(shared_data):
    cut = windows(table(shared_data / "librispeech_251" / "metadata.csv"), 5.3, least=4.0)
    assert Counter(u.sex for u in cut) == {"male": 273, "female": 272}
    for sex in ("male", "female"):
        with (shared_data / "tutorial_csv" / f"{sex}_rows.csv").open(newline="") as file:
            expected = list(csv.DictReader(file))
        ours = [replace(u, path=u.path.relative_to(shared_data / "librispeech_251")) for u in cut if u.sex == sex]
        for n, (u, row) in enumerate(zip(ours, expected, strict=True)):
            found = (str(n), Path(u.path).as_posix(), u.speaker, u.sex, u.split, f"{u.start_s:.2f}", f"{u.end_s:.2f}")
            assert found == tuple(row[k] for k in ("row", "path", "speaker", "sex", "split", "start_s", "end_s"))


def test_the_same_name_under_both_sexes_is_two_people(tmp_path):
    for sex in ("Male", "Female"):
        for name in ("speaker1", "speaker2"):
            (tmp_path / sex / name).mkdir(parents=True)
            (tmp_path / sex / name / "1.wav").write_bytes(b"")
    assert len({u.speaker for u in tutorial_folders(tmp_path)}) == 4
