import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

import features
from features.audio import Reason
from features.corpora import Utterance
from features.measuring import content_hash, measure, measure_all
from features.recipes import TUTORIAL, Recipe, recipe_named

FRAMES = recipe_named("frames")
RATE = 16_000
DEADLY = '''
"""Recipes for a test: each of them fails on a clip whose first sample is loud."""
import os, signal, pathlib, sys
import numpy as np

def kills(samples, rate):
    if samples[0] > 0.5:
        os.kill(os.getpid(), signal.SIGSEGV)
    return np.ones((1, 1))

def kills_once(samples, rate):
    if samples[0] > 0.5:
        mark = pathlib.Path(__file__).with_name("killed")
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return np.ones((1, 1))

def raises(samples, rate):
    if samples[0] > 0.5:
        raise ZeroDivisionError("float division by zero")
    return np.ones((1, 1))

def leaves(samples, rate):
    if samples[0] > 0.5:
        sys.exit(3)
    return np.ones((1, 1))

def infinite(samples, rate):
    return np.full((1, 1), np.inf if samples[0] > 0.5 else 0.0)

def names_its_process(samples, rate):
    return np.full((1, 1), os.getpid())
'''


@pytest.fixture
def deadly(tmp_path, monkeypatch):
    """deadly("kills") is the recipe of that name; workers find it where Python looks for modules."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "deadly.py").write_text(DEADLY)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    sys.modules.pop("deadly", None)
    import deadly as module

    return lambda name: Recipe(name, ("x",), "float64", {}, getattr(module, name))


@pytest.fixture
def clips(tmp_path):
    """Nine clips of noise; the fourth begins with a loud sample."""
    rng, made = np.random.default_rng(0), []
    for n in range(9):
        samples = rng.uniform(-0.3, 0.3, RATE // 4)
        samples[0] = 0.9 if n == 3 else 0.0
        sf.write(tmp_path / f"{n}.wav", samples, RATE)
        made.append(Utterance(tmp_path / f"{n}.wav", None, "male"))
    return made


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_every_clip_comes_out_once_and_as_it_is_measured_here(clips, jobs):
    results = list(measure_all(FRAMES, clips, jobs))
    assert sorted(number for number, _ in results) == list(range(9))
    for number, measured in results:
        np.testing.assert_array_equal(measured.frames, measure(FRAMES, clips[number]).frames)
        assert measured.seconds == 0.25


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(("recipe", "cause"), [("kills", "SIGSEGV"), ("leaves", "exit code 3")])
def test_a_clip_that_ends_its_process_costs_only_itself(clips, deadly, jobs, recipe, cause):
    results = dict(measure_all(deadly(recipe), clips, jobs))
    assert [n for n in range(9) if results[n].frames is None] == [3]
    assert results[3].reason == Reason.CRASHED
    assert results[3].bytes == clips[3].path.stat().st_size  # or it would seem to have changed, and end another process
    assert results[3].message == f"it ends the process that measures it ({cause})"


def test_a_clip_whose_worker_was_ended_by_somebody_else_is_measured_after_all(clips, deadly):
    results = dict(measure_all(deadly("kills_once"), clips, 2))
    assert len(results) == 9
    assert all(measured.frames is not None for measured in results.values())


def test_a_worker_that_was_ended_while_idle_is_replaced(clips, deadly):
    results, killed = {}, set()
    for number, measured in measure_all(deadly("names_its_process"), clips, 1):
        results[number] = measured
        if len(results) == 4:
            (killed_one,) = {int(measured.frames[0, 0])}
            os.kill(killed_one, signal.SIGKILL)
            killed.add(killed_one)
            time.sleep(0.1)  # until the system has closed its end
    assert sorted(results) == list(range(9))
    assert {int(results[n].frames[0, 0]) for n in range(4, 9)}.isdisjoint(killed)


def test_an_unexpected_error_becomes_the_reason_of_its_clip(clips, deadly):
    results = dict(measure_all(deadly("raises"), clips))
    assert results[3].reason == Reason.UNMEASURABLE
    assert "ZeroDivisionError: float division by zero" in results[3].message
    assert [n for n in range(9) if results[n].frames is None] == [3]


def test_what_is_not_finite_is_no_measurement(clips, deadly):
    results = dict(measure_all(deadly("infinite"), clips))
    assert [n for n in range(9) if results[n].reason == Reason.NOT_FINITE] == [3]


def test_a_worker_that_cannot_start_is_an_error_and_not_a_failed_clip(clips, deadly, tmp_path):
    recipe = deadly("kills")
    (tmp_path / "modules" / "deadly.py").write_text("raise ImportError")  # as a worker will find it
    with pytest.raises(RuntimeError, match=r"ended before its first clip \(exit code 1\)"):
        list(measure_all(recipe, clips))


def test_no_worker_outlives_the_call(clips, deadly):
    work = measure_all(deadly("names_its_process"), clips, 2)
    process = int(next(work)[1].frames[0, 0])
    assert Path(f"/proc/{process}").exists() or not Path("/proc").exists()
    work.close()
    assert not Path(f"/proc/{process}").exists()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
def test_workers_end_when_the_program_is_killed(clips, tmp_path):
    script = tmp_path / "program.py"
    script.write_text(
        "import sys, time\n"
        "from features.corpora import Utterance\n"
        "from features.measuring import measure_all\n"
        "from features.recipes import TUTORIAL\n"
        "if __name__ == '__main__':\n"
        f"    work = measure_all(TUTORIAL, [Utterance({str(clips[0].path)!r}, None, 'male')] * 2, 2)\n"
        "    next(work)\n"
        "    print('measured', flush=True)\n"
        "    time.sleep(60)\n"
    )
    root = str(Path(features.__file__).parents[1])
    program = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": root}, start_new_session=True
    )
    assert program.stdout.readline() == b"measured\n"
    assert len(of_group(program.pid)) >= 3  # itself and two workers
    program.kill()
    program.wait()
    until = time.monotonic() + 20
    while of_group(program.pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert of_group(program.pid) == []


def of_group(group):
    """Command lines of the processes of a process group that have not ended."""
    commands = []
    for folder in Path("/proc").iterdir():
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if fields[0] != "Z" and int(fields[2]) == group:
                commands.append((folder / "cmdline").read_text())
        except (OSError, IndexError):
            continue
    return commands


def test_recordings_that_do_not_say_how_long_they_are_are_told_once(tmp_path):
    for name in ("a.wav", "b.wav"):
        sf.write(tmp_path / name, 0.1 * np.sin(np.arange(RATE)), RATE)
        content = (tmp_path / name).read_bytes()
        at = content.index(b"data") + 4
        (tmp_path / name).write_bytes(content[:at] + b"\xff" * 4 + content[at + 4 :])
    with pytest.warns(UserWarning, match=r"a\.wav and 1 other recording: it does not state its length") as said:
        list(measure_all(FRAMES, [Utterance(tmp_path / name, None, "male") for name in ("a.wav", "b.wav")]))
    assert len(said) == 1


def test_the_same_sound_has_the_same_hash_in_another_container_and_under_another_name(tmp_path):
    tone = np.rint(9000 * np.sin(2 * np.pi * 150 * np.arange(RATE) / RATE)).astype(np.int16)
    sf.write(tmp_path / "a.wav", tone, RATE)
    sf.write(tmp_path / "b.flac", tone, RATE)
    sf.write(tmp_path / "c.wav", sf.read(tmp_path / "a.wav")[0], RATE, subtype="FLOAT")
    sf.write(tmp_path / "d.wav", np.roll(tone, 1), RATE)
    clips = [Utterance(tmp_path / name, None, "male") for name in ("a.wav", "b.flac", "c.wav", "d.wav")]
    a, b, c, d = (measure(TUTORIAL, clip).sha256 for clip in clips)
    assert a == b == c != d


def test_the_hash_is_of_the_samples_as_little_endian_float32():
    import hashlib
    import struct

    assert content_hash(np.array([0.5, -1.0])) == hashlib.sha256(struct.pack("<2f", 0.5, -1.0)).hexdigest()


@pytest.mark.slow
def test_what_a_decoder_prints_does_not_reach_the_screen(tmp_path):
    picture, script = tmp_path / "picture.mp3", tmp_path / "program.py"
    picture.write_bytes(b"\xff\xd8\xff\xe0JFIF" + bytes(999))
    script.write_text(
        "from features.corpora import Utterance\n"
        "from features.measuring import measure_all\n"
        "from features.recipes import TUTORIAL\n"
        "if __name__ == '__main__':\n"
        f"    ((_, measured),) = measure_all(TUTORIAL, [Utterance({str(picture)!r}, None, 'male')])\n"
        "    print(measured.reason)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(features.__file__).parents[1])}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, check=True)
    assert (done.stdout, done.stderr) == ("undecodable\n", "")
