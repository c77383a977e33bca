"""The Keras wheel's own tests of recurrent layers hold for ours, and the table in docs/ says which of them apply."""

from pathlib import Path

import numpy as np
import pytest

import lstm_engine as le
from experiments.beside_keras import conformance
from experiments.beside_keras.conformance import KERAS_CASES

pytest.importorskip("keras")


@pytest.fixture(scope="module")
def cases():
    try:
        return {(case.where, case.name): case for case in conformance.keras_cases()}
    except ModuleNotFoundError as error:
        pytest.skip(str(error))


NAMES = [(where, name) for where, cases in KERAS_CASES.items() for name in cases]


@pytest.mark.parametrize("backend", ["numpy", "auto"])
@pytest.mark.parametrize("case", NAMES, ids=lambda case: ".".join(case))
def test_case_of_the_keras_wheel_holds(cases, case, backend):
    where, name = case
    if reason := KERAS_CASES[where][name]:
        pytest.skip(f"not applicable: {reason}")
    if case not in cases:
        pytest.skip("this version of Keras has no such case")
    cases[case].run(backend)


def test_every_case_of_the_wheel_is_known(cases):
    new = [f"{where}: {name}" for where, name in cases if name not in KERAS_CASES[where]]
    assert not new, (
        f"this Keras brings cases that experiments/beside_keras/conformance.py has no line for: {', '.join(new)}"
    )


def test_a_wrong_layer_fails_the_cases(cases, monkeypatch):
    """The cases reach our numbers: with h one part in ten thousand too large, they fail."""
    forward = le.LSTM.forward

    def too_large(*arguments, **options):
        y, states, tape = forward(*arguments, **options)
        return y * np.float32(1.0001), states, tape

    monkeypatch.setattr(le.LSTM, "forward", too_large)
    with pytest.raises(AssertionError):
        cases["lstm_test", "test_correctness"].run("numpy")


@pytest.mark.slow  # each case runs above, too
def test_the_table_in_docs_is_fresh(cases):
    pytest.importorskip("onnx")
    if set(cases) != set(NAMES):
        pytest.skip("the table is of another version of Keras")
    page = Path(__file__).parents[3] / conformance.PAGE
    made = conformance.introduction(page) + conformance.tables()
    assert page.read_text(encoding="utf-8") == made, (
        "docs/conformance.md is stale: run python -m experiments.beside_keras.conformance"
    )


def test_outside_a_checkout_the_command_says_so_before_it_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["conformance"])
    with pytest.raises(SystemExit, match="2"):
        conformance.main()
    assert "there is no folder docs: start in a checkout, or name another file with --out" in capsys.readouterr().err
