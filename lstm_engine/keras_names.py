"""Helpers for Keras-compatible names: constructor arguments, refusing unknown ones, CamelCase to snake_case."""

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any, TypeVar

from .absent import argument
from .keras_2_words import taken

F = TypeVar("F", bound=Callable[..., Any])

ANY = ("any value",)
# Arguments of Keras's functions, and the values at which they change nothing here.
HARMLESS: dict[str, dict[str, tuple[Any, ...]]] = {
    "compile": {
        "weighted_metrics": (None, []), "run_eagerly": ANY, "steps_per_execution": (1,), "jit_compile": ANY,
        "auto_scale_loss": ANY,
    },
    "evaluate": {"callbacks": (None, [])},
    "predict": {"callbacks": (None, [])},
    "summary": {
        "line_length": ANY, "positions": ANY, "print_fn": (None, print), "expand_nested": ANY, "show_trainable": ANY,
        "layer_range": (None,),
    },
    "Input": {
        "batch_size": ANY, "sparse": (None, False), "ragged": (None, False), "tensor": (None,), "optional": (False,),
    },
}  # fmt: skip


def arguments(cls: type, *hidden: str) -> list[str]:
    """The names of the constructor's arguments without `hidden`: those of the class first, then those of its bases."""
    return [name for name in _parameters(cls) if name not in ("general", "unknown", *hidden)]


@functools.lru_cache(500)  # a signature takes as long as a small layer's weights; a file asks for it at every layer
def _parameters(cls: type) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for c in cls.__mro__[:-1] for name in inspect.signature(c).parameters))


def refuse_unknown(cls: type, unknown: dict[str, Any], defaults: dict[str, Any], has: list[str]) -> None:
    """TypeError for arguments that the engine does not have. Arguments of Keras at their `defaults` pass."""
    refuse(cls.__name__, {k: v for k, v in unknown.items() if k not in defaults or v != defaults[k]}, has)


def refuse(what: str, refused: dict[str, Any], has: list[str]) -> None:
    """TypeError for arguments by name, with what to write instead; nothing if there are none."""
    if refused:
        named = ", ".join(f"{k}={v!r}" for k, v in refused.items())
        ways = "; ".join(f"{name}: {way}" for name in refused if (way := argument(name)))
        known = ", ".join(has) or "no arguments"
        raise TypeError(f"{what} has no {named} in this engine{f' ({ways})' if ways else ''}; it has {known}")


def takes_keras_arguments(function: F) -> F:
    """A decorator: the function also takes what HARMLESS has under its name and Keras 2's words, and refuses others by name.

    Of a constructor the name is that of its class.
    """
    has = [name for name in inspect.signature(function).parameters if name != "self"]
    what = function.__qualname__.removesuffix(".__init__").rpartition(".")[2]
    harmless = HARMLESS.get(what, {})

    @functools.wraps(function)
    def taking(*given: Any, **named: Any) -> Any:
        named |= taken(what, named)
        more = {name: named.pop(name) for name in list(named) if name not in has}
        passing = [name for name, values in harmless.items() if values == ANY or more.get(name) in values]
        refuse(what, {name: value for name, value in more.items() if name not in passing}, has)
        return function(*given, **named)

    return taking  # type: ignore[return-value]


def snake(name: str) -> str:
    """BinaryCrossentropy to binary_crossentropy, GRU to gru."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
