"""The measure of the leads notices a lead that misleads, and its unlisted mistakes are no known slips."""

import pytest

from experiments.laboratory.diagnosis import UNLISTED, Answer, answer_on, figures
from lstm_engine.gradient_check.report import Lead


def test_a_mistake_that_no_table_lists_is_placed_without_certainty():
    row = next(row for row in UNLISTED if row.mutant.name == "δU takes tanh(h')")
    answer = answer_on(row.mutant, False, row.region, row.quantities)
    assert answer.found
    assert answer.right
    assert not answer.lead.certain


@pytest.mark.parametrize(
    ("lead", "misled"),
    [(Lead("inside a step", "δo", ""), True), (Lead("between steps", "", ""), True), (Lead("inside a step", "", ""), False),
     (Lead("inside a step", "δf", ""), False), (None, False)],
)  # fmt: skip
def test_a_wrong_quantity_or_region_counts_as_misled(lead, misled):
    row = UNLISTED[0]
    answer = Answer(row.mutant, False, True, lead, frozenset(row.quantities.split()), row.region)
    assert answer.misled == misled
    assert f"{int(misled)} misled" in figures([answer])
