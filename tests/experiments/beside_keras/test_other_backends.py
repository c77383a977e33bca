"""The step-by-step comparison under another Keras backend than the rest of the tests use."""

import importlib.util
import os
import subprocess
import sys

import pytest


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed (pip install torch)")
def test_twins_stay_together_on_the_torch_backend():
    code = """
import numpy as np
from experiments import from_keras, side_by_side
from experiments.beside_keras.twins import import_keras, to_keras
from experiments.tutorial.task import voice_model

keras = import_keras()
model = voice_model(units=5)
model.build((6, 2))
theirs = to_keras(model)
rng = np.random.default_rng(0)
X, y = rng.standard_normal((8, 6, 2)), rng.integers(0, 2, 8)
result = side_by_side(from_keras(theirs), theirs, X, y, steps=3, batch_size=8)
print(keras.backend.backend(), result.ok, "velocity lstm/kernel" in result.quantities)
"""
    environment = os.environ | {"KERAS_BACKEND": "torch"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.strip() == "torch True True", done.stderr
