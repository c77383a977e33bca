"""Values that a logarithmic axis cannot show end their line, and do not stretch the axis."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from experiments.reports.log_axes import line_above


@pytest.fixture
def ax():
    ax = Figure().subplots()
    ax.set_yscale("log")
    return ax


def test_a_line_that_falls_to_0_ends_with_a_mark_and_leaves_the_scale_to_the_others(ax):
    line_above(ax, range(5), [1.0, 0.1, 0.01, 0.0, 0.0], 1e-20, "f", color="C0")
    line, mark = ax.lines
    assert np.isnan(line.get_ydata()).tolist() == [False, False, False, True, True]
    assert (mark.get_xdata().tolist(), mark.get_ydata().tolist()) == ([2], [0.01])
    assert line.get_label() == "f (▽ below 1e-20)"
    assert ax.get_ylim()[0] > 1e-3


def test_a_line_that_comes_back_is_marked_wherever_it_ends(ax):
    line_above(ax, range(5), [1.0, 0.0, 1.0, 1.0, 0.0], 1e-20)
    assert ax.lines[1].get_xdata().tolist() == [0, 3]


def test_a_line_above_the_floor_is_drawn_as_it_is(ax):
    line_above(ax, range(3), [1.0, 2.0, 1e-20], 1e-20, "f")
    assert ax.lines[0].get_ydata().tolist() == [1.0, 2.0, 1e-20]
    assert ax.lines[0].get_label() == "f"
    assert len(ax.lines[1].get_xdata()) == 0
