"""For lesson 3: the lines of the LSTM's backward pass with their formulas, and the effect of a bug in one of them."""

import inspect
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np

import lstm_engine as le
from experiments.laboratory.mutants import GRADIENT_MUTANTS, LSTM
from experiments.laboratory.mutation import Mutant, made
from lstm_engine.cells.lstm import lstm_backward
from lstm_engine.gradient_check import Report, unit_scale


class Way(NamedTuple):
    """Where a quantity is used, the δ that follows, the names of that δ in a trace, and the engine's line."""

    where: str
    so: str
    names: tuple[str, ...]
    line: str


def ways() -> list[Way]:
    """One step of `lstm_backward`, in its order."""
    code = [line.strip() for line in inspect.getsource(lstm_backward).splitlines()]
    known = [
        ("h goes to the layer above, and to the next step", "δh = dh + (δh' of the step after)", "h", "dh_total[t] ="),
        ("c goes into h, and into the next c", "δc = δh·o·(1 − tanh²c) + (δc' of the step after)", "c", "dc[t] ="),
        ("c = f·c' + i·g and h = o·tanh(c)", "δi = δc·g, δf = δc·c', δg = δc·i, δo = δh·tanh(c)", "i f g o", "di, df"),
        ("z goes through σ, that of g through tanh", "δz = δi·i(1 − i), δf·f(1 − f), δg·(1 − g²), δo·o(1 − o)",
         "z_i z_f z_g z_o", "dz[t] ="),
        ("h' went into all four z", "δh' = δz Uᵀ, a sum of four", "h'", "dh_next = recurrent"),
        ("c' went into c = f·c' + i·g", "δc' = δc·f", "c'", "dc_next = dc[t]"),
    ]  # fmt: skip
    lines = [[line for line in code if line.startswith(start)] for *_, start in known]
    return [
        Way(where, so, tuple(names.split()), line) for (where, so, names, _), (line,) in zip(known, lines, strict=True)
    ]


def unit(layer: le.SimpleRNN | le.LSTM, weights: list[object]) -> le.Sequential:
    """A model of one layer with these weights; its loss is the squared error of the last output."""
    model = le.Sequential([le.Input((None, 1)), layer], dtype="float64", backend="numpy")
    model.set_weights(weights)
    model.compile("sgd", "mse")
    return model


NAMES = {
    "bug A": "δU takes h instead of h': off by one in time",
    "bug B": "δc' lacks the forget gate",
    "bug C": "g is differentiated as a sigmoid",
    "bug D": "tanh' is taken at c, not at tanh(c)",
    "bug E": "δf takes c instead of c': off by one in time",
}
BUGS = {bug: m for bug, name in NAMES.items() for m in GRADIENT_MUTANTS if (m.name, m.function) == (name, LSTM)}


def losses(bug: Mutant | None = None, steps: int = 80) -> np.ndarray:
    """(steps,): the loss of a small LSTM that learns the sum of the first half of a sequence, with a bug or without."""
    x = np.random.default_rng(1).standard_normal((64, 6, 1))
    y = x[:, :3].sum(axis=1)  # (64, 1)
    model = le.Sequential([le.Input((6, 1)), le.LSTM(8), le.Dense(1)], seed=2, dtype="float64", backend="numpy")
    model.compile(le.Adam(0.03), "mse")
    with made(bug) if bug else nullcontext():
        return np.array([np.ravel(model.train_on_batch(x, y))[0] for _ in range(steps)])


def report(bug: Mutant) -> Report:
    """The gradient check of a small network with the bug in its LSTM, at unit-scale weights, where every term counts."""
    x, y = np.random.default_rng(2).standard_normal((2, 3, 5, 2))
    layers = [le.Input((5, 2)), le.LSTM(3, return_sequences=True), le.Dense(2)]
    model = le.Sequential(layers, seed=0, dtype="float64", backend="numpy")
    model.compile("sgd", "mse")
    unit_scale(model)
    with made(bug):
        return le.gradcheck(model, x, y, elements=8)
