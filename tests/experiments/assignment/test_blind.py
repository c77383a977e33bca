"""Mistakes that were written down without a look at the known slips."""

import pytest

from experiments.assignment.blind import JUDGED, MISTAKES, answers, by_gradient_check, by_judge

STRANGE = ("dc starts at 1", "the upstream of c is ignored")
JUDGED_STRANGE = ("all is divided by T", "h' is leaked by z", "the upstream of c is ignored")


@pytest.mark.parametrize(("check", "names"), [(by_gradient_check, STRANGE), (by_judge, JUDGED_STRANGE)])
def test_nobody_is_misled(check, names):
    rows = answers(check, [row for row in MISTAKES if row.name in names])
    assert len(rows) == len(names)
    for row in rows:
        assert row.found
        assert row.right_term, row


@pytest.mark.slow
def test_every_blind_mistake_is_found_and_the_term_named():
    rows = answers(by_gradient_check, MISTAKES)
    assert all(row.found for row in rows)
    assert not [row for row in rows if row.misled]
    assert sum(row.right_term for row in rows) >= 0.9 * len(rows)


@pytest.mark.slow
def test_the_judge_finds_every_blind_mistake():
    rows = answers(by_judge, [row for row in MISTAKES if row.of in JUDGED])
    assert all(row.found for row in rows)
    assert not [row for row in rows if row.misled]
