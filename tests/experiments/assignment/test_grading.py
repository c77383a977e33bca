"""Files in processes of their own: what goes wrong there becomes a sentence, and a class becomes a table."""

import csv
import io
import json
import sys

import pytest
from typer.testing import CliRunner

from experiments.assignment import checking, grading, starters
from experiments.assignment.checking import Limits, check_file
from experiments.cli import app
from experiments.reports.run import Run
from lstm_engine.gradient_check.verdict import PASSED, WRONG

SOLVED = starters.solution("lstm")
LOOP = SOLVED.replace("    h, c = h0, c0\n", "    h, c = h0, c0\n    while True:\n        h = h + 0\n", 1)


def judged(tmp_path, source, seconds=20, name="mine.py"):
    file = tmp_path / name
    file.write_text(source, encoding="utf-8")
    return check_file(file, limits=Limits(seconds=seconds))


def test_a_right_file_passes_in_its_own_process(tmp_path):
    assert judged(tmp_path, SOLVED).ok
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


@pytest.mark.parametrize(
    ("source", "sentence", "line"),
    [
        ("def lstm_forward(x)\n    pass\n", "mine.py is not Python yet: expected ':'.", 1),
        ("x = 1\nx / 0\n", "mine.py stops with ZeroDivisionError: division by zero when it is read.", 2),
    ],
)
def test_a_file_that_cannot_be_read_is_said_with_its_line(tmp_path, source, sentence, line):
    verdict = judged(tmp_path, source)
    assert verdict.finding.sentence == sentence
    assert verdict.finding.place.line == line
    assert verdict.finding.place.file == str(tmp_path / "mine.py")


def test_a_loop_that_never_ends_is_stopped_and_its_line_said(tmp_path):
    verdict = judged(tmp_path, LOOP, seconds=2)
    assert verdict.finding.sentence == "lstm_forward was still running after 2 s: does a loop never end?"
    assert verdict.finding.place.text == "h = h + 0"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import os; os._exit(3)\n", "ended Python with exit code 3 before the judge was done"),
        ("import sys; sys.exit(0)\n", "ends itself with exit() when it is read"),
        ("import ctypes; ctypes.string_at(0)\n", "crashed Python (SIGSEGV)"),
        ("import no_such_module\n", "imports no_such_module, which is not here: NumPy is all that is needed"),
        ("input()\n", "EOFError"),
        ("import os; os.mkfifo('verdict.json'); os._exit(0)\n", "ended Python with exit code 0"),
        ("open('verdict.json', 'w').write('{\"levels\": 3}'); import os; os._exit(0)\n", "ended Python with exit code 0"),
        ("import numpy as np; np.ones((50_000, 50_000))\n", "MemoryError"),
        ("open('big', 'wb').write(bytes(10**8))\n", "stops with OSError"),
        ("import os\nassert 'SECRET' not in os.environ\nx = = 1\n", "is not Python yet"),
    ],
)  # fmt: skip
@pytest.mark.skipif(sys.platform != "linux", reason="Linux has all the limits")
def test_the_limits_hold(tmp_path, source, says, monkeypatch):
    monkeypatch.setenv("SECRET", "1")
    assert says in judged(tmp_path, source, seconds=5).finding.sentence


@pytest.mark.slow
@pytest.mark.skipif(not checking.namespaces(), reason="no user namespaces here")
def test_there_is_no_network(tmp_path):
    verdict = judged(tmp_path, "import socket\nsocket.create_connection(('1.1.1.1', 80), 2)\n")
    assert "Network is unreachable" in verdict.finding.sentence


def test_what_is_no_submission_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ValueError, match=r"is not a \.py file or a notebook"):
        check_file(tmp_path / "notes.txt")
    with pytest.raises(FileNotFoundError):
        check_file(tmp_path / "none.py")
    with pytest.raises(ValueError, match=r"holds no \.py file, no notebook"):
        grading.submissions(tmp_path)


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A class of three: one right, one with a formula for a name and a file that is not Python, one without a file."""
    folder, out = tmp_path_factory.mktemp("class"), tmp_path_factory.mktemp("out") / "grades"
    (folder / "anna").mkdir()
    (folder / "anna" / "notes.py").write_text("x = 1\n")
    (folder / "anna" / "lstm.py").write_text(SOLVED, encoding="utf-8")
    (folder / "=cmd.py").write_text("x = = 1\n")
    (folder / "carl").mkdir()
    seen = []
    grades = grading.grade(folder, Run(out), jobs=2, progress=lambda *counts: seen.append(counts))
    return grades, out, seen


def test_every_submission_gets_a_row_and_none_stops_the_others(graded):
    grades, _, seen = graded
    assert [(row.student, row.state, row.reached) for row in grades] == [
        ("=cmd", WRONG, 0), ("anna", PASSED, 5), ("carl", grading.NO_FILE, 0),
    ]  # fmt: skip
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert grading.summary(grades) == "1 of 3 submissions passed every level."


def test_the_csv_runs_no_formula(graded):
    _, out, _ = graded
    rows = list(csv.DictReader(io.StringIO((out / "grades.csv").read_text(encoding="utf-8"))))
    assert [row["student"] for row in rows] == ["'=cmd", "anna", "carl"]
    assert grading.safe("@x") == "'@x"
    assert grading.safe("-1") == "'-1"
    assert grading.safe("fine") == "fine"


def test_the_page_and_the_json_hold_the_same_rows(graded):
    grades, out, _ = graded
    page = (out / "report.html").read_text(encoding="utf-8")
    assert all(row.student in page for row in grades)
    assert "http" not in page
    assert len(json.loads((out / "grades.json").read_text(encoding="utf-8"))["grades"]) == 3


def test_control_characters_of_a_submission_do_not_reach_the_terminal():
    assert grading.plain("a\x1b[31mb\n") == "a [31mb "


# -- the commands ------------------------------------------------------------------------------------------------------


def command(*words):
    return CliRunner().invoke(app, ["assignment", *words])


def test_new_then_check_says_what_to_write_first(tmp_path):
    made = command("new", str(tmp_path / "mine"))
    assert made.exit_code == 0
    checked = command("check", str(tmp_path / "mine" / "lstm.py"))
    assert checked.exit_code == 1
    assert "lstm_step_forward is not written yet." in checked.stdout


def test_check_gives_hints_a_solution_and_json(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(SOLVED.replace("dc = dc_total * f", "dc = dc_total"), encoding="utf-8")
    shown = command("check", str(file), "--hint", "3", "--solution").stdout
    assert "look at δc'." in shown
    assert "Look at line 45: dc = dc_total" in shown
    assert "    dc = dc_total * f\n" in shown
    value = json.loads(command("check", str(file), "--json").stdout)
    assert value["finding"]["quantity"] == "δc'"
    assert value["reached"] == 0


def test_a_file_may_be_called_as_a_module_of_python_and_have_a_coding_of_its_own(tmp_path):
    file = tmp_path / "string.py"
    file.write_bytes("# -*- coding: latin-1 -*-\nassert len('Müller') == 6\n".encode("latin-1"))
    verdict = check_file(file)
    assert verdict.finding.sentence.startswith("There is no function lstm_step_forward")
