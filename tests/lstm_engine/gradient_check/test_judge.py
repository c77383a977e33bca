"""le.assignment on solutions, starters and mistakes: what passes, what is named, and what becomes a sentence."""

import importlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import lstm_engine as le
from experiments.assignment import blind_passes, starters
from experiments.assignment.blind_passes import σ
from experiments.assignment.measure import Row, false_alarms, judged
from experiments.assignment.mutants import COURSERA, CS231N, MUTANTS, ROWS, Mutant, module_of
from experiments.assignment.variants import VARIANTS
from lstm_engine.gradient_check import judge, training_judge
from lstm_engine.gradient_check.verdict import NOT_REACHED, OPEN, PASSED, WRONG, Verdict

RETURN = "return (h_new, c_new), (x, h, c, W, U, i, f, g, o, tanh_c)"
STEP, FORWARD = "lstm_step_backward", "lstm_step_forward"
SOLVED = importlib.import_module("experiments.assignment.solutions.lstm_rows")


@pytest.fixture
def written(tmp_path):
    """A function that makes a module of a solution with one text replaced, and judges a pair of it."""

    def judged(function, old, new, solution=ROWS, hint=0):
        module = module_of(Mutant("", solution, function, old, new, ()).source(), tmp_path / "mine.py")
        kind = function.rpartition("_")[0]
        return le.assignment.check(getattr(module, f"{kind}_forward"), getattr(module, f"{kind}_backward"), hint=hint)

    return judged


def functions(source, path):
    return {name: f for name, f in vars(module_of(source, path)).items() if callable(f)}


# -- levels ------------------------------------------------------------------------------------------------------------


def test_the_engine_imports_the_judge_only_when_it_is_used():
    code = "import sys, lstm_engine as le; assert 'lstm_engine.gradient_check.judge' not in sys.modules; le.assignment.check"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    with pytest.raises(AttributeError, match="no attribute 'assignments'"):
        le.assignments  # noqa: B018


@pytest.mark.parametrize("convention", starters.CONVENTIONS)
def test_solutions_pass_every_level_in_every_convention(convention, tmp_path):
    verdict = judge.check_all(functions(starters.solution("lstm", convention), tmp_path / "mine.py"))
    assert verdict.ok
    assert [level.name for level in verdict.levels] == list(judge.NAMES)
    assert str(verdict).splitlines()[-2] == "All levels passed."
    assert "algorithm 1 of the paper" in verdict.notes[0]


@pytest.mark.parametrize("topic", ["gru", "rnn"])
def test_solutions_of_the_other_cells_pass(topic, tmp_path):
    assert judge.check_all(functions(starters.solution(topic), tmp_path / "mine.py")).ok


@pytest.mark.parametrize("topic", starters.TOPICS)
def test_a_starter_is_not_written_yet_rather_than_wrong(topic, tmp_path):
    verdict = judge.check_all(functions(starters.starter(topic), tmp_path / "mine.py"))
    assert verdict.open
    assert not verdict.ok
    assert verdict.levels[0].state == OPEN
    assert {level.state for level in verdict.levels[1:]} <= {NOT_REACHED}
    assert verdict.finding.sentence.endswith("is not written yet.")


def test_it_stops_at_the_first_level_that_fails_and_shows_what_passed(tmp_path):
    source = starters.solution("lstm").replace("dW += dW_t", "dW = dW_t")
    verdict = judge.check_all(functions(source, tmp_path / "mine.py"))
    assert [level.state for level in verdict.levels] == [PASSED, WRONG, NOT_REACHED, NOT_REACHED, NOT_REACHED]
    assert verdict.reached == 1
    assert verdict.finding.quantity == "δW"
    assert verdict.finding.place.text == "dW = dW_t"


# -- hints -------------------------------------------------------------------------------------------------------------


def test_hints_say_more_and_more_and_never_the_solution(written):
    mistake = (STEP, "df = dc_total * c\n", "df = dc_total * np.arctanh(tanh_c)\n")
    verdict = written(*mistake, hint=3)
    sentence, region, equation, belongs, *rest = verdict.said()
    assert sentence == f"{STEP}: only f's rows are wrong (x and h' follow from it): look at δf."
    assert region.startswith("The mistake is inside a step")
    assert equation == "The equation: δf = δc∘c'"
    assert belongs.splitlines() == [
        "Look at line 42: df = dc_total * np.arctanh(tanh_c)",
        "Your gradients are exactly those of δf = δc∘c. δf = δc∘c' belongs there; c' is the c of the step before.",
    ]
    assert not rest
    assert "dc_total * c\n" not in str(verdict)
    for hint in range(3):
        assert replace(verdict, hint=hint).said() == [*verdict.said()[: hint + 1], f"Hint {hint + 1} of 3 says more."]


def test_a_verdict_is_shown_in_notebooks_and_goes_through_json(written):
    verdict = written(STEP, "di = dc_total * g", "di = dc_total * i")
    assert "only i&#x27;s rows are wrong" in verdict._repr_html_()
    assert str(Verdict.from_json(verdict.to_json())) == str(verdict)


def named(mutant, folder):
    row = Row(mutant, judged(module_of(mutant.source(), folder / "mine.py")))
    return row.caught and row.named and row.quantity in row.verdict.said()[0]


@pytest.mark.parametrize("mutant", MUTANTS[7::48], ids=lambda m: f"{m.solution}: {m.name}")
def test_the_sentence_names_the_quantity(mutant, tmp_path):
    """A few mistakes; all of them: python -m experiments.assignment.measure."""
    assert named(mutant, tmp_path)


@pytest.mark.slow
def test_every_fourth_mistake_is_named(tmp_path):
    assert all(named(mutant, tmp_path) for mutant in MUTANTS[::4])


def test_a_few_right_solutions_raise_no_alarm():
    passes, alarms = false_alarms(VARIANTS[::5])
    assert passes >= 8
    assert not alarms


@pytest.mark.slow
def test_right_solutions_raise_no_alarm():
    passes, alarms = false_alarms()
    assert passes >= 30
    assert not alarms


# -- forward passes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("solution", "function", "old", "new", "letter", "belongs"),
    [
        (ROWS, FORWARD, "tanh_c = np.tanh(c_new)", "tanh_c = c_new", "h", "h = o∘c, without tanh(c)"),
        (COURSERA, "lstm_cell_forward", "ft * c_prev + it", "c_prev + it", "c", "c = c' + i∘g, without f"),
    ],
)
def test_a_wrong_forward_pass_is_named(written, solution, function, old, new, letter, belongs):
    verdict = written(function, old, new, solution)
    assert verdict.finding.quantity == letter
    assert belongs in verdict.finding.belongs


def test_gates_in_another_order_are_judged_as_they_are_and_noted(tmp_path):
    """In forward and backward alike: the layers above do not care."""
    source = next(v.source() for v in VARIANTS if v.name == "the gates in the order o g f i")
    names = functions(source, tmp_path / "mine.py")
    verdict = le.assignment.check(names["lstm_step_forward"], names["lstm_step_backward"])
    assert verdict.ok
    assert verdict.notes == ["your gates stand in the order o g f i, which is judged as it is."]


def test_a_walk_that_does_not_carry_c_is_right_at_step_0_alone(written):
    verdict = written("lstm_forward", "(h, c), cache =", "(h, _), cache =")
    assert verdict.finding.sentence == "lstm_forward: h is right at step 0 and wrong from step 1 on."


def test_a_walk_that_forgets_the_first_states_is_told_so(written):
    verdict = written("lstm_forward", "h, c = h0, c0", "h, c = h0, 0 * c0")
    assert "right when the first states are 0" in verdict.finding.sentence


def test_an_overflow_is_found_with_large_weights():
    source = starters.solution("lstm").replace("0.5 * (1 + np.tanh(0.5 * z))", "np.exp(z) / (1 + np.exp(z))")
    names = {}
    exec(source, names)
    verdict = le.assignment.check(names["lstm_forward"], names["lstm_backward"])
    assert verdict.reached == 2
    assert "1,000 times as large: h is nan" in verdict.finding.sentence


# -- what is no gradient -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "old", "new", "says"),
    [
        (STEP, "return dx, dh, dc, dW, dU, db", "dx, dh, dc, dW, dU, db", "returns None, expected the gradients dx, dh, dc"),
        (STEP, "return dx, dh, dc, dW, dU, db", "return dx, dh, dc, dW, dU", "returns 5 values, expected 6: dx, dh, dc"),
        (STEP, "db = dz.sum(axis=0)", "db = dz", "db has shape (2, 16), expected (16,). Sum over the axis"),
        (STEP, "dW = x.T @ dz", "dW = dz.T @ x", "dW has shape (16, 5), expected (5, 16). It is transposed."),
        (STEP, "db = dz.sum(axis=0)", "db = np.float32(dz.sum(axis=0))", "db is float32: compute in float64"),
        (STEP, "db = dz.sum(axis=0)", "db = dz.sum(axis=0) * np.nan", "db is nan at [0]"),
        (STEP, "db = dz.sum(axis=0)", "db = dzz.sum(axis=0)", "stopped with NameError: name 'dzz' is not defined."),
        (STEP, "db = dz.sum(axis=0)", "db = None", "db is None: has it been computed"),
        (FORWARD, "z = x @ W", "c *= 1.5; z = x @ W", "changes its argument c in place"),
        (FORWARD, RETURN, "pass", "returns None, expected h, c and a cache"),
        (FORWARD, RETURN, "return h_new", "expected h, c and a cache"),
    ],
)  # fmt: skip
def test_common_errors_get_a_sentence(written, function, old, new, says):
    verdict = written(function, old, new)
    assert verdict.levels[0].state == WRONG
    assert says in verdict.finding.sentence
    assert verdict.finding.sentence.startswith(function)


def test_an_error_is_shown_with_the_learners_line(written):
    verdict = written(STEP, "db = dz.sum(axis=0)", "db = dzz.sum(axis=0)")
    assert verdict.finding.place.text == "db = dzz.sum(axis=0)"
    assert verdict.said()[1] == "In line 51: db = dzz.sum(axis=0)"


def test_a_missing_function_is_named():
    verdict = judge.check_all({"lstm_step_forward": SOLVED.lstm_step_forward})
    assert "There is no function lstm_step_backward" in verdict.finding.sentence


def test_names_that_say_nothing_are_refused_with_a_way_out():
    def lstm_forward(q, r, s):
        return q, r

    assert "Use names as in a starter" in le.assignment.check(lstm_forward, SOLVED.lstm_backward).finding.sentence
    with pytest.raises(ValueError, match="like must be one of lstm, gru, rnn"):
        le.assignment.check(lstm_forward, SOLVED.lstm_backward, like="cnn")


def test_an_upstream_gradient_changed_in_place_is_a_note_and_not_a_mistake(written):
    verdict = written("lstm_step_backward", "dnext_c = dnext_c + dnext_h", "dnext_c += dnext_h", CS231N)
    assert verdict.ok
    assert "changes the upstream gradient in place" in verdict.notes[0]


# -- Adam and training -------------------------------------------------------------------------------------------------


def adam_of(line, wrong):
    lines = training_judge.ADAM | {line: wrong}

    def adam_step(w, dw, m, v, t, learning_rate, beta_1, beta_2, epsilon):
        values = {"w": w, "dw": dw, "m": m, "v": v, "t": t, "rate": learning_rate, "beta_1": beta_1, "beta_2": beta_2,
                  "epsilon": epsilon}  # fmt: skip
        training_judge.evaluate(lines, values, {})
        return values["w"], values["m"], values["v"]

    return adam_step


def test_adam_passes_with_either_place_of_epsilon():
    assert not le.assignment.check_adam(adam_of("w", training_judge.KERAS_FORM)).notes
    assert "Both are Adam" in le.assignment.check_adam(adam_of("w", training_judge.ADAM["w"])).notes[0]


@pytest.mark.parametrize("slip", training_judge.ADAM_SLIPS, ids=lambda slip: slip.words)
def test_slips_in_adam_are_named(slip):
    finding = le.assignment.check_adam(adam_of(slip.line, slip.wrong)).finding
    assert slip.words in finding.belongs


def test_an_unknown_mistake_in_adam_names_what_is_wrong():
    assert "m is wrong at step 1" in le.assignment.check_adam(adam_of("m", "0.3 * dw")).finding.sentence
    assert "m and v are right" in le.assignment.check_adam(adam_of("w", "w - 0.3 * rate * m_hat")).finding.sentence


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("dp = 2 * (p - y) / p.size", "dp = (p - y) / p.size", "the factor 2"),
        ("dh[-1] = dp @ V.T", "dh[:] = dp @ V.T", "where only the last h reaches the loss"),
        ("gradients[name], m, v, t, learning_rate", "gradients[name], m, v, 1, learning_rate", "t stays 1"),
        ("moments[name] = m, v", "pass", "m and v start at 0 again"),
        ("adam_step(parameters[name], gradients[name], m, v, t, learning_rate)",
         "adam_step(parameters[name], gradients[name], m, v, t)", "not passed on to Adam"),
    ],
)  # fmt: skip
def test_slips_in_the_training_loop_are_named(old, new, says, tmp_path):
    source = starters.solution("lstm")
    assert source.count(old) == 1
    verdict = judge.check_all(functions(source.replace(old, new), tmp_path / "mine.py"))
    assert verdict.reached == 4
    assert says in verdict.finding.belongs


def test_a_first_loss_that_is_wrong_points_to_the_loss(tmp_path):
    source = starters.solution("lstm").replace("((p - y) ** 2).mean()", "((p - y) ** 2).sum()")
    verdict = judge.check_all(functions(source, tmp_path / "mine.py"))
    assert "look at p and the loss" in verdict.finding.sentence


def test_the_engines_losses_are_those_of_our_own_loop():
    """Two ways to the same 20 losses: Sequential's training steps, and a loop around the pair."""
    layout = judge.Pair.of(SOLVED.lstm_forward, SOLVED.lstm_backward, "lstm", False, None).layout
    work = training_judge.task(layout)
    np.testing.assert_allclose(
        training_judge.engine_losses(work, False), training_judge.own_losses(work, ""), rtol=1e-12
    )


def gru_step(turned, after):
    """A right GRU step in one of the forms that papers and libraries have."""

    def gru_step_forward(x, h, W, U, b):
        H = h.shape[1]
        az, ar, an = np.split(x @ W + b, 3, axis=1)
        z, r = σ(az + h @ U[:, :H]), σ(ar + h @ U[:, H : 2 * H])
        n = np.tanh(an + (r * (h @ U[:, 2 * H :]) if after else (r * h) @ U[:, 2 * H :]))
        return ((1 - z) * h + z * n if turned else z * h + (1 - z) * n), (x, h, W, U, z, r, n)

    def gru_step_backward(dh, cache):
        x, h, W, U, z, r, n = cache
        H = h.shape[1]
        dn = dh * (z if turned else 1 - z) * (1 - n**2)
        dz = dh * ((n - h) if turned else (h - n)) * z * (1 - z)
        ds = dn @ U[:, 2 * H :].T
        dr = (dn * (h @ U[:, 2 * H :]) if after else ds * h) * r * (1 - r)
        da = np.hstack([dz, dr, dn])
        dU = h.T @ np.hstack([dz, dr, dn * r]) if after else np.hstack([h.T @ dz, h.T @ dr, (r * h).T @ dn])
        dh = dh * (1 - z if turned else z) + np.hstack([dz, dr]) @ U[:, : 2 * H].T
        dh = dh + ((dn * r) @ U[:, 2 * H :].T if after else ds * r)
        return da @ W.T, dh, x.T @ da, dU, da.sum(axis=0)

    return gru_step_forward, gru_step_backward


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("after", [False, True])
def test_every_usual_form_of_a_gru_is_judged_as_it_is(turned, after):
    verdict = judge.check(*gru_step(turned, after))
    assert verdict.ok
    assert any("variant" in note for note in verdict.notes) == (turned or after)


def test_a_matrix_a_gate_may_come_one_by_one():
    assert judge.check(blind_passes.gru_gates_forward, blind_passes.gru_gates_backward).ok
