"""The error of a numeric derivative by its step: why 1e-4 beats 1e-8, and why the complex step needs no choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..activations import Array
from ..network import Network
from .numeric import METHODS, STEPS, best_step, unit
from .subject import loss_along

HALF_DECADES = tuple(10.0 ** (-k / 2) for k in range(2, 33))  # 1e-1 to 1e-16, with the steps of a sweep among them


class Curve(NamedTuple):
    """The error of each method at every step, in the loss's derivative along one random direction of length 1."""

    parameter: str  # in which the direction lies
    loss: float
    derivative: float  # along the direction, by the complex step that gradcheck uses
    steps: Array  # (K,), from large to small
    errors: dict[str, Array]  # by method: (K,), relative to the derivative
    best: dict[str, float]  # by method that needs a step: the one that gradcheck's sweep chooses

    def _repr_html_(self) -> str:
        from .pictures import error_curve, image

        return image(error_curve(self), f"The error of a numeric derivative of {self.parameter} by its step.")


def error_curve(
    model: Network,
    x: ArrayLike,
    y: ArrayLike,
    *,
    parameter: str | None = None,
    methods: Sequence[str] = ("central", "richardson", "complex"),
    seed: int = 0,
    **options: Any,
) -> Curve:
    """Measures the methods on a compiled model's loss on x (N, T, D) and y, along one direction that seed draws.

    parameter: "lstm/recurrent_kernel", "x", "lstm/h0", ...; by default the largest recurrent kernel, or the largest weight
    of a model without one. Options: gradcheck's mask, sample_weight, dtype, dropout and allow_...

    ValueError for an unknown parameter, for one on which the loss does not depend, and for what gradcheck refuses.
    """
    if unknown := [method for method in methods if method not in METHODS]:
        raise ValueError(f"methods must be among {', '.join(METHODS)}, got {', '.join(unknown)}")
    f, point = loss_along(model, x, y, **options)
    name = parameter or largest(point, list(model.weights))
    if name not in point:
        raise ValueError(f"there is no parameter {name!r}, but {', '.join(point)}")
    v = unit(np.random.default_rng(seed), point[name].shape)
    exact = METHODS["complex"]
    assert exact.step is not None
    derivative = exact.estimate(f, point, name, v, exact.step)
    if derivative == 0:
        raise ValueError(f"the loss does not depend on {name}: no error can be measured relative to a derivative of 0")
    estimates = {m: {h: METHODS[m].estimate(f, point, name, v, h) for h in HALF_DECADES} for m in methods}
    errors = {m: np.abs(np.array(list(D.values())) - derivative) / abs(derivative) for m, D in estimates.items()}
    value = float(np.real(f(point)))
    best = {m: best_step({h: D[h] for h in STEPS}, value) for m, D in estimates.items() if METHODS[m].step is None}
    return Curve(name, value, derivative, np.array(HALF_DECADES), errors, best)


def largest(point: dict[str, Array], weights: Sequence[str]) -> str:
    """The name of the largest recurrent kernel, or of the largest weight if the model has no recurrent kernel."""
    return max([w for w in weights if w.endswith("recurrent_kernel")] or weights, key=lambda name: point[name].size)
