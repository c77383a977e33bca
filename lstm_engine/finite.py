"""Numbers that are none: the engine's doors refuse NaN and infinity, and name the first one.

What is refused where, and what lets it through, is in docs/keras-parity.md. A check is a pass over the numbers, over many at
the speed of BLAS: a finite sum of squares proves that all of them are finite. Where it is not, since squares of large numbers
overflow too, each number is asked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .activations import Array
from .backend import one_thread_pool
from .checks import numbers
from .lists import listed

FEW, MANY = 16, 4096  # numbers: few are asked faster by Python, many by BLAS, others by NumPy
AT_ONCE = 256  # samples in a forward pass that finds the steps which exist
LARGEST = {dtype: float(np.finfo(dtype).max) for dtype in ("float32", "float64")}  # of the numbers that a dtype holds
STEPS = "sample", "step", "feature"


class NotFinite(ValueError):
    """NaN or infinity stands where a file would keep it."""


def is_finite(a: Any) -> bool:
    """Whether an array of real numbers holds no NaN and no infinity."""
    if a.dtype.kind not in "fc":
        return True
    if a.size <= FEW and a.dtype.kind == "f":
        return all(map(math.isfinite, a.ravel().tolist()))
    if a.size >= MANY and a.dtype.kind == "f" and a.flags.c_contiguous:
        flat = a.reshape(-1)
        with np.errstate(over="ignore", invalid="ignore"):
            if math.isfinite(flat.dot(flat)):
                return True
    return bool(np.isfinite(a).all())


def cast(a: Array, dtype: Any) -> Array:
    """The array in this dtype, without NumPy's warning: what overflows is infinite, and a check names it."""
    if a.dtype == dtype:
        return a
    with np.errstate(over="ignore"):
        return a.astype(dtype)


def check(
    what: str, a: Array, given: Any, mask: Array | None = None, sample: int | None = None, advice: str = ""
) -> None:
    """ValueError for the first number of a (N, ...) that is not finite: its sample, step and feature, from 0.

    given: what a was before `cast`, which tells an overflow. What the mask (N, T) leaves out may be anything. sample: the
    number of the only sample, where a is (T, ...) and the mask (T,).
    """
    if is_finite(a):
        return
    bad = ~np.isfinite(a)
    if mask is not None and a.shape[: mask.ndim] == mask.shape:
        bad &= mask.reshape(*mask.shape, *[1] * (a.ndim - mask.ndim))
    if bad.any():
        at = tuple(map(int, np.argwhere(bad)[0]))
        more = f", and so are {bad.sum() - 1:,} more" if bad.sum() > 1 else ""
        words = fault(a[at], numbers(given, what)[at])
        raise ValueError(f"{what}[{', '.join(map(str, at))}] {words}: {place(at, sample)}{more}{advice}")


def fault(number: Any, given: Any) -> str:
    """ "is nan", or for a number that has overflowed what it was."""
    if np.isfinite(given):
        largest = np.finfo(number.dtype).max
        wider = ', or use dtype="float64"' if number.dtype == np.float32 else ""
        return f"is {given:g}, too large for {number.dtype} (at most {largest:.1e}; scale the numbers down{wider})"
    return f"is {float(given):g}"


def place(at: tuple[int, ...], sample: int | None) -> str:
    """ "sample 3, step 17, feature 0": where an index (N, T, D), (N, D) or (N,) stands."""
    index = at if sample is None else (sample, *at)
    names = ("sample", "feature") if len(at) == 2 and sample is None else STEPS
    words = [f"{name} {n}" for name, n in zip(names, index, strict=False)]
    return ", ".join([*words, *(f"index {n}" for n in index[len(words) :])])


def broken(arrays: Mapping[str, Any]) -> str:
    """The names of the arrays that hold NaN or infinity, the first three; "" if there is none."""
    names = [name for name, a in arrays.items() if not is_finite(np.asarray(a))]
    return f"{', '.join(names[:3])}{', ...' * (len(names) > 3)}"


def require(arrays: Mapping[str, Any], source: Any = "", allow_nan: bool = False) -> None:
    """NotFinite, unless allowed, for arrays to be written to a file, or read from `source`, that are not finite.

    The one rule of all formats: a file that holds NaN or infinity is neither written nor read without allow_nan=True.
    """
    if not allow_nan and (names := broken(arrays)):
        why = (
            "the file is damaged, or the training diverged" if source else "the training diverged; nothing was written"
        )
        source = f"{source}: " if source else ""
        raise NotFinite(f"{source}{names} holds NaN or infinity: {why} (allow_nan=True lets it through)")


def state_of(network: Any) -> dict[str, Array]:
    """What a file of the network holds: weights, kept states, and the optimizer's slots, by name."""
    arrays: dict[str, Array] = dict(network.weights)
    for name, part in network.parts.items():
        kept = getattr(part, "states", None) or []
        arrays |= {f"state {n} of {name}": state for n, state in enumerate(kept)}
    if network.optimizer:
        arrays |= {f"optimizer slot {name}": slot for name, slot in network.optimizer.slots.items()}
    return arrays


def require_weights(network: Any, allow_nan: bool = False) -> None:
    """ValueError, unless allowed, for a network whose weights were made NaN or infinite: its answers would mean nothing."""
    if not allow_nan and (names := broken(network.weights)):
        raise ValueError(f"{names} holds NaN or infinity: load or set finite weights, or train anew")


def check_targets(network: Any, data: Any, k: int, has_steps: bool) -> None:
    """ValueError for the first number of the k-th output's y that is not finite, but for steps that do not exist.

    Which steps exist says mask=, or a forward pass through the layers that mask: it runs only where a number is bad.
    """
    y, (what, given) = data.y[k], data.given[k]
    if all(map(is_finite, y if isinstance(y, list) else [y])):
        return
    if not isinstance(y, list) and (not has_steps or y.ndim == 1):
        check(what, y, given)
        return
    mask = getattr(data.samples, "mask", None)
    if mask is not None and y.shape[:2] == mask.shape and np.isfinite(y[mask]).all():
        return
    wrong = np.array([n for n, row in enumerate(y) if not np.isfinite(row).all()])
    given = given if isinstance(y, list) else numbers(given, what)
    for rows in np.split(wrong, range(AT_ONCE, len(wrong), AT_ONCE)):
        steps = existing_steps(network, data, rows)[k]
        for at, n in enumerate(rows.tolist()):
            live = None if steps is None else steps[at][: len(y[n])]
            check(f"{what}[{n}]", y[n], given[n], live, n, ". Mend the data, or leave the step out with mask=")


def existing_steps(network: Any, data: Any, rows: Array) -> list[Array | None]:
    """The masks (N, T) of all outputs for these samples, or None; nothing of the network changes."""
    x, mask = data.samples.take(rows)
    with one_thread_pool(network.backends()), network.undisturbed():
        for part in network.parts.values():
            if getattr(part, "states", None) is not None:
                part.states = None  # kept of another number of samples
        return listed(network.forward(x, False, mask, taped=False)[1])
