"""The line of a backward pass that computes a quantity, found by the names that people use for it.

Nothing is run: the function's source is read with `ast`. Each assignment gets points for its name (`df`, `dft`, `d_f`,
`dgates[:, H:2*H]`) and for what stands on its right (δc' has the forget gate in it, δc a tanh). Where nothing fits the
answer is None, since a wrong line misleads more than no line.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple


class Place(NamedTuple):
    """A line of somebody's file."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


class Statement(NamedTuple):
    """What is assigned where: one target of an assignment, an entry of a dict, or what is returned."""

    line: int
    name: str  # lower case, without underscores: "dwf", "dc[t-1]", "dgates[:,h:2*h]"
    value: str  # the right side as text, of a whole statement
    kind: str  # "=", "+=", "entry" or "return"


GATE_NAMES = {  # what follows "d" (and perhaps "z", "a", "raw") in the names of a gate's gradient
    "i": "(i|it|input|inputgate|igate|gi|hi)",
    "f": "(f|ft|forget|forgetgate|fgate|gf|hf)",
    "o": "(o|ot|output|outputgate|ogate|go|ho)",
    "g": "(g|gt|cct|cc|cand|candidate|ctilde|cbar|chat|ccand|ctil|gbar|gg|hc|ctildet|u)",
    "z": "(z|zt|update|updategate|u|ut)",
    "r": "(r|rt|reset|resetgate)",
    "n": "(n|nt|hh|hhat|htilde|cand|candidate|hbar|hc|hcand)",
}
PRE = "(a|z|raw|net|act|s|in|pre)?"
AFTER = "(raw|in|input|pre|z|a|total|net|bar)?"
STACKED = r"d(a|z|gates?|ifog|ifgo|activations?|zs|as|raw|g|pre|dz)t?"
CARRIED_C = r"d(cprev|prevc|cprevt|ctprev|cnext|nextc|cback|clast|cm1|ctm1|c\[t-1\])"
CARRIED_H = r"d(hprev|prevh|hprevt|htprev|hnext|nexth|aprev|anext|hback|hlast|hm1|htm1|h\[t-1\]|aprevt)"
TOTAL_C = r"d(c|ct|ctotal|cnew|ccurrent|cnext|nextc|cs|c\[t\]|cell|cfull|csum|cacc|cstate)"
TOTAL_H = r"d(h|ht|htotal|hnew|hsum|hcurrent|hraw|a|at|h\[t\]|hnext)"
INPUT = r"d(x|xt|xs|x\[t\]|xs\[t\]|x\[:,t\]|x\[:,:,t\]|x\[:,t,:\]|xin|inputs?)"
WEIGHTS = {
    "W": r"d(w|wx|wxh|wax|wlstm|wxhx|wxi|wx\w|kernel|wih|w\[\w+\])",
    "U": r"d(u|wh|whh|waa|recurrentkernel|whidden|wu|u\[\w+\]|wh\w)",
    "b": r"d(b|bh|ba|bias|biases|b\[\w+\])",
}


def line_of(quantity: str, function: Callable[..., Any], gates: str = "ifgo") -> Place | None:
    """The line of `function` that computes this quantity ("δf", "δz_i", "δc'", "δU"), or None.

    gates: the order of the gates in stacked arrays, by which a slice such as da[:, H:2*H] is told.
    """
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
        file = inspect.getsourcefile(function) or ""
    except (OSError, TypeError, SyntaxError):  # built in, or typed at a prompt
        return None
    points = [(score(quantity, statement, gates), statement) for statement in statements(tree)]
    best = max((p for p, _ in points), default=0)
    if best < 2:
        return None
    line = next(statement.line for p, statement in points if p == best)
    return Place(file, first + line - 1, lines[line - 1].strip())


def line_of_value(letter: str, function: Callable[..., Any]) -> Place | None:
    """The line of a forward function that computes h, c, or the gate of this letter, or None."""
    kind = letter.removeprefix("z_")
    names = {"h": r"(h|a)(new|next|t|\[t\])?|next(h|a)", "c": r"c(new|next|t|\[t\])?|nextc"}
    return line_assigning(names.get(kind, GATE_NAMES.get(kind, kind)), function)


def line_assigning(names: str, function: Callable[..., Any], computed: bool = True) -> Place | None:
    """The first line that sets a variable whose name, without underscores, is one of `names`, or None.

    computed: only lines with an operation on the right, which leaves out where a tuple is taken apart.
    """
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
        file = inspect.getsourcefile(function) or ""
    except (OSError, TypeError, SyntaxError):
        return None
    for statement in statements(tree):
        if re.fullmatch(names, statement.name) and (not computed or re.search(r"[-+*/@(]", statement.value)):
            return Place(file, first + statement.line - 1, lines[statement.line - 1].strip())
    return None


def statements(tree: ast.AST) -> Iterator[Statement]:
    """Every assignment in the order of the lines: tuples taken apart, dict entries and what is returned included."""
    nodes = [n for n in ast.walk(tree) if isinstance(n, (ast.stmt, ast.Dict))]
    for node in sorted(nodes, key=lambda n: (n.lineno, n.col_offset)):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from assigned(target, node.value, node.lineno)
        elif isinstance(node, ast.AugAssign):
            yield Statement(node.lineno, plain(node.target), plain(node.value), "+=")
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant):
                    yield Statement(value.lineno, short(str(key.value)), plain(value), "entry")
        elif isinstance(node, ast.Return) and node.value is not None:
            yield Statement(node.lineno, "return", plain(node.value), "return")


def assigned(target: ast.expr, value: ast.expr, line: int) -> Iterator[Statement]:
    if isinstance(target, (ast.Tuple, ast.List)):
        values = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
        for k, part in enumerate(target.elts):
            yield from assigned(part, values[k] if len(values) == len(target.elts) else value, line)
        return
    yield Statement(line, plain(target), plain(value), "=")


def plain(node: ast.expr) -> str:
    """The code of a node in one form: no spaces, no underscores, lower case; grads["dWf"] and self.dWf are dwf."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        return short(node.slice.value)
    if isinstance(node, ast.Attribute):
        return short(node.attr)
    return short(ast.unparse(node))


def short(text: str) -> str:
    return re.sub(r"[\s_]", "", text).lower()


def score(quantity: str, statement: Statement, gates: str) -> int:
    """How well a statement fits as the place of this quantity: 2 and more is a place."""
    name, value = statement.name, statement.value
    if re.fullmatch(
        r"(np\.|numpy\.)?(zeros|zeroslike|empty|emptylike)\(.*\)|0|0\.0|none|\{\}|\[(none)?\].*|\{.*:.*(zeros|copy)\(.*",
        value,
    ):
        return 0  # where it is born, not where it is computed
    kind, _, gate = quantity.removeprefix("δ").partition("_")
    if kind in ("z", "a") and gate and not (kind == "z" and "r" in gates and gate not in gates):
        return of_gate(gate, statement, gates, before=True)
    if kind == "z" and "z" not in gates:
        return 3 if name != "dg" and re.fullmatch(STACKED + "|dhraw|dtanh|dtanhraw|dhrec", name) else 0
    if len(kind) == 1 and kind in gates and kind != "h":
        return of_gate(kind, statement, gates, before=False)
    if kind in ("n", "ĥ"):
        return of_gate("n", statement, gates, before=False)
    if kind in WEIGHTS:
        return of_weights(kind, gate, statement)
    return of_state(kind, name, value, statement.kind)


def of_gate(gate: str, statement: Statement, gates: str, before: bool) -> int:
    """A gate's gradient: `before` its σ or tanh (δz_f) rather than after (δf)."""
    gate = {"ĥ": "n", "h": "n", "c": "g", "c~": "g"}.get(gate, gate)
    names, value = GATE_NAMES.get(gate, gate), statement.value
    at = r"(\[t\])?"
    sigmoid = rf"(?<![\w.]){names}{at}\*\(1(\.0)?-{names}{at}\)"
    tanh = rf"\(?1(\.0)?-(np\.square\()?{names}{at}(\*\*2|\*{names}|\))"
    slope = f"{sigmoid}|{tanh}"
    has_slope = bool(re.search(slope, value))
    if re.fullmatch(rf"d{PRE}{names}{AFTER}", statement.name) and statement.name not in ("dgo", "dgi", "dgf", "dh"):
        raw = bool(
            re.fullmatch(rf"d(a|z|raw|net|act|s|in|pre){names}|d{names}(raw|in|input|pre|z|a|net)", statement.name)
        )
        return 5 if (raw or has_slope) == before else 4 - before
    if slice_of(statement.name) == order(gate, gates):
        return 5
    stacked = re.fullmatch(STACKED, statement.name) and re.search(rf"\bd{PRE}{names}{AFTER}\b", value)
    if stacked or (statement.kind in ("=", "return") and has_slope):
        return 2 + 2 * before
    return 0


def order(gate: str, gates: str) -> int:
    gates = gates.replace("ĥ", "n")
    return gates.index(gate) if gate in gates else -2


def slice_of(name: str) -> int:
    """Which of the equal parts a slice of the gates' gradient takes: da[:,h:2*h] is 1; -1 for no slice."""
    found = re.fullmatch(STACKED + r"\[(.*)\]", name)
    if not found:
        return -1
    part = found.group(found.lastindex or 1).split(",")
    part = next((p for p in part if ":" in p and p != ":"), "")
    start = part.split(":")[0]
    if not part:
        return -1
    if times := re.fullmatch(r"(?:(\d+)\*)?[a-z]\w*(?:\*(\d+))?", start):
        return int(times.group(1) or times.group(2) or 1)
    return 0 if start in ("", "0") else -1


def of_weights(kind: str, gate: str, statement: Statement) -> int:
    if statement.kind == "return":
        return 0
    names = WEIGHTS[kind]
    if gate:  # one gate's: dWf, dUf, dbf; a matrix on [h', x] is W and U in one
        gate = {"ĥ": "n"}.get(gate, gate)
        letters = GATE_NAMES.get(gate, gate).replace("(", "(c|", gate in "gn")
        names = {"W": "w|wx|wx", "U": "u|wh|r", "b": "b"}[kind]
        if re.fullmatch(rf"d({names}){letters}", statement.name):
            return 4
        if kind == "U" and re.fullmatch(rf"dw{letters}", statement.name):
            return 3
        return 2 if re.fullmatch(names, statement.name) else 0
    points = 3 if re.fullmatch(names, statement.name) else 0
    if not points and re.fullmatch(r"d(wlstm|w|wall)", statement.name):
        points = 2  # one matrix for all
    if not points and re.fullmatch(r"(gradients|grads|g)\[\w+\]", statement.name):
        points = 3  # a loop over a dict of gradients
    return points and points + (statement.kind in ("+=", "entry"))


def of_state(kind: str, name: str, value: str, how: str) -> int:
    """δc, δc', δh, δh', δx, δh0 and δc0."""
    forget = bool(re.search(r"(?<![\w.])(f|ft|forget|fgate|ifog\[.*)(\[t\])?(?!\w)", value))
    tanh = "tanh" in value or bool(re.search(r"1(\.0)?-\w+(\[t\])?(\*\*2|\*)", value))
    if kind == "c":
        return (3 if re.fullmatch(TOTAL_C, name) else 0) + (1 if tanh and re.fullmatch(TOTAL_C, name) else 0)
    if kind == "c'":
        if re.fullmatch(CARRIED_C, name):
            return 3 + forget
        made_of_total = re.search(r"\bdc\w*|\bdnextc", value) and not tanh and how != "entry"
        return 2 + forget if re.fullmatch(TOTAL_C, name) and made_of_total else 0
    if kind == "h'":
        product = "@" in value or "dot(" in value or "matmul" in value
        if re.fullmatch(CARRIED_H, name):
            return 3 + product
        return 3 if re.fullmatch(TOTAL_H, name) and (product or "backward(" in value) else 0
    if kind in ("h", "h_T", "c_T"):
        added = "+" in value or how == "+="
        if re.fullmatch(TOTAL_H + "|" + CARRIED_H, name) and added:
            return 3
        return 2 if re.search(r"backward\([^)]*\[[^]]*t[^]]*\]", value) else 0
    if kind == "x":
        return 3 if re.fullmatch(INPUT, name) else 0
    if kind in ("h0", "c0"):
        letter = "[ha]" if kind == "h0" else "c"
        if re.fullmatch(rf"d{letter}0|d{letter}(prev|init|initial|prev0)|dprev{letter}", name) and how in (
            "=",
            "entry",
        ):
            return 4 if name.endswith("0") else 2
        return 3 if how == "return" else 0
    return 0
