"""Recognises a standard cell in a caller's function: which of its inputs are x, W, U, b and the states, and how they lie.

Names and shapes cut the search; what proves a form is that the equations of the cell give the function's own outputs, on
inputs that are drawn at random. A form then translates both ways: random inputs in the caller's arrays, and the caller's
gradients in blocks of the standard cell, `("W", "f") -> (D, H)`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations, product
from typing import Any, NamedTuple

import numpy as np

from ..activations import Array
from .equations import CELLS, VARIANTS, Blocks, Cell, Step, walk
from .heads import Head, among, heads, is_whole

SAME = 1e-9  # of the largest output: two ways to compute the same values differ by rounding alone
HEAD = re.compile(r"y|out|dense|pred|logit|head|fc|soft|^V$|^dec|^v$")  # names of what comes after the cell
FIRST = re.compile(r"^(x|xs|xt|x_t|X|inp|input|inputs|seq|sequence|sequences|data)$", re.IGNORECASE)
HIDDEN = re.compile(
    r"^(h|a|s)(0|_?prev|prev_?h|_?init|_?t|_?in|_?old|_?0|)$|prev_?[ha]|^[ha]_?next|hidden|h_?0|h_?prev", re.IGNORECASE
)
CELL = re.compile(
    r"^c(0|_?prev|_?init|_?t|_?in|_?old|_?0|)$|prev_?[cs]|cell|c_?0|c_?prev|^[cs]_?prev|^s_?0|state", re.IGNORECASE
)

Outputs = Callable[[dict[str, Any]], list[Array]]  # forward, by names, giving its outputs as arrays


class Part(NamedTuple):
    """How one array of the caller holds blocks: kinds of rows below each other, gates beside each other."""

    kinds: tuple[str, ...]  # on its rows: ("W",), ("W", "U"), ("b", "W", "U")
    gates: tuple[str, ...]  # on its columns
    turned: bool  # rows and columns are exchanged: W is (4H, D)
    rows: tuple[int, ...]  # of each kind

    def blocks(self, a: Array) -> list[tuple[tuple[str, str], Array]]:
        """The blocks in an array of this form."""
        if a.ndim == 3:  # (4, D, H): the gates on an axis of their own
            a = np.concatenate(list(a), axis=0 if self.turned else 1)
        flat = self.kinds == ("b",) or self.kinds == ("v",)
        matrix = a.reshape(1, -1) if flat else a.T if self.turned else a  # (rows, gates · H)
        found = []
        for kind, rows in zip(self.kinds, np.split(matrix, np.cumsum(self.rows)[:-1]), strict=True):
            for gate, block in zip(self.gates, np.split(rows, len(self.gates), axis=1), strict=True):
                found.append(((kind, gate), block[0] if kind in "bv" else block))
        return found

    def without(self, kind: str, a: Array) -> Array:
        """The array with 0 in the blocks of this kind."""
        if a.ndim == 3 or self.kinds == (kind,):
            return np.zeros_like(a) if self.kinds == (kind,) else a
        a = a.copy()
        for (k, _), block in self.blocks(a):  # views of a
            if k == kind:
                block[...] = 0.0
        return a


def to_standard(a: Array, layout: str, axes: str) -> Array:
    """An array whose axes are those of `layout`, "BTF", with the axes `axes`, "TBF"; an axis that it lacks has length 1."""
    a = a.transpose([layout.index(k) for k in axes if k in layout])
    return a.reshape([a.shape["".join(k for k in axes if k in layout).index(k)] if k in layout else 1 for k in axes])


def to_caller(a: Array, layout: str, axes: str) -> Array:
    """The reverse: `a` has the axes `axes`."""
    kept = [k for k in axes if k in layout]
    a = a.reshape([n for n, k in zip(a.shape, axes, strict=True) if k in layout])
    return a.transpose([kept.index(k) for k in layout])


@dataclass(frozen=True)
class Form:
    """A caller's function as one of the cells."""

    cell: Cell
    x: tuple[str, str]  # its name and layout
    states: Mapping[str, tuple[str, str]]  # "h0", "c0": name and layout of those that are inputs
    parts: Mapping[str, Part]
    sizes: Mapping[str, int]  # T, B, D, H
    outputs: tuple[
        tuple[str, str] | None, ...
    ] = ()  # of each output: "h", "c" of all steps or "h_T", "c_T", and its layout
    head: Head | None = None

    @property
    def is_step(self) -> bool:
        return "T" not in self.x[1]

    def standard(self, values: Mapping[str, Any]) -> Blocks:
        """The caller's arrays in blocks of the cell; what it lacks is 0."""
        name, layout = self.x
        x = to_standard(one_hot(values[name], self.sizes["D"]), layout, "TBF")  # (T, B, D)
        blocks: Blocks = {("x", ""): x}
        for part_name, part in self.parts.items():
            for key, block in part.blocks(values[part_name]):
                blocks[key] = blocks.get(key, 0.0) + block
        D, H = self.sizes["D"], self.sizes["H"]
        shapes = {"W": (D, H), "U": (H, H), "b": (H,), "v": (H,)}
        for kind, gate in product(self.cell.parameters, self.cell.gates):
            blocks.setdefault((kind, gate), np.zeros(shapes[kind]))
        for s in self.cell.states:
            if (where := self.states.get(f"{s}0")) is not None:
                blocks[f"{s}0", ""] = to_standard(values[where[0]], where[1], "BF")
            else:
                blocks[f"{s}0", ""] = np.zeros((x.shape[1], H))
        return blocks

    def gradients(self, gradients: Mapping[str, Array]) -> list[tuple[str, tuple[str, str], Array]]:
        """The caller's gradients as (name of the input, block, values)."""
        seen = []
        for name, g in gradients.items():
            if name == self.x[0]:
                seen.append((name, ("x", ""), to_standard(g, self.x[1], "TBF")))
            elif name in self.parts:
                seen += [(name, key, block) for key, block in self.parts[name].blocks(g)]
            elif self.head and name == self.head.V:
                seen.append((name, ("V", ""), g.T if self.head.turned else g))
            elif self.head and name == self.head.bias:
                seen.append((name, ("by", ""), g.reshape(-1)))
            else:
                seen += [
                    (name, (state, ""), to_standard(g, layout, "BF"))
                    for state, (own_name, layout) in self.states.items()
                    if own_name == name
                ]
        return seen

    def draw(self, rng: np.random.Generator, values: Mapping[str, Any], steps: int, batch: int) -> dict[str, Any]:
        """The caller's inputs with random numbers at unit scale, for so many steps and sequences."""
        drawn = dict(values)
        T = 1 if self.is_step else steps
        B = batch if "B" in self.x[1] else 1
        D, H = self.sizes["D"], self.sizes["H"]
        name, layout = self.x
        if is_whole(values[name]):
            indices = to_caller(rng.integers(0, D, (T, B, 1)), layout.replace("F", ""), "TBF")
            drawn[name] = [int(n) for n in indices] if isinstance(values[name], list) else indices
        else:
            drawn[name] = to_caller(rng.standard_normal((T, B, D)), layout, "TBF")
        for name, layout in self.states.values():
            drawn[name] = to_caller(rng.standard_normal((B, H)), layout, "BF")
        for name in self.parts:
            shape = np.shape(values[name])
            drawn[name] = rng.standard_normal(shape) / np.sqrt(max(1, min(shape)) if len(shape) > 1 else 1)
        return drawn | (self.head.draw(rng, values, T, B) if self.head else {})

    def expected(self, steps: Sequence[Step], values: Mapping[str, Any]) -> dict[str, Array]:
        """What the outputs may be: h, c and y of all steps (T, B, H) and of the last (B, H), and the loss."""
        found = {s: np.array([step[s] for step in steps]) for s in self.cell.states}
        found |= {f"{s}_T": steps[-1][s] for s in self.cell.states}
        if self.head and self.head.loss:
            found["loss"] = np.array(self.head.loss_value(found["h"], values))
        elif self.head:
            y = self.head.outputs(found["h"], values)
            found["y_T" if self.head.last else "y"] = y[-1] if self.head.last else y
        return found

    def upstream(self, up: Mapping[str, Array], like: Sequence[Array]) -> list[Array]:
        """The caller's upstream gradients; those of outputs that are not h or c are 0. up has "h", "c", "h_T", "c_T"."""
        return [
            np.zeros(y.shape)
            if where is None
            else up["loss"].reshape(y.shape)
            if where[0] == "loss"
            else to_caller(up[where[0]], where[1], axes_of(where[0]))
            for where, y in zip(self.outputs, like, strict=True)
        ]


def axes_of(output: str) -> str:
    return "" if output == "loss" else "BF" if output.endswith("_T") else "TBF"


def one_hot(a: Any, D: int) -> Array:
    """x (..., D); whole numbers are the indices of its one 1."""
    a = np.asarray(a)
    return np.eye(D)[a] if a.dtype.kind in "iu" else a


# -- the search --------------------------------------------------------------------------------------------------------

INDICES = {1: ("T", "B"), 2: ("TB", "BT")}
LAYOUTS = {3: ("TBF", "BTF", "FBT", "TFB", "FTB", "BFT"), 2: ("TF", "BF", "FB", "FT"), 1: ("F", "T")}


def recognise(
    outputs: Outputs, values: Mapping[str, Any], names: Collection[str], like: str | None = None, seed: int = 0
) -> Form | None:
    """The form of the function, or None. names are the inputs that have a gradient: they are replaced by random numbers.

    All cells are tried, or that of `like`; then cells that differ in one line, whose `differs` says in which.
    """
    floats = {name: a for name, a in values.items() if isinstance(a, np.ndarray) and a.dtype == float and a.ndim}
    rng = np.random.default_rng((seed, 7))
    random = [name for name in floats if name in names or FIRST.match(name)]
    drawn = dict(values) | {name: rng.standard_normal(floats[name].shape) * 0.8 for name in random}
    try:
        shown = outputs(drawn)
    except Exception:  # of the caller's function, which may refuse these inputs
        return None
    families = [like] if like else list(CELLS)
    for cells in (CELLS, VARIANTS):
        for cell in (cell for family in families for cell in cells[family]):
            for x in x_choices(values, floats):
                for form in forms(cell, x, values, floats, shown):
                    if (proved := prove(form, drawn, floats, shown)) is not None:
                        return proved
    return None


def x_choices(values: Mapping[str, Any], floats: Mapping[str, Array]) -> Iterator[tuple[str, str]]:
    """The inputs that may be x, the likeliest first, with their layouts; whole numbers lack the axis of features."""
    whole = [name for name, a in values.items() if isinstance(a, (list, np.ndarray)) and is_whole(a)]
    by_name = [name for name in (*floats, *whole) if FIRST.match(name)]
    for name in by_name[:1] or [*whole[:1], *list(floats)[:2]]:
        if name in floats:
            yield from ((name, layout) for layout in LAYOUTS.get(floats[name].ndim, ()))
        else:
            yield from ((name, f"{layout}F") for layout in INDICES.get(np.ndim(values[name]), ()))


def forms(
    cell: Cell, x: tuple[str, str], values: Mapping[str, Any], floats: Mapping[str, Array], shown: Sequence[Array]
) -> Iterator[Form]:
    """Every form that the shapes admit."""
    name, layout = x
    others = {other: a for other, a in floats.items() if other != name}
    axes = dict(zip(layout, np.shape(values[name]), strict=False))
    T, B = axes.get("T", 1), axes.get("B", 1)
    columns = "B" in layout and layout.index("F") < layout.index("B")
    loss = all(y.size == 1 for y in shown)
    widths = {n for a in others.values() for n in a.shape if n > 1 or not loss}
    widths |= {n for y in shown for n in y.shape}
    for D in [axes["F"]] if "F" in axes else sorted(widths) if is_whole(values[name]) else [1]:
        for H in sorted(widths):
            if not any(y.size in (1, T * B * H, B * H) for y in shown) and not any(map(HEAD.search, others)):
                continue
            for states in state_choices(cell, others, H, B, layout, columns):
                taken = {state for state, _ in states.values()}
                left = {k: a for k, a in others.items() if k not in taken and not HEAD.search(k)}
                for parts in part_choices(cell, left, D, H):
                    yield Form(cell, x, states, parts, {"T": T, "B": B, "D": D, "H": H})


def state_choices(
    cell: Cell, others: Mapping[str, Array], H: int, B: int, layout: str, columns: bool
) -> Iterator[dict[str, tuple[str, str]]]:
    """Which inputs are the first states, by name; the orders of two that have no telling names are both tried."""
    fit = [name for name, a in others.items() if a.size == B * H and a.ndim <= 2 and H in a.shape]

    def where(name: str) -> tuple[str, str]:
        a = others[name]
        if a.ndim == 1:
            return name, "F"
        by_shape = [k for k in ("FB", "BF") if a.shape == {"FB": (H, B), "BF": (B, H)}[k]]
        return name, by_shape[0] if (columns or len(by_shape) == 1) else by_shape[-1]

    cells = [name for name in fit if CELL.search(name) and not name.startswith(("b", "W", "w", "U"))]
    hidden = [
        name for name in fit if HIDDEN.search(name) and name not in cells and not name.startswith(("b", "W", "w", "U"))
    ]
    if "c" not in cell.states:
        for name in (hidden or cells)[:1]:
            yield {"h0": where(name)}
    else:
        if hidden and cells:
            yield {"h0": where(hidden[0]), "c0": where(cells[0])}
            return
        named = [name for name in fit if name in hidden or name in cells]
        for a, b in permutations(named, 2):
            yield {"h0": where(a), "c0": where(b)}
        for name in named:
            yield {"h0": where(name)}
            yield {"c0": where(name)}
    yield {}


def part_choices(cell: Cell, left: Mapping[str, Array], D: int, H: int) -> Iterator[dict[str, Part]]:
    """Which inputs are which parameters: fused or a gate each, turned or not, gates in every order."""
    G = len(cell.gates)
    orders = list(permutations(cell.gates))
    if cell.gates == ("i", "f", "g", "o"):
        orders.sort(key=lambda order: order not in (("i", "f", "g", "o"), ("i", "f", "o", "g"), ("f", "i", "g", "o")))
    for turned in (False, True):
        fused = fused_choices(cell, left, D, H, turned)
        for kinds in fused:
            for order in orders:
                yield {name: Part(k, order, turned, rows) for name, (k, rows) in kinds.items()}
        if G == 1:
            continue
        for groups in separate_choices(cell, left, D, H, turned):
            for order in orders:
                parts = {}
                for names, (k, rows) in groups:
                    for name, gate in zip(names, order, strict=True):
                        parts[name] = Part(k, (gate,), turned, rows)
                yield parts


Kinds = tuple[tuple[str, ...], tuple[int, ...]]


def kinds_of(a: Array, width: int, D: int, H: int, turned: bool, G: int) -> list[Kinds]:
    """What an array may hold whose columns are `width`: W, U, both below each other, with the bias as a row or without."""
    long = [n for n in a.shape if n != 1]
    if a.size == width and len(long) <= 1:
        return [(("b",), (1,))]
    if a.ndim == 3 and a.shape[0] == G and width == G * H:
        shape = (a.shape[2], a.shape[1]) if turned else (a.shape[1], a.shape[2])
        return [((k,), (n,)) for k, n in (("W", D), ("U", H)) if shape == (n, H)]
    if a.ndim != 2:
        return []
    rows, columns = a.shape[::-1] if turned else a.shape
    if columns != width:
        return []
    heights = {"W": D, "U": H, "b": 1}
    sets = (("W",), ("U",), ("U", "W"), ("b", "U", "W"))
    found = [
        (order, tuple(heights[k] for k in order))
        for kinds in sets
        if sum(heights[k] for k in kinds) == rows
        for order in permutations(kinds)
    ]
    if rows == 2:
        found += [(("b", "v"), (1, 1)), (("b", "b"), (1, 1))]
    return found


def complete(kinds: Sequence[str], cell: Cell) -> bool:
    """Whether these kinds are a cell's: one W, one U, and no more biases than two."""
    biases = sum(k in "bv" for k in kinds)
    return (
        kinds.count("W") == 1
        and kinds.count("U") == 1
        and biases <= 2
        and ("v" not in kinds or ("v" in cell.parameters and kinds.count("v") == 1))
    )


def fused_choices(cell: Cell, left: Mapping[str, Array], D: int, H: int, turned: bool) -> Iterator[dict[str, Kinds]]:
    """Every array holds all gates."""
    G = len(cell.gates)
    options = {name: kinds_of(a, G * H, D, H, turned, G) for name, a in left.items()}
    options = {name: found for name, found in options.items() if found}
    if "v" in cell.parameters:  # a second bias belongs to the recurrent product
        options = {name: found + [(("v",), (1,))] * (found == [(("b",), (1,))]) for name, found in options.items()}
    matrices = sum(found[0][0][0] not in ("b", "v") for found in options.values())
    unused: Kinds = ((), ())  # what belongs to a layer after the cell
    choices = [found + [unused] * (found[0][0] == ("b",) or matrices > 2) for found in options.values()]
    if len(choices) > 7:
        return
    for chosen in product(*choices):
        if complete([k for kinds, _ in chosen for k in kinds], cell):
            yield {name: kinds for name, kinds in zip(options, chosen, strict=True) if kinds != unused}


def separate_choices(
    cell: Cell, left: Mapping[str, Array], D: int, H: int, turned: bool
) -> Iterator[list[tuple[list[str], Kinds]]]:
    """Every array holds one gate: groups of as many arrays as there are gates, in the order of the gates' letters."""
    G = len(cell.gates)
    classes: dict[tuple[Kinds, ...], list[str]] = {}
    for name, a in left.items():
        if found := kinds_of(a, H, D, H, turned, G):
            classes.setdefault(tuple(found), []).append(name)
    groups: list[tuple[list[str], list[Kinds]]] = []
    for options, names in classes.items():
        found = list(options)
        if len(names) == G:
            groups.append((by_letter(names), found))
        elif len(names) == 2 * G:
            recurrent = [name for name in names if re.match(r"U|R|[Wwb]_?h|[Ww]h|.*h[hifcogzrn]$|u", name)]
            if len(recurrent) != G:
                recurrent = names[G:]
            first = [name for name in names if name not in recurrent]
            if found[0][0] == ("b",):
                second: Kinds = (("v" if "v" in cell.parameters else "b",), (1,))
                groups += [(by_letter(first), [found[0]]), (by_letter(recurrent), [second])]
            else:
                groups += [(by_letter(first), found), (by_letter(recurrent), found)]
        else:
            return
    for chosen in product(*(found for _, found in groups)):
        if complete([k for kinds, _ in chosen for k in kinds], cell):
            yield [(names, kinds) for (names, _), kinds in zip(groups, chosen, strict=True)]


def by_letter(names: list[str]) -> list[str]:
    """In the order of the letters that name the gates, so that those of W, U and b agree: Wf Wi Wc Wo beside bf bi bc bo."""

    def letter(name: str) -> str:
        tail = re.sub(r"^d?[WUbRVwu](?:_?[xh](?=[_a-z]))?_?", "", name).strip("_").lower()
        tail = tail.removesuffix("x").removesuffix("h") if len(tail) > 1 else tail
        return {"g": "c", "a": "c", "n": "h"}.get(tail[:1], tail[:1])

    letters = [letter(name) for name in names]
    return [name for _, name in sorted(zip(letters, names, strict=True))] if len(set(letters)) == len(names) else names


# -- the proof ---------------------------------------------------------------------------------------------------------


def prove(form: Form, values: Mapping[str, Any], floats: Mapping[str, Array], shown: Sequence[Array]) -> Form | None:
    """The form with its outputs, if its equations give at least one of the outputs that the function shows."""
    try:
        steps = walk(form.cell, form.standard(values))
    except ValueError:  # shapes that do not fit
        return None
    columns = "B" in form.x[1] and form.x[1].index("F") < form.x[1].index("B")
    outputs = tuple(place(y, form.expected(steps, values), form.x[1], columns) for y in shown)
    if None in outputs and (proved := with_head(form, values, floats, shown, steps, columns)) is not None:
        return proved
    if not any(where and where[0].startswith("h") for where in outputs):
        return None
    return replace(form, outputs=outputs)


def with_head(
    form: Form, values: Mapping[str, Any], floats: Mapping[str, Array], shown: Sequence[Array], steps: list[Step],
    columns: bool,
) -> Form | None:  # fmt: skip
    """The form with a layer after the cell that gives one of the outputs."""
    used = {form.x[0], *form.parts, *(name for name, _ in form.states.values())}
    left = {name: a for name, a in floats.items() if name not in used}
    hs = np.array([step["h"] for step in steps])  # (T, B, H)
    for y in shown:
        for head in heads(left, form.sizes["H"], hs, values, y):
            proved = replace(form, head=head)
            expected = proved.expected(steps, values)
            outputs = tuple(place(output, expected, form.x[1], columns) for output in shown)
            if any(where and where[0] in ("y", "y_T", "loss") for where in outputs):
                return replace(proved, outputs=outputs)
    return None


def place(y: Array, expected: Mapping[str, Array], layout: str, columns: bool) -> tuple[str, str] | None:
    """Which of the expected values an output is, and how it lies."""
    for name, a in expected.items():
        axes = axes_of(name)
        if not axes or y.size == 1:
            if y.size == a.size and abs(float(y.reshape(())) - float(a.reshape(()))) <= SAME * max(
                abs(float(a.reshape(()))), 1e-3
            ):
                return name, ""
            continue
        if y.size != a.size or not among(a, y):
            continue
        layouts = [layout] if axes == "TBF" and "T" in layout else []
        layouts += [k for k in LAYOUTS.get(y.ndim, ()) if ("T" in k) == (axes == "TBF") and k not in layouts]
        for k in layouts:
            if len(k) != y.ndim or sorted(k) != sorted(set(k)):
                continue
            if any(n != 1 and letter not in k for n, letter in zip(a.shape, axes, strict=True)):
                continue
            mine = to_caller(a, k, axes)
            if mine.shape == y.shape and np.abs(mine - y).max() <= SAME * max(np.abs(y).max(), 1e-3):
                return name, k
    return None
