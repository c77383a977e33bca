"""Optimizers, updating exactly as Keras 3 does, weights in place.

`apply(weights, gradients)` takes two dicts with the same names and makes one step. What an optimizer remembers lies
in `slots` ("momentum/lstm/kernel", ...) and `iterations`, plain arrays that a file can hold. Scalars are computed in
the weights' dtype, as Keras computes them, so that float32 training stays beside it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .activations import Array

Arrays = dict[str, Array]


class Optimizer:
    """Base: a learning rate, the number of steps taken, and one set of slots a weight."""

    slot_names: tuple[str, ...] = ()

    def __init__(self, learning_rate: float) -> None:
        if not learning_rate >= 0:
            raise ValueError(f"learning_rate must be a number of at least 0, got {learning_rate!r}")
        self.learning_rate = float(learning_rate)
        self.iterations = 0
        self.slots: Arrays = {}
        self._weights: list[Array] = []  # the arrays that it trains

    def config(self) -> dict[str, float | bool]:
        """The constructor's arguments, as JSON values."""
        raise NotImplementedError

    def apply(self, weights: Arrays, gradients: Arrays) -> None:
        """One step: changes every weight in place. The two dicts have the same names and shapes.

        ValueError when this optimizer has stepped other arrays before: its slots are theirs.
        """
        self._weights = self._weights or list(weights.values())
        if len(weights) != len(self._weights) or any(
            a is not b for a, b in zip(weights.values(), self._weights, strict=True)
        ):
            raise ValueError("this optimizer trains another model's weights already: make a new one for every model")
        if not self.slots:
            self.slots = {f"{slot}/{name}": np.zeros_like(w) for slot in self.slot_names for name, w in weights.items()}
        self.iterations += 1
        for name, w in weights.items():
            slots = [self.slots[f"{slot}/{name}"] for slot in self.slot_names]
            self.update(w, gradients[name], *slots)

    def update(self, w: Array, g: Array, *slots: Array) -> None:
        raise NotImplementedError


class SGD(Optimizer):
    """w += m with m = μm - ηg, or with `nesterov` w += μm - ηg (Sutskever et al. 2013, as Keras writes it)."""

    def __init__(self, learning_rate: float = 0.01, momentum: float = 0.0, nesterov: bool = False) -> None:
        super().__init__(learning_rate)
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum must lie in [0, 1], got {momentum!r}")
        self.momentum, self.nesterov = float(momentum), nesterov
        self.slot_names = ("momentum",) if momentum else ()

    def config(self) -> dict[str, float | bool]:
        return {"learning_rate": self.learning_rate, "momentum": self.momentum, "nesterov": self.nesterov}

    def update(self, w: Array, g: Array, *slots: Array) -> None:
        step = g * w.dtype.type(self.learning_rate)
        if not slots:
            w -= step
            return
        (m,) = slots
        m *= self.momentum
        m -= step
        w += self.momentum * m - step if self.nesterov else m


class Adam(Optimizer):
    """Adam with Keras's "epsilon hat" (Kingma & Ba 2015, the form before section 2.1).

    m += (g - m)(1 - β₁)    v += (g² - v)(1 - β₂)    w -= α m / (√v + ε)    α = η √(1 - β₂ᵗ) / (1 - β₁ᵗ)
    """

    slot_names = ("momentum", "velocity")

    def __init__(
        self, learning_rate: float = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7
    ) -> None:
        super().__init__(learning_rate)
        self.beta_1, self.beta_2, self.epsilon = float(beta_1), float(beta_2), float(epsilon)

    def config(self) -> dict[str, float | bool]:
        return {
            "learning_rate": self.learning_rate,
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }

    def update(self, w: Array, g: Array, *slots: Array) -> None:
        m, v = slots
        number = w.dtype.type
        t = number(self.iterations)
        alpha = number(self.learning_rate) * np.sqrt(1 - number(self.beta_2) ** t) / (1 - number(self.beta_1) ** t)
        m += (g - m) * (1 - self.beta_1)
        v += (g * g - v) * (1 - self.beta_2)
        w -= m * alpha / (np.sqrt(v) + self.epsilon)


OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {"adam": Adam, "sgd": SGD}


def get(optimizer: str | Optimizer) -> Optimizer:
    """An optimizer, or the one of this name with its defaults. ValueError for one that the engine does not have."""
    if isinstance(optimizer, Optimizer):
        return optimizer
    if not isinstance(optimizer, str) or optimizer.lower() not in OPTIMIZERS:
        raise ValueError(f"optimizer {optimizer!r} is not in the engine; it has {', '.join(OPTIMIZERS)}")
    return OPTIMIZERS[optimizer.lower()]()


def to_config(optimizer: Optimizer) -> dict[str, Any]:
    return {"name": type(optimizer).__name__.lower(), "config": optimizer.config()}


def from_config(config: dict[str, Any]) -> Optimizer:
    return OPTIMIZERS[config["name"]](**config["config"])
