"""A collection with one fault of each kind: each is found, by its bytes or by its sound; one without is in order."""

import shutil

import numpy as np
import pytest
import soundfile as sf

from features import checking, copies
from features.checking import check, glance, speakers_lost, with_notes
from features.corpora import Utterance, tutorial_folders


def voice(f0, seconds, rate=16_000):
    """(n,) a harmonic tone."""
    t = np.arange(round(seconds * rate)) / rate
    return 0.2 * sum(np.sin(2 * np.pi * k * f0 * t) / k for k in range(1, 11))


@pytest.fixture
def collection(tmp_path):
    """Three speakers of each sex, a clip of 0.2 s each."""
    for n, name in enumerate(("Male/a", "Male/b", "Male/c", "Female/x", "Female/y", "Female/z")):
        (tmp_path / name).mkdir(parents=True)
        sf.write(tmp_path / name / "1.wav", voice(100 + 9 * n, 0.2), 16_000)
    return tmp_path


def looked(folder, look=check):
    clips, notes = with_notes(lambda: tutorial_folders(folder))
    return look(clips, notes, folder)


def kinds(result):
    return {finding.kind: finding for finding in result.findings}


def test_a_collection_in_order_needs_no_decision(collection):
    result = looked(collection)
    assert result.findings == []
    assert (result.speakers, result.clips) == ({"male": 3, "female": 3}, {"male": 3, "female": 3})
    assert result.seconds == pytest.approx({"male": 0.6, "female": 0.6})
    assert [(k.ending, k.rate_hz, k.channels, k.coding) for k in result.kinds] == [(".wav", 16_000, 1, "16 bit")]


def test_the_same_sound_is_found_by_bytes_and_in_another_format_by_decoding(collection):
    shutil.copy(collection / "Male/a/1.wav", collection / "Male/a/again.wav")
    shutil.copy(collection / "Male/b/1.wav", collection / "Female/x/b.wav")
    samples, rate = sf.read(collection / "Male/c/1.wav")
    sf.write(collection / "Male/b/c.flac", samples, rate)
    seen, heard = kinds(looked(collection, glance)), kinds(looked(collection))
    assert {"twice", "both_sexes"} == set(seen) == set(heard) - {"few_speakers"}
    assert heard["few_speakers"].says.startswith("only 2 male speakers left")  # c has no sound of their own
    assert seen["both_sexes"].names == heard["both_sexes"].names == ["Male/b/1.wav = Female/x/b.wav"]
    assert (seen["twice"].count, heard["twice"].count) == (1, 2)
    assert heard["twice"].says.endswith("; 1 of them by two speakers")
    assert (looked(collection, glance).copies, looked(collection).copies) == (3, 4)


def test_bad_clips_and_the_speakers_who_have_no_other_are_named(collection):
    sf.write(collection / "Male/a/1.wav", np.zeros(8_000), 16_000)
    sf.write(collection / "Male/b/short.wav", voice(120, 0.02), 16_000)
    found = kinds(looked(collection))
    assert found["silent"].names == ["Male/a/1.wav"]
    assert found["too_short"].names == ["Male/b/short.wav"]
    assert found["speakers_lost"].names == ["male/a"]
    assert all(finding.decide for finding in found.values())
    assert [f.names for f in speakers_lost([("a", False), ("a", True), (None, False), ("b", False)])] == [["b"]]


def test_names_are_compared(collection):
    for name in ("Male/anna", "Female/anna", "Male/speaker1", "Female/speaker1", "Male/Anna"):
        shutil.copytree(collection / "Male/a", collection / name)
        sf.write(collection / name / "1.wav", voice(len(name) + ord(name[0]) + ord(name[5]), 0.2), 16_000)
    found = kinds(looked(collection, glance))
    assert found["names_of_both_sexes"].names == ["anna"]  # numbered speakers are two people
    assert found["names_alike"].names == ["'male/Anna' = 'male/anna'"]


def test_what_goes_with_the_sex_and_what_is_too_few_is_told(collection):
    for name in "xyz":
        sf.write(collection / f"Female/{name}/1.wav", voice(200 + ord(name), 0.2, 44_100), 44_100)
    shutil.rmtree(collection / "Male/c")
    found = kinds(looked(collection))
    assert not found["kinds_by_sex"].decide
    assert found["few_speakers"].says.startswith("only 2 male speakers (")


def test_stretches_that_overlap_parts_of_one_sex_and_speakers_without_a_name_are_told(collection):
    rows = [
        ("Male/a", "01", "male", "train", 0.0, None),
        ("Male/a", "y", "female", "train", 0.05, 0.18),  # a part of the recording above, under the other sex
        ("Male/b", "1", "male", "train", 0.0, 0.1),
        ("Male/b", "1", "male", "test", 0.1, 0.2),  # no overlap
        ("Female/x", "N/A", "female", "train", 0.0, None),
    ]
    clips = [Utterance(collection / p / "1.wav", *more) for p, *more in rows]
    for look in (glance, check):
        result = look(clips, [], collection)
        found = kinds(result)
        assert found["overlapping"].names == ["Male/a/1.wav and Male/a/1.wav from 0.05 to 0.18 s"]
        assert found["part_of_one_sex"].says.startswith("no female clip is left in test")
        assert found["speakers_nameless"].names == ["N/A"]
        assert found["names_alike"].names == ["'01' = '1'"]
        assert list(result.parts) == ["train", "test"]


def test_a_recording_beside_its_conversion_is_asked_about(collection):
    samples, rate = sf.read(collection / "Male/a/1.wav")
    sf.write(collection / "Male/a/1.ogg", samples, rate)
    for look in (glance, check):
        assert kinds(looked(collection, look))["converted"].names == ["Male/a/1.ogg = Male/a/1.wav"]


def test_a_sound_is_kept_once_in_the_last_part_and_never_with_two_labels():
    why = copies.left_out("aabbccd", "mmmmmfm", ["", "", "train", "test", "", "", ""])
    assert why.tolist() == ["", "twice", "twice", "", "both_sexes", "both_sexes", ""]


def test_stretches_of_one_file_are_no_copies(collection):
    path = collection / "Male/a/1.wav"
    clips = [Utterance(path, "a", "male", "", start, start + 0.1) for start in (0.0, 0.1, 0.1)]
    first, second, third = copies.same_bytes(clips)
    assert first != second == third


def test_the_kinds_are_told_by_the_reader_and_decoders_print_nothing(tmp_path, capfd):
    path = tmp_path / "x.mp3"
    sf.write(path, np.zeros(9000), 16000)
    path.write_bytes(bytes(100_000) + path.read_bytes())
    assert checking._header(path) == (16000, 1, "mpeg layer iii")
    assert capfd.readouterr().err == ""
