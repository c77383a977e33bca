"""The lessons' pictures: what is drawn is what was given."""

import re

import numpy as np
import pytest

pytest.importorskip("plotly", reason='needs plotly: pip install -e ".[lessons]"')
from experiments.lessons import drawing


def test_lines_draw_every_curve_at_its_steps():
    figure = drawing.lines({"a": [1.0, 2.0], "b": np.array([3.0, 4.0, 5.0])}, x_title="lag")
    assert [(trace.name, list(trace.x), list(trace.y)) for trace in figure.data] == [
        ("a", [0, 1], [1.0, 2.0]), ("b", [0, 1, 2], [3.0, 4.0, 5.0]),
    ]  # fmt: skip
    assert figure.layout.xaxis.title.text == "lag"


@pytest.mark.parametrize(
    ("values", "ticks"),
    [([0.5, 0.02], "D2"), ([1.0, 1e-9], None), ([0.0, 0.0], None), ([0.0, 0.5, 0.02], "D2")],
)
def test_a_narrow_logarithmic_axis_is_labelled_between_the_powers(values, ticks):
    axis = drawing.lines({"a": values}, log=True).layout.yaxis
    assert (axis.type, axis.dtick) == ("log", ticks)


def test_an_unrolled_unit_shows_each_step_and_one_weight_on_all_arrows():
    svg = drawing.unrolled(x=[0.0, 1.0, 0.0], h=[0.0, 0.76, -0.61], w=1.5, u=-0.8, steps=3)
    said = re.findall(r">([^<>]+)</text>", svg)
    assert [s for s in said if s in ("0.00", "0.76", "-0.61")] == ["0.00", "0.00", "0.76", "-0.61"]  # h' first
    assert said.count("× 1.5") == said.count("× -0.8") == 3
    colours = re.findall(r'<rect [^>]*stroke="(#\w+)"', svg)
    assert colours == [drawing.COLOURS[0], drawing.COLOURS[0], drawing.COLOURS[1]]


def test_what_is_wide_stays_one_line_of_html_and_can_be_pushed_with_the_keyboard():
    html = drawing.sideways("<pre>a  b\nc</pre>", 300)
    assert "\n" not in html
    assert "<pre>a  b&#10;c</pre>" in html
    assert 'tabindex="0"' in html
    assert "overflow-x:auto" in html
    assert "min-width:300px" in html


def test_what_is_printed_is_text_and_no_markup():
    assert "h &lt; 1&#10;x  &amp; y" in drawing.printed("h < 1\nx  & y")


def test_a_table_puts_numbers_to_the_right_and_words_to_the_left():
    assert drawing.table(("step", "δ", "where"), [(1, -0.0, "here"), (0, 0.12345, "there")]).splitlines() == [
        "| step | δ | where |", "| --: | --: | :-- |", "| 1 | 0.0000 | here |", "| 0 | 0.1235 | there |",
    ]  # fmt: skip
