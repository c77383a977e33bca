"""Prints the five files to read first, with their lines; fails when one outgrows "one sitting".

Run by `make lint`, which also fails when the README shows another table.
"""

import inspect
import sys
from pathlib import Path

from lstm_engine.cells import lstm

HOUSE = Path(__file__).parent.parent
ORDER = {
    "lstm_engine/cells/lstm.py": "the equations, forward and backward side by side",
    "lstm_engine/recurrent.py": "what stands around the pair: direction, masks, dropout, states",
    "lstm_engine/layers.py": "what a layer is; Dense, Dropout, Masking",
    "lstm_engine/optimizers.py": "Adam and the others, as Keras steps",
    "lstm_engine/model.py": "Sequential: a training step, and Keras's verbs around it",
}


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def main() -> None:
    """Prints the table; exits 1 with the names of what has grown too long."""
    table = "\n".join(f"{lines(HOUSE / name):>5}  {name:<28} {what}" for name, what in ORDER.items())
    print(table)
    engine = HOUSE / "lstm_engine"
    pair = sum(len(inspect.getsource(f).splitlines()) for f in (lstm.lstm_forward, lstm.lstm_backward))
    files = list(engine.rglob("*.py"))
    kernels = [p for p in files if "kernels" in p.parts]
    # what is read for its own sake, not to learn what an LSTM does
    apart = [p for p in files if {"kernels", "interchange", "gradient_check"} & set(p.parts)]
    proper = sum(lines(p) for p in files if p not in apart)
    limits = {
        "the LSTM's forward and backward": (pair, 60),
        "lstm_engine/cells/lstm.py": (lines(engine / "cells/lstm.py"), 180),
        "the five files together": (sum(lines(HOUSE / name) for name in ORDER), 1500),
        "the longest other file": (max(lines(p) for p in files if p not in apart), 500),
        "lstm_engine without kernels, interchange and gradient_check": (proper, 4150),
        "gradient_check": (sum(lines(p) for p in files if "gradient_check" in p.parts), 1850),
        "the longest kernels file": (max(map(lines, kernels)), 350),
    }
    for what, (n, limit) in limits.items():
        print(f"{n:>5}  {what} (at most {limit})")
    if table not in (HOUSE / "README.md").read_text(encoding="utf-8"):
        sys.exit("the README's reading order is out of date: put the five lines above into it")
    if grown := [what for what, (n, limit) in limits.items() if n > limit]:
        sys.exit(f"too long to read in one sitting: {', '.join(grown)}")


if __name__ == "__main__":
    main()
