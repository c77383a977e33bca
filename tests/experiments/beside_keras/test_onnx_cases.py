"""ONNX's node cases for LSTM, GRU and RNN hold for our layers, on both backends."""

import numpy as np
import pytest

from tests import conformance
from tests.conformance import ONNX_CASES

pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def cases():
    return {(case.where, case.name): case for case in conformance.onnx_cases()}


@pytest.mark.parametrize("backend", ["numpy", "auto"])
@pytest.mark.parametrize("case", [(op, name) for op, names in ONNX_CASES.items() for name in names], ids=lambda c: c[1])
def test_node_case_of_onnx_holds(cases, case, backend):
    operator, name = case
    if reason := ONNX_CASES[operator][name]:
        with pytest.raises(NotImplementedError, match="P"):
            cases[case].run(backend)
        pytest.skip(f"not applicable: {reason}")
    cases[case].run(backend)


def test_every_node_case_is_known(cases):
    new = [f"{operator}: {name}" for operator, name in cases if name not in ONNX_CASES[operator]]
    assert not new, f"this onnx brings cases that tests/conformance.py has no line for: {', '.join(new)}"


def test_gates_in_another_order_fail_a_case(cases, monkeypatch):
    """The cases reach the gates: with the GRU's turned by one, one fails. (The LSTM's have one weight for all gates.)"""
    take = conformance.from_onnx_tensors
    turned = lambda layer, W, R, B: take(layer, np.roll(W, layer.units, axis=1), R, B)  # noqa: E731
    monkeypatch.setattr(conformance, "from_onnx_tensors", turned)
    with pytest.raises(AssertionError):
        cases["GRU", "test_gru_seq_length"].run("numpy")


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("operator", ["LSTM", "GRU", "RNN"])
def test_random_node_gives_what_onnxruntime_gives(operator, direction):
    """What the cases leave out: gates that differ, lengths that differ, initial states, a GRU that resets after."""
    onnxruntime, helper = pytest.importorskip("onnxruntime"), pytest.importorskip("onnx").helper
    (T, N, D, H), G, K = (6, 3, 2, 4), conformance.CELLS[operator].gates, 1 + (direction == "bidirectional")
    shapes = {"X": (T, N, D), "W": (K, G * H, D), "R": (K, G * H, H), "B": (K, 2 * G * H), "initial_h": (K, N, H)}
    shapes |= {"initial_c": (K, N, H)} if operator == "LSTM" else {}
    rng = np.random.default_rng(0)
    inputs = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    inputs["sequence_lens"] = np.array([6, 1, 4], np.int32)
    attributes = {"hidden_size": H, "direction": direction} | ({"linear_before_reset": 1} if operator == "GRU" else {})
    states = ["Y_h", "Y_c"] if operator == "LSTM" else ["Y_h"]
    order = [n for n in ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c") if n in inputs]
    node = helper.make_node(operator, order, ["Y", *states], **attributes)
    kind = helper.np_dtype_to_tensor_dtype
    given = [helper.make_tensor_value_info(n, kind(inputs[n].dtype), inputs[n].shape) for n in order]
    made = [helper.make_tensor_value_info(n, kind(np.dtype("f4")), None) for n in node.output]
    model = helper.make_model(
        helper.make_graph([node], "one_node", given, made), opset_imports=[helper.make_opsetid("", 14)], ir_version=8
    )
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(["Y", *states], inputs)
    got = conformance.onnx_node(operator, attributes | {"direction": direction.encode()}, inputs, "numpy")
    live = np.arange(T)[:, None] < inputs["sequence_lens"]  # (T, N): past the end ONNX writes 0, we the last h
    got["Y"] = np.where(live[:, None, :, None], got["Y"], np.float32(0))
    for name, value in zip(
        ["Y", *states], expected, strict=True
    ):  # 6 steps of sums of 6 terms: some 30 roundings of 6e-8
        np.testing.assert_allclose(got[name], value, rtol=0, atol=2e-6, err_msg=name)
