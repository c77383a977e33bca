"""Studies of many trainings: each result is kept at once, and a study that was stopped runs what is missing alone."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.reports.run import Run
from experiments.study.seeds import RESULTS, Job, begin, command_line, gather, read


def square(log, number, seed):
    with Path(log).open("a") as file:
        file.write(f"{number} {seed}\n")
    return {"square": number**2, "of": seed}


def fail(seed):
    raise ValueError(f"seed {seed} is unlucky")


def jobs(log, numbers=(2, 3), seeds=range(2)):
    return [Job(f"n{number}", seed, square, (str(log), number)) for number in numbers for seed in seeds]


def test_every_job_runs_once_and_results_come_in_the_order_of_the_jobs(tmp_path):
    run, log, progress = begin(tmp_path / "out", "study x", {"a": 1}), tmp_path / "log", []
    results = gather(run, jobs(log), update=lambda done, total: progress.append((done, total)))
    assert [(r["what"], r["seed"], r["square"]) for r in results] == [
        ("n2", 0, 4),
        ("n2", 1, 4),
        ("n3", 0, 9),
        ("n3", 1, 9),
    ]
    assert sorted(log.read_text().split("\n")[:-1]) == ["2 0", "2 1", "3 0", "3 1"]
    assert progress == [(k, 4) for k in range(5)]


def test_what_is_there_is_not_run_again_and_more_seeds_are_added(tmp_path):
    log = tmp_path / "log"
    gather(begin(tmp_path / "out", "study x", {"a": 1}), jobs(log, seeds=range(1)))
    results = gather(begin(tmp_path / "out", "study x", {"a": 1}), jobs(log, seeds=range(2)))
    assert len(results) == 4
    assert gather(begin(tmp_path / "out", "study x", {"a": 1}), jobs(log)) == results  # nothing is missing
    assert sorted(log.read_text().split("\n")[:-1]) == ["2 0", "2 1", "3 0", "3 1"]


def test_results_that_are_done_outlast_an_error_in_another(tmp_path):
    run = begin(tmp_path / "out", "study x", {})
    ok, bad = jobs(tmp_path / "log")[:1], Job("bad", 7, fail)
    with pytest.raises(ValueError, match="seed 7 is unlucky"):
        gather(run, [*ok, bad])
    assert read(run, ok[0])["square"] == 4
    assert read(run, bad) is None


def test_other_settings_are_refused_with_what_differs(tmp_path):
    begin(tmp_path, "study x", {"adding": {"rate": 0.1, "units": 8}, "order": {"rate": 0.1}})
    with pytest.raises(FileExistsError, match=r"there and now: adding rate 0\.1 and 0\.2\)"):
        begin(tmp_path, "study x", {"adding": {"rate": 0.2, "units": 8}})
    with pytest.raises(FileExistsError, match="not empty"):
        begin(tmp_path, "study y", {"adding": {"rate": 0.1, "units": 8}})


def test_a_part_that_only_one_of_two_calls_has_is_no_difference_and_is_kept(tmp_path):
    begin(tmp_path, "study x", {"adding": {"rate": 0.1}})
    begin(tmp_path, "study x", {"order": {"rate": 0.3}})
    settings = json.loads((tmp_path / "config.json").read_text())["settings"]
    assert settings == {"adding": {"rate": 0.1}, "order": {"rate": 0.3}}


def test_force_begins_anew(tmp_path):
    run, job = begin(tmp_path, "study x", {"a": 1}), jobs(tmp_path.parent / f"{tmp_path.name} log")[0]
    gather(run, [job])
    assert read(begin(tmp_path, "study x", {"a": 2}, force=True), job) is None


def test_what_is_noted_is_written_and_not_compared(tmp_path):
    begin(tmp_path, "study x", {"a": 1}, noted={"seeds": 2})
    begin(tmp_path, "study x", {"a": 1}, noted={"seeds": 5})
    assert json.loads((tmp_path / "config.json").read_text())["settings"] == {"a": 1, "seeds": 5}


def test_a_table_of_results_goes_with_the_other_results(tmp_path):
    begin(tmp_path, "study x", {"a": 1})
    (tmp_path / "rows.csv").write_text("a row")
    begin(tmp_path, "study x", {"a": 1}, table="rows.csv")
    assert (tmp_path / "rows.csv").exists()
    begin(tmp_path, "study x", {"a": 1}, force=True, table="rows.csv")
    assert not (tmp_path / "rows.csv").exists()


def test_a_command_line_has_the_options_that_are_set():
    options = {"cell": ("rnn", "gru"), "task": (), "quick": True, "keras": False, "seeds": None, "forget_bias": 1.0}
    assert command_line("study x", **options) == "lstm-engine study x --cell rnn --cell gru --quick --forget-bias 1"


KILLED = """
import sys, time
from pathlib import Path
from experiments.study.seeds import Job, begin, gather

def wait(log, seed):
    Path(log, str(seed)).touch()
    if seed == 1 and not Path(log, "again").exists():
        Path(log, "stuck").touch()
        time.sleep(600)
    return {"seed": seed}

if __name__ == "__main__":
    out, log = sys.argv[1:]
    gather(begin(out, "study x", {}), [Job("w", k, wait, (log,)) for k in range(3)])
"""


@pytest.mark.slow  # starts two processes
@pytest.mark.skipif(os.name != "posix", reason="kills a process group")
def test_a_killed_study_goes_on_where_it_was(tmp_path):
    (tmp_path / "killed.py").write_text(KILLED)
    out, log = tmp_path / "out", tmp_path / "log"
    log.mkdir()
    command = [sys.executable, str(tmp_path / "killed.py"), str(out), str(log)]
    root = str(Path(__file__).parents[3])
    environment = os.environ | {"PYTHONPATH": root}
    first = subprocess.Popen(command, env=environment, start_new_session=True)
    end = time.monotonic() + 120
    while not (log / "stuck").exists():
        assert time.monotonic() < end, "the study did not come to its second training"
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert sorted(p.name for p in (out / RESULTS).glob("*.json")) == ["w-0.json"]
    (log / "again").touch()
    (log / "0").unlink()
    subprocess.run(command, env=environment, check=True, timeout=120)
    assert sorted(p.name for p in (out / RESULTS).glob("*.json")) == ["w-0.json", "w-1.json", "w-2.json"]
    assert not (log / "0").exists()  # what was done was not done again


def test_the_folder_is_a_run(tmp_path):
    run = begin(tmp_path / "new", "study x", {"a": 1})
    assert isinstance(run, Run)
    assert json.loads((run.folder / "config.json").read_text())["command"] == "study x"
