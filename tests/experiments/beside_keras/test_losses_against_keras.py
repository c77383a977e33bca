"""A small draw of `random_losses`: the command compares a thousand."""

import pytest

pytest.importorskip("keras")
from experiments.beside_keras import random_losses


def test_random_losses_and_metrics_are_keras_s(float64_keras):
    if float64_keras.backend.backend() != "jax":
        pytest.skip("the float64 reference needs KERAS_BACKEND=jax")
    seen = set()
    for case in random_losses.random_cases(24, seed=7):
        for kind, error in random_losses.compare(case):
            assert error is None or error <= random_losses.TOLERANCE, (kind, case)
            seen.add(kind)
    assert len(seen) > 15  # six losses with values, mean and gradient, and metrics
