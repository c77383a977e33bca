"""Which backend Keras takes after `import experiments`, where KERAS_BACKEND is not set."""

import os
import subprocess
import sys

import pytest

from experiments.beside_keras.backend import jax_where_keras_would_find_nothing

WITHOUT_TENSORFLOW = 'import sys; sys.modules["tensorflow"] = None\n'  # so that it cannot be imported, installed or not
SNIPPET = """
from experiments import from_keras
import keras
theirs = keras.Sequential([keras.Input((3, 2)), keras.layers.Dense(1)])
print(keras.backend.backend(), from_keras(theirs).dtype)
"""


def test_a_keras_model_has_its_twin_after_the_projects_own_install(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    environment["KERAS_HOME"] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW + SNIPPET], env=environment, capture_output=True, text=True
    )
    assert done.stdout.split() == ["jax", "float32"], done.stderr


@pytest.mark.parametrize(
    ("chosen", "settings", "expected"),
    [
        (None, None, "jax"),
        (None, "{", "jax"),
        (None, '{"backend": "tensorflow"}', "jax"),
        (None, '{"backend": "numpy"}', None),  # numpy is installed
        ("torch", None, "torch"),
    ],
)
def test_a_backend_that_somebody_chose_is_left_alone(chosen, settings, expected, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", chosen or "none yet")
    if chosen is None:
        monkeypatch.delenv("KERAS_BACKEND")
    if settings:
        (tmp_path / "keras.json").write_text(settings)
    jax_where_keras_would_find_nothing()
    assert os.environ.get("KERAS_BACKEND") == expected
