"""Numeric derivatives, with which a backward pass is compared. Each estimator has its formula, its error and its best step.

All of them differentiate a function of named arrays, f({"x": ..., "W": ...}) -> a number, along a direction v in one of them.
For a single element v is 1 there and 0 elsewhere. Directions have length 1, so that one step suits all.
"""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..activations import Array

Function = Callable[[dict[str, Array]], Any]
Estimate = Callable[[Function, dict[str, Array], str, Array, float], float]

STEPS = tuple(10.0**-k for k in range(1, 13))  # the steps that a sweep tries
ROUNDING = 2.0**-53  # of float64, relative


def complex_step(f: Function, point: dict[str, Array], name: str, v: Array, h: float) -> float:
    """Im f(w + ihv) / h = f'(w)·v + O(h²). Nothing is subtracted, so h can be so small that its error vanishes.

    Squire & Trapp 1998. f must take complex128 and be analytic around the point: no abs, no conj, branches by the real part.
    """
    moved = {k: a.astype(np.complex128) for k, a in point.items()}
    moved[name] += 1j * h * v
    return float(np.imag(f(moved)) / h)


def central(f: Function, point: dict[str, Array], name: str, v: Array, h: float) -> float:
    """(f(w + hv) - f(w - hv)) / 2h = f'(w)·v + h² f'''/6 + ..., plus the rounding of f divided by h."""
    above = f(point | {name: point[name] + h * v})
    below = f(point | {name: point[name] - h * v})
    return float((above - below) / (2 * h))


def richardson(f: Function, point: dict[str, Array], name: str, v: Array, h: float) -> float:
    """Central differences at h, h/2 and h/4, combined so that the errors in h² and h⁴ cancel (Richardson 1911)."""
    D = [central(f, point, name, v, h / 2**k) for k in range(3)]
    D = [(4 * finer - coarser) / 3 for coarser, finer in itertools.pairwise(D)]
    return (16 * D[1] - D[0]) / 15


class Method(NamedTuple):
    """An estimator, its default step, and the tolerance: the largest norm-wise error of a right float64 gradient.

    The complex step's error is the rounding of the two passes: about 1e-15 at unit scale; 1e-10 leaves room for badly scaled
    weights. A difference has its best step near ε^(1/3) (central) or ε^(1/7) (richardson), where error and rounding
    balance at about ε^(2/3) = 2e-11 and ε^(6/7) = 2e-14 of the loss; a gradient is often 1e-4 of it.
    """

    estimate: Estimate
    step: float | None  # None: a sweep chooses it
    tolerance: float


METHODS = {
    "complex": Method(complex_step, 1e-20, 1e-10),
    "central": Method(central, None, 1e-5),
    "richardson": Method(richardson, None, 1e-7),
}


def unit(rng: np.random.Generator, shape: tuple[int, ...], where: Array | None = None) -> Array:
    """A random direction of length 1; with `where` (bool, of this shape) it is 0 in all other elements."""
    v = rng.standard_normal(shape)
    v = v if where is None else v * where
    return v / np.sqrt((v * v).sum())


def noise(value: float, h: Any) -> Any:
    """The error of a difference with step h by the rounding of f alone: about 10 roundings of the loss, divided by h."""
    return 10 * ROUNDING * abs(value) / h


def sweep(f: Function, point: dict[str, Array], name: str, v: Array, estimate: Estimate) -> dict[float, float]:
    """The estimate along v for every step of STEPS."""
    return {h: estimate(f, point, name, v, h) for h in STEPS}


def best_step(estimates: dict[float, float], value: float) -> float:
    """The step in the middle of the plateau, whose estimate agrees best with those of both neighbouring steps.

    Larger steps have a truncation error that falls with h, smaller ones a rounding error that rises as h falls; the estimates
    show where the two are equal. Estimates that are nothing but rounding can agree by chance: so `noise` of the loss's value
    is added to the differences.
    """
    h = np.array(list(estimates))
    D = np.array(list(estimates.values()))
    # at all steps except the first and last
    differences = np.maximum(np.abs(D[1:-1] - D[:-2]), np.abs(D[1:-1] - D[2:]))
    return float(h[1:-1][np.argmin(differences + noise(value, h[1:-1]))])
