"""Where the mistake is: experiments with the caller's own two functions, and a sentence about what they show.

Begin with `find_lead`. Where the cell is recognised (`recognise.py`), the right gradients of any walk are known from the
equations, so that few, small walks show which blocks are wrong, and a known slip (`slips.py`) that computes the same wrong
gradients is the mistake. Elsewhere the number of steps is swept. What the experiments do not show is not said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..activations import Array
from . import places
from .equations import Blocks, Cell, Step, walk, walk_back, written
from .pair import Calls, CheckedPair
from .recognise import Form
from .report import FAILED, Lead, Report
from .slips import BETWEEN, INSIDE, SUM, UPSTREAM, Slip, reaches, slips_of
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
    off = np.abs(a - b).max(initial=0.0)
    return bool(off <= 1e-14 or off <= EQUAL * max(np.abs(a).max(initial=0.0), np.abs(b).max(initial=0.0)) + 1e-14)


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
        return region_lead(calls, form, done)
    return swept_lead(calls, pair)


LIKE = {"lstm": "an LSTM", "gru": "a GRU", "rnn": "a simple RNN"}


def forward_note(form: Form | None, like: str | None) -> list[str]:
    """How the forward pass differs from the cell that it is meant to be: one note, or none.

    like: the cell that the caller names. form: what `recognise` gives, with the same `like`.
    """
    if form is not None:
        cell = form.cell
        what = f"that of a known variant of {cell.article}" if cell.known else f"not {cell.article}'s"
        return [f"forward is {what}: {cell.differs}."] if cell.differs else []
    if like is None:
        return []
    return [
        f"forward does not give the values of {LIKE[like]}, in whatever way its arrays lie: it computes something else, or "
        "a variant (a mask, peepholes, a projection, normalization, the steps in reverse), or the arrays lie in a way that "
        "is not known; layout= says how they do."
    ]


# -- a recognised cell -------------------------------------------------------------------------------------------------


def experiment(
    calls: Calls, form: Form, steps: int, batch: int, seed: int, scale: float = 1.0, only: int | None = None,
    without: str = "",
) -> Experiment | None:  # fmt: skip
    """One walk with random inputs and upstream gradients; None if the functions refuse it, or if backward gives NaN.

    only: the one output that gets an upstream gradient. without: a kind of parameter that is 0, "U".
    """
    rng = np.random.default_rng((seed, steps, batch))
    values = form.draw(rng, calls.values, steps, batch)
    values |= {name: part.without(without, values[name]) for name, part in form.parts.items() if without in part.kinds}
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
    steps = [1] if form.is_step else [1, 2, 3]
    batch = next((size for size in (2, B) if experiment(calls, form, steps[-1], size, seed=1)), B)
    done = [experiment(calls, form, n, batch, seed=1) for n in steps]
    done += [
        experiment(calls, form, 4, batch + (batch > 1), seed=2),
        experiment(calls, form, 2, batch, seed=3, scale=30.0),
    ]
    if not any(done):
        done = [experiment(calls, form, T, B, seed=1)]
    outputs = [k for k, where in enumerate(form.outputs[: calls.taken]) if where]
    if len(outputs) > 1:
        done += [experiment(calls, form, 2, batch, seed=4, only=k) for k in outputs]
    return [each for each in done if each]


def matched(cell: Cell, each: Experiment, changed: Mapping[str, str]) -> Iterator[bool]:
    """Block by block, whether the equations with these lines replaced give the caller's; few callers want them all."""
    try:
        with np.errstate(all="ignore"):
            computed = walk_back(cell, each.steps, each.upstream, changed)
    except ValueError:  # a slip whose shapes fit only where D = H
        computed = {key: np.full(a.shape, np.nan) for key, a in each.right.items()}
    return (equal(seen.gradient, computed.get(seen.key, each.right[seen.key])) for seen in each.seen)


def blocks_wrong(each: Experiment) -> set[str]:
    """The wrong blocks by the names that `slips.reaches` gives them."""
    return {f"{kind}_{gate}" if gate else kind for kind, gate in (seen.key for seen in each.wrong())}


def single_slips(cell: Cell, done: Sequence[Experiment]) -> list[Slip]:
    """The slips that give all the caller's gradients in all experiments, those with the fewest changed lines first."""
    left = list(slips_of(cell.name))
    for each in done:
        wrong, one_step = blocks_wrong(each), len(each.steps) == 1
        left = [slip for slip in left if wrong <= reaches(slip, cell, one_step)]
    for each in done:
        left = [slip for slip in left if all(matched(cell, each, slip.changed))]
    return sorted(left, key=lambda slip: len(slip.changed))


def several_slips(cell: Cell, done: Sequence[Experiment]) -> tuple[list[Slip], bool]:
    """Slips that together come nearest, one after the other, each making right what was wrong and breaking nothing."""
    changed: dict[str, str] = {}
    taken: list[Slip] = []
    for _ in range(ROUNDS):
        best = nearest_slip(cell, done[:2], changed)
        if best is None:
            break
        taken.append(best)
        changed |= best.changed
        if all(all(matched(cell, each, changed)) for each in done):
            return taken, True
    return taken, False


def nearest_slip(cell: Cell, small: Sequence[Experiment], changed: dict[str, str]) -> Slip | None:
    """The slip that, beside those in `changed`, makes most blocks right and none wrong."""
    before = [list(matched(cell, each, changed)) for each in small]
    left = [
        {
            f"{kind}_{gate}" if gate else kind
            for (_, (kind, gate), _), ok in zip(each.seen, right, strict=True)
            if not ok
        }
        for each, right in zip(small, before, strict=True)
    ]
    best, most = None, 0
    for slip in slips_of(cell.name):
        if any(line in changed for line in slip.changed) or "order" in slip.changed:
            continue
        if not any(wrong & reaches(slip, cell, len(each.steps) == 1) for each, wrong in zip(small, left, strict=True)):
            continue
        gained = 0
        for each, right in zip(small, before, strict=True):
            for is_right, was_right in zip(matched(cell, each, changed | slip.changed), right, strict=True):
                if was_right and not is_right:
                    break
                gained += is_right - was_right
            else:
                continue
            break
        else:
            if gained > most:
                best, most = slip, gained
    return best


def recognised_lead(form: Form, done: Sequence[Experiment]) -> Lead | None:
    """The lead for a function whose cell is known, if known slips explain its gradients."""
    fits = single_slips(form.cell, done)
    if fits:
        return slip_lead(form, done, fits)
    taken, all_explained = several_slips(form.cell, done)
    return pair_lead(form, done, taken) if all_explained else None


# -- sentences ---------------------------------------------------------------------------------------------------------


def right_equation(cell: Cell, line: str) -> str:
    """The equation of a line; of all gates together with k for the gate."""
    if line == "δn":
        return "δ(h'U_ĥ + b'_ĥ) = δz_ĥ∘r"
    if line.startswith("δz_") and ", " in line:
        return "δz, its gates in the order of W"
    if line in cell.step:
        return cell.equation(line)
    kind = line.removeprefix("δ")
    general = {
        "W": "δW = Σ xᵀδz", "U": "δU = Σ h'ᵀδz", "b": "δb = Σ δz", "v": "δb' = Σ δz", 
        "h0": "δh0 = δh' of step 0", "c0": "δc0 = δc' of step 0",
        "W, δU, δb": "δW = Σ xᵀδz, δU = Σ h'ᵀδz, δb = Σ δz", "W, δU": "δW = Σ xᵀδz, δU = Σ h'ᵀδz",
    }  # fmt: skip
    return general.get(kind, "")


def slip_lead(form: Form, done: Sequence[Experiment], fits: Sequence[Slip]) -> Lead:
    """What a slip that explains everything says."""
    slip, say = fits[0], in_a_step if form.is_step else str
    equation = right_equation(form.cell, slip.line)
    sentence = f"{only_wrong(done, follows(form, done, [slip]))}look at {equation or slip.quantity}. {computes(slip)}"
    other = next((other for other in fits if place(other) != place(slip)), None)
    if other is not None:
        sentence += f" The same gradients come of {other.quantity}: {other.instead}."
    ignored = form.is_step and slip.region == BETWEEN and slip.line in ("δh", "δc")
    return Lead(
        region=UPSTREAM if ignored else slip.region,
        quantity=slip.quantity if other is None else f"{slip.quantity}, {other.quantity}",
        sentence=say(sentence[0].upper() + sentence[1:] if sentence[0] in "lo" else sentence),
        equation=say(equation),
        instead=say(slip.instead),
        follows=follows(form, done, [slip]),
        certain=True,
    )


def in_a_step(text: str) -> str:
    """An equation as one step alone has it: what comes from the step after is the upstream gradient, dh or dc."""
    text = re.sub(r"(?:upstream \+ )?δ([hc])'₊₁", r"d\1", text)
    return re.sub(r"= upstream(?=$|[.;])", "= 0", text.replace("= upstream + ", "= "))


def computes(slip: Slip) -> str:
    """What stands in the code, as a sentence."""
    if slip.words:
        return f"Your gradients are exactly those of this slip: {slip.words}."
    return f"Your gradients are exactly those of {slip.quantity} = {slip.instead}."


def place(slip: Slip) -> str:
    """Slips of δf and of δz_f lie in one line of most people's code."""
    return slip.line.replace("δz_", "δ")


def only_wrong(done: Sequence[Experiment], following: Sequence[str]) -> str:
    """Which gradients are wrong after one step, where this says something, and which of them only follow."""
    one = done[0]
    names = list(dict.fromkeys(seen.name for seen in one.wrong()))
    shown = {seen.name for seen in one.seen if np.any(seen.gradient) or np.any(one.right[seen.key])}
    if len(one.steps) > 1 or not names or len(names) == len(shown) or len(names) > 5:
        return ""
    first = [name for name in names if name not in following]
    labels = ", ".join(with_gates(one, name) for name in (first or names))
    are = "is" if len(first or names) == 1 else "are"
    if not first or len(first) == len(names):
        return f"After one step only {labels} {are} wrong: "
    rest = ", ".join(name for name in names if name in following)
    return f"After one step {labels} {are} wrong, and what follows from it, {rest}: "


def with_gates(one: Experiment, name: str) -> str:
    """The input's name, with its wrong gates where others of it are right: "W (f)"."""
    wrong = [seen.key[1] for seen in one.wrong() if seen.name == name]
    every = [seen.key[1] for seen in one.seen if seen.name == name]
    gates = list(dict.fromkeys(wrong))
    return f"{name} ({', '.join(gates)})" if len(gates) < len(set(every)) else name


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
    """The lead if the gradients of the layer after the cell are wrong: V (H, K) and its bias."""
    head = form.head
    assert head is not None
    wrong = list(dict.fromkeys(seen.name for each in done for seen in each.wrong()))
    shown = {seen.name for each in done for seen in each.seen}
    below = tuple(name for name in wrong if name not in (head.V, head.bias))
    h = "h of the last step" if head.last else "h of the same step"
    of_V, of_bias = f"δ{head.V} = Σ hᵀδy, with the {h}", f"δ{head.bias} = Σ δy"
    if head.bias in wrong and (head.V in wrong or head.V not in shown):
        activation = head.activation or "no activation"
        which = f"of the {head.loss} through {activation}" if head.loss else f"through {activation}"
        return Lead("last layer", "δy", f"The gradients of the layer after the cell, {head.V} and {head.bias}, are wrong "
                    f"already: look at δy, the gradient {which}.", follows=(head.V, head.bias, *below))  # fmt: skip
    if head.bias in wrong:
        text = f"The gradient of {head.bias}, after the cell, is wrong, and that of {head.V} right: look at {of_bias}."
        return Lead("last layer", f"δ{head.bias}", text, of_bias)
    if head.V in wrong and (head.bias in shown or not below):
        right = f", and that of {head.bias} right" if head.bias in shown else ""
        text = f"The gradient of {head.V}, after the cell, is wrong{right}: look at {of_V}."
        return Lead("last layer", f"δ{head.V}", text, of_V)
    if head.V in wrong:
        return Lead(
            "last layer", "", f"The gradient of {head.V}, after the cell, is wrong already: look at {of_V}, and at δy."
        )
    return None


# -- no known slip: what the rows show ---------------------------------------------------------------------------------


def wrong_keys(each: Experiment) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """The blocks that are wrong, and all that are exercised: a block of zeros on both sides says nothing."""
    shown = {seen.key for seen in each.seen if np.any(seen.gradient) or np.any(each.right[seen.key])}
    return {seen.key for seen in each.wrong()}, shown


def wrong_gates(cell: Cell, bad: set[tuple[str, str]], shown: set[tuple[str, str]]) -> list[str]:
    """The gates all of whose exercised blocks are wrong."""
    by_gate = {gate: {key for key in shown if key[1] == gate and key[0] in cell.parameters} for gate in cell.gates}
    return [gate for gate, keys in by_gate.items() if keys and keys <= bad]


def region_lead(calls: Calls, form: Form, done: Sequence[Experiment]) -> Lead:
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
        return one_step_lead(form, bad, shown)
    return more_steps_lead(calls, form, next(each for each in done if each.wrong()))


def gate_lead(cell: Cell, gate: str, head: str) -> Lead:
    """One gate alone is wrong."""
    lines = [line for line in (f"δ{gate}", f"δz_{gate}") if line in cell.step]
    if cell.gates == ("h",):
        lines = ["δz_h"]
    equations = " and ".join(cell.equation(line) for line in lines)
    which = f"only the gate {gate} is wrong: " if len(cell.gates) > 1 else ""
    return Lead(INSIDE, written(lines[0]), f"{head}{which}look at {equations}.", equations)


def one_step_lead(form: Form, bad: set[tuple[str, str]], shown: set[tuple[str, str]]) -> Lead:
    """One step is wrong already: its rows name the gate, or what all wrong gates share."""
    cell, head = form.cell, "With one step, "
    gates = wrong_gates(cell, bad, shown)
    kinds = [kind for kind in cell.parameters if any(k == kind for k, _ in bad)]
    if len(gates) == 1:
        return gate_lead(cell, gates[0], head)
    if gates:
        return shared_lead(form, bad, shown, gates)
    if kinds:
        line = f"δ{kinds[0]}"
        equation = right_equation(cell, line)
        names = ", ".join(name for name, part in form.parts.items() if kinds[0] in part.kinds)
        return Lead(INSIDE, ", ".join(f"δ{kind}" for kind in kinds),
                    f"{head}the gradient of {names} is wrong and δz right: look at {equation}.", equation)  # fmt: skip
    key, line = next(
        (key, line) for key, line in (("x", "δx"), ("c0", "δc_prev"), ("h0", "δh_prev")) if (key, "") in bad
    )
    name = form.x[0] if key == "x" else form.states[key][0]
    look = f"only the gradient of {name} is wrong: look at {cell.equation(line)}"
    return Lead(INSIDE if key == "x" else BETWEEN, written(line), f"{head}{look}.", cell.equation(line))


def shared_lead(form: Form, bad: set[tuple[str, str]], shown: set[tuple[str, str]], gates: Sequence[str]) -> Lead:
    """Several gates are wrong after one step: δh or δc, which they share, or the δz of each.

    A right c' = δc∘f shows that δc is right, and δh with it.
    """
    cell, head = form.cell, "With one step, "
    listed = ", ".join(gates)
    exercised = {gate for kind, gate in shown if kind in cell.parameters}  # without f where c' is 0
    carried_right = ("c0", "") in shown - bad
    if "c" in cell.states and set(gates) == exercised - {"o"} and "o" in exercised and not carried_right:
        text = f"the gates {listed} are wrong and o is right: look at {cell.equation('δc')}"
        return Lead(INSIDE, "δc", f"{head}{text}, and at what it begins with at the last step.", cell.equation("δc"))
    if set(gates) == {"r", "ĥ"}:
        equations = f"{cell.equation('δĥ')} and {cell.equation('δz_ĥ')}"
        return Lead(INSIDE, "δĥ", f"{head}r and ĥ are wrong, and δr is made of δz_ĥ: look at {equations}.", equations)
    if "c" in cell.states and carried_right:
        text = f"the gates {listed} are wrong, and the gradient of {form.states['c0'][0]} is right, so δc is: look at each δz"
        return Lead(INSIDE, "δz", f"{head}{text}, its factors and its slope.")
    if set(gates) == exercised:
        return Lead(INSIDE, "", f"{head}every gate is wrong: look at δh and at the equations inside a step.")
    return Lead(INSIDE, "", f"{head}the gates {listed} are wrong and the others right: look at their δ, and at the order in "
                "which the gates are stacked.")  # fmt: skip


def more_steps_lead(calls: Calls, form: Form, two: Experiment) -> Lead:
    """One step is right and more are wrong: the sum over the steps, what a step hands back, or a term with h' or c'.

    With U = 0 nothing flows back through h'. What is wrong then lies in a gate or in what c hands back.
    """
    cell = form.cell
    bad, shown = wrong_keys(two)
    parameters = [kind for kind in cell.parameters if any(k == kind for k, _ in shown)]
    wrong = [kind for kind in parameters if any(k == kind for k, _ in bad)]
    states = {"x", "h0", "c0"}
    head = f"One step is right and {len(two.steps)} are wrong"
    if wrong and not any(k in states for k, _ in bad) and (len(wrong) < len(parameters) or ("x", "") in shown):
        listed = ", ".join(f"δ{kind}" for kind in wrong)
        return Lead(
            SUM, listed, f"{head}, in the gradients of parameters alone: look at the sum over the steps in {listed}."
        )
    apart = experiment(calls, form, len(two.steps), two.steps[0]["x"].shape[0], seed=6, without="U")
    if apart is None:
        return Lead(BETWEEN, "", f"{head}: look at what a step hands back, and at how the step before takes it up.")
    bad, shown = wrong_keys(apart)
    bad, shown = ({key for key in keys if key[0] not in ("U", "h0")} for keys in (bad, shown))
    gates = wrong_gates(cell, bad, shown)
    if len(gates) == 1 and len(cell.gates) > 1:
        return gate_lead(cell, gates[0], f"{head}. With U = 0, so that nothing comes back through h', ")
    if gates and "c" in cell.states and "o" not in gates:
        look = f"look at {cell.equation('δc_prev')}, and at how the step before takes it up"
        return Lead(BETWEEN, "δc'", f"{head}, also with U = 0: {look}.", cell.equation("δc_prev"))
    if not bad:
        look = f"look at {cell.equation('δh_prev')}, and at how the step before takes it up"
        return Lead(BETWEEN, "δh'", f"{head}, and with U = 0 right: {look}.", cell.equation("δh_prev"))
    carried = "δh' and δc'" if "c" in cell.states else "δh'"
    return Lead(
        BETWEEN, "", f"{head}: look at what a step hands back, {carried}, and at how the step before takes it up."
    )
