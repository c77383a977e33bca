"""What a gradient check leaves in a folder: everything that was found, and a page that can be read from its top."""

import json
import struct

import numpy as np
import pandas as pd
import pytest

import lstm_engine as le
from experiments.laboratory.report import worst, write_check
from experiments.reports.page import paragraph
from experiments.reports.run import Run
from lstm_engine.gradient_check import error_curve, unit_scale

N, T, D, H = 3, 5, 2, 3
PARAMETERS = [
    "lstm/kernel",
    "lstm/recurrent_kernel",
    "lstm/bias",
    "dense/kernel",
    "dense/bias",
    "x",
    "lstm/h0",
    "lstm/c0",
]


@pytest.fixture(scope="module")
def network():
    model = le.Sequential(
        [le.Input((T, D)), le.LSTM(H, return_sequences=True), le.Dense(2)], seed=0, dtype="float64", backend="numpy"
    )
    model.compile("sgd", "mse")
    rng = np.random.default_rng(3)
    return unit_scale(model), rng.standard_normal((N, T, D)), rng.standard_normal((N, T, 2))


@pytest.fixture(scope="module")
def curve(network):
    return error_curve(*network, methods=["central", "complex"])


@pytest.fixture(scope="module")
def proof(network, curve, tmp_path_factory):
    """The report of a right model, and its page. Not to be changed."""
    report = le.gradcheck(*network, elements=8)
    return report, write_check(Run(tmp_path_factory.mktemp("proof")), report, curve, "LSTM <8> & Dense")


@pytest.fixture
def undrawn(monkeypatch):
    """The page with captions and no pictures: drawing takes most of the time, and the page of a proof has them."""
    module = "experiments.laboratory.report"
    for name in ("heat_map", "error_curve"):
        monkeypatch.setattr(f"{module}.{name}", lambda *_: None)
    monkeypatch.setattr(f"{module}.png", lambda fig: b"")
    monkeypatch.setattr(f"{module}.inline", lambda fig, caption: f"<img>{caption}")


@pytest.fixture
def wrong(monkeypatch):
    """Makes Dense's bias gradient twice what it is."""
    right = le.Dense.backward

    def backward(self, tape, dy, dstates=None, want_dx=True):
        dx, dstates, grads = right(self, tape, dy, dstates, want_dx)
        return dx, dstates, grads | {"bias": 2 * grads["bias"]}

    monkeypatch.setattr(le.Dense, "backward", backward)


def size(png):
    """Width and height in pixels, from the file's own header."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", png[16:24])


def test_the_folder_holds_the_rows_a_heat_map_a_parameter_and_the_curve(proof):
    report, page = proof
    maps = {f"heat_{parameter.replace('/', '_')}.png" for parameter in PARAMETERS}
    names = {"report.html", "gradcheck.csv", "gradcheck.json", "curve.png"} | maps
    assert {path.name for path in page.parent.iterdir()} == names
    for name in maps | {"curve.png"}:
        width, height = size((page.parent / name).read_bytes())
        assert width > 800, name
        assert height > 200, name
    rows = pd.read_csv(page.parent / "gradcheck.csv", keep_default_na=False)
    assert list(rows["parameter"]) == [row.parameter for row in report.rows]
    assert list(rows["norm_rel_error"].astype(float)) == [row.norm_rel_error for row in report.rows]
    kept = json.loads((page.parent / "gradcheck.json").read_text())
    assert kept["ok"] is True
    assert len(kept["rows"]) == len(report.rows)


def test_the_page_of_a_proof_has_the_verdict_every_row_and_folded_maps(proof):
    report, page = proof[0], proof[1].read_text()
    assert "<h1>Gradient check: LSTM &lt;8&gt; &amp; Dense</h1>" in page
    assert paragraph(report.verdict(), "lead") in page
    assert page.count("<td>passed</td>") == len(report.rows)
    assert page.count("<details>") == len(PARAMETERS)
    assert page.count("<img") == len(PARAMETERS) + 1  # and the curve
    assert "Made by: lstm-engine gradcheck." in page
    largest = max((row for row in report.rows if row.parameter == "lstm/kernel"), key=lambda row: row.max_rel_error)
    assert f"Its worst element, {list(largest.worst_index)}: {largest.analytic:.6g} by the backward pass" in page


def test_the_page_of_a_failure_begins_with_where_and_shows_what_failed(network, curve, tmp_path, wrong, undrawn):
    report = le.gradcheck(*network, elements=8)
    report.notes.append("one < two")
    page = write_check(Run(tmp_path), report, curve, "an LSTM").read_text()
    before_the_table, after = page.split("Every parameter and gate")
    assert "NOT proved: of 17 rows, 1 failed" in before_the_table
    assert "First departs in dense, bias" in before_the_table
    assert "one &lt; two" in before_the_table
    assert before_the_table.count("<img") == 1
    assert after.count("<details>") == len(PARAMETERS) - 1
    (row,) = (row for row in report.rows if row.verdict == "failed")
    assert row.analytic == pytest.approx(2 * row.numeric)
    assert f"{row.analytic:.6g} by the backward pass, {row.numeric:.6g} numerically" in before_the_table


def test_a_number_that_is_none_is_null_in_json(network, curve, tmp_path, monkeypatch, undrawn):
    right = le.Dense.backward

    def backward(self, tape, dy, dstates=None, want_dx=True):
        dx, dstates, grads = right(self, tape, dy, dstates, want_dx)
        return dx, dstates, {name: g * np.nan for name, g in grads.items()}

    monkeypatch.setattr(le.Dense, "backward", backward)
    write_check(Run(tmp_path), le.gradcheck(*network, elements=8), curve, "an LSTM")
    assert "[0, 0]: nan by the backward pass" in (tmp_path / "report.html").read_text()
    rows = json.loads((tmp_path / "gradcheck.json").read_text(), parse_constant=pytest.fail)["rows"]
    assert {row["norm_rel_error"] for row in rows if row["parameter"].startswith("dense")} == {None}


def test_a_number_that_is_none_is_the_worst(network):
    report = le.gradcheck(*network, elements=8)
    of_f = next(row for row in report.rows if (row.parameter, row.gate) == ("lstm/kernel", "f"))
    of_f.max_rel_error, of_f.analytic = np.nan, np.nan
    text = worst(report, "lstm/kernel")
    assert text.startswith(f"Its worst element, {list(of_f.worst_index)}: nan by the backward pass")
