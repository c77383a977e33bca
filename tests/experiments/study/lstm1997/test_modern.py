"""The network of today in the study: its forget gates start by the lag, or all alike."""

import numpy as np
import pytest

from experiments.study.lstm1997.modern import Modern
from experiments.study.networks import chrono_bias
from experiments.study.tasks.adding import Adding


def test_the_network_starts_with_these_biases_or_with_the_one_given():
    task = Adding(24)
    bias = Modern(memory=24, units=4).network(task, 3).model.layers[0].weights["bias"]
    np.testing.assert_array_equal(bias, chrono_bias(4, 24, np.random.default_rng([3, 1])).astype("float32"))
    given = Modern(memory=24, units=4, forget_bias=1.0).network(task, 3).model.layers[0].weights["bias"]
    np.testing.assert_array_equal(given, [0] * 4 + [1] * 4 + [0] * 8)


@pytest.mark.parametrize("bias", [np.nan, np.inf, -np.inf])
def test_a_bias_that_is_not_finite_is_refused(bias):
    with pytest.raises(ValueError, match=f"must be a finite number, got {bias}"):
        Modern(memory=24, forget_bias=bias)
