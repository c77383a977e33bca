"""The reference of this folder: Keras on JAX, in float64 for every test."""

import pytest


@pytest.fixture(autouse=True)
def keras(float64_keras):
    if float64_keras.backend.backend() != "jax":
        pytest.skip("the float64 reference needs KERAS_BACKEND=jax")
    return float64_keras
