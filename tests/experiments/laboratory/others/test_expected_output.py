"""Coursera's printed gradients, with a stand-in of the notebook whose numbers we calculate."""

import json

import numpy as np
import pytest

from experiments.laboratory.others.expected_output import DIGITS, Printed, compare, element, gradients

KEYS = (
    "dx[1][2]",
    "da0[2][3]",
    "dWf[3][1]",
    "dWi[1][2]",
    "dWc[3][1]",
    "dWo[1][2]",
    "dbf[4]",
    "dbi[4]",
    "dbc[4]",
    "dbo[4]",
)


def notebook(calculated) -> str:
    """A cell of text that prints these numbers in the notebook's form."""
    lines = ["**Expected Output**:", ""]
    for key in KEYS:
        name, _, at = key.partition("[")
        numbers = " ".join(f"{n:.8f}" for n in np.atleast_1d(element(calculated, key)))
        lines += [
            f'**gradients["{name}"][{at}** =',
            "</td><td>",
            f"[ {numbers}]",
            f'**gradients["{name}"].shape** =',
            "(5, 8)",
        ]
    return json.dumps({"cells": [{"cell_type": "markdown", "source": ["\n".join(lines)]}]})


@pytest.mark.parametrize("kind", ["gradient", "printed"])
def test_printed_numbers_are_told_apart(repository, kind):
    clone, commit = repository({"n.ipynb": notebook(gradients(kind))})
    comparison = compare(clone, Printed("somebody/lstm", commit, "n.ipynb"))
    assert len(comparison.numbers) == 10
    assert (comparison.from_gradient < DIGITS) == (kind == "gradient")
    assert (comparison.from_printed < DIGITS) == (kind == "printed")


def test_a_walk_in_which_nothing_is_handed_back_is_right_at_its_last_step_alone():
    right, alone = gradients("gradient")["dx"], gradients("alone")["dx"]
    assert np.array_equal(right[:, :, -1], alone[:, :, -1])
    assert (np.abs(right - alone)[:, :, :-1].max(axis=(0, 1)) > 0.1).all()


def test_a_notebook_without_these_numbers_is_refused(repository):
    clone, commit = repository({"n.ipynb": json.dumps({"cells": []})})
    with pytest.raises(ValueError, match="prints no expected output"):
        compare(clone, Printed("somebody/lstm", commit, "n.ipynb"))
