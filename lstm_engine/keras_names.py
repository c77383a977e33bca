"""Keras's names: an object's arguments as its class has them, the ones that only Keras has, and names made of classes'."""

import inspect
import re
from typing import Any


def arguments(cls: type, *hidden: str) -> list[str]:
    """The names of the constructor's arguments but `hidden`: the class's own first, then those that it hands on."""
    taken = [name for c in cls.__mro__[:-1] for name in inspect.signature(c).parameters]
    return [name for name in dict.fromkeys(taken) if name not in ("general", "unknown", *hidden)]


def refuse_unknown(cls: type, unknown: dict[str, Any], defaults: dict[str, Any], has: list[str]) -> None:
    """TypeError names what the engine does not have; an argument of Keras's at its default, in `defaults`, passes."""
    if refused := {k: v for k, v in unknown.items() if k not in defaults or v != defaults[k]}:
        raise TypeError(
            f"{cls.__name__} has no {', '.join(f'{k}={v!r}' for k, v in refused.items())} in this engine; "
            f"it has {', '.join(has)}"
        )


def snake(name: str) -> str:
    """BinaryCrossentropy to binary_crossentropy, GRU to gru: Keras's names from its classes'."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
