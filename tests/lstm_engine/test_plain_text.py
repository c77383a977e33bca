"""Text from outside is shown without characters that act on a terminal, a page or a picture."""

import io

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.plain_text import as_written, printable, printable_all


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("\x1b]0;x\x07", r"\x1b]0;x\x07"),
        ("a\u202eb", r"a\u202eb"),
        ("\x9b2J", r"\x9b2J"),
        ("a\rb", r"a\x0db"),
        ("caf\udce9", r"caf\xe9"),
        ("\U000e0041", r"\U000e0041"),
        ("ليلى می\u200cخواهم 👩\u200d🔬 é\u00a0ß\n\t", None),
    ],
)
def test_what_acts_is_shown_and_what_is_text_stays(text, shown):
    assert printable(text) == (text if shown is None else shown)
    assert printable_all({text: [text, 1]}) == {printable(text): [printable(text), 1]}


def test_the_command_line_shows_escape_sequences_and_does_not_send_them():
    from experiments.cli.shared import Terminal, escape_markup

    out = io.StringIO()
    Terminal(file=out).print("a \x1b[2J", {"b": "\u202e"})
    assert not {"\x1b", "\u202e"} & set(out.getvalue())
    assert "x1b" in out.getvalue()
    assert escape_markup("[red]\x9b") == r"\[red]\x9b"
    assert len(escape_markup("x" * 10**6)) < 4000


def test_a_page_shows_them_too():
    from experiments.microscope.assembling import assembled
    from experiments.reports.page import page, paragraph

    for text in (
        page("\x1b", [paragraph("<script>\u202e\udce9")], ""),
        assembled("@@DATA@@", [], {"a": "\x9b\u202e"}, "x"),
    ):
        text.encode()
        assert not {"\x1b", "\u202e", "\x9b"} & set(text)
        assert "<script>" not in text


def test_a_layer_named_like_a_formula_is_drawn_as_it_is_named():
    model = le.Sequential([le.LSTM(2, name="a$^b$_{"), le.Dense(1)], seed=0, dtype="float64", backend="numpy")
    model.compile("sgd", "mse")
    report = le.gradcheck(model, np.ones((1, 3, 2)), np.ones((1, 1)))
    fig = report.heat_map("a$^b$_{/kernel")
    fig.savefig(io.BytesIO())
    assert "a$^b$_{" in fig.get_suptitle()


def test_axes_keep_their_powers_of_ten():
    from matplotlib.figure import Figure

    ax = (fig := Figure()).subplots()
    ax.loglog([1, 1e6], [1, 2], label="$x$")
    ax.set_title("50 $ and 60 $^")
    ax.legend()
    as_written(fig)
    fig.savefig(io.BytesIO())
    assert ax.title.get_text() == "50 $ and 60 $^"
    assert not ax.title.get_parse_math()
    assert ax.xaxis.get_major_ticks()[0].label1.get_parse_math()
