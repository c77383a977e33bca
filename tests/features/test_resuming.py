import os
import random
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

import features
from features.corpora import Utterance, windows
from features.extraction import extract
from features.recipes import TUTORIAL, Recipe, recipe_named
from features.store import CLIPS_PER_SHARD, read_shard, shard_path

FRAMES = recipe_named("frames")
RATE = 16_000
REST = 6
CLIPS = 3 * CLIPS_PER_SHARD + REST


def contents(folder):
    """Every file under a folder, hidden ones too."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def noise(seed, seconds=0.3):
    return np.random.default_rng(seed).uniform(-0.3, 0.3, round(seconds * RATE))


@pytest.fixture
def clips(tmp_path):
    """Four shards of clips of 0.3 s, and one in each that is broken."""
    (tmp_path / "corpus").mkdir()
    made = []
    for n in range(CLIPS):
        path = tmp_path / "corpus" / f"{n:03d}.wav"
        if n % CLIPS_PER_SHARD == 5:
            path.write_bytes(b"broken")
        else:
            sf.write(path, noise(n), RATE)
        made.append(Utterance(path, f"speaker {n % 9}", ("male", "female")[n % 2]))
    return made


KILLED = """
import os, signal, sys, threading
from pathlib import Path
from features.corpora import Utterance
from features.extraction import extract
from features.recipes import recipe_named

def progress(done, total, seconds):
    if done == int(sys.argv[4]):
        threading.Timer(float(sys.argv[5]), lambda: os.killpg(0, signal.SIGKILL)).start()

if __name__ == "__main__":
    files = sorted(Path(sys.argv[1]).iterdir())
    clips = [Utterance(f, f"speaker {n % 9}", ("male", "female")[n % 2]) for n, f in enumerate(files)]
    extract(clips, sys.argv[2], jobs=2, progress=progress, recipe=recipe_named(sys.argv[3]))
    os.killpg(0, signal.SIGKILL)  # it was faster than its killer
"""


def kill_while_extracting(corpus, out, recipe, after_clips, delay):
    """Extract in a process group of its own, and kill all of it `delay` s after so many clips."""
    script = out.parent / "killed.py"
    script.write_text(KILLED)
    ended = subprocess.run(
        [sys.executable, script, corpus, out, recipe, str(after_clips), str(delay)],
        env=os.environ | {"PYTHONPATH": str(Path(features.__file__).parents[1])},
        start_new_session=True,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL


@pytest.mark.skipif(os.name != "posix", reason="process groups are killed")
def test_an_extraction_that_was_killed_again_and_again_ends_as_one_that_was_not(clips, tmp_path):
    out, left = tmp_path / "out", []
    for after_clips, delay in [(CLIPS // 2, 0.01), (CLIPS, 0.002)]:
        kill_while_extracting(tmp_path / "corpus", out, "tutorial", after_clips, delay)
        left.append(len(list((out / "shards").glob("*.safetensors"))))
    assert left == sorted(left)
    assert 0 < left[0] < 4  # it was killed in the middle
    result = extract(clips, out)
    assert result.measured <= CLIPS - CLIPS_PER_SHARD * (left[-1] - 1)  # what stood was not done again
    extract(clips, tmp_path / "whole", jobs=3)
    assert contents(out) == contents(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="process groups are killed")
def test_twenty_kills_at_random_moments_change_no_byte(clips, tmp_path):
    rng = random.Random(0)
    moments = [(rng.randint(0, CLIPS), rng.uniform(0.0, 0.05)) for _ in range(16)]
    moments += [(CLIPS, delay) for delay in (0.0, 0.002, 0.005, 0.01)]  # while manifest and tables are written
    extract(clips, tmp_path / "whole", recipe=FRAMES)
    expected, left = contents(tmp_path / "whole"), set()
    for n, (after_clips, delay) in enumerate(moments):
        out = tmp_path / f"out{n}"
        kill_while_extracting(tmp_path / "corpus", out, "frames", after_clips, delay)
        left.add(len(list((out / "shards").glob("*.safetensors"))))
        extract(clips, out, jobs=2, recipe=FRAMES)
        assert contents(out) == expected, (after_clips, delay)
    assert {1, 2, 3} & left  # some were killed in the middle


def test_a_shard_that_is_there_is_not_measured_again(clips, tmp_path):
    said = []
    extract(clips, tmp_path / "out")
    for number in (1, 3):
        shard_path(tmp_path / "out", number).unlink()
    (tmp_path / "out" / "manifest.jsonl").unlink()
    before = contents(tmp_path / "out")
    result = extract(clips, tmp_path / "out", say=said.append)
    assert (result.clips, result.measured) == (CLIPS, CLIPS_PER_SHARD + REST)
    assert said == [f"resuming: {2 * CLIPS_PER_SHARD} of {CLIPS} clips are there, {CLIPS_PER_SHARD + REST} to measure"]
    assert contents(tmp_path / "out") | before == contents(tmp_path / "out")


def test_a_run_with_nothing_to_do_says_so_and_touches_nothing(clips, tmp_path):
    extract(clips, tmp_path / "out", recipe=FRAMES)
    files = [p for p in (tmp_path / "out").rglob("*") if p.is_file()]
    before, said = [p.stat().st_mtime_ns for p in files], []
    result = extract(clips, tmp_path / "out", recipe=FRAMES, say=said.append)
    assert said == [f"nothing to do: all {CLIPS} clips are there, and no recording has changed since"]
    assert [p.stat().st_mtime_ns for p in files] == before
    assert (result.clips, result.measured, len(result.failed)) == (CLIPS, 0, 4)


def test_a_damaged_shard_is_made_again(clips, tmp_path):
    extract(clips, tmp_path / "out")
    before = contents(tmp_path / "out")
    path = shard_path(tmp_path / "out", 2)
    path.write_bytes(path.read_bytes()[:-100])
    assert extract(clips, tmp_path / "out").measured == CLIPS_PER_SHARD
    assert contents(tmp_path / "out") == before


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
    assert [n for n in range(CLIPS_PER_SHARD) if before[n][0].sha256 != after[n][0].sha256] == [7]
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
    extract(clips, tmp_path / "whole", recipe=recipe)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_recording_that_is_replaced_between_its_measuring_and_its_shards_writing_is_noticed(clips, tmp_path):
    def replace(done, total, seconds):
        if done == 10:  # in order by one worker: clip 7 is done, its shard not
            sf.write(tmp_path / "corpus" / "007.wav", noise(1000), RATE)

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
    for n in (CLIPS_PER_SHARD + 2, CLIPS_PER_SHARD + 3):
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
    assert f"{CLIPS_PER_SHARD + 3:03d}.wav" not in (out / "failed.csv").read_text()
    extract(clips, tmp_path / "whole", recipe=recipe)
    assert contents(out) == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"recipe": recipe_named("frames", pitch="pyin")}, "parameter pitch yin and pyin"),
        ({"recipe": recipe_named("frames", deltas=True)}, "parameter deltas False and True"),
        ({"recipe": TUTORIAL}, "recipe frames and tutorial"),
        ({"utterances": 30}, f"another list of clips ({CLIPS} and 30 of them)"),
    ],
)
@pytest.mark.parametrize("finished", [True, False])
def test_what_was_begun_with_other_settings_is_refused_with_what_differs(clips, tmp_path, other, words, finished):
    extract(clips, tmp_path / "out", recipe=FRAMES)
    if not finished:
        (tmp_path / "out" / "manifest.jsonl").unlink()
        shard_path(tmp_path / "out", 0).unlink()
    before = contents(tmp_path / "out")
    with pytest.raises(FileExistsError) as caught:
        extract(clips[: other.get("utterances")], tmp_path / "out", recipe=other.get("recipe", FRAMES))
    assert f"(there and now: {words}): choose another folder, or replace it with --force" in str(caught.value)
    assert contents(tmp_path / "out") == before


def test_another_version_of_a_library_is_another_setting(clips, tmp_path, monkeypatch):
    extract(clips[:4], tmp_path / "out", recipe=FRAMES)
    own = FRAMES.stamp()["versions"]
    monkeypatch.setattr("features.recipes.version", lambda library: "99.0" if library == "librosa" else own[library])
    with pytest.raises(FileExistsError, match=rf"librosa {own['librosa']} and 99\.0\)"):
        extract(clips[:4], tmp_path / "out", recipe=FRAMES)


def test_force_begins_anew(clips, tmp_path):
    extract(clips, tmp_path / "out", recipe=FRAMES, csv=True)
    extract(clips[:8], tmp_path / "out", force=True)
    extract(clips[:8], tmp_path / "whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_what_a_killed_run_had_begun_to_write_is_swept_away(clips, tmp_path):
    extract(clips[:8], tmp_path / "out")
    before = contents(tmp_path / "out")
    (tmp_path / "out" / "shards" / ".00000.safetensors.99.tmp").write_bytes(b"half")
    (tmp_path / "out" / ".manifest.jsonl.99.tmp").write_bytes(b"half")
    extract(clips[:8], tmp_path / "out")
    assert contents(tmp_path / "out") == before


def test_tables_of_frames_come_on_request_also_later(clips, tmp_path):
    extract(clips, tmp_path / "out", recipe=FRAMES)
    result = extract(clips, tmp_path / "out", recipe=FRAMES, csv=True)
    assert result.measured == 0
    assert result.rows == {"male_frames.csv": CLIPS // 2, "female_frames.csv": CLIPS // 2 - 4}  # broken ones


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_clips(tmp_path):
    # The frames of a clip of 0.5 s are 26 x 23 float32, 2,392 bytes. A quarter of that is room for what does grow: places
    # in sorted lists, numbers, and what waits for the garbage collector; together some 350 bytes a clip.
    sf.write(tmp_path / "long.wav", noise(0, 1000), RATE)
    peaks = {}
    for count in (200, 2000):
        clips = windows([Utterance(tmp_path / "long.wav", "a", "male", end_s=count / 2)], 0.5)
        assert len(clips) == count
        tracemalloc.start()
        extract(clips, tmp_path / str(count), jobs=2, recipe=FRAMES)
        peaks[count] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[2000] - peaks[200] < 1800 * 2392 / 4


def test_while_an_extraction_is_unfinished_no_table_of_an_earlier_state_stands_there(clips, tmp_path):
    extract(clips, tmp_path / "out")
    for n in (3, CLIPS_PER_SHARD + 3):
        sf.write(tmp_path / "corpus" / f"{n:03d}.wav", noise(1000 + n), RATE)

    def stop(done, total, seconds):
        if done == total - 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(clips, tmp_path / "out", progress=stop)
    assert not list((tmp_path / "out").glob("*.*"))
    assert extract(clips, tmp_path / "out").measured == 1
    extract(clips, tmp_path / "whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
