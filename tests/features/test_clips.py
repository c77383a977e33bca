import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from features.audio import content_hash
from features.clips import read_clips
from features.corpora import Utterance, tutorial_folders
from features.extraction import extract
from features.recipes import recipe_named

FRAMES = recipe_named("frames")


def test_clips_know_who_speaks_and_where_they_come_from(measured):
    clips = read_clips(measured.out)
    assert len(clips) == len(clips.sequences) == 11  # the broken one is not among them
    assert (clips.columns, clips.stamp) == (FRAMES.columns, FRAMES.stamp())
    for n, path in enumerate(clips.paths):
        samples, rate = sf.read(measured.corpus / path)
        np.testing.assert_array_equal(clips.sequences[n], FRAMES.measure(samples, rate))
        assert clips.hashes[n] == content_hash(samples)
        assert clips.labels[n] == (0 if path.startswith("Female") else 1)
        assert clips.splits[n] == ("test" if "Test" in path else "")
        assert clips.speakers[n].endswith(path.split("/")[1])


def test_a_part_of_the_clips_keeps_their_order_and_all_that_is_known(measured):
    clips = read_clips(measured.out)
    for rows in (np.array([4, 1]), clips.labels == 1):
        part, at = clips.take(rows), np.arange(len(clips))[rows]
        assert list(part.paths) == [clips.paths[n] for n in at]
        assert all(a is clips.sequences[n] for a, n in zip(part.sequences, at, strict=True))
        assert list(part.hashes) == [clips.hashes[n] for n in at]
        assert (part.columns, part.stamp) == (clips.columns, clips.stamp)


def test_an_unknown_speaker_is_none(corpus, tmp_path):
    clips = [Utterance(corpus / "Male/a/0.wav", None, "male"), Utterance(corpus / "Male/a/1.wav", "NA", "male")]
    assert list(read_clips(extract(clips, tmp_path / "out", recipe=FRAMES).out).speakers) == [None, "NA"]


def test_two_extractions_with_the_same_settings_are_joined(measured, tmp_path):
    some = [replace(u, end_s=0.5) for u in tutorial_folders(measured.corpus)[:3]]
    other = extract(some, tmp_path / "other", recipe=FRAMES).out
    both = read_clips(measured.out, other)
    assert len(both) == 11 + 2  # the broken clip is in neither
    assert list(both.paths) == [*read_clips(measured.out).paths, *read_clips(other).paths]


def test_a_sound_counts_once_over_all_folders_and_has_one_sex(measured, tmp_path):
    a, b, *_ = tutorial_folders(measured.corpus)[1:]
    other = extract([a, replace(b, sex="female")], tmp_path / "other", recipe=FRAMES).out
    with pytest.warns(UserWarning, match="the same sound") as notes:
        clips = read_clips(measured.out, other)
    assert [note.message.kind for note in notes] == ["both_sexes", "twice"]
    assert len(clips) == 11 - 1
    assert [path for path in clips.paths if path in ("a/1.wav", "Male/b/0.wav")] == []


def test_extractions_with_other_settings_are_not_joined(measured, tmp_path):
    recipe = recipe_named("frames", deltas=True)
    other = extract(tutorial_folders(measured.corpus)[:2], tmp_path / "other", recipe=recipe).out
    with pytest.raises(
        ValueError, match=r"out and .*other were measured with different settings \(parameter deltas False and True\)"
    ):
        read_clips(measured.out, other)


def test_extractions_by_other_versions_of_a_library_are_not_joined(measured, tmp_path):
    other = Path(shutil.copytree(measured.out, tmp_path / "other"))
    header, rest = (other / "manifest.jsonl").read_text().split("\n", 1)
    stamped = json.loads(header)
    stamped["versions"]["librosa"] = "99.0"
    (other / "manifest.jsonl").write_text(json.dumps(stamped) + "\n" + rest)
    with pytest.raises(ValueError, match=rf"librosa {FRAMES.stamp()['versions']['librosa']} and 99\.0\)"):
        read_clips(measured.out, other)


def test_a_recipe_and_another_are_not_joined(measured, corpus, tmp_path):
    other = extract(tutorial_folders(corpus), tmp_path / "other").out
    with pytest.raises(ValueError, match=r"\(recipe frames and tutorial\)"):
        read_clips(measured.out, other)
    assert read_clips(other).sequences[0].shape == (1, 111)


def test_without_a_folder_there_are_no_clips():
    with pytest.raises(ValueError, match="no folder"):
        read_clips()
