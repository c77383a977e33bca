"""Nobody who is right is accused: cells that no textbook has, and textbook cells in unusual code."""

import pytest

import lstm_engine as le
from experiments.assignment import blind_passes
from experiments.assignment.blind import MISTAKES, inputs_of

from . import unusual

HEAVY = ("stacked", "normed", "peepholes", "hard gates")  # no cell is found, after a long search
NAMES = [pytest.param(name, marks=[pytest.mark.slow] * (name in HEAVY)) for name in unusual.PASSES]


@pytest.mark.parametrize("name", NAMES)
def test_an_unusual_right_pass_passes(name):
    forward, backward, _ = unusual.PASSES[name]
    report = le.gradcheck_function(forward, backward, unusual.inputs_of(name), elements=20)
    assert report.ok
    assert report.lead is None
    assert not any("is not" in note for note in report.notes)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in unusual.PASSES if name not in ("minimal", "leaky")])
def test_what_is_no_plain_lstm_is_not_called_wrong(name):
    forward, backward, _ = unusual.PASSES[name]
    notes = " ".join(le.gradcheck_function(forward, backward, unusual.inputs_of(name), like="lstm", elements=20).notes)
    assert "forward is not an LSTM's" not in notes
    assert ("variant" in notes) == (name != "fused")


@pytest.mark.parametrize("of", dict.fromkeys(row.of for row in MISTAKES))
def test_the_passes_in_which_mistakes_are_planted_are_right(of):
    forward, backward = (getattr(blind_passes, f"{of}_{way}") for way in ("forward", "backward"))
    report = le.gradcheck_function(forward, backward, inputs_of(of), elements=20, like=of.partition("_")[0])
    assert report.ok
    assert not any("forward" in note for note in report.notes)
