"""The drawing of a cell: its numbers, equations and sentence are the engine's, and page and picture say the same."""

import math
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

import lstm_engine as le
from experiments.microscope import cell
from experiments.microscope.cell import CELLS, cell_drawing, cell_figure, cell_script, example, sentence, values_at

PICTURES = Path(__file__).parents[3] / "docs" / "pictures"
VALUES = {
    "unit": 21,
    "i": 0.8,
    "f": 0.61,
    "g": 0.15,
    "o": 0.36,
    "c": 0.3762,
    "tanh_c": 0.3594,
    "h": 0.1294,
    "c_prev": 0.42,
}
READ = """(id) => {
    const root = document.getElementById(id), style = (path) => getComputedStyle(path);
    return [root.innerText, [...root.querySelectorAll(".part")].map((part) => part.getAttribute("aria-label")),
            [...root.querySelectorAll("path")].map((path) => style(path).strokeWidth + style(path).strokeDasharray)];
}"""  # the words, the labels, and how wide and how full everything is
SAID = {  # the sentence of each picture in docs/
    "lstm": "Unit 0 keeps 82\u202f% of what it held, writes \u22120.18, shows 83\u202f%.",
    "gru": "Unit 3 keeps 57\u202f% of what it held and takes 43\u202f% of the new value \u22120.62; "
    "its reset gate is 62\u202f% open.",
    "gru_reset_before": "Unit 2 keeps 71\u202f% of what it held and takes 29\u202f% of the new value \u22120.48; "
    "its reset gate is 68\u202f% open.",
    "simple_rnn": "Unit 1 held \u22120.71 and holds 0.31 after this step, all of it new.",
}


def text_of(svg):
    return " ".join(
        "".join(line.itertext()) for line in ElementTree.fromstring(svg).iter() if line.tag.endswith("}text")
    )


def plain(html):
    """The words that a figure shows: no style, no tags, no hidden pieces."""
    html = re.sub(r"<style>.*?</style>|<(span|figcaption) hidden>.*?</\1>", "", html, flags=re.S)
    return re.sub(r"<[^>]*>", "", html)


def test_the_sentence_says_what_is_kept_written_and_shown():
    expected = "Unit 21 keeps 61\u202f% of what it held, writes +0.12, shows 36\u202f%."
    assert sentence("lstm", VALUES) == expected
    assert expected in plain(cell_figure("lstm", VALUES))


def test_the_equation_of_c_is_filled_in():
    line = "c = f∘c' + i∘g = 0.61·0.42 + 0.80·0.15 = 0.38"
    assert line in text_of(cell_drawing("lstm", VALUES))
    assert line in plain(cell_figure("lstm", VALUES))


@pytest.mark.parametrize("name", CELLS)
def test_the_numbers_of_every_filled_equation_are_the_engines(name):
    values = example(name)
    drawn = text_of(cell_drawing(name, values)).replace(cell.MINUS, "-")
    for part, (left, *_) in CELLS[name].equations.items():
        (number,) = re.findall(rf"(?:^| ){re.escape(left)} = [^=]+ = [^=]+ = (-?\d\.\d\d)", drawn)
        assert float(number) == pytest.approx(values[part], abs=0.005 + 1e-12)


@pytest.mark.parametrize("name", CELLS)
def test_the_terms_give_the_result(name):
    v = example(name)
    if name == "lstm":
        assert v["c"] == pytest.approx(v["f"] * v["c_prev"] + v["i"] * v["g"], rel=1e-12)
        assert v["h"] == pytest.approx(v["o"] * v["tanh_c"], rel=1e-12)
    elif name == "simple_rnn":
        assert v["h"] == pytest.approx(math.tanh(v["z_h"]), rel=1e-12)
    else:
        assert v["h"] == pytest.approx(v["z"] * v["h_prev"] + (1 - v["z"]) * v["candidate"], rel=1e-12)


@pytest.mark.parametrize("name", CELLS)
def test_the_pictures_in_docs_are_what_the_command_draws(name):
    picture = (PICTURES / f"cell_{name}.svg").read_text(encoding="utf-8")
    assert picture == cell_drawing(name, example(name))
    assert SAID[name] in text_of(picture)


def test_the_command_writes_all_pictures(tmp_path, capsys):
    cell.main(tmp_path / "pictures")
    assert sorted(p.name for p in (tmp_path / "pictures").iterdir()) == sorted(f"cell_{name}.svg" for name in CELLS)
    assert len(capsys.readouterr().out.splitlines()) == len(CELLS)


@pytest.mark.parametrize("name", CELLS)
def test_without_values_there_are_letters_and_no_number(name):
    drawing = text_of(cell_drawing(name))
    assert not re.search(r"\d\.\d\d|%", drawing)
    assert not re.search(r"\d\.\d\d|%|Unit", plain(cell_figure(name)))
    for left, letters, *_ in CELLS[name].equations.values():
        assert f"{left} = {letters.replace('_', '')}" in drawing.replace("\u200b", "")


def test_a_missing_value_leaves_its_equation_in_letters():
    drawn = text_of(cell_drawing("lstm", VALUES)).replace("\u200b", "")
    assert "f = σ(xWf + h'Uf + bf) = 0.61" in drawn  # no z_f is known, and f is
    assert "σ()" not in drawn


def test_a_masked_step_is_said_in_words():
    values = dict.fromkeys("ifgo", math.nan) | {"c": 0.4, "c_prev": 0.4, "h": 0.2, "h_prev": 0.2, "tanh_c": math.nan}
    assert sentence("lstm", values) == cell.MASKED
    for drawing in (cell_drawing("lstm", values), cell_figure("lstm", values)):
        assert "nan" not in drawing
    assert plain(cell_figure("lstm", values)).endswith(cell.MASKED)


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (0.125, "", "0.13"), (-0.125, "", "\u22120.13"), (-0.004, "", "0.00"), (-0.004, "p", "0.00"), (1.5, "+", "+1.50"),
        (-0.3, "p", "(\u22120.30)"), (0.3, "p", "0.30"), (0.615, "%", "62\u202f%"), (None, "", ""),
    ],
)  # fmt: skip
def test_numbers_have_two_decimals_and_a_real_minus(value, form, text):
    assert cell.shown(value, form) == text


def test_an_unknown_cell_or_value_is_refused():
    with pytest.raises(ValueError, match="no drawing of a cell 'peephole': choose one of lstm, gru"):
        cell_drawing("peephole")
    with pytest.raises(ValueError, match="has no value 'forget': it shows c, c_prev, f,"):
        cell_figure("lstm", {"forget": 0.5})


@pytest.mark.parametrize("backwards", [False, True])
def test_the_states_a_step_starts_from_are_those_of_the_step_before(backwards):
    model = le.Sequential([le.Input((None, 2)), le.LSTM(3, go_backwards=backwards)], seed=1)
    layer = model.trace(np.random.default_rng(0).normal(size=(2, 5, 2)))["lstm"]
    assert values_at(layer, 4 if backwards else 0, unit=1, sample=1)["c_prev"] == 0
    v = values_at(layer, step=2, unit=1, sample=1)
    assert v["c_prev"] == layer.c[1, 3 if backwards else 1, 1]
    assert v["c"] == pytest.approx(v["f"] * v["c_prev"] + v["i"] * v["g"], rel=1e-5)
    assert "x" not in v  # two inputs are not one number


def test_every_gate_has_a_label_for_those_who_cannot_see_it():
    figure = cell_figure("lstm", VALUES)
    assert 'role="img" aria-label="f, forget gate: the share of the memory to keep: 0.61"' in figure
    assert f'aria-label="{sentence("lstm", VALUES)}"' in cell_drawing("lstm", VALUES)


@pytest.mark.slow  # a browser
@pytest.mark.parametrize("name", CELLS)
def test_the_script_says_what_python_says(name, browser, tmp_path):
    """Every text and label of the moved figure equals those of the figure that Python draws with the same values."""
    values, other = example(name), dict.fromkeys(example(name), 0.125) | {"unit": 7}
    page_file = tmp_path / "page.html"
    page_file.write_text(
        f"<!doctype html><meta charset=utf-8><div id=a></div><div id=b></div><script>{cell_script(name)}</script>"
    )
    page, wrong = browser.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(page_file.as_uri())
    page.add_style_tag(content="* { transition: none !important }")
    page.evaluate(f"moved = cellDrawing(document.getElementById('a'), '{name}')")
    for shown in (values, other):
        page.evaluate("(values) => moved.show(values)", shown)
        page.evaluate("(html) => { document.getElementById('b').innerHTML = html }", cell_figure(name, shown))
        assert page.evaluate(READ, "a") == page.evaluate(READ, "b")
        assert sentence(name, shown) in page.evaluate(READ, "a")[0]
    page.focus("#a .part[tabindex]")
    assert page.inner_text("#a .note") == page.get_attribute("#a .part", "aria-label")
    assert wrong == []
    page.close()
