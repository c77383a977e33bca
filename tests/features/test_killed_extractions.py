"""Extractions whose processes are all killed, with shards of 64 clips: resumed, they end as if nothing had happened."""

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
from features import unfinished
from features.corpora import Utterance, windows
from features.extraction import extract
from features.recipes import recipe_named
from features.store import CLIPS_PER_SHARD, read_shard_file

pytestmark = pytest.mark.slow

FRAMES = recipe_named("frames")
RATE = 16_000
CLIPS = 3 * CLIPS_PER_SHARD + 6


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


def clips_in(out):
    """How many clips have a result in a folder."""
    return len({entry.path for path in unfinished.files(out) for entry in read_shard_file(path).entries})


@pytest.mark.skipif(os.name != "posix", reason="process groups are killed")
def test_an_extraction_that_was_killed_again_and_again_ends_as_one_that_was_not(clips, tmp_path):
    out, left = tmp_path / "out", []
    for after_clips, delay in [(CLIPS // 2, 0.01), (CLIPS, 0.002)]:
        kill_while_extracting(tmp_path / "corpus", out, "tutorial", after_clips, delay)
        left.append(clips_in(out))
    assert CLIPS_PER_SHARD <= left[0] < CLIPS  # it was killed in the middle
    assert left[0] < left[1]
    result = extract(clips, out)
    assert result.kept >= left[1]  # what stood was not done again
    extract(clips, tmp_path / "whole", jobs=3)
    assert contents(out) == contents(tmp_path / "whole")


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
        left.add(clips_in(out))
        extract(clips, out, jobs=2, recipe=FRAMES)
        assert contents(out) == expected, (after_clips, delay)
    assert any(0 < count < CLIPS for count in left)  # some were killed in the middle


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
