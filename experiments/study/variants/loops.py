"""The two loops over the steps of a sequence, and how a cell's step, which works by element, is applied to whole arrays.

In NumPy a step gets arrays, the parts of (B, nH). Compiled, it gets the numbers of one unit at a time, so that no arrays lie
in between. Everything else is the same code.
"""

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload, register_jitable

from experiments.study.seeds import digest
from experiments.study.variants import cells
from experiments.study.variants.cells import CELLS, VariantCell, tanh
from lstm_engine.activations import Array, sigmoid
from lstm_engine.kernels.disk_cache import kernel

# Numba's disk cache is keyed by file and function name, and compiled code is linked by name. Two closures with the same name
# would be mixed up, also between processes, and edits of `cells.py` would not be noticed. So the names of a cell's closures
# contain the cell's name and a digest of that file.
VERSION = digest([Path(cells.__file__).read_bytes()])[:12]


def named(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = f"{function.__name__}_{name}_{VERSION}"
    return function


class Loops(NamedTuple):
    """forward(z_x, U, p, y0, c0, mask) -> a, y, c, and backward(dh, dc_T, U, p, mask, a, y, c) -> dz, dy0, dc0."""

    forward: Callable[..., Any]
    backward: Callable[..., Any]


@cache
def loops(name: str, fast: bool) -> Loops:
    """Those of the cell of this name, for NumPy or compiled."""
    if not fast:
        return made_of(*by_array(CELLS[name]))
    named_loops = (named(loop, name) for loop in made_of(*by_unit(CELLS[name])))
    return Loops(*(kernel(error_model="numpy")(loop) for loop in named_loops))


def made_of(step: Callable[..., Any], step_back: Callable[..., Any]) -> Loops:
    """From step(z, p, c') -> a, c, y and step_back(dy, dc, a, c, c', p) -> dz, dc', both for whole arrays."""

    def forward(z_x: Array, U: Array, p: Array, y0: Array, c0: Array, mask: Array) -> tuple[Array, Array, Array]:
        """z_x (T, B, nH) is xW + b."""
        (T, B, _), Y, H = z_x.shape, y0.shape[1], c0.shape[1]
        a, y, c = np.empty_like(z_x), np.empty((T + 1, B, Y), z_x.dtype), np.empty((T + 1, B, H), z_x.dtype)
        y[0], c[0] = y0, c0
        for t in range(T):
            a[t], c[t + 1], y[t + 1] = step(z_x[t] + np.dot(y[t], U), p, c[t])
            for n in range(B):
                if not mask[t, n]:
                    c[t + 1, n], y[t + 1, n] = c[t, n], y[t, n]
        return a, y, c

    def backward(
        dh: Array, dc_T: Array, U: Array, p: Array, mask: Array, a: Array, y: Array, c: Array
    ) -> tuple[Array, Array, Array]:
        (T, B, H), U_T = dh.shape, np.ascontiguousarray(U.T)
        dz, dy, dc = np.empty_like(a), np.zeros_like(y[0]), dc_T
        for t in range(T - 1, -1, -1):
            dy[:, :H] += dh[t]
            dz[t], dc_before = step_back(dy, dc, a[t], c[t + 1], c[t], p)
            for n in range(B):
                if not mask[t, n]:
                    dz[t, n], dc_before[n] = 0.0, dc[n]
            dy_before = np.dot(dz[t], U_T)
            for n in range(B):
                if not mask[t, n]:
                    dy_before[n] = dy[n]
            dy, dc = dy_before, dc_before
        return dz, dy, dc

    return Loops(forward, backward)


# -- NumPy: the parts of the arrays ------------------------------------------------------------------------------------


def by_array(cell: VariantCell) -> tuple[Callable[..., Any], Callable[..., Any]]:
    n, k, m = len(cell.parts), len(cell.peepholes), len(cell.heard)

    def parts(a: Array, count: int) -> list[Array]:
        return np.split(a, count, axis=-1) if count else []

    def step(z: Array, p: Array, c_: Array) -> tuple[Array, Array, Array]:
        a, c, y = cell.step(parts(z, n), parts(p, k), c_)
        return np.concatenate(a, axis=-1), c, np.concatenate(y, axis=-1)

    def step_back(dy: Array, dc: Array, a: Array, c: Array, c_: Array, p: Array) -> tuple[Array, Array]:
        dz, dc_ = cell.back(parts(dy, m), dc, parts(a, n), c, c_, parts(p, k))
        return np.concatenate(dz, axis=-1), dc_

    return step, step_back


# -- compiled: the numbers of one unit -----------------------------------------------------------------------------------


# Both use exp, which is three times as fast as tanh in libm, and agree with NumPy within some 1e-16.


@overload(sigmoid)
def compiled_sigmoid(z):  # type: ignore[no-untyped-def]  # Numba compares the two signatures
    return lambda z: 1.0 / (1.0 + math.exp(-z))


@overload(tanh)
def compiled_tanh(z):  # type: ignore[no-untyped-def]
    def by_exp(z):  # type: ignore[no-untyped-def]
        e = math.exp(-2.0 * abs(z))
        return math.copysign((1.0 - e) / (1.0 + e), z)

    return by_exp


for each in CELLS.values():  # also for each other: FGR calls V
    register_jitable(each.step)
    register_jitable(each.back)


def by_unit(cell: VariantCell) -> tuple[Callable[..., Any], Callable[..., Any]]:
    unit_step, unit_back, m = cell.step, cell.back, len(cell.heard)
    z_of, p_of, y_of = (PICK[len(names)] for names in (cell.parts, cell.peepholes, cell.heard))

    def step(z: Array, p: Array, c_: Array) -> tuple[Array, Array, Array]:
        (B, H), a, c = c_.shape, np.empty_like(z), np.empty_like(c_)
        y = np.empty((B, m * H), z.dtype)
        for n in range(B):
            for j in range(H):
                a_j, c[n, j], y_j = unit_step(z_of(z[n], j, H), p_of(p, j, H), c_[n, j])
                put(a[n], j, H, a_j)
                put(y[n], j, H, y_j)
        return a, c, y

    def step_back(dy: Array, dc: Array, a: Array, c: Array, c_: Array, p: Array) -> tuple[Array, Array]:
        (B, H), dz, dc_ = c_.shape, np.empty_like(a), np.empty_like(c_)
        for n in range(B):
            for j in range(H):
                dz_j, dc_[n, j] = unit_back(
                    y_of(dy[n], j, H), dc[n, j], z_of(a[n], j, H), c[n, j], c_[n, j], p_of(p, j, H)
                )
                put(dz[n], j, H, dz_j)
        return dz, dc_

    return register_jitable(named(step, cell.name)), register_jitable(named(step_back, cell.name))


@register_jitable
def none(row: Array, j: int, H: int) -> tuple[()]:
    """Unit j's number in each of the parts (H,) that lie side by side in a row: a tuple, whose length is part of its type."""
    return ()


@register_jitable
def one(row: Array, j: int, H: int) -> tuple[float]:
    return (row[j],)


@register_jitable
def two(row: Array, j: int, H: int) -> tuple[float, float]:
    return row[j], row[H + j]


@register_jitable
def three(row: Array, j: int, H: int) -> tuple[float, float, float]:
    return row[j], row[H + j], row[2 * H + j]


@register_jitable
def four(row: Array, j: int, H: int) -> tuple[float, float, float, float]:
    return row[j], row[H + j], row[2 * H + j], row[3 * H + j]


PICK = (none, one, two, three, four)


@register_jitable
def put(row: Array, j: int, H: int, numbers: tuple[float, ...]) -> None:
    for k in range(len(numbers)):
        row[k * H + j] = numbers[k]
