"""The nine cells: every gradient by the complex step, every forward pass by another implementation or by the LSTM's."""

import os
import subprocess
import sys

import numpy as np
import pytest

import lstm_engine as le
from experiments.study.variants.cells import CELLS
from experiments.study.variants.through_time import Tape, backward, forward
from lstm_engine.cells.lstm import lstm_backward, lstm_forward

T, B, D, H = 7, 3, 2, 4
COMPILED_APART = 1e-12  # the same operations, but σ and tanh by exp: some roundings of 1e-16, through 7 steps


@pytest.fixture
def drawn():
    """Weights of a cell at unit scale, x, h0, c0, and a mask that leaves steps out in the middle and at the end."""

    def draw(name):
        cell, rng = CELLS[name], np.random.default_rng(0)
        n, k = len(cell.parts), len(cell.peepholes)
        w = {
            "W": rng.standard_normal((D, n * H)) / np.sqrt(D),
            "U": np.linalg.qr(rng.standard_normal((n * H, H)))[0].T.copy(),
            "b": rng.standard_normal(n * H),
            "p": rng.standard_normal(k * H),
        }
        if name == "FGR":
            w["R"] = np.linalg.qr(rng.standard_normal((3 * H, 3 * H)))[0]
        mask = rng.random((T, B)) > 0.3
        mask[-1, 0] = False
        return w, rng.standard_normal((T, B, D)), *rng.standard_normal((2, B, H)), mask

    return draw


def run(name, w, x, h0, c0, mask=None):
    return forward(CELLS[name], w, x, h0, c0, mask)


# -- backward ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_every_gradient_is_the_complex_step_s(drawn, name, masked):
    w, x, h0, c0, mask = drawn(name)
    learnt = [key for key in w if w[key].size]  # NP has no p

    def there(x, h0, c0, *values):
        moved = w | dict(zip(learnt, values, strict=True))
        tape = run(name, moved, x, h0, c0, mask if masked else None)
        return (tape.h, tape.c[-1]), (moved, tape)

    def back(upstream, cache):
        gradients, others = backward(CELLS[name], *cache, *upstream)
        return [*others.values(), *(gradients[key] for key in learnt)]

    given = {"x": x, "h0": h0, "c0": c0} | {key: w[key] for key in learnt}
    report = le.gradcheck_function(there, back, given, elements=None, tol=1e-13)
    assert report.ok, report
    assert {row.parameter for row in report.rows} == set(given)


# -- forward -----------------------------------------------------------------------------------------------------------


def test_np_is_the_engine_s_lstm_to_the_bit(drawn):
    w, x, h0, c0, mask = drawn("NP")
    tape, expected = run("NP", w, x, h0, c0, mask), lstm_forward(x, w["W"], w["U"], w["b"], h0, c0, mask)
    np.testing.assert_array_equal(tape.h, expected.h)
    np.testing.assert_array_equal(tape.c, expected.c)
    rng = np.random.default_rng(1)
    dh, dc_T = rng.standard_normal((T, B, H)), rng.standard_normal((B, H))
    gradients, others = backward(CELLS["NP"], w, tape, dh, dc_T)
    grads = lstm_backward(expected, dh, dc_T=dc_T)
    for key, g in (gradients | others).items():
        if key != "p":  # the order of the products differs: a few roundings
            np.testing.assert_allclose(g, getattr(grads, key), rtol=1e-13, atol=1e-14)


ONNX = {  # what each is among the options of ONNX's LSTM: activations of gates, input and output, and f = 1 - i
    "V": (("Sigmoid", "Tanh", "Tanh"), 0),
    "NIAF": (("Sigmoid", "Affine", "Tanh"), 0),
    "NOAF": (("Sigmoid", "Tanh", "Affine"), 0),
    "CIFG": (("Sigmoid", "Tanh", "Tanh"), 1),
    "NP": (("Sigmoid", "Tanh", "Tanh"), 0),
}


@pytest.mark.parametrize("name", ONNX)
def test_forward_is_onnxruntime_s(drawn, name):
    w, x, h0, c0, _ = drawn(name)
    tape = run(name, w, x, h0, c0)
    h = onnx_lstm(CELLS[name], w, x, h0, c0, *ONNX[name])
    assert np.abs(tape.h).max() > 0.3
    # float32: a step rounds by some 1e-7 of numbers up to 3, and hands that on to 7 steps
    np.testing.assert_allclose(tape.h, h, rtol=0, atol=5e-6)


def onnx_lstm(cell, w, x, h0, c0, activations, coupled):
    """h (T, B, H) from ONNX's LSTM: gates in the order i o f c and peepholes i o f, zeros where there are none."""
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    n = len(cell.parts)
    rows = [dict(zip(cell.parts, np.split(w[key].T, n), strict=True)) for key in ("W", "U", "b")]
    W, R, b = (np.concatenate([part.get(gate, 0 * part["g"]) for gate in "iofg"])[None] for part in rows)
    p = dict(zip(cell.peepholes, np.split(w["p"], max(len(cell.peepholes), 1)), strict=False))
    P = np.concatenate([p.get(gate, np.zeros(H)) for gate in "iof"])[None]
    given = {"X": x, "W": W, "R": R, "B": np.concatenate([b, 0 * b], 1), "h0": h0[None], "c0": c0[None], "P": P}
    given = {key: np.ascontiguousarray(a, "float32") for key, a in given.items()}
    affine = {"activation_alpha": [1.0], "activation_beta": [0.0]} if "Affine" in activations else {}  # z itself
    node = onnx.helper.make_node(
        "LSTM", ["X", "W", "R", "B", "", "h0", "c0", "P"], ["Y"], hidden_size=H, activations=activations,
        input_forget=coupled, **affine,
    )  # fmt: skip
    info = [onnx.helper.make_tensor_value_info(key, 1, [None] * d) for key, d in (("X", 3), ("Y", 4))]
    held = [onnx.numpy_helper.from_array(a, key) for key, a in given.items() if key != "X"]
    graph = onnx.helper.make_graph([node], "one", info[:1], info[1:], held)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"X": given["X"]})[0][:, 0]


@pytest.mark.parametrize(("name", "gate"), [("NIG", "i"), ("NFG", "f"), ("NOG", "o")])
def test_a_cell_without_a_gate_is_v_with_that_gate_open(drawn, name, gate):
    w, x, h0, c0, mask = drawn("V")
    parts = {key: dict(zip("ifgo", np.split(w[key], 4, axis=-1), strict=True)) for key in ("W", "U", "b")}
    parts["p"] = dict(zip("ifo", np.split(w["p"], 3), strict=True))
    less = {key: np.concatenate([a for k, a in part.items() if k != gate], axis=-1) for key, part in parts.items()}
    parts["b"][gate][...] = 1e3  # a view of w: σ is 1, exactly
    np.testing.assert_array_equal(run(name, less, x, h0, c0, mask).h, run("V", w, x, h0, c0, mask).h)


def test_fgr_is_v_whose_inputs_are_the_gates_of_the_step_before(drawn):
    w, x, h0, c0, _ = drawn("FGR")
    R = np.zeros((3 * H, 4 * H))
    R[:, np.r_[: 2 * H, 3 * H : 4 * H]] = w["R"]
    by_hand = w | {"W": np.concatenate([w["W"], R])}
    del by_hand["R"]
    h, c, gates = h0, c0, np.zeros((B, 3 * H))
    for t, h_t in enumerate(run("FGR", w, x, h0, c0).h):
        tape = run("V", by_hand, np.concatenate([x[t], gates], axis=1)[None], h, c)
        h, c, gates = tape.h[0], tape.c[0], tape.a[0][:, np.r_[: 2 * H, 3 * H : 4 * H]]
        np.testing.assert_allclose(h_t, h, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", CELLS)
def test_a_masked_step_is_as_if_it_were_not_there(drawn, name):
    w, x, h0, c0, mask = drawn(name)
    tape = run(name, w, x, h0, c0, mask)
    for n in range(B):
        alone = run(name, w, x[mask[:, n], n : n + 1], h0[n : n + 1], c0[n : n + 1])
        np.testing.assert_allclose(tape.y_states[-1, n], alone.y_states[-1, 0], rtol=0, atol=1e-14)
        np.testing.assert_allclose(tape.c[-1, n], alone.c[-1, 0], rtol=0, atol=1e-14)


# -- compiled ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow  # a cell compiles for seconds, and is then kept
@pytest.mark.parametrize("name", CELLS)
def test_compiled_is_numpy(drawn, name, rel):
    w, *inputs = drawn(name)
    rng = np.random.default_rng(1)
    upstream = rng.standard_normal((T, B, H)), rng.standard_normal((B, H))
    tapes = [forward(CELLS[name], w, *inputs, fast=fast) for fast in (True, False)]
    there = inputs[-1]
    for a, b in zip(Tape(*tapes[0])[2:], Tape(*tapes[1])[2:], strict=True):
        a, b = (a[there], b[there]) if len(a) == T else (a, b)
        assert rel(a, b) < COMPILED_APART
    gradients, others = backward(CELLS[name], w, tapes[0], *upstream, fast=True)
    expected, expected_others = backward(CELLS[name], w, tapes[1], *upstream)
    for key, g in (gradients | others).items():
        if g.size:
            assert rel(g, (expected | expected_others)[key]) < COMPILED_APART


CHECK = """
import sys
import numpy as np
from experiments.study.variants.cells import CELLS
from experiments.study.variants.through_time import backward, forward
for name in sys.argv[1:]:
    cell, rng = CELLS[name], np.random.default_rng(0)
    n, k = len(cell.parts), len(cell.peepholes)
    shapes = {"W": (2, n * 4), "U": (4, n * 4), "b": (n * 4,), "p": (k * 4,)} | ({"R": (12, 12)} if name == "FGR" else {})
    w = {key: rng.standard_normal(shape) for key, shape in shapes.items()}
    x, zeros, dh = rng.standard_normal((5, 3, 2)), np.zeros((3, 4)), rng.standard_normal((5, 3, 4))
    tapes = [forward(cell, w, x, zeros, zeros, fast=fast) for fast in (True, False)]
    (own, dx), (own_numpy, dx_numpy) = (backward(cell, w, t, dh, zeros, fast=f) for t, f in zip(tapes, (True, False)))
    assert np.abs(tapes[0].h - tapes[1].h).max() < 1e-12, name
    for key, g in (own | dx).items():
        assert np.abs(g - (own_numpy | dx_numpy)[key]).max() < 1e-10, (name, key)
"""


@pytest.mark.slow
def test_cells_that_other_processes_have_compiled_are_not_taken_for_each_other(tmp_path):
    """NFG and CIFG have as many parts and peepholes, V and FGR too: what Numba keeps of them differs in name alone."""
    for names in (["NFG", "V"], ["CIFG", "FGR"], ["NFG", "CIFG", "V", "FGR"], ["FGR", "V", "CIFG", "NFG"]):
        environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
        done = subprocess.run([sys.executable, "-c", CHECK, *names], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
