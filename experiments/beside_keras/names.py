"""Keras's public names beside the engine's: `python -m experiments.beside_keras.names` writes docs/keras-names.md.

A name of Keras is in the engine, perhaps without some arguments, or `lstm_engine/absent.toml` says why not and what to do.
`tests/experiments/beside_keras/test_names.py` fails where a name is neither, and where the page is not what this writes.
"""

import inspect
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import lstm_engine as le
from experiments.beside_keras.twins import import_keras
from lstm_engine import absent

PAGE = Path(__file__).parents[2] / "docs" / "keras-names.md"
# The namespaces that have a section on the page, and the objects whose attributes have one; the engine's class of each.
SECTIONS = (
    "layers", "losses", "metrics", "optimizers", "optimizers.schedules", "callbacks", "initializers", "regularizers",
    "activations", "utils", "preprocessing", "preprocessing.sequence", "models", "keras", "Model", "Layer", "Optimizer",
)  # fmt: skip
OBJECTS: dict[str, Any] = {"Model": le.Sequential, "Layer": le.LSTM, "Optimizer": le.Adam}
TITLES = {"keras": "keras itself", "Model": "Of a model", "Layer": "Of a layer", "Optimizer": "Of an optimizer"}
# What arguments do not show, for names that are in the engine.
NOTES = {
    "metrics.AUC": "Masked steps do not count",
    "metrics.Precision": "Masked steps do not count; one threshold",
    "metrics.Recall": "Masked steps do not count; one threshold",
    "layers.Masking": "A mask that is there already holds too",
    "layers.TimeDistributed": "For layers without recurrence",
    "callbacks.EarlyStopping": "An unknown `monitor` is an error",
    "callbacks.ReduceLROnPlateau": "An unknown `monitor` is an error",
    "callbacks.ModelCheckpoint": "An unknown `monitor` is an error",
}
HEAD = """# Keras's names, one by one

Every public name of Keras 3.15: in the engine, or the sentence that the engine answers to it. `import lstm_engine as keras`
gives the names at Keras's places (`keras.layers.LSTM`, `from lstm_engine.callbacks import EarlyStopping`), and after `import
lstm_engine as tf` there is `tf.keras.layers.LSTM`. An argument named here as missing is taken at Keras's default, and any
other value of it is an error that names it. How results compare: [What agrees, and what differs](keras-parity.md).

`python -m experiments.beside_keras.names` writes this page from the installed Keras and `lstm_engine/absent.toml`.
"""
ROWS = "| Keras | the engine |\n|---|---|\n"


def keras_names() -> dict[str, list[str]]:
    """The public names at each place of Keras: its namespaces, and the attributes of its models, layers and optimizers."""
    return {place: public(owner) for place, owner in keras_places().items()}


def keras_places() -> dict[str, Any]:
    """Keras's namespaces by their places, "layers", "optimizers.schedules", and the classes of OBJECTS."""
    keras = import_keras()
    places: dict[str, Any] = {"keras": keras} | _below(keras, "")
    return places | {"Model": keras.Model, "Layer": keras.layers.LSTM, "Optimizer": keras.optimizers.Adam}


def _below(module: ModuleType, path: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in public(module):
        inner = getattr(module, name)
        if isinstance(inner, ModuleType) and inner.__name__ == f"{module.__name__}.{name}" and name != "src":
            found |= {path + name: inner} | _below(inner, f"{path}{name}.")
    return found


def public(owner: Any) -> list[str]:
    return [name for name in dir(owner) if not name.startswith("_")]


def engine_at(place: str) -> Any:
    """The engine's module or class at a place of Keras, None where it has none."""
    return OBJECTS.get(place) or sys.modules.get(absent.path_of(place))


def arguments(owner: Any) -> dict[str, inspect.Parameter]:
    """The arguments of a class or function by name; those of a class first, then those of its bases."""
    found: dict[str, inspect.Parameter] = {}
    for each in owner.__mro__[:-1] if inspect.isclass(owner) else (owner,):
        parameters = inspect.signature(each).parameters.values()
        found = {p.name: p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)} | found
    return found


def missing_arguments(ours: Any, theirs: Any) -> list[str]:
    """The arguments that Keras's class or function has and the engine's has not."""
    if not callable(ours) or not callable(theirs):
        return []
    return [name for name in arguments(theirs) if name not in arguments(ours) and name != "self"]


def page() -> str:
    names, places = keras_names(), keras_places()
    sections = [_section(place, names[place], places[place]) for place in SECTIONS]
    return "\n".join([HEAD, *sections, _other_places(names), _old_names(names)])


def _section(place: str, names: list[str], theirs: Any) -> str:
    """A table of a place's names; those with one answer stand in one row, what is here first."""
    ours, rows = engine_at(place), {}
    for name in names:
        if not isinstance(getattr(theirs, name), ModuleType):
            said = _here(place, name, ours, theirs) if hasattr(ours, name) else _absent(place, name)
            rows.setdefault(said, []).append(name)
    lines = [
        f"| {_listed(group)} | {said} |\n" for said, group in sorted(rows.items(), key=lambda row: row[0][:4] != "here")
    ]
    return f"## {TITLES.get(place, f'keras.{place}')}\n\n{ROWS}{''.join(lines)}"


def _here(place: str, name: str, ours: Any, theirs: Any) -> str:
    missing = [] if place in OBJECTS else missing_arguments(getattr(ours, name), getattr(theirs, name))
    words = f"here, without {_listed(missing)}" if missing else "here"
    note = NOTES.get(f"{place}.{name}")
    return f"{words}. {note}" if note else words


def _absent(place: str, name: str) -> str:
    return "{}: {}".format(*absent.table()[place][name]).replace("|", "\\|")


def _other_places(names: dict[str, list[str]]) -> str:
    """The namespaces without a section: the engine has no such module, or, as `backend`, another one of that name."""
    rows = []
    for place in names:
        if place in absent.table()["keras"]:
            below = sum(len(inner) for other, inner in names.items() if f"{other}.".startswith(f"{place}."))
            rows.append(f"| `{place}`, {below} names | {_absent('keras', place)} |\n")
    backend = _section("backend", names["backend"], keras_places()["backend"])
    return f"## Whole namespaces\n\n{ROWS}{''.join(rows)}\n{backend}"


def _old_names(names: dict[str, list[str]]) -> str:
    """The names of absent.toml that Keras 3.15 does not have."""
    rows: dict[str, list[str]] = {}
    for place, answers in absent.table().items():
        for name in answers:
            if name not in names.get(place, ()):
                dotted = name if place == "keras" else f"{place.lower() if place in OBJECTS else place}.{name}"
                rows.setdefault(_absent(place, name), []).append(dotted)
    lines = [f"| {_listed(group)} | {said} |\n" for said, group in rows.items()]
    return f"## Names of Keras 1, Keras 2 and tf.keras\n\n{ROWS}{''.join(lines)}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
