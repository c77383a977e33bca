"""What error messages say in numbers."""

import numpy as np
import pytest

import lstm_engine as le
from lstm_engine.checks import counted


def test_one_is_not_several():
    assert [counted(n, "feature") for n in (0, 1, 2, 1000)] == [
        "0 features",
        "1 feature",
        "2 features",
        "1,000 features",
    ]


def test_a_layer_of_one_feature_says_so():
    layer = le.Dense(2)
    layer(np.ones((3, 1)))
    with pytest.raises(ValueError, match=r"takes 1 feature, got x of shape"):
        layer(np.ones((3, 4)))
