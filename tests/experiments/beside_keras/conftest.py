"""The reference of this folder: Keras on JAX, in float64."""

import pytest


@pytest.fixture
def keras(float64_keras):
    if float64_keras.backend.backend() != "jax":
        pytest.skip("the float64 reference needs KERAS_BACKEND=jax")
    return float64_keras
