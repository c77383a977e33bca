"""Everything that a person runs: the commands, comparisons with Keras, studies, lessons and reports.

For your own models, from Python: `experiments.side_by_side(engine_model, keras_model, X, y)` compares two models batch by
batch, `experiments.from_keras(keras_model)` makes the engine's twin of a live Keras model, and
`experiments.inspect_page(model, X, y)` the page of gates of any network. Import `experiments` before `keras`: it gives Keras
JAX where KERAS_BACKEND is not set and TensorFlow not installed. Open `cli/` first.
"""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

for _name in ("features", "lstm_engine"):  # plain words for packages: a folder where Python was started may hide one
    _spec = find_spec(_name)
    if _spec is None or _spec.origin is None or Path(_spec.origin).parents[1] != Path(__file__).parents[1]:
        raise ImportError(
            f"Python finds another {_name!r} ({(_spec and _spec.origin) or 'a folder without code'}) than the one that "
            f"was installed beside {Path(__file__).parent}: start in another folder, or rename that one"
        )

from experiments.beside_keras.backend import jax_where_keras_would_find_nothing  # noqa: E402

if TYPE_CHECKING:
    from experiments.beside_keras.step_by_step import side_by_side
    from experiments.beside_keras.twins import from_keras
    from experiments.microscope.page import inspect_page

jax_where_keras_would_find_nothing()

__all__ = ["from_keras", "inspect_page", "side_by_side"]

LATER = {  # imported when it is first asked for: the command line starts faster without it
    "side_by_side": "experiments.beside_keras.step_by_step",
    "from_keras": "experiments.beside_keras.twins",
    "inspect_page": "experiments.microscope.page",
}


def __getattr__(name: str) -> Any:
    if name not in LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(LATER[name]), name)
