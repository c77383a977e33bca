"""Keras's public names beside the engine's: `python -m experiments.beside_keras.names` writes docs/keras-names.md.

A name of Keras is in the engine, perhaps without some arguments, or `lstm_engine/absent.toml` says why not and what to do.
`tests/experiments/beside_keras/test_names.py` fails where a name is neither, and where the page is not what this writes.
"""

import functools
import inspect
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import lstm_engine as le
from experiments.beside_keras.twins import import_keras
from lstm_engine import absent
from lstm_engine.keras_names import HARMLESS

PAGE = Path(__file__).parents[2] / "docs" / "keras-names.md"
# The namespaces that have a section on the page, and the objects whose attributes have one; the engine's class of each.
SECTIONS = (
    "layers", "losses", "metrics", "optimizers", "optimizers.schedules", "callbacks", "initializers", "regularizers",
    "activations", "utils", "preprocessing", "preprocessing.sequence", "models", "keras", *absent.OBJECTS,
)  # fmt: skip
TITLES = {"keras": "keras itself", "Optimizer": "Of an optimizer", "Initializer": "Of an initializer"}
TITLES |= {name: f"Of a {name.lower()}" for name in ("Layer", "Model", "Loss", "Metric", "Regularizer")}
# What arguments do not show, for names that are in the engine.
NOTES = {
    "Model.input_shape": ["Without the batch: (T, D), where Keras has (None, T, D)"],
    "Model.metrics_names": ["The names of what `evaluate` returns; Keras 3 says compile_metrics for all but the loss"],
    "metrics.Accuracy": ['What "accuracy" means in `compile`; Keras\'s counts what is exactly equal'],
    "metrics.RootMeanSquaredError": ["Masked steps do not count"],
    "metrics.AUC": ["Masked steps do not count"],
    "metrics.Precision": ["Masked steps do not count; one threshold"],
    "metrics.Recall": ["Masked steps do not count; one threshold"],
    "layers.Masking": ["A mask that is there already holds too"],
    "layers.TimeDistributed": ["Around a layer that keeps no states, and no second wrapper"],
    "callbacks.EarlyStopping": ["An unknown `monitor` is an error before the first epoch"],
    "callbacks.ReduceLROnPlateau": ["An unknown `monitor` is an error before the first epoch"],
    "callbacks.ModelCheckpoint": ["An unknown `monitor` is an error before the first epoch"],
}
TAKEN = {  # besides those of the signature
    "Embedding": ("weights",),
    "InputLayer": ("batch_size",),
    **{name: tuple(taken) for name, taken in HARMLESS.items()},
}
NO_ARGUMENTS = ("self", "x", "identifier", "fn", "cell", "_")  # under other names here, and given by their place
HEAD = """# Keras's names, one by one

Every public name of Keras 3.15: in the engine, or with what the engine answers to it, also in an import that fails. `import
lstm_engine as keras` gives the names at Keras's places, `keras.layers.LSTM`; so do `from lstm_engine.layers import LSTM` and,
after `import lstm_engine as tf`, `tf.keras.layers.LSTM`. Arguments that are missing are refused by name. Layers, optimizers,
`Input`, `compile`, `fit`, `evaluate` and `predict` take them at the values that change nothing. Whether the numbers agree:
[What agrees, and what differs](keras-parity.md), also in [words of Keras 2](keras-parity.md#words-of-keras-2) that the engine
takes with a warning. In the answers X is (N, T, D): samples, timesteps, features.

`python -m experiments.beside_keras.names` writes this page from the installed Keras and `lstm_engine/absent.toml`.
"""
ROWS = "| Keras | here | what is missing, or what to do |\n|---|---|---|\n"


def keras_names() -> dict[str, list[str]]:
    """The public names at each place of Keras: its namespaces, and the attributes of its models, layers, losses, ..."""
    return {place: public(owner) for place, owner in keras_places().items()}


def keras_places() -> dict[str, Any]:
    """Keras's namespaces by their places, "layers", "optimizers.schedules"; and objects of absent.OBJECTS."""
    keras = import_keras()
    places: dict[str, Any] = {"keras": keras} | _below(keras, "")
    found = objects(keras)
    graph = keras.Model(found["Model"].inputs, found["Model"].outputs)  # a class of its own, with names of its own
    models = SimpleNamespace(**dict.fromkeys([*public(found["Model"]), *public(graph)]))
    return places | found | {"Model": models}


def _below(module: ModuleType, path: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in public(module):
        inner = getattr(module, name)
        if isinstance(inner, ModuleType) and inner.__name__ == f"{module.__name__}.{name}":
            found |= {path + name: inner} | _below(inner, f"{path}{name}.")
    return found


def public(owner: Any) -> list[str]:
    return [name for name in dir(owner) if not name.startswith("_") and name != "src"]  # Keras's own sources


@functools.cache
def objects(package: Any) -> dict[str, Any]:
    """An object of each kind of absent.OBJECTS, of Keras or of the engine."""
    model = package.Sequential([package.Input((3, 2)), package.layers.LSTM(2)])
    model.compile(optimizer := package.optimizers.Adam(), "mean_squared_error")
    parts = {"Layer": model.layers[0], "Model": model, "Optimizer": optimizer}
    parts |= {"Loss": package.losses.MeanSquaredError(), "Metric": package.metrics.MeanAbsoluteError()}
    return parts | {"Initializer": package.initializers.GlorotUniform(), "Regularizer": package.regularizers.L2()}


def engine_at(place: str) -> Any:
    """The engine's module or object at a place of Keras, None where it has none."""
    return objects(le)[place] if place in absent.OBJECTS else sys.modules.get(absent.path_of(place))


def is_here(place: str, name: str) -> bool:
    owner = engine_at(place)
    return owner is not None and hasattr(owner, name)


def arguments(owner: Any) -> dict[str, inspect.Parameter]:
    """The arguments of a class or function by name; a class that takes **more hands them to the class that it is made of."""
    found: dict[str, inspect.Parameter] = {}
    for each in owner.__mro__[:-1] if inspect.isclass(owner) else (owner,):
        parameters = inspect.signature(each).parameters.values()
        found = {p.name: p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)} | found
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return found


def missing_arguments(ours: Any, theirs: Any) -> list[str]:
    """The arguments that Keras's class or function has and the engine's has not."""
    if not callable(ours) or not callable(theirs):
        return []
    here = {*arguments(ours), *NO_ARGUMENTS, *TAKEN.get(ours.__name__, ())}
    return [name for name in arguments(theirs) if name not in here]


def page() -> str:
    names, places = keras_names(), keras_places()
    sections = [_section(place, names[place], places[place]) for place in SECTIONS]
    return "\n".join([HEAD, *sections, _other_places(names), _old_names(names)])


def _section(place: str, names: list[str], theirs: Any) -> str:
    """A table of a place's names."""
    said = {
        name: _here(place, name, theirs) if is_here(place, name) else _absent(place, name)
        for name in names
        if f"{place}.{name}" not in SECTIONS
        and not (place == "keras" and isinstance(getattr(theirs, name), ModuleType))
    }
    return f"## {TITLES.get(place, f'keras.{place}')}\n\n{_table(said)}"


def _table(said: dict[str, str]) -> str:
    """Names with one answer stand in one row; what is here comes first."""
    rows: dict[str, list[str]] = {}
    for name, answer in said.items():
        rows.setdefault(answer, []).append(name)
    ordered = sorted(rows.items(), key=lambda row: not row[0].startswith("yes"))
    return ROWS + "".join(f"| {_listed(names)} | {answer} |\n" for answer, names in ordered)


def _here(place: str, name: str, theirs: Any) -> str:
    missing = (
        [] if place in absent.OBJECTS else missing_arguments(getattr(engine_at(place), name), getattr(theirs, name))
    )
    words = [f"without {_listed(missing)}"] if missing else []
    return f"yes | {'. '.join([*words, *NOTES.get(f'{place}.{name}', [])])}"


def _absent(place: str, name: str) -> str:
    why, way = absent.table()[place][name]
    here = "no" if why.startswith("is not in the engine") else "old"
    reason = re.sub(r"^is not in the engine(, (which|whose|where) )?|^is of Keras 1 or 2.*", "", why)
    reason = "" if reason == "is about recurrence" else f"{reason}: "
    return f"{here} | {reason.removeprefix(': ')}{way}".replace("\\|", "|")


def _other_places(names: dict[str, list[str]]) -> str:
    """The namespaces without a section: the engine has no such module or, as `backend`, another one of that name."""
    said = {}
    for place in names:
        if place in absent.table()["keras"] and place != "keras":
            below = sum(len(inner) for other, inner in names.items() if f"{other}.".startswith(f"{place}."))
            said[f"{place} ({below})"] = _absent("keras", place)
    backend = _section("backend", names["backend"], keras_places()["backend"])
    return f"## Whole namespaces\n\nIn brackets the number of their names.\n\n{_table(said)}\n{backend}"


def _old_names(names: dict[str, list[str]]) -> str:
    """The names of absent.toml that Keras 3.15 does not have."""
    said = {}
    for place, answers in absent.table().items():
        for name in answers:
            if name not in names.get(place, ()) and not name.startswith("__"):
                dotted = name if place == "keras" else f"{place.lower() if place in absent.OBJECTS else place}.{name}"
                said[dotted] = _absent(place, name)
    return f"## Names of Keras 1, Keras 2 and tf.keras\n\n{_table(said)}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
