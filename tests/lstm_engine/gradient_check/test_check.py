import json

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.gradient_check import loss_along, unit_scale
from lstm_engine.gradient_check.numeric import METHODS, STEPS, best_step, sweep, unit
from lstm_engine.gradient_check.report import FAILED, NOT_EXERCISED, NOT_RESOLVED, PASSED

N, T, D, H = 3, 5, 2, 3
# The complex step has no error of its own; the two passes round some 100 times a number at this size, and errors add up like
# a random walk: 10 roundings of 1e-16.
ROUNDING = 1e-14


@pytest.fixture
def small():
    """LSTM, Dense on every step; unit scale; with X and y."""
    model = le.Sequential(
        [le.Input((T, D)), le.LSTM(H, return_sequences=True), le.Dense(2)], seed=0, dtype="float64", backend="numpy"
    )
    model.compile("sgd", "mse")
    rng = np.random.default_rng(3)
    return unit_scale(model), rng.standard_normal((N, T, D)), rng.standard_normal((N, T, 2))


@pytest.fixture
def wrong(monkeypatch):
    """Makes an LSTM's backward return a gradient that `change` has spoilt."""
    from lstm_engine.cells import lstm

    def spoil(change):
        right = lstm.lstm_backward

        def backward(*args, **options):
            grads = right(*args, **options)
            change(grads)
            return grads

        monkeypatch.setattr(le.LSTM, "pair", le.LSTM.pair._replace(backward=backward))

    yield spoil
    monkeypatch.undo()


def verdicts(report):
    return {(row.parameter, row.gate): row.verdict for row in report.rows}


def test_right_gradients_pass_to_rounding_in_every_row(small):
    report = le.gradcheck(*small, elements=None)
    assert report.ok
    assert report.max_rel_error < ROUNDING
    assert [row.parameter for row in report.rows if row.gate in ("i", "")] == [
        "lstm/kernel", "lstm/recurrent_kernel", "lstm/bias", "dense/kernel", "dense/bias", "x", "lstm/h0", "lstm/c0",
    ]  # fmt: skip
    assert {row.gate for row in report.rows if row.parameter == "lstm/bias"} == {"i", "f", "g", "o"}
    assert all(row.checked == row.size and row.direction_error is None for row in report.rows)


@pytest.mark.parametrize(("method", "within"), [("central", 1e-7), ("richardson", 1e-9)])
def test_differences_reach_the_accuracy_of_their_error_formula(small, method, within):
    """ε^(2/3) and ε^(6/7) of a loss of size 1, and gradients down to 1e-3 of it."""
    report = le.gradcheck(*small, method=method)
    assert report.ok
    assert ROUNDING < report.max_rel_error < within
    assert all(1e-7 < step <= 1e-1 for step in report.steps.values())


@pytest.mark.parametrize("spread", [(0.0, 3), (0.02, 1)])
def test_a_gate_that_is_wrong_fails_alone(small, wrong, spread):
    """All of the forget gate's bias gradient by a sign, or one number by 2 %."""
    factor, n = spread

    def change(grads):
        grads.b[H : H + n] *= factor or -1

    wrong(change)
    verdict_of = verdicts(le.gradcheck(*small))
    assert [key for key, verdict in verdict_of.items() if verdict == FAILED] == [("lstm/bias", "f")]


def test_a_wrong_number_that_was_not_drawn_is_seen_by_the_direction(small, wrong):
    model, x, y = small

    def change(grads):
        grads.U[:, -1] *= 1.01  # three of the nine numbers of gate o

    wrong(change)
    report = le.gradcheck(model, x, y, elements=4, seed=5)
    (row,) = (row for row in report.rows if (row.parameter, row.gate) == ("lstm/recurrent_kernel", "o"))
    assert row.checked == 1
    assert row.verdict == FAILED
    assert row.direction_error > 1e-4


def test_the_worst_element_is_named_with_both_numbers(small, wrong):
    def change(grads):
        grads.W[1, 2 * H] += 0.5

    wrong(change)
    report = le.gradcheck(*small)
    (row,) = (row for row in report.rows if row.verdict == FAILED)
    assert (row.parameter, row.gate, row.worst_index) == ("lstm/kernel", "g", (1, 2 * H))
    assert row.analytic == pytest.approx(row.numeric + 0.5)


def test_nan_is_a_failure(small, wrong):
    def change(grads):
        grads.b[0] = np.nan

    wrong(change)
    report = le.gradcheck(*small, elements=4)
    assert [key for key, verdict in verdicts(report).items() if verdict == FAILED] == [("lstm/bias", "i")]
    assert np.isnan([row.error for row in report.rows if row.gate == "i" and row.parameter == "lstm/bias"]).all()


def test_a_forgotten_gradient_fails_and_an_unused_parameter_is_not_exercised(small, wrong):
    model, x, y = small
    wrong(lambda grads: grads.c0.fill(0.0))
    assert verdicts(le.gradcheck(model, x, y))[("lstm/c0", "")] == FAILED

    model.weights["dense/kernel"][...] = 0.0  # nothing below can reach the loss
    report = le.gradcheck(model, x, y)
    assert verdicts(report)[("lstm/kernel", "i")] == NOT_EXERCISED
    assert verdicts(report)[("dense/bias", "")] == PASSED
    assert not report.ok
    assert not report.failed
    assert "not exercised" in str(report)


def test_what_is_smaller_than_the_losses_rounding_is_not_resolved(small):
    """A central difference of a gradient of 1e-13: the loss itself is not known as well. The complex step sees it."""
    model, x, y = small
    model.weights["dense/kernel"][...] *= 1e-13
    verdict_of = verdicts(le.gradcheck(model, x, y, method="central"))
    assert verdict_of[("lstm/kernel", "i")] == NOT_RESOLVED
    assert verdicts(le.gradcheck(model, x, y))[("lstm/kernel", "i")] == PASSED


def test_the_compiled_kernels_are_what_is_checked_where_they_run(small):
    model, x, y = small
    compiled = model.twin(backend="numba")
    assert le.gradcheck(compiled, x, y).max_rel_error < ROUNDING
    assert compiled.layers[0].backends() == {"numba"}


def test_weights_and_kept_states_are_what_they_were(small):
    model = le.Sequential([le.Input((T, D)), le.GRU(H, stateful=True), le.Dense(1)], seed=0, dtype="float64")
    model.compile("sgd", "mse")
    unit_scale(model)
    x, y = np.random.default_rng(0).standard_normal((N, T, D)), np.ones((N, 1))
    model.predict(x, batch_size=N, verbose=0)
    weights, state = model.get_weights(), model.layers[0].states[0].copy()
    report = le.gradcheck(model, x, y)
    assert report.ok
    np.testing.assert_array_equal(model.layers[0].states[0], state)
    for now, before in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(now, before)


def test_a_layer_of_the_users_own_is_checked_too():
    class Square(le.layer.Layer):
        def forward(self, x, training=False, mask=None, initial_state=None, taped=True):
            return x * x, [], x

        def backward(self, tape, dy, dstates=None, want_dx=True):
            return self.factor * tape * dy, [], {}

    rng = np.random.default_rng(0)
    for factor, ok in ((2.0, True), (1.0, False)):
        Square.factor = factor
        model = le.Sequential([le.Input((T, D)), le.LSTM(H), Square(), le.Dense(1)], dtype="float64", seed=0)
        model.compile("sgd", "mse")
        report = le.gradcheck(unit_scale(model), rng.standard_normal((N, T, D)), np.ones((N, 1)))
        assert report.ok == ok
        assert (report.departure is None) == ok
    assert report.departure.layer == "square"


# -- what makes a check lie is refused ---------------------------------------------------------------------------------


def test_float32_is_refused_without_a_dtype_to_check(small):
    model, x, y = small
    single = model.twin("float32")
    with pytest.raises(ValueError, match=r'float32, whose rounding .* dtype="float64" checks the same network'):
        le.gradcheck(single, x, y)
    assert le.gradcheck(single, x, y, dtype="float64").max_rel_error < ROUNDING
    single_checked = le.gradcheck(single, x, y, dtype="float32")
    assert single_checked.ok
    assert 1e-9 < single_checked.max_rel_error < single_checked.tol == 1e-3
    assert "its twin in float64" in le.gradcheck(single, x, y, dtype="float64").notes[0]


def test_live_dropout_is_refused_and_frozen_masks_are_held(small):
    _, x, y = small
    layers = [le.LSTM(H, dropout=0.4, recurrent_dropout=0.4, return_sequences=True), le.Dropout(0.3), le.Dense(2)]
    model = le.Sequential([le.Input((T, D)), *layers], seed=0, dtype="float64")
    model.compile("sgd", "mse")
    unit_scale(model)
    with pytest.raises(ValueError, match=r"lstm \(0.4\), dropout \(0.3\) have dropout, which would draw other masks"):
        le.gradcheck(model, x, y)
    frozen, off = (le.gradcheck(model, x, y, dropout=how) for how in ("frozen", "off"))
    assert frozen.ok
    assert off.ok
    analytic = [report.arrays["dense/kernel"][0] for report in (frozen, off)]
    assert not np.allclose(*analytic)


def test_fewer_than_three_steps_are_refused(small):
    model, x, y = small
    with pytest.raises(ValueError, match="has 2 steps: with fewer than 3"):
        le.gradcheck(model, x[:, :2], y[:, :2])
    with pytest.raises(ValueError, match="has 1 step:"):
        le.gradcheck(model, x, y, mask=np.arange(T) < np.ones((N, 1)))
    assert le.gradcheck(model, x[:, :1], y[:, :1], allow_short=True).rows


def test_weights_too_small_to_see_are_refused(small):
    model, x, y = small
    model.set_weights([w * 0.01 for w in model.get_weights()])
    with pytest.raises(ValueError, match=r"lstm's pre-activations vary by 0.01.* too\s+small"):
        le.gradcheck(model, x, y)
    assert le.gradcheck(model, x, y, allow_small=True).ok


@pytest.mark.parametrize(
    ("loss", "units", "activation", "y", "sample"),
    [
        ("binary_crossentropy", 1, "sigmoid", np.ones((N, 1)), 0),
        ("categorical_crossentropy", 3, "softmax", np.eye(3)[[0, 2, 0]], 1),
        ("sparse_categorical_crossentropy", 3, "softmax", np.array([0, 2, 0]), 1),
    ],
)
def test_a_sample_in_the_clipped_zone_is_refused(small, loss, units, activation, y, sample):
    """A logit of 40, or -40 for the class that sample 1 has: its loss is flat there, though anything may go wrong below."""
    _, x, _ = small
    model = le.Sequential(
        [le.Input((T, D)), le.LSTM(H), le.Dense(units, activation=activation)], seed=0, dtype="float64"
    )
    model.compile("sgd", loss)
    unit_scale(model)
    model.weights["dense/bias"][...] = 40.0 if units == 1 else [0.0, 0.0, -40.0]
    with pytest.raises(ValueError, match=f"sample {sample} has a probability of .* where {loss} is clipped"):
        le.gradcheck(model, x, y)


def test_predictions_that_equal_the_targets_are_refused(small):
    model, x, _ = small
    with pytest.raises(ValueError, match=r"the predictions equal y but for 0\.0e"):
        le.gradcheck(model, x, model.predict(x, verbose=0))


def test_a_chaotic_network_is_refused():
    """Recurrent kernels of N(0, 1): 100 steps make 1e-7 of 1e-14, and right gradients look wrong."""
    rng = np.random.default_rng(0)
    model = le.Sequential(
        [le.Input((100, D)), le.LSTM(64, return_sequences=True), le.Dense(1)], seed=0, dtype="float64"
    )
    model.compile("sgd", "mse")
    x, y = rng.standard_normal((2, 100, D)), rng.standard_normal((2, 100, 1))
    assert le.gradcheck(unit_scale(model), x, y, elements=1).ok
    model.weights["lstm/recurrent_kernel"][...] = rng.standard_normal((64, 256))
    with pytest.raises(ValueError, match="the network is chaotic"):
        le.gradcheck(model, x, y, elements=1)
    assert le.gradcheck(model, x, y, elements=1, allow_chaotic=True).failed


@pytest.mark.parametrize("scale", [20, 30, 50])
def test_saturated_gates_are_not_resolved_rather_than_wrong(small, scale):
    """i(1 - i) at i = 1 - 1e-12 has 4 digits: right gradients miss the tolerance, and nobody is to look for a mistake."""
    model, x, y = small
    model.set_weights([w * scale for w in model.get_weights()])
    seen = set(verdicts(le.gradcheck(model, x, y, elements=None)).values())
    assert NOT_RESOLVED in seen
    assert FAILED not in seen


def test_an_output_that_is_no_probability_is_refused(small):
    model, x, _ = small
    model.compile("sgd", "binary_crossentropy")
    with pytest.raises(ValueError, match="binary_crossentropy needs probabilities: give the last layer activation="):
        le.gradcheck(model, x, np.ones((N, T, 2)))


def test_a_masking_layer_is_checked_by_the_complex_step_alone(small):
    _, x, y = small
    x[1, 3:] = 0.0
    model = le.Sequential(
        [le.Input((T, D)), le.Masking(), le.LSTM(H, return_sequences=True), le.Dense(2)], seed=0, dtype="float64"
    )
    model.compile("sgd", "mse")
    report = le.gradcheck(unit_scale(model), x, y, elements=None)
    assert report.ok
    assert (report.arrays["x"][0][1, 3:] == 0).all()
    with pytest.raises(ValueError, match="masking masks steps by their values"):
        le.gradcheck(model, x, y, method="central")


def test_a_loss_that_is_no_number_is_refused(small):
    model, x, y = small
    x[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match=r"X\[0, 0, 0\] is nan: sample 0"):
        le.gradcheck(model, x, y)
    x[0, 0, 0] = 0
    next(iter(model.weights.values()))[0, 0] = np.nan
    with pytest.raises(ValueError, match="the loss is nan: look for NaN"):
        le.gradcheck(model, x, y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "complx"}, "method must be one of complex, central, richardson, got 'complx'"),
        ({"tol": 0.0}, "tol must be a positive number"),
        ({"tol": np.inf}, "tol must be a positive number"),
        ({"step": -1.0}, "step must be a positive number"),
        ({"elements": 0}, "elements must be None, for all, or a whole number"),
        ({"dtype": "float16"}, 'dtype must be "float32" or "float64"'),
        ({"dropout": "on"}, 'dropout must be "off" or "frozen"'),
    ],
)
def test_options_that_do_not_exist_are_named(small, options, message):
    with pytest.raises(ValueError, match=message):
        le.gradcheck(*small, **options)


def test_kinks_are_noted_beside_differences(small):
    _, x, y = small
    model = le.Sequential(
        [le.Input((T, D)), le.SimpleRNN(H, activation="relu", return_sequences=True), le.Dense(2)], dtype="float64"
    )
    model.compile("sgd", "mse")
    assert "relu has kinks" in le.gradcheck(unit_scale(model), x, y, method="central").notes[0]
    assert not le.gradcheck(model, x, y).notes


# -- the estimators ----------------------------------------------------------------------------------------------------


def test_estimators_find_a_derivative_that_is_known():
    """f = Σ w³ along v: 3 Σ w² v. The central difference is off by h² Σ v³, at most h²."""
    w = np.array([0.3, -1.2, 0.7])
    v = unit(np.random.default_rng(0), w.shape)
    exact = (3 * w**2 * v).sum()
    for name, within in (("complex", 1e-15), ("central", 1e-8), ("richardson", 1e-13)):
        h = METHODS[name].step or 1e-4 ** (1 if name == "central" else 0.5)
        got = METHODS[name].estimate(lambda a: (a["w"] ** 3).sum(), {"w": w}, "w", v, h)
        assert abs(got - exact) <= 1.1 * within, name


def test_a_sweep_finds_the_bottom_of_the_u(small):
    """Central differences: truncation falls with h², rounding rises with 1/h, and the best step lies where they meet."""
    f, point = loss_along(*small)
    v = unit(np.random.default_rng(0), point["lstm/kernel"].shape)
    exact = METHODS["complex"].estimate(f, point, "lstm/kernel", v, 1e-20)
    estimates = sweep(f, point, "lstm/kernel", v, METHODS["central"].estimate)
    errors = {h: abs(D - exact) for h, D in estimates.items()}
    assert tuple(errors) == STEPS
    assert errors[1e-2] / errors[1e-3] == pytest.approx(100, rel=0.05)  # truncation: h² f'''/6
    assert min(errors[h] for h in (1e-10, 1e-11, 1e-12)) > 10 * min(errors[h] for h in (1e-4, 1e-5, 1e-6))
    assert errors[best_step(estimates, f(point))] <= 30 * min(errors.values())


def test_rounding_that_agrees_by_chance_is_no_plateau():
    """Three estimates at 1e-10 to 1e-12 that happen to be one number: the loss is not known as well there."""
    estimates = {h: 1.0 + h * h for h in STEPS} | {1e-10: 1.02, 1e-11: 1.02, 1e-12: 1.02}
    assert best_step(estimates, value=1.0) >= 1e-7


def test_a_random_direction_has_length_one_and_stays_where_it_belongs():
    where = np.arange(12).reshape(3, 4) % 2 == 0
    v = unit(np.random.default_rng(0), (3, 4), where)
    assert (v * v).sum() == pytest.approx(1)
    assert (v[~where] == 0).all()


# -- the report --------------------------------------------------------------------------------------------------------


def test_a_report_is_a_table_json_and_csv(small, tmp_path):
    import pandas as pd

    report = le.gradcheck(*small, elements=8)
    assert len(report.table) == len(report.rows) == 17
    as_json = json.loads(json.dumps(report.to_json()))
    assert as_json["ok"] is True
    assert as_json["rows"][0]["parameter"] == "lstm/kernel"
    report.to_csv(tmp_path / "report.csv")
    read = pd.read_csv(tmp_path / "report.csv", keep_default_na=False)
    assert list(read["verdict"]) == [PASSED] * 17
    errors = report.relative_errors("lstm/recurrent_kernel")
    assert errors.shape == (H, 4 * H)
    assert np.isfinite(errors).sum() == sum(
        row.checked for row in report.rows if row.parameter == "lstm/recurrent_kernel"
    )
    assert "All 17 rows passed" in str(report)


def test_the_same_seed_checks_the_same_elements(small):
    one, two, other = (le.gradcheck(*small, elements=8, seed=seed).relative_errors("lstm/kernel") for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, two)
    assert (np.isnan(one) != np.isnan(other)).any()


def test_progress_counts_every_element(small):
    seen = []
    report = le.gradcheck(*small, elements=8, progress=lambda done, total: seen.append((done, total)))
    n = sum(row.checked for row in report.rows)
    assert seen == [(k + 1, n) for k in range(n)]


def test_unit_scale_has_the_spread_that_its_docstring_names():
    model = le.Sequential([le.Input((None, 400)), le.LSTM(50), le.Dense(300)], dtype="float64")
    unit_scale(model, seed=1)
    W, U, b, _, _ = model.get_weights()
    assert W.std() == pytest.approx(1 / 20, rel=0.02)
    np.testing.assert_allclose(U @ U.T, np.eye(50), rtol=0, atol=1e-14)
    assert b.std() == pytest.approx(1, rel=0.2)  # 200 numbers: within 4 standard errors of 5 %
