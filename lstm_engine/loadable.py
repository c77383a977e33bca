"""Whether a model file would give the same model again: asked before the file is written.

Everything that a file says of a model (its layers with their initializers and regularizers, the optimizer with its schedule,
the losses and metrics) is turned into JSON and made anew, with the reader's own classes at hand. What does not come back the
same is named, with what to do.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import losses, metrics, optimizers
from .registry import bases, custom_objects, file_name, kind_of
from .wrappers import as_config, from_config


def check(model: Any) -> None:
    """ValueError for a model whose file could not be loaded again, with what to change. The model is a `Network`."""
    named = list(_objects(model))
    classes: dict[str, Any] = {}  # by kind and name
    for what, obj in named:
        name = file_name(obj)  # refuses a name that would be taken for another class's
        if classes.setdefault(kind_of(type(obj)), {}).setdefault(name, type(obj)) is not type(obj):
            raise ValueError(f"{what}: the model has two classes named {name}: give one of them another name")
    for what, obj in named:
        _check_options(what, obj)
    with custom_objects(classes):
        for layer in model.layers:
            _comes_back(f"layer {layer.name}", layer, as_config, from_config)
        if model.optimizer:
            _comes_back("the optimizer", model.optimizer, optimizers.to_config, optimizers.from_config)
        for target in model.targets:
            _comes_back(f"loss {target.loss.name}", target.loss, losses.to_config, losses.from_config)
        for metric in model.metrics:
            _comes_back(f"metric {metric.name}", metric, metrics.to_config, metrics.from_config)


def plain(value: Any, what: str) -> Any:
    """The value as JSON has it: NumPy's numbers become Python's, tuples lists. ValueError names what is no JSON value."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        return [plain(one, f"{what}[{n}]") for n, one in enumerate(value)]
    if isinstance(value, dict):
        if odd := [key for key in value if not isinstance(key, str)]:
            raise ValueError(f"{what} has the key {odd[0]!r}: a file's keys are strings, so it would come back another")
        return {key: plain(one, f"{what}[{key!r}]") for key, one in value.items()}
    kind = f"an array {value.shape}" if isinstance(value, np.ndarray) else f"{type(value).__name__} {value!r}"
    raise ValueError(
        f"{what} is {kind}, which a file cannot hold: config() returns numbers, strings, lists and dicts of them (an array "
        "as array.tolist(), a function by a name), from which the constructor makes the object again"
    )


def _objects(model: Any) -> Iterator[tuple[str, Any]]:
    """Every object of a class that the file names, with words for it; those inside others first."""
    tops = [(f"layer {layer.name}", layer) for layer in model.layers]
    tops += [("the optimizer", model.optimizer)] if model.optimizer else []
    tops += [(f"loss {target.loss.name}", target.loss) for target in model.targets]
    tops += [(f"metric {metric.name}", metric) for metric in model.metrics]
    for what, obj in tops:
        yield from _within(what, obj)


def _within(what: str, obj: Any) -> Iterator[tuple[str, Any]]:
    for name, value in vars(obj).items():
        if isinstance(value, tuple(bases().values())):
            yield from _within(f"{what}'s {name.removeprefix('_')}", value)
    yield what, obj


def _check_options(what: str, obj: Any) -> None:
    """ValueError when config() does not have every argument of the constructor."""
    name = type(obj).__name__
    try:
        config = obj.config()
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(
            f"{what} could not be loaded again: {name}.config() raises {error!r}. Make the class a dataclass, keep every "
            "argument of its constructor in an attribute of the same name, or write config()"
        ) from error
    arguments = inspect.signature(type(obj)).parameters.values()
    needed = [a.name for a in arguments if a.kind not in (a.VAR_POSITIONAL, a.VAR_KEYWORD)]
    if lost := [a for a in needed if a not in config and a not in ("name", "input_shape", "trainable")]:
        raise ValueError(
            f"{what} would come back without its {', '.join(lost)}: {name}.config() has to return every argument of the "
            f"constructor (a dataclass's does, where {name} is decorated as one)"
        )


def _comes_back(what: str, obj: Any, write: Callable[[Any], Any], read: Callable[[Any], Any]) -> None:
    config = plain(write(obj), what)
    text = json.dumps(config)
    try:
        again = read(json.loads(text))
    except Exception as error:
        raise ValueError(
            f"{what} could not be loaded again: making a {type(obj).__name__} from its config() raises {error!r}. The "
            "constructor has to take what config() returns"
        ) from error
    if type(again) is not type(obj) or json.dumps(plain(write(again), what)) != text:
        raise ValueError(f"{what} would come back another: {text} makes {json.dumps(plain(write(again), what))}")
