"""Test cases of Keras and ONNX for recurrent layers, run against the engine's layers.

`python -m tests.conformance` writes docs/conformance.md.

The cases come from the installed packages: the Keras wheel contains the tests of its layers, the onnx package those of its
operators, with the expected numbers. This file holds their names, and the reason where a case does not apply to this engine.
A case that is in neither list is reported, so that no case of a new version is missed.
"""

import importlib
import importlib.util
import sys
import unittest
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

import lstm_engine as le
from experiments.beside_keras.twins import import_keras
from lstm_engine.interchange import from_onnx_tensors
from lstm_engine.layer import Layer

PAGE = Path(__file__).parents[1] / "docs" / "conformance.md"
CELLS = {"LSTM": le.LSTM, "GRU": le.GRU, "RNN": le.SimpleRNN}  # by their names in ONNX

# Absolute, beside a relative 1e-5. 1e-7 is ONNX's own, and as near as its expected numbers are: where z is almost 1, float32
# knows 1 - z to 6e-8. The kernels' float32 tanh is within 4e-7 of tanh, and a state takes two a step.
ATOL = {"numpy": 1e-7, "auto": 1e-6}

CUDNN = "asks whether cuDNN would be used; the engine has one path, on the CPU"
TWO_WAYS = "compares Keras's cuDNN path with its plain one; the engine has one path"
COMMON = ("test_basics", "test_correctness", "test_masking", "test_pass_initial_state", "test_statefulness")
KERAS_CASES: dict[str, dict[str, str]] = {  # file -> case -> why it does not apply, or ""
    "lstm_test": dict.fromkeys(COMMON, ""),
    "gru_test": {
        **dict.fromkeys(COMMON, ""),
        "test_legacy_implementation_argument": "",
        "test_pass_return_state": "",
        "test_stateful_with_symbolic_batch_size": "traces a TensorFlow graph; Keras runs it on TensorFlow alone",
        "test_torch_cudnn_dispatch_fires": CUDNN,
    },
    "simple_rnn_test": dict.fromkeys(COMMON, ""),
    "bidirectional_test": {
        **dict.fromkeys(COMMON, ""),
        "test_return_state": "",
        "test_output_shape": "asks for the shapes of lists of outputs without data; our output_shape() is one array's, and "
        "tests/lstm_engine/test_contract.py holds it against what comes out",
        "test_keeps_use_cudnn": CUDNN,
        "test_fused_lstm_eligibility": CUDNN,
        "test_fused_gru_eligibility": CUDNN,
        "test_fused_lstm_matches_unfused": TWO_WAYS,
        "test_fused_gru_matches_unfused": TWO_WAYS,
        "test_torch_cudnn_bidirectional_gru_dispatch_fires": CUDNN,
    },
}
ONNX_CASES: dict[str, dict[str, str]] = {  # operator -> case -> why it does not apply, or ""
    "LSTM": {
        **dict.fromkeys(("test_lstm_batchwise", "test_lstm_bidirectional", "test_lstm_defaults", "test_lstm_reverse"), ""),
        "test_lstm_with_initial_bias": "",
        "test_lstm_with_peepholes": "gives a tensor P: Keras's LSTM, and so ours, has no peephole connections",
    },
    "GRU": dict.fromkeys(
        (
            "test_gru_batchwise", "test_gru_bidirectional", "test_gru_defaults", "test_gru_reverse", "test_gru_seq_length",
            "test_gru_with_initial_bias",
        ),
        "",
    ),
    "RNN": dict.fromkeys(
        (
            "test_rnn_seq_length", "test_simple_rnn_batchwise", "test_simple_rnn_bidirectional", "test_simple_rnn_defaults",
            "test_simple_rnn_reverse", "test_simple_rnn_with_initial_bias",
        ),
        "",
    ),
}  # fmt: skip


class PublishedCase(NamedTuple):
    """One case of one package. `run` takes a backend and raises AssertionError when the numbers differ."""

    where: str  # the file, or the operator
    name: str
    run: Callable[[str], None]


# -- Keras ------------------------------------------------------------------------------------------------------------


def keras_cases() -> list[PublishedCase]:
    """Every case in the installed wheel's tests of recurrent layers; one with parameters runs once for each."""
    import_keras("float32")
    cases = []
    for file in KERAS_CASES:
        methods = unittest.TestLoader().getTestCaseNames(_test_class(file, "numpy"))
        names = dict.fromkeys(m.rstrip("0123456789") for m in methods)  # test_correctness0, 1: one case, two parameters
        for name in names:
            runs = [m for m in methods if m.rstrip("0123456789") == name]
            cases.append(PublishedCase(file, name, partial(_run_keras, file, runs)))
    return cases


def _run_keras(file: str, methods: list[str], backend: str) -> None:
    for method in methods:
        _test_class(file, backend)(method).debug()  # debug: set-up, case and tear-down, with errors raised


def _test_class(file: str, backend: str) -> type[unittest.TestCase]:
    """The test class of a file of the wheel, in a copy of that module in which `layers` and `initializers` are ours."""
    spec = importlib.util.find_spec(f"keras.src.layers.rnn.{file}")
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"this Keras comes without its tests: there is no keras/src/layers/rnn/{file}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    makers = {cls.__name__: _maker(cls, backend) for cls in (le.LSTM, le.GRU, le.SimpleRNN, le.Bidirectional)}
    module.layers, module.initializers = SimpleNamespace(**makers), le.initializers  # type: ignore[attr-defined]
    (tests,) = [c for c in vars(module).values() if isinstance(c, type) and issubclass(c, unittest.TestCase)]
    tests.run_layer_test = run_layer_test  # type: ignore[attr-defined]
    return tests


def _maker(cls: type[Layer], backend: str) -> Any:
    """Makes our layer as Keras's tests make Keras's: on this backend, with get_config and from_config."""

    def make(*args: Any, **options: Any) -> Any:
        options.pop("implementation", None)  # how Keras groups its products, and nothing else while there is no dropout
        layer = cls(*args, **options)
        layer.backend, layer.get_config = backend, layer.config  # type: ignore[attr-defined]
        return layer

    make.from_config = lambda config: make(**config)  # type: ignore[attr-defined]
    return make


def run_layer_test(
    _case: unittest.TestCase, make: Callable[..., Any], init_kwargs: dict[str, Any], input_shape: tuple[int, ...],
    expected_output_shape: tuple[int, ...], expected_num_trainable_weights: int,
    expected_num_non_trainable_weights: int = 0, expected_num_non_trainable_variables: int = 0,
    expected_num_losses: int = 0, supports_masking: bool = False, call_kwargs: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """What Keras's harness of this name expects of a layer, as far as it has a meaning for arrays.

    The number of non-trainable variables counts Keras's seed generators; symbolic tensors and dtype policies are its own.
    """
    x = np.random.default_rng(0).standard_normal(input_shape, np.float32)  # (N, T, D)
    layer = make(**init_kwargs)
    y = layer(x, **(call_kwargs or {}))
    assert y.shape == expected_output_shape
    assert y.dtype == x.dtype
    assert len(layer.weights) == expected_num_trainable_weights
    assert expected_num_non_trainable_weights == 0
    assert len(layer.weight_penalties()) == expected_num_losses
    if supports_masking:
        everywhere = np.ones(input_shape[:2], bool)
        assert layer(x, mask=everywhere).tolist() == layer(x).tolist()
    assert make(**layer.config()).config() == layer.config()


# -- ONNX -------------------------------------------------------------------------------------------------------------


def onnx_cases() -> list[PublishedCase]:
    """Every node case of the installed onnx for LSTM, GRU and RNN."""
    for operator in ONNX_CASES:
        importlib.import_module(f"onnx.backend.test.case.node.{operator.lower()}")  # defining a case files it in a list
    filed = importlib.import_module("onnx.backend.test.case.node")._NodeTestCases
    ours = [(case, case.model.graph.node[0]) for case in filed if len(case.model.graph.node) == 1]
    return [
        PublishedCase(node.op_type, case.name, partial(_run_onnx, case, node))
        for case, node in ours
        if node.op_type in ONNX_CASES
    ]


def _run_onnx(case: Any, node: Any, backend: str) -> None:
    from onnx import helper

    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    (arrays, expected), *_ = case.data_sets
    inputs = dict(zip([name for name in node.input if name], arrays, strict=True))
    got = onnx_node(node.op_type, attributes, inputs, backend)
    for name, value in zip([name for name in node.output if name], expected, strict=True):
        np.testing.assert_allclose(got[name], value, rtol=1e-5, atol=ATOL[backend], err_msg=f"{case.name}: {name}")


def onnx_node(
    operator: str, attributes: dict[str, Any], inputs: dict[str, np.ndarray], backend: str
) -> dict[str, np.ndarray]:
    """What our layer makes of an ONNX node: Y (T, directions, N, H), Y_h and Y_c (directions, N, H); or all batch first."""
    known = {"hidden_size", "direction", "layout", "linear_before_reset"}
    known |= {"X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c"}
    if refused := {*attributes, *inputs} - known:
        raise NotImplementedError(f"the engine has no {', '.join(sorted(refused))}")
    batch_first, direction = attributes.get("layout", 0), attributes.get("direction", b"forward")
    x = inputs["X"] if batch_first else inputs["X"].swapaxes(0, 1)  # (N, T, D)
    backwards, special = direction == b"reverse", {}
    if operator == "GRU":
        special = {"reset_after": bool(attributes.get("linear_before_reset", 0))}
    options = {"return_sequences": True, "return_state": True, "go_backwards": backwards, **special}
    layer: Any = CELLS[operator](attributes["hidden_size"], **options)
    if direction == b"bidirectional":
        layer = le.Bidirectional(layer, merge_mode=None)
    layer.build(x.shape[1:], x.dtype.name, backend, np.random.default_rng(0))
    from_onnx_tensors(layer, inputs["W"], inputs["R"], inputs.get("B"))

    lengths, first = inputs.get("sequence_lens"), [inputs[n] for n in ("initial_h", "initial_c") if n in inputs]
    mask = None if lengths is None else np.arange(x.shape[1]) < lengths[:, None]  # (N, T)
    first = [a.swapaxes(0, 1) for a in first] if batch_first else first  # (directions, N, H) each
    states = [a[k] for k in range(len(inputs["W"])) for a in first]  # h, c there; h, c back
    K, out = len(inputs["W"]), layer(x, mask=mask, initial_state=states or None)
    y = np.stack([a[:, ::-1] if backwards else a for a in out[:K]])  # (directions, N, T, H): in the order of time
    last = [np.stack(out[K + n :: len(out[K:]) // K]) for n in range(len(out[K:]) // K)]  # (directions, N, H)
    y = y.transpose(1, 2, 0, 3) if batch_first else y.transpose(2, 0, 1, 3)
    last = [a.swapaxes(0, 1) for a in last] if batch_first else last
    return {"Y": y} | dict(zip(("Y_h", "Y_c"), last, strict=False))


# -- the tables -------------------------------------------------------------------------------------------------------


def result(case: PublishedCase, known: dict[str, dict[str, str]]) -> str:
    """Runs a case, unless it does not apply, on both backends: "passed", or why not."""
    reason = known[case.where].get(case.name)
    if reason is None:
        return "**unknown**: a case that this table has no line for"
    if reason:
        return f"not applicable: {reason}"
    try:
        for backend in ("numpy", "auto"):
            case.run(backend)
    except Exception as error:
        return f"**failed**: {type(error).__name__}: {str(error).strip().splitlines()[0]}"
    return "passed"


def tables() -> str:
    """The tables of docs/conformance.md, made by running every case."""
    parts = []
    for package, cases, known in (("Keras", keras_cases(), KERAS_CASES), ("ONNX", onnx_cases(), ONNX_CASES)):
        rows = [(case.where, case.name, result(case, known)) for case in cases]
        passed = sum(row[2] == "passed" for row in rows)
        left = sum(row[2].startswith("not applicable") for row in rows)
        failed = f", **{len(rows) - passed - left} failed**" if passed + left < len(rows) else ""
        parts.append(f"\n## {package}: {passed} passed, {left} not applicable{failed}\n")
        parts += ["| where | case | result |", "|---|---|---|"]
        parts += [f"| {where} | {name} | {what} |" for where, name, what in rows]
    return "\n".join(parts) + "\n"


def page() -> str:
    """docs/conformance.md as it should be: its introduction as it stands, and new tables."""
    return PAGE.read_text(encoding="utf-8").partition("\n## ")[0] + tables()


def main() -> None:
    """Writes the page; exits with 1 when a case fails or is unknown."""
    text = page()
    PAGE.write_text(text, encoding="utf-8")
    print(text)
    if "**" in text:
        sys.exit(1)


if __name__ == "__main__":
    main()
