"""The judge of the lessons' exercises: what is open, right and wrong, and what the reader is told."""

from types import SimpleNamespace

import numpy as np
import pytest

from experiments.lessons.exercises import check, heading, source

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
