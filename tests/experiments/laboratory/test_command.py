"""`lstm-engine gradcheck` for one model: what it prints, what it leaves in a folder, and what it refuses."""

import json

import pytest

import lstm_engine as le
from experiments.laboratory.cases import PRESETS, D, preset
from experiments.laboratory.mutants import MUTANTS
from experiments.laboratory.mutation import made
from lstm_engine.gradient_check import unit_scale


def test_a_preset_is_checked_and_its_rows_are_shown(lstm_engine):
    shown = lstm_engine("gradcheck", "--elements", "8")
    assert shown.code == 0
    assert "lstm: 3 sequences of 20 steps and 4 features, float64, numba" in shown.out
    assert "All 17 rows passed" in shown.out
    assert "recurrent_kernel" in shown.out


def test_json_holds_every_row(lstm_engine):
    shown = lstm_engine("gradcheck", "--model", "gru", "--elements", "4", "--json")
    result = json.loads(shown.out)
    assert shown.code == 0
    assert result["ok"] is True
    assert {row["gate"] for row in result["rows"] if row["parameter"] == "gru/kernel"} == {"z", "r", "candidate"}
    assert all(row["norm_rel_error"] <= result["tolerance"] for row in result["rows"])


def test_a_wrong_gradient_ends_in_1_and_says_where(lstm_engine, monkeypatch):
    monkeypatch.setitem(PRESETS, "lstm", lambda: (case := preset("gru"))._replace(model=case.model.twin()))
    with made(next(m for m in MUTANTS if m.name == "σ' of r is missing")):
        shown = lstm_engine("gradcheck", "--elements", "4")
    assert shown.code == 1
    assert "NOT proved" in shown.out
    assert "gate r" in shown.out
    assert "cells/gru.py" in shown.out


@pytest.fixture
def trained(tmp_path):
    """A float32 model's file, with dropout."""
    model = le.Sequential([le.Input((6, D)), le.LSTM(4, dropout=0.2), le.Dense(1, activation="sigmoid")], seed=0)
    model.compile("adam", "binary_crossentropy")
    model.save(tmp_path / "model.safetensors")
    return str(tmp_path / "model.safetensors")


def test_a_models_file_is_checked_with_its_own_weights(lstm_engine, trained, tmp_path):
    out = tmp_path / "run"
    shown = lstm_engine("gradcheck", "--model", trained, "--dropout", "frozen", "--elements", "8", "--out", str(out))
    assert shown.code == 0
    assert "Dropout masks were drawn once and held" in shown.out
    assert {p.name for p in out.iterdir()} >= {"report.html", "gradcheck.csv", "gradcheck.json", "curve.png"}
    again = lstm_engine("gradcheck", "--model", trained, "--dropout", "frozen", "--out", str(out))
    assert again.code == 2
    assert "not empty" in again.err


def test_a_file_of_a_model_that_reads_ids_is_checked_on_ids(lstm_engine, tmp_path):
    layers = [le.Embedding(6, 3, mask_zero=True), le.SimpleRNN(2), le.Dense(1)]
    model = unit_scale(le.Sequential([le.Input((5,)), *layers], seed=0, dtype="float64"))
    model.compile("adam", "mse")
    model.save(tmp_path / "ids.safetensors")
    shown = lstm_engine("gradcheck", "--model", str(tmp_path / "ids.safetensors"))
    assert shown.code == 0
    assert "4 sequences of 5 steps and one id each" in " ".join(shown.out.split())
    assert "x holds ids" in shown.out


def test_live_dropout_in_a_file_is_refused_in_a_line(lstm_engine, trained):
    shown = lstm_engine("gradcheck", "--model", trained)
    assert shown.code == 2
    assert "has dropout" in shown.err
    assert shown.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "lstn"], "no preset 'lstn': --model takes a file, or one of lstm, gru,"),
        (["--model", "nothing.safetensors"], "nothing.safetensors"),
        (["--method", "forward"], "method must be one of complex, central, richardson"),
        (["--all", "--mutants"], "give one of them"),
        (["--all", "--model", "gru"], "--model belongs to the check of one model"),
        (["--mutants", "--tol", "1", "--seed", "2"], "--seed and --tol belong to the check of one model"),
    ],
)
def test_what_cannot_be_checked_is_said_in_a_line(lstm_engine, arguments, said):
    shown = lstm_engine("gradcheck", *arguments)
    assert shown.code == 2
    assert said in shown.err
    assert shown.err.count("\n") == 1
