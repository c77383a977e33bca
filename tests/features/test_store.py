import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from features.corpora import class_folders, tutorial_folders, windows
from features.extraction import extract
from features.recipes import TUTORIAL, recipe_named
from features.store import CLIPS_PER_SHARD, open_store, read_shard, shard_path

FRAMES = recipe_named("frames")


@pytest.fixture
def made(measured, tmp_path):
    """Frames of twelve clips, one of them broken; a test may change them."""
    return Path(shutil.copytree(measured.out, tmp_path / "out"))


def test_the_manifest_is_a_header_and_a_line_a_clip_in_the_order_of_their_paths(made):
    header, *lines = (json.loads(line) for line in (made / "manifest.jsonl").read_text().splitlines())
    assert {key: header[key] for key in ("recipe", "parameters", "versions")} == FRAMES.stamp()
    assert header["columns"] == list(FRAMES.columns)
    assert [line["path"] for line in lines] == sorted(line["path"] for line in lines)
    assert len(lines) == header["clips"] == 12
    (failed,) = (line for line in lines if line["status"] != "ok")
    assert (failed["path"], failed["reason"], failed["bytes"]) == ("Male/a/0.wav", "undecodable", 6)
    assert [line["index"] for line in lines if line["status"] == "ok"] == list(range(11))


def test_every_shard_lists_its_own_clips(made):
    store, shard = open_store(made), read_shard(made, 0)
    assert shard.header == store.header
    assert shard.entries == list(store.manifest)


def test_frames_are_read_as_the_recipe_measured_them(measured):
    for entry, frames in open_store(measured.out).clips():
        if entry.status == "ok":
            np.testing.assert_array_equal(frames, FRAMES.measure(*sf.read(measured.corpus / entry.path)))
            assert frames.dtype == np.float32
        else:
            assert frames is None


def test_a_shard_is_a_fixed_stretch_of_the_clips(corpus, tmp_path):
    count = CLIPS_PER_SHARD + 2
    clips = windows(tutorial_folders(corpus), 0.1)[:count]
    extract(clips, tmp_path / "out", recipe=FRAMES)
    store = open_store(tmp_path / "out")
    assert [entry.shard for entry in store.manifest] == [0] * CLIPS_PER_SHARD + [1] * 2
    assert [entry.shard for entry, _ in store.clips()] == [entry.shard for entry in store.manifest]


def test_a_folder_without_a_finished_extraction_is_told_apart_from_one_without_any(made, tmp_path):
    (made / "manifest.jsonl").unlink()
    with pytest.raises(FileNotFoundError, match="has not finished, run it again"):
        open_store(made)
    with pytest.raises(FileNotFoundError, match="make one with `lstm-engine features`"):
        open_store(tmp_path / "nothing")


@pytest.mark.parametrize("text", ["", "words", "[1]", '{"format": "another"}', '{"format": "lstm-engine clips"}'])
def test_another_file_is_no_manifest(tmp_path, text):
    (tmp_path / "manifest.jsonl").write_text(text)
    with pytest.raises(ValueError, match=r"is not (a|the) manifest"):
        open_store(tmp_path)


def damaged(content):
    """Ways in which a shard may be wrong."""
    size = int.from_bytes(content[:8], "little")
    start = 8 + size
    return {
        "cut": content[: len(content) // 2],
        "empty": b"",
        "words": b"these are words",
        "nan": content[:-4] + np.float32(np.nan).tobytes(),
        "offsets": content[:start] + np.int64(5).tobytes() + content[start + 8 :],
        "another count": content.replace(b'\\"status\\": \\"failed\\"', b'\\"status\\": \\"ok\\"    '),
    }


@pytest.mark.parametrize("how", ["cut", "empty", "words", "nan", "offsets", "another count"])
def test_a_damaged_shard_is_refused_by_name(made, how):
    path = shard_path(made, 0)
    content = path.read_bytes()
    changed = damaged(content)[how]
    assert changed != content
    path.write_bytes(changed)
    with pytest.raises(ValueError, match=r"00000\.safetensors is damaged"):
        list(open_store(made).clips())


def test_a_shard_of_another_extraction_is_not_read_with_these(made, measured, tmp_path):
    extract(tutorial_folders(measured.corpus)[:2], tmp_path / "other", recipe=FRAMES)
    shard_path(made, 0).write_bytes(shard_path(tmp_path / "other", 0).read_bytes())
    with pytest.raises(ValueError, match="is of another extraction"):
        list(open_store(made).clips())


def test_a_missing_shard_is_named(made):
    shard_path(made, 0).unlink()
    with pytest.raises(FileNotFoundError, match=r"00000\.safetensors is missing"):
        list(open_store(made).clips())


def test_a_file_name_that_is_not_utf8_is_read_back(corpus, tmp_path):
    odd = os.fsdecode(b"\xff.wav")
    (corpus / "Male" / "a" / "0.wav").rename(corpus / "Male" / "a" / odd)
    extract(class_folders(corpus / "Male", corpus / "Female"), tmp_path / "out", recipe=FRAMES)
    assert r"Male/a/\xff.wav" in {entry.path for entry in open_store(tmp_path / "out").manifest}  # as it is shown


def test_a_store_states_the_corpus_of_its_speakers_names(corpus, tmp_path):
    clips = tutorial_folders(corpus)[:2]
    extract(clips, tmp_path / "stated", recipe=FRAMES, corpus="home")
    extract(clips, tmp_path / "unstated", recipe=FRAMES)
    assert [open_store(tmp_path / name).corpus for name in ("stated", "unstated")] == ["home", ""]


def test_a_store_that_states_no_corpus_is_read(made):
    for path in (made / "manifest.jsonl", shard_path(made, 0)):
        content = path.read_bytes()
        for text in (b'"corpus": "", ', b'\\"corpus\\": \\"\\", '):
            if text in content:
                content = content.replace(text, b"")
                size = int.from_bytes(content[:8], "little") - len(text)
        path.write_bytes(content if path.suffix == ".jsonl" else size.to_bytes(8, "little") + content[8:])
    assert "corpus" not in open_store(made).header
    assert open_store(made).corpus == ""
    assert len(list(open_store(made).clips())) == 12


def test_a_store_of_the_tutorials_rows_keeps_all_digits_and_the_stamp_that_is_beside_its_tables(corpus, tmp_path):
    extract(tutorial_folders(corpus), tmp_path / "out")
    store = open_store(tmp_path / "out")
    assert {frames.dtype for _, frames in store.clips()} == {np.dtype("float64")}
    assert store.stamp == json.loads((tmp_path / "out" / "recipe.json").read_text()) == TUTORIAL.stamp()
