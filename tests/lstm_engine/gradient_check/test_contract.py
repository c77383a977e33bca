"""How the two functions may come to gradcheck_function, what it asks for, and what its notes say."""

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.gradient_check.adapters import CS231N, CS231N_STEP
from lstm_engine.gradient_check.report import FAILED

from . import conventions as c

rng = np.random.default_rng(0)
X, W, B = rng.standard_normal((3, 4)), rng.standard_normal((4, 2)), rng.standard_normal(2)


def affine(x, W, b):
    return np.tanh(x @ W + b), (x, W, np.tanh(x @ W + b))


def affine_backward(dy, cache):
    x, W, y = cache
    dz = dy * (1 - y**2)
    return dz @ W.T, x.T @ dz, dz.sum(axis=0)


def check(forward=affine, backward=affine_backward, inputs=None, **options):
    return le.gradcheck_function(forward, backward, inputs or {"x": X, "W": W, "b": B}, **{"locate": False} | options)


def failed(report):
    return {row.parameter for row in report.rows if row.verdict == FAILED}


# -- parameters and gradients in dicts ---------------------------------------------------------------------------------


def of_dict(x, params):
    return affine(x, params["W"], params["b"])


@pytest.mark.parametrize(
    "named",
    [
        lambda dx, dW, db: (dx, {"W": dW, "b": db}),
        lambda dx, dW, db: {"dx": dx, "dW": dW, "db": db},
        lambda dx, dW, db: {"x": dx, "params": {"W": dW, "b": db}},
        lambda dx, dW, db: {"d_x": dx, "grad_W": dW, "db": db},
        lambda dx, dW, db: (dx, dW, db),
    ],
)
def test_a_dict_of_parameters_and_gradients_in_several_forms(named):
    def backward(dy, cache):
        return named(*affine_backward(dy, cache))

    report = check(of_dict, backward, {"x": X, "params": {"W": W, "b": B}})
    assert report.ok
    assert [row.parameter for row in report.rows] == ["x", "W", "b"]
    assert not report.notes


def test_names_that_two_dicts_share_keep_the_dicts_name():
    def forward(x, first, second):
        return x * first["W"] * second["W"], (x, first["W"], second["W"])

    def backward(dy, cache):
        x, a, b = cache
        return dy * a * b, {"W": dy * x * b}, {"W": dy * x * a}

    report = check(forward, backward, {"x": X, "first": {"W": X + 3}, "second": {"W": X - 3}})
    assert report.ok
    assert [row.parameter for row in report.rows] == ["x", "first.W", "second.W"]


def test_lists_by_step_and_outputs_by_step():
    inputs = {"xs": [*rng.standard_normal((3, 3, 2))], "Wxh": rng.standard_normal((4, 3)), "Whh": np.eye(4) / 2,
              "bh": np.ones((4, 1)), "hprev": rng.standard_normal((4, 2))}  # fmt: skip
    report = check(c.rnn_forward, c.rnn_backward, inputs)
    assert report.ok, report
    assert [row.parameter for row in report.rows][:2] == ["xs", "Wxh"]


def test_a_list_of_parameters_of_several_shapes():
    report = check(lambda x, p: affine(x, *p), lambda dy, k: (lambda x, *p: (x, p))(*affine_backward(dy, k)),
                   {"x": X, "p": [W, B]})  # fmt: skip
    assert report.ok
    assert [row.parameter for row in report.rows] == ["x", "p[0]", "p[1]"]


# -- upstream gradients, in what form backward takes them --------------------------------------------------------------


def two(x):
    return np.sin(x), x**3


@pytest.mark.parametrize(
    ("forward", "backward"),
    [
        (lambda x: (two(x), x), lambda d, x: d[0] * np.cos(x) + d[1] * 3 * x**2),
        (lambda x: (two(x), x), lambda ds, dc, x: ds * np.cos(x) + dc * 3 * x**2),
        (lambda x: (*two(x), x), lambda ds, dc, x: ds * np.cos(x) + dc * 3 * x**2),
        (lambda x: (*two(x), x), lambda *d: d[0] * np.cos(d[2]) + d[1] * 3 * d[2] ** 2),
        (lambda x: (list(two(x)), x), lambda d, x: sum(a * b for a, b in zip(d, (np.cos(x), 3 * x**2), strict=True))),
    ],
)
def test_two_outputs_together_or_one_by_one(forward, backward):
    assert check(forward, backward, {"x": X}).ok


def test_an_output_that_backward_takes_no_gradient_for_is_left_out_and_noted():
    report = check(lambda x: (*two(x), x), lambda ds, x: ds * np.cos(x), {"x": X})
    assert report.ok
    assert report.notes == ["backward takes 1 upstream gradient for 2 outputs of forward: the others were left out."]


@pytest.mark.parametrize("backward", [lambda cache: 2 * cache, lambda dloss, cache: dloss * 2 * cache])
def test_a_loss_inside(backward):
    assert check(lambda x: ((x**2).sum(), x), backward, {"x": X}).ok
    assert check(lambda x: ((x**3).sum(), x), backward, {"x": X}).failed


def test_a_backward_without_upstream_gradient_needs_a_loss():
    with pytest.raises(TypeError, match="backward takes cache alone, and forward returns no loss"):
        check(lambda x: (x**2, x), lambda cache: 2 * cache, {"x": X})
    with pytest.raises(TypeError, match="backward takes 4 arguments: with 2 outputs of forward, 2 gradients and the"):
        check(lambda x: (*two(x), x), lambda a, b, c, x: a, {"x": X})


# -- gradients that are wrong in form ----------------------------------------------------------------------------------


def test_gradients_in_another_order_are_named():
    with pytest.raises(ValueError, match=r"in another order: where that of W \(4, 2\) is expected, it gives shape \(2,\), "
                       "that of b. Expected are x, W, b; by their shapes these are x, b, W"):  # fmt: skip
        check(backward=lambda dy, cache: [affine_backward(dy, cache)[k] for k in (0, 2, 1)])


def test_a_transposed_gradient_was_not_broadcast():
    with pytest.raises(ValueError, match=r"W has shape \(2, 4\), but W has \(4, 2\): it is transposed"):
        check(backward=lambda dy, cache: (lambda x, w, b: (x, w.T, b))(*affine_backward(dy, cache)))


def test_a_gradient_may_be_missing_from_a_dict_only_where_nothing_depends_on_it():
    def backward(dy, cache):
        return dict(zip(("x", "W"), affine_backward(dy, cache), strict=False))

    with pytest.raises(ValueError, match="backward gives no gradient for b: give None where there is none"):
        check(backward=backward)
    report = check(lambda x, W, b: affine(x, W, 0.0), backward)
    assert report.ok
    assert report.notes == ["Not checked, as backward gives no gradient: b (float64 of shape (2,))."]


# -- notes -------------------------------------------------------------------------------------------------------------


def test_zeros_are_named_and_passed_says_so():
    """What is 0 on both sides is not exercised; what is added as 0 passes, and the verdict says what that proves."""
    report = check(lambda x, s: (x * s, (x, s)), lambda dy, cache: (dy * cache[1], dy * cache[0]), {"x": X, "s": X * 0})
    assert report.zeros == ["s"]
    assert "s is 0 in every element: terms that contain it are not exercised, and a mistake in them passes" in str(
        report.notes
    )
    hidden = check(lambda x, b: (x + b, None), lambda dy, _: (dy, dy), {"x": X, "b": 0 * X})
    assert hidden.verdict().endswith("Not exercised: terms with b, all zeros.")


def test_an_upstream_gradient_that_is_changed_is_noted():
    def backward(dy, cache):
        dy *= 1 - cache[2] ** 2
        return dy @ cache[1].T, cache[0].T @ dy, dy.sum(axis=0)

    report = check(backward=backward)
    assert report.ok
    assert "backward changes its upstream gradient in place" in report.notes[0]


def test_a_cache_that_is_changed_is_noted():
    def backward(dy, cache):
        cache[2][...] *= cache[2]
        dz = dy * (1 - cache[2])
        return dz @ cache[1].T, cache[0].T @ dz, dz.sum(axis=0)

    report = check(backward=backward)
    assert report.ok
    assert "called again with the same cache, gives another gradient of x, W, b" in report.notes[0]


def test_a_cache_that_is_used_up_is_noted():
    report = check(lambda x: (x**2, [x]), lambda dy, cache: 2 * dy * cache.pop(), {"x": X})
    assert report.ok
    assert "called again with the same cache, raises IndexError: it uses the cache up" in report.notes[0]


def test_an_input_that_forward_does_not_use_is_named():
    report = check(lambda x, W: (np.tanh(x), x), lambda dy, x: (dy * (1 - np.tanh(x) ** 2), W), {"x": X, "W": W})
    assert failed(report) == {"W"}
    assert "The outputs do not change with W" in str(report.notes)


@pytest.mark.parametrize("h", [None, 1e-3])
def test_a_kink_is_noted_where_there_is_one_and_only_there(h):
    x = np.array([1.0, -2.0, 3.0])
    wrong = check(lambda x: (x**3, x), lambda dy, x: 2 * dy * x, {"x": x}, method="central", h=h)
    assert wrong.failed
    assert not any("kink" in note for note in wrong.notes)
    near = check(lambda x: (np.maximum(x, 0), x), lambda dy, x: dy * (x > 0), {"x": np.array([1.0, 3e-7, -2.0])},
                 method="central", h=1e-3)  # fmt: skip
    assert near.failed
    assert "The loss has a kink, as of abs, relu or maximum, near x at (1,)" in near.notes[0]


# -- gates -------------------------------------------------------------------------------------------------------------

GATES = ("i", "f", "g", "o")


def lstm_inputs(D=8):
    return CS231N_STEP.inputs(features=D, units=4)


def gates_failed(gates, D=8, turned=(), scale=2.0):
    """The rows that fail for a step whose gradients of f alone are wrong; turned: weights that are handed in as (4H, D).

    With its outputs scaled the step is no LSTM that could be recognised.
    """
    inputs = {name: a.T if name in turned else a for name, a in lstm_inputs(D).items()}

    def forward(*values):
        h, c_new, cache = c.step_forward(*(a.T if n in turned else a for n, a in zip(inputs, values, strict=True)))
        return scale * h, c_new, cache

    def backward(dh, dc, cache):
        gradients = dict(zip(inputs, c.step_backward(scale * dh, dc, cache), strict=True))
        gradients |= {
            name: g * np.repeat([1, 2, 1, 1], 4) for name, g in gradients.items() if name in ("Wx", "Wh", "b")
        }
        return {name: g.T if name in turned else g for name, g in gradients.items()}

    report = le.gradcheck_function(forward, backward, inputs, gates=gates, elements=24, locate=False)
    return {(row.parameter, row.gate) for row in report.rows if row.verdict == FAILED}


@pytest.mark.parametrize(("D", "turned"), [(3, ("Wx",)), (8, ()), (8, ("Wx", "Wh")), (16, ("Wx",))])
def test_gates_are_found_on_either_axis(D, turned):
    """D = 8 divides by 4 too: the bias settles it. With D = 16 = 4H nothing does."""
    gates = dict.fromkeys(("Wx", "Wh", "b"), ("i", "f", "o", "g"))
    if D == 16:
        with pytest.raises(ValueError, match=r"Wx has shape \(16, 16\): its 4 gates may stand on axis 0 .* or 1 .*"
                           r"gates=\{'Wx': \(\('i', 'f', 'o', 'g'\), 1\)\} if it is axis 1"):  # fmt: skip
            gates_failed(gates, D, turned)
        gates["Wx"] = (("i", "f", "o", "g"), 0 if turned else 1)
    assert gates_failed(gates, D, turned) == {(name, "f") for name in ("Wx", "Wh", "b")}


def test_gates_that_nothing_settles_are_asked_for():
    with pytest.raises(ValueError, match=r"its 4 gates may stand on axis 0 \(of length 8\) or 1 \(of length 16\)"):
        gates_failed({"Wx": ("i", "f", "o", "g")})
    assert gates_failed({"Wx": (("i", "f", "o", "g"), 1)}) == {("Wx", "f"), ("Wh", ""), ("b", "")}


def test_a_recognised_cell_needs_no_gates_and_settles_their_axis_and_order():
    f_alone = {(name, "f") for name in ("Wx", "Wh", "b")}
    assert gates_failed(None, D=16, scale=1.0) == f_alone
    assert gates_failed(None, D=16, turned=("Wx", "Wh"), scale=1.0) == f_alone
    assert gates_failed({"Wx": ("i", "f", "o", "g")}, D=16, turned=("Wx", "Wh"), scale=1.0) >= {("Wx", "f")}
    assert gates_failed({}, scale=1.0) == {("Wx", ""), ("Wh", ""), ("b", "")}
    with pytest.raises(ValueError, match=r"names the parts of Wx i f g o, but .* gates stand in the order i f o g"):
        gates_failed({"Wx": GATES}, scale=1.0)


def test_a_recognised_walk_needs_no_time_axis():
    def backward(dh, caches):
        dx, dh0, dWx, dWh, db = c.backward_nt(dh, caches)
        dx[:, :2] *= 2
        return dx, dh0, dWx, dWh, db

    report = le.gradcheck_function(c.forward_nt, backward, CS231N.inputs())
    assert "right at steps 4 to 2 and first departs at step 1" in str(report.notes)
    assert failed(report) == {"x"}
    assert ("Wx", "f") in {(row.parameter, row.gate) for row in report.rows}


@pytest.mark.parametrize(
    ("gates", "message"),
    [
        ({"b": GATES[:3]}, r"b has shape \(16,\): no axis of it divides into 3 equal gates"),
        ({"Wx": (GATES, 2)}, r"Wx has shape \(8, 16\): there is no axis 2"),
        ({"Wx": (("i", "f", "g"), 0)}, "Wx has shape .*: axis 0 does not divide into 3 equal gates"),
        ({"Wx": ()}, "no axis of it divides into 0 equal gates"),
    ],
)
def test_gates_that_do_not_fit(gates, message):
    with pytest.raises(ValueError, match=message):
        gates_failed(gates)


def test_what_the_shapes_suggest_is_said_where_the_check_fails():
    def forward(x, W, U, b):  # no cell that is known, with four stacked parts
        return np.tanh(x @ W + (W.sum(axis=0) + b) @ U.T @ U), (x, W, U, b)

    inputs = {
        "x": rng.standard_normal((2, 5, 3)),
        "W": rng.standard_normal((3, 28)),
        "U": np.eye(7, 28),
        "b": np.ones(28),
    }
    report = check(forward, lambda dy, cache: cache, inputs, elements=4, locate=True)
    notes = " ".join(report.notes)
    assert 'W, U and b may have an axis of 4H: gates={"W": ("i", "f", "g", "o"), "U": (' in notes
    assert 'If axis 1 of x counts steps, time_axis={"x": 1} says at which its gradient departs' in notes
    silent = check(
        forward, lambda dy, cache: cache, inputs, elements=4, locate=True, time_axis={"x": 1}, gates={"b": GATES}
    )
    assert "may have an axis" not in str(silent.notes)
    assert "counts steps" not in str(silent.notes)


# -- one step alone ----------------------------------------------------------------------------------------------------


def test_the_step_is_checked_alone_with_inputs_of_its_own():
    def wrong(dh, dc, cache):
        dx, dh, dc, dWx, dWh, db = c.step_backward(dh, dc, cache)
        return dx, dh, dc / cache[6], dWx, dWh, db  # c' gets δc without f

    report = le.gradcheck_function(
        c.forward_nt, c.backward_nt, CS231N.inputs(), layout=CS231N, step=(c.step_forward, wrong), elements=8
    )
    assert not report.ok
    assert failed(report) == set()
    assert failed(report.step) == {"prev_c"}
    assert list(report.step.arrays) == ["x", "prev_h", "prev_c", "Wx", "Wh", "b"]
    assert ("Wx", "f") in {(row.parameter, row.gate) for row in report.step.rows}
    assert "One step alone:" in str(report)
    assert report.to_json()["step"]["ok"] is False


def test_a_step_whose_inputs_are_not_told_by_name():
    with pytest.raises(ValueError, match=r"step takes q, which is no input of forward .*: give step_inputs="):
        check(step=(lambda x, q: (x, None), lambda dy, _: dy))
    with pytest.raises(
        TypeError, match=r"step must be the two functions of one step.* the step size of a\s+difference is h="
    ):
        check(step=1e-5)
    with pytest.raises(ValueError, match="like must be one of lstm, gru, rnn, got 'LSTM'"):
        check(like="LSTM")
