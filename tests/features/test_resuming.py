"""An extraction that is resumed ends with the same bytes as one that was never interrupted, and repeats no finished work."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from features.corpora import Utterance
from features.extraction import extract
from features.recipes import TUTORIAL, Recipe, recipe_named
from features.store import read_shard, shard_path

FRAMES = recipe_named("frames")
RATE = 16_000
SHARD, REST = 8, 6  # clips in a shard, here; and in the last one
CLIPS = 3 * SHARD + REST


@pytest.fixture(scope="module", autouse=True)
def small_shards():
    """Shards of 8 clips in place of 64: four shards then need 30 clips."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("features.store.CLIPS_PER_SHARD", SHARD)
        yield


def contents(folder):
    """Every file under a folder, hidden ones too."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def noise(seed, seconds=0.3):
    return np.random.default_rng(seed).uniform(-0.3, 0.3, round(seconds * RATE))


def write_clips(folder):
    """Four shards of clips of 0.3 s, one broken clip in each."""
    folder.mkdir()
    clips = []
    for n in range(CLIPS):
        path = folder / f"{n:03d}.wav"
        if n % SHARD == 5:
            path.write_bytes(b"broken")
        else:
            sf.write(path, noise(n), RATE)
        clips.append(Utterance(path, f"speaker {n % 9}", ("male", "female")[n % 2]))
    return clips


@pytest.fixture
def clips(tmp_path):
    """Clips in tmp_path/corpus whose recordings a test may change."""
    return write_clips(tmp_path / "corpus")


@pytest.fixture(scope="module")
def constant_clips(tmp_path_factory):
    """The same clips for tests that do not change the recordings."""
    return write_clips(tmp_path_factory.mktemp("constant") / "corpus")


@pytest.fixture(scope="module")
def extracted(constant_clips, tmp_path_factory):
    """{recipe: its finished extraction of the constant clips}. Not to be changed."""
    folder = tmp_path_factory.mktemp("extracted")
    return {
        recipe.name: extract(constant_clips, folder / recipe.name, recipe=recipe).out for recipe in (TUTORIAL, FRAMES)
    }


@pytest.fixture
def tutorial(extracted, tmp_path):
    """A finished extraction of the constant clips by the tutorial's recipe; a test may change it."""
    return Path(shutil.copytree(extracted["tutorial"], tmp_path / "out"))


@pytest.fixture
def frames(extracted, tmp_path):
    """A finished extraction of the constant clips by the recipe frames; a test may change it."""
    return Path(shutil.copytree(extracted["frames"], tmp_path / "out"))


def test_a_shard_that_is_there_is_not_measured_again(constant_clips, tutorial, extracted):
    messages = []
    for number in (1, 3):
        shard_path(tutorial, number).unlink()
    (tutorial / "manifest.jsonl").unlink()
    result = extract(constant_clips, tutorial, say=messages.append)
    assert (result.clips, result.measured) == (CLIPS, SHARD + REST)
    assert messages == [f"resuming: {2 * SHARD} of {CLIPS} clips are there, {SHARD + REST} to measure"]
    assert contents(tutorial) == contents(extracted["tutorial"])


def test_a_run_with_nothing_to_do_says_so_and_touches_nothing(constant_clips, frames):
    files = [p for p in frames.rglob("*") if p.is_file()]
    before, messages = [p.stat().st_mtime_ns for p in files], []
    result = extract(constant_clips, frames, recipe=FRAMES, say=messages.append)
    assert messages == [f"nothing to do: all {CLIPS} clips are there, and no recording has changed since"]
    assert [p.stat().st_mtime_ns for p in files] == before
    assert (result.clips, result.measured, len(result.failed)) == (CLIPS, 0, 4)


def test_a_damaged_shard_is_made_again(constant_clips, tutorial, extracted):
    path = shard_path(tutorial, 2)
    path.write_bytes(path.read_bytes()[:-100])
    assert extract(constant_clips, tutorial).measured == SHARD
    assert contents(tutorial) == contents(extracted["tutorial"])


@pytest.mark.parametrize("how", ["another size", "the same size", "moved in its place"])
def test_a_recording_that_has_changed_is_measured_again_and_no_other(clips, tmp_path, how):
    extract(clips, tmp_path / "out")
    before = list(read_shard(tmp_path / "out", 0).clips())
    changed = tmp_path / "corpus" / "007.wav"
    if how == "moved in its place":  # with a time of change from before the extraction
        sf.write(tmp_path / "new.wav", noise(1000), RATE)
        os.utime(tmp_path / "new.wav", ns=(0, 0))
        (tmp_path / "new.wav").replace(changed)
    else:
        sf.write(changed, noise(1000, 0.3 if how == "the same size" else 0.4), RATE)
    assert extract(clips, tmp_path / "out").measured == 1
    after = list(read_shard(tmp_path / "out", 0).clips())
    assert [n for n in range(SHARD) if before[n][0].sha256 != after[n][0].sha256] == [7]
    extract(clips, tmp_path / "whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


REPLACED = '''
"""A recipe for a test: while it measures a loud clip, another recording takes its place, of the same size."""
import os
from pathlib import Path
import numpy as np

def measure(samples, rate):
    new = Path(__file__).with_name("new.wav")
    if np.abs(samples).max() > 0.5 and new.exists():
        new.replace(new.with_name("old.wav").readlink())
    return np.full((2, 1), samples[0], np.float32)
'''


@pytest.mark.skipif(os.name != "posix", reason="a link says where the recording is")
def test_a_recording_that_is_replaced_while_it_is_measured_is_measured_as_it_is_then(clips, tmp_path, monkeypatch):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "replaced.py").write_text(REPLACED)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    import replaced

    recipe, loud = Recipe("frames", ("x",), "float32", {}, replaced.measure), tmp_path / "corpus" / "007.wav"
    sf.write(loud, 3 * noise(7), RATE)
    sf.write(tmp_path / "modules" / "new.wav", noise(1000), RATE)
    (tmp_path / "modules" / "old.wav").symlink_to(loud)
    extract(clips, tmp_path / "out", recipe=recipe)
    assert not (tmp_path / "modules" / "new.wav").exists()  # it has taken the other's place
    extract(clips, tmp_path / "whole", recipe=recipe)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_recording_that_is_replaced_between_its_measuring_and_its_shards_writing_is_noticed(clips, tmp_path):
    def replace(done, total, seconds):
        if done == 5:  # in order by one worker: clip 3 is measured, its shard not written
            assert not shard_path(tmp_path / "out", 0).exists()
            sf.write(tmp_path / "corpus" / "003.wav", noise(1000), RATE)

    extract(clips, tmp_path / "out", progress=replace)
    assert extract(clips, tmp_path / "out").measured == 1
    extract(clips, tmp_path / "whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert extract(clips, tmp_path / "out").measured == 0


FLAKY = '''
"""A recipe for a test: loud clips cannot be measured while there is a file named down."""
from pathlib import Path
import numpy as np

def measure(samples, rate):
    if np.abs(samples).max() > 0.5 and Path(__file__).with_name("down").exists():
        raise OSError("the disk is away")
    return np.full((2, 1), samples[0], np.float32)
'''


def test_failed_clips_are_tried_again_on_request_and_only_they(clips, tmp_path, monkeypatch):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "flaky.py").write_text(FLAKY)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    import flaky

    recipe = Recipe("frames", ("x",), "float32", {}, flaky.measure)
    for n in (SHARD + 2, SHARD + 3):
        sf.write(tmp_path / "corpus" / f"{n:03d}.wav", 3 * noise(n), RATE)
    (tmp_path / "modules" / "down").touch()
    out = tmp_path / "out"
    assert len(extract(clips, out, recipe=recipe).failed) == 4 + 2
    (tmp_path / "modules" / "down").unlink()
    assert extract(clips, out, recipe=recipe).measured == 0  # not without the request
    shards = sorted((out / "shards").iterdir())
    before = [shard.read_bytes() for shard in shards]
    result = extract(clips, out, recipe=recipe, retry_failed=True)
    assert (result.measured, len(result.failed)) == (4 + 2, 4)  # four are broken, and stay so
    assert [shard.read_bytes() != content for shard, content in zip(shards, before, strict=True)] == [0, 1, 0, 0]
    assert f"{SHARD + 3:03d}.wav" not in (out / "failed.csv").read_text()
    extract(clips, tmp_path / "whole", recipe=recipe)
    assert contents(out) == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (recipe_named("frames", pitch="pyin"), "parameter pitch yin and pyin"),
        (recipe_named("frames", deltas=True), "parameter deltas False and True"),
        (TUTORIAL, "recipe frames and tutorial"),
    ],
)
@pytest.mark.parametrize("finished", [True, False])
def test_an_extraction_with_other_settings_is_refused_with_what_differs(constant_clips, frames, other, words, finished):
    if not finished:
        (frames / "manifest.jsonl").unlink()
        shard_path(frames, 0).unlink()
    before = contents(frames)
    with pytest.raises(FileExistsError) as caught:
        extract(constant_clips, frames, recipe=other)
    assert f"(there and now: {words}): choose another folder, or replace it with --force" in str(caught.value)
    assert contents(frames) == before


def test_another_version_of_a_library_is_another_setting(constant_clips, frames, monkeypatch):
    versions = FRAMES.stamp()["versions"]
    monkeypatch.setattr("features.recipes.version", lambda name: "99.0" if name == "librosa" else versions[name])
    with pytest.raises(FileExistsError, match=rf"librosa {versions['librosa']} and 99\.0\)"):
        extract(constant_clips, frames, recipe=FRAMES)


def test_force_begins_anew(constant_clips, frames, tmp_path):
    extract(constant_clips, frames, recipe=FRAMES, csv=True)
    extract(constant_clips[:8], frames, force=True)
    extract(constant_clips[:8], tmp_path / "whole")
    assert contents(frames) == contents(tmp_path / "whole")


def test_temporary_files_of_a_killed_run_are_removed(constant_clips, tutorial):
    before = contents(tutorial)
    (tutorial / "shards" / ".00000.safetensors.99.tmp").write_bytes(b"half")
    (tutorial / ".manifest.jsonl.99.tmp").write_bytes(b"half")
    extract(constant_clips, tutorial)
    assert contents(tutorial) == before


def test_tables_of_frames_come_on_request_also_later(constant_clips, frames):
    result = extract(constant_clips, frames, recipe=FRAMES, csv=True)
    assert result.measured == 0
    assert result.rows == {"male_frames.csv": CLIPS // 2, "female_frames.csv": CLIPS // 2 - 4}  # four are broken


def test_while_an_extraction_is_unfinished_the_earlier_store_stays_whole_with_its_tables(clips, tmp_path):
    extract(clips, tmp_path / "out")
    before = contents(tmp_path / "out")
    for n in (3, SHARD + 3):
        sf.write(tmp_path / "corpus" / f"{n:03d}.wav", noise(1000 + n), RATE)

    def stop(done, total, seconds):
        if done == total - 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(clips, tmp_path / "out", progress=stop)
    now = contents(tmp_path / "out")
    assert {name: content for name, content in now.items() if "unfinished" not in name} == before
    assert extract(clips, tmp_path / "out").measured == 1
    extract(clips, tmp_path / "whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
