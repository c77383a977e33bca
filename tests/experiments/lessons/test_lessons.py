"""What all lessons have in common: each runs as a script, is a tidy notebook, and leaves its exercises open."""

import inspect
import subprocess
import sys

import pytest

from experiments import lessons
from experiments.lessons.exercises import Check

FILES = {int(file.name.split("_")[1]): file for file in lessons.files()}


@pytest.mark.parametrize("n", FILES)
def test_a_lesson_runs_and_leaves_its_exercises_to_the_reader(lesson, n):
    defined = lesson(n)
    checks = {name: value for name, value in defined.items() if name.startswith("check_")}
    assert 2 <= len(checks) <= 3
    for name, outcome in checks.items():
        assert isinstance(outcome, Check)
        assert outcome.state == "open"
        assert inspect.getdoc(defined[name.replace("check", "answer")])  # says what to write


@pytest.mark.parametrize("n", FILES)
def test_a_lesson_is_a_tidy_notebook(marimo, n):
    tidy = [sys.executable, "-m", "marimo", "check", "--strict", FILES[n]]
    found = subprocess.run(tidy, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("n", FILES)
def test_a_lesson_begins_and_ends_like_the_others(n):
    code, own = FILES[n].read_text(encoding="utf-8"), lessons.Lesson.read(FILES[n])
    assert f'app = marimo.App(width="medium", app_title="{n} {own.title}")' in code
    assert f"# {n} {own.title}\n" in code
    assert f"exercises.heading({n})" in code  # where to write the answers, which depends on how the lesson is opened
