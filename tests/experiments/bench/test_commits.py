"""Two commits of the engine in turns."""

import subprocess
import sys
from pathlib import Path

import pytest

from experiments.bench import commits
from experiments.bench.task import Shape
from experiments.bench.turns import Seat, Timing, Turns

TINY = Shape("tiny", 5, 2, 4, 3)
A, B = "engine, A 1111111, 1 thread", "engine, B 2222222, 1 thread"


def test_the_ratio_is_that_of_the_second_commit_to_the_first():
    timing = Timing("train", TINY, {A: [2e-3, 4e-3], B: [1e-3, 2e-3]})
    (row,) = commits.table([A, B], [timing]).to_dict("records")
    assert row == {"A 1111111, ms": "3", "B 2222222, ms": "1.5", "B / A (middle 80 %)": "0.500 (0.500-0.500)"}


def test_a_commit_that_computes_something_else_has_its_reason_in_place_of_a_time():
    timing = Timing(
        "train", TINY, {A: [2e-3]}, failed={B: "computes something else: 1.0e-02 from the engine, relative"}
    )
    (row,) = commits.table([A, B], [timing]).to_dict("records")
    assert row == {"A 1111111, ms": "2", "B 2222222, ms": "computes something else: 1.0e-02 from the engine, relative"}


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository of one commit whose engine is empty but for a word, and whose other packages it does not know."""
    root = tmp_path / "repository"
    (root / "lstm_engine").mkdir(parents=True)
    (root / "lstm_engine/__init__.py").write_text("committed = True\n")
    name = ["-c", "user.name=x", "-c", "user.email=x@x"]
    for command in (["init", "-q"], ["add", "."], [*name, "commit", "-qm", "one"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    (root / "lstm_engine/__init__.py").write_text("committed = False\n")
    monkeypatch.setattr(commits, "ROOT", root)
    return root


def test_a_commits_engine_is_beside_the_present_benchmark(repository, tmp_path):
    seat = commits.seat("A", "HEAD", tmp_path / "A", 1)
    assert seat.source == tmp_path / "A"
    assert seat.label.startswith("engine, A ")
    assert (seat.source / "lstm_engine/__init__.py").read_text() == "committed = True\n"
    for package in ("features", "experiments"):
        assert (seat.source / package).resolve() == repository / package
    here = commits.seat("B", ".", tmp_path / "B", 1)
    assert here == Seat("engine", 1, "B .")


def test_what_a_commits_process_imports_needs_no_name_of_the_present_engine():
    """It reads these files beside its own lstm_engine; that of 5b3cce9 had no `files` and no `Model`."""
    old = "import sys, lstm_engine.interchange; del lstm_engine.Model; sys.modules['lstm_engine.files'] = None"
    bench = "import experiments.bench.commits, experiments.bench.engine_side"
    subprocess.run([sys.executable, "-c", f"{old}; {bench}"], cwd=Path(commits.__file__).parents[2], check=True)


@pytest.mark.parametrize("unknown", ["no-such-commit", "HEAD~1", "--all", ""])
def test_what_git_does_not_know_is_refused(unknown, repository, tmp_path):
    with pytest.raises(
        ValueError, match=r"a commit as git names it was expected, or \. for the files as they are, got"
    ):
        commits.seat("A", unknown, tmp_path / "A", None)


@pytest.mark.slow
def test_a_process_takes_the_engine_of_its_source(tmp_path):
    root = Path(commits.__file__).parents[2]
    for package in (commits.ENGINE_FOLDER, *commits.PRESENT):
        (tmp_path / package).symlink_to(root / package)
    with Turns([Seat("numpy", 1, "A x", tmp_path), Seat("numpy", 1)]) as turns:
        found = [pool.submit(eval, "__import__('lstm_engine').__file__").result() for pool in turns.pools.values()]
    assert [Path(file).parents[1] for file in found] == [tmp_path, root]
