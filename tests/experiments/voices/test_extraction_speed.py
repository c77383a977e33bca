import json
import math
import os
import subprocess
import sys

import pytest

from experiments.voices import extraction_speed
from experiments.voices.extraction_speed import WORDS, enough, resources, speed


@pytest.fixture(scope="module")
def long_corpus(tmp_path_factory):
    """Four speakers of 12 s each."""
    from features.synth import write_corpus

    folder = tmp_path_factory.mktemp("long")
    write_corpus(folder / "voices", speakers=2, test_speakers=0, clips=1, seconds=12.0)
    return folder / "voices"


def test_a_corpus_is_cut_until_there_is_enough_of_it_and_no_window_twice(long_corpus):
    clips = enough(long_corpus, 0.03)
    assert sum(u.end_s - u.start_s for u in clips) >= 0.03 * 3600
    assert len({(u.path, u.start_s) for u in clips}) == len(clips)
    assert {round(u.end_s - u.start_s, 6) for u in clips} <= {5.3} | {round(12 - 5.3 - k / 2, 6) for k in range(9)}


def test_a_corpus_that_is_too_short_is_told(long_corpus):
    with pytest.raises(ValueError, match="no 5 h of sound"):
        enough(long_corpus, 5.0)


@pytest.mark.slow  # starts processes
@pytest.mark.skipif(sys.platform != "linux", reason="resources are read in /proc")
def test_speed_is_what_was_extracted_over_what_it_took(long_corpus):
    found = speed(long_corpus, "frames", hours=0.01, jobs=2)
    assert found["hours"] == pytest.approx(sum(u.end_s - u.start_s for u in enough(long_corpus, 0.01)) / 3600)
    assert found["times_real_time"] == pytest.approx(found["hours"] * 3600 / found["seconds"])
    longer = max(7942 / found["clips"], 11.7 / found["hours"])
    assert found["tutorial_minutes"] == pytest.approx(longer * found["seconds"] / 60)
    for name in ("seconds", "cpu_s", "mib_at_quarter", "mib_at_end"):
        assert found[name] > 0
        assert math.isfinite(found[name])
    assert f"{found['times_real_time']:.0f} x real time" in WORDS.format_map(found)


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="os.sysconf is POSIX's")
def test_resources_add_up_this_process_and_its_descendants(tmp_path, monkeypatch):
    ours = os.getpid()
    child, grandchild, stranger, ended = range(ours + 1, ours + 5)
    processes = {ours: (1, 100), child: (ours, 20), grandchild: (child, 3), stranger: (1, 7000), ended: (ours, None)}
    for process, (parent, amount) in processes.items():
        folder = tmp_path / str(process)
        folder.mkdir()
        if amount is not None:  # a process that ends while it is read leaves no file
            ticks = f"{amount} {2 * amount}"  # user and system time, fields 14 and 15 of proc(5)
            (folder / "stat").write_text(f"{process} (a name) with) S {parent} {'0 ' * 9}{ticks} 0 0")
            (folder / "statm").write_text(f"99999 {amount} 0 0 0 0 0")
    monkeypatch.setattr(extraction_speed, "Path", lambda place: {"/proc": tmp_path}[place])
    cpu_s, mib = resources()
    assert cpu_s == pytest.approx(3 * 123 / os.sysconf("SC_CLK_TCK"))
    assert mib == pytest.approx(123 * os.sysconf("SC_PAGE_SIZE") / 2**20)


@pytest.mark.slow  # starts processes
@pytest.mark.skipif(sys.platform != "linux", reason="resources are read in /proc")
def test_the_command_prints_a_line_a_recipe(long_corpus):
    asked = [
        "-m",
        "experiments.voices.extraction_speed",
        long_corpus,
        "--hours",
        "0.01",
        "--recipe",
        "tutorial",
        "--json",
    ]
    done = subprocess.run([sys.executable, *asked], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["recipe"] == "tutorial"
