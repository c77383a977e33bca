"""Coursera's notebook prints numbers that lstm_backward should give. Are they its gradient? Calculated here.

The notebook walks forward over 7 steps and back over the first 4 of them, with upstream gradients of those alone.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lstm_engine.cells.lstm import lstm_backward, lstm_forward

from .standard import columns

STEPS, BACK = 7, 4
DIGITS = 2e-7  # the notebook prints 8 to 12 digits of numbers of about 1


class Printed(NamedTuple):
    """A notebook of the exercise in a repository."""

    repository: str
    commit: str
    path: str


class Comparison(NamedTuple):
    """The printed numbers beside the gradient and beside two other calculations: the largest differences."""

    numbers: dict[str, Any]  # as printed, by "dWf[3][1]"
    from_gradient: float
    from_alone: float  # the biases of i, c and o aside
    from_printed: float  # with those as they came about


def printed(clone: Path, notebook: Printed) -> dict[str, Any]:
    """The numbers of the last "Expected Output" that has a gradient of a0: that of lstm_backward."""
    command = ["git", "-C", str(clone), "show", f"{notebook.commit}:{notebook.path}"]
    cells = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    text = next((t for t in reversed(texts) if "Expected Output" in t and '"da0"' in t and '"dWf"' in t), "")
    number = r"-?\d+\.\d+(?:e-?\d+)?"
    entries = re.findall(rf'gradients\["(\w+)"\]((?:\[\d\])+)\D*?\s*\[?\s*({number}(?:\s+{number})*)', text)
    return {name + at: np.array(values.split(), float) for name, at, values in entries}


def gradients(kind: str) -> dict[str, Any]:
    """The notebook's inputs through the engine's equations. kind: "gradient"; "alone": every step by itself, nothing handed
    back; "printed": alone, and the biases of i, c and o get f's sum and δz of the first step.
    """
    rng = np.random.RandomState(1)  # the notebook's np.random.seed(1), and its order of draws
    x, a0 = rng.randn(3, 10, STEPS), rng.randn(5, 10)
    drawn = {gate: (rng.randn(5, 8), rng.randn(5, 1)) for gate in "fiog"}
    dh = rng.randn(5, 10, BACK).transpose(2, 1, 0)  # (T, B, H)
    W = np.concatenate([drawn[gate][0][:, 5:].T for gate in "ifgo"], axis=1)  # (3, 20)
    U = np.concatenate([drawn[gate][0][:, :5].T for gate in "ifgo"], axis=1)  # (5, 20)
    b = np.concatenate([drawn[gate][1][:, 0] for gate in "ifgo"])
    steps, h0 = x.transpose(2, 1, 0)[:BACK], a0.T
    walk = lstm_forward(steps, W, U, b, h0, np.zeros_like(h0))
    if kind == "gradient":
        parts = [lstm_backward(walk, dh)]
    else:
        states = zip(steps, walk.h_states, walk.c_states, dh, strict=False)
        parts = [lstm_backward(lstm_forward(x_t[None], W, U, b, h, c), dh_t[None]) for x_t, h, c, dh_t in states]
    named = {"dx": np.concatenate([part.x for part in parts]).transpose(2, 1, 0), "da0": parts[0].h0.T}
    summed = columns(*(sum(getattr(part, name) for part in parts) for name in "WUb"))
    for gate, (matrix, bias) in summed.items():
        named |= {f"dW{gate.replace('g', 'c')}": matrix, f"db{gate.replace('g', 'c')}": bias}
    if kind == "printed":
        first = columns(parts[0].W, parts[0].U, parts[0].b)
        named |= {f"db{gate.replace('g', 'c')}": summed["f"][1] + first[gate][1] for gate in "igo"}
    return named


def compare(clone: Path, notebook: Printed) -> Comparison:
    numbers = printed(clone, notebook)
    if not numbers:
        raise ValueError(f"{notebook.path} prints no expected output of lstm_backward")
    largest = max(float(np.abs(n).max()) for n in numbers.values())

    def apart(kind: str, without: tuple[str, ...] = ()) -> float:
        calculated = gradients(kind)
        keys = [key for key in numbers if not key.startswith(without or "-")]
        return (
            max(float(np.abs(np.atleast_1d(element(calculated, key)) - numbers[key]).max()) for key in keys) / largest
        )

    return Comparison(numbers, apart("gradient"), apart("alone", ("dbi", "dbc", "dbo")), apart("printed"))


def element(calculated: dict[str, Any], key: str) -> Any:
    """calculated["dWf"][3][1] for "dWf[3][1]"."""
    name, *indices = re.findall(r"\w+", key)
    return calculated[name][tuple(map(int, indices))]
