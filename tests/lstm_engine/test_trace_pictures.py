"""`trace.plot()`: a map for each gate and state, with whatever library is there."""

import sys

import numpy as np
import pytest

import lstm_engine as le

T, H = 7, 5
MAPS = {"LSTM": "ifgoch", "GRU": ("z", "r", "candidate", "h"), "SimpleRNN": "h"}


def traced(cell="LSTM", y=False):
    model = le.Sequential([le.Input((None, 2)), getattr(le, cell)(H), le.Dense(1)], seed=0, backend="numpy")
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).standard_normal((2, T, 2))
    return model.trace(x, np.ones((2, 1)) if y else None)


@pytest.mark.parametrize("cell", MAPS)
@pytest.mark.parametrize("library", ["matplotlib", "plotly"])
def test_a_figure_has_every_gate_and_state_by_unit_and_step(cell, library):
    pytest.importorskip(library)
    trace = traced(cell, y=True)
    (name,) = trace.layers
    for gradients in (False, True):
        figure = trace.plot(name, sample=1, gradients=gradients, library=library)
        if library == "plotly":
            drawn = [np.array(heatmap.z) for heatmap in figure.data]
        else:
            drawn = [ax.images[0].get_array() for ax in figure.axes if ax.images and ax.get_ylabel() == "unit"]
        arrays = trace[name].grad if gradients else trace[name]
        assert len(drawn) == len(MAPS[cell])
        for shown, letter in zip(drawn, MAPS[cell], strict=True):
            np.testing.assert_array_equal(shown, arrays[letter][1].T)


def test_matplotlib_comes_first_and_plotly_when_it_is_absent(monkeypatch):
    pytest.importorskip("plotly")
    assert type(traced().plot()).__module__.startswith("matplotlib")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    assert type(traced().plot()).__module__.startswith("plotly")
    monkeypatch.setitem(sys.modules, "plotly", None)
    monkeypatch.setitem(sys.modules, "plotly.subplots", None)
    with pytest.raises(
        ModuleNotFoundError, match="draws with matplotlib or plotly, which is not installed: pip install"
    ):
        traced().plot()


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"sample": 2}, ValueError, "samples 0 to 1, got 2"),
        ({"gradients": True}, ValueError, "no gradients: give model.trace the targets"),
        ({"layer": "gru"}, KeyError, "no recurrent layer 'gru'"),
        ({"library": "bokeh"}, ValueError, "library must be one of matplotlib, plotly"),
    ],
)
def test_what_the_trace_does_not_have_is_refused(arguments, error, said):
    with pytest.raises(error, match=said):
        traced().plot(**arguments)
