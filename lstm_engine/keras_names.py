"""Helpers for Keras-compatible names: constructor arguments, refusing unknown ones, CamelCase to snake_case."""

import inspect
import re
from typing import Any


def arguments(cls: type, *hidden: str) -> list[str]:
    """The names of the constructor's arguments without `hidden`: those of the class first, then those of its bases."""
    names = [name for c in cls.__mro__[:-1] for name in inspect.signature(c).parameters]
    return [name for name in dict.fromkeys(names) if name not in ("general", "unknown", *hidden)]


def refuse_unknown(cls: type, unknown: dict[str, Any], defaults: dict[str, Any], has: list[str]) -> None:
    """TypeError for arguments that the engine does not have. Arguments of Keras at their `defaults` pass."""
    if refused := {k: v for k, v in unknown.items() if k not in defaults or v != defaults[k]}:
        raise TypeError(
            f"{cls.__name__} has no {', '.join(f'{k}={v!r}' for k, v in refused.items())} in this engine; "
            f"it has {', '.join(has)}"
        )


def snake(name: str) -> str:
    """BinaryCrossentropy to binary_crossentropy, GRU to gru."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
