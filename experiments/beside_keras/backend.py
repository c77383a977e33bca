"""Which of its backends Keras takes, where nobody has chosen one."""

import json
import os
from importlib.util import find_spec
from pathlib import Path


def jax_where_keras_would_find_nothing() -> None:
    """Sets KERAS_BACKEND=jax if Keras, imported afterwards, would look for a backend that is not installed.

    Without that variable Keras takes the backend of its keras.json, or TensorFlow, and the extra `keras` installs JAX. A
    variable that is set, and an installed backend, are left alone.
    """
    settings = Path(os.environ.get("KERAS_HOME") or Path("~", ".keras").expanduser(), "keras.json")
    try:
        backend = str(json.loads(settings.read_text(encoding="utf-8"))["backend"])
    except (OSError, ValueError, KeyError, TypeError):
        backend = "tensorflow"
    if find_spec(backend) is None:
        os.environ.setdefault("KERAS_BACKEND", "jax")
