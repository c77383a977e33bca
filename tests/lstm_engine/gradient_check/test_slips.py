"""The table of slips: each row computes, differs from the right pass, and is told from the others."""

import numpy as np
import pytest

from lstm_engine.gradient_check.equations import CELLS, walk, walk_back
from lstm_engine.gradient_check.leads import Experiment, Seen, matched, single_slips
from lstm_engine.gradient_check.slips import slips_of, split

from .test_equations import drawn  # x and h of different lengths

FIRST = [cells[0] for cells in CELLS.values()]


def made(cell, changed):
    """Walks of 1 and 3 steps with the gradients of a slip in the place of a learner's."""
    experiments = []
    for steps in (1, 3):
        given, upstream = drawn(cell)
        given["x", ""] = given["x", ""][:steps]
        upstream = {name: a[:steps] if name.startswith("up") else a for name, a in upstream.items()}
        states = walk(cell, given)
        wrong = walk_back(cell, states, upstream, changed)
        seen = [Seen("", key, a) for key, a in wrong.items()]
        experiments.append(Experiment(states, upstream, seen, walk_back(cell, states, upstream)))
    return experiments


@pytest.mark.parametrize("cell", FIRST, ids=lambda cell: cell.name)
def test_every_slip_computes_and_nearly_all_change_a_gradient(cell):
    right = made(cell, {})
    known = [slip for slip in slips_of(cell.name) if "W_" not in slip.changed.get("δh_prev", "")]  # D = H only
    silent = [slip for slip in known if all(all(matched(cell, each, slip.changed)) for each in right)]
    assert len(known) > {"LSTM": 1900}.get(cell.name, 150)
    assert len(silent) <= 0.02 * len(known), silent


CHOSEN = {
    "δf": {"δf": "δc * c"},
    "δz_g": {"δz_g": "δg * tanh1(tanh(g))"},
    "δc'": {"δc_prev": "δc"},
    "δh": {"δh": "up_h[t]"},
    "δU": {f"δU_{k}": f"h.T @ δz_{k}" for k in "ifgo"},
    "δW": {"ΣW": "δ"},
    "δb_o": {"δb_o": "δz_g.sum(0)"},
}


@pytest.mark.parametrize("quantity", CHOSEN)
def test_a_slip_is_told_from_all_others(quantity):
    (lstm,) = CELLS["lstm"]
    fits = single_slips(lstm, made(lstm, CHOSEN[quantity]))
    assert {slip.quantity for slip in fits} == {quantity}


def test_split_leaves_brackets_whole():
    assert split("δh * (h_prev - ĥ) * σ1(z)", " * ") == ["δh", "(h_prev - ĥ)", "σ1(z)"]
    assert np.all([not part.count(" + ") for part in split("a + b * (c + d)", " + ")[:1]])
