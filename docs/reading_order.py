"""Prints the path from `model.fit` to the equations, file by file with its lines; fails when it outgrows one sitting.

Run by `make lint`, which also fails when the README shows another table.
"""

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

from lstm_engine.cells import lstm

HOUSE = Path(__file__).parent.parent
PATH = {
    "lstm_engine/model.py": "fit: epochs and batches, one `step` a batch; Keras's other verbs",
    "lstm_engine/network.py": "step: forward_pass to the loss, backward_pass to the gradients",
    "lstm_engine/graph.py": "the layers in order forward, in reverse backward",
    "lstm_engine/layer.py": "Layer: forward and backward, and the weights between them",
    "lstm_engine/recurrent.py": "Recurrent: masks, dropout, direction and states around a pair",
    "lstm_engine/cells/lstm.py": "LSTM.pair: lstm_forward and lstm_backward, the equations",
    "lstm_engine/cells/products.py": "h'U and its gradients",
}
LONGEST_FUNCTION = 60


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """The name and the lines of every function and method in a file, decorators and docstring included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            yield f"{path.relative_to(HOUSE)}: {node.name}", node.end_lineno - first + 1


def main() -> None:
    """Prints the table and the limits; exits 1 with the names of what has grown too long."""
    table = "\n".join(f"{lines(HOUSE / name):>5}  {name:<29} {what}" for name, what in PATH.items())
    print(table)
    pair = sum(len(inspect.getsource(f).splitlines()) for f in (lstm.lstm_forward, lstm.lstm_backward))
    every = [function for path in (HOUSE / "lstm_engine").rglob("*.py") for function in functions(path)]
    longest, length = max(every, key=lambda function: function[1])
    limits = {
        "the path together": (sum(lines(HOUSE / name) for name in PATH), 1400),
        "lstm_forward and lstm_backward": (pair, 60),
        "lstm_engine/cells/lstm.py": (lines(HOUSE / "lstm_engine/cells/lstm.py"), 180),
        f"the longest function, {longest}": (length, LONGEST_FUNCTION),
    }
    for what, (n, limit) in limits.items():
        print(f"{n:>5}  {what} (at most {limit:,})")
    if table not in (HOUSE / "README.md").read_text(encoding="utf-8"):
        sys.exit("the README's reading order is out of date: put the lines of the path above into it")
    if grown := [what for what, (n, limit) in limits.items() if n > limit]:
        sys.exit(f"too long to read in one sitting: {', '.join(grown)}")


if __name__ == "__main__":
    main()
