import os
import sys

import pytest

from features.corpora import Note, class_folders, tutorial_folders


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_a_folder_in_a_class_is_a_speaker(tmp_path):
    touch(tmp_path / "Male/anna/take/1.wav", tmp_path / "Male/2.FLAC", tmp_path / "Female/zoe/3.mp3")
    clips = [(u.path.relative_to(tmp_path).as_posix(), u.speaker, u.sex, u.split) for u in tutorial_folders(tmp_path)]
    assert clips == [
        ("Male/2.FLAC", None, "male", ""),
        ("Male/anna/take/1.wav", "male/anna", "male", ""),
        ("Female/zoe/3.mp3", "female/zoe", "female", ""),
    ]


def test_folders_are_found_in_any_case_and_test_folders_are_marked(tmp_path):
    touch(*(tmp_path / folder / "s" / "1.wav" for folder in ("MALE", "female", "male test", "FEMALE TEST")))
    clips = [(u.sex, u.split) for u in tutorial_folders(tmp_path)]
    assert clips == [("male", ""), ("female", ""), ("male", "test"), ("female", "test")]


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        (("men", "women"), [""]),
        (("MALES", "FEMALES"), [""]),
        (("M", "F"), [""]),
        (("male_training", "female-train", "Male Test", "testFemale"), ["test", "train"]),
        (("train/Male", "train/Female", "Validation/male", "Validation/female"), ["dev", "train"]),
        (("Male/train", "Male/test", "Female/train", "Female/test"), ["test", "train"]),
        (("Male", "Female", "Male Val", "Female Val"), ["dev", "train"]),
    ],
)
def test_classes_and_parts_are_found_under_their_usual_names(tmp_path, folders, splits):
    touch(*(tmp_path / folder / "anna" / "1.wav" for folder in folders))
    clips = tutorial_folders(tmp_path)
    assert sorted({u.split for u in clips}) == splits
    assert {(u.sex, u.speaker) for u in clips} == {("male", "male/anna"), ("female", "female/anna")}
    assert len(clips) == len(folders)


def test_two_names_of_one_class_are_refused(tmp_path):
    touch(*(tmp_path / folder / "1.wav" for folder in ("Men", "Male", "Female")))
    with pytest.raises(ValueError, match=r"both 'Male' and 'Men', which mean the same: keep one, or .*--male DIR"):
        tutorial_folders(tmp_path)


def test_speakers_and_sound_that_are_left_out_are_named(tmp_path):
    touch(
        tmp_path / "Male/a/1.wav",
        tmp_path / "Female/b/1.wav",
        tmp_path / "Female/eve/1.ac3",
        tmp_path / "Other/c/1.wav",
    )
    (tmp_path / "Female" / "zoe").mkdir()
    with pytest.warns(Note) as notes:
        tutorial_folders(tmp_path)
    said = {note.message.kind: note.message for note in notes}
    assert said["outside_the_classes"].says == "left out, in no folder of a class: 1 (.wav 1; the first: Other/c/1.wav)"
    assert said["speakers_lost"].names == ["female/eve", "female/zoe"]
    assert "2 (eve (.ac3 1), zoe (empty))" in said["speakers_lost"].says
    assert "ffmpeg -i" in said["not_read"].says


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_not_utf_8_is_written_with_a_code(tmp_path):
    touch(tmp_path / "Male/a/1.wav", tmp_path / "Female/b/1.wav")
    os.rename(tmp_path / "Male/a", os.fsencode(tmp_path / "Male") + b"/Jos\xe9")
    clip = tutorial_folders(tmp_path)[0]
    assert clip.speaker == r"male/Jos\xe9"
    assert clip.path.is_file()


@pytest.mark.filterwarnings("ignore:.*hidden")
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
    with pytest.raises(ValueError, match=r"male/female belongs to two of the folders"):
        class_folders(tmp_path / "male", tmp_path / "male/female")


def test_the_same_name_under_both_sexes_is_two_people(tmp_path):
    for sex in ("Male", "Female"):
        for name in ("speaker1", "speaker2"):
            (tmp_path / sex / name).mkdir(parents=True)
            (tmp_path / sex / name / "1.wav").write_bytes(b"")
    assert len({u.speaker for u in tutorial_folders(tmp_path)}) == 4
