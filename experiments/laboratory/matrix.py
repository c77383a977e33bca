"""Every cell with every option, proved: the readable pair by the complex step, the compiled kernels against that pair."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import lstm_engine as le
from experiments.laboratory.cases import BESIDE, CELLS, OPTIONS, Case, case
from lstm_engine.activations import Array
from lstm_engine.gradient_check.compare import Progress
from lstm_engine.gradient_check.subject import prepare

COMPLEX_LIMIT = 1e-13  # the two passes of these networks round to 1e-14 at most
NUMBA_LIMIT = 1e-12  # float64 kernels sum in another order
FLOAT32_LIMIT = 1e-5
SAMPLE = 16  # numbers of an array
SIZES = {"LSTM(8), T = 20": (8, 20, 3), "LSTM(64), T = 112": (64, 112, 3)}  # units, steps, sequences


class Proof(NamedTuple):
    """One cell with one option: the largest norm-wise relative errors, and whether all are within their limits."""

    cell: str
    option: str
    complex_step: float
    numba: float | None  # None: there is no kernel for these activations
    ok: bool


def matrix(progress: Progress = lambda done, total: None) -> list[Proof]:
    """Every number of every array of every case."""
    cases = [(name, option) for option in OPTIONS for name in CELLS] + [("LSTM", option) for option in BESIDE]
    proofs = []
    for name, option in cases:
        progress(len(proofs), len(cases))
        proofs.append(prove(name, option, (OPTIONS | BESIDE)[option](CELLS[name])))
    progress(len(cases), len(cases))
    return proofs


def prove(cell: str, option: str, made: Case) -> Proof:
    readable = made._replace(model=made.model.twin())
    report = le.gradcheck(readable.model, made.x, made.y, elements=None, tol=COMPLEX_LIMIT, **made.options)
    numba = None
    if "numba" in made.model.backends():
        numba = max(apart(gradients(made), gradients(readable)).values())
    ok = report.ok and (numba is None or numba <= NUMBA_LIMIT)
    return Proof(cell, option, report.max_rel_error, numba, ok)


def gradients(made: Case, dtype: str = "float64") -> dict[str, Array]:
    """Gradients of every weight, of x and of the initial states, on the model's backend, as float64."""
    options = made.options | {"dtype": dtype}
    return prepare(made.model, made.x, made.y, **options).analytic()


def apart(one: dict[str, Array], other: dict[str, Array]) -> dict[str, float]:
    """Norm-wise relative errors by name. An array that is 0 on both sides was not exercised: NaN, which no limit passes."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return {name: float(np.linalg.norm(one[name] - a) / np.linalg.norm(a)) for name, a in other.items()}


def precision() -> dict[str, dict[str, dict[str, float]]]:
    """By size, by kind and by array: how far the readable pair is from the complex step, and the kernels from that pair.

    Of a large array a sample is held against the complex step, and a random direction through all of it.
    """
    distances = {}
    for size, (units, T, N) in SIZES.items():
        made = case(le.LSTM(units, return_sequences=True), le.Dense(1), x_shape=(N, T, 4))
        readable = made._replace(model=made.model.twin())
        single = made._replace(model=made.model.twin("float32", "auto"))
        report, exact = le.gradcheck(readable.model, made.x, made.y, elements=SAMPLE), gradients(readable)
        distances[size] = {
            "complex step": {name: max(row.error for row in report.rows if row.parameter == name) for name in exact},
            "float64": apart(gradients(made), exact), "float32": apart(gradients(single, "float32"), exact),
        }  # fmt: skip
    return distances


def everything(progress: Progress = lambda done, total: None) -> dict[str, Any]:
    """The matrix and the precisions as JSON values; "ok" when all are within their limits."""
    proofs, precisions = matrix(progress), precision()
    limits = {"complex step": COMPLEX_LIMIT, "float64": NUMBA_LIMIT, "float32": FLOAT32_LIMIT}
    near = all(
        error <= limits[kind]
        for kinds in precisions.values()
        for kind, errors in kinds.items()
        for error in errors.values()
    )
    return {
        "ok": near and all(proof.ok for proof in proofs), "matrix": [proof._asdict() for proof in proofs],
        "precision": precisions, "limits": limits,
    }  # fmt: skip
