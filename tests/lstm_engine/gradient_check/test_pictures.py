"""The pictures of a gradient check: read back from the figures, they hold the report's numbers."""

import subprocess
import sys

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.gradient_check import error_curve, pictures, planes, unit_scale
from lstm_engine.gradient_check.report import FAILED, PASSED, Report, Row

N, T, D, H = 3, 5, 2, 3


def network(*layers):
    """A compiled float64 model at unit scale."""
    model = le.Sequential([le.Input((T, D)), *layers], seed=0, dtype="float64", backend="numpy")
    model.compile("sgd", "mse")
    return unit_scale(model)


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(3)
    return rng.standard_normal((N, T, D)), rng.standard_normal((N, T, 2))


@pytest.fixture
def check(monkeypatch, batch):
    """The report on LSTM and Dense, whose LSTM's gradients `spoil` has changed."""
    from lstm_engine.cells import lstm

    right = lstm.lstm_backward

    def run(spoil, **options):
        def backward(*args, **upstream):
            grads = right(*args, **upstream)
            spoil(grads)
            return grads

        monkeypatch.setattr(le.LSTM, "pair", le.LSTM.pair._replace(backward=backward))
        return le.gradcheck(network(le.LSTM(H, return_sequences=True), le.Dense(2)), *batch, **options)

    yield run
    monkeypatch.undo()


def nothing(grads):
    pass


def mesh_of(fig):
    (mesh,) = fig.axes[0].collections
    return mesh


def drawn(fig):
    """log10 of the errors, with NaN where there is no colour."""
    return np.ma.filled(mesh_of(fig).get_array(), np.nan)


def colours(fig):
    """By cell, whether it is drawn in orange, in blue, and in black."""
    red, green, blue, alpha = np.moveaxis(mesh_of(fig).to_rgba(mesh_of(fig).get_array()), -1, 0)
    black = (red + green + blue == 0) & (alpha > 0)
    return (alpha > 0) & (red > blue), (alpha > 0) & (blue > red), black


def log_errors(report, parameter):
    return np.log10(np.maximum(report.relative_errors(parameter), 1e-17))


def one_row(parameter, analytic, numeric, verdict=PASSED, gate="", tol=1e-10):
    """A report of one row."""
    row = Row(parameter, gate, analytic.size, analytic.size, 0.0, 0.0, None, (0,) * analytic.ndim, 0.0, 0.0, verdict)
    return Report([row], "complex", tol, {parameter: 1e-20}, {parameter: (analytic, numeric)})


# -- heat maps ---------------------------------------------------------------------------------------------------------


def test_a_heat_map_holds_the_error_of_every_element(check):
    report = check(nothing, elements=None)
    for parameter in ("lstm/kernel", "lstm/recurrent_kernel", "dense/kernel", "lstm/h0", "lstm/c0"):
        np.testing.assert_array_equal(drawn(report.heat_map(parameter)), log_errors(report, parameter))


def test_what_was_not_checked_has_no_colour_and_is_hatched(check):
    report = check(nothing, elements=12)
    fig = report.heat_map("lstm/recurrent_kernel")
    unchecked = np.isnan(report.relative_errors("lstm/recurrent_kernel"))
    assert 0 < unchecked.sum() < unchecked.size
    np.testing.assert_array_equal(np.isnan(drawn(fig)), unchecked)
    assert fig.axes[0].patch.get_hatch()
    assert "Hatched: not checked." in fig.get_supxlabel()
    whole = check(nothing, elements=None).heat_map("lstm/recurrent_kernel")
    assert "Hatched" not in whole.get_supxlabel()


def test_a_wrong_element_is_orange_and_the_right_ones_are_blue(check):
    def spoil(grads):
        grads.W[1, 2 * H] += 0.5

    orange, blue, _ = colours(check(spoil, elements=None).heat_map("lstm/kernel"))
    assert np.argwhere(orange).tolist() == [[1, 2 * H]]
    assert blue.sum() == orange.size - 1


@pytest.mark.parametrize(("factor", "fails"), [(0.9, False), (1.1, True)])
@pytest.mark.parametrize("tol", [1e-10, 1e-3, 1e-16])
def test_the_colour_changes_at_the_tolerance(tol, factor, fails):
    numeric = np.full((2, 2), 1.0)
    orange, blue, _ = colours(pictures.heat_map(one_row("w", numeric * (1 - tol * factor), numeric, tol=tol), "w"))
    if tol > 1e-15:  # float64's rounding of 1
        assert orange.all() == fails
        assert blue.all() != fails
    exact, *_ = colours(pictures.heat_map(one_row("w", numeric, numeric, tol=tol), "w"))
    assert not exact.any()


def test_a_gradient_that_is_no_number_is_black(check):
    def spoil(grads):
        grads.U[0, 4] = np.nan

    fig = check(spoil, elements=None).heat_map("lstm/recurrent_kernel")
    assert np.argwhere(colours(fig)[2]).tolist() == [[0, 4]]
    assert "Black: not a number." in fig.get_supxlabel()


def test_every_gate_has_its_verdict_in_words(check):
    def spoil(grads):
        grads.U[:, H : 2 * H] *= -1
        grads.b[H : 2 * H] *= -1

    report = check(spoil)
    expected = ["i: passed", "f: FAILED", "g: passed", "o: passed"]
    (top,) = report.heat_map("lstm/recurrent_kernel").axes[0].child_axes
    assert [label.get_text() for label in top.get_xticklabels()] == expected
    bias = report.heat_map("lstm/bias")
    assert [label.get_text() for label in bias.axes[0].get_yticklabels()] == expected
    np.testing.assert_array_equal(drawn(bias), log_errors(report, "lstm/bias").reshape(4, H))
    assert colours(bias)[0].any(axis=1).tolist() == [False, True, False, False]
    assert "lstm/bias: FAILED in f" in bias.get_suptitle()


def test_a_gru_s_two_biases_lie_below_each_other(batch):
    report = le.gradcheck(network(le.GRU(H, return_sequences=True), le.Dense(2)), *batch)
    fig = report.heat_map("gru/bias")
    np.testing.assert_array_equal(drawn(fig), log_errors(report, "gru/bias"))
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == ["of x W", "of h' U"]


def test_the_input_s_steps_go_from_left_to_right(check):
    def spoil(grads):
        grads.x[:2] *= 1.5  # time-major: steps 0 and 1

    report = check(spoil, elements=None)
    fig = report.heat_map("x")
    errors = log_errors(report, "x")  # (N, T, D)
    np.testing.assert_array_equal(drawn(fig), errors.swapaxes(1, 2).reshape(N * D, T))
    assert colours(fig)[0].all(axis=0).tolist() == [True, True, False, False, False]
    assert fig.axes[0].get_xlabel() == "step"
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == ["sample 0", "sample 1", "sample 2"]


@pytest.mark.parametrize("every", [1, 7])
@pytest.mark.parametrize("at", [(0, 0), (299, 1199), (123, 299), (123, 300)])
def test_a_lone_wrong_element_of_a_large_weight_is_still_seen(at, every):
    """More elements than pixels: a cell shows the worst of its block, and no block reaches from one gate into the next."""
    numeric = np.full((300, 1200), np.nan)
    numeric[::every, ::every] = 1.0  # the rest is not checked
    numeric[at] = 1.0
    analytic = numeric.copy()
    analytic[at] = 1.01
    report = one_row("lstm/kernel", analytic, numeric)
    report.rows[:] = [Row(*{**vars(report.rows[0]), "gate": gate}.values()) for gate in "ifgo"]
    fig = pictures.heat_map(report, "lstm/kernel")
    ((row, column),) = np.argwhere(colours(fig)[0])
    across, down = mesh_of(fig).get_coordinates()[0, :, 0], mesh_of(fig).get_coordinates()[:, 0, 1]
    assert len(down) - 1 <= planes.FINEST
    assert len(across) - 1 <= planes.FINEST
    assert down[row] <= at[0] < down[row + 1]
    assert across[column] <= at[1] < across[column + 1]
    assert {0, 300, 600, 900, 1200} <= set(across)
    assert drawn(fig)[row, column] == pytest.approx(np.log10(0.01 / 1.01))


@pytest.mark.slow  # some forty pictures
@pytest.mark.parametrize(
    "layers",
    [
        lambda: [le.Bidirectional(le.GRU(H, return_sequences=True)), le.SimpleRNN(2, return_sequences=True)],
        lambda: [le.Dense(3, activation="tanh"), le.Dense(2)],
        lambda: [le.GRU(2, reset_after=False, return_sequences=True)],
        lambda: [le.LSTM(1, return_sequences=True), le.Dense(2)],
    ],
)
def test_every_parameter_of_every_layer_can_be_drawn(batch, layers):
    report = le.gradcheck(network(*layers()), *batch, elements=4, allow_small=True)
    for parameter in report.arrays:
        assert pictures.image(report.heat_map(parameter), "").startswith("<img")


@pytest.mark.parametrize("shape", [(1,), (4,), (2, 3), (2, 3, 4), (2, 3, 2, 2)])
def test_arrays_of_any_shape_can_be_drawn(shape):
    numeric = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    report = one_row("w", numeric * 1.001, numeric, FAILED)
    np.testing.assert_array_equal(drawn(report.heat_map("w")).reshape(shape), log_errors(report, "w"))


def test_a_parameter_that_is_not_there_is_a_key_error(check):
    with pytest.raises(KeyError, match="gru/kernel"):
        check(nothing).heat_map("gru/kernel")


# -- the curve ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def curve(batch):
    return error_curve(
        network(le.LSTM(8, return_sequences=True), le.LSTM(H, return_sequences=True), le.Dense(2)), *batch
    )


def at(curve, method, h):
    return curve.errors[method][np.argmin(np.abs(np.log10(curve.steps / h)))]


def test_the_curve_of_differences_is_a_u_and_that_of_the_complex_step_is_not(curve):
    """Truncation falls with h², 100 times a decade, until the rounding of the loss, 1e-16 of it, is divided by as small an h.

    At 1e-12 that leaves four digits of the loss, and fewer of the derivative, which is smaller.
    """
    assert at(curve, "central", 1e-1) / at(curve, "central", 1e-2) == pytest.approx(100, rel=0.05)
    assert at(curve, "complex", 1e-3) / at(curve, "complex", 1e-4) == pytest.approx(100, rel=0.05)
    assert at(curve, "central", 1e-4) < at(curve, "central", 1e-8)
    assert min(curve.errors["central"][curve.steps < 1e-11]) > 1e-5
    assert max(curve.errors["complex"][curve.steps < 1e-8]) < 1e-14  # two passes of some 100 roundings a number
    assert curve.steps[0] == 0.1
    assert curve.steps[-1] == 1e-16


def test_the_step_that_the_sweep_takes_is_near_the_bottom(curve):
    assert set(curve.best) == {"central", "richardson"}  # the complex step needs none
    for method, best in curve.best.items():
        assert at(curve, method, best) <= 1e-3 * max(at(curve, method, 1e-1), at(curve, method, 1e-12))
    assert 1e-6 <= curve.best["central"] <= 1e-3


def test_the_largest_recurrent_kernel_is_measured_unless_another_is_named(curve, batch):
    assert curve.parameter == "lstm/recurrent_kernel"  # 8 units, above them 3
    model = network(le.Dense(4), le.Dense(2))
    assert error_curve(model, *batch, methods=["complex"]).parameter == "dense/kernel"  # 2 x 4, as large as the other
    chosen = error_curve(model, *batch, parameter="x", methods=["central"])
    assert (chosen.parameter, list(chosen.errors)) == ("x", ["central"])


def test_the_derivative_is_the_models_own_gradient_along_the_direction(batch):
    from lstm_engine.gradient_check.numeric import unit

    model = network(le.LSTM(H, return_sequences=True), le.Dense(2))
    g = model.gradients(*batch)[1]["lstm/kernel"]
    v = unit(np.random.default_rng(7), g.shape)
    curve = error_curve(model, *batch, parameter="lstm/kernel", seed=7, methods=["complex"])
    assert curve.derivative == pytest.approx((g * v).sum(), rel=1e-12)
    assert curve.loss == pytest.approx(model.gradients(*batch)[0], rel=1e-12)


def test_what_no_curve_can_be_measured_of_is_named(batch):
    model = network(le.LSTM(H, return_sequences=True), le.Dense(2))
    with pytest.raises(ValueError, match=r"no parameter 'lstm/W', but lstm/kernel, .*lstm/c0"):
        error_curve(model, *batch, parameter="lstm/W")
    with pytest.raises(ValueError, match="methods must be among complex, central, richardson, got forward"):
        error_curve(model, *batch, methods=["central", "forward"])
    model.weights["dense/kernel"][...] = 0.0
    with pytest.raises(ValueError, match="the loss does not depend on lstm/kernel"):
        error_curve(model, *batch, parameter="lstm/kernel")
    with pytest.raises(ValueError, match="float32, whose rounding"):
        error_curve(model.twin("float32"), *batch)


def test_the_picture_holds_the_curve_its_best_steps_and_its_two_slopes(curve):
    (ax,) = pictures.error_curve(curve).axes
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert ax.xaxis_inverted()
    lines = {line.get_gid() or line.get_label(): line for line in ax.lines}
    for (name, *_), errors in zip(pictures.STYLES.values(), curve.errors.values(), strict=True):
        (line,) = (line for label, line in lines.items() if label.startswith(name))
        np.testing.assert_array_equal(line.get_xdata(), curve.steps)
        np.testing.assert_array_equal(line.get_ydata(), np.maximum(errors, 1e-17))
    for method, best in curve.best.items():
        ring = lines[f"best {method}"]
        assert ring.get_xdata() == pytest.approx([best])
        assert ring.get_ydata() == pytest.approx([at(curve, method, best)])
        assert any(f"{best:.0e}" in label for label in lines)
    for gid, power in (("truncation", 2), ("rounding", -1)):
        h, y = lines[gid].get_data()
        np.testing.assert_allclose(np.diff(np.log10(y)) / np.diff(np.log10(h)), power)
    # Both lines lie along the curve: truncation where it is drawn through it, rounding within its own scatter.
    np.testing.assert_allclose(lines["truncation"].get_ydata()[:3], curve.errors["central"][:3], rtol=0.05)
    right = (curve.steps < 1e-7) & (curve.steps > 1e-13)
    scatter = np.log10(curve.errors["central"][right] / lines["rounding"].get_ydata()[right])
    assert abs(np.median(scatter)) < 1  # the rounding of the loss is some roundings of 1.1e-16, or a part of one
    assert "complex step" in pictures.error_curve(curve).get_supxlabel()


def test_a_check_without_pictures_imports_no_matplotlib():
    code = """
import sys, numpy as np, lstm_engine as le
model = le.Sequential([le.LSTM(3), le.Dense(1)], seed=0, dtype="float64", backend="numpy")
model.compile("sgd", "mse")
from lstm_engine.gradient_check import error_curve
rng = np.random.default_rng(0)
x, y = rng.standard_normal((2, 4, 2)), rng.standard_normal((2, 1))
str(le.gradcheck(model, x, y, elements=2))
error_curve(model, x, y, methods=["complex"])
print("matplotlib" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stdout.strip() == "False", result.stdout + result.stderr
