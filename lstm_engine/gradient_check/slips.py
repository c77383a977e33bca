"""Known slips of a backward pass, as rows: which lines of the equations are replaced, by what, and what to call it.

Most rows are generated: in every product each factor is left out or replaced by each other value of its shape, in every sum
each term is left out, doubled or has its sign turned. What no such rule makes (steps walked in the wrong order, clipping,
gates stacked in another order) is listed by hand. A slip is certain when it computes a learner's wrong gradients to rounding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import permutations
from typing import NamedTuple

from .equations import CELLS, VARIANTS, Cell, compiled, written

INSIDE, BETWEEN, SUM, UPSTREAM = "inside a step", "between steps", "sum over steps", "upstream"


class Slip(NamedTuple):
    """One mistake: the lines it replaces, and where a reader has to look."""

    line: str  # the first line that is wrong, "δf"
    changed: dict[str, str]
    region: str
    words: str = ""  # what is done instead, where the replaced line does not say it

    @property
    def quantity(self) -> str:
        """In the field's letters; δU_i and its like, when they are wrong for all gates, are δU."""
        return "δh', δU_ĥ" if self.line == "δn" else written(self.line)

    @property
    def instead(self) -> str:
        """What stands in the code; of a line of all gates without the gate."""
        if self.words:
            return self.words
        text = written(self.changed.get(self.line, next(iter(self.changed.values()))))
        return text if "_" in self.line or self.line == "δx" else re.sub(r"(δz|δ?[WUb])_\w", r"\1", text)


# -- generated rows ----------------------------------------------------------------------------------------------------


def split(expression: str, by: str) -> list[str]:
    """The parts of an expression between `by`, at those places that lie in no brackets."""
    parts, depth, start = [], 0, 0
    for k, letter in enumerate(expression):
        depth += (letter in "([") - (letter in ")]")
        if depth == 0 and expression.startswith(by, k):
            parts.append(expression[start:k])
            start = k + len(by)
    return [*parts, expression[start:]]


def values_of(cell: Cell) -> list[str]:
    """What a factor may be taken for: every value of a step of shape (B, H)."""
    values = [name for name in cell.forward if not name.startswith("z_")]
    values += [f"{s}_prev" for s in cell.states] + [f"z_{gate}" for gate in cell.gates]
    return values + (["tanh(c_prev)"] if "c" in cell.states else [])


def other_steps(name: str) -> tuple[str, str]:
    """A value of the step before and of the step after."""
    return f"steps[max(t - 1, 0)]['{name}']", f"steps[min(t + 1, T - 1)]['{name}']"


def slopes(y: str, gate: str, cell: Cell) -> Iterator[str]:
    """What stands in place of σ1(y) or tanh1(y)."""
    others = [v for v in values_of(cell) if v != y]
    z = "c" if y == "tanh_c" else f"z_{gate}"
    yield from (f"(1 / {name}({y}))" for name in ("σ1", "tanh1"))
    for name in ("σ1", "tanh1", "relu1"):
        yield from (f"{name}({v})" for v in (y, *others, *other_steps(y)))
        yield from (f"{name}({inner})" for inner in (f"σ({y})", f"tanh({y})", f"σ(σ({y}))"))
    yield from (
        y,
        f"(1 - {y})",
        f"{y} * (1 + {y})",
        f"(1 + {y} * {y})",
        f"(1 - tanh({z}))",
        f"({y} * {y})",
        f"σ1({y}) ** 2",
    )
    yield from (
        f"(1 - {y}) ** 2",
        f"tanh1({y}) ** 2",
        f"(1 - {z})",
        f"{z} * (1 - {z})",
        f"{y} * (1 - {y} * {y})",
        f"({y} * {y} - 1)",
    )


def factor_variants(factor: str, cell: Cell, gate: str, deltas: Sequence[str]) -> Iterator[str]:
    """What stands in place of one factor; "" leaves it out."""
    yield ""
    if slope := re.fullmatch(r"(?:σ1|tanh1|relu1)\((\w+)\)", factor):
        yield from (s for s in slopes(slope[1], gate, cell) if s != factor)
    elif factor.startswith("δ"):
        yield from (d for d in deltas if d != factor)
    else:
        value = factor.strip("()")
        yield from (v for v in values_of(cell) if v != factor)
        if value.isidentifier():
            yield from other_steps(value)
        yield from (
            f"(1 - {factor})",
            f"tanh({value})",
            f"tanh(tanh({value}))",
            f"σ({value})",
            f"{factor} * {factor}",
            f"(1 - {factor} * {factor})",
        )
        if " - " in value:
            yield f"({' - '.join(reversed(value.split(' - ')))})"
            yield f"({value.replace(' - ', ' + ')})"
            left, right = value.split(" - ")
            yield from (f"({v} - {right})" for v in values_of(cell) if v != left and left != "1")
            yield from (f"({left} - {v})" for v in values_of(cell) if v != right)
            yield from (f"({part})" for part in (left, right) if part != "1")
        if value == "1 - z":
            yield from ("z", "σ1(z)")


def product_variants(product: str, cell: Cell, gate: str, deltas: Sequence[str]) -> Iterator[str]:
    """A product with one factor changed, left out or added, or with the wrong sign."""
    factors = split(product, " * ")
    for k, factor in enumerate(factors):
        for other in factor_variants(factor, cell, gate, deltas):
            if rest := [*factors[:k], *([other] if other else []), *factors[k + 1 :]]:
                yield " * ".join(rest)
    yield from (f"{product} * {v}" for v in values_of(cell))
    yield f"-{product}"


def sum_variants(expression: str, cell: Cell, deltas: Sequence[str]) -> Iterator[str]:
    """A sum with a term left out, doubled, turned round, or with a changed factor; two terms left out, and only one left."""
    terms = split(expression, " + ")
    for k, term in enumerate(terms):
        before, after = terms[:k], terms[k + 1 :]
        variants = [f"-{term}", f"2 * {term}"]
        if " @ " in term:
            variants += list(matrix_variants(term, cell))
        elif " * " in term:
            variants += list(product_variants(term, cell, "", deltas))
        if len(terms) > 1:
            yield " + ".join(before + after)
        yield from (" + ".join([*before, v, *after]) for v in variants)
    if len(terms) > 2:
        yield from terms
        for k, term in enumerate(terms):
            yield from (" + ".join(t for t in terms if t not in (term, other)) for other in terms[k + 1 :])


def matrix_variants(term: str, cell: Cell) -> Iterator[str]:
    """δz_k U_kᵀ with U not transposed, with another gate's U or δz, or with δk, before its slope."""
    delta, matrix = term.split(" @ ")
    kind, gate = matrix.removesuffix(".T").split("_")
    if kind == "U":
        yield f"{delta} @ {kind}_{gate}"
    yield f"{delta} @ {'W' if kind == 'U' else 'U'}_{gate}.T"  # where D = H
    for other in cell.gates:
        if other != gate:
            yield f"{delta} @ {kind}_{other}.T"
            yield f"δz_{other} @ {matrix}"
    if f"δ{gate}" in cell.step:
        yield f"δ{gate} @ {matrix}"
    if delta == "δn":
        yield f"δz_ĥ @ {matrix}"
    yield from (f"({delta} * {v}) @ {matrix}" for v in values_of(cell))


def region_of(line: str, right: str, wrong: str) -> str:
    """What was changed decides: a carried gradient lies between steps, however the line is called."""
    if line.endswith("_prev"):
        return BETWEEN
    for piece, region in (("_next", BETWEEN), ("up_", UPSTREAM)):
        if right.count(piece) != wrong.count(piece):
            return region
    return INSIDE


def line_slips(cell: Cell) -> Iterator[Slip]:
    """Every line of a step up to δx, changed in each way."""
    deltas: list[str] = []
    deep = deeper(cell)
    for line, right in cell.step.items():
        if re.match(r"δ[WUbv]_", line):
            continue
        gate = line.removeprefix("δz_").removeprefix("δ")
        carried = [f"δ{s}_next" for s in cell.states]
        if " + " in right or " @ " in right:
            variants = list(sum_variants(right, cell, [*deltas, *carried]))
        else:
            variants = list(product_variants(right, cell, gate, [*deltas, *carried]))
        for used, wrongs in deep.items():
            if used != line and re.search(rf"\b{used}\b", right):
                usable = [wrong for wrong in wrongs if "δh_prev" not in wrong or line == "δc_prev"]
                variants += [re.sub(rf"\b{used}\b", f"({wrong})", right) for wrong in usable]
        if line in ("δh_prev", "δx"):
            variants += reordered(right, cell)
            if line == "δh_prev":
                variants.append(right.replace(".T", ""))
            here, there = ("U", "W") if line == "δh_prev" else ("W", "U")
            variants.append(re.sub(rf"\b{here}_", f"{there}_", right))  # where D = H
        for wrong in dict.fromkeys(variants):
            yield Slip(line, {line: wrong}, region_of(line, right, wrong))
        if (not line.startswith("δz_") and line not in ("δx", "δh_prev", "δc_prev")) or line.startswith("δz_"):
            deltas.append(line)


def reordered(right: str, cell: Cell) -> list[str]:
    """δz stacked in another order than W or U."""
    texts = []
    for order in permutations(cell.gates):
        other = dict(zip(cell.gates, order, strict=True))
        text = right
        for gate in cell.gates:
            text = re.sub(rf"\b([UW])_{gate}\.T", rf"\1_<{other[gate]}>.T", text)
        texts.append(re.sub(r"<(\w)>", r"\1", text))
    return texts[1:]


def deeper(cell: Cell) -> dict[str, list[str]]:
    """For code that writes δc or δh out anew in every line that uses it: what may then be wrong in one of them alone."""
    found: dict[str, list[str]] = {}
    for line in ("δh", "δc"):
        if line in cell.step:
            found[line] = list(dict.fromkeys(sum_variants(cell.step[line], cell, [f"δ{s}_next" for s in cell.states])))
    if "δc" in cell.step:
        late = cell.step["δc"].replace("δh *", "δh_prev *")
        found["δc"] += [late, "δc * f"]
    return found


# -- rows about parameters, sums, carried gradients ------------------------------------------------------------------------


def parameter_slips(cell: Cell) -> Iterator[Slip]:
    """δW, δU, δb of a step: for one gate and for all of them."""
    states = [f"{s}" for s in cell.states] + (["c_prev", "tanh_c"] if "c" in cell.states else [])
    inputs = {"W": ["xs[t - 1]", "xs[min(t + 1, T - 1)]", "xs[0]", "xs[T - 1]"],
              "U": [*states, "hs[max(t - 1, 0)]", "hs[t - 1]", "hs[0]", "hs[T]", "hs[T - 1]"]}  # fmt: skip
    for kind in cell.parameters:
        by_gate: dict[str, dict[str, str]] = {}
        for gate in cell.gates:
            line = f"δ{kind}_{gate}"
            right = cell.step[line]
            wrong = dict(enumerate(parameter_variants(right, gate, inputs.get(kind, []), cell)))
            for key, text in wrong.items():
                if text != right:
                    by_gate.setdefault(str(key), {})[line] = text
                    yield Slip(line, {line: text}, INSIDE)
        for changed in by_gate.values():
            if len(changed) > 1:
                yield Slip(f"δ{kind}", changed, INSIDE)


def parameter_variants(right: str, gate: str, inputs: list[str], cell: Cell) -> Iterator[str]:
    delta = re.search(r"δ\w+", right)
    assert delta is not None
    others = [f"δz_{k}" for k in cell.gates] + ([f"δ{gate}"] if f"δ{gate}" in cell.step else [])
    yield from (right.replace(delta[0], other) for other in others)
    yield from (f"{right} / B", f"-{right}", f"0 * {right}", f"2 * {right}", f"{right} * T")
    if " @ " in right:
        left, _ = right.split(".T @ ")
        yield from (f"{other}.T @ {delta[0]}" for other in inputs if other != left)
        yield f"{left}[-1:].T @ {delta[0]}[-1:]"
        yield f"{left}[:1].T @ {delta[0]}[:1]"
        yield f"{left}.T @ ({delta[0]} * h_prev)"
        if "r * h_prev" in left:
            yield from (
                f"{other}.T @ {delta[0]}" for other in ("h_prev", "(z * h_prev)", "r", "h", "(r * h)", "(ĥ * h_prev)")
            )
        if delta[0] == "δn":
            yield from (f"{left}.T @ {other}" for other in ("δz_ĥ", "(δz_ĥ * z)"))
    else:
        yield from (f"{delta[0]}.mean(0)", f"{delta[0]}[0]", f"{delta[0]}[-1]", f"{delta[0]}.sum() + 0 * {right}",
                    f"{delta[0]}.mean() + 0 * {right}")  # fmt: skip


def sum_slips(cell: Cell) -> Iterator[Slip]:
    """The sums over the steps: of one kind of parameter, and of all."""
    ways = {
        "δ": "only step 0 is kept: each step overwrites the sum (`=` for `+=`)",
        "Σ + δ * (k == 0)": "only the last step is kept",
        "Σ + δ * (k > 0)": "the last step is left out",
        "Σ + δ * (k < T - 1)": "step 0 is left out",
        "Σ + δ * (k % 2 == 0)": "every second step is left out",
        "Σ + δ / T": "a mean over the steps stands for the sum",
        "Σ + δ / B": "a mean over the batch stands for the sum",
        "Σ + δ / (T * B)": "a mean over steps and batch stands for the sum",
        "Σ + δ + δ * (k == T - 1)": "step 0 is counted twice",
        "Σ + δ + δ * (k == 0)": "the last step is counted twice",
        "2 * Σ + δ": "the sum so far is added to itself at every step",
        "Σ - δ": "the steps are subtracted",
        "0 * (Σ + δ)": "nothing is added",
    }  # fmt: skip
    kinds = tuple(cell.sums)
    for way, words in ways.items():
        for chosen in [(kind,) for kind in kinds] + [kinds] + [("ΣW", "ΣU")]:
            line = f"δ{chosen[0][1:]}" if len(chosen) == 1 else "δW, δU, δb" if "Σb" in chosen else "δW, δU"
            region = INSIDE if "batch" in words or words.startswith("nothing") else SUM
            yield Slip(line, dict.fromkeys(chosen, way), region, words)


def carried_slips(cell: Cell) -> Iterator[Slip]:
    """What a step hands to the one before, and how that one takes it up."""
    for s in cell.states:
        carry, right = f"δ{s}_next", cell.step[f"δ{s}"]
        handed, taken = f"δ{s}_prev", f"δ{s}"
        nothing = f"0 * {handed}"
        yield Slip(handed, {carry: nothing}, BETWEEN, "nothing is handed back to the step before")
        yield Slip(handed, {carry: f"{handed} + {carry}"}, BETWEEN, f"{written(handed)} + {written(carry)}")
        yield Slip(handed, {carry: taken}, BETWEEN, f"{taken} itself")
        for other in cell.states:
            if other != s:
                yield Slip(handed, {carry: f"δ{other}_prev"}, BETWEEN, written(f"δ{other}_prev"))
        late = right.replace(carry, f"{carry} * (k > 1)")
        yield Slip(taken, {taken: late}, BETWEEN, f"{written(carry)} not added at step T - 2")
        never = f"({right}) if k == 0 else ({right.replace(f' + {carry}', '')})"
        yield Slip(taken, {taken: never}, BETWEEN, f"{written(carry)} is not added")


def upstream_slips(cell: Cell) -> Iterator[Slip]:
    """How the upstream gradients, of every step and of the last states, are taken up."""
    for s in cell.states:
        carry, right, up = f"δ{s}_next", cell.step[f"δ{s}"], f"up_{s}[t]"
        alone = f"({right}) if k == 0 else ({right.replace(f'{up} + ', '')})"
        yield Slip(f"δ{s}", {f"δ{s}": alone}, UPSTREAM, "only the upstream gradient of the last step is used")
        for wrong, words in ((f"up_{s}[T - 1]", "the last step's upstream gradient at every step"),
                             (f"up_{s}[T - 1 - t]", "the upstream gradients in the reverse order of steps"),
                             (f"up_{s}[t - 1]", "the upstream gradient of the step before"),
                             (f"up_{s}[(t + 1) % T]", "the upstream gradient of the step after"),
                             (f"up_{s}[min(t + 1, T - 1)]", "the upstream gradient of the step after"),
                             (f"up_{s}[t] * (t + 1 < T)", "the last step's upstream gradient is left out"),
                             (f"up_{s}[t] * (t > 0)", "the first step's upstream gradient is left out"),
                             (f"up_{s}[t] * (k == 0)", "only the last step's upstream gradient"),
                             (f"up_{s}[t:].sum(0)", "the sum of the upstream gradients from this step on"),
                             (f"up_{s}[0]", "the first step's upstream gradient at every step"),
                             (f"(up_{s}[t] / T)", "the upstream gradient divided by the number of steps"),
                             (f"(up_{s}[t] / B)", "the upstream gradient divided by the size of the batch"),
                             (f"(up_{s}[t] * 0)", f"the upstream gradient of {s} is ignored")):  # fmt: skip
            yield Slip(f"δ{s}", {f"δ{s}": right.replace(up, wrong)}, UPSTREAM, words)
        last = right.replace(carry, f"{carry} * (k > 0)")
        yield Slip(f"δ{s}", {f"δ{s}": last}, UPSTREAM, f"the upstream gradient of the last {s} is ignored")
    if "c" in cell.states:
        swapped = cell.step["δc"].replace("δc_next", "(δh_next if k == 0 else δc_next)")
        yield Slip("δc", {"δc": swapped}, UPSTREAM, "the last h's upstream gradient for c's")


def first_state_slips(cell: Cell) -> Iterator[Slip]:
    """The gradients of the first states."""
    for s in cell.states:
        line, end, right = f"δ{s}0", f"d{s}0", f"δ{s}_next"
        yield Slip(line, {end: f"0 * {right}"}, BETWEEN, f"{line} is left 0")
        yield Slip(line, {end: f"δ{s}"}, BETWEEN, f"{line} = δ{s} of step 0, not {written(f'δ{s}_prev')}")
    if "c" in cell.states:
        exchanged = {"dh0": "δc_next", "dc0": "δh_next"}
        yield Slip("δh0", exchanged, "order of gradients", "δh0 and δc0 stand in each other's place")
    for s in cell.states:
        line, end, right = f"δ{s}0", f"d{s}0", f"δ{s}_next"
        up = f"the upstream gradient of step 0 is added to {line}"
        yield Slip(line, {end: f"{right} + up_{s}[0]"}, BETWEEN, up)
        yield Slip(line, {end: f"{right} + δ{s}"}, BETWEEN, f"δ{s} of step 0 is added to {line}")


def walk_slips() -> Iterator[Slip]:
    """The steps of δx, and the order in which a walk goes."""
    yield Slip("δx", {"dx": "δxs[::-1]"}, SUM, "the steps of δx stand in the reverse order")
    yield Slip("δx", {"dx": "np.roll(δxs, 1, 0)"}, SUM, "δx stands one step too late")
    yield Slip("δx", {"dx": "np.roll(δxs, -1, 0)"}, SUM, "δx stands one step too early")
    yield Slip("δx", {"dx": "δxs * (np.arange(T)[:, None, None] == 0)"}, SUM, "only step 0 of δx is kept")
    yield Slip("δx", {"dx": "δxs[:1] + 0 * δxs"}, SUM, "step 0 of δx stands at every step")
    yield Slip("δx", {"dx": "0 * δxs"}, INSIDE, "δx is left 0")
    yield Slip("δh", {"order": "forwards"}, BETWEEN, "the steps are walked forwards, from the first to the last")
    yield Slip("δh'", {"order": "not the first"}, SUM, "the walk ends before step 0: that step is left out")
    for off, which in (("-1", "before"), ("1", "after")):
        yield Slip("the cache", {"cache": off}, BETWEEN, f"a step uses the cache of the step {which} it")


def stacked_in(expression: str, other: dict[str, str]) -> str:
    """The expression with another gate's δz in place of each; δn, the candidate's on its way to U, moves as a whole."""
    expression = expression.replace("δn", "δz_ĥ") if "ĥ" in other else expression
    return re.sub(r"δz_(\w)", lambda m: f"δz_{other.get(m[1], m[1])}", expression)


def whole_slips(cell: Cell) -> Iterator[Slip]:
    """Gates in another order, and gradients clipped."""
    gates = cell.gates
    for order in permutations(gates):
        moved = [(a, b) for a, b in zip(gates, order, strict=True) if a != b]
        if not moved:
            continue
        stacked = f"δz stacked in the order {' '.join(order)}, where the gates lie in the order {' '.join(gates)}"
        names = ", ".join(a for a, _ in moved)
        steps, other = cell.step, dict(moved)
        lines = [line for line in steps if re.match(r"δ[WUbv]_", line)] + ["δh_prev", "δx"]
        moved_z = ", ".join(f"δz_{a}" for a, _ in moved)
        yield Slip(moved_z, {line: stacked_in(steps[line], other) for line in lines}, INSIDE, stacked)
        if "ĥ" not in gates:
            swapped = {f"δz_{a}": steps[f"δz_{a}"].replace(f"δ{a} *", f"δ{b} *") for a, b in moved if f"δ{a}" in steps}
            yield Slip(moved_z, swapped, INSIDE, f"the gates {names} have each other's δ")
        for kinds in [(k,) for k in cell.parameters] + [cell.parameters, ("W", "U")]:
            changed = {f"δ{k}_{a}": steps[f"δ{k}_{b}"] for k in kinds for a, b in moved}
            line = f"δ{kinds[0]}" if len(kinds) == 1 else "δW, δU" + ", δb" * (len(kinds) > 2)
            yield Slip(
                line, changed, INSIDE, f"the parts of {', '.join(a for a, _ in moved)} stand in each other's place"
            )
    for bound in ("0.1", "0.5", "1", "3", "5", "10"):
        yield Slip("δW, δU, δb", {"clip": bound}, "clipping", f"the gradients are clipped to ±{bound}")


@cache
def slips_of(name: str) -> tuple[Slip, ...]:
    """All known slips of the cell of this name."""
    cell = next(cell for cells in (*CELLS.values(), *VARIANTS.values()) for cell in cells if cell.name == name)
    kinds = (whole_slips, line_slips, parameter_slips, sum_slips, carried_slips, upstream_slips, first_state_slips)
    rows = [slip for kind in kinds for slip in kind(cell)] + list(walk_slips())
    return tuple(slip for slip in rows if changes_something(slip, cell) and computable(slip, cell))


def changes_something(slip: Slip, cell: Cell) -> bool:
    return any(text != cell.step.get(line) for line, text in slip.changed.items())


def computable(slip: Slip, cell: Cell) -> bool:
    """Whether every replaced line uses only what is computed before it."""
    order = list(cell.step)
    return all(
        name not in order or order.index(name) < order.index(line)
        for line, text in slip.changed.items()
        if line in order
        for name in compiled(text).co_names
    )


# -- what a slip can reach ---------------------------------------------------------------------------------------------


@cache
def users(cell: Cell) -> dict[str, frozenset[str]]:
    """By line, the lines and blocks that use it directly; a block is named "W_i", "x" or "h0"."""
    found: dict[str, set[str]] = {}
    for line, text in (cell.step | cell.carry).items():
        for name in compiled(text).co_names:
            found.setdefault(name, set()).add(line)
    for kind in cell.parameters:
        for gate in cell.gates:
            found.setdefault(f"δ{kind}_{gate}", set()).add(f"{kind}_{gate}")
            found.setdefault(f"Σ{kind}", set()).add(f"{kind}_{gate}")
    for s in cell.states:
        found.setdefault(f"δ{s}_next", set()).add(f"{s}0")
        found[f"d{s}0"] = {f"{s}0"}
    found["δx"] = found["dx"] = {"x"}
    return {line: frozenset(names) for line, names in found.items()}


@cache
def reached(cell: Cell, line: str, one_step: bool) -> frozenset[str]:
    """The blocks that a change of the line can change; in one step nothing comes from the step after."""
    if line in ("order", "cache", "clip"):
        return frozenset(name for names in users(cell).values() for name in names)
    seen, left = set(), [line]
    while left:
        name = left.pop()
        for user in users(cell).get(name, ()):
            if user not in seen and not (one_step and name.endswith("_next") and not user.endswith("0")):
                seen.add(user)
                left.append(user)
    return frozenset(seen)


def reaches(slip: Slip, cell: Cell, one_step: bool) -> frozenset[str]:
    """The blocks that a slip can change."""
    return frozenset().union(*(reached(cell, line, one_step) for line in slip.changed))
