"""The checker of pages: reports pass it, and it notices what a reader would meet on a bad page."""

import json

import pandas as pd
import pytest

from experiments.microscope.cell import CELLS, cell_script, example
from experiments.reports import page, pictures
from tests.pages import check

pytestmark = pytest.mark.slow  # a browser, four times a page


@pytest.fixture(scope="module")
def axe():
    pytest.importorskip("axe_playwright_python", reason='needs axe: pip install -e ".[browser]"')


def test_a_report_passes(browser, axe, tmp_path):
    table = pd.DataFrame({"engine_loss": [0.5, 0.25], "engine_accuracy": [0.5, 0.75]}, index=[1, 2])
    wide = pd.DataFrame({f"column {n}": [f"{1000 * n:,} (0.1-0.9)"] for n in range(12)}, index=["a long name of a row"])
    parts = [
        page.paragraph("The answer is 0.734 (95 % interval 0.516 to 0.857), within 1e-10, after 12 ms. " * 6, "lead"),
        page.paragraph("A note.", "note"),
        page.table(wide),
        page.row(*(pictures.inline(pictures.training_curves(table, {"engine": "engine"}), "Curves") for _ in range(2))),
        page.folded("Every epoch", page.table(table)),
        page.link("other.html", "Another page"),
    ]
    report = tmp_path / "report.html"
    report.write_text(page.page("A report", parts, "Made by a test"), encoding="utf-8")
    assert check(browser, report, tmp_path) == []
    assert len(list(tmp_path.glob("*.png"))) == 4


def test_a_page_with_every_cell_passes(browser, axe, tmp_path):
    shows = "".join(
        f"cellDrawing(document.getElementById('{c}'), '{c}').show({json.dumps(example(c))});" for c in CELLS
    )
    parts = [*(f'<div id="{c}"></div>' for c in CELLS), f"<script>{cell_script(*CELLS)}{shows}</script>"]
    file = tmp_path / "cells.html"
    file.write_text(page.page("Cells", parts, "Made by a test"), encoding="utf-8")
    assert check(browser, file, tmp_path) == []


def test_a_bad_page_is_noticed(browser, axe, tmp_path):
    file = tmp_path / "bad.html"
    file.write_text(
        """<!doctype html><html lang="en"><title>Bad</title><body style="background: white; color: black">
        <h1 style="width: 1400px">Wide</h1><p style="color: #aaa">pale</p><img alt="none" src="https://example.invalid/x.png">
        <p style="width: 2em">12.5 ms and 1e-10</p><script>throw new Error("oops")</script>""",
        encoding="utf-8",
    )
    problems = "\n".join(check(browser, file, tmp_path))
    for words in (
        "bad.html at 390 px, dark: error: oops", "asks the network for https://example.invalid", "wider than the window: h1",
        "a number is broken over two lines: ...12.5 ms", "color-contrast (2.3",
    ):  # fmt: skip
        assert words in problems
