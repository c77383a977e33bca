"""The drawing of a recurrent cell with the numbers of one unit at one step: what it keeps, writes and shows.

`cell_drawing` is a picture (SVG), `cell_figure` the same for a page, where the equations stand beside the drawing or below
it, and `cell_script` the JavaScript that moves such a figure (`cell.js`). The equations, the sentence and the geometry are
written once, here and in `cell_layouts.py`; each number in them is marked with the expression that it shows, so the script
only fills in numbers.

`python -m experiments.microscope.cell --out docs/pictures` writes the pictures of the documentation.
"""

import json
import math
import re
import textwrap
from collections.abc import Callable, Mapping
from functools import cache, partial
from html import escape
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer

from experiments.microscope import cell_layouts
from lstm_engine.files import write_atomically

MASKED = "The step is masked: nothing is computed, and the unit keeps its state."
MINUS, NARROW = "\u2212", "\u202f"  # the minus sign, and the space between a number and its %
PLACE = re.compile(r"\{([^}:]+):?([^}]*)\}")  # {expression:form}, in equations and sentences


class Cell(NamedTuple):
    """What is said of a cell. Between { and } stands an expression of values, and after a colon how to write its number."""

    title: str
    layout: Callable[[], tuple[int, str]]
    equations: dict[str, tuple[str, ...]]  # by the value on the left: what is equal, with _ before a subscript
    sentence: str


def _gate(letter: str, function: str, at: str, name: str = "") -> tuple[str, ...]:
    name = name or letter
    return letter, f"{function}(xW{at} + h'U{at} + b{at})", f"{function}({{z_{name}}})", f"{{{name}}}"


def _gru(new: str) -> dict[str, tuple[str, ...]]:
    return {
        "z": _gate("z", "σ", "_z"),
        "r": _gate("r", "σ", "_r"),
        "candidate": ("ĥ", new, "tanh({z_candidate})", "{candidate}"),
        "h": ("h", "z∘h' + (1 − z)∘ĥ", "{z}·{h_prev:p} + {1-z}·{candidate:p}", "{h}"),
    }


GRU_SENTENCE = (
    "{unit} keeps {z:%} of what it held and takes {1-z:%} of the new value {candidate}; its reset gate is {r:%} open."
)
CELLS = {
    "lstm": Cell(
        "LSTM cell",
        cell_layouts.lstm,
        {
            "f": _gate("f", "σ", "_f"),
            "i": _gate("i", "σ", "_i"),
            "g": _gate("g", "tanh", "_g"),
            "o": _gate("o", "σ", "_o"),
            "c": ("c", "f∘c' + i∘g", "{f}·{c_prev:p} + {i}·{g:p}", "{c}"),
            "h": ("h", "o∘tanh(c)", "{o}·{tanh_c:p}", "{h}"),
        },
        "{unit} keeps {f:%} of what it held, writes {i*g:+}, shows {o:%}.",
    ),
    "gru": Cell(
        "GRU cell, reset after the product",
        cell_layouts.gru,
        _gru("tanh(xW_h + b_h + r∘(h'U_h + b'_h))"),
        GRU_SENTENCE,
    ),
    "gru_reset_before": Cell(
        "GRU cell, reset before the product",
        partial(cell_layouts.gru, reset_after=False),
        _gru("tanh(xW_h + (r∘h')U_h + b_h)"),
        GRU_SENTENCE,
    ),
    "simple_rnn": Cell(
        "Simple recurrent cell",
        cell_layouts.simple_rnn,
        {"h": ("h", "tanh(xW + h'U + b)", "tanh({z_h})", "{h}")},
        "{unit} held {h_prev} and holds {h} after this step, all of it new.",
    ),
}


def cell_drawing(cell: str, values: Mapping[str, Any] | None = None) -> str:
    """An SVG of the cell with its equations below, for a file or within a page, light or dark.

    cell is a key of CELLS. values are numbers of one unit at one step, by the names of `model.trace`: i f g o c tanh_c h of
    an LSTM, z r candidate h of a GRU, h of a SimpleRNN; z_f, ... before the activations; c_prev and h_prev, the states that
    the step starts from; x, where the input is one number; and "unit", its number, for the sentence. A value that is missing
    is left blank, and without values the drawing has letters only. ValueError for another cell or another name.
    """
    values = _checked(cell, values)
    height, shapes = CELLS[cell].layout()
    lines = [_equation_text(pieces, values) for pieces in CELLS[cell].equations.values()]
    if values:
        lines += [escape(line, quote=False) for line in textwrap.wrap(sentence(cell, values), 60)]
    text = "".join(
        f'<text class="equation" x="20" y="{height + 34 + 30 * k}">{line}</text>' for k, line in enumerate(lines)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="cell-drawing" viewBox="0 0 640 {height + 30 * len(lines) + 20}" '
        f'style="{_style(values)}" role="img" aria-label="{escape(sentence(cell, values))}">'
        f"<title>{CELLS[cell].title}</title><style>{_beside('cell.css')}</style>{_filled(shapes, values)}{text}</svg>\n"
    )


def cell_figure(cell: str, values: Mapping[str, Any] | None = None) -> str:
    """The same as an HTML figure: equations beside the drawing, on a narrow page below it, and the sentence under both."""
    values = _checked(cell, values)
    name, (height, shapes) = CELLS[cell], CELLS[cell].layout()
    lines = "".join(
        f'<p class="equation" data-part="{part}">{_equation_html(pieces, values)}</p>'
        for part, pieces in name.equations.items()
    )
    awake, masked = ("", " hidden") if not _is_masked(cell, values) else (" hidden", "")
    words = _numbered(escape(name.sentence, quote=False), values, "span")
    return (
        f'<figure class="cell-drawing" style="{_style(values)}"><style>{_beside("cell.css")}</style>'
        f'<svg viewBox="0 0 640 {height}" class="cell-drawing" role="group" aria-label="{name.title}">'
        f"{_filled(shapes, values)}</svg>"
        f'<div>{lines}<p class="note"></p></div>'
        f"<figcaption{'' if values else ' hidden'}><span{awake}>{words}</span><span{masked}>{MASKED}</span></figcaption>"
        "</figure>"
    )


def cell_script(*cells: str) -> str:
    """The script of a page that shows these cells: `cellDrawing(root, cell).show(values)`, with `values` as above."""
    figures = {cell: cell_figure(cell) for cell in cells}
    text = json.dumps(figures, ensure_ascii=False).replace("</", "<\\/")
    return f"const CELL_FIGURES = {text};\n{_beside('cell.js')}"


def sentence(cell: str, values: Mapping[str, Any] | None = None) -> str:
    """What the unit does at this step, in words: "Unit 21 keeps 61 % of what it held, writes +0.12, shows 36 %."."""
    values = _checked(cell, values)
    if not values:
        return CELLS[cell].title
    if _is_masked(cell, values):
        return MASKED
    return PLACE.sub(lambda place: shown(value_of(place[1], values), place[2], place[1]), CELLS[cell].sentence)


def value_of(expression: str, values: Mapping[str, Any]) -> float | None:
    """The number of "f", of a product "f*c_prev" or of a complement "1-z"; None where a value is missing or masked."""
    if expression == "unit":
        return values.get("unit")
    product = 1.0
    for name in expression.split("*"):
        value = values.get(name.removeprefix("1-"), math.nan)
        product *= 1 - value if name.startswith("1-") else value
    return product if math.isfinite(product) else None


def shown(value: float | None, form: str = "", expression: str = "") -> str:
    """A number with two decimals; form "+" with its sign, "p" in parentheses if negative, "%" as a percentage.

    Halves round away from 0 by the same arithmetic as in cell.js, so that both write the same digits.
    """
    if expression == "unit":
        return "The unit" if value is None else f"Unit {value}"
    if value is None:
        return ""
    digits = math.floor(abs(value) * 100 + 0.5)
    sign = MINUS if value < 0 and digits else "+" if form == "+" else ""
    if form == "%":
        return f"{sign}{digits}{NARROW}%"
    text = f"{sign}{digits / 100:.2f}"
    return f"({text})" if form == "p" and sign else text


def values_at(layer: Mapping[str, Any], step: int, unit: int, sample: int = 0) -> dict[str, float]:
    """The values of one unit at one step of a `LayerTrace`, for the functions above, with the states that it starts from."""
    values = {name: float(layer[name][sample, step, unit]) for name in layer.by_unit()}
    before = step + 1 if layer.go_backwards else step - 1
    for state in ("h", "c"):
        if state in layer:
            inside = 0 <= before < layer[state].shape[1]
            values[f"{state}_prev"] = float(
                layer[state][sample, before, unit] if inside else layer[f"{state}0"][sample, unit]
            )
    if layer["x"].shape[-1] == 1:
        values["x"] = float(layer["x"][sample, step, 0])
    return values | {"unit": unit}


# -- filling in ----------------------------------------------------------------------------------------------------------


def _checked(cell: str, values: Mapping[str, Any] | None) -> dict[str, Any]:
    if cell not in CELLS:
        raise ValueError(f"there is no drawing of a cell {cell!r}: choose one of {', '.join(CELLS)}")
    known = _names(cell)
    if unknown := [name for name in values or {} if name not in known]:
        raise ValueError(f"the drawing of {cell!r} has no value {unknown[0]!r}: it shows {', '.join(sorted(known))}")
    return dict(values or {})


@cache
def _names(cell: str) -> set[str]:
    """Every value that the cell's drawing, equations and sentence show."""
    said = " ".join(" ".join(pieces) for pieces in CELLS[cell].equations.values()) + CELLS[cell].sentence
    expressions = [place[1] for place in PLACE.finditer(said)]
    expressions += re.findall(r"var\(--(\w+),", CELLS[cell].layout()[1])
    return {name.removeprefix("1-") for expression in expressions for name in expression.split("*")} | {"unit"}


def _is_masked(cell: str, values: Mapping[str, Any]) -> bool:
    """At a masked step the gates are NaN, and those of a SimpleRNN, which has none, the value before its activation."""
    names = {"lstm": "f", "simple_rnn": "z_h"}
    return math.isnan(values.get(names.get(cell, "z"), 0.0))


def _style(values: Mapping[str, Any]) -> str:
    numbers = {name: value_of(name, values) for name in values if name != "unit"}
    return ";".join(f"--{name}:{round(v, 4) + 0.0:g}" for name, v in numbers.items() if v is not None)


def _filled(shapes: str, values: Mapping[str, Any]) -> str:
    """The drawing with its numbers written in, and a label with the number on every part."""

    def number(tag: re.Match[str]) -> str:
        return f"{tag[0]}{shown(value_of(tag[1], values))}"

    def label(tag: re.Match[str]) -> str:
        value = shown(value_of(tag[1], values))
        return f'{tag[0]} role="img" aria-label="{tag[2]}{": " + value if value else ""}"'

    shapes = re.sub(r'<text class="number" data-number="([^"]+)"[^>]*>', number, shapes)
    return re.sub(r'data-part="([^"]+)" data-says="([^"]+)"', label, shapes)


def _numbered(text: str, values: Mapping[str, Any], tag: str) -> str:
    """A template with each {expression:form} as an element that holds its number."""

    def element(place: re.Match[str]) -> str:
        expression, form = place[1], place[2]
        number = shown(value_of(expression, values), form, expression)
        return f'<{tag} class="number" data-number="{expression}" data-form="{form}">{number}</{tag}>'

    return PLACE.sub(element, text)


def _is_filled(piece: str, values: Mapping[str, Any]) -> bool:
    return all(value_of(place[1], values) is not None for place in PLACE.finditer(piece))


def _equation_html(pieces: tuple[str, ...], values: Mapping[str, Any]) -> str:
    letters = [re.sub(r"_(\w)", r"<sub>\1</sub>", piece) if "{" not in piece else piece for piece in pieces]
    return " ".join(
        f"<span{'' if _is_filled(piece, values) else ' hidden'}>{'= ' * (k > 0)}{_numbered(piece, values, 'span')}</span>"
        for k, piece in enumerate(letters)
    )


def _equation_text(pieces: tuple[str, ...], values: Mapping[str, Any]) -> str:
    """One line of SVG text; a subscript is a smaller tspan, lowered, and the next tspan returns to the line."""
    line = " = ".join(piece for piece in pieces if _is_filled(piece, values))
    line = PLACE.sub(lambda place: shown(value_of(place[1], values), place[2]), line)
    low = '<tspan dy="5" font-size="14">{}</tspan><tspan dy="-5">&#8203;</tspan>'
    return re.sub(r"_(\w)", lambda at: low.format(at[1]), escape(line, quote=False))


def _beside(name: str) -> str:
    return resources.files("experiments.microscope").joinpath(name).read_text(encoding="utf-8")


# -- the pictures of the documentation -----------------------------------------------------------------------------------


def example(cell: str) -> dict[str, float]:
    """The values of one unit at one step of a small random network, as the engine computes them.

    The seed, the step and the unit are chosen so that both colours and half-open gates are seen.
    """
    import lstm_engine as le

    layer, seed, step, unit = {
        "lstm": (le.LSTM(4), 32, 3, 0),
        "gru": (le.GRU(4), 54, 5, 3),
        "gru_reset_before": (le.GRU(4, reset_after=False), 87, 4, 2),
        "simple_rnn": (le.SimpleRNN(4), 9, 4, 1),
    }[cell]
    model = le.Sequential([le.Input((None, 1)), layer], dtype="float64", backend="numpy")
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(0, 1, w.shape) for w in model.get_weights()])
    (traced,) = model.trace(rng.normal(0, 1, (1, 6, 1))).layers.values()
    return values_at(traced, step, unit)


def main(
    out: Annotated[Path, typer.Option(help="Folder for cell_lstm.svg and the others")] = Path("runs/cell"),
) -> None:
    """Write a picture of every cell, with the numbers of one step.

    Example: python -m experiments.microscope.cell --out docs/pictures
    """
    out.mkdir(parents=True, exist_ok=True)
    for cell in CELLS:
        write_atomically(out / f"cell_{cell}.svg", cell_drawing(cell, example(cell)).encode())
        typer.echo(f"wrote {out / f'cell_{cell}.svg'}")


if __name__ == "__main__":
    typer.run(main)
