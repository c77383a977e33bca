"""A hundred optimizer steps beside Keras's own train_on_batch, in float64 on the same batches: the weights stay together.

The trainings are those of `python -m experiments.beside_keras.training_parity`.
"""

import numpy as np
import pytest

pytest.importorskip("keras")
pytest.importorskip("jax")

from experiments.beside_keras.training_parity import TRAININGS, train_both

pytestmark = pytest.mark.usefixtures("keras")


@pytest.mark.parametrize("name", TRAININGS)
def test_a_hundred_steps_stay_beside_keras(name):
    pairs = train_both(name, steps=100)
    for weight, (ours, theirs, start) in pairs.items():
        assert np.abs(ours - start).max() > 1e-3, weight  # it has moved far beyond the tolerance
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-8, err_msg=weight)
