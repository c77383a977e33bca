"""Which class a name in a model file means: the engine's own classes, and a reader's once they are registered.

    @le.register                                                     for the whole program, or
    class Square(le.layers.Layer): ...
    le.load("m.safetensors", custom_objects={"Square": Square})      for one file, as in Keras

A class is never registered by being defined, so that a reader's own `LSTM` cannot take the place of the engine's.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

LARGEST = 1e300  # number in a config: an integer of more digits is no float

C = TypeVar("C", bound=type)
Classes = dict[str, Any]  # by name

_registered: dict[str, Classes] = {}  # the reader's own, by kind
_given: ContextVar[dict[str, Classes] | None] = ContextVar(
    "given", default=None
)  # the custom_objects of the present load


@cache
def bases() -> Classes:
    """The base class of every kind of object that a model file names."""
    from .initializers import Initializer
    from .layer import Layer
    from .losses import Loss
    from .metrics import Metric
    from .optimizers import Optimizer
    from .regularizers import Regularizer
    from .schedules import Schedule

    return {
        "layer": Layer, "loss": Loss, "metric": Metric, "optimizer": Optimizer,
        "schedule": Schedule, "initializer": Initializer, "regularizer": Regularizer,
    }  # fmt: skip


@cache
def engine(kind: str) -> Classes:
    """The engine's own classes of a kind, by the names that its files have."""
    from . import initializers, layers, losses, metrics, optimizers, regularizers, schedules

    listed = [getattr(layers, name) for name in layers.__all__]
    of_layers = {c.__name__: c for c in listed if isinstance(c, type) and issubclass(c, layers.Layer)}
    known: dict[str, Classes] = {
        "layer": {name: c for name, c in of_layers.items() if c is not layers.Layer},
        "loss": losses.CLASSES,
        "metric": metrics.CLASSES,
        "optimizer": dict(optimizers.OPTIMIZERS),
        "schedule": schedules.SCHEDULES,
        "initializer": initializers.CLASSES,
        "regularizer": {"L1L2": regularizers.L1L2},
    }
    return known[kind]


def register(cls: C) -> C:
    """Lets model files name a class of your own: a layer, loss, metric, optimizer, schedule, initializer or regularizer.

    Use it as a decorator or call it; it returns the class. ValueError where the engine or another registered class has the
    name. A class that is defined again, as in a notebook's cell, takes the place of its older self.
    """
    kind = kind_of(cls)
    name = cls.__name__
    if (other := engines(kind, name)) is not None and other is not cls:
        raise ValueError(f"the engine has a {kind} named {other.__name__}: give your class {name} another name")
    known = _registered.setdefault(kind, {})
    if name in known and not same(known[name], cls):
        raise ValueError(
            f"another {kind} named {name} is registered, {where(known[name])}: give one of the two another name"
        )
    known[name] = cls
    return cls


def find(kind: str, name: str) -> Any:
    """The class of this name: of the present load's custom_objects, else registered, else the engine's own. ValueError."""
    for known in ((_given.get() or {}).get(kind, {}), _registered.get(kind, {}), engine(kind)):
        if name in known:
            return known[name]
    has = ", ".join(engine(kind))
    raise ValueError(
        f"{kind} {name!r} is not in the engine; it has {has}. A class of your own: le.register({name}) before you load the "
        f"file, or custom_objects={{{name!r}: {name}}}"
    )


def make(kind: str, name: Any, config: Any, /, **more: Any) -> Any:
    """The object of a file: of this class, and told what its config says. ValueError names what is of another type."""
    if not isinstance(name, str) or not isinstance(config, dict):
        raise ValueError(f"a {kind} is described by a name and a dict of options, got {name!r:.80} and {config!r:.80}")
    cls = find(kind, name)
    require_types(cls, config)
    try:
        return cls(**config, **more)
    except TypeError as error:  # an argument that is missing
        raise ValueError(f"the {kind} {name} cannot be made: {error!s:.300}") from None


def require_types(cls: type, config: Mapping[str, Any]) -> None:
    """ValueError unless each value is of the type that the class's constructor, or a base's, has for the argument."""
    hints = _hints(cls)
    for option, value in config.items():
        if not _is_a(value, hint := hints.get(option, Any)):
            expected = hint.__name__ if isinstance(hint, type) else hint
            raise ValueError(f"{cls.__name__} takes {expected} as {option}, got {value!r:.80}")


@cache
def _hints(cls: type) -> dict[str, Any]:
    """The types of the constructor's arguments; those that cannot be told are left out."""
    hints: dict[str, Any] = {}
    for one in reversed(cls.__mro__[:-1]):
        try:
            hints |= get_type_hints(vars(one).get("__init__"))
        except (NameError, TypeError):
            continue
    return hints


def _is_a(value: Any, hint: Any) -> bool:
    """Whether a value out of JSON is of a type; a dict or an object may stand for any class."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(_is_a(value, one) for one in get_args(hint))
    if origin in (tuple, list, Sequence):
        inside = get_args(hint)[:1] or (Any,)
        return isinstance(value, list | tuple) and all(_is_a(one, inside[0]) for one in value)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST  # no NaN
    if hint in (int, bool, str, NoneType):
        return isinstance(value, hint) and (hint is not int or not isinstance(value, bool))
    return hint is Any or not isinstance(value, bool | int | float | str | list | NoneType)


def file_name(obj: Any) -> str:
    """The name of an object's class in a model file. ValueError where `find` would take it for another class."""
    cls = type(obj)
    kind = kind_of(cls)
    name = cls.__name__
    if (other := engines(kind, name)) is not None:
        if other is cls:
            return name.lower() if kind == "optimizer" else name
        raise ValueError(
            f"your {kind} {name}, {where(cls)}, has the name of the engine's {other.__name__}, which a file would be taken "
            "for: give your class another name"
        )
    known = _registered.get(kind, {}).get(name, cls)
    if not same(known, cls):
        raise ValueError(
            f"your {kind} {name}, {where(cls)}, has the name of another that is registered, {where(known)}: give one of the "
            "two another name"
        )
    return name


def by_kind(classes: Mapping[str, Any] | None) -> dict[str, Classes]:
    """Keras's custom_objects, sorted. TypeError for what is no class that a model file names."""
    kinds: dict[str, Classes] = {}
    for name, cls in (classes or {}).items():
        kinds.setdefault(kind_of(cls, f"custom_objects[{name!r}]"), {})[name] = cls
    return kinds


@contextmanager
def custom_objects(kinds: dict[str, Classes]) -> Iterator[None]:
    """Within the block `find` knows these classes by kind and name, before all others."""
    token = _given.set(kinds)
    try:
        yield
    finally:
        _given.reset(token)


def options(obj: Any) -> dict[str, Any]:
    """The constructor's arguments, kept in attributes of the same names as a dataclass keeps them. AttributeError without."""
    arguments = inspect.signature(type(obj)).parameters.values()
    return {a.name: getattr(obj, a.name) for a in arguments if a.kind not in (a.VAR_POSITIONAL, a.VAR_KEYWORD)}


def kind_of(cls: Any, what: str = "register") -> str:
    """ "layer", "metric", ...: what a class is. TypeError for what no model file names."""
    for kind, base in bases().items():
        if isinstance(cls, type) and issubclass(cls, base):
            return kind
    expected = ", ".join(f"{base.__name__}" for base in bases().values())
    raise TypeError(f"{what} takes a class derived from {expected}; got {cls!r}")


def engines(kind: str, name: str) -> Any:
    """The engine's own class that `name` would be taken for, or None; the names of optimizers have no capitals in files."""
    return engine(kind).get(name.lower() if kind == "optimizer" else name)


def same(a: type, b: type) -> bool:
    """Whether one class is the other, perhaps defined again: a notebook's cell run twice."""
    return a is b or where(a) == where(b)


def where(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
