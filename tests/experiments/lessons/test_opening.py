"""`lstm-engine lessons`: what it lists, the copies that it makes and never takes back, and marimo that it starts."""

import contextlib
import json
import os
import re
import subprocess
import sys
from importlib import util
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGKILL, SIGTERM
from time import sleep
from urllib.error import URLError
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from experiments import lessons
from experiments.lessons import Lesson, opening

LESSONS = [Lesson.read(file) for file in lessons.files()]
NOTEBOOK = '''
import marimo

app = marimo.App()


@app.cell
def _():
    # ## No heading, this is code
    mo.md(r"""
    # 3 · Some *title*

    ## First
    """)
    mo.md(f"""
    ## Of {n} numbers
    #hashtag
    ## Second
    """)
    mo.md("## Exercises")
    return
'''


def test_a_lesson_says_itself_what_it_shows(tmp_path):
    (tmp_path / "lesson_3_x.py").write_text(NOTEBOOK, encoding="utf-8")
    lesson = Lesson.read(tmp_path / "lesson_3_x.py")
    assert (lesson.number, lesson.title, lesson.parts) == (3, "Some *title*", ["First", "Second"])


@pytest.mark.parametrize("title", ["# 12 A title", "# Lesson 3: A title", "# 3. A title", "# A title"])
def test_a_title_is_without_its_number(tmp_path, title):
    (tmp_path / "lesson_3_x.py").write_text(f'mo.md("""\n{title}\n""")', encoding="utf-8")
    assert Lesson.read(tmp_path / "lesson_3_x.py").title == "A title"


def test_they_are_listed_with_what_one_will_see(lstm_engine):
    shown = lstm_engine("lessons")
    assert shown.code == 0
    for lesson in LESSONS:
        assert f"{lesson.number:>2} {lesson.title}\n   {lesson.line}\n" in shown.out
        assert 20 < len(lesson.line) < 78  # one line of a terminal
        assert lesson.parts
    assert LESSONS[7].parts == ["What it says", "Only the pitch", "The microscope"]
    assert [lesson.number for lesson in LESSONS] == list(range(1, len(LESSONS) + 1))
    told = json.loads(lstm_engine("lessons", "--json").out)
    assert [(own["lesson"], own["title"]) for own in told] == [(own.number, own.title) for own in LESSONS]


def test_a_copy_that_was_written_into_stays_unless_forced(tmp_path):
    lesson = LESSONS[-1]
    shipped, own = lesson.file.read_text(encoding="utf-8"), tmp_path / lesson.file.name
    assert opening.copy([lesson], tmp_path) == []
    assert own.read_text(encoding="utf-8") == shipped
    answered = shipped.replace("return None", "return 42  # ∂", 1)
    own.write_text(answered, encoding="utf-8")
    assert opening.copy([lesson], tmp_path) == [own]
    assert own.read_text(encoding="utf-8") == answered
    assert opening.copy([lesson], tmp_path, force=True) == []
    assert own.read_text(encoding="utf-8") == shipped


def test_settings_of_the_readers_own_stay(tmp_path):
    (tmp_path / "pyproject.toml").write_text("# mine")
    opening.copy(LESSONS, tmp_path)
    assert (tmp_path / "pyproject.toml").read_text() == "# mine"
    copied = [*(lesson.file.name for lesson in LESSONS), opening.START.name]
    assert sorted(p.name for p in tmp_path.glob("*.py")) == sorted(copied)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["0"], "there is no lesson 0: expected one of "),
        (["eight"], "there is no lesson eight"),
        (["8", "--json"], "--json lists the lessons: leave it out to open one"),
        (["8", "--out", "{file}"], "is a file: name a folder for your lessons with --out"),
    ],
)
def test_what_cannot_be_opened_is_said_in_a_line(lstm_engine, monkeypatch, tmp_path, arguments, said):
    monkeypatch.setattr(opening, "NEEDED", ())
    (tmp_path / "file").write_text("")
    outcome = lstm_engine("lessons", *(a.format(file=tmp_path / "file") for a in arguments))
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert said in outcome.err


def test_without_marimo_it_says_what_to_install(lstm_engine, monkeypatch, tmp_path):
    find = util.find_spec
    monkeypatch.setattr(opening, "find_spec", lambda name: None if name in ("marimo", "anywidget") else find(name))
    outcome = lstm_engine("lessons", "8", "--out", tmp_path / "own")
    assert outcome.code == 2
    assert "marimo and anywidget is not installed: pip install marimo anywidget" in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "own").exists()


def fetched(address):
    """The page, with the cookie that the address's token gives; marimo says the address a moment before it listens."""
    browser = build_opener(HTTPCookieProcessor())
    for _ in range(300):
        try:
            with browser.open(address, timeout=60) as answer:
                return answer.read().decode()
        except URLError:
            sleep(0.2)
    raise TimeoutError(f"nobody answers at {address}")


def group(pid):
    """The processes of a group that run: zombies that nobody has waited for do not."""
    rows = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            rows.append(stat.read_text().rpartition(")")[2].split())
    return [row for row in rows if int(row[2]) == pid and row[0] != "Z"]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="counts processes in /proc")
@pytest.mark.parametrize(
    ("arguments", "code_is_seen", "signal", "code"),
    [
        (["1"], True, SIGTERM, 128 + SIGTERM),
        (["all", "--read"], False, SIGINT, 0),
        (["all"], True, SIGHUP, 128 + SIGHUP),
    ],
)
def test_marimo_serves_a_copy_at_the_address_that_is_said_until_it_is_told_to_stop(
    marimo, tmp_path, arguments, code_is_seen, signal, code
):
    command = [sys.executable, "-m", "experiments.cli", "lessons", *arguments, "--no-browser"]
    environment = os.environ | {"PYTHONPATH": str(Path(lessons.__file__).parents[2]), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL, start_new_session=True,
    ) as started:  # fmt: skip
        try:
            line = next(line for line in started.stdout if "http://" in line)
            address = re.search(r"http://\S+", line)[0]
            page = fetched(address)
            (server,) = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
            assert group(int(server))
            started.send_signal(signal)
            assert started.wait(30) == code
            assert not group(int(server))  # marimo, and what it has started
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(started.pid, SIGKILL)
    assert "marimo" in page
    assert ("edit" in re.search(r'"mode":\s*"(\w+)"', page)[1]) == code_is_seen
    shown = re.search(r"<title>([^<]*)", page)[1]
    assert shown == ("Lessons" if arguments[0] == "all" else "1 A unit that remembers")
    assert (tmp_path / "lessons" / LESSONS[0].file.name).read_bytes() == LESSONS[0].file.read_bytes()


@pytest.mark.slow
def test_a_copy_runs_in_a_folder_of_its_own(marimo, tmp_path):
    opening.copy(LESSONS[:1], tmp_path)
    environment = os.environ | {"PYTHONPATH": str(Path(lessons.__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, LESSONS[0].file.name], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
