"""gradcheck_function on the functions that a student writes: right, subtly wrong, and unfit for the check."""

import re

import numpy as np
import pytest
import scipy.special

import lstm_engine as le
from lstm_engine.gradient_check.report import FAILED, NOT_EXERCISED, PASSED

T, B, D, H = 5, 2, 3, 4
# The complex step has no error of its own; both passes round some 100 times a number, which adds up like a random walk.
ROUNDING = 1e-14


def sigmoid(z):
    return 0.5 * (1 + np.tanh(z / 2))


def lstm_forward(x, W, U, b):
    """h (T, B, H) of all steps, and of the last step c (B, H)."""
    h, c, steps = np.zeros((B, H)), np.zeros((B, H)), []
    for x_t in x:
        z_i, z_f, z_g, z_o = np.split(x_t @ W + h @ U + b, 4, axis=-1)
        i, f, g, o = sigmoid(z_i), sigmoid(z_f), np.tanh(z_g), sigmoid(z_o)
        h_prev, c_prev = h, c
        c = f * c_prev + i * g
        h = o * np.tanh(c)
        steps.append((x_t, i, f, g, o, h_prev, c_prev, c, h))
    return (np.array([step[-1] for step in steps]), c), (steps, W, U)


class Slip:
    """Where a student's backward pass may go wrong by a term; as it stands it is right."""

    carried_c = staticmethod(lambda dc, f: dc * f)  # what a step hands back to the c before it
    forget = staticmethod(lambda dc, c_prev, c: dc * c_prev)
    candidate = staticmethod(lambda dc, i, g: dc * i * (1 - g**2))


def lstm_backward(d_outputs, cache, slip=Slip):
    (dh_all, dc_T), (steps, W, U) = d_outputs, cache
    dx, dW, dU, db = np.zeros((T, B, D)), np.zeros_like(W), np.zeros_like(U), np.zeros(4 * H)
    dh_next, dc_next = np.zeros((B, H)), dc_T
    for t in reversed(range(T)):
        x_t, i, f, g, o, h_prev, c_prev, c, _ = steps[t]
        dh = dh_all[t] + dh_next
        dc = dc_next + dh * o * (1 - np.tanh(c) ** 2)
        dz = np.concatenate(
            [
                dc * g * i * (1 - i),
                slip.forget(dc, c_prev, c) * f * (1 - f),
                slip.candidate(dc, i, g),
                dh * np.tanh(c) * o * (1 - o),
            ],
            axis=-1,
        )
        dx[t], dW, dU, db = dz @ W.T, dW + x_t.T @ dz, dU + h_prev.T @ dz, db + dz.sum(axis=0)
        dh_next, dc_next = dz @ U.T, slip.carried_c(dc, f)
    return dx, dW, dU, db


@pytest.fixture
def inputs():
    rng = np.random.default_rng(0)
    U = np.linalg.qr(rng.standard_normal((4 * H, H)))[0].T
    return {
        "x": rng.standard_normal((T, B, D)),
        "W": rng.standard_normal((D, 4 * H)) / np.sqrt(D),
        "U": U,
        "b": rng.standard_normal(4 * H),
    }


GATES = dict.fromkeys("WUb", ("i", "f", "g", "o"))


def check(inputs, slip=Slip, **options):
    options = {"gates": GATES, "time_axis": {"x": 0}, "locate": False} | options
    return le.gradcheck_function(lstm_forward, lambda d, cache: lstm_backward(d, cache, slip), inputs, **options)


def failed(report):
    return {(row.parameter, row.gate) for row in report.rows if row.verdict == FAILED}


def line(w, x):
    """y = wx; the smallest pair there is."""
    return w * x, (w, x)


def line_backward(dy, cache):
    w, x = cache
    return (dy * x).sum(), dy * w


# -- right and wrong ---------------------------------------------------------------------------------------------------


def test_a_students_right_lstm_passes_to_rounding(inputs):
    report = check(inputs, elements=None)
    assert report.ok
    assert report.max_rel_error < ROUNDING
    assert not report.notes
    assert [(row.parameter, row.gate) for row in report.rows] == [
        ("x", ""), *((name, gate) for name in "WUb" for gate in "ifgo"),
    ]  # fmt: skip


@pytest.mark.parametrize(("method", "h", "within"), [("central", 1e-5, 1e-7), ("richardson", 1e-2, 1e-9)])
def test_differences_serve_too(inputs, method, h, within):
    """ε^(2/3) and ε^(6/7) of a value of size 10, and gradients down to 1e-3 of it."""
    report = check(inputs, method=method, h=h)
    assert report.ok
    assert ROUNDING < report.max_rel_error < within


@pytest.mark.parametrize(("method", "h"), [("complex", 1e-20), ("central", 1e-5)])
def test_a_cell_state_that_skips_the_forget_gate_departs_one_step_before_the_last(inputs, method, h):
    class Wrong(Slip):
        carried_c = staticmethod(lambda dc, f: dc)

    report = check(inputs, Wrong, method=method, h=h, locate=True, elements=20)
    assert ("x", "") in failed(report)
    note = report.notes[-1]
    assert "right at step 4 and first departs at step 3." in note
    assert report.lead.quantity == "δc'"


def test_a_forget_gate_that_looks_at_its_own_step_departs_at_the_last(inputs):
    class Wrong(Slip):
        forget = staticmethod(lambda dc, c_prev, c: dc * c)

    report = check(inputs, Wrong, locate=True)
    assert failed(report) > {("W", "f"), ("b", "f")}
    assert "wrong at the last step, 4, already." in report.notes[0]
    assert report.lead.quantity == "δf"


def test_only_the_gate_that_is_wrong_fails_where_nothing_mixes_them(inputs):
    """With U = 0 no gate's mistake reaches another through h."""

    class Wrong(Slip):
        candidate = staticmethod(lambda dc, i, g: dc * i * (1 - g))

    inputs["U"] = 0 * inputs["U"]
    assert failed(check(inputs, Wrong)) == {("W", "g"), ("U", "g"), ("b", "g"), ("x", "")}


def test_a_step_in_the_middle_is_named_on_any_axis():
    def forward(x):  # y = x², batch-first: (B, T)
        return x * x, x

    def backward(dy, x):
        dx = 2 * x * dy
        dx[:, 2] *= 1.01
        return dx

    report = le.gradcheck_function(forward, backward, {"x": np.ones((3, 6))}, time_axis={"x": 1})
    assert "right at steps 5 to 3 and first departs at step 2" in report.notes[0]
    assert "right at steps 5 to 3 " in str(report)


def test_a_mistake_that_is_lost_in_every_step_is_not_put_down_to_one():
    """One of 12,000 gradients is twice too large, by 2.7: .19 of the norm of the 200 that are drawn, and at most .05
    of a direction through the 4,000 of its step, where it is not drawn again."""
    x = np.ones((3, 4000))
    drawn, _ = le.gradcheck_function(lambda x: (x, None), lambda dy, _: dy, {"x": x}).arrays["x"]
    wrong = np.unravel_index(np.nanargmax(np.abs(drawn)), x.shape)

    def backward(dy, _):
        dx = 1 * dy
        dx[wrong] *= 2
        return dx

    report = le.gradcheck_function(lambda x: (x, None), backward, {"x": x}, time_axis={"x": 0}, tol=0.1)
    assert failed(report) == {("x", "")}
    assert report.notes[-1] == "The gradient of x is off by too little at any one step to say where."


def test_every_output_counts():
    """A backward pass that forgets its second upstream gradient."""

    def forward(x):
        return (np.sin(x), x**3), x

    x = np.linspace(-1, 1, 4)
    right = le.gradcheck_function(forward, lambda d, x: d[0] * np.cos(x) + d[1] * 3 * x**2, [x])
    wrong = le.gradcheck_function(forward, lambda d, x: d[0] * np.cos(x), [x])
    assert right.ok
    assert failed(wrong) == {("x", "")}


def test_a_softmax_is_exercised_because_the_upstream_gradient_is_random():
    """Its outputs sum to 1, so the plain sum of outputs has a gradient of 0, and a backward of zeros would pass."""

    def forward(z):
        y = np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)
        return y, y

    def backward(dy, y):
        return y * (dy - (dy * y).sum(axis=-1, keepdims=True))

    z = np.random.default_rng(0).standard_normal((3, 4))
    assert le.gradcheck_function(forward, backward, [z]).ok
    assert failed(le.gradcheck_function(forward, lambda dy, y: 0 * y, [z])) == {("z", "")}


def test_a_gradient_that_is_zero_on_both_sides_is_not_exercised():
    report = le.gradcheck_function(line, line_backward, (0.5, np.zeros(3)))
    assert {row.parameter: row.verdict for row in report.rows} == {"w": NOT_EXERCISED, "x": PASSED}
    assert not report.ok


def test_nan_in_a_gradient_fails():
    report = le.gradcheck_function(line, lambda dy, cache: (np.nan, dy * cache[0]), (0.5, np.ones(3)))
    assert failed(report) == {("w", "")}


def test_an_activation_of_scipy_that_takes_complex_numbers():
    """erf has a derivative in closed form: 2/√π exp(-x²)."""
    x = np.linspace(-2, 2, 9)
    report = le.gradcheck_function(
        lambda x: (scipy.special.erf(x), x), lambda dy, x: dy * 2 / np.sqrt(np.pi) * np.exp(-(x**2)), {"x": x}
    )
    assert report.ok
    assert report.max_rel_error < ROUNDING


# -- how gradients and names may come ----------------------------------------------------------------------------------


def test_gradients_come_as_a_dict_too_and_inputs_without_names_get_forwards(inputs):
    def backward(d_outputs, cache):
        return dict(zip("bUWx", reversed(lstm_backward(d_outputs, cache)), strict=True))

    report = le.gradcheck_function(lstm_forward, backward, tuple(inputs.values()))
    assert report.ok
    assert {row.parameter for row in report.rows} == set(inputs)


def test_names_are_numbers_where_forward_has_none():
    report = le.gradcheck_function(lambda *a: line(*a), line_backward, [np.array(2.0), np.ones(3)])
    assert [row.parameter for row in report.rows] == ["x0", "x1"]


def test_forward_gets_inputs_in_their_own_shape():
    shapes = set()

    def forward(w, x):
        shapes.add((np.shape(w), np.shape(x)))
        return line(w, x)

    assert le.gradcheck_function(forward, line_backward, (2.0, np.ones(3))).ok
    assert shapes == {((), (3,))}


def test_labels_and_a_mask_are_not_differentiated_and_the_report_names_them():
    def forward(scores, labels, keep):
        p = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
        return -(keep * np.log(p[np.arange(len(labels)), labels])).sum(), (p, labels, keep)

    def backward(d_loss, cache):
        p, labels, keep = cache
        return d_loss * keep[:, None] * (p - np.eye(3)[labels]), None, None

    scores = np.random.default_rng(0).standard_normal((4, 3))
    report = le.gradcheck_function(forward, backward, (scores, np.array([0, 2, 1, 1]), np.array([1.0, 0, 1, 1])))
    assert report.ok
    assert report.notes == [
        "Not checked, as backward gives no gradient: labels (int64 of shape (4,)), keep (float64 of shape (4,))."
    ]
    assert [row.parameter for row in report.rows] == ["scores"]


def test_inputs_and_upstream_gradient_are_the_callers_own_afterwards():
    def backward(dy, cache):
        dy *= 2  # in place, and then undone
        return (dy * cache[1]).sum() / 2, dy * cache[0] / 2

    w, x = np.array(2.0), np.arange(3.0)
    report = le.gradcheck_function(line, backward, (w, x))
    assert report.ok
    np.testing.assert_array_equal(x, np.arange(3.0))


def test_the_same_seed_is_the_same_check(inputs):
    one, two, other = (check(inputs, elements=None, seed=seed) for seed in (0, 0, 1))
    assert str(one) == str(two)
    assert (one.arrays["b"][0] != other.arrays["b"][0]).all()  # another upstream gradient


def test_progress_counts_every_element():
    seen = []
    le.gradcheck_function(
        line, line_backward, (2.0, np.ones(3)), progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


# -- what makes a check lie is refused ---------------------------------------------------------------------------------


def refused(message, forward=line, backward=line_backward, inputs=None, error=ValueError, **options):
    inputs = (2.0, np.array([1.0, -2.0, 3.0])) if inputs is None else inputs
    with pytest.raises(error, match=message):
        le.gradcheck_function(forward, backward, inputs, **options)


@pytest.mark.parametrize(
    ("a", "message"),
    [
        (np.ones(3, np.float32), r"x is float32 of shape \(3,\).* give x.astype\(np.float64\)"),
        (np.ones(3, np.float16), "x is float16"),
        (np.ones(3, complex), "x is complex: .* real function"),
        (np.ones((0, 3)), r"x is empty, of shape \(0, 3\)"),
    ],
)
def test_inputs_that_are_not_float64_or_empty(a, message):
    refused(message, inputs=(2.0, a))


def test_a_forward_that_changes_its_input():
    def forward(w, x):
        x -= x.mean()
        return line(w, x)

    refused(r"forward changes its input x in place, as x \+= \.\.\. does", forward)


def test_a_forward_that_draws_random_numbers():
    rng = np.random.default_rng(0)

    def forward(w, x):
        return line(w, x * (rng.random(x.shape) < 0.5))

    refused(r"other outputs when called again .* dropout\s+mask an input", forward)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_outputs_that_are_no_numbers(bad):
    refused(rf"the output is {bad} at \(1,\)", lambda w, x: (np.array([1.0, bad, 2.0]), (w, x)))


def in_real_zeros(w, x):
    y = np.zeros(3)
    y[:] = w * x
    return y, (w, x)


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (in_real_zeros, r"ComplexWarning: .*, y\[:\] = w \* x\): use method=.*dtype=x.dtype"),
        (lambda w, x: (scipy.special.expit(w * x), (w, x)), r"TypeError: .*scipy.special.expit"),
        (lambda w, x: (np.abs(w * x), (w, x)), "forward gives real outputs for complex inputs: use method="),
        (
            lambda w, x: (w * x.real, (w, x)),
            "forward is not analytic in x: .* complex step says 0, a central difference",
        ),
        (lambda w, x: (np.conj(w) * x, (w, x)), "forward is not analytic in w"),
        (lambda w, x: (x * np.abs(w * x), (w, x)), "forward is not analytic in w"),
    ],
)
def test_a_forward_that_complex_numbers_do_not_pass(forward, message):
    refused(message, forward, method="complex")


def expit_forward(x):
    y = scipy.special.expit(x)
    return y, y


def filled(x):
    y = np.zeros(x.shape)
    y[...] = np.tanh(x)
    return y, y


@pytest.mark.parametrize(
    ("forward", "backward", "why"),
    [
        (
            expit_forward,
            lambda dy, y: dy * y * (1 - y),
            r"forward calls what takes no complex numbers \(line \d+, y = scipy.special.expit",
        ),
        (
            filled,
            lambda dy, y: dy * (1 - y**2),
            r"forward fills an array of real numbers, which dtype=x.dtype in np.zeros helps \(line \d+, y\[...\] = np.tanh",
        ),
        (lambda x: (np.abs(x), x), lambda dy, x: dy * np.sign(x), "forward drops the imaginary part"),
    ],
)
def test_what_complex_numbers_do_not_pass_is_checked_by_richardsons_differences_and_the_verdict_says_why(
    forward, backward, why
):
    report = le.gradcheck_function(forward, backward, [np.linspace(-2, 2.1, 5)])
    assert report.ok
    assert report.method == "richardson"
    assert re.search(f"of the Richardson extrapolation .* Not of the complex step: {why}", report.verdict())
    assert report.max_rel_error < 1e-9  # ε^(6/7) of a value of size 1, over derivatives of 0.1 and more


def test_differences_can_be_asked_for():
    report = le.gradcheck_function(
        expit_forward, lambda dy, y: dy * y * (1 - y), [np.linspace(-2, 2, 5)], method="central"
    )
    assert report.ok
    assert report.max_rel_error < 1e-7  # ε^(2/3) of a value of size 1, over derivatives of 0.1 and more


# -- what is not the contract is explained -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backward", "message"),
    [
        (lambda dy, c: dy * c[0], "returns 1 gradient for 2 inputs: one is expected for each of w, x, in this order"),
        (lambda dy, c: (1.0, dy, dy), "returns 3 gradients for 2 inputs"),
        (lambda dy, c: (dy * c[1], dy * c[0]), r"w has shape \(3,\), but w has \(\): w was broadcast, so sum over"),
        (lambda dy, c: ((dy * c[1]).sum(), dy[:1]), r"x has shape \(1,\), but x has \(3,\)$"),
        (lambda dy, c: {"w": 1.0, "dy": dy}, "gradients by the names dy; inputs are w, x"),
        (lambda dy, c: {"x": dy}, "no gradient for w: give None where there is none"),
        (lambda dy, c: (None, None), "None for every input"),
    ],
)
def test_gradients_of_the_wrong_number_or_shape(backward, message):
    refused(message, backward=backward)


def test_gradients_of_the_wrong_type():
    right = line_backward
    refused(
        r"gradient of x is float32 of shape \(3,\): let backward compute in float64",
        backward=lambda dy, c: (right(dy, c)[0], right(dy, c)[1].astype(np.float32)), error=TypeError,
    )  # fmt: skip
    refused(
        r"x is int64 of shape \(3,\) and has no gradient: give a float64 array, or None", inputs=(2.0, np.arange(3)),
        error=TypeError,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda w, x: w * x, r"must return \(outputs, cache\).* got float64 of shape \(3,\)"),
        (lambda w, x: (w,), "got a tuple of 1"),
        (lambda w, x: ((w * x, "logits"), None), r"output 1 is <U6 of shape \(\)\. forward"),
        (lambda w, x: ((w * x).astype(np.float32), None), r"the output is float32 of shape \(3,\)\. forward"),
        (lambda w, x: (w * x + 0j, None), "the output is complex128"),
        (lambda w, x: ((), None), "got no outputs"),
    ],
)
def test_what_forward_must_return(forward, message):
    refused(message, forward, error=TypeError)


def test_inputs_that_are_one_array_or_in_another_order():
    refused("inputs must be a dict by name, .* got float64 of shape", inputs=np.ones(3), error=TypeError)
    refused("forward takes w, x, in this order, but inputs come as x, w", inputs={"x": np.ones(3), "w": 2.0})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gates": {"V": "ab"}}, "gates and time_axis name V; inputs with a gradient are w, x"),
        ({"gates": {"x": "ab"}}, r"x has shape \(3,\): no axis of it divides into 2 equal gates"),
        ({"time_axis": {"x": 1}}, r"x has shape \(3,\): there is no axis 1"),
        ({"time_axis": {"w": 0}}, "fewer than 3 steps on axis 0"),
        ({"method": "forward"}, "method must be one of"),
    ],
)
def test_options_that_do_not_fit(options, message):
    refused(message, **options)


@pytest.mark.parametrize(("scale", "noted"), [(1.0, False), (1e-6, True)])
def test_inputs_too_small_to_see_a_derivative_are_noted(scale, noted):
    """tanh x is x to 1e-12 at 1e-6, and a forgotten 1 - y² passes."""
    x = scale * np.random.default_rng(0).standard_normal((4, 3))
    report = le.gradcheck_function(lambda x: (np.tanh(x), None), lambda dy, _: dy, {"x": x})
    assert report.ok == noted
    assert any("linear to 1 in a million" in note for note in report.notes) == noted
