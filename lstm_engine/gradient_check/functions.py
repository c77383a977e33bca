"""gradcheck_function: any backward function against the derivative of its forward function.

The contract is that of most course assignments: forward(*inputs) -> (outputs, cache), and
backward(doutputs, cache) -> gradients (`contract.py`). The check differentiates Σ v∘outputs with a random v on every output,
so that it uses every part of the backward pass and no two mistakes cancel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import contract, notes
from .adapters import Layout, by_step, kind_of_steps
from .axes import GateNames, gates_of, gates_of_form, time_axes_of, time_axis_of_form
from .compare import Progress, Settings, compare, settings
from .contract import BackwardFunction, ForwardFunction, Inputs
from .leads import find_lead, forward_note
from .pair import Calls, CheckedPair, prepare
from .recognise import recognise
from .report import FAILED, Report
from .step import step_inputs_of
from .unfit import NotAnalytic, refuse_not_analytic

Step = tuple[ForwardFunction, BackwardFunction]
CELLS = ("lstm", "gru", "rnn")


def gradcheck_function(
    forward: ForwardFunction,
    backward: BackwardFunction,
    inputs: Inputs | None = None,
    *,
    gates: GateNames | None = None,
    time_axis: Mapping[str, int] | None = None,
    layout: Layout | None = None,
    step: Step | None = None,
    step_inputs: Inputs | None = None,
    like: str | None = None,
    method: str = "auto",
    elements: int | None = 200,
    tol: float | None = None,
    h: float | None = None,
    seed: int = 0,
    locate: bool = True,
    progress: Progress | None = None,
) -> Report:
    """Proves that backward is the derivative of forward at these inputs, for every input that has a gradient.

    forward(*inputs) returns (outputs, cache): outputs is one float64 array or a tuple of them, of any shapes; cache is
    whatever backward needs. (h, c, cache) is fine too. backward(doutputs, cache) gets the upstream gradient in the form of
    the outputs, or one by one, backward(dh, dc, cache). Where forward returns a loss, one number, it may be backward(cache).
    It returns one gradient an input, of the input's shape: in the order of the inputs, or a dict by their names, W or dW.
    None stands for an input without one: labels, options, a mask. Inputs that are no float arrays are passed unchanged.
    Classes, lists by step, and functions that give loss and gradients at once: `adapters`.

    inputs is a dict by name, in the order in which forward takes them; a dict inside is a dict of parameters. A tuple takes
    the names of forward's parameters. layout, an `adapters.Layout`, says which array is which, and makes missing inputs.

    gates={"W": ("i", "f", "g", "o")} names equal parts of an axis, which get a row each; where the shapes do not tell which
    axis, {"W": (("i", "f", "g", "o"), 0)} does. time_axis={"x": 0} names the axis that counts steps, at least 3: when its row
    fails, `report.notes` say at which step it departs, from the last one back. Both are known where forward is recognised as
    an LSTM, GRU or simple RNN, or layout is given; {} says that there are none.

    step=(step_forward, step_backward) are the two functions of one step, which are checked alone as well: `report.step`.
    step_inputs are what step_forward takes; left out, they are made from the inputs by their names. like="lstm", "gru" or
    "rnn" compares forward with that cell's equations.

    method="auto" takes the complex step and, where complex numbers do not pass, Richardson's differences, and says why. h is
    the step size of differences; seed draws v too; the rest is as in `gradcheck`. Of a check that failed, report.lead says
    where the mistake is as far as that can be told; locate=False does not look for it.

    TypeError or ValueError for functions that break this contract. ValueError for what would make the check wrong: other
    floats than float64; a forward that changes its inputs, returns other outputs when called again, or NaN; and with
    method="complex" one through which complex numbers do not pass.
    """
    refuse_options(step, like)
    how = settings("complex" if method == "auto" else method, h, tol, elements, seed)
    pair = prepared(forward, backward, inputs, layout, seed)
    pair.like, pair.layout, pair.step = like, layout, step
    find_axes(pair, gates, time_axis)
    report, how = compared(pair, how, method, tol, h, progress)
    options = {"method": method, "elements": elements, "tol": tol, "h": h, "seed": seed, "locate": locate}
    report.step = checked_step(pair, step, step_inputs, options) if step else None
    if report.failed and locate:
        find_mistake(pair, report, how)
    report.notes += forward_note(pair.form, like)
    return report


def compared(
    pair: CheckedPair, how: Settings, method: str, tol: float | None, h: float | None, progress: Progress | None
) -> tuple[Report, Settings]:
    """The rows and what one sees beside them, and the settings that were taken in the end."""
    rng = np.random.default_rng((how.seed, 2))
    how, why = chosen(pair, how, method, rng, tol, h)
    report = compare(pair.value, pair.point, pair.analytic, pair.gates, how, progress)
    report.why, report.zeros = why, notes.zeros(pair)
    report.notes += pair.notes + notes.of_pair(pair, report, rng)
    return report, how


def checked_step(pair: CheckedPair, step: Step, inputs: Inputs | None, options: Mapping[str, Any]) -> Report:
    """The report on the two functions of one step, with the options of the walk's check."""
    pair.step_inputs = step_inputs_of(pair, step[0]) if inputs is None else inputs
    return gradcheck_function(*step, pair.step_inputs, gates=step_gates(pair), **options)


def find_mistake(pair: CheckedPair, report: Report, how: Settings) -> None:
    """Adds to a failed report where the mistake is."""
    of_step = report.step.lead if report.step else None  # a mistake in the step makes the walk wrong too
    report.lead = of_step or find_lead(Calls(pair), pair.form, pair, report)
    failed = {row.parameter for row in report.rows if row.verdict == FAILED}
    steps = [
        notes.by_step(pair, name, axis, how, report.lead) for name, axis in pair.time_axis.items() if name in failed
    ]
    report.notes += notes.suggestions(pair) + steps


def prepared(
    forward: ForwardFunction, backward: BackwardFunction, inputs: Inputs | None, layout: Layout | None, seed: int
) -> CheckedPair:
    """The pair at its inputs; lists and dicts by step are arrays in it."""
    if inputs is None:
        if layout is None:
            raise TypeError("inputs are missing: a dict by name, or layout= to make them")
        inputs = layout.inputs(seed=seed)
    inputs = contract.nested(inputs, forward)
    if any(map(kind_of_steps, inputs.values())):
        forward, backward, inputs = by_step(forward, backward, inputs)
    return prepare(forward, backward, inputs, seed)


def find_axes(pair: CheckedPair, gates: GateNames | None, time_axis: Mapping[str, int] | None) -> None:
    """The gates and time axes of the pair: as the caller names them, else the layout's, else a recognised cell's."""
    pair.form = recognise(Calls(pair).outputs, pair.inputs.values, pair.analytic, pair.like)
    known = gates_of_form(pair.form, pair.point) if pair.form else {}
    if gates is None:
        gates = (
            pair.layout.gate_rows if pair.layout else {name: (tuple(by.labels), by.axis) for name, by in known.items()}
        )
    if time_axis is None:
        by_form = time_axis_of_form(pair.form, pair.point) if pair.form else {}
        time_axis = pair.layout.time_axis if pair.layout else by_form
    pair.gates, pair.time_axis = gates_of(pair.point, gates, known), time_axes_of(pair.point, time_axis)


def refuse_options(step: Any, like: str | None) -> None:
    if step is not None and not (isinstance(step, (tuple, list)) and len(step) == 2 and all(map(callable, step))):
        raise TypeError(
            f"step must be the two functions of one step, (step_forward, step_backward), got {step!r}; the step size of a "
            "difference is h="
        )
    if like not in (None, *CELLS):
        raise ValueError(f"like must be one of {', '.join(CELLS)}, got {like!r}")


def chosen(
    pair: CheckedPair, how: Settings, method: str, rng: np.random.Generator, tol: float | None, h: float | None
) -> tuple[Settings, str]:
    """The settings, and why differences stand in for the complex step where they do."""
    if how.method != "complex":
        return how, ""
    try:
        refuse_not_analytic(pair, pair.point, rng)
    except NotAnalytic as reason:
        if method == "complex":
            raise
        return settings("richardson", h, tol, how.elements, how.seed), reason.why
    return how, ""


def step_gates(pair: CheckedPair) -> GateNames:
    """The gates of those inputs that the step takes too."""
    names = pair.step_inputs if isinstance(pair.step_inputs, Mapping) else {}
    return {name: tuple(gates) for name, gates in pair.gates.items() if name in names}
