"""The mutants behind `lstm-engine gradcheck --mutants`: each plants one known bug, and our checks catch all of them."""

import html
import json
import re
from pathlib import Path

import pytest

from experiments.laboratory import killing
from experiments.laboratory.mutants import GRADIENT_MUTANTS, MUTANTS, STEP_MUTANTS
from experiments.laboratory.mutation import Mutant, function_of, made, wrong_code

FORGOTTEN = next(m for m in MUTANTS if m.name == "δc' lacks the forget gate")

ESSENTIAL = (
    "cells.lstm.lstm_backward", "cells.gru.gru_backward", "cells.simple_rnn.simple_rnn_backward",
    "feedforward.Dense.backward", "embedding.Embedding.backward", "normalization.LayerNormalization.backward",
    "reshaping.RepeatVector.backward", "losses.BinaryCrossentropy.gradient", "losses.CategoricalCrossentropy.gradient",
    "losses.MeanSquaredError.gradient", "optimizers.Adam.update", "optimizers.SGD.update",
    "optimizers.RMSprop.update", "optimizers.Optimizer.clipped", "optimizers.Optimizer.apply",
)  # fmt: skip


@pytest.fixture(scope="module")
def verdicts():
    """All of them through the checks of this project."""
    return killing.verdicts(recipes=False)


def test_there_are_forty_mistakes_and_no_two_are_one():
    assert len(MUTANTS) >= 40
    assert len({(m.function, m.old, m.new) for m in MUTANTS}) == len(MUTANTS)
    assert len({(m.function, m.name) for m in MUTANTS}) == len(MUTANTS)


def test_every_cell_a_dense_the_losses_the_optimizers_and_clipping_have_mutants():
    assert {m.function for m in MUTANTS} >= set(ESSENTIAL)


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


def test_our_checks_catch_a_bug_in_each_essential_function_and_the_report_says_where_it_is():
    """The first of each function's mutants; all of them are slow."""
    first = [next(m for m in MUTANTS if m.function == function) for function in ESSENTIAL]
    for verdict in killing.verdicts(recipes=False, mutants=first):
        assert verdict.killed, verdict
        assert not verdict.mutant.departs or verdict.departure == verdict.mutant.departs


@pytest.mark.slow
def test_our_checks_catch_every_bug(verdicts):
    assert [v.mutant.name for v in verdicts if not v.killed] == []
    assert {check for v in verdicts for check in v.killed_by} == {"complex step", "cell alone", "three steps"}


@pytest.mark.slow
def test_the_report_says_where_each_bug_is(verdicts):
    known = [v for v in verdicts if v.mutant.departs]
    assert len(known) > 40
    assert {v.mutant.name: v.departure for v in known} == {v.mutant.name: v.mutant.departs for v in known}


@pytest.mark.slow
def test_no_bug_is_caught_by_a_crash_alone(verdicts):
    """Then the mutant's text would be wrong, and not what its name says."""
    assert not [v for v in verdicts for case in v.killed_by.values() if "Error" in case]


# One function of every cell with nothing changed: the cases of that cell are the same for all of its functions.
NOTHING = [
    Mutant("nothing", m.function, m.old, m.old)
    for m in {killing.cells_of(m): m for m in GRADIENT_MUTANTS[:60]}.values()
]


@pytest.mark.parametrize("nothing", NOTHING, ids=lambda m: m.function)
def test_right_code_is_caught_by_none_of_our_checks(nothing):
    """A mutant that changes nothing survives them: what kills the others is their bug."""
    assert killing.by_complex_step(nothing) == ("", "")
    assert killing.by_cell_alone(nothing) == ""
    assert killing.by_three_steps(nothing) == ""


@pytest.mark.slow
@pytest.mark.parametrize("check", killing.COMMON_CHECKS, ids=lambda check: check.name)
@pytest.mark.parametrize("nothing", NOTHING, ids=lambda m: m.function)
def test_right_code_is_caught_by_no_check_in_common_use(nothing, check):
    assert killing.by_recipe(check, nothing) == ""


def test_small_weights_and_single_steps_hide_mistakes():
    """A gate's missing derivative is 1e-4 of nothing at small weights; one step has no step before it."""
    small, one_step = (
        next(r for r in killing.COMMON_CHECKS if r.name == name) for name in ("small weights", "one step")
    )
    no_derivative = next(m for m in MUTANTS if m.name == "tanh' of g is missing")
    not_passed = next(m for m in MUTANTS if m.name == "dc of the step after is not passed")
    assert killing.by_recipe(small, no_derivative) == ""
    assert killing.by_recipe(one_step, not_passed) == ""
    assert killing.by_recipe(one_step, no_derivative)
    assert killing.by_recipe(small, not_passed)


@pytest.mark.slow
def test_two_checks_in_common_use_miss_as_many_as_the_page_says():
    """The others take long; `lstm-engine gradcheck --mutants` says what they miss."""
    checks = {name: killing.explanations()[name] for name in ("one network", "one step")}
    missed = {name: sum(killing.recipe_checks()[name](m) == "" for m in GRADIENT_MUTANTS) for name in checks}
    text = (Path(__file__).parents[3] / "docs" / "gradient-checking.md").read_text(encoding="utf-8")
    pages = {name: int(re.search(re.escape(f"| {what} |") + r" (\d+) \|", text)[1]) for name, what in checks.items()}
    assert pages == missed


def test_torchs_own_gradcheck_agrees_with_its_recipe():
    pytest.importorskip("torch", reason="torch is not installed: pip install torch")
    harmless = FORGOTTEN._replace(new=FORGOTTEN.old)
    assert killing.by_torch(harmless, ["every step"]) == ""
    assert killing.by_torch(FORGOTTEN, ["every step"]).startswith("LSTM, every step")


def test_mutants_are_printed_on_a_page_and_in_json(lstm_engine, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    some = [FORGOTTEN, STEP_MUTANTS[0]]
    verdicts = killing.verdicts(mutants=some)
    monkeypatch.setattr(killing, "verdicts", lambda progress: verdicts)
    shown = lstm_engine("gradcheck", "--mutants")
    assert shown.code == 0
    assert "All: A, B and C catch 2 of 2." in shown.out
    page = (tmp_path / "runs" / "gradcheck_mutants" / "report.html").read_text(encoding="utf-8")
    assert all(html.escape(mutant.name, quote=False) in page for mutant in some)
    found = json.loads(lstm_engine("gradcheck", "--mutants", "--json", "--force").out)["mutants"]
    assert [(m["name"], m["killed"]) for m in found] == [(m.name, True) for m in some]
    assert found[0]["killed_by"][0] == "complex step: LSTM, every step"
    assert found[1]["killed_by"] == ["three steps: Adam"]


def test_a_bug_that_no_check_catches_ends_in_1(lstm_engine, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    missed = killing.Verdict(FORGOTTEN, killed_by={}, departure="", recipes={})
    monkeypatch.setattr(killing, "verdicts", lambda progress: [missed])
    monkeypatch.setattr(killing, "explanations", dict)
    shown = lstm_engine("gradcheck", "--mutants")
    assert shown.code == 1
    assert "NOT CAUGHT" in shown.out
    assert "NOT all: A, B and C catch 0 of 1." in shown.out
