"""What `lstm-engine gradcheck --all` proves: every cell with every option, the kernels' precision, the optimizers' steps."""

import numpy as np
import pytest

import lstm_engine as le
from experiments.laboratory import matrix, three_steps
from experiments.laboratory.cases import BESIDE, CELLS, OPTIONS, PRESETS, preset
from experiments.laboratory.killing import OWN_OPTION
from experiments.laboratory.mutants import MUTANTS
from experiments.laboratory.mutation import made


def test_optimizers_and_clipping_are_their_closed_forms():
    found = three_steps.errors()
    assert set(found) == set(three_steps.CASES)
    assert max(found.values()) <= three_steps.LIMIT


# The options of layers without recurrence need no second cell but to see that it reads and feeds them too.
ALL = [
    pytest.param(cell, option, marks=[pytest.mark.slow] if option in OWN_OPTION.values() and cell != "LSTM" else [])
    for option in OPTIONS
    for cell in CELLS
]


@pytest.mark.parametrize(("cell", "option"), ALL)
def test_every_cell_with_every_option_is_proved(cell, option):
    proof = matrix.prove(cell, option, OPTIONS[option](CELLS[cell]))
    assert proof.ok
    assert proof.complex_step <= 1e-13
    assert (proof.numba is None) == ("other activations" in option)


@pytest.mark.parametrize("option", BESIDE)
def test_every_loss_and_every_merge_layer_is_proved(option):
    proof = matrix.prove("LSTM", option, BESIDE[option](le.LSTM))
    assert proof.ok
    assert proof.complex_step <= 1e-13


def test_a_wrong_readable_pair_is_seen_in_both_halves_of_a_proof():
    with made(next(m for m in MUTANTS if m.name == "δc' lacks the forget gate")):
        proof = matrix.prove("LSTM", "every step", OPTIONS["every step"](le.LSTM))
    assert not proof.ok
    assert proof.complex_step > 1e-3
    assert proof.numba > 1e-3


def test_what_was_not_exercised_is_never_near():
    assert not matrix.apart({"b": np.zeros(2)}, {"b": np.zeros(2)})["b"] <= 1e9


@pytest.fixture(scope="module")
def precision():
    return matrix.precision()


@pytest.mark.parametrize("size", matrix.SIZES)
def test_kernels_stay_near_numpy_at_every_array(precision, size):
    errors = precision[size]
    assert set(errors["float64"]) == {
        "lstm/kernel", "lstm/recurrent_kernel", "lstm/bias", "dense/kernel", "dense/bias", "x", "lstm/h0", "lstm/c0",
    }  # fmt: skip
    assert max(errors["float64"].values()) <= 1e-12
    assert 1e-9 < max(errors["float32"].values()) <= 1e-5


def test_the_presets_meet_their_limit():
    """LSTM(8), T = 20, B = 3 and the like: every number, to 1e-13."""
    for name in set(PRESETS) - {"demo", "long"}:
        case = preset(name)
        report = le.gradcheck(case.model, case.x, case.y, elements=None, tol=1e-13, **case.options)
        assert report.ok, name


def test_a_long_lstm_is_proved_to_1e13():
    """LSTM(64), T = 112: a sample of the numbers, and a random direction through all of them."""
    case = preset("long")
    report = le.gradcheck(case.model, case.x, case.y, elements=8, tol=1e-13)
    assert report.ok
    assert all(row.direction_error is not None for row in report.rows if row.size > 64)


def test_all_prints_one_page_and_writes_one_under_runs(lstm_engine, monkeypatch, precision, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(matrix, "OPTIONS", {"every step": OPTIONS["every step"]})
    monkeypatch.setattr(matrix, "BESIDE", {"Huber": BESIDE["Huber"]})
    for table in ("OPTIONS", "BESIDE"):
        monkeypatch.setattr(f"experiments.laboratory.proofs_page.{table}", getattr(matrix, table))
    monkeypatch.setattr(matrix, "precision", lambda: precision)
    shown = lstm_engine("gradcheck", "--all")
    assert shown.code == 0
    assert "All 10 proofs hold." in shown.out
    assert "float32" in shown.out
    assert shown.out.count("\n") < 60
    run = tmp_path / "runs" / "gradcheck_all"
    assert {file.name for file in run.iterdir()} == {"matrix.json", "report.html"}
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "All 10 proofs hold." in page
    assert page.count("every step") == 1
