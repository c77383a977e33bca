"""The judge of the lessons' exercises: what is open, right and wrong, and what the reader is told."""

import importlib
import inspect
import sys
import time
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from experiments import lessons
from experiments.lessons import exercises
from experiments.lessons.exercises import heading, source

check = partial(exercises.check, exercise=(1, 1))

CASES = (((2.0, 3), 8.0), ((np.array([1.0, 2.0]), 2), np.array([1.0, 4.0])))


@pytest.mark.parametrize(
    ("answer", "state", "said"),
    [
        (lambda x, n: None, "open", "Not answered yet"),
        (lambda x, n: ..., "open", "Not answered yet"),
        (lambda x, n: x**n, "right", "2 of 2 cases"),
        (lambda x, n: x * n, "wrong", "(2., 3)` gives 6., expected 8."),
        (lambda x, n: 8.0 * (1 + 1e-8), "wrong", "gives 8.00000008, expected 8."),
        (lambda x, n: 8.0, "wrong", "gives shape (), expected (2,)"),
        (lambda x, n: x.missing, "wrong", "stopped with AttributeError"),
        (lambda x, n: np.nan, "wrong", "gives nan, expected 8."),
        (lambda x, n: "8", "wrong", "gives the string `'8'`; expected a number."),
        (lambda x, n: {"x": 8}, "wrong", "gives the dict `{'x': 8}`; expected a number."),
        (lambda x, n: [[8.0], [1.0, 2.0]], "wrong", "gives the list `[[8.0], [1.0, 2.0]]`; expected a number."),
        (lambda x, n: (8.0 for _ in x), "wrong", "stopped with TypeError: 'float' object is not iterable"),
        (
            lambda x, n: print,
            "wrong",
            "gives the builtin_function_or_method `<built-in function print>`; expected a number.",
        ),
        (lambda x, n: {} if n == 2 else 8.0, "wrong", "gives the dict `{}`; expected an array of shape (2,)."),
        (lambda x: x, "wrong", "takes 1 positional argument but 2 were given"),
        (lambda x, n: sys.exit("bye"), "wrong", "stopped with SystemExit: bye"),
        (lambda x, n: (_ for _ in ()).throw(KeyboardInterrupt), "wrong", "stopped with KeyboardInterrupt"),
        (42, "wrong", "The answer is the int `42`; expected a function."),
    ],
)
def test_an_answer_is_open_right_or_wrong_and_says_why(answer, state, said):
    outcome = check(answer, *CASES)
    assert outcome.state == state
    assert said in outcome.text


@pytest.fixture(params=["edit", "run"])
def mode(request, marimo, monkeypatch):
    """The lesson is open in the editor, or as a page without code."""
    monkeypatch.setattr(marimo, "app_meta", lambda: SimpleNamespace(mode=request.param))
    return request.param


def test_the_reader_is_told_where_to_write(mode):
    said = heading(3).text
    assert "Exercises</h2>" in said
    assert ("Write each function" in said) == (mode == "edit")
    assert ("<code>lstm-engine lessons 3</code>" in said) == (mode == "run")


def test_code_is_shown_where_its_cell_is_not(mode):
    assert ("return</span>" in source(returned).text) == (mode == "run")


def test_code_in_indented_prose_keeps_its_lines_and_leaves_the_prose_as_it_is(mode, marimo):
    prose = marimo.md(f"""
    Code is **here**:

    {source(returned)}

    and *there* the exercises:

    {heading(1)}
    """).text
    assert "<strong>here</strong>" in prose  # in a block of code it would have kept its asterisks
    assert "<em>there</em>" in prose
    assert "<em>value</em>" not in prose
    assert ("&#10;    " in prose) == (mode == "run")


def returned(value):
    """*value*"""
    return value


def test_an_open_exercise_says_what_is_asked_where_the_page_hides_the_function():
    def answer_1(x, n):
        """x to the power of n."""

    assert check(answer_1, *CASES).text == "Not answered yet. x to the power of n."


def test_an_answer_that_never_returns_is_ended_and_told_so():
    running = []

    def answer_1(x, n):
        while True:
            running.append(time.monotonic())
            time.sleep(0.001)

    outcome = check(answer_1, *CASES, patience=0.1)
    assert outcome.state == "wrong"
    assert "has not returned after 0.1 seconds. Does a loop never end?" in outcome.text
    time.sleep(0.2)
    count = len(running)
    time.sleep(0.1)
    assert len(running) == count  # it does not go on in the background


def test_an_answer_that_changes_its_arguments_changes_no_other_case():
    x = np.array([1.0, 2.0])

    def answer_1(values):
        values *= 2
        return values

    assert check(answer_1, ((x,), [2.0, 4.0]), ((x,), [2.0, 4.0])).state == "right"
    np.testing.assert_array_equal(x, [1.0, 2.0])


@pytest.mark.parametrize("file", lessons.files(), ids=lambda file: file.stem)
def test_each_exercise_has_two_hints_or_three_and_a_solution(file):
    number = lessons.Lesson.read(file).number
    solutions = importlib.import_module(f"experiments.lessons.solutions.lesson_{number}")
    asked = [
        name for name in ("answer_1", "answer_2", "answer_3") if f"def {name}(" in file.read_text(encoding="utf-8")
    ]
    assert list(solutions.HINTS) == list(range(1, len(asked) + 1))
    for k, name in enumerate(asked, 1):
        assert 2 <= len(solutions.HINTS[k]) <= 3
        code = inspect.getsource(getattr(solutions, name))
        assert not any(line.strip() in " ".join(solutions.HINTS[k]) for line in code.splitlines()[1:])
        assert f"exercise=({number}, {k})" in file.read_text(encoding="utf-8")


def test_hints_and_solution_are_folded_below_the_answer_in_one_line_of_html(marimo):
    outcome = exercises.check(lambda x, w, u: None, ((np.ones(2), 1.0, 0.5), 1.5), exercise=(1, 1))
    assert [title for title, _ in outcome.help] == ["Hint 1", "Hint 2", "Hint 3", "Solution"]
    html = marimo.as_html(outcome).text
    assert html.count("<details ") == 4
    assert "\n" not in html
    assert "def answer_1(x, w, u):&#10;    return sum(" in html
