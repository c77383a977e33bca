"""A script as one of the two libraries runs it: its imports changed, and nothing else but what a mend names.

`code` takes the Python of a file or notebook, `mended` applies named replacements, `rewritten` changes the imports. The texts
of the two sides differ in the name of the package, and in words of Keras 2, which are renamed for Keras alone.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from dataclasses import dataclass

# Why a mend is there. Only KERAS_2 touches what the script says to Keras: a word that Keras 3 refuses and the engine takes.
KERAS_2, TYPO, LIBRARY, SIZE, DATA = "Keras 2", "typo", "library", "size", "data"

# Modules of Keras 1 and 2, and where Keras 3 keeps what they had.
MOVED = {
    f"keras.layers.{part}": "keras.layers"
    for part in (
        "advanced_activations", "convolutional", "convolutional_recurrent", "core", "embeddings", "merge", "normalization",
        "recurrent", "wrappers",
    )
} | {f"keras.utils.{part}": "keras.utils" for part in ("data_utils", "generic_utils", "np_utils", "vis_utils")}  # fmt: skip
MOVED |= {"keras.preprocessing.sequence": "keras.utils"}


@dataclass(frozen=True)
class Mend:
    """A text of the script and what stands in its place, with the reason in words; KERAS_2 is for Keras alone."""

    old: str
    new: str
    kind: str
    why: str = ""


def code(text: str, path: str) -> str:
    """The Python of a file; of a notebook, its code cells one after the other without shell lines and magics."""
    if not path.endswith(".ipynb"):
        return text.replace("\r\n", "\n")
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    lines = "\n".join("".join(cell["source"]) for cell in cells).split("\n")
    return "\n".join(line for line in lines if not line.lstrip().startswith(("!", "%")))


def mended(text: str, mends: Iterable[Mend]) -> str:
    """The text with every mend applied. ValueError for one whose old text is not there."""
    for mend in mends:
        if mend.old not in text:
            raise ValueError(f"the script has no {mend.old!r}, which a mend replaces: is it at the listed commit?")
        text = text.replace(mend.old, mend.new)
    return text


def rewritten(text: str, package: str) -> str:
    """The script with `package` ("keras" or "lstm_engine") where it imports Keras, and every dropout rate 0."""
    tree = ast.fix_missing_locations(Imports(package).visit(ast.parse(text)))
    return ast.unparse(WithoutDropout().visit(tree)) + "\n"


class Imports(ast.NodeTransformer):
    """Imports of keras and tensorflow.keras become imports of `package`, at the places that Keras 3 has."""

    def __init__(self, package: str) -> None:
        self.package = package

    def moved(self, name: str) -> str | None:
        """Where the package has a module of Keras; None for a module of somebody else."""
        name = name.removeprefix("tensorflow.")
        if name != "keras" and not name.startswith("keras."):
            return None
        return self.package + MOVED.get(name, name).removeprefix("keras")

    def visit_Import(self, node: ast.Import) -> list[ast.stmt]:
        return [statement for alias in node.names for statement in self.one_import(alias)]

    def one_import(self, alias: ast.alias) -> list[ast.stmt]:
        module = self.moved(alias.name)
        if module is None:
            return [ast.Import([alias])]
        if alias.asname:
            return [ast.Import([ast.alias(module, alias.asname)])]
        whole: ast.stmt = ast.Import([ast.alias(self.package, "keras" if self.package != "keras" else None)])
        return [whole] if module == self.package else [ast.Import([ast.alias(module)]), whole]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt | list[ast.stmt]:
        source = node.module or ""
        kept, out = [], []
        for alias in node.names:
            whole = f"{source}.{alias.name}"
            if whole in MOVED or whole == "tensorflow.keras":  # a module, under the name that the script gives it
                home, _, last = str(self.moved(whole)).rpartition(".")
                asked = alias.asname or alias.name
                name = ast.alias(last, asked if asked != last else None)
                out.append(ast.ImportFrom(home, [name], 0) if home else ast.Import([name]))
            else:
                kept.append(alias)
        if kept:
            out.insert(0, ast.ImportFrom(self.moved(source) or node.module, kept, node.level))
        return out


class WithoutDropout(ast.NodeTransformer):
    """Rates of 0: the two libraries draw their masks differently."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        for keyword in node.keywords:
            if keyword.arg in ("dropout", "recurrent_dropout"):
                keyword.value = ast.Constant(0.0)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in ("Dropout", "SpatialDropout1D"):
            node.args[:1] = [ast.Constant(0.0)] * len(node.args[:1])
            for keyword in node.keywords:
                if keyword.arg == "rate":
                    keyword.value = ast.Constant(0.0)
        return node
