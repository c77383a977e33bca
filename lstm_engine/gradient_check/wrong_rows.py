"""Which rows of a check are wrong, in words, and what that says of the mistake: the sentences of the judge."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .contract import listed
from .report import Lead


def gates_of(wrong: Sequence[str]) -> dict[str, set[str]]:
    """The wrong rows by gate: {"f": {"W", "U", "b"}}."""
    found: dict[str, set[str]] = {}
    for row in wrong:
        if "_" in row:
            kind, gate = row.split("_")
            found.setdefault(gate, set()).add(kind)
    return found


def rows_in_words(wrong: list[str], every: list[str]) -> str:
    """Which rows are wrong, in a sentence: "only f's rows are wrong (x and h' follow)."."""
    by_gate, right = gates_of(wrong), [row for row in every if row not in wrong]
    whole = [gate for gate, kinds in by_gate.items() if kinds == {"W", "U", "b"}]
    others = [row for row in wrong if "_" not in row]
    if not right:
        return "the gradients of all inputs are wrong."
    if whole and len(whole) == len(by_gate) and len(by_gate) < len(gates_of(every)):
        follow = (
            f" ({listed(others)} {'follow' if len(others) > 1 else 'follows'} from {'it' if len(whole) == 1 else 'them'})"
            if others
            else ""
        )
        return f"only {listed([f'{gate}' for gate in whole])}'s rows are wrong{follow}."
    if len(right) <= 3:
        return f"the gradients of all inputs but {listed(right)} are wrong."
    short = []
    for kind in "WUb":
        gates = [row.split("_")[1] for row in wrong if row.startswith(f"{kind}_")]
        full = [row for row in every if row.startswith(f"{kind}_")]
        short += [kind] if full and len(gates) == len(full) else [f"{kind}_{gate}" for gate in gates]
    names = others + short
    return f"only the gradient{'s' if len(names) > 1 else ''} of {listed(names)} {'are' if len(names) > 1 else 'is'} wrong."


def quantity_of(wrong: list[str], every: list[str]) -> str:
    """The first wrong quantity, by the rows of one step alone; "" where they do not say."""
    by_gate = gates_of(wrong)
    others = [row for row in wrong if "_" not in row]
    if not by_gate:
        return f"δ{others[0]}" if len(others) == 1 else ""
    kinds = set().union(*by_gate.values())
    if len(kinds) == 1 and not others:
        return f"δ{kinds.pop()}" if len(by_gate) > 1 else f"δ{kinds.pop()}_{next(iter(by_gate))}"
    if set(by_gate) == {"i", "f", "g"}:
        return "δc"
    return f"δ{next(iter(by_gate))}" if len(by_gate) == 1 else ""


REGIONS = {
    "inside a step": "The mistake is inside a step: in what a step computes from its own values.",
    "between steps": "The mistake is between the steps: in what one hands back, or how the one before takes it up.",
    "sum over steps": "The mistake is in the sum over the steps.",
    "upstream": "The mistake is in how the gradient from above is used.",
    "order of gradients": "The gradients are handed back in another order than the inputs.",
    "a constant factor": "The gradients that are wrong are the right ones times one constant factor.",
    "clipping": "The gradients are clipped inside the backward pass.",
}


def belongs(lead: Lead, quantity: str) -> str:
    """Hint 3: what the code computes as this quantity, and what belongs there."""
    words = set(re.findall(r"[A-Za-z]{4,}", lead.instead)) - {"upstream", "tanh"}
    if not (lead.certain and lead.instead) or words:
        return re.sub(r"^Look at [^.]*\. (?=\S)", "", lead.sentence)  # hint 2 gives the equation
    states = [f"{s}' is the {s} of the step before" for s in "hc" if f"{s}'" in lead.equation.replace(f"δ{s}'", "")]
    if "δs" in lead.equation:
        states.append("δs is the gradient of r∘h'")
    if "₊₁" in lead.equation + lead.instead:
        states.append("₊₁ marks what comes from the step after")
    return f"Your gradients are exactly those of {quantity} = {lead.instead}. {lead.equation} belongs there" + (
        f"; {listed(states)}." if states else "."
    )


def region_in_words(region: str) -> str:
    return REGIONS.get(region, f"Where to look: {region}.")


def letter_of(differs: str) -> str:
    """The value that is computed otherwise: "h" of "h = o∘c, without tanh(c)", "z_f" of "1 is added to z_f inside"."""
    found = re.match(r"(\w+) = ", differs) or re.search(r"\b(z_\w)\b", differs)
    return found[1] if found else "z" if "bias" in differs else "the activations"
