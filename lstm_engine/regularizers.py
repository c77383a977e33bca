"""Penalties on weights that are added to the loss, with their gradients: Keras's L1, L2 and L1L2."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .absent import Answering
from .activations import Array
from .registry import file_name, make, options


class Regularizer(Answering):
    """Base: a penalty on a weight, and its gradient beside it."""

    keras_class, never_called = "Regularizer", ("__call__",)

    def value(self, w: Array) -> Any:
        raise NotImplementedError

    def gradient(self, w: Array) -> Array:
        raise NotImplementedError

    def config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON values, and the class, from which `get` makes it again."""
        return {"class": file_name(self), **options(self)}


@dataclass(frozen=True)
class L1L2(Regularizer):
    """l1 Σ|w| + l2 Σw². The gradient of |w| at 0 is 0."""

    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        for name, factor in (("l1", self.l1), ("l2", self.l2)):
            if not isinstance(factor, int | float | np.number) or not 0 <= factor < np.inf:
                raise ValueError(f"{name} must be a number of at least 0, got {factor!r}")

    def value(self, w: Array) -> Any:
        return self.l1 * (w * np.sign(w.real)).sum() + self.l2 * (w * w).sum()

    def gradient(self, w: Array) -> Array:
        return self.l1 * np.sign(w.real) + 2.0 * self.l2 * w

    def config(self) -> dict[str, Any]:
        return asdict(self) if type(self) is L1L2 else super().config()


def L1(l1: float = 0.01) -> L1L2:
    return L1L2(l1=l1)


def L2(l2: float = 0.01) -> L1L2:
    return L1L2(l2=l2)


l1, l2, l1_l2 = L1, L2, L1L2  # Keras's older names
NAMED = {"l1": L1(), "l2": L2()}


def get(regularizer: str | Regularizer | dict[str, Any] | None) -> Regularizer | None:
    """The penalty itself, that of this name with Keras's default factor, or that of this config; None stays None.

    ValueError for anything else.
    """
    if regularizer is None or isinstance(regularizer, Regularizer):
        return regularizer
    if isinstance(regularizer, dict) and set(regularizer) == {"l1", "l2"}:
        return L1L2(**regularizer)
    if isinstance(regularizer, dict) and "class" in regularizer:
        options = {k: v for k, v in regularizer.items() if k != "class"}
        made: Regularizer = make("regularizer", regularizer["class"], options)
        return made
    if not isinstance(regularizer, str) or regularizer not in NAMED:
        raise ValueError(
            f"regularizer {regularizer!r} is not in the engine; it has {', '.join(NAMED)} and L1, L2, L1L2"
        )
    return NAMED[regularizer]
