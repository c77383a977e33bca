"""Which convention a learner's functions follow, and what the engine says of the same numbers.

Names of the arguments say what is x, h, c, a weight or a dict of weights. Where they leave a choice (which axis is the batch,
how the gates are ordered), each choice is tried: the one under which forward gives the engine's values is it.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from itertools import permutations, product
from typing import Any, NamedTuple

import numpy as np

from ..activations import Array
from ..cells.gru import gru_backward, gru_forward
from ..cells.lstm import lstm_backward, lstm_forward
from ..cells.simple_rnn import simple_rnn_backward, simple_rnn_forward
from . import contract
from .adapters import GATES, Layout
from .contract import positional
from .learner import Fault

SAME = 1e-8  # of the largest value: two ways to write the same equations differ by rounding alone
SIZES = {"steps": 3, "batch": 2, "features": 5, "units": 4}  # all different, so that no axis passes for another
ROLES = {
    "x": r"x|xt|x_?t|xs|inputs?|inp|seq|x_?in|data",
    "h0": r"h|h_?0|h_?prev|prev_?h|h_?init|a|a_?0|a_?prev|prev_?a|state|hidden|h_?t?_?1|ht_?prev|h_?tm1|h_?old",
    "c0": r"c|c_?0|c_?prev|prev_?c|c_?init|cell|c_?t?_?1|ct_?prev|c_?tm1|c_?old|s_?prev|cell_?state",
    "W": r"w|w_?x|w_?xh|w_?ax|kernel|w_?ih|weight_ih|w_?in",
    "U": r"u|w_?h|w_?hh|w_?aa|r|recurrent_?kernel|weight_hh|w_?rec|u_?h",
    "b": r"b|b_?h|b_?a|bias|biases|bh",
}
JOINED = r"w_?lstm|w_?all|w_?gru|w_?rnn|w|weights?|theta"
DICTS = r"parameters?|params?|p|weights|theta"
GATE_KEYS = {  # after W, U or b
    "lstm": {"i": "[iu]", "f": "f", "g": "[cg]|cand|hat", "o": "o"},
    "gru": {"z": "[zu]", "r": "r", "h": "[nhcg]|hh|cand"},
    "rnn": {},
}


def cell_of(forward: Callable[..., Any]) -> str:
    """lstm, gru or rnn, by the function's name, its arguments, or its docstring; an LSTM where nothing says otherwise."""
    for text in (forward.__name__, inspect.getdoc(forward) or ""):
        for cell in GATES:
            if cell in text.lower():
                return cell
    return "lstm"


# -- layouts -----------------------------------------------------------------------------------------------------------


def layouts(forward: Callable[..., Any], cell: str, step: bool) -> list[Layout]:
    """Every layout that the names of the arguments admit, the likeliest first. Fault if they say too little."""
    names = [p.name for p in positional(forward) if p.default is p.empty]
    columns = any(re.search(r"xt$|^a_?(prev|0)|^W(xh|hh|ax|aa)$", n) for n in names)
    first = "db" if columns or any(re.fullmatch(DICTS, n, re.I) for n in names) else "bd"
    batch_first = any(re.match(r"W[xh]$|prev_", n) for n in names)
    found = []
    for arguments in argument_choices(forward, names, cell):
        stacked = not any("." in str(role) for role in contract.named(arguments, lambda *_: None).values.values())
        for axes in ("bd", "db") if first == "bd" else ("db", "bd"):
            walks = {"bd": ["btd", "tbd"] if batch_first else ["tbd", "btd"], "db": ["dbt", "tdb"]}[axes]
            weights, biases = {"bd": ("dh", ("h", "1h")), "db": ("hd", ("h1", "h"))}[axes]
            orders = gate_orders(cell, batch_first or "WLSTM" in names) if stacked else [GATES[cell]]
            for x, bias, gates in product([axes] if step else walks, biases, orders):
                returns = ("h", "c") if step and cell == "lstm" else ("h",)
                found.append(
                    Layout(arguments, x=x, gates=gates, weights=weights, bias=bias, returns=returns, cell=cell)
                )
    if not found:
        raise Fault(
            f"{forward.__name__}({', '.join(names)}): the names do not say which argument is x, h, c, W, U or b. Use "
            "names as in a starter (lstm-engine assignment new DIR), or give layout= (a Layout of gradient_check.adapters); "
            "gradcheck_function needs no names."
        )
    return found


def gate_orders(cell: str, ifog: bool) -> list[str]:
    """Every order of the gates, the usual ones first."""
    usual = {"lstm": ["ifog", "ifgo"] if ifog else ["ifgo", "ifog"], "gru": ["zrh", "rzh"]}.get(cell, [])
    every = ["".join(order) for order in permutations(GATES[cell])]
    return usual + [order for order in every if order not in usual]


def argument_choices(forward: Callable[..., Any], names: list[str], cell: str) -> Iterator[dict[str, Any]]:
    """What each argument is, by name: {"x": "x", "h0": "h0", "Wx": "W", ...}."""
    roles: dict[str, Any] = {}
    for name in names:
        role = next((r for r, pattern in ROLES.items() if re.fullmatch(pattern, name, re.I)), None)
        if role == "c0" and cell != "lstm":
            return
        roles[name] = role
    weights = [name for name, role in roles.items() if role in ("W", "U", "b")]
    unknown = [name for name, role in roles.items() if role is None]
    by_gate = {name for name, role in roles.items() if role not in ("x", "h0", "c0")}
    for each in dict_choices(by_gate, cell) if unknown else ():  # Wf, Uf, bf, ... one by one
        if set(each) == by_gate:
            yield roles | each
    if len(unknown) == 1 and re.fullmatch(DICTS, unknown[0], re.I) and not weights:
        described = set(re.findall(r"\b[WUb]_?\w{1,2}\b", inspect.getdoc(forward) or ""))
        for keys in (keys_used(forward), described):  # of a body that is not finished, the docstring says more
            if inner := list(dict_choices(keys, cell)):
                yield from (roles | {unknown[0]: each} for each in inner)
                break
    if (len(unknown) == 1 and re.fullmatch(JOINED, unknown[0], re.I)) or (
        not unknown and roles_of(weights, roles) in (["W"], ["W", "b"])
    ):
        name = unknown[0] if unknown else weights[0]
        kinds = ["UW", "WU"] if "b" in roles.values() else ["bWU", "bUW", "WUb", "UWb"]
        for joined in kinds:
            yield roles | {name: joined}
    elif not unknown and set(roles.values()) >= {"x", "W", "U", "b"}:
        yield roles


def roles_of(names: list[str], roles: Mapping[str, Any]) -> list[Any]:
    return sorted(roles[name] for name in names)


def dict_choices(keys: set[str], cell: str) -> Iterator[dict[str, Any]]:
    """What the entries of a dict of weights are, by their keys: Wf and Uf, or a Wf on [h', x]."""
    plain = {k: r for k in keys for r in ("W", "U", "b") if re.fullmatch(ROLES[r], k, re.I)}
    head = {k: head_of(k) for k in sorted(keys) if re.fullmatch(r"[WVb]_?(y|hy|out)|V|d", k)}
    if {"W", "U", "b"} <= set(plain.values()):
        yield plain | head
        return
    gates = GATE_KEYS[cell]
    by_gate = {
        k: f"{k[0].upper() if k[0] in 'WwUu' else 'b'}.{gate}"
        for k in sorted(keys)
        for gate, letters in gates.items()
        if re.fullmatch(rf"[WUb]_?({letters})", k)
    }
    kinds = {role[0] for role in by_gate.values()}
    if kinds == {"W", "U", "b"} and len(by_gate) == 3 * len(gates):
        yield by_gate | head
    elif kinds == {"W", "b"} and len(by_gate) == 2 * len(gates):
        for joined in ("UW", "WU"):
            yield {k: role.replace("W", joined) for k, role in by_gate.items()} | head


def head_of(key: str) -> Callable[[Any], Array]:
    """Weights of an output layer on top of the cell, which have no part in the check."""
    return lambda sizes: np.zeros((2, 1) if key[0] in "bd" else (2, sizes.H))


def keys_used(function: Callable[..., Any], seen: set[str] | None = None) -> set[str]:
    """The strings by which a function, or one that it calls from its own module, indexes anything."""
    seen = set() if seen is None else seen
    seen.add(function.__name__)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return set()
    keys = {
        node.slice.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, str)
    }
    for node in ast.walk(tree):
        other = getattr(function, "__globals__", {}).get(node.id) if isinstance(node, ast.Name) else None
        if inspect.isfunction(other) and other.__name__ not in seen:
            keys |= keys_used(other, seen)
    return keys


# -- the engine's values -----------------------------------------------------------------------------------------------

PAIRS = {
    "lstm": (lstm_forward, lstm_backward),
    "gru": (gru_forward, gru_backward),
    "rnn": (simple_rnn_forward, simple_rnn_backward),
}


class Variant(NamedTuple):
    """A GRU's form: papers and libraries choose one of two in each of two places."""

    turned: bool = False  # h = (1 - z)∘h' + z∘ĥ: the engine's GRU with the sign of z's pre-activation turned
    after: bool = False  # the reset is applied after the product: r∘(h'U_ĥ)

    def __str__(self) -> str:
        h = "h = (1 - z)∘h' + z∘ĥ" if self.turned else "h = z∘h' + (1 - z)∘ĥ"
        return f"{h}, the reset {'after' if self.after else 'before'} the product with U_ĥ"

    def turn(self, a: Array) -> Array:
        """A parameter, or its gradient, (..., 3H) in the order z r ĥ, from this variant to the engine's or back."""
        return np.concatenate([-a[..., : a.shape[-1] // 3], a[..., a.shape[-1] // 3 :]], axis=-1) if self.turned else a


PLAIN = Variant()
VARIANTS = {"gru": [Variant(turned, after) for after in (False, True) for turned in (False, True)]}


class Truth:
    """The engine's outputs and gradients at standard inputs."""

    def __init__(self, layout: Layout, standard: Mapping[str, Array], variant: Variant = PLAIN) -> None:
        self.layout, self.standard, self.variant = layout, dict(standard), variant
        x = standard["x"][None] if layout.is_step else standard["x"]  # (T, B, D)
        start = np.zeros((x.shape[1], standard["U"].shape[0]))  # (B, H)
        states = [standard.get(name, start) for name in (("h0", "c0") if layout.cell == "lstm" else ("h0",))]
        forward, self.backward = PAIRS[layout.cell]
        W, U, b = (variant.turn(standard[name]) for name in "WUb")
        weights = (W, U, np.stack([b, np.zeros_like(b)]) if variant.after else b)
        self.tape: Any = forward(x, *weights, *states)  # type: ignore[operator]
        h, c = self.tape.h, self.tape.c_states[1:] if layout.cell == "lstm" else self.tape.h
        self.outputs = {"h": h, "c": c, "hT": h[-1], "cT": c[-1]}
        if layout.is_step:
            self.outputs = {"h": h[0], "c": c[0]}

    def gradients(self, upstream: Mapping[str, Array]) -> dict[str, Array]:
        """The gradient of every standard input; upstream by kind of output: "h", "c", "hT", "cT"."""
        step = self.layout.is_step
        dh = upstream.get("h")
        last = {"dh_T": upstream.get("hT")}
        if self.layout.cell == "lstm":
            last["dc_T"] = upstream.get("c") if step else upstream.get("cT")
        g = self.backward(self.tape, dh[None] if step and dh is not None else dh, **last)  # type: ignore[operator]
        W, U, b = (self.variant.turn(a) for a in (g.W, g.U, g.b[0] if self.variant.after else g.b))
        every = {"x": g.x[0] if step else g.x, "W": W, "U": U, "b": b, "h0": g.h0, "c0": getattr(g, "c0", None)}
        return {name: every[name] for name in self.standard}


def standard_inputs(layout: Layout, scale: float = 1.0, seed: int = 0, **sizes: int) -> dict[str, Array]:
    """Random inputs at unit scale, or with W, U and b so many times as large."""
    inputs = layout.standard_inputs(**(SIZES | sizes), seed=seed)
    return {name: a * (scale if name in "WUb" else 1.0) for name, a in inputs.items()}


def close(a: Array, b: Array, tol: float = SAME) -> bool:
    return a.shape == b.shape and bool(np.abs(a - b).max(initial=0.0) <= tol * max(1e-300, np.abs(b).max(initial=0.0)))
