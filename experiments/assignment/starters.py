"""Starter files: what a learner writes into, made of the solutions by taking the bodies out.

A file is a cell in one convention, then Adam, then the training loop. Signatures, docstrings and `sigmoid` stay; a body
becomes `raise NotImplementedError`, which the judge reports as "not written yet".
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

from lstm_engine.files import write_atomically

SOLUTIONS = Path(__file__).parent / "solutions"
TOPICS = ("lstm", "gru", "rnn", "adam")
CONVENTIONS = ("rows", "cs231n", "coursera", "karpathy")  # of the LSTM; the other topics have rows
WALKS = ("lstm_forward", "gru_forward", "rnn_forward")
READY = ("sigmoid",)  # functions that the starter gives
ORDER = (
    "Write the functions in this order, and after each: lstm-engine assignment check {name}\n"
    "Nothing but NumPy is needed. Helpers of your own are welcome; names and arguments of these functions must stay."
)


def new(folder: str | Path, topic: str = "lstm", convention: str = "rows", notebook: bool = False) -> list[Path]:
    """Writes the starter of a topic, or of all, into the folder, and returns the files: lstm.py, or lstm.ipynb.

    ValueError for an unknown topic or convention; FileExistsError, and nothing written, if one of the files exists.
    """
    topics = TOPICS if topic == "all" else (topic,)
    if unknown := set(topics) - set(TOPICS):
        raise ValueError(f"there is no topic {unknown.pop()}: expected one of {', '.join(TOPICS)}, or all")
    if convention not in CONVENTIONS:
        raise ValueError(f"there is no convention {convention}: expected one of {', '.join(CONVENTIONS)}")
    if convention != "rows" and "lstm" not in topics:
        raise ValueError(f"the starter of {topic} has one convention, rows: leave --convention out")
    folder = Path(folder)
    suffix = ".ipynb" if notebook else ".py"
    contents = {folder / f"{t}{suffix}": starter(t, convention if t == "lstm" else "rows") for t in topics}
    if there := [str(path) for path in contents if path.exists()]:
        raise FileExistsError(f"already there, perhaps with your work: {', '.join(there)}. Choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in contents.items():
        write_atomically(path, (as_notebook(text) if notebook else text).encode())
    return list(contents)


def solution(topic: str, convention: str = "rows") -> str:
    """The whole solved file of a topic: the cell, Adam, the training loop."""
    parts = [read("adam")]
    if topic != "adam":
        training = read(f"training_{convention}")
        if topic != "lstm":
            training = training.replace("lstm_", f"{topic}_").replace("start, start)", "start)")
            training = training.replace("the LSTM", {"gru": "the GRU", "rnn": "the network"}[topic])
        parts = [read(f"{topic}_{convention}"), *parts, training]
    first, *others = parts
    return "\n\n".join([first.rstrip() + "\n", *(functions_of(part) for part in others)])


def starter(topic: str, convention: str = "rows") -> str:
    """The solved file without what is to be written."""
    source = solution(topic, convention)
    lines = source.splitlines()
    for node in reversed(ast.parse(source).body):  # from the last, so that the lines above keep their numbers
        if isinstance(node, ast.FunctionDef) and node.name not in READY:
            doc = node.body[0]
            lines[doc.end_lineno : node.end_lineno] = ["    raise NotImplementedError  # write this function"]
    text = "\n".join(lines) + "\n"
    end = text.index('"""', 3)
    return text[:end].rstrip() + "\n\n" + ORDER.format(name=f"{topic}.py") + "\n" + text[end:]


def functions(topic: str, convention: str = "rows") -> dict[str, str]:
    """The solved functions by name, as text."""
    source = solution(topic, convention)
    nodes = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return {node.name: ast.get_source_segment(source, node) or "" for node in nodes}


def solved(function: str, source: str) -> str:
    """The solution of a function in the convention of a learner's file: of the starter whose functions have its arguments."""
    best, most = "", -1
    for topic in TOPICS:
        for convention in CONVENTIONS if topic == "lstm" else ("rows",):
            texts = functions(topic, convention)
            shared = sum(text.splitlines()[0] in source for text in texts.values())
            if function in texts and shared > most:
                best, most = texts[function], shared
    return best


def read(name: str) -> str:
    return (SOLUTIONS / f"{name}.py").read_text(encoding="utf-8")


def functions_of(source: str) -> str:
    """A file without its docstring and imports."""
    return source[source.index("\ndef ") + 1 :].rstrip() + "\n"


def as_notebook(source: str) -> str:
    """The file as a Jupyter notebook: a cell for each function, and a cell that checks after each pair."""
    head, *rest = re.split(r"\n\n\n(?=def )", source)
    prose, _, imports = head.partition('\n"""\n')
    cells = [text_cell(prose.strip('"')), code_cell(imports.strip() + "\n\nimport lstm_engine as le")]
    cells[0]["source"] = re.sub(r"and after each: .*", "and run the check below each pair.", str(cells[0]["source"]))
    names = [str(re.match(r"def (\w+)", part)[1]) for part in rest]  # type: ignore[index]
    walk = next((name.removesuffix("_forward") for name in names if name in WALKS), "")
    for name, part in zip(names, rest, strict=True):
        cells.append(code_cell(part.rstrip()))
        pair = name.replace("_backward", "_forward")
        if name.endswith("_backward"):
            cells.append(code_cell(f"le.assignment.check({pair}, {name})  # hint=1, 2 or 3 says more"))
        elif name == "adam_step":
            cells.append(code_cell("le.assignment.check_adam(adam_step)"))
        elif name == "train":
            cells.append(code_cell(f"le.assignment.check_training(train, {walk}_forward, {walk}_backward)"))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    book = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    for k, cell in enumerate(cells):
        cell["id"] = f"cell-{k}"
    return json.dumps(book, indent=1, ensure_ascii=False) + "\n"


def text_cell(text: str) -> dict[str, object]:
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def code_cell(text: str) -> dict[str, object]:
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": text}
