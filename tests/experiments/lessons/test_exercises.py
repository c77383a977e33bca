"""The judge of the lessons' exercises: what is open, right and wrong, and what the reader is told."""

import numpy as np
import pytest

from experiments.lessons.exercises import check

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
