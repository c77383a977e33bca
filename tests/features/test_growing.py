"""A store that grows, shrinks or is labelled anew measures only what is new; its bytes are those of a fresh extraction."""

import errno
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile as sf

from features import unfinished
from features.corpora import Utterance
from features.extraction import Stopped, extract
from features.recipes import recipe_named
from features.store import header_of, open_store
from features.whole_files import alone_in

FRAMES = recipe_named("frames")
SHARD = 4


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    """Shards of four clips in place of 64."""
    monkeypatch.setattr("features.store.CLIPS_PER_SHARD", SHARD)


def contents(folder):
    """Every file under a folder, hidden ones too."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def clip(path, seed, sex="male"):
    """A recording of .2 s of noise of its own, and the clip."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, np.random.default_rng(seed).uniform(-0.3, 0.3, 1600), 8000)
    return Utterance(path, "ann" if sex == "female" else None, sex)


@pytest.fixture
def clips(tmp_path):
    """Ten clips in clips/, of both sexes, of which 3.wav is broken: two shards and a half."""
    made = [clip(tmp_path / "clips" / f"{n}.wav", n, ("male", "female")[n % 2]) for n in range(10)]
    made[3].path.write_bytes(b"broken")
    return made


def is_fresh(out, clips, **options):
    """Whether a folder has the bytes of an extraction of these clips into a new folder."""
    fresh = extract(clips, out.with_name("fresh"), force=True, **options).out
    return contents(out) == contents(fresh)


def test_a_store_grows_shrinks_and_changes_its_labels(clips, tmp_path):
    out, said, options = tmp_path / "out", [], {"recipe": FRAMES}

    def changed(clips, jobs=1):
        said.clear()
        result = extract(clips, out, jobs, say=said.append, **options)
        assert is_fresh(out, clips, **options)
        return result.measured, result.kept, result.gone, result.relabelled

    assert changed(clips) == (10, 0, 0, 0)
    more = [*clips, clip(tmp_path / "clips" / "4a.wav", 41)]
    assert changed(more, jobs=2) == (1, 10, 0, 0)
    assert said == ["resuming: 10 of 11 clips are there, 1 to measure"]
    fewer = [c for c in more if c.path.name not in ("0.wav", "5.wav")]
    assert changed(fewer) == (0, 9, 2, 0)
    assert said[1:] == ["2 that are no longer in the list leave the store"]
    women = [replace(c, sex="female", speaker="eve") if c.path.name == "4a.wav" else c for c in fewer]
    assert changed(women) == (0, 9, 0, 1)
    clip(women[2].path, 99)
    moved = [*women[1:], clip(tmp_path / "clips" / "x.wav", 1)]  # one changed, one new, one gone
    assert changed(moved) == (2, 7, 1, 0)
    others = [clip(tmp_path / "others" / "1.wav", 50), *moved]  # now the common folder is the one above
    assert changed(others) == (1, 9, 0, 0)
    assert changed(moved) == (0, 9, 1, 0)


def test_a_list_without_a_clip_in_common_is_refused(clips, tmp_path):
    extract(clips[:5], tmp_path / "out", recipe=FRAMES)
    before = contents(tmp_path / "out")
    with pytest.raises(FileExistsError, match=r"another list of clips \(5 and 2 of them\).*--force"):
        extract(clips[5:7], tmp_path / "out", recipe=FRAMES)
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize("sex", ["male", "female"])
def test_other_recordings_of_the_same_names_and_sizes_are_not_taken_for_these(tmp_path, sex):
    ours = [clip(tmp_path / "ours" / f"{n}.wav", n) for n in range(3)]
    theirs = [clip(tmp_path / "theirs" / f"{n}.wav", 10 + n, sex) for n in range(3)]
    extract(ours, tmp_path / "out", recipe=FRAMES)
    with pytest.raises(FileExistsError, match="other recordings of the same names"):
        extract(theirs, tmp_path / "out", recipe=FRAMES)


def test_folders_that_have_changed_their_names_are_not_taken_for_each_other(tmp_path):
    """The files of a renamed folder are as they were, to the size and the time."""
    a, b = tmp_path / "clips" / "a", tmp_path / "clips" / "b"
    clips = [clip(folder / f"{n}.wav", 10 * k + n) for k, folder in enumerate((a, b, b.parent)) for n in range(2)]
    os.utime(clips[5].path, (4e9, 4e9))  # a time to come
    extract(clips, tmp_path / "out", recipe=FRAMES)
    for before, after in ((a, tmp_path / "t"), (b, a), (tmp_path / "t", b)):
        before.rename(after)
    result = extract(clips, tmp_path / "out", recipe=FRAMES)
    assert (result.measured, result.kept) == (4, 2)
    assert is_fresh(tmp_path / "out", clips, recipe=FRAMES)


def test_a_collection_may_get_another_name(clips, tmp_path):
    extract(clips, tmp_path / "out", recipe=FRAMES, corpus="clips")
    (tmp_path / "clips").rename(tmp_path / "voices")
    moved = [replace(c, path=tmp_path / "voices" / c.path.name) for c in clips]
    assert extract(moved, tmp_path / "out", recipe=FRAMES, corpus="voices").measured == 0
    assert is_fresh(tmp_path / "out", moved, recipe=FRAMES, corpus="voices")


def test_what_was_read_in_another_way_does_not_grow(clips, tmp_path, monkeypatch):
    old = {k: v for k, v in header_of(FRAMES, []).items() if k != "reading"}
    monkeypatch.setattr("features.extraction.store.header_of", lambda *what: old | {"clips": 2})
    extract(clips[:2], tmp_path / "out", recipe=FRAMES)
    monkeypatch.undo()
    assert len(list(open_store(tmp_path / "out").clips())) == 2
    with pytest.raises(FileExistsError, match="way of reading sound files 1 and 2"):
        extract(clips, tmp_path / "out", recipe=FRAMES)


def test_a_full_disk_is_said_with_what_to_do(clips, tmp_path, monkeypatch):
    def full(*what):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("features.unfinished.store.write_shard", full)
    with pytest.raises(OSError, match=r"disk of .*out is full.* the same command goes on"):
        extract(clips[:2], tmp_path / "out", recipe=FRAMES)


def test_what_is_stopped_keeps_the_store_as_it_was_and_all_that_was_measured(clips, tmp_path):
    out = extract(clips[:4], tmp_path / "out", recipe=FRAMES).out
    before = contents(out)

    def stop(done, total, seconds):
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(Stopped) as stopped:
        extract(clips, out, recipe=FRAMES, progress=stop)
    assert str(stopped.value) == (
        f"stopped: 7 of 10 clips are measured and kept in {out}; the same command measures the rest. Until then {out} holds "
        "the 4 clips of the last complete run"
    )
    assert {name: content for name, content in contents(out).items() if "unfinished" not in name} == before
    assert len(list(open_store(out).clips())) == 4
    assert extract(clips[1:], out, recipe=FRAMES).measured == 3  # with yet another list
    assert is_fresh(out, clips[1:], recipe=FRAMES)


def test_less_than_a_shard_survives_a_kill(clips, tmp_path, monkeypatch):
    monkeypatch.setattr("features.unfinished.EVERY_S", 0.0)

    def as_if_killed(done, total, seconds):
        if done == 3:
            shutil.copytree(tmp_path / "out", tmp_path / "killed")

    extract(clips, tmp_path / "out", recipe=FRAMES, progress=as_if_killed)
    with pytest.raises(FileNotFoundError, match="has not finished, run it again"):
        open_store(tmp_path / "killed")
    assert extract(clips, tmp_path / "killed", recipe=FRAMES).measured == 7
    assert contents(tmp_path / "killed") == contents(tmp_path / "out")


def test_a_kill_while_the_new_store_takes_the_old_ones_place_loses_nothing(clips, tmp_path, monkeypatch):
    out, killed, replace_file = tmp_path / "out", [], os.replace
    extract(clips[1:], out)

    def as_if_killed(source, target):
        if "store" in source.parts and source.name[0] != ".":
            killed.append(shutil.copytree(out, tmp_path / f"killed{len(killed)}"))
        replace_file(source, target)

    monkeypatch.setattr(unfinished.os, "replace", as_if_killed)
    extract(clips, out)  # the first clip is new, so that every clip moves
    monkeypatch.undo()
    monkeypatch.setattr("features.store.CLIPS_PER_SHARD", SHARD)
    assert len(killed) == 3 + 6 + 1  # shards, tables and recipe, manifest
    for copy in killed:
        assert extract(clips, copy).measured == 0
        assert contents(copy) == contents(out)


def test_variants_that_are_there_grow_with_their_clips(clips, tmp_path):
    out = extract(clips[:4], tmp_path / "out", recipe=FRAMES, variants=1).out
    assert extract(clips[:5], out, recipe=FRAMES).measured == 1
    assert is_fresh(out, clips[:5], recipe=FRAMES, variants=1)


def test_tables_of_frames_of_earlier_clips_do_not_stay(clips, tmp_path):
    out, said = tmp_path / "out", []
    extract(clips[:4], out, recipe=FRAMES, csv=True)
    extract(clips[:5], out, recipe=FRAMES, csv=True)
    assert is_fresh(out, clips[:5], recipe=FRAMES, csv=True)
    extract(clips[:6], out, recipe=FRAMES, say=said.append)
    assert said[1:] == ["the tables of frames of the earlier clips are removed: --csv writes new ones"]
    assert is_fresh(out, clips[:6], recipe=FRAMES)


def test_a_clip_that_is_listed_twice_is_found_twice(clips, tmp_path):
    twice, said = [*clips[:3], clips[1]], []
    extract(twice, tmp_path / "out", recipe=FRAMES)
    assert extract(twice, tmp_path / "out", recipe=FRAMES, say=said.append).measured == 0
    assert said == ["nothing to do: all 4 clips are there, and no recording has changed since"]


@pytest.mark.skipif(os.name != "posix", reason="there is no such lock")
def test_two_processes_do_not_write_into_one_folder(clips, tmp_path):
    (tmp_path / "out").mkdir()
    with alone_in(tmp_path / "out"), pytest.raises(BlockingIOError, match="another process is writing into"):
        extract(clips, tmp_path / "out")
