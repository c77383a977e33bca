"""Checks of what callers hand in. Each error names the value or shape received, and the one that was expected."""

from typing import Any

import numpy as np

from .activations import Array

Shape = tuple[Any, ...]  # of numbers; None stands for any number of steps


def check_shapes(**arrays: tuple[Array | None, Shape]) -> None:
    """name=(array, expected shape); None passes. ValueError names the first array whose shape differs."""
    for name, (array, expected) in arrays.items():
        if array is not None and array.shape != expected:
            raise ValueError(f"{name} must have shape {expected} beside the other arrays, got {array.shape}")


def check_mask(name: str, x: Array, mask: Any) -> Array | None:
    """The mask as bool (N, T), or None. ValueError names both shapes when they do not fit."""
    if mask is None:
        return None
    mask = np.asarray(mask)
    if mask.shape != x.shape[:2]:
        raise ValueError(
            f"{name}: mask must have shape {x.shape[:2]}, one value per step of x {x.shape}, got {mask.shape}"
        )
    return mask.astype(bool)


def existing(a: Array, mask: Array | None) -> Array:
    """a (N, T, ...) with 0 at the steps that the mask (N, T) leaves out; without a mask for it, a itself."""
    if mask is None or a.shape[:2] != mask.shape:
        return a
    return np.where(mask.reshape(*mask.shape, *[1] * (a.ndim - 2)), a, a.dtype.type(0))


def finite_where_masked(a: Array, mask: Array | None) -> Array:
    """a with 0 for NaN and infinity at the steps that the mask leaves out: in a weight's gradient 0 times NaN would be NaN.

    Finite numbers stay, for layers that read masked steps as Keras's do: Flatten, for instance.
    """
    if mask is None or (finite := np.isfinite(a)).all():
        return a
    return np.where(finite, a, existing(a, mask))


def real_numbers(what: str, values: Any) -> Array:
    """The values as an array in float64 if they are float64 or longer, else in float32, in the machine's byte order."""
    array = np.asarray(values)
    if array.dtype.kind not in "buif":
        raise TypeError(f"{what} must be an array of real numbers, got dtype {array.dtype} and shape {array.shape}")
    long = array.dtype.kind == "f" and array.dtype.itemsize >= 8
    return array.astype(np.float64 if long else np.float32, copy=False)


def counted(n: int, noun: str) -> str:
    """A number with its noun: "1 feature", "2 features"."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def positive_int(what: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{what} must be a whole number of at least 1, got {value!r}")
    return int(value)


def share(what: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value <= 1:
        raise ValueError(f"{what} must lie in [0, 1], got {value!r}")
    return float(value)


def require_features(name: str, shape: Shape) -> None:
    """ValueError when the number of features is not known, as after a Flatten of sequences of any length."""
    if not shape or shape[-1] is None:
        raise ValueError(
            f"{name} needs a known number of features, but got (samples, {', '.join(map(str, shape))}): a Flatten, Reshape "
            "or Permute below it needs sequences of one length, Input((T, D)) with a number T"
        )


def require_sequences(name: str, shape: Shape) -> None:
    """ValueError for shapes other than (T, D); for X without a feature axis, a common mistake, it explains what to do."""
    if len(shape) == 1:
        (n,) = shape
        advice = (
            f"X.reshape(-1, {n}, 1), {n} timesteps of one number (the voice tutorial's reading), "
            f"or X.reshape(-1, 1, {n}), one timestep of {n} features"
        )
        if n == 1:
            advice = "X.reshape(-1, 1, 1), one timestep of one number"
        raise ValueError(
            f"{name} reads sequences and expects X of shape (samples, timesteps, features), but got (samples, {n}). "
            f"You probably want {advice}. "
            "(Keras 3 adds the last axis by itself when input_shape ends in 1; this engine asks you to choose.)"
        )
    if len(shape) != 2:
        expected = "(samples, timesteps, features)"
        raise ValueError(f"{name} expects X of shape {expected}, but got (samples, {', '.join(map(str, shape))})")
    require_features(name, shape)
    if shape[0] == 0:
        raise ValueError(f"{name} needs at least one timestep, but got X of shape (samples, 0, {shape[1]})")


def numbers(values: Any, what: str, hint: str = "") -> Array:
    """`values` as an array of numbers. TypeError for anything else; for rows of different lengths it says what to do."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise TypeError(
            f"{what} must be an array of numbers, or a list of (T, D) arrays; got rows of different lengths in another form"
        ) from None
    if array.dtype.kind not in "buif" and hasattr(values, "to_numpy"):
        array = of_frame(values, what)
    if array.dtype.kind not in "buif":
        raise TypeError(f"{what} must be an array of numbers, got dtype {array.dtype} and shape {array.shape}{hint}")
    return array


def of_frame(values: Any, what: str) -> Array:
    """A pandas frame or series whose columns hold numbers of several kinds. TypeError names a column that holds others."""
    columns = zip(values.columns, values.dtypes, strict=True) if hasattr(values, "columns") else [(None, values.dtype)]
    for name, dtype in columns:
        if getattr(dtype, "kind", "O") not in "buif":
            column = what if name is None else f"column {name!r} of {what}"
            raise TypeError(f"{column} holds {dtype}, not numbers: leave it out, or turn it into numbers first")
    return values.to_numpy(dtype="float64", na_value=np.nan)
