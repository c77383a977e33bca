"""Penalties on weights: Keras's values, and their derivatives."""

import numpy as np
import pytest

from lstm_engine import regularizers


def weights(seed):
    return np.random.default_rng(seed).standard_normal((3, 5))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("l1", "l1"),
        ("l2", "l2"),
        (regularizers.L1(0.3), ("L1", 0.3)),
        (regularizers.L1L2(0.1, 0.2), ("L1L2", 0.1, 0.2)),
    ],
    ids=str,
)
def test_a_penalty_is_keras_s(float64_keras, ours, theirs):
    name, *values = [theirs] if isinstance(theirs, str) else theirs
    kind = float64_keras.regularizers
    theirs = getattr(kind, name)(*values) if values else kind.get(name)
    w = weights(0)
    expected = pytest.approx(float(theirs(w)), rel=1e-6)  # Keras keeps l1 and l2 in float32
    assert regularizers.get(ours).value(w) == expected


def test_a_penalty_s_gradient_is_its_derivative():
    penalty, w, v = regularizers.L1L2(0.1, 0.2), weights(0), weights(1)
    assert (penalty.gradient(w) * v).sum() == pytest.approx(penalty.value(w + 1e-30j * v).imag / 1e-30, rel=1e-13)
