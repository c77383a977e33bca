"""What all lessons have in common: each runs as a script, is a tidy notebook, and leaves its exercises open."""

import inspect
import subprocess
import sys

import pytest

from experiments import lessons
from experiments.lessons import pace
from experiments.lessons.exercises import Check

FILES = {int(file.name.split("_")[1]): file for file in lessons.files()}


# Lessons 6 to 10 train: here cut short, since the tests of their answers run them whole.
@pytest.mark.parametrize("n", [pytest.param(n, marks=pytest.mark.slow if n > 5 else ()) for n in FILES])
def test_a_lesson_runs_and_leaves_its_exercises_to_the_reader(lesson, lesson_run_anew, monkeypatch, n):
    monkeypatch.setattr(pace, "QUICK", True)
    defined = lesson_run_anew(n) if n > 5 else lesson(n)
    checks = {name: value for name, value in defined.items() if name.startswith("check_")}
    assert 2 <= len(checks) <= 3
    for name, outcome in checks.items():
        assert isinstance(outcome, Check)
        assert outcome.state == "open"
        assert inspect.getdoc(defined[name.replace("check", "answer")])  # says what to write


def test_the_lessons_are_tidy_notebooks(marimo):
    command = [sys.executable, "-m", "marimo", "check", "--strict", *FILES.values()]
    outcome = subprocess.run(command, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize("n", FILES)
def test_a_lesson_begins_and_ends_like_the_others(n):
    code, title = FILES[n].read_text(encoding="utf-8"), lessons.Lesson.read(FILES[n]).title
    assert f'app = marimo.App(width="medium", app_title="{n} {title}")' in code
    assert f"# {n} {title}\n" in code
    assert f"exercises.heading({n})" in code  # where to write the answers, which depends on how the lesson is opened
