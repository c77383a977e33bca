"""Leaks of each kind are refused by name, within a corpus and across corpora; what only looks alike is not."""

import hashlib
import json

import numpy as np
import pytest

from features.clips import Clips
from features.leaks import PRINT, Leak, known, prints, refuse_known, refuse_leaks


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def clips(*spoken: tuple[str | None, str]) -> Clips:
    """Clips of (speaker, sound)."""
    n = len(spoken)
    return Clips(
        sequences=[np.zeros((3, 1), np.float32)] * n,
        labels=np.zeros(n, int),
        speakers=np.array([speaker for speaker, _ in spoken], object),
        splits=np.full(n, ""),
        paths=np.array([f"{speaker}/{sound}.wav" for speaker, sound in spoken]),
        hashes=np.array([sha(sound) for _, sound in spoken]),
        columns=("log_f0",),
        stamp={},
    )


def test_other_speakers_and_other_recordings_pass():
    refuse_leaks(clips(("a", "1"), ("b", "2")), clips(("c", "3"), ("d", "4")))


def test_a_speaker_on_both_sides_is_refused_with_a_clip_of_either():
    with pytest.raises(Leak, match=r"a speaker is on both sides \('b': b/2.wav in training, b/3.wav in the test\)"):
        refuse_leaks(clips(("a", "1"), ("b", "2")), clips(("b", "3"), ("b", "4"), ("c", "5")))


def test_the_same_recording_under_another_name_is_refused():
    with pytest.raises(Leak, match=r"a recording is on both sides \(a/1.wav in training, x/1.wav in the test\)"):
        refuse_leaks(clips(("a", "1"), ("b", "2")), clips(("x", "1"), ("y", "3")))


def test_three_offenders_are_named_and_the_rest_counted():
    five = clips(*((name, f"train {name}") for name in "abcde"))
    again = clips(*((name, f"test {name}") for name in "abcde"))
    with pytest.raises(Leak, match=r"5 speakers are on both sides \('a': .*'b': .*'c': [^;]*; and 2 more\): split by"):
        refuse_leaks(five, again)


def test_names_are_compared_letter_by_letter():
    refuse_leaks(clips(("123", "1")), clips(("0123", "2")))


def test_two_unknown_speakers_are_not_taken_for_one():
    refuse_leaks(clips((None, "1")), clips((None, "2")))
    with pytest.raises(Leak, match="recording"):
        refuse_leaks(clips((None, "1")), clips((None, "1")))
    train, test = clips((None, "start")), clips((None, "end"))
    train.paths[0] = test.paths[0] = "talk.wav"
    with pytest.raises(Leak, match=r"a recording of an unknown speaker is on both sides \(talk.wav in training"):
        refuse_leaks(train, test)


def test_a_model_knows_its_recordings_and_its_speakers_again():
    stored = json.loads(json.dumps(prints(clips(("a", "1"), ("b", "2"), (None, "3")), "vctk")))
    heard = clips(("a", "9"), ("x", "2"), (None, "3"), ("c", "8"), (None, "7"))
    assert known(heard, "vctk", stored).tolist() == ["speaker", "recording", "recording", "", ""]


def test_a_name_belongs_to_its_corpus():
    stored = prints(clips(("103", "1")), "librispeech")
    assert known(clips(("103", "2")), "vctk", stored).tolist() == [""]
    assert known(clips(("103", "2")), "librispeech", stored).tolist() == ["speaker"]


def test_what_the_model_has_learnt_from_is_refused_by_name():
    stored = prints(clips(("a", "1"), ("b", "2")), "vctk")
    refuse_known(clips(("c", "3")), "vctk", stored)
    with pytest.raises(
        Leak, match=r"2 of the 3 clips .*a/1.wav, the recording itself; b/5.wav, speaker 'b'.*--part.*--allow"
    ):
        refuse_known(clips(("a", "1"), ("b", "5"), ("c", "3")), "vctk", stored)


def test_prints_are_small_and_tell_no_names():
    many = clips(*((f"speaker {n}", f"sound {n}") for n in range(201)))
    stored = prints(many, "vctk")
    assert len(json.dumps(stored)) < 2 * 201 * PRINT * 4 / 3 + 100  # base64: four letters for three bytes
    assert "speaker" not in "".join(v for k, v in stored.items())
    assert prints(many.take(np.arange(201)[::-1]), "vctk") == stored  # nor do they tell the order of the clips
