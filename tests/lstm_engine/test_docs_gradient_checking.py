"""docs/gradient-checking.md: its Python prints what stands below it, and the lines that it quotes stand in the code."""

import contextlib
import importlib
import inspect
import io
import linecache
import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "gradient-checking.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", PAGE, flags=re.S | re.M)
SOURCE = re.compile(r"# (\w+) in (lstm_engine/\S+)\.py\n")
QUOTED = [(SOURCE.match(code), code) for code, _ in BLOCKS if SOURCE.match(code)]
RUN = [(code, printed) for code, printed in BLOCKS if not SOURCE.match(code)]
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]\d+)?(?![\w.]*\w)")


def same_number(printed, now):
    """As printed, with 1.5 in the last digit for the rounding of a figure. Where a number is itself made of rounding,
    other processors and libraries round otherwise, and only its size is the same: within a factor of 30. These are
    numbers below 1e-11, where 1e-15, a few roundings, is as good as nothing, and those printed with one digit, as
    orders of magnitude.
    """
    a, b = abs(float(printed)), abs(float(now))
    if "." not in printed and "e" not in printed:
        return printed == now
    mantissa, _, exponent = printed.partition("e")
    if max(a, b) < 1e-11 or (exponent and "." not in mantissa):
        return max(a, b) <= 30 * max(min(a, b), 1e-15)
    last = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    return abs(float(printed) - float(now)) <= 1.5 * last


def difference(printed, now):
    """The first place where two texts differ in more than spaces and rounding; None when there is none."""
    one, two = ([" ".join(part.split()) for part in NUMBER.split(text)] for text in (printed, now))
    numbers = list(zip(NUMBER.findall(printed), NUMBER.findall(now), strict=False))
    for k, (a, b) in enumerate(zip(one, two, strict=False)):
        if a != b:
            return a, b
        if k < len(numbers) and not same_number(*numbers[k]):
            return numbers[k]
    return None if len(one) == len(two) else (one[-1], two[-1])


@pytest.mark.parametrize(("where", "code"), QUOTED, ids=[where[1] + f" {k}" for k, (where, _) in enumerate(QUOTED)])
def test_quoted_lines_stand_in_the_function_that_is_named_one_below_the_other(where, code):
    module = importlib.import_module(where[2].replace("/", "."))
    source = [line.strip() for line in inspect.getsource(getattr(module, where[1])).splitlines()]
    at = 0
    for line in code.splitlines()[1:]:
        assert line.strip() in source[at:], line
        at = source.index(line.strip(), at) + 1


def test_every_line_of_the_lstms_backward_loop_is_quoted():
    from lstm_engine.cells.lstm import lstm_backward

    loop = inspect.getsource(lstm_backward).split("for t in reversed")[1].split("return")[0].splitlines()[1:]
    quoted = {line.strip() for _, code in QUOTED for line in code.splitlines()}
    left = [line.strip() for line in loop if line.strip() not in quoted | {""}]
    assert left == ["i, f, g, o = np.split(tape.gates[t], 4, axis=-1)  # (B, H) each"] + 2 * [
        "if tape.mask is not None:"
    ]


def test_the_page_prints_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for k, (code, printed) in enumerate(RUN):
        cell, now = f"<cell {k}>", io.StringIO()
        linecache.cache[cell] = (len(code), None, code.splitlines(True), cell)  # as in a notebook: errors show lines
        with contextlib.redirect_stdout(now):
            exec(compile(code, cell, "exec"), names)
        assert difference(printed, now.getvalue()) is None, f"{code}\nprints\n{now.getvalue()}"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["curve.png", "report.html"]
    assert len(RUN) > 10


@pytest.mark.parametrize(
    ("printed", "now"),
    [
        ("off by 9.8e-02", "off by 9.9e-02"),
        ("x  3.1e-15  passed", "x   4.0e-16  passed"),
        ("0.0e+00 passed", "2.5e-14 passed"),
        ("h 1e-06  3e-09", "h 1e-06  4e-08"),
        ("15 failed (tolerance 1e-10).\nFirst", "15  failed (tolerance 1e-10). First"),
    ],
)
def test_rounding_is_forgiven(printed, now):
    assert difference(printed, now) is None


@pytest.mark.parametrize(
    ("printed", "now"),
    [
        ("off by 9.8e-02", "off by 1.1e-01"),
        ("x  3.1e-15  passed", "x  3.1e-13  passed"),
        ("x  3.1e-15  passed", "x  3.1e-15  failed"),
        ("0.0e+00 passed", "3.5e-14 passed"),
        ("h 1e-06  3e-09", "h 1e-06  4e-07"),
        ("15 failed", "14 failed"),
        ("15 failed", "15 failed, and more 1"),
        ("lstm.py:124", "lstm.py:125"),
        ("off by 0.0064", "off by 0.0067"),
    ],
)
def test_more_than_rounding_is_not(printed, now):
    assert difference(printed, now) is not None
