"""A small draw of `random_merges`: the command compares a thousand."""

import pytest

pytest.importorskip("keras")
from experiments.beside_keras import random_merges


def test_random_merge_layers_are_keras_s(keras):
    seen = set()
    for case in random_merges.random_cases(30, seed=5):
        for kind, error in random_merges.compare(case):
            assert error is None or error <= random_merges.TOLERANCE, (kind, case)
            seen.add(kind)
    assert len(seen) == 24  # eight layers with output, mask and gradient
