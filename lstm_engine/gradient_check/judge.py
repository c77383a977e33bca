"""le.assignment: judges recurrent networks that a learner wrote, level by level, and says what is wrong and where to look.

    le.assignment.check(lstm_step_forward, lstm_step_backward)
    le.assignment.check(lstm_forward, lstm_backward, hint=1)

The engine's own forward and backward pass, proved by gradcheck, are what the values and gradients are compared with; so
forward may be written in any way, without complex numbers. Open `verdict.py` for what comes back, `conventions.py` for how a
convention is recognised, `learner.py` for what can go wrong in a call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ..activations import Array
from ..checks import counted
from . import contract
from .adapters import GATES, Layout
from .contract import listed, positional
from .conventions import PLAIN, SIZES, VARIANTS, Truth, Variant, cell_of, close, layouts, standard_inputs
from .equations import CELLS, Cell
from .functions import gradcheck_function
from .learner import Fault, NotWritten, array, call, copied, judging, refuse_unwritten, unchanged
from .recognise import recognise
from .report import Lead
from .source_lines import line_of, line_of_value
from .training_judge import judge_adam, judge_training
from .verdict import NOT_REACHED, OPEN, PASSED, WRONG, Finding, Level, Verdict, Wrong
from .wrong_rows import belongs, letter_of, quantity_of, region_in_words, rows_in_words

Function = Callable[..., Any]
Todo = tuple[int, str, Callable[[], Sequence[str]]]  # a level: number, name, and what it runs, which gives notes
WRONG_GRADIENT = 1e-7  # of the gradient's norm: rounding is a million times smaller, a mistake at unit scale far larger
NAMES = ("the step", "the walk", "whole sequences", "Adam", "training")
OUTPUTS = {"h": "h", "c": "c", "hT": "the last h", "cT": "the last c"}
LETTERS = {"h0": "h'", "c0": "c'"}  # what a step calls the states that it starts from


def check(
    forward: Function, backward: Function, *, like: str | None = None, layout: Layout | None = None, hint: int = 0
) -> Verdict:
    """Judges a forward and a backward function of an LSTM, GRU or simple RNN: of one step, or of all steps.

    Their arguments and results may follow any of the usual conventions (time first or batch first, columns, four matrices or
    one, dicts): it is recognised by the names of forward's arguments and by what forward computes. like: "lstm", "gru" or
    "rnn", if the function's name does not say it. layout: the convention, if its names say too little. hint: 0 to 3.

    A walk is judged with one step, with five, and at the edges: one step, one sequence, zero and large states.
    """
    cell = like or cell_of(forward)
    if cell not in GATES:
        raise ValueError(f"like must be one of {', '.join(GATES)}, got {cell!r}")
    is_step = layout.is_step if layout else any(word in forward.__name__ for word in ("step", "cell", "unit"))

    def pair() -> Pair:
        return Pair.of(forward, backward, cell, is_step, layout)

    levels: list[Todo] = [(1, NAMES[0], lambda: pair().judge(steps=1))]
    if not is_step:
        levels += [(2, NAMES[1], lambda: pair().judge()), (3, NAMES[2], lambda: pair().edges())]
    return judged(levels, hint)


def judged(levels: Sequence[Todo], hint: int = 0) -> Verdict:
    """Runs the levels up to the first that does not pass: a level returns notes, or raises Wrong, Fault or NotWritten."""
    states: list[Level] = []
    finding, notes = None, []
    for number, name, act in levels:
        state = NOT_REACHED
        if finding is None:
            try:
                notes += [note for note in act() if note not in notes]
                state = PASSED
            except NotWritten as missing:
                state, finding = OPEN, Finding(str(missing), f"{missing} is not written yet.")
            except Fault as fault:
                state, finding = WRONG, Finding(fault.function, fault.sentence, place=fault.place)
            except Wrong as wrong:
                state, finding = WRONG, wrong.finding
        states.append(Level(number, name, state))
    return Verdict(states, finding, notes, hint)


def check_adam(adam_step: Function, *, hint: int = 0) -> Verdict:
    """Judges adam_step(w, dw, m, v, t, learning_rate, beta_1, beta_2, epsilon) -> w, m, v beside the engine's Adam."""
    return judged([(4, NAMES[3], lambda: judge_adam(adam_step))], hint)


def check_training(
    train: Function, forward: Function, backward: Function, *, like: str | None = None, hint: int = 0
) -> Verdict:
    """Judges train(batches, parameters, learning_rate) -> losses in 20 steps beside a model of the engine.

    forward and backward are the walk that train uses: they say which convention the batches have.
    """
    cell = like or cell_of(forward)
    return judged([(5, NAMES[4], lambda: training(train, Pair.of(forward, backward, cell, False, None)))], hint)


def training(train: Function, pair: Pair) -> list[str]:
    refuse_unwritten(train)
    if pair.variant != PLAIN:
        raise Fault(
            f"{train.__name__} is judged beside the GRU of the starter, {PLAIN}. Your walk is the variant {pair.variant}."
        )
    return judge_training(train, pair.layout, one_sequence=pair.batch == 1)


def check_all(functions: Mapping[str, Function], *, hint: int = 0) -> Verdict:
    """Judges all functions of a starter, by name, up to the first level that does not pass.

    The cell is the one whose name the functions have: lstm_step_forward, gru_forward, ... Fault-like findings name a function
    that is missing.
    """
    names = [name for name in functions if re.fullmatch(r"(lstm|gru|rnn)_(step_|cell_)?(forward|backward)", name)]
    levels: list[Todo] = []
    if names or "adam_step" not in functions:
        cell = names[0].partition("_")[0] if names else "lstm"
        kind = "cell" if any("_cell_" in name for name in names) else "step"
        step = [f"{cell}_{kind}_forward", f"{cell}_{kind}_backward"]
        walk = [f"{cell}_forward", f"{cell}_backward"]
        one_step_alone = any(name in functions for name in step) or not any(name in functions for name in walk)

        def pair(of: list[str]) -> Pair:
            return Pair.of(needed(functions, of[0]), needed(functions, of[1]), cell, of is step, None)

        levels = [
            (1, NAMES[0], lambda: pair(step if one_step_alone else walk).judge(steps=1)),
            (2, NAMES[1], lambda: pair(walk).judge()),
            (3, NAMES[2], lambda: pair(walk).edges()),
        ]
    levels.append((4, NAMES[3], lambda: judge_adam(needed(functions, "adam_step"))))
    if names:
        levels.append((5, NAMES[4], lambda: training(needed(functions, "train"), pair(walk))))
    return judged(levels, hint)


def needed(functions: Mapping[str, Function], name: str) -> Function:
    """The function of this name; Fault if there is none."""
    if name not in functions:
        raise Fault(f"There is no function {name}: the starter has it (lstm-engine assignment new DIR writes one).")
    return functions[name]


# -- a pair of functions -----------------------------------------------------------------------------------------------


@dataclass
class Pair:
    """A learner's forward and backward in a convention that has been recognised."""

    forward: Function
    backward: Function
    layout: Layout
    batch: int
    notes: list[str]
    variant: Variant = PLAIN  # of a GRU

    @classmethod
    def of(cls, forward: Function, backward: Function, cell: str, is_step: bool, layout: Layout | None) -> Pair:
        """The pair, with its convention. NotWritten or Fault if forward cannot be called in any."""
        refuse_unwritten(forward)
        options = [layout] if layout else layouts(forward, cell, is_step)
        # Karpathy's columns are one sequence: their gradients are not summed over a batch
        batch = 1 if any(p.name == "hprev" for p in positional(forward)) else SIZES["batch"]
        fallback: tuple[Layout, Any] | None = None
        fault: Fault | None = None
        for option in options:
            pair = cls(forward, backward, option, batch, [])
            try:
                standard = standard_inputs(option, batch=batch)
                outputs = pair.call_forward(option.laid_out(standard))
            except Fault as error:
                fault = fault or error
                continue
            for pair.variant in VARIANTS.get(cell, [PLAIN]):
                kinds = pair.kinds(outputs, pair.truth(standard))
                if kinds[0] == "h":
                    break
            if kinds[0] == "h":
                pair.layout = replace(option, returns=kinds)
                if pair.variant != PLAIN:
                    pair.notes.append(f"your GRU is the variant {pair.variant}, which is judged as it is.")
                if option.gates != options[0].gates:
                    pair.notes.append(
                        f"your gates stand in the order {' '.join(option.gates)}, which is judged as it is."
                    )
                return pair
            if fallback is None and np.shape(outputs.values[0]) == np.shape(pair.theirs("h", pair.truth(standard))):
                fallback = option, kinds
        if fallback is None:
            raise fault or Fault(f"{forward.__name__} does not return h in the shape that its x has: see the starter.")
        option, kinds = fallback
        return cls(forward, backward, replace(option, returns=("h", *kinds[1:])), batch, [])

    def truth(self, standard: Mapping[str, Array]) -> Truth:
        return Truth(self.layout, standard, self.variant)

    # -- calling -------------------------------------------------------------------------------------------------------

    def call_forward(self, arguments: dict[str, Any]) -> Outputs:
        """forward's outputs. Fault where it stops, changes its arguments, or returns something else."""
        with judging(self.forward):
            name = self.forward.__name__
            returned = unchanged(self.forward, arguments)
            states = "h, c" if self.layout.is_step and self.layout.cell == "lstm" else "h"
            expected = f"expected {states} and a cache"
            if returned is None:
                raise Fault(f"{name} returns None, {expected}. Does it end with return?")
            if not isinstance(returned, tuple) or len(returned) < 2:
                raise Fault(f"{name} returns {contract.type_of(returned)}, {expected}: return {states}, cache.")
            *outputs, cache = returned
            in_tuple = len(outputs) == 1 and isinstance(outputs[0], tuple)
            outputs = list(outputs[0]) if in_tuple else outputs
            arguments_of_backward = len([p for p in positional(self.backward) if p.default is p.empty])
            as_tuple = in_tuple and arguments_of_backward == 2
            taken = len(outputs) if as_tuple else max(1, min(len(outputs), arguments_of_backward - 1))
            return Outputs(outputs, cache, as_tuple, taken)

    def kinds(self, outputs: Outputs, truth: Truth) -> tuple[str | None, ...]:
        """What each output is by its value, "h", "c", "hT" or "cT"; None if backward takes no gradient of it."""
        kinds: list[str | None] = []
        for k, y in enumerate(outputs.values):
            left = [kind for kind in truth.outputs if kind not in kinds]
            fit = [kind for kind in left if same(y, self.theirs(kind, truth))]
            if k > 0 and not fit:  # a wrong value of the right shape
                left = [kind for kind in left if kind not in ("h", "hT")]
                fit = [kind for kind in left if np.shape(y) == np.shape(self.theirs(kind, truth))]
            kinds.append(fit[0] if fit and k < outputs.taken else None)
        return tuple(kinds)

    def theirs(self, kind: str, truth: Truth) -> Any:
        return self.layout.axes_as_theirs(kind, truth.outputs[kind])

    def call_backward(self, upstream: Sequence[Any], outputs: Outputs, arguments: dict[str, Any]) -> dict[str, Array]:
        """backward's gradients by the names of forward's arguments, each of the right shape; else Fault."""
        inputs = contract.named(arguments, self.forward)
        upstream = [copied(v) for v in upstream]
        before = [copied(v) for v in upstream]
        with judging(self.backward):
            returned = call(
                self.backward, *([tuple(upstream)] if outputs.as_tuple else upstream[: outputs.taken]), outputs.cache
            )
            if any(not same(a, b) for a, b in zip(upstream, before, strict=True)):
                self.note(
                    f"{self.backward.__name__} changes the upstream gradient in place: who calls it may still need it."
                )
            gradients = by_name(returned, inputs, self.backward.__name__)
            for key, role in self.layout.roles.items():
                if isinstance(role, str):
                    what = f"{self.backward.__name__}: d{key}"
                    if key not in gradients:
                        raise Fault(
                            f"{what} is missing: expected the gradient of every argument of {self.forward.__name__}."
                        )
                    gradients[key] = array(gradients[key], np.shape(inputs.values[key]), what)
        return {key: gradients[key] for key, role in self.layout.roles.items() if isinstance(role, str)}

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    # -- judging -------------------------------------------------------------------------------------------------------

    def judge(self, steps: int = 5, scale: float = 1.0, when: str = "", **sizes: int) -> list[str]:
        """Compares values, then gradients, with the engine's at random inputs. Raises Wrong or Fault."""
        standard = standard_inputs(self.layout, scale, steps=steps, **({"batch": self.batch} | sizes))
        truth = self.truth(standard)
        arguments = self.layout.laid_out(standard)
        outputs = self.call_forward(arguments)
        self.judge_values(outputs, truth, when)
        rng = np.random.default_rng(1)
        upstream = {kind: rng.standard_normal(truth.outputs[kind].shape) for kind in self.layout.returns if kind}
        theirs = [
            self.layout.axes_as_theirs(kind, upstream[kind]) if kind else np.zeros(np.shape(y))
            for kind, y in zip(self.layout.returns, outputs.values, strict=True)
        ]
        gradients = self.layout.standard_gradients(self.call_backward(theirs, outputs, arguments))
        ours = truth.gradients(upstream)
        named = {name: g for name, g in zip(self.layout.standard_names, gradients, strict=True) if g is not None}
        rows = row_errors(named, ours, self.layout)
        wrong = [name for name, error in rows.items() if not error < (WRONG_GRADIENT if scale == 1 else 1e-4)]
        if wrong:
            raise Wrong(self.finding(wrong, list(rows), when))
        return self.notes

    def edges(self) -> list[str]:
        """One step, one sequence, other sizes, and gates that are shut or open to the last bit."""
        self.judge(steps=1, when="with one step, T = 1")
        self.judge(batch=1, when="with one sequence in the batch")
        self.judge(steps=12, units=7, features=2, when="with 12 steps, 7 units and 2 features")
        standard = standard_inputs(self.layout, 1000.0, batch=self.batch)
        outputs = self.call_forward(self.layout.laid_out(standard))
        self.judge_values(outputs, self.truth(standard), "with W, U and b 1,000 times as large")
        return self.notes

    def judge_values(self, outputs: Outputs, truth: Truth, when: str) -> None:
        """Raises Fault or Wrong unless every output of forward is the engine's."""
        name = self.forward.__name__
        for k, kind in enumerate(self.layout.returns):
            if kind is None:
                continue
            letter = OUTPUTS[kind]
            expected = np.asarray(self.theirs(kind, truth))
            with judging(self.forward):
                y = array(outputs.values[k], expected.shape, f"{name}{when and ' ' + when}: {letter}")
            if not close(y, expected):
                raise Wrong(self.forward_finding(kind, outputs, truth, when))

    def forward_finding(self, kind: str, outputs: Outputs, truth: Truth, when: str) -> Finding:
        """What is wrong with forward."""
        name, cell = self.forward.__name__, self.layout.cell
        if when:
            return Finding(
                name, f"{name} {when}: h is not the engine's, though it is at the sizes of the level before.", "h"
            )
        if not self.layout.is_step and len(truth.outputs["h"]) > 1:
            ours = self.layout.axes_as_ours(kind, outputs.values[self.layout.returns.index(kind)])
            wrong = [t for t in range(len(ours)) if not close(ours[t], truth.outputs[kind][t])] if kind in "hc" else []
            if wrong and wrong[0] > 0:
                sentence = f"{name}: h is right at step 0 and wrong from step {wrong[0]} on."
                equation = "h' of a step is h of the step before" + ", c' is c" * (cell == "lstm")
                return Finding(name, sentence, "h'", "Look at what goes from one step to the next.", equation)
        if not self.layout.is_step and self.right_from_zero():
            sentence = f"{name}: h is right when the first states are 0, and wrong when they are not."
            equation = "h' of step 0 is h0" + ", c' is c0" * (cell == "lstm")
            return Finding(name, sentence, "h0", "Look at where the states of the first step come from.", equation)
        bad = self.wrong_outputs(outputs, truth)
        seen = f"{name}: {listed(bad)} {'is' if len(bad) == 1 else 'are'} wrong"
        equations = CELLS[cell][0]
        cell_of_forward = self.cell_of_forward()
        if cell_of_forward and (differs := cell_of_forward.differs):
            letter = letter_of(differs)
            what = "a known variant, which is not what is asked for" if cell_of_forward.known else "this slip"
            equation = equations.equation(letter) if letter in equations.forward else ""
            return Finding(
                name, f"{seen}: look at {letter}.", letter, "One equation of the forward pass is not the cell's.", equation,
                f"Your values are exactly those of {what}: {differs}.", line_of_value(letter, self.forward),
            )  # fmt: skip
        shown = "   ".join(
            equations.equation(line) for line in equations.forward if not line.startswith(("z_", "tanh_"))
        )
        return Finding(
            name, f"{seen}.", "", "More than one equation differs, or an array lies otherwise than asked.", shown
        )

    def right_from_zero(self) -> bool:
        """Whether forward gives the engine's values when the first states are 0."""
        inputs = standard_inputs(self.layout, steps=3, batch=self.batch)
        inputs = {name: a * (name not in ("h0", "c0")) for name, a in inputs.items()}
        return not self.wrong_outputs(self.call_forward(self.layout.laid_out(inputs)), self.truth(inputs))

    def wrong_outputs(self, outputs: Outputs, truth: Truth) -> list[str]:
        """The outputs that are not the engine's, in letters."""
        pairs = zip(self.layout.returns, outputs.values, strict=False)
        return [OUTPUTS[kind] for kind, y in pairs if kind and not same(y, self.theirs(kind, truth))]

    def cell_of_forward(self) -> Cell | None:
        """The cell that forward computes, which differs from the one that is asked for; None where that cannot be told."""
        inputs = self.layout.laid_out(standard_inputs(self.layout, batch=self.batch))
        arguments = contract.named(inputs, self.forward)
        floats = {name: arguments.values[name] for name, role in self.layout.roles.items() if isinstance(role, str)}

        def outputs(values: dict[str, Any]) -> list[Array]:
            nested = arguments.call_with(arguments.values | values)
            seen = self.call_forward(dict(zip(arguments.arguments, nested, strict=True)))
            return [np.asarray(y, float) for y in seen.values]

        form = recognise(outputs, floats, list(floats), self.layout.cell)
        return form.cell if form else None

    def finding(self, wrong: list[str], every: list[str], when: str) -> Finding:
        """The sentence about wrong rows, and what the lead says about them."""
        name = self.backward.__name__
        seen = rows_in_words(wrong, every)
        if when:
            return Finding(
                name, f"{name} {when}: {seen}", "", "The gradients are right at the sizes of the level before."
            )
        lead = self.lead()
        quantity = lead.quantity if lead else quantity_of(wrong, every)
        if lead and lead.region == "order of gradients":
            quantity = ", ".join(f"δ{row}" for row in wrong)
        if self.layout.is_step:  # a step has no first state of its own
            quantity = ", ".join(part for part in quantity.split(", ") if not part.endswith("0"))
        sentence = f"{name}: {seen.removesuffix('.')}: look at {quantity}." if quantity else f"{name}: {seen}"
        if lead is None:
            return Finding(name, sentence, quantity)
        gates = "".join(self.layout.gates)
        place = line_of(quantity.split(", ")[0], self.backward, gates) if quantity else None
        return Finding(
            name, sentence, quantity, region_in_words(lead.region), lead.equation, belongs(lead, quantity), place
        )

    def lead(self) -> Lead | None:
        """Where the mistake is, by experiments with the two functions; None if they say nothing."""
        standard = standard_inputs(self.layout, batch=self.batch, **({} if self.layout.is_step else {"steps": 5}))
        by_step = isinstance(self.call_forward(self.layout.laid_out(standard)).values[0], list)
        inputs = replace(self.layout, steps="list" if by_step else "array").laid_out(standard)
        return gradcheck_function(self.forward, self.backward, inputs).lead


def together(gradient: Any) -> Any:
    """A list by step as one array; anything else as it is."""
    if not isinstance(gradient, (list, tuple)):
        return gradient
    try:
        return np.asarray(gradient)
    except ValueError:  # of different shapes
        return gradient


class Outputs(NamedTuple):
    """What forward returned, and how backward takes the gradients of it."""

    values: list[Any]
    cache: Any
    as_tuple: bool  # backward((dh, dc), cache), not backward(dh, dc, cache)
    taken: int  # of how many outputs


def by_name(returned: Any, inputs: contract.Arguments, name: str) -> dict[str, Any]:
    """The gradients that backward returned, by the names of forward's arguments."""
    expected = [f"d{key}" for key in inputs.arguments]
    if returned is None:
        raise Fault(f"{name} returns None, expected the gradients {', '.join(expected)}. Does it end with return?")
    if not isinstance(returned, (tuple, list, dict)):
        raise Fault(f"{name} returns {contract.type_of(returned)}, expected {', '.join(expected)}.")
    if not isinstance(returned, dict) and len(returned) not in (len(expected), len(inputs.values)):
        raise Fault(
            f"{name} returns {counted(len(returned), 'value')}, expected {len(expected)}: {', '.join(expected)}."
        )
    if isinstance(returned, dict):
        returned = {key: together(g) for key, g in returned.items()}
    else:
        returned = tuple(together(g) for g in returned)
    try:
        return dict(contract.by_name(returned, inputs))
    except (ValueError, TypeError) as error:
        raise Fault(f"{name}: {error}.") from error


def same(y: Any, expected: Any) -> bool:
    try:
        return close(np.asarray(y, float), np.asarray(expected, float))
    except (ValueError, TypeError):
        return False


def row_errors(gradients: Mapping[str, Array], truth: Mapping[str, Array], layout: Layout) -> dict[str, float]:
    """By row, "x", "h'", "W_f", ...: how far a gradient is from the engine's, as a share of that one's norm."""
    gates, errors = GATES[layout.cell], {}
    for name, right in truth.items():
        letters = gates if name in "WUb" and len(gates) > 1 else ""
        pairs = [(LETTERS.get(name, name) if layout.is_step else name, gradients[name], right)]
        if letters:
            halves = (np.split(a, len(letters), axis=-1) for a in (gradients[name], right))
            pairs = [
                (f"{name}_{letter}", *both) for letter, both in zip(letters, zip(*halves, strict=True), strict=True)
            ]
        for row, g, r in pairs:
            errors[row] = float(np.linalg.norm(g - r) / max(float(np.linalg.norm(r)), 1e-12))
    return errors
