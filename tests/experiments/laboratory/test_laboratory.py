"""The laboratory behind `lstm-engine gradcheck`: mutants that are noticed, the matrix, and what the command says."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import lstm_engine as le
from experiments.laboratory import killing, matrix, three_steps
from experiments.laboratory.cases import CELLS, OPTIONS, PRESETS, D, preset
from experiments.laboratory.mutants import GRADIENT_MUTANTS, MUTANTS, STEP_MUTANTS
from experiments.laboratory.mutation import Mutant, function_of, made, wrong_code

FORGOTTEN = next(m for m in MUTANTS if m.name == "δc' lacks the forget gate")


@pytest.fixture(scope="module")
def verdicts():
    return killing.verdicts(recipes=False)


@pytest.fixture(scope="module")
def all_verdicts():
    return killing.verdicts()


# -- mutants -----------------------------------------------------------------------------------------------------------


def test_there_are_forty_mistakes_and_no_two_are_one():
    assert len(MUTANTS) >= 40
    assert len({(m.function, m.old, m.new) for m in MUTANTS}) == len(MUTANTS)
    assert len({(m.function, m.name) for m in MUTANTS}) == len(MUTANTS)


def test_every_cell_a_dense_the_losses_the_optimizers_and_clipping_have_mutants():
    functions = {m.function for m in MUTANTS}
    for needed in (
        "cells.lstm.lstm_backward", "cells.gru.gru_backward", "cells.simple_rnn.simple_rnn_backward",
        "feedforward.Dense.backward", "losses.binary_crossentropy_gradient", "losses.categorical_crossentropy_gradient",
        "losses.mean_squared_error_gradient", "optimizers.Adam.update", "optimizers.SGD.update",
        "optimizers.RMSprop.update", "optimizers.Optimizer.clipped", "optimizers.Optimizer.apply",
    ):  # fmt: skip
        assert needed in functions


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: f"{m.function}: {m.name}")
def test_a_mutant_changes_its_function_while_it_is_made(mutant):
    right = function_of(mutant).__code__
    with made(mutant):
        wrong = function_of(mutant).__code__
        assert (wrong.co_code, wrong.co_consts, wrong.co_names) != (right.co_code, right.co_consts, right.co_names)
    assert function_of(mutant).__code__ is right


def test_a_mutant_is_undone_after_an_error():
    right = function_of(FORGOTTEN).__code__
    with pytest.raises(RuntimeError), made(FORGOTTEN):
        raise RuntimeError
    assert function_of(FORGOTTEN).__code__ is right


@pytest.mark.parametrize(("old", "found"), [("not in there", 0), ("dc[t]", r"\d")])
def test_a_mutant_whose_text_does_not_stand_there_once_is_refused(old, found):
    with pytest.raises(ValueError, match=rf"must stand exactly once in cells.lstm.lstm_backward, found {found}"):
        wrong_code(FORGOTTEN._replace(old=old))


def test_our_checks_notice_every_mistake(verdicts):
    assert [v.mutant.name for v in verdicts if not v.killed] == []
    assert {check for v in verdicts for check in v.killed_by} == {"complex step", "cell alone", "three steps"}


def test_the_report_says_where_each_mistake_is(verdicts):
    asked = [v for v in verdicts if v.mutant.departs]
    assert len(asked) > 40
    assert {v.mutant.name: v.departure for v in asked} == {v.mutant.name: v.mutant.departs for v in asked}


NOTHING = [Mutant("nothing", m.function, m.old, m.old) for m in {m.function: m for m in GRADIENT_MUTANTS[:60]}.values()]


@pytest.mark.parametrize("nothing", NOTHING, ids=lambda m: m.function)
def test_right_code_is_noticed_by_none_of_our_checks(nothing):
    """A mutant that changes nothing survives them: what kills the others is their mistake."""
    assert killing.by_complex_step(nothing) == ("", "")
    assert killing.by_cell_alone(nothing) == ""
    assert killing.by_three_steps(nothing) == ""


@pytest.mark.slow
@pytest.mark.parametrize("recipe", killing.RECIPES, ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("nothing", NOTHING, ids=lambda m: m.function)
def test_right_code_is_noticed_by_no_recipe(nothing, recipe):
    assert killing.by_recipe(recipe, nothing) == ""


def test_no_mistake_is_noticed_by_a_crash_alone(verdicts):
    """Then its text would be wrong, and not what it says."""
    assert not [v for v in verdicts for case in v.killed_by.values() if "Error" in case]


def test_small_weights_and_single_steps_hide_mistakes():
    """A gate's missing derivative is 1e-4 of nothing at small weights; one step has no step before it."""
    small, one_step = (next(r for r in killing.RECIPES if r.name == name) for name in ("small weights", "one step"))
    no_derivative = next(m for m in MUTANTS if m.name == "tanh' of g is missing")
    not_passed = next(m for m in MUTANTS if m.name == "dc of the step after is not passed")
    assert killing.by_recipe(small, no_derivative) == ""
    assert killing.by_recipe(one_step, not_passed) == ""
    assert killing.by_recipe(one_step, no_derivative)
    assert killing.by_recipe(small, not_passed)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/gradient-checking.md", "README.md"])
def test_the_recipes_miss_as_many_as_the_pages_say(page, all_verdicts):
    """The numbers of the README stand in the same order as those of the longer page."""
    found = [v for v in all_verdicts if v.mutant in GRADIENT_MUTANTS]
    missed = {recipe: sum(v.recipes[recipe] == "" for v in found) for recipe in killing.explanations()}
    text = (Path(__file__).parents[3] / page).read_text(encoding="utf-8")
    if page == "README.md":
        said = [int(n) for n in re.findall(r"\| (\d+) of 81 \|", text)]
        names = ["one network", "small weights", "one step", "ten entries", "float32", "torch"]
    else:
        said = [
            int(re.search(re.escape(f"| {what} |") + r" (\d+) \|", text)[1]) for what in killing.explanations().values()
        ]
        names = list(missed)
    claims = {
        name: n for name, n in zip(names, said, strict=True) if name in missed
    }  # torch's own, where it is installed
    assert len(claims) >= 5
    assert claims == {name: missed[name] for name in claims}


def test_torchs_own_gradcheck_agrees_with_its_recipe():
    pytest.importorskip("torch", reason="torch is not installed: pip install torch")
    harmless = FORGOTTEN._replace(new=FORGOTTEN.old)
    assert killing.by_torch(harmless, ["every step"]) == ""
    assert killing.by_torch(FORGOTTEN, ["every step"]).startswith("LSTM, every step")


# -- three steps -------------------------------------------------------------------------------------------------------


def test_optimizers_and_clipping_are_their_closed_forms():
    found = three_steps.errors()
    assert set(found) == set(three_steps.CASES)
    assert max(found.values()) <= three_steps.LIMIT


# -- the matrix --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_with_every_option_is_proved(cell, option):
    proof = matrix.prove(cell, option, OPTIONS[option](CELLS[cell]))
    assert proof.ok
    assert proof.complex_step <= 1e-13
    assert (proof.numba is None) == ("other activations" in option)


def test_a_wrong_readable_pair_is_seen_in_both_halves_of_a_proof():
    with made(FORGOTTEN):
        proof = matrix.prove("LSTM", "every step", OPTIONS["every step"](le.LSTM))
    assert not proof.ok
    assert proof.complex_step > 1e-3
    assert proof.numba > 1e-3


def test_what_was_not_exercised_is_never_near():
    assert not matrix.apart({"b": np.zeros(2)}, {"b": np.zeros(2)})["b"] <= 1e9


@pytest.mark.parametrize("size", matrix.SIZES)
def test_kernels_stay_near_numpy_at_every_array(size):
    errors = matrix.precision()[size]
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


# -- the command -------------------------------------------------------------------------------------------------------


def test_a_preset_is_checked_and_its_rows_are_shown(lstm_engine):
    shown = lstm_engine("gradcheck", "--elements", "8")
    assert shown.code == 0
    assert "lstm: 3 sequences of 20 steps and 4 features, float64, numba" in shown.out
    assert "All 17 rows passed" in shown.out
    assert "recurrent_kernel" in shown.out


def test_json_holds_every_row(lstm_engine):
    shown = lstm_engine("gradcheck", "--model", "gru", "--elements", "4", "--json")
    found = json.loads(shown.out)
    assert shown.code == 0
    assert found["ok"] is True
    assert {row["gate"] for row in found["rows"] if row["parameter"] == "gru/kernel"} == {"z", "r", "candidate"}
    assert all(row["norm_rel_error"] <= found["tolerance"] for row in found["rows"])


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


def test_all_prints_one_page(lstm_engine, monkeypatch):
    monkeypatch.setattr(matrix, "OPTIONS", {"every step": OPTIONS["every step"]})
    monkeypatch.setattr("experiments.laboratory.shown.OPTIONS", matrix.OPTIONS)
    shown = lstm_engine("gradcheck", "--all")
    assert shown.code == 0
    assert "All 8 proofs hold." in shown.out
    assert "float32" in shown.out
    assert shown.out.count("\n") < 60


def test_mutants_are_printed_and_in_json(lstm_engine, monkeypatch):
    some = [FORGOTTEN, STEP_MUTANTS[0]]
    right = killing.verdicts
    monkeypatch.setattr(killing, "verdicts", lambda progress: right(mutants=some, progress=progress))
    shown = lstm_engine("gradcheck", "--mutants")
    assert shown.code == 0
    assert "All: A, B and C notice 2 of 2." in shown.out
    found = json.loads(lstm_engine("gradcheck", "--mutants", "--json").out)["mutants"]
    assert [(m["name"], m["killed"]) for m in found] == [(m.name, True) for m in some]
    assert found[0]["killed_by"][0] == "complex step: LSTM, every step"
    assert found[1]["killed_by"] == ["three steps: Adam"]


def test_a_mutant_that_nobody_notices_ends_in_1(lstm_engine, monkeypatch):
    harmless = FORGOTTEN._replace(new=FORGOTTEN.old)
    monkeypatch.setattr(killing, "GRADIENT_MUTANTS", [harmless])
    right = killing.verdicts
    monkeypatch.setattr(killing, "verdicts", lambda progress: right(False, [harmless], progress))
    monkeypatch.setattr(killing, "explanations", dict)
    shown = lstm_engine("gradcheck", "--mutants")
    assert shown.code == 1
    assert "UNNOTICED" in shown.out
    assert "NOT all: A, B and C notice 0 of 1." in shown.out
