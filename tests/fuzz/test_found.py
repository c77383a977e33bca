"""Inputs that the harnesses found: each is a valid file with one value changed, and is refused in words since."""

import json

import pytest

from tests.fuzz.doors import DOORS, tree_of

FOUND = [  # harness, the entry by which its tree is known, the place in it, the value, the words
    (
        "models",
        "graph",
        ["architecture", "graph", "inputs", 0],
        "c",
        "its graph begins at 'c', its input layers are a, b",
    ),
]


@pytest.mark.parametrize(("door", "kind", "place", "value", "words"), FOUND)
def test_what_was_found_is_refused_in_words(door, kind, place, value, words, tmp_path):
    trees = filter(None, map(tree_of, DOORS[door].seeds()))
    tree = next(tree for tree in trees if f'"{kind}"' in json.dumps(tree))
    parent = tree
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    with pytest.raises(ValueError, match=words):
        DOORS[door].enter(json.dumps(tree).encode(), tmp_path)
