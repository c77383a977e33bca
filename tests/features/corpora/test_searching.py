"""What is in a folder beside recordings: nothing that may be sound is passed over without a word."""

import os
import warnings
import zipfile

import pytest

from features.corpora.notes import Note
from features.corpora.searching import recordings, search


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def kinds(found):
    return {reason.kind: [path.name for path in paths] for reason, paths in found.left_out.items()}


def test_what_phones_write_is_read_with_pyav_and_told_without(tmp_path, monkeypatch):
    touch(tmp_path, "a.m4a", "b.WEBM", "c.3gp", "d.amr", "e.wma", "f.wav")
    monkeypatch.setattr("features.audio.find_spec", lambda name: name)
    assert [path.name for path in recordings(tmp_path)] == ["a.m4a", "b.WEBM", "c.3gp", "d.amr", "e.wma", "f.wav"]
    monkeypatch.setattr("features.audio.find_spec", lambda name: None)
    with pytest.warns(
        Note, match=r"left out, PyAV is not installed: 5 \(\.m4a 1, \.webm 1.*: pip install av, or .*ffmpeg"
    ):
        assert [path.name for path in recordings(tmp_path)] == ["f.wav"]


def test_each_reason_to_leave_a_file_out_has_its_kind(tmp_path):
    touch(
        tmp_path, "a.ac3", "b.zip", ".c.m4a.icloud", "d.wav.part", ".hidden.wav", ".trash/e.wav", "notes.txt", "._f.wav"
    )
    (tmp_path / "memo").write_bytes(b"fLaC" + bytes(20))
    (tmp_path / "picture.webp").write_bytes(b"RIFF\0\0\0\0WEBP")
    os.symlink(tmp_path / "nowhere.wav", tmp_path / "link.wav")
    found = search(tmp_path)
    assert kinds(found) == {
        "not_read": ["a.ac3"],
        "archive": ["b.zip"],
        "not_downloaded": [".c.m4a.icloud", "d.wav.part"],
        "hidden": [".hidden.wav", "e.wav"],
        "other_ending": ["memo"],
        "broken_link": ["link.wav"],
    }
    assert sorted(path.name for path in found.other) == ["._f.wav", "notes.txt", "picture.webp"]


def test_an_archive_of_recordings_is_told_from_others(tmp_path):
    for name, inside in (("eve.zip", "eve/1.m4a"), ("texts.zip", "notes.txt")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(inside, b"x")
    assert kinds(search(tmp_path)) == {"zipped": ["eve.zip"]}


def test_links_are_followed_once(tmp_path):
    touch(tmp_path / "all", "a/1.wav")
    touch(tmp_path, "elsewhere/2.wav")
    os.symlink(tmp_path / "elsewhere", tmp_path / "all" / "b")
    os.symlink(tmp_path / "all", tmp_path / "all" / "a" / "loop")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [path.name for path in recordings(tmp_path / "all")] == ["1.wav", "2.wav"]
        assert [path.name for path in recordings(tmp_path / "all" / "a")] == ["1.wav"]  # not what lies above


def test_a_folder_that_may_not_be_opened_is_told(tmp_path, monkeypatch):
    touch(tmp_path, "a/1.wav", "b/2.wav")
    scan = os.scandir

    def refuse(path):
        if os.path.basename(path) == "b":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert kinds(search(tmp_path)) == {"closed": ["b"]}
