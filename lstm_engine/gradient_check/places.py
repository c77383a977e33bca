"""Mistakes that the gradients themselves show, in any function: exchanged, transposed, off by one factor, or clipped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..activations import Array
from .pair import CheckedPair
from .report import Lead, Report


def near(a: Array, numeric: Array, tolerance: float) -> bool:
    """Whether an analytic gradient is this numeric one, where that was computed."""
    where = ~np.isnan(numeric)
    size = np.sqrt((numeric[where] ** 2).sum())
    return bool(size > 0 and np.sqrt(((a[where] - numeric[where]) ** 2).sum()) <= tolerance * size)


def in_another_place(pair: CheckedPair, report: Report, failed: Sequence[str]) -> Lead | None:
    """A gradient that is right for another input, or right when transposed."""
    for name in failed:
        a = pair.analytic[name]
        for other in failed:
            if other != name and pair.analytic[other].shape == a.shape and near(a, report.arrays[other][1], report.tol):
                text = f"What backward gives as the gradient of {name} is that of {other}"
                back = near(pair.analytic[other], report.arrays[name][1], report.tol)
                text += ", and the reverse: the two stand in each other's place" if back else ""
                return Lead(
                    "order of gradients", f"δ{name}", f"{text}.", certain=True, instead=f"the gradient of {other}"
                )
        if a.ndim == 2 and a.shape[0] == a.shape[1] > 1 and near(a.T, report.arrays[name][1], report.tol):
            return Lead("order of gradients", f"δ{name}", f"The gradient of {name} is right when it is transposed.",
                        certain=True, instead="transposed")  # fmt: skip
    return None


def factor(a: Array, numeric: Array, tolerance: float) -> float | None:
    """The number k for which a = k · numeric."""
    where = ~np.isnan(numeric)
    a, n = a[where], numeric[where]
    if not (n * n).sum() > 0 or not np.isfinite(a).all():
        return None
    k = float((a * n).sum() / (n * n).sum())
    return k if k and np.sqrt(((a - k * n) ** 2).sum()) <= 10 * tolerance * np.sqrt((a * a).sum()) else None


def constant(pair: CheckedPair, report: Report, failed: Sequence[str]) -> Lead | None:
    """Every wrong gradient is one constant times the right one."""
    if all(pair.analytic[name].size == 1 for name in failed):
        return None  # of two numbers one is always a multiple of the other
    factors = [factor(pair.analytic[name], report.arrays[name][1], report.tol) for name in failed]
    k = factors[0]
    if k is None or any(f is None or abs(f - k) > 10 * report.tol * abs(k) for f in factors):
        return None
    every = len(failed) == len(pair.analytic)
    what = "Every gradient" if every else f"The gradient of {', '.join(failed)}"
    return Lead("a constant factor", "" if every else ", ".join(f"δ{name}" for name in failed),
                f"{what} is {named_factor(k, pair)} times the right one{why(k, pair, every)}.", certain=True,
                instead=f"{k:.6g} times the right gradient")  # fmt: skip


def constant_of_all(pair: CheckedPair, report: Report, failed: Sequence[str]) -> Lead | None:
    """Every gradient of several is one constant times the right one."""
    return constant(pair, report, failed) if len(failed) == len(pair.analytic) > 1 else None


def lengths(pair: CheckedPair) -> dict[int, str]:
    """The lengths of the inputs' axes above 1, each with an input that has it."""
    return {n: name for name, a in pair.inputs.values.items() for n in np.shape(a) if n > 1}


def named_factor(k: float, pair: CheckedPair) -> str:
    for n in lengths(pair):
        for text, value in ((f"1/{n}", 1 / n), (f"{n}", float(n))):
            if abs(k - value) < 1e-8 * abs(value):
                return text
    return f"{k:.4g}"


def why(k: float, pair: CheckedPair, every: bool) -> str:
    if abs(k + 1) < 1e-8:
        return ": the sign is turned"
    for n, name in lengths(pair).items():
        if abs(k * n - 1) < 1e-8:
            return f": somewhere it is divided by {n}, an axis of {name}, where the outputs are not a mean"
        if abs(k - n) < 1e-8 * n:
            return f": somewhere it is multiplied by {n}, an axis of {name}"
    if 0 < k < 1 and every:
        return ": is it clipped to a norm, or divided by a size?"
    return ""


def clipped(pair: CheckedPair, report: Report, failed: Sequence[str]) -> Lead | None:
    """All wrong elements have one size, the right ones are larger, and all others are right."""
    bounds: list[float] = []
    for name in failed:
        a, n = (array[~np.isnan(report.arrays[name][1])] for array in report.arrays[name])
        off = np.abs(a - n) > 100 * report.tol * np.maximum(np.abs(n), np.abs(n).max())
        if not off.any() or (np.sign(a[off]) != np.sign(n[off])).any() or (np.abs(n[off]) < np.abs(a[off])).any():
            return None
        bounds += list(np.abs(a[off]))
    if len(bounds) < 2 or np.ptp(bounds) > 1e-12 * bounds[0]:
        return None
    names = ", ".join(failed)
    bound = f"clipped to ±{bounds[0]:.4g}"
    text = f"The gradients of {names} are right but {bound}: clip them after the backward pass, before the optimizer."
    return Lead("clipping", "", text, instead=bound, certain=True)
