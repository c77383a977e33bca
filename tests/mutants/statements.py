"""Statements without their places: how a mutant is known, and found again in a tree that was moved about.

A statement is known by its function's name and its text, without line numbers, files, comments or annotations. The text is
what `ast.unparse` makes of it. Python's ast is all that this needs.
"""

import ast
import collections
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
IDENTIFIERS = {"Name": "id", "Attribute": "attr", "arg": "arg", "keyword": "arg", "Constant": "value"}


class Statement(NamedTuple):
    """A statement without the statements inside it, without annotations."""

    file: str
    function: str  # "LSTM.initial_bias", "" at module level
    text: str
    node: Any  # as parsed, with its positions

    @property
    def lines(self) -> range:
        """The lines whose execution runs it: up to its body; of a function or class, whose head runs on import, all."""
        body = [] if isinstance(self.node, ast.FunctionDef | ast.ClassDef) else getattr(self.node, "body", [])
        return range(self.node.lineno, max(body[0].lineno, self.node.lineno + 1) if body else self.node.end_lineno + 1)


def bare(node: Any) -> Any:
    node = copy.copy(node)
    for field in ("body", "orelse", "finalbody", "handlers"):
        if isinstance(getattr(node, field, None), list):
            setattr(node, field, [])
    if isinstance(node, ast.FunctionDef):
        node.args, node.returns = copy.deepcopy(node.args), None
        for argument in ast.walk(node.args):
            if isinstance(argument, ast.arg):
                argument.annotation = None
    if isinstance(node, ast.AnnAssign):
        node.annotation = ast.Name("_")
    return node


def parts(node: Any) -> list[Any]:
    """A statement `a, b = x, y` as a = x and b = y, so that it is found again when it was written as two; else itself."""
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Tuple):
        return [node]
    sides = [*node.targets, node.value]
    if any(not isinstance(side, ast.Tuple) or len(side.elts) != len(node.value.elts) for side in sides):
        return [node]
    if any(isinstance(element, ast.Starred) for side in sides for element in side.elts):
        return [node]
    columns = zip(*(side.elts for side in sides), strict=True)
    return [ast.copy_location(ast.Assign(targets, value), node) for *targets, value in columns]


def statements(file: str, source: str) -> list[Statement]:
    def walk(node: Any, function: str) -> Iterator[Statement]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
                named = isinstance(child, ast.FunctionDef | ast.ClassDef)
                inside = f"{function}.{child.name}".lstrip(".") if named else function
                for part in [] if isinstance(child, ast.match_case) else parts(child):
                    yield Statement(file, inside, ast.unparse(bare(part)), part)
                yield from walk(child, inside)

    return list(walk(ast.parse(source), ""))


def difference(old: Any, new: Any) -> list[str | int]:
    """The path of fields to the smallest part in which two trees differ."""
    unequal = []
    for field, a in ast.iter_fields(old) if type(old) is type(new) else ():
        b = getattr(new, field)
        parts = [([field], a, b)]
        if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
            parts = [([field, k], x, y) for k, (x, y) in enumerate(zip(a, b, strict=True))]
        for path, x, y in parts:
            if isinstance(x, ast.AST) and isinstance(y, ast.AST):
                if ast.dump(x) != ast.dump(y):
                    unequal.append([*path, *difference(x, y)])
            elif x != y:
                return []
    return unequal[0] if len(unequal) == 1 else []


def along(node: Any, path: list[str | int]) -> list[tuple[int, Any]]:
    """The nodes on a path, each with the length of the path to it."""
    nodes = [(0, node)]
    for length, step in enumerate(path, 1):
        node = node[step] if isinstance(step, int) else getattr(node, step)
        nodes.append((length, node))
    return [(length, node) for length, node in nodes if isinstance(node, ast.AST)]


def place(statement: Any, path: list[str | int]) -> list[str | int] | None:
    """The path cut down to an expression that can be written in parentheses; [] is a whole statement without a body."""
    nodes = along(statement, path)
    strings = [
        length for length, node in nodes if isinstance(node, ast.JoinedStr)
    ]  # positions inside are wrong in 3.11
    if strings:
        return path[: strings[0]]
    kinds = ast.Starred | ast.Slice
    fit = [length for length, node in nodes if isinstance(node, ast.expr) and not isinstance(node, kinds)]
    if fit:
        return path[: fit[-1]]
    return None if hasattr(statement, "body") or hasattr(statement, "handlers") else []


def planted(source: str, statement: Any, path: list[str | int], new: str) -> str:
    """The source with the part of the statement at this path replaced."""
    node = along(statement, path)[-1][1]
    lines = source.encode().splitlines(keepends=True)  # an ast's columns count bytes
    start = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
    end = sum(map(len, lines[: node.end_lineno - 1])) + node.end_col_offset
    inserted = f"({new})" if path else new
    return (source.encode()[:start] + inserted.encode() + source.encode()[end:]).decode()


def shape(node: Any) -> tuple[str, list[tuple[str, str]]]:
    """The tree with a blank for every name and text, and those in their order."""
    node, words = copy.deepcopy(node), []
    for part in ast.walk(node):
        kind = type(part).__name__
        word = getattr(part, IDENTIFIERS.get(kind, ""), None)
        if isinstance(word, str):
            words.append((kind, word))
            setattr(part, IDENTIFIERS[kind], "_")
    return ast.dump(node), words


def parsed(text: str) -> Any:
    """The bare statement that was unparsed to this text."""
    if text.startswith("except"):
        return bare(ast.parse(f"try: pass\n{text} pass").body[0].handlers[0])
    return bare(ast.parse(text + (" pass" if text.endswith(":") else "")).body[0])


def find(mutant: dict[str, Any], tree: list[Statement]) -> tuple[Statement, str, str] | None:
    """The mutant's statement in another tree, the new text of its part, and how it was found.

    The same text in the function of the same name (underscores before it and its class may have changed), in any file;
    then the same shape there with other names; last the same text anywhere, where that is one place.
    """

    def last(function: str) -> str:
        return function.rpartition(".")[2].strip("_")

    old = parsed(mutant["statement"])
    form, words = shape(old)
    name = last(mutant["function"])
    same_name = [s for s in tree if last(s.function) == name]
    same_shape = [s for s in same_name if shape(bare(s.node))[0] == form]
    for how, candidates, index in (
        ("same", [s for s in same_name if s.text == mutant["statement"]], mutant["index"]),
        ("renamed", same_shape, mutant["index_of_shape"]),
        ("elsewhere", [s for s in tree if s.text == mutant["statement"]], None),
    ):
        groups = collections.defaultdict(list)
        for s in candidates:
            groups[s.function != mutant["function"], s.file != mutant["file"], s.file, s.function].append(s)
        if not groups or (index is None and len(candidates) != 1):
            continue
        group = groups[min(groups)]
        if index is not None and len(group) <= index:
            continue
        statement = group[index or 0]
        pairs = set(zip(words, shape(bare(statement.node))[1], strict=True))
        renamed = dict(pairs)
        if len(renamed) < len(pairs):
            continue
        new = ast.parse(mutant["new"]).body[0] if mutant["path"] else None
        for part in ast.walk(new) if new else ():
            kind = type(part).__name__
            word = (kind, getattr(part, IDENTIFIERS.get(kind, ""), None))
            if word in renamed:
                setattr(part, IDENTIFIERS[kind], renamed[word][1])
        return statement, ast.unparse(new) if new else mutant["new"], how
    return None


def described(file: str, source: str, mutated: str) -> dict[str, Any] | None:
    """A mutant as a record; None where no statement changed, or the change is no expression's."""
    try:
        before, after = statements(file, source), statements(file, mutated)
    except SyntaxError:
        return None
    changed = [k for k, (a, b) in enumerate(zip(before, after, strict=False)) if a.text != b.text]
    if len(before) != len(after) or len(changed) != 1:
        return None
    (k,) = changed
    old, new = bare(before[k].node), bare(after[k].node)
    path = place(old, difference(old, new))
    if path is None:
        return None
    text = ast.unparse(along(new, path)[-1][1])
    earlier = [s for s in before[:k] if s.function == before[k].function]
    return {
        "file": file, "function": before[k].function, "statement": before[k].text, "path": path,
        "old": ast.unparse(along(old, path)[-1][1]), "new": text,
        "index": sum(s.text == before[k].text for s in earlier),
        "index_of_shape": sum(shape(bare(s.node))[0] == shape(old)[0] for s in earlier),
    }  # fmt: skip


def read(patterns: tuple[str, ...], root: Path = ROOT) -> dict[str, str]:
    files = sorted({f for pattern in patterns for f in root.glob(pattern)})
    return {str(f.relative_to(root)): f.read_text() for f in files}
