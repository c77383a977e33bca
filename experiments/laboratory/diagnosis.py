"""Does `gradcheck_function` say where a mistake is? The laboratory's mistakes in the cells, and some that no table lists.

`python -m experiments.laboratory.diagnosis` prints a line a mistake and the figures. The mistakes of `UNLISTED` are no row of
`lstm_engine/gradient_check/slips.py`, so only what the rows show can place them. Misled is who is sent to a place where all
is right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import typer

import lstm_engine as le
from lstm_engine.cells.gru import gru_backward, gru_forward
from lstm_engine.cells.lstm import lstm_backward, lstm_forward
from lstm_engine.cells.simple_rnn import simple_rnn_backward, simple_rnn_forward
from lstm_engine.gradient_check.report import Lead

from .mutants import GRADIENT_MUTANTS, GRU, LSTM, RNN
from .mutation import Mutant, made

T, B, D, H = 4, 2, 3, 5
Inputs = dict[str, Any]
PLACES = {  # by the quantity at which the engine's own search says that a pass departs
    "gate i": "δi δz_i δz", "gate f": "δf δz_f δz", "gate g": "δg δz_g δz", "gate o": "δo δz_o δz",
    "gate z": "δz δz_z", "gate r": "δr δz_r δs δz", "gate candidate": "δĥ δz_ĥ", "gate h": "δz",
    "c": "δc δc'", "h": "δh δh'",
    "h0": "δh0 δh'", "c0": "δc0 δc'", "kernel": "δW", "recurrent_kernel": "δU δU_ĥ", "bias": "δb δb' δb'_ĥ",
    "x": "δx", "": "δc",
}  # fmt: skip

INSIDE, BETWEEN, SUM = "inside a step", "between steps", "sum over steps"


class Unlisted(NamedTuple):
    """A mistake that is no known slip, and what may be said of it."""

    mutant: Mutant
    region: str
    quantities: str


def unlisted(name: str, function: str, old: str, new: str, region: str, quantities: str) -> Unlisted:
    return Unlisted(Mutant(name, function, old, new), region, quantities)


UNLISTED = [
    unlisted("δf takes the c' of another sequence", LSTM, "dc[t] * tape.c_states[t], dc",
             "dc[t] * tape.c_states[t][::-1], dc", INSIDE, "δf"),
    unlisted("the slope of f is √(f(1 - f))", LSTM, "dσ(f, df)", "df * np.sqrt(f * (1 - f))", INSIDE, "δf δz_f"),
    unlisted("the slope of o is that of its mean", LSTM, "dσ(o, do)", "do * o.mean() * (1 - o.mean())", INSIDE, "δo δz_o"),
    unlisted("the slope of g is 1 / (1 + g²)", LSTM, "dtanh(g, dg)", "dg / (1 + g**2)", INSIDE, "δg δz_g"),
    unlisted("δi takes |g|", LSTM, "dc[t] * g, dc[t] * tape", "dc[t] * np.abs(g), dc[t] * tape", INSIDE, "δi"),
    unlisted("the slope of tanh(c) is 1 / (1 + c²)", LSTM, "dtanh(tape.tanh_c[t], dh_total[t] * o)",
             "dh_total[t] * o / (1 + tape.c[t] ** 2)", INSIDE, "δc"),
    unlisted("tanh(c) is differentiated at c of another sequence", LSTM, "dtanh(tape.tanh_c[t], dh_total[t] * o)",
             "dtanh(tape.tanh_c[t][::-1], dh_total[t] * o)", INSIDE, "δc"),
    unlisted("δc' takes √f", LSTM, "dc_next = dc[t] * f", "dc_next = dc[t] * np.sqrt(f)", BETWEEN, "δc'"),
    unlisted("δc' is divided by f", LSTM, "dc_next = dc[t] * f", "dc_next = dc[t] / f", BETWEEN, "δc'"),
    unlisted("δc' is clipped at every step", LSTM, "dc_next = dc[t] * f", "dc_next = np.clip(dc[t] * f, -0.1, 0.1)", BETWEEN,
             "δc'"),
    unlisted("δh' is halved", LSTM, "tape.U, tape.recurrent_dropout)\n    ", "0.5 * tape.U, tape.recurrent_dropout)\n    ",
             BETWEEN, "δh'"),
    unlisted("δh' is clipped at every step", LSTM, "tape.U, tape.recurrent_dropout)\n    ",
             "tape.U, tape.recurrent_dropout).clip(-0.1, 0.1)\n    ", BETWEEN, "δh'"),
    unlisted("δb sums absolute values", LSTM, "b=dz.sum(axis=(0, 1))", "b=np.abs(dz).sum(axis=(0, 1))", INSIDE, "δb"),
    unlisted("δW is weighted by the step", LSTM, "W=sum_over_steps(tape.x, dz)",
             "W=sum_over_steps(tape.x * (1 + np.arange(len(dz)))[:, None, None], dz)", SUM, "δW"),
    unlisted("δU takes tanh(h')", LSTM, "recurrent_kernel_gradient(tape.h_states[:-1]",
             "recurrent_kernel_gradient(np.tanh(tape.h_states[:-1])", INSIDE, "δU"),
    unlisted("the slope of ĥ is 1 / (1 + ĥ²)", GRU, "dtanh(candidate, dh_total[t] * (1.0 - z))",
             "dh_total[t] * (1.0 - z) / (1 + candidate**2)", INSIDE, "δĥ δz_ĥ"),
    unlisted("δz takes |h' - ĥ|", GRU, "(h_prev - candidate)", "np.abs(h_prev - candidate)", INSIDE, "δz δz_z"),
    unlisted("the slope of h is 1 / (1 + h²)", RNN, "ACTIVATIONS[tape.activation].backward(tape.h[t], dh_total[t])",
             "dh_total[t] / (1 + tape.h[t] ** 2)", INSIDE, "δz"),
    unlisted("δh' is halved", RNN, "dz[t], tape.U,", "dz[t], 0.5 * tape.U,", BETWEEN, "δh'"),
    unlisted("δU takes tanh(h')", RNN, "recurrent_kernel_gradient(tape.h_states[:-1]",
             "recurrent_kernel_gradient(np.tanh(tape.h_states[:-1])", INSIDE, "δU"),
]  # fmt: skip


class Answer(NamedTuple):
    """What was said of one mistake."""

    mutant: Mutant
    listed: bool
    found: bool
    lead: Lead | None
    quantities: frozenset[str]  # one of which is right
    region: str  # the right one; "" where the table of quantities alone decides

    @property
    def right(self) -> bool:
        return self.lead is not None and bool(self.quantities & set(self.lead.quantity.split(", ")))

    @property
    def misled(self) -> bool:
        """A wrong quantity is named, or where none is, a wrong region."""
        if self.lead is None or self.right:
            return False
        return bool(self.lead.quantity) or bool(self.region and self.lead.region not in ("", self.region))


def pair_of(function: str) -> tuple[Callable[..., Any], Callable[..., Any], Inputs]:
    """The engine's pair in the contract of gradcheck_function, with random inputs."""
    rng = np.random.default_rng(0)

    def weights(gates: int) -> Inputs:
        shapes = {"x": (T, B, D), "W": (D, gates * H), "U": (H, gates * H), "b": (gates * H,), "h0": (B, H)}
        return {name: rng.standard_normal(shape) / (2 if name in "WU" else 1) for name, shape in shapes.items()}

    if function == LSTM:

        def forward(*arrays: Any) -> Any:
            tape = lstm_forward(*arrays)
            return (tape.h, tape.h[-1], tape.c[-1]), tape

        def backward(upstream: Any, tape: Any) -> Any:
            g = lstm_backward(tape, *upstream)
            return g.x, g.W, g.U, g.b, g.h0, g.c0

        return forward, backward, weights(4) | {"c0": rng.standard_normal((B, H))}
    run, back, gates = (
        (gru_forward, gru_backward, 3) if function == GRU else (simple_rnn_forward, simple_rnn_backward, 1)
    )

    def one_state(*arrays: Any) -> Any:
        tape = run(*arrays)
        return (tape.h, tape.h[-1]), tape

    def one_state_back(upstream: Any, tape: Any) -> Any:
        g = back(tape, upstream[0], dh_T=upstream[1])
        return g.x, g.W, g.U, g.b, g.h0

    return one_state, one_state_back, weights(gates)


def answer_on(mutant: Mutant, listed: bool, region: str, quantities: str) -> Answer:
    """The mistake is planted and the check called bare. Of the GRU both variants are tried: a mistake may be in one alone."""
    forward, backward, inputs = pair_of(mutant.function)
    variants = [inputs]
    if mutant.function == GRU:
        variants.append(inputs | {"b": np.random.default_rng(1).standard_normal((2, 3 * H))})
    with made(mutant):
        reports = [le.gradcheck_function(forward, backward, values, elements=20) for values in variants]
    report = next((report for report in reports if report.failed), reports[0])
    return Answer(mutant, listed, report.failed, report.lead, frozenset(quantities.split()), region)


def answers() -> list[Answer]:
    listed = [m for m in GRADIENT_MUTANTS if m.function in (LSTM, GRU, RNN) and "mask" not in m.name]
    return [answer_on(m, True, "", PLACES[m.departs]) for m in listed] + [
        answer_on(row.mutant, False, row.region, row.quantities) for row in UNLISTED
    ]


def figures(rows: list[Answer]) -> str:
    certain = sum(bool(row.lead and row.lead.certain) for row in rows)
    return (
        f"{len(rows)} mistakes: {sum(row.found for row in rows)} found, the right quantity named of "
        f"{sum(row.right for row in rows)}, {certain} of them to rounding, {sum(row.misled for row in rows)} misled."
    )


def main() -> None:
    """Plants mistakes in the engine's cells and prints what `gradcheck_function` says of each (about a minute).

    Exit code 1 when a mistake is not found or a lead misleads. Example: python -m experiments.laboratory.diagnosis
    """
    rows = answers()
    for row in rows:
        mark = "right" if row.right else "MISLED" if row.misled else "region" if row.lead and row.lead.region else "-"
        typer.echo(f"{mark if row.found else 'NOT FOUND':<10} {row.mutant.name}: {row.lead}")
    for title, some in (("Listed", [r for r in rows if r.listed]), ("Unlisted", [r for r in rows if not r.listed])):
        typer.echo(f"{title}: {figures(some)}")
    raise typer.Exit(int(any(not row.found or row.misled for row in rows)))


if __name__ == "__main__":
    typer.run(main)
