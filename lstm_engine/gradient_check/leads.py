"""Where the mistake is: experiments with the caller's own two functions, and a sentence about what they show.

Begin with `find_lead`. Where the cell is recognised (`recognise.py`), the right gradients of any walk are known from the
equations, so that few, small walks show which blocks are wrong, and a known slip (`slips.py`) that computes the same wrong
gradients is the mistake. Elsewhere the number of steps is swept. What the experiments do not show is not said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..activations import Array
from . import places
from .equations import Blocks, Cell, Step, walk, walk_back, written
from .pair import Calls, CheckedPair
from .recognise import Form
from .report import FAILED, Lead, Report
from .slips import BETWEEN, INSIDE, SUM, Slip, slips_of
from .sweep import swept_lead

EQUAL = 1e-8  # relative to the largest element of a block: rounding is far below, another slip far above
ROUNDS = 3  # as many slips at once are looked for


class Seen(NamedTuple):
    """One block of the caller's gradients."""

    name: str  # of the caller's input
    key: tuple[str, str]  # the block: ("W", "f")
    gradient: Array


@dataclass
class Experiment:
    """One walk: what went in, and the gradients that the caller's backward gives."""

    steps: list[Step]
    upstream: dict[str, Array]
    seen: list[Seen]
    right: Blocks

    def wrong(self) -> list[Seen]:
        return [seen for seen in self.seen if not equal(seen.gradient, self.right[seen.key])]


def equal(a: Array, b: Array) -> bool:
    """To rounding. NaN equals nothing."""
    if a.shape != np.shape(b):
        return False
    size = max(np.abs(a).max(initial=0.0), np.abs(b).max(initial=0.0))
    return bool(np.abs(a - b).max(initial=0.0) <= EQUAL * size + 1e-14)


def find_lead(calls: Calls, form: Form | None, pair: CheckedPair, report: Report) -> Lead | None:
    """Where the mistake is, as far as experiments show it; None if no row failed or nothing more can be said.

    form is what `recognise.recognise` gives for these calls. What the caller's functions raise when they are called with
    other numbers of steps is not raised.
    """
    failed = [name for name in pair.analytic if any(r.parameter == name and r.verdict == FAILED for r in report.rows)]
    if not failed:
        return None
    of_values = (places.in_another_place, places.clipped, places.constant_of_all)
    if (lead := next(filter(None, (look(pair, report, failed) for look in of_values)), None)) is not None:
        return lead
    done = experiments(calls, form) if form is not None else []
    wrong = any(each.wrong() for each in done)
    if form is not None and form.head and wrong and (lead := head_lead(form, done)) is not None:
        return lead
    if form is not None and wrong and (lead := recognised_lead(form, done)) is not None:
        return lead
    if (lead := places.constant(pair, report, failed)) is not None:
        return lead
    if form is not None and wrong:
        return region_lead(form, done)
    return swept_lead(calls, pair)


LIKE = {"lstm": "an LSTM", "gru": "a GRU", "rnn": "a simple RNN"}


def forward_note(form: Form | None, like: str | None) -> str | None:
    """How the forward pass differs from the cell that it is meant to be, or None.

    like: the cell that the caller names. form: what `recognise` gives, with the same `like`.
    """
    if form is not None:
        return f"forward is not {form.cell.article}'s: {form.cell.differs}." if form.cell.differs else None
    if like is None:
        return None
    return (
        f"forward does not give the values of {LIKE[like]}, in whatever way its arrays lie: either it computes something "
        "else, or the arrays lie in a way that is not known; layout= says how they do."
    )


# -- a recognised cell -------------------------------------------------------------------------------------------------


def experiment(
    calls: Calls, form: Form, steps: int, batch: int, seed: int, scale: float = 1.0, only: int | None = None
) -> Experiment | None:
    """One walk with random inputs and upstream gradients; None if the functions refuse it, or if backward gives NaN.

    only: the one output that gets an upstream gradient.
    """
    rng = np.random.default_rng((seed, steps, batch))
    values = form.draw(rng, calls.values, steps, batch)
    try:
        shown = calls.outputs(values)
        states = walk(form.cell, form.standard(values))
        up = upstream_of(form, form.expected(states, values), rng, scale, calls.taken, only)
        given = form.upstream(up, shown)[: calls.taken]
        gradients = calls.gradients(values, given)
        seen = [Seen(*each) for each in form.gradients(gradients)]
    except Exception:  # of the caller's functions: a fixed number of steps, say
        return None
    upstream = {f"up_{s}": up[s] for s in form.cell.states} | {f"end_{s}": up[f"{s}_T"] for s in form.cell.states}
    after: Blocks = {}
    if form.head:
        y = up["loss"] if form.head.loss else up["y_T"][None] if form.head.last else up["y"]
        dh, after = form.head.back(np.array([step["h"] for step in states]), values, y)
        upstream["up_h"] = upstream["up_h"] + dh
    return Experiment(states, upstream, seen, walk_back(form.cell, states, upstream) | after)


def upstream_of(
    form: Form, expected: dict[str, Array], rng: np.random.Generator, scale: float, taken: int, only: int | None
) -> dict[str, Array]:
    """Random upstream gradients of those outputs that backward takes one for; 0 of all others. Of a loss inside it is 1."""
    if taken == 0:
        return {name: np.ones(a.shape) if name == "loss" else np.zeros(a.shape) for name, a in expected.items()}
    outputs = form.outputs[:taken] if only is None else form.outputs[only : only + 1]
    named = {where[0] for where in outputs if where}
    return {name: scale * rng.standard_normal(a.shape) * (name in named) for name, a in expected.items()}


def experiments(calls: Calls, form: Form) -> list[Experiment]:
    """Walks of 1 to 3 steps, a larger one, one with large gradients, and one a single output's upstream gradient."""
    T, B = form.sizes["T"], form.sizes["B"]
    done = [experiment(calls, form, steps, 2, seed=1) for steps in ([1] if form.is_step else [1, 2, 3])]
    if not any(done):
        done = [experiment(calls, form, T, B, seed=1)]
    done += [experiment(calls, form, 4, 3, seed=2), experiment(calls, form, 2, 2, seed=3, scale=30.0)]
    outputs = [k for k, where in enumerate(form.outputs[: calls.taken]) if where]
    if len(outputs) > 1:
        done += [experiment(calls, form, 2, 2, seed=4, only=k) for k in outputs]
    return [each for each in done if each]


def matched(cell: Cell, each: Experiment, changed: Mapping[str, str]) -> list[bool]:
    """Which of the caller's blocks the equations give with these lines replaced."""
    with np.errstate(all="ignore"):
        computed = walk_back(cell, each.steps, each.upstream, changed)
    return [equal(seen.gradient, computed.get(seen.key, each.right[seen.key])) for seen in each.seen]


def single_slips(cell: Cell, done: Sequence[Experiment]) -> list[Slip]:
    """The slips that give all the caller's gradients in all experiments."""
    left = list(slips_of(cell.name))
    for each in done:
        left = [slip for slip in left if all(matched(cell, each, slip.changed))]
    return sorted(left, key=lambda slip: (len(slip.changed), not slip.line.endswith("_prev")))


def several_slips(cell: Cell, done: Sequence[Experiment]) -> tuple[list[Slip], bool]:
    """Slips that together come nearest, one after the other, each making right what was wrong and breaking nothing."""
    small = done[:2]
    changed: dict[str, str] = {}
    taken: list[Slip] = []
    for _ in range(ROUNDS):
        before = [matched(cell, each, changed) for each in small]
        best, most = None, 0
        for slip in slips_of(cell.name):
            if any(line in changed for line in slip.changed) or "order" in slip.changed:
                continue
            gained = 0
            for each, right in zip(small, before, strict=True):
                after = matched(cell, each, changed | slip.changed)
                if any(a and not b for a, b in zip(right, after, strict=True)):
                    break
                gained += sum(after) - sum(right)
            else:
                if gained > most:
                    best, most = slip, gained
        if best is None:
            break
        taken.append(best)
        changed |= best.changed
        if all(all(matched(cell, each, changed)) for each in done):
            return taken, True
    return taken, False


def recognised_lead(form: Form, done: Sequence[Experiment]) -> Lead | None:
    """The lead for a function whose cell is known, if known slips explain its gradients."""
    first = next(k for k, each in enumerate(done) if each.wrong())
    fits = single_slips(form.cell, [done[first], *done[:first], *done[first + 1 :]])
    if fits:
        return slip_lead(form, done, fits)
    taken, all_explained = several_slips(form.cell, done)
    return pair_lead(form, done, taken) if all_explained else None


# -- sentences ---------------------------------------------------------------------------------------------------------


def right_equation(cell: Cell, line: str) -> str:
    """The equation of a line; of all gates together with k for the gate."""
    if line in cell.step:
        return cell.equation(line)
    kind = line.removeprefix("δ")
    general = {
        "W": "δW = Σ xᵀδz", "U": "δU = Σ h'ᵀδz", "b": "δb = Σ δz", "v": "δb' = Σ δz", "z": "δz, its gates in the order of W",
        "h0": "δh0 = δh' of step 0", "c0": "δc0 = δc' of step 0",
        "W, δU, δb": "δW = Σ xᵀδz, δU = Σ h'ᵀδz, δb = Σ δz", "W, δU": "δW = Σ xᵀδz, δU = Σ h'ᵀδz",
    }  # fmt: skip
    return general.get(kind, "")


def slip_lead(form: Form, done: Sequence[Experiment], fits: Sequence[Slip]) -> Lead:
    """What a slip that explains everything says."""
    slip = fits[0]
    equation = right_equation(form.cell, slip.line)
    sentence = f"{only_wrong(form, done)}look at {equation or slip.quantity}. {computes(slip)}"
    others = {place(other) for other in fits} - {place(slip)}
    if others:
        other = next(other for other in fits if place(other) in others)
        sentence += f" The same gradients come of {other.quantity}: {other.instead}."
    return Lead(
        region=slip.region,
        quantity=slip.quantity,
        sentence=sentence[0].upper() + sentence[1:] if sentence[0] in "lo" else sentence,
        equation=equation,
        instead=slip.instead,
        follows=follows(form, done, [slip]),
        certain=True,
    )


def computes(slip: Slip) -> str:
    """What stands in the code, as a sentence."""
    if slip.words:
        return f"Your gradients are exactly those of this slip: {slip.words}."
    return f"Your gradients are exactly those of {slip.quantity} = {slip.instead}."


def place(slip: Slip) -> str:
    """Slips of δf and of δz_f lie in one line of most people's code."""
    return slip.line.replace("δz_", "δ")


def only_wrong(form: Form, done: Sequence[Experiment]) -> str:
    """Which gates' rows fail after one step, where this says something."""
    names = list(dict.fromkeys(seen.name for seen in done[0].wrong()))
    shown = list(dict.fromkeys(seen.name for seen in done[0].seen))
    if not names or len(names) == len(shown) or len(names) > 4:
        return ""
    return f"After one step only {', '.join(names)} {'is' if len(names) == 1 else 'are'} wrong: "


def follows(form: Form, done: Sequence[Experiment], slips: Sequence[Slip]) -> tuple[str, ...]:
    """The inputs whose gradients are wrong only because of the slip: their own lines are right."""
    lines = {line for slip in slips for line in slip.changed}
    mine = set()
    for each in done:
        for seen in each.seen:
            kind, gate = seen.key
            if f"δ{kind}_{gate}" in lines or f"Σ{kind}" in lines or f"δ{kind}" in lines:
                mine.add(seen.name)
            if len(form.cell.gates) > 1 and (f"δ{gate}" in lines or f"δz_{gate}" in lines):
                mine.add(seen.name)
            if kind.endswith("0") and f"δ{kind[0]}_prev" in lines:
                mine.add(seen.name)
    wrong = dict.fromkeys(seen.name for each in done for seen in each.wrong())
    return tuple(name for name in wrong if name not in mine)


def pair_lead(form: Form, done: Sequence[Experiment], slips: Sequence[Slip]) -> Lead:
    """Several slips that together explain everything; the first in the order of the backward pass leads."""
    order = list(form.cell.step)
    slips = sorted(
        slips, key=lambda slip: min((order.index(line) for line in slip.changed if line in order), default=99)
    )
    first = slips[0]
    listed = "; ".join(f"{slip.quantity}: {slip.instead}" for slip in slips)
    equation = right_equation(form.cell, first.line)
    return Lead(
        region=first.region,
        quantity=first.quantity,
        sentence=f"Your gradients are exactly those of {len(slips)} slips together ({listed}): begin with {equation}.",
        equation=equation,
        instead=first.instead,
        follows=follows(form, done, slips),
        certain=True,
    )


# -- the layer after the cell ------------------------------------------------------------------------------------------


def head_lead(form: Form, done: Sequence[Experiment]) -> Lead | None:
    """The lead if the gradients of the layer after the cell are wrong; all that lies below follows."""
    head = form.head
    assert head is not None
    wrong = [seen.name for each in done for seen in each.wrong()]
    shown = {seen.name for each in done for seen in each.seen}
    mine = [name for name in (head.V, head.bias) if name in wrong]
    if not mine:
        return None
    below = tuple(name for name in dict.fromkeys(wrong) if name not in mine)
    h = "h of the last step" if head.last else "h"
    equations = f"δ{head.V} = Σ hᵀδy and δ{head.bias or 'b'} = Σ δy, with {h}"
    if not below and len(mine) < len({head.V, head.bias} & shown):
        name = mine[0]
        return Lead("last layer", f"δ{name}", f"Only the gradient of {name}, in the layer after the cell, is wrong: "
                    f"look at {equations}.", equations)  # fmt: skip
    if not below:
        return Lead("last layer", f"δ{head.V}", f"Only the gradients of the layer after the cell are wrong: {equations}.",
                    equations)  # fmt: skip
    after = (
        f"of the {head.loss} through {head.activation or 'no activation'}"
        if head.loss
        else f"through {head.activation}"
    )
    return Lead("last layer", "δy", f"The gradients of {' and '.join(mine)}, after the cell, are wrong already: look at δy, "
                f"the gradient {after}.", follows=below)  # fmt: skip


# -- no known slip: what the rows show ---------------------------------------------------------------------------------


def wrong_keys(each: Experiment) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """The blocks that are wrong, and all blocks."""
    return {seen.key for seen in each.wrong()}, {seen.key for seen in each.seen}


def region_lead(form: Form, done: Sequence[Experiment]) -> Lead:
    """Region, and the quantity where the rows name it, of a mistake that is no known slip."""
    one = done[0]
    if len(one.steps) > 1:
        names = ", ".join(dict.fromkeys(seen.name for seen in one.wrong()))
        text = (
            "the functions take no other number of steps, so that nothing shows whether the mistake lies inside a step"
        )
        return Lead("", "", f"The gradients of {names} are wrong; {text}.")
    bad, shown = wrong_keys(one)
    if bad:
        return one_step_lead(form, done, bad, shown)
    two = next(each for each in done if each.wrong())
    return more_steps_lead(form, two)


def one_step_lead(
    form: Form, done: Sequence[Experiment], bad: set[tuple[str, str]], shown: set[tuple[str, str]]
) -> Lead:
    """One step is wrong already: its rows name the gate, or what all wrong gates share."""
    cell = form.cell
    parameters = [kind for kind in cell.parameters if any(k == kind for k, _ in shown)]
    kinds_wrong = [kind for kind in parameters if any(k == kind for k, _ in bad)]
    gates = [
        g for g in cell.gates if parameters and all((kind, g) in bad or (kind, g) not in shown for kind in parameters)
    ]
    rows = "With one step, "
    if not gates and kinds_wrong:
        kind = kinds_wrong[0]
        line = f"δ{kind}"
        right = [k for k in parameters if k not in kinds_wrong]
        sentence = f"{rows}the gradient of {kind} is wrong" + (
            f" and that of {', '.join(right)} right" if right else ""
        )
        return Lead(
            INSIDE, written(line), f"{sentence}: look at {right_equation(cell, line)}.", right_equation(cell, line)
        )
    if not gates:
        for key, line in (("x", "δx"), ("c0", "δc_prev"), ("h0", "δh_prev")):
            if (key, "") in bad:
                region = INSIDE if key == "x" else BETWEEN
                look = f"only the gradient of {where(form, key)} is wrong: look at {cell.equation(line)}."
                return Lead(region, written(line), rows + look, cell.equation(line))
    if len(gates) == 1:
        gate = gates[0]
        lines = [line for line in (f"δ{gate}", f"δz_{gate}") if line in cell.step]
        equations = " and ".join(cell.equation(line) for line in lines)
        return Lead(INSIDE, written(lines[0]), f"{rows}only the gate {gate} is wrong: look at {equations}.", equations)
    return shared_lead(form, done[0], gates)


def where(form: Form, key: str) -> str:
    return form.x[0] if key == "x" else form.states.get(key, (key, ""))[0]


def shared_lead(form: Form, one: Experiment, gates: Sequence[str]) -> Lead:
    """Several gates are wrong: what they share is wrong if all are off by the same factors."""
    cell, rows = form.cell, "With one step, "
    listed = ", ".join(gates)
    if cell.name == "LSTM" and set(gates) == {"i", "f", "g"}:
        line, what = "δc", "the gates i, f and g are wrong and o is right"
    elif set(gates) == set(cell.gates):
        line, what = ("δz_h" if cell.gates == ("h",) else "δh"), "every gate is wrong"
    else:
        look = "look at their δz, and at the order in which the gates are stacked"
        return Lead(INSIDE, "δz", f"{rows}the gates {listed} are wrong and the others right: {look}.")
    if line == "δh" and cell.name == "LSTM":
        return Lead(INSIDE, "", f"{rows}{what}: look at the equations inside a step, and at δh before the others.")
    return Lead(INSIDE, written(line), f"{rows}{what}: look at {cell.equation(line)}.", cell.equation(line))


def more_steps_lead(form: Form, two: Experiment) -> Lead:
    """One step is right and more are wrong: the sum over the steps, or what a step hands back and how the next takes it."""
    cell = form.cell
    bad, shown = wrong_keys(two)
    n = len(two.steps)
    parameters = [kind for kind in cell.parameters if any(k == kind for k, _ in shown)]
    wrong = [kind for kind in parameters if any(k == kind for k, _ in bad)]
    states = [key for key in ("x", "h0", "c0") if (key, "") in bad]
    head = f"One step is right and {n} are wrong: "
    if wrong and not states and (len(wrong) < len(parameters) or any(k in ("x", "h0") for k, _ in shown)):
        listed = ", ".join(f"δ{kind}" for kind in wrong)
        return Lead(
            SUM, listed, f"{head}the states' gradients are right, so look at the sum over the steps in {listed}."
        )
    right_gates = {g for g in cell.gates if all((kind, g) not in bad for kind in parameters)}
    if cell.name == "LSTM" and right_gates == {"o"}:
        look = f"the gate o is right, so look at {cell.equation('δc_prev')}, and at how the step before takes it up"
        return Lead(BETWEEN, "δc'", f"{head}{look}.", cell.equation("δc_prev"))
    carried = "δh' and δc'" if "c" in cell.states else "δh'"
    look = f"look at what a step hands back, {carried}, and at how the step before takes it up"
    return Lead(BETWEEN, "" if "c" in cell.states else "δh'", f"{head}{look}.")
