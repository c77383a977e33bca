"""Wrong terms put into the backward functions: does the report say where, and show the line that was broken?

The steps are 0 to T - 1 as the layer runs. What is wrong at every step departs at the last one that has it: a gate at T - 1,
what a step sends back at T - 2. What is wrong at step 2 alone departs there, or at step 1, to which it is sent back.
"""

import importlib
import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine import backend
from lstm_engine.gradient_check import unit_scale
from lstm_engine.gradient_check.departure import find, line_of
from lstm_engine.gradient_check.numeric import METHODS
from lstm_engine.gradient_check.subject import prepare
from lstm_engine.gradient_check.terms import TERMS

N, T, D, H = 3, 6, 2, 3
LAST = T - 1
MASK = np.ones((N, T), bool)
MASK[0, 4:] = MASK[1, 2] = False  # one sequence is shorter, one has a hole
TOLERANCE = METHODS["complex"].tolerance

# (what the backward has, what the mutant has), the quantity that departs, and the step it belongs to: "t" its own, "t - 1"
# the one that it is sent back to, None after the loop.
ABOVE = ("dh_next + dh[t]", "dh_next + 2.0 * dh[t]", "h", "t")
SUMS = [
    ("sum_over_steps(tape.x, dz)", "sum_over_steps(tape.x[::-1], dz)", "kernel", None),
    ("dz @ tape.W.T", "-dz @ tape.W.T", "x", None),
    ("h0=dh_next", "h0=dh_total[0]", "h0", None),
]
H_PREV = ("recurrent_kernel_gradient(tape.h_states[:-1]", "recurrent_kernel_gradient(tape.h_states[1:]")
MUTANTS = {
    "lstm": [
        ABOVE,
        ("dtanh(tape.tanh_c[t], dh_total[t] * o)", "dtanh(tape.c_states[t + 1], dh_total[t] * o)", "c", "t"),
        ("dc[t] * g", "dc[t] * o", "gate i", "t"),
        ("dc[t] * tape.c_states[t]", "dc[t] * tape.c_states[t + 1]", "gate f", "t"),
        ("dc[t] * i", "dc[t]", "gate g", "t"),
        ("dh_total[t] * tape.tanh_c[t]", "dh_total[t] * tape.c_states[t + 1]", "gate o", "t"),
        (
            "recurrent_product_backward(dz[t], tape.U, tape.recurrent_dropout)",
            "dz[t, :, 3 * i.shape[-1] :] @ tape.U[:, 3 * i.shape[-1] :].T",  # through the output gate alone
            "h",
            "t - 1",
        ),
        ("dc[t] * f", "dc[t]", "c", "t - 1"),
        *SUMS,
        (*H_PREV, "recurrent_kernel", None),
        ("dz.sum(axis=(0, 1))", "dz.mean(axis=(0, 1))", "bias", None),
        ("c0=dc_next", "c0=dc[0]", "c0", None),
    ],
    "gru": [
        ABOVE,
        ("dσ(z, dh_total[t] * (h_prev - candidate))", "dσ(z, dh_total[t] * h_prev)", "gate z", "t"),
        ("dσ(r, ds * tape.inner[t])", "dσ(r, ds * h_prev)", "gate r", "t"),
        ("dh_total[t] * (1.0 - z)", "dh_total[t] * z", "gate candidate", "t"),
        (
            "recurrent_product_backward(drecurrent[t], tape.U, rho)",
            "recurrent_product_backward(dz[t], tape.U, rho)",  # the reset forgotten on the way back
            "h",
            "t - 1",
        ),
        *SUMS,
        (
            "recurrent_kernel_gradient(h_prev, drecurrent, rho)",
            "recurrent_kernel_gradient(h_prev, dz, rho)",
            "recurrent_kernel",
            None,
        ),
        (
            "np.stack([dz.sum((0, 1)), drecurrent.sum((0, 1))])",
            "np.stack([dz.sum((0, 1)), dz.sum((0, 1))])",
            "bias",
            None,
        ),
    ],
    "gru before": [
        ("dσ(r, ds * tape.inner[t])", "dσ(r, ds)", "gate r", "t"),
        ("+ ds * r +", "+ ds +", "h", "t - 1"),
        (
            "recurrent_kernel_gradient(tape.r * h_prev, dz[..., H2:], rho_h)",
            "recurrent_kernel_gradient(h_prev, dz[..., H2:], rho_h)",
            "recurrent_kernel",
            None,
        ),
        ("dz.sum(axis=(0, 1))", "dz.mean(axis=(0, 1))", "bias", None),
    ],
    "simple_rnn": [
        ABOVE,
        (
            "ACTIVATIONS[tape.activation].backward(tape.h[t], dh_total[t])",
            "ACTIVATIONS[tape.activation].backward(tape.h_states[t], dh_total[t])",
            "gate h",
            "t",
        ),
        (
            "recurrent_product_backward(dz[t], tape.U, tape.recurrent_dropout)",
            "recurrent_product_backward(dh_total[t], tape.U, tape.recurrent_dropout)",
            "h",
            "t - 1",
        ),
        *SUMS,
        (*H_PREV, "recurrent_kernel", None),
        ("dz.sum(axis=(0, 1))", "dz.mean(axis=(0, 1))", "bias", None),
    ],
}
EVERYWHERE = [(cell, *mutant) for cell, mutants in MUTANTS.items() for mutant in mutants]
IN_THE_LOOP = [case for case in EVERYWHERE if case[-1] and "+ ds" not in case[1]]  # the one that is no expression
MASKED = [
    ("lstm", "asleep * dh_total[t]", "0.0 * dh_total[t]", "h", 1),
    ("lstm", "asleep * dc[t]", "0.0 * dc[t]", "c", 1),
    ("gru", "dh_next = np.where(tape.mask[t][:, None], dh_next, dh_total[t])", "pass", "h", 1),
    ("gru", "dz[t, ~tape.mask[t]] = drecurrent[t, ~tape.mask[t]] = 0.0", "pass", "gate candidate", 2),
    ("gru before", "dz[t, ~tape.mask[t]] = drecurrent[t, ~tape.mask[t]] = 0.0", "pass", "gate candidate", 2),
    ("simple_rnn", "dh_next = dh_next + ~tape.mask[t][:, None] * dh_total[t]", "pass", "h", 1),
    ("simple_rnn", "dz[t, ~tape.mask[t]] = 0.0", "pass", "gate h", 2),
]
LAYERS = {
    "lstm": le.LSTM,
    "gru": le.GRU,
    "gru before": lambda units, **options: le.GRU(units, reset_after=False, **options),
    "simple_rnn": le.SimpleRNN,
}


@pytest.fixture
def mutate(monkeypatch):
    """Puts a cell's backward in its place with one expression replaced; `into` "kernels" puts it in the kernels' place."""

    def replace(cell, right, wrong, into="cells"):
        module = importlib.import_module(f"lstm_engine.cells.{cell}")
        name = f"{cell}_backward"
        source = inspect.getsource(getattr(module, name))
        assert source.count(right) == 1
        names = dict(vars(module))
        exec(source.replace(right, wrong), names)
        if into == "cells":
            layer = next(layer for layer in (le.LSTM, le.GRU, le.SimpleRNN) if layer.cell == cell)
            monkeypatch.setattr(layer, "pair", layer.pair._replace(backward=names[name]))
            return
        kernels = importlib.import_module(f"lstm_engine.{into}.{cell}")
        monkeypatch.setattr(kernels, "COMPILED", kernels.COMPILED._replace(backward=names[name]))
        backend.compiled.cache_clear()

    yield replace
    monkeypatch.undo()
    backend.compiled.cache_clear()


def model(*layers, loss="mse", dtype="float64", backend="numpy"):
    net = le.Sequential([le.Input((T, D)), *layers], seed=0, dtype=dtype, backend=backend)
    net.compile("sgd", loss)
    return unit_scale(net)


def departure(net, dropout=None, mask=None, tolerance=TOLERANCE, dtype=None):
    rng = np.random.default_rng(2)
    x = rng.standard_normal((N, T, D))
    y = rng.random((N, *net.layers[-1].output_shape(net.layers[-1].input_shape)))
    return find(prepare(net, x, y, mask=mask, dropout=dropout, dtype=dtype), tolerance)


def sequences(cell):
    return model(LAYERS[cell](H, return_sequences=True), le.Dense(2))


# -- one wrong term in a cell ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cell", "right", "wrong", "quantity", "of"), EVERYWHERE)
def test_a_wrong_term_is_found_and_its_line_shown(mutate, cell, right, wrong, quantity, of):
    mutate(cell.split()[0], right, wrong)
    place = departure(sequences(cell))
    assert (place.layer, place.quantity) == (cell.split()[0], quantity)
    assert place.step == {"t": LAST, "t - 1": LAST - 1, None: None}[of]
    assert right in place.code


@pytest.mark.parametrize(("cell", "right", "wrong", "quantity", "of"), IN_THE_LOOP)
def test_a_term_that_is_wrong_at_one_step_is_found_at_that_step(mutate, cell, right, wrong, quantity, of):
    mutate(cell.split()[0], right, f"({right} if t != 2 else {wrong})")
    place = departure(sequences(cell))
    assert (place.quantity, place.step) == (quantity, {"t": 2, "t - 1": 1}[of])
    assert right in place.code


@pytest.mark.parametrize(("cell", "right", "wrong", "quantity", "step"), MASKED)
def test_what_masked_steps_alone_do_wrong_is_called_so(mutate, cell, right, wrong, quantity, step):
    """Step 2 of the sequence with a hole: its gates, or the states that it hands back to step 1."""
    mutate(cell.split()[0], right, wrong)
    assert departure(sequences(cell)) is None  # nothing is masked
    place = departure(sequences(cell), mask=MASK)
    assert (place.quantity, place.step) == (quantity, step)
    assert "masked step" in place.term
    assert right in place.code


def test_the_end_of_padded_sequences_is_not_blamed_on_the_mask(mutate):
    """No sequence has the last two steps, so what step 3 adds itself departs where the step after is masked in every row."""
    mutate("lstm", "dtanh(tape.tanh_c[t], dh_total[t] * o)", "dtanh(tape.tanh_c[t], dh_total[t] * i)")
    place = departure(model(le.LSTM(H), le.Dense(1)), mask=np.tile(np.arange(T) < 4, (N, 1)))
    assert (place.quantity, place.step) == ("c", 3)
    assert "h's part of δc" in place.term


def test_a_gate_without_its_slope_departs_at_that_gate(mutate):
    mutate("lstm", "dσ(f, df)", "df")
    place = departure(sequences("lstm"))
    assert (place.quantity, place.step) == ("gate f", LAST)
    assert "f(1 - f)" in place.term


def test_a_gradient_from_above_that_is_lost_departs_at_the_last_step(mutate):
    mutate("gru", "else dh_T", "else np.zeros_like(dh_T)")
    place = departure(model(le.GRU(H), le.Dense(1)))
    assert (place.quantity, place.step) == ("h", LAST)
    assert "dh_T on the last" in place.term


# -- which layer -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("units", "layer"), [("3", "lstm"), ("4", "lstm_1"), ("3, 4", "lstm_1")])
def test_of_stacked_layers_the_wrong_one_nearest_to_the_loss_is_named(mutate, units, layer):
    mutate("lstm", "dc[t] * f", f"dc[t] * (i if i.shape[-1] in ({units},) else f)")
    place = departure(model(le.LSTM(3, return_sequences=True), le.LSTM(4), le.Dense(1)))
    assert (place.layer, place.quantity, place.step) == (layer, "c", LAST - 1)


@pytest.mark.parametrize(("units", "half"), [("3", "forward_lstm"), ("4", "backward_lstm"), ("3, 4", "forward_lstm")])
def test_of_two_directions_the_wrong_one_is_named_and_steps_count_as_it_runs(mutate, units, half):
    mutate(
        "lstm",
        "dc[t] * tape.c_states[t]",
        f"dc[t] * (1.0 if t == 2 and i.shape[-1] in ({units},) else tape.c_states[t])",
    )
    both = le.Bidirectional(
        le.LSTM(3, return_sequences=True), backward_layer=le.LSTM(4, return_sequences=True, go_backwards=True)
    )
    place = departure(model(both, le.Dense(1)), mask=MASK)
    assert (place.layer, place.quantity, place.step) == (f"bidirectional/{half}", "gate f", 2)


def test_held_dropout_masks_hide_nothing(mutate):
    layers = [le.LSTM(H, return_sequences=True, dropout=0.3, recurrent_dropout=0.3), le.Dropout(0.3), le.GRU(H)]
    assert departure(model(*layers, le.Dense(1)), dropout="frozen") is None
    mutate("lstm", "dc[t] * f", "dc[t]")
    place = departure(model(*layers, le.Dense(1)), dropout="frozen")
    assert (place.layer, place.quantity, place.step) == ("lstm", "c", LAST - 1)


def test_the_compiled_kernels_are_named_where_they_run(mutate):
    net = model(le.LSTM(H, return_sequences=True), le.Dense(2), backend="numba", dtype="float32")
    assert departure(net, dtype="float32", tolerance=1e-3) is None
    mutate("lstm", "dc[t] * g", "dc[t] * o", into="kernels")
    for dtype, tolerance in (("float32", 1e-3), ("float64", TOLERANCE)):
        place = departure(net, dtype=dtype, tolerance=tolerance)
        assert (place.quantity, place.step) == ("gate i", LAST)
        assert place.where.endswith("or rather its compiled twin in lstm_engine/kernels/lstm.py")
    assert "kernels" not in departure(net.twin("float64", "numpy"), tolerance=0.0).where
    assert departure(net.twin("float64", "numpy")) is None


# -- around the cells --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["kernel", "bias", "x"])
def test_a_dense_layer_is_named_with_what_is_wrong_in_it(monkeypatch, wrong):
    right = le.Dense.backward

    def backward(self, tape, dy, dstates=None, want_dx=True):
        dx, _, grads = right(self, tape, dy)
        return (2.0 * dx, [], grads) if wrong == "x" else (dx, [], grads | {wrong: 2.0 * grads[wrong]})

    monkeypatch.setattr(le.Dense, "backward", backward)
    place = departure(sequences("lstm"))
    assert (place.layer, place.step, place.quantity) == ("dense", None, wrong)
    assert re.fullmatch(r"Dense.backward, \S+.py:\d+", place.where)


def test_a_layer_without_weights_is_named(monkeypatch):
    monkeypatch.setattr(le.Dropout, "backward", lambda self, tape, dy, *_, **__: (dy, [], {}))
    place = departure(model(le.LSTM(H), le.Dropout(0.5), le.Dense(1)), dropout="frozen")
    assert (place.layer, place.quantity) == ("dropout", "x")
    assert re.fullmatch(r"Dropout.backward, \S+.py:\d+", place.where)
    assert place.term == "its backward: δx from δy"


@pytest.mark.parametrize("loss", ["mse", "binary_crossentropy"])
def test_a_wrong_gradient_of_the_loss_comes_before_all_layers(mutate, monkeypatch, loss):
    mutate("lstm", "dc[t] * f", "dc[t]")
    net = model(le.LSTM(H), le.Dense(1, activation="sigmoid"), loss=loss)
    right = net.loss.gradient
    monkeypatch.setattr(type(net.loss), "gradient", lambda self, y, p: -right(y, p))
    place = departure(net)
    assert (place.layer, place.step) == ("the loss", None)
    assert net.loss.name in place.term


def test_a_right_cell_in_a_wrong_wrapper_is_not_blamed(monkeypatch):
    monkeypatch.setattr(le.Bidirectional, "merge_backward", lambda self, dy, y, y_r: (dy, -dy))
    place = departure(model(le.Bidirectional(le.LSTM(H), merge_mode="sum"), le.Dense(1)))
    assert (place.layer, place.step) == ("bidirectional", None)
    assert "backward_lstm/kernel" in place.quantity
    assert "forward_lstm/kernel" not in place.quantity
    assert "the cell's pair is right" in place.term


def test_a_wrong_penalty_is_found_around_the_cell(monkeypatch):
    from lstm_engine.regularizers import L1L2

    net = model(le.LSTM(H, recurrent_regularizer=L1L2(l2=0.1)), le.Dense(1))
    assert departure(net) is None
    monkeypatch.setattr(L1L2, "gradient", lambda self, w: self.l2 * w)
    place = departure(net)
    assert (place.layer, place.quantity) == ("lstm", "recurrent_kernel")
    assert "penalties" in place.term


# -- nothing wrong, and what is shown ----------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "masked"])
@pytest.mark.parametrize("cell", LAYERS)
def test_right_gradients_depart_nowhere(cell, mask):
    both = le.Bidirectional(LAYERS[cell](H, return_sequences=True), merge_mode="mul")
    last = LAYERS[cell](H, go_backwards=True, recurrent_dropout=0.2)
    assert departure(sequences(cell), mask=mask) is None
    assert departure(model(both, last, le.Dense(1)), mask=mask, dropout="frozen") is None


def test_kept_states_are_where_the_search_begins(mutate):
    net = model(le.LSTM(H, stateful=True), le.Dense(1))
    net.predict(np.random.default_rng(0).standard_normal((N, T, D)), batch_size=N, verbose=0)
    kept = [s.copy() for s in net.layers[0].states]
    assert departure(net) is None
    mutate("lstm", "dc[t] * tape.c_states[t]", "dc[t] * (tape.c_states[t] if t else 0.0)")  # as if c0 were zeros
    place = departure(net)
    assert (place.quantity, place.step) == ("gate f", 0)
    np.testing.assert_array_equal(net.layers[0].states[1], kept[1])


@pytest.mark.parametrize("cell", TERMS)
def test_every_term_s_code_stands_once_in_its_file(cell):
    file = f"cells/{cell.split()[0]}.py"
    for place, (term, code) in TERMS[cell].items():
        line, where = line_of(file, code)
        path, n = where.rsplit(":", 1)
        assert code in line, place
        assert line == (Path(le.__file__).parent.parent / path).read_text().splitlines()[int(n) - 1].strip(), place
        assert term


def test_a_departure_reads_as_a_sentence_an_equation_and_a_line(mutate):
    mutate("lstm", "dc[t] * f", "dc[t]")
    lines = str(departure(sequences("lstm"))).splitlines()
    assert lines[0].startswith("First departs in lstm, step 4 (from 0, as the layer runs), c: off by ")
    assert lines[1:3] == ["  Look at δc' = δc∘f, sent back by the step after", "  dc_next = dc[t] * f"]
    assert lines[3].startswith("  in lstm_engine/cells/lstm.py:")
