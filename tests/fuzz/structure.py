"""Inputs that are JSON: written as files of an engine, and changed where a reader looks, so that the JSON stays JSON.

A mutator of bytes alone rarely gets past a parser. Here one value of the tree is replaced, removed or doubled.
"""

import json
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
from safetensors.numpy import save

VALUES = (
    None, True, False, 0, 1, -1, 7, 2**31, 2**53, 2**63, 2**64, 10**30, -(2**63), 0.5, -0.5, 1e-320, 1e308, "", "x", "relu",
    "float64", "float16", "LSTM", "Dense", "..", "a/b", "\x1b[2J", "\u202e", "\ud800", [], {}, [[]], [None], [1, 2, 3],
    {"class_name": "L2", "config": {}}, {"name": "adam", "config": {}}, "9" * 300, ["a"] * 50,
)  # fmt: skip
DTYPES = ("float32", "float64", "float16", "int32", "int64", "bool", "uint8")
MOST_NUMBERS = 100_000  # in an array that a harness makes: what a file of 400 KB holds


def mutated(tree: Any, rng: random.Random) -> Any:
    """The JSON value with one to four places changed."""
    tree = json.loads(json.dumps(tree))
    for _ in range(rng.randint(1, 4)):
        places = list(_places(tree))
        if not places:
            return rng.choice(VALUES)
        parent, key = rng.choice(places)
        match rng.randrange(6):
            case 0 | 1:
                parent[key] = json.loads(json.dumps(rng.choice(VALUES)))
            case 2:
                parent[key] = _near(parent[key], rng)
            case 3:
                del parent[key]
            case 4:
                other, name = rng.choice(places)
                parent[key] = json.loads(json.dumps(other[name])) if name in _keys(other) else None
            case 5 if isinstance(parent, list):
                parent.insert(key, json.loads(json.dumps(parent[key])))
            case _:
                parent[rng.choice([*parent, "x"]) if isinstance(parent, dict) else key] = parent[key]
    return tree


def _places(tree: Any) -> Any:
    keys = _keys(tree)
    for key in keys:
        yield tree, key
        yield from _places(tree[key])


def _keys(tree: Any) -> Any:
    return list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()


def _near(value: Any, rng: random.Random) -> Any:
    """A value like this one: a number beside it, the text cut, the list turned round, or a level deeper."""
    match value:
        case bool():
            return not value
        case int() | float():
            return rng.choice([value + 1, value - 1, -value, value * 1000, float(value), str(value)])
        case str():
            return rng.choice([value[: len(value) // 2], value * 2, value.upper(), value + "\n", [value]])
        case list():
            return rng.choice([value[::-1], value * 2, value[:1], [value]])
        case _:
            return [value]


def sizes(tree: Any) -> Iterator[float]:
    """Every number in the JSON value."""
    if isinstance(tree, int | float):
        yield tree
    for item in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from sizes(item)


def array(spec: Any) -> np.ndarray | None:
    """The array that ["float32", [2, 3]] asks for, of ones; with a third item, that number. None if it asks for none."""
    try:
        dtype, shape, *more = spec
        shape = tuple(int(n) for n in shape)
        if dtype not in DTYPES or min(shape, default=1) < 0 or np.prod(shape, dtype=object) > MOST_NUMBERS:
            return None
        with np.errstate(all="ignore"):
            return np.full(shape, more[0] if more else 1).astype(dtype)
    except (TypeError, ValueError, OverflowError):
        return None


def arrays(specs: Any) -> dict[str, np.ndarray]:
    """Every array of {"name": spec} that can be made."""
    made = {name: array(spec) for name, spec in specs.items()} if isinstance(specs, dict) else {}
    return {_text(name): value for name, value in made.items() if value is not None}


def safetensors(tree: Any) -> bytes:
    """The file with the arrays of tree["arrays"], and as its texts the other entries of the tree, as JSON unless text."""
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in tree.items() if k != "arrays"}
    return save(arrays(tree.get("arrays")), {_text(k): _text(v) for k, v in texts.items()})


def specs(stored: dict[str, np.ndarray]) -> dict[str, Any]:
    return {name: [str(a.dtype), list(a.shape)] for name, a in stored.items()}


def _text(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode()
