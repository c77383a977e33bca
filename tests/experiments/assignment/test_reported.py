"""Mistakes that people reported: each can be planted, is found by the gradient check, and says where it comes from."""

import pytest

import lstm_engine as le
from experiments.assignment.gradcheck_leads import SQUARE, H, Said, call, false_alarms, figures, of_reported
from experiments.assignment.mutants import module_of
from experiments.assignment.reported import REPORTED
from experiments.assignment.slips_in_public import PLANTED
from experiments.laboratory.others.passes import PROVED


def test_enough_mistakes_each_with_its_source_and_its_place():
    assert len(REPORTED) >= 24
    for row in REPORTED:
        assert row.source.startswith("https://")
        assert row.mutant.source()  # its text stands in the solution exactly once
        assert row.regions
        assert row.mutant.quantities


@pytest.mark.parametrize("row", REPORTED[3:4], ids=lambda row: row.mutant.name)
def test_a_reported_mistake_is_found(row, tmp_path):
    m = module_of(row.mutant.source(), tmp_path / "mistake.py")
    report = le.gradcheck_function(*call(row.mutant.solution, m, H if row.mutant.name == SQUARE else 3), elements=20)
    assert report.failed


def test_a_lead_counts_when_region_and_quantity_are_among_the_right_ones():
    allowed = (("inside a step",), ("δf", "δz_f"))
    right = Said("a", True, "inside a step", "δf", "", *allowed)
    other_term = Said("b", True, "inside a step", "δi", "", *allowed)
    misled = Said("c", True, "between steps", "δf", "", *allowed)
    silent = Said("d", True, "", "", "", *allowed)
    assert [(s.right, s.misled) for s in (right, other_term, misled, silent)] == [
        (True, False),
        (False, False),
        (False, True),
        (False, False),
    ]
    assert figures([right, other_term, misled, silent]) == (
        "4 wrong passes: 4 found, 1 with the right region and first wrong term (25%), 1 misled."
    )


def test_each_planted_slip_belongs_to_one_right_public_pass():
    assert len({(row.repository, row.slip) for row in PLANTED}) == len(PLANTED) == 24
    assert {row.subject.expected for row in PLANTED} == {PROVED}


@pytest.mark.slow
def test_the_check_finds_them_and_calls_no_solution_wrong():
    assert [result.name for result in of_reported(REPORTED[::4]) if not result.found] == []
    assert false_alarms() == []
