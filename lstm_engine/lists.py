"""One item, or a list of several: how Keras hands around what a layer or a network may have more than one of."""

from collections.abc import Sequence
from typing import Any


def listed(x: Any) -> list[Any]:
    """x as a list, if it is none."""
    return list(x) if isinstance(x, (list, tuple)) else [x]  # quicker than list | tuple, in every step


def unlisted(items: Sequence[Any]) -> Any:
    """The one item, or a list of several."""
    return items[0] if len(items) == 1 else list(items)
