"""Adapters: right functions in many conventions pass, as they are and in the standard form, and equal the engine's cells."""

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.cells.lstm import lstm_backward, lstm_forward
from lstm_engine.gradient_check import adapters
from lstm_engine.gradient_check.adapters import COURSERA, COURSERA_STEP, CS231N, CS231N_STEP, TORCH, Layout, per_gate

from . import conventions as c

COLUMNS = Layout({"xs": "x", "Wxh": "W", "Whh": "U", "bh": "b", "hprev": "h0"}, x="tdb", steps="list", weights="hd",
                 bias="h1", gates="h", cell="rnn")  # fmt: skip
RIGHT = {
    "CS231n": (CS231N, c.forward_nt, c.backward_nt),
    "CS231n, a step": (CS231N_STEP, c.step_forward, c.step_backward),
    "Coursera": (COURSERA, c.forward_columns, c.backward_columns),
    "Coursera, a step": (COURSERA_STEP, c.cell_forward, c.cell_backward),
    "PyTorch": (Layout(TORCH.arguments, weights="hd", returns=("h", "hT", "cT")), c.forward_torch, c.backward_torch),
    "lists of columns": (COLUMNS, c.rnn_forward, c.rnn_backward),
}


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("seed", range(2))
def test_nobody_who_is_right_is_accused(name, seed):
    """As it is, with its layout named, and in the standard form: 36 right passes."""
    layout, forward, backward = RIGHT[name]
    inputs = layout.inputs(batch=2 + seed, seed=seed)
    bare = le.gradcheck_function(forward, backward, inputs, elements=2)
    named = le.gradcheck_function(forward, backward, inputs, layout=layout, elements=2)
    standard = le.gradcheck_function(
        *layout.adapt(forward, backward), layout.standard_inputs(batch=2 + seed, seed=seed), elements=2
    )
    for report in (bare, named, standard):
        assert report.ok, report
        assert all("Not checked" in note or "were left out" in note for note in report.notes), report.notes


@pytest.mark.parametrize("name", ["CS231n", "Coursera", "PyTorch"])
def test_the_standard_form_is_the_engines_lstm(name):
    layout, forward, backward = RIGHT[name]
    arrays = layout.standard_inputs()
    outputs, cache = layout.adapt(forward, backward)[0](*arrays.values())
    c0 = arrays.get("c0", np.zeros((2, 4)))
    tape = lstm_forward(arrays["x"], arrays["W"], arrays["U"], arrays["b"], arrays["h0"], c0)
    h = outputs[0] if isinstance(outputs, tuple) else outputs
    np.testing.assert_allclose(h, tape.h_states[1:], rtol=0, atol=1e-14)
    dh = np.random.default_rng(1).standard_normal(h.shape)
    right = lstm_backward(tape, dh)
    upstream = (dh, *(np.zeros((2, 4)) for _ in outputs[1:])) if isinstance(outputs, tuple) else dh
    gradients = layout.adapt(forward, backward)[1](upstream, cache)
    for array, gradient in zip(layout.standard_names, gradients, strict=True):
        np.testing.assert_allclose(gradient, getattr(right, array), rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    "layout",
    [
        Layout({"x": "x", "W": "bWU", "h": "h0"}, x="btd", gates="ofig"),
        Layout(
            {"x": "x", "p": per_gate("WU", "Wi Wf Wg Wo") | per_gate("b", "bi bf bg bo")},
            x="tdb",
            weights="hd",
            bias="h1",
        ),
        Layout({"x": "x", "W": "W", "U": "U", "b1": "b", "b2": "b", "c": "c0"}, x="td", bias="1h", steps="dict"),
    ],
)
def test_what_is_laid_out_and_taken_back_is_what_it_was(layout):
    arrays = layout.standard_inputs()
    theirs = adapters.contract.named(layout.laid_out(arrays), lambda *_: None)
    gradients = {name: layout.laid_out(arrays)[name] if role == "x" else theirs.values[name]
                 for name, role in layout.roles.items()}  # fmt: skip
    back = layout.standard_gradients(gradients)
    copies = sum(role == "b" for role in layout.roles.values())
    for name, a in zip(layout.standard_names, back, strict=True):
        np.testing.assert_array_equal(a * (copies if name == "b" and copies else 1), arrays[name])


def test_the_shapes_are_the_callers():
    shapes = {name: np.shape(a) for name, a in COURSERA.inputs(units=5)["parameters"].items()}
    assert shapes == dict.fromkeys(("Wf", "Wi", "Wc", "Wo"), (5, 8)) | dict.fromkeys(("bf", "bi", "bc", "bo"), (5, 1)) | {
        "Wy": (2, 5), "by": (2, 1),
    }  # fmt: skip
    assert COURSERA.inputs()["x"].shape == (3, 2, 5)
    assert CS231N.gate_rows["Wx"] == (("i", "f", "o", "g"), -1)
    assert TORCH.gate_rows["weight_ih"] == (("i", "f", "g", "o"), 0)
    assert CS231N.time_axis == {"x": 1}


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ({"x": "y"}, {}, "x: 'y' is no part of a lstm"),
        ({"x": "x"}, {"x": "tb"}, 'an order of the axes t, b and d, as "btd", got'),
        ({"x": "x"}, {"gates": "ifg"}, "a lstm's gates are ifgo, got gates='ifg'"),
        ({"x": "x"}, {"weights": "columns"}, "weights must be one of dh, hd, got 'columns'"),
    ],
)
def test_a_layout_that_is_none(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        Layout(arguments, **options)


# -- functions that differ in more -------------------------------------------------------------------------------------


def test_lists_by_step_become_arrays():
    forward, backward, inputs = adapters.by_step(c.rnn_forward, c.rnn_backward, COLUMNS.inputs())
    assert inputs["xs"].shape == (5, 3, 2)
    report = le.gradcheck_function(forward, backward, inputs)
    assert report.ok
    assert [row.parameter for row in report.rows] == ["xs", "Wxh", "Whh", "bh", "hprev"]


def test_an_object_that_keeps_its_cache_and_adds_up_its_gradients():
    network, x = c.Network(), np.random.default_rng(0).standard_normal((4, 2, 3))
    network.forward(x)
    network.backward(np.ones((4, 2, 4)))  # gradients of another pass, which must not count
    before = network.grads["W"].copy()
    places = {f"params.{name}": f"grads.{name}" for name in "WUb"}
    report = le.gradcheck_function(*adapters.stateful(network, {"x": x}, places))
    assert report.ok is False  # what lies in .grads is added to
    network.grads = {name: 0 * g for name, g in network.grads.items()}
    report = le.gradcheck_function(*adapters.stateful(network, {"x": x}, places))
    assert report.ok, report
    assert [row.parameter for row in report.rows] == ["x", "W", "U", "b"]
    assert not report.notes
    np.testing.assert_array_equal(network.grads["W"], 0 * before)


def test_a_wrong_object_fails():
    class Wrong(c.Network):
        def backward(self, dh):
            dx = super().backward(dh)
            self.grads["b"] *= 0.5
            return dx

    places = {f"params.{name}": f"grads.{name}" for name in "WUb"}
    report = le.gradcheck_function(*adapters.stateful(Wrong(), {"x": np.ones((4, 2, 3))}, places))
    assert [row.parameter for row in report.rows if row.verdict == "failed"] == ["b"]


DATA = {"inputs": [0, 2, 1, 1], "targets": [2, 1, 1, 0], "hprev": np.full((4, 1), 0.3)}


def test_loss_and_gradients_with_parameters_in_an_object():
    class Model:
        params = c.letters()

        def loss(self, inputs, targets, hprev):
            loss, gradients, _ = c.loss_of_letters(self.params, inputs, targets, hprev)
            return loss, {f"d{name}": g for name, g in gradients.items()}

    places = [f"params.{name}" for name in Model.params]
    report = le.gradcheck_function(*adapters.loss_and_grads(Model().loss, DATA, places))
    assert report.ok, report
    assert {row.parameter for row in report.rows} == set(Model.params)
    assert any("Not checked" in note and "hprev" in note for note in report.notes)


def test_loss_and_gradients_with_global_parameters_one_by_one_and_a_state_behind_them():
    variables = c.letters()
    before = dict(variables)

    def lossFun(inputs, targets, hprev):
        loss, d, last = c.loss_of_letters({name: variables[name] for name in before}, inputs, targets, hprev)
        return loss, *d.values(), last

    report = le.gradcheck_function(*adapters.loss_and_grads(lossFun, DATA, list(before), of=variables))
    assert report.ok, report
    assert all(variables[name] is before[name] for name in before)


def test_loss_and_gradients_of_the_inputs():
    report = le.gradcheck_function(*adapters.loss_and_grads(lambda x: ((x**3).sum(), 3 * x**2), {"x": np.ones(3)}))
    assert report.ok
    wrong = le.gradcheck_function(*adapters.loss_and_grads(lambda x: ((x**3).sum(), 2 * x**2), {"x": np.ones(3)}))
    assert wrong.failed


def test_parameters_need_a_place():
    with pytest.raises(ValueError, match=r"of= is missing: the object, or for global variables globals\(\)"):
        adapters.loss_and_grads(lambda x: (x, x), {"x": 1.0}, ["W"])
