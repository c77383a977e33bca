"""The equations of the three cells as a table of lines, each of which can be replaced: what would a slip in it compute?

A line is a name and an expression in the letters of `cells/`, `δf = δc * c_prev`; c_prev stands for c', `σ1(y)` and
`tanh1(y)` for the slopes y(1 - y) and 1 - y² at an output y. `walk` evaluates the forward lines step by step, `walk_back` the
backward lines from the last step to the first. With nothing replaced they equal the pairs in `cells/` (tested).
Arrays are time-major, and every gate has its own blocks: x (T, B, D), W_i (D, H), U_i (H, H), b_i (H,), states (B, H).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from types import CodeType
from typing import Any

import numpy as np

from ..activations import Array, sigmoid

Lines = dict[str, str]
Blocks = dict[tuple[str, str], Array]  # ("W", "i") -> (D, H), ("x", "") -> (T, B, D), ("h0", "") -> (B, H)
Step = dict[str, Any]  # the names of one step and their values


@dataclass(frozen=True, eq=False)
class Cell:
    """One cell: its lines, in the order in which they are evaluated."""

    name: str  # "LSTM"
    article: str  # "an LSTM"
    gates: tuple[str, ...]
    states: tuple[str, ...]  # "h", "c"
    parameters: tuple[str, ...]  # "W", "U", "b"; each has a block a gate
    forward: Lines  # of a step
    step: Lines = field(repr=False)
    carry: Lines = field(repr=False)  # what the step before takes up
    sums: Lines = field(repr=False)  # Σ of the steps so far, with this step's δ
    end: Lines = field(repr=False)  # the gradients handed back: dx, dh0, dc0
    differs: str = ""  # how a variant differs from the cell: "h = o∘c, without tanh(c)"
    known: bool = False  # the variant is one that people choose, and no slip

    def equation(self, name: str) -> str:
        """The right equation of a quantity, as a reader writes it: "δf = δc∘c'"."""
        for lines in (self.step, self.carry, self.sums, self.end, self.forward):
            if name in lines:
                return f"{written(name)} = {written(lines[name])}"
        raise KeyError(name)


# -- evaluating --------------------------------------------------------------------------------------------------------


NAMES = {
    "np": np, "σ": sigmoid, "tanh": np.tanh, "relu": lambda z: np.maximum(z, 0.0), "clip": np.clip, "max": max, "min": min,
    "σ1": lambda y: y * (1 - y), "tanh1": lambda y: 1 - y * y, "relu1": lambda y: (y > 0) * 1.0, "identity1": np.ones_like,
}  # fmt: skip


@cache
def compiled(expression: str) -> CodeType:
    return compile(expression, expression, "eval")


def evaluate(lines: Lines, values: Step, changed: Mapping[str, str]) -> None:
    """Adds the value of every line to `values`; lines of one name in `changed` stand in place of the right ones."""
    for name, right in lines.items():
        values[name] = eval(compiled(changed.get(name, right)), NAMES, values)


def walk(cell: Cell, given: Blocks, changed: Mapping[str, str] | None = None) -> list[Step]:
    """The names and values of every step of the forward pass. given holds x, the parameters' blocks and the first states."""
    parameters = {f"{kind}_{gate}": given[kind, gate] for kind in cell.parameters for gate in cell.gates}
    states = {f"{s}_prev": given[f"{s}0", ""] for s in cell.states}
    steps: list[Step] = []
    for t, x in enumerate(given["x", ""]):  # (B, D)
        values = parameters | states | {"x": x, "t": t}
        evaluate(cell.forward, values, changed or {})
        states = {f"{s}_prev": values[s] for s in cell.states}
        steps.append(values)
    return steps


def walk_back(
    cell: Cell, steps: list[Step], upstream: dict[str, Array], changed: Mapping[str, str] | None = None
) -> Blocks:
    """The gradients of the walk by block. upstream: up_h (T, B, H) of every h and end_h (B, H) of the last one; so for c.

    Three names in `changed` are no lines, since no line can say them: "order", which steps are walked ("forwards", "not the
    first"); "cache", how many steps off the values are that a step uses; "clip", the bound of the sums.
    """
    changed = changed or {}
    T = len(steps)
    xs = np.array([step["x"] for step in steps])  # (T, B, D)
    states = {f"{s}s": np.array([steps[0][f"{s}_prev"], *(step[s] for step in steps)]) for s in cell.states}
    values: Step = {"xs": xs, "T": T, "B": xs.shape[1], "steps": steps} | states | upstream
    sums = {(kind, gate): np.zeros_like(steps[0][f"{kind}_{gate}"]) for kind in cell.parameters for gate in cell.gates}
    values |= {f"δ{s}_next": upstream[f"end_{s}"] for s in cell.states}
    dx = np.zeros_like(xs)
    order = {"": range(T)[::-1], "forwards": range(T), "not the first": range(1, T)[::-1]}[changed.get("order", "")]
    off = int(changed.get("cache", 0))
    for k, t in enumerate(order):
        values |= steps[min(max(t + off, 0), T - 1)]
        values |= {"t": t, "k": k}
        evaluate(cell.step, values, changed)
        dx[t] = values["δx"]
        for kind in cell.sums:  # (D, H), (H, H) or (H,) each
            if kind not in changed:
                for gate in cell.gates:
                    sums[kind[1:], gate] = sums[kind[1:], gate] + values[f"δ{kind[1:]}_{gate}"]
                continue
            code = compiled(changed[kind])
            for gate in cell.gates:
                names = {
                    "Σ": sums[kind[1:], gate],
                    "δ": values[f"δ{kind[1:]}_{gate}"],
                    "k": k,
                    "T": T,
                    "B": xs.shape[1],
                }
                sums[kind[1:], gate] = eval(code, NAMES, names)
        evaluate(cell.carry, values, changed)
    values["δxs"] = dx
    evaluate(cell.end, values, changed)
    if "clip" in changed:
        sums = {key: np.clip(a, -float(changed["clip"]), float(changed["clip"])) for key, a in sums.items()}
    return sums | {(name[1:], ""): values[name] for name in cell.end}


# -- the cells ---------------------------------------------------------------------------------------------------------


def carried(states: tuple[str, ...]) -> Lines:
    """What a step takes up from the one after it."""
    return {f"δ{s}_next": f"δ{s}_prev" for s in states}


def handed_back(states: tuple[str, ...]) -> Lines:
    """What the walk hands back: δx of all steps, and the gradients of the first states."""
    return {"dx": "δxs"} | {f"d{s}0": f"δ{s}_next" for s in states}


def parameter_lines(kinds: Lines, gates: tuple[str, ...]) -> Lines:
    """δW_i and so on; `kinds` has the expression of every kind of parameter with k for the gate."""
    return {f"δ{kind}_{k}": text.replace("_k", f"_{k}") for kind, text in kinds.items() for k in gates}


def through(kind: str, gates: tuple[str, ...], inner: str = "") -> str:
    """What the gates' δz pass back through W or U: Σ_k δz_k W_kᵀ."""
    return " + ".join(f"δz_{k}{inner if k == 'ĥ' else ''} @ {kind}_{k}.T" for k in gates)


PLAIN = {"W": "x.T @ δz_k", "U": "h_prev.T @ δz_k", "b": "δz_k.sum(0)"}
SUMS = {"ΣW": "Σ + δ", "ΣU": "Σ + δ", "Σb": "Σ + δ"}


def lstm() -> Cell:
    gates, states = ("i", "f", "g", "o"), ("h", "c")
    forward = {f"z_{k}": f"x @ W_{k} + h_prev @ U_{k} + b_{k}" for k in gates}
    forward |= {k: f"{'tanh' if k == 'g' else 'σ'}(z_{k})" for k in gates}
    forward |= {"c": "f * c_prev + i * g", "tanh_c": "tanh(c)", "h": "o * tanh_c"}
    step = {
        "δh": "up_h[t] + δh_next",
        "δc": "up_c[t] + δc_next + δh * o * tanh1(tanh_c)",
        "δo": "δh * tanh_c", "δi": "δc * g", "δf": "δc * c_prev", "δg": "δc * i",
        "δz_i": "δi * σ1(i)", "δz_f": "δf * σ1(f)", "δz_g": "δg * tanh1(g)", "δz_o": "δo * σ1(o)",
        "δh_prev": through("U", gates),
        "δc_prev": "δc * f",
        "δx": through("W", gates),
    }  # fmt: skip
    step |= parameter_lines(PLAIN, gates)
    return Cell("LSTM", "an LSTM", gates, states, ("W", "U", "b"), forward, step=step, sums=SUMS,
                carry=carried(states), end=handed_back(states))  # fmt: skip


def gru(reset_after: bool, keeps: str) -> Cell:
    """keeps is the factor of h' in h: "z", or "(1 - z)" as in about half of the papers; the other is that of ĥ."""
    gates, states = ("z", "r", "ĥ"), ("h",)
    takes, sign = ("(1 - z)", "h_prev - ĥ") if keeps == "z" else ("z", "ĥ - h_prev")
    parameters = ("W", "U", "b", "v") if reset_after else ("W", "U", "b")  # v: the bias of the recurrent product
    v = " + v_k" if reset_after else ""
    forward = {f"z_{k}": f"x @ W_k + h_prev @ U_k + b_k{v}".replace("_k", f"_{k}") for k in ("z", "r")}
    forward |= {"z": "σ(z_z)", "r": "σ(z_r)"}
    if reset_after:
        forward |= {"inner": "h_prev @ U_ĥ + v_ĥ", "z_ĥ": "x @ W_ĥ + b_ĥ + r * inner"}
    else:
        forward |= {"inner": "h_prev", "z_ĥ": "x @ W_ĥ + b_ĥ + (r * h_prev) @ U_ĥ"}
    forward |= {"ĥ": "tanh(z_ĥ)", "h": f"{keeps} * h_prev + {takes} * ĥ"}
    step = {
        "δh": "up_h[t] + δh_next",
        "δĥ": f"δh * {takes}", "δz": f"δh * ({sign})",
        "δz_ĥ": "δĥ * tanh1(ĥ)", "δz_z": "δz * σ1(z)",
        "δs": "δz_ĥ" if reset_after else "δz_ĥ @ U_ĥ.T",
        "δr": "δs * inner" if reset_after else "δs * h_prev", "δz_r": "δr * σ1(r)",
    }  # fmt: skip
    kinds, sums = dict(PLAIN), dict(SUMS)
    if reset_after:
        step["δn"] = "δz_ĥ * r"
        step["δh_prev"] = f"δh * {keeps} + δz_z @ U_z.T + δz_r @ U_r.T + δn @ U_ĥ.T"
        kinds["v"], sums["Σv"] = "δz_k.sum(0)", "Σ + δ"
    else:
        step["δh_prev"] = f"δh * {keeps} + δs * r + δz_z @ U_z.T + δz_r @ U_r.T"
    step |= {"δx": through("W", gates)} | parameter_lines(kinds, gates)
    if reset_after:
        step |= {"δU_ĥ": "h_prev.T @ δn", "δv_ĥ": "δn.sum(0)"}
    else:
        step["δU_ĥ"] = "(r * h_prev).T @ δz_ĥ"
    name = "GRU" + " with the reset before the product" * (not reset_after) + f", h = {keeps}∘h' + {takes}∘ĥ"
    return Cell(name, "a GRU", gates, states, parameters, forward, step=step, sums=sums,
                carry=carried(states), end=handed_back(states))  # fmt: skip


def rnn(activation: str) -> Cell:
    gates, states = ("h",), ("h",)
    forward = {"z_h": "x @ W_h + h_prev @ U_h + b_h", "h": f"{activation}(z_h)"}
    step = {"δh": "up_h[t] + δh_next", "δz_h": f"δh * {activation}1(h)"}
    step |= {"δh_prev": "δz_h @ U_h.T", "δx": "δz_h @ W_h.T"} | parameter_lines(PLAIN, gates)
    name = "simple RNN" if activation == "tanh" else f"simple RNN with {activation}"
    return Cell(name, "a simple RNN", gates, states, ("W", "U", "b"), forward, step=step, sums=SUMS,
                carry=carried(states), end=handed_back(states))  # fmt: skip


CELLS = {
    "lstm": (lstm(),),
    "gru": tuple(gru(after, keeps) for after in (False, True) for keeps in ("z", "(1 - z)")),
    "rnn": tuple(rnn(activation) for activation in ("tanh", "σ", "relu")),
}


# -- forward passes that are nearly one of them ------------------------------------------------------------------------


CHOSEN = re.compile(r"relu|are coupled|1 is added|biases are not|does not use r")  # papers and libraries offer these


def variant(cell: Cell, differs: str, forward: Lines, backward: Lines) -> Cell:
    """The cell with replaced lines, and the backward lines that are right for them."""
    return replace(cell, name=f"{cell.name}, {differs}", differs=differs, known=bool(CHOSEN.search(differs)),
                   forward=cell.forward | forward, step=cell.step | backward)  # fmt: skip


def lstm_variants() -> Iterator[Cell]:
    """An LSTM with one line of its forward pass changed, as people leave something out or take another function."""
    cell = CELLS["lstm"][0]
    up = "up_c[t] + δc_next"
    rows: list[tuple[str, Lines, Lines]] = [
        ("h = o∘c, without tanh(c)", {"h": "o * c"}, {"δo": "δh * c", "δc": f"{up} + δh * o"}),
        ("h = tanh(c), without o", {"h": "tanh_c"}, {"δo": "0 * δh", "δc": f"{up} + δh * tanh1(tanh_c)"}),
        ("h = o∘σ(c), not o∘tanh(c)", {"tanh_c": "σ(c)"}, {"δc": f"{up} + δh * o * σ1(tanh_c)"}),
        ("g = σ(z_g), not tanh(z_g)", {"g": "σ(z_g)"}, {"δz_g": "δg * σ1(g)"}),
        ("g = z_g, without tanh", {"g": "1.0 * z_g"}, {"δz_g": "1.0 * δg"}),
        ("g = relu(z_g), not tanh(z_g)", {"g": "relu(z_g)"}, {"δz_g": "δg * relu1(g)"}),
        ("relu stands for both tanh", {"g": "relu(z_g)", "tanh_c": "relu(c)"},
         {"δz_g": "δg * relu1(g)", "δc": f"{up} + δh * o * relu1(tanh_c)"}),
        ("c = f∘c' + g, without i", {"c": "f * c_prev + g"}, {"δi": "0 * δc", "δg": "1.0 * δc"}),
        ("c = c' + i∘g, without f", {"c": "c_prev + i * g"}, {"δf": "0 * δc", "δc_prev": "1.0 * δc"}),
        ("c = i∘g, without f∘c'", {"c": "i * g"}, {"δf": "0 * δc", "δc_prev": "0 * δc"}),
        ("c = f∘c' + (1 - f)∘g: i and f are coupled", {"c": "f * c_prev + (1 - f) * g"},
         {"δi": "0 * δc", "δf": "δc * (c_prev - g)", "δg": "δc * (1 - f)"}),
        ("c = f∘h' + i∘g, with h' for c'", {"c": "f * h_prev + i * g"},
         {"δf": "δc * h_prev", "δc_prev": "0 * δc", "δh_prev": f"{cell.step['δh_prev']} + δc * f"}),
        ("1 is added to z_f inside", {"z_f": cell.forward["z_f"] + " + 1"}, {}),
        ("the biases are not added", {f"z_{k}": cell.forward[f"z_{k}"].replace(f" + b_{k}", "") for k in cell.gates},
         {f"δb_{k}": f"0 * δz_{k}.sum(0)" for k in cell.gates}),
        ("o = tanh(z_o), not σ(z_o)", {"o": "tanh(z_o)"}, {"δz_o": "δo * tanh1(o)"}),
        ("i = tanh(z_i), not σ(z_i)", {"i": "tanh(z_i)"}, {"δz_i": "δi * tanh1(i)"}),
        ("f = tanh(z_f), not σ(z_f)", {"f": "tanh(z_f)"}, {"δz_f": "δf * tanh1(f)"}),
    ]  # fmt: skip
    rows += [
        (f"z_{k} lacks h'U_{k}", {f"z_{k}": f"x @ W_{k} + b_{k}"},
         {f"δU_{k}": f"0 * (h_prev.T @ δz_{k})", "δh_prev": cell.step["δh_prev"].replace(f"δz_{k}", f"0 * δz_{k}")})
        for k in cell.gates
    ]  # fmt: skip
    return (variant(cell, *row) for row in rows)


def gru_variants() -> Iterator[Cell]:
    """A GRU without its reset gate, or with another function for the candidate."""
    for cell in CELLS["gru"]:
        yield variant(cell, "ĥ = relu(z_ĥ), not tanh(z_ĥ)", {"ĥ": "relu(z_ĥ)"}, {"δz_ĥ": "δĥ * relu1(ĥ)"})
        yield variant(cell, "ĥ = σ(z_ĥ), not tanh(z_ĥ)", {"ĥ": "σ(z_ĥ)"}, {"δz_ĥ": "δĥ * σ1(ĥ)"})
        if "v" not in cell.parameters:
            back = cell.step["δh_prev"].replace("δs * r", "1.0 * δs")
            yield variant(cell, "ĥ does not use r", {"z_ĥ": "x @ W_ĥ + b_ĥ + h_prev @ U_ĥ"},
                          {"δr": "0 * δs", "δh_prev": back, "δU_ĥ": "h_prev.T @ δz_ĥ"})  # fmt: skip


def rnn_variants() -> Iterator[Cell]:
    """A simple RNN without an activation."""
    cell = CELLS["rnn"][0]
    yield variant(cell, "h = z, without tanh", {"h": "1.0 * z_h"}, {"δz_h": "1.0 * δh"})


VARIANTS = {"lstm": tuple(lstm_variants()), "gru": tuple(gru_variants()), "rnn": tuple(rnn_variants())}


# -- as a reader writes it ---------------------------------------------------------------------------------------------

INNER = r"\(((?:[^()]|\([^()]*\))*)\)"
WRITTEN = (
    (r"steps\[max\(t - 1, 0\)\]\['(\w+)'\]", r"\1(t-1)"),
    (r"steps\[min\(t \+ 1, T - 1\)\]\['(\w+)'\]", r"\1(t+1)"),
    (r"tanh1\(tanh_c\)", "(1 - tanh²(c))"),
    (rf"σ1{INNER}", r"\1∘(1 - \1)"),
    (rf"tanh1{INNER}", r"(1 - \1²)"),
    (rf"relu1{INNER}", r"[\1 > 0]"),
    (r"identity1\(\w+\)", "1"),
    (r"tanh_c", "tanh(c)"),
    (r"δ(\w)_next", r"δ\1'₊₁"),
    (r"up_\w\[t\]|end_\w", "upstream"),
    (r"\((\w[^()]*)\)\.T @ ", r"(\1)ᵀ "),
    (r"(\w+)_prev\.T @ ", r"\1'ᵀ "),
    (r"(\w+)\.T @ ", r"\1ᵀ "),
    (r" @ (\w)_(\w)\.T", r" \1_\2ᵀ"),
    (r" @ (\w+)", r" \1"),
    (r"(δ\w+)\.sum\(0\)", r"Σ \1"),
    (r"_prev", "'"),
    (r"inner", "(h'U_ĥ + b'_ĥ)"),
    (r"\bv_", "b'_"),
    (r"δv_", "δb'_"),
    (r" \* ", "∘"),
    (r"\*\*2", "²"),
    (r"δn", "(δz_ĥ∘r)"),
    (r"(δz|[WU]|δ[WUb])_h(?=ᵀ|\b)", r"\1"),
)  # fmt: skip


def written(expression: str) -> str:
    """An expression of the table as people write it: "δc * c_prev" -> "δc∘c'"."""
    for pattern, text in WRITTEN:
        expression = re.sub(pattern, text, expression)
    return expression
