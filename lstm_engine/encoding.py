"""Lists and labels as arrays: `pad_sequences` and `to_categorical`, with Keras's names, options and results."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .activations import Array
from .checks import positive_int

ENDS = ("pre", "post")


def pad_sequences(
    sequences: Sequence[Any], maxlen: int | None = None, dtype: DTypeLike = "int32", padding: str = "pre",
    truncating: str = "pre", value: float | str = 0.0,
) -> Array:  # fmt: skip
    """One array (N, maxlen, ...) from N sequences (T_n, ...): what is short is filled with `value`, what is long is cut.

    `padding` and `truncating` say where: "pre" at the beginning, "post" at the end. Without maxlen nothing is cut. The
    array has the given dtype, int32 if none is named: numbers with decimals need dtype="float32".
    """
    for what, end in (("padding", padding), ("truncating", truncating)):
        if end not in ENDS:
            raise ValueError(f"{what} must be 'pre' or 'post', got {end!r}")
    if isinstance(value, str) and np.dtype(dtype).kind not in "OSU":
        raise ValueError(f"value={value!r} does not fit dtype {dtype}: give dtype=object for strings")
    if not hasattr(sequences, "__len__") or not len(sequences):
        raise ValueError(f"pad_sequences takes a list of sequences, at least one, got {sequences!r}")
    for n, row in enumerate(sequences):
        if not hasattr(row, "__len__"):
            raise ValueError(f"pad_sequences takes a list of sequences, but item {n} is {row!r}")
    length = max(map(len, sequences)) if maxlen is None else positive_int("maxlen", maxlen)
    rows = [np.asarray(row[-length:] if truncating == "pre" else row[:length], dtype) for row in sequences]
    shape = next((row.shape[1:] for row in rows if len(row)), ())  # of one step
    out = np.full((len(rows), length, *shape), value, dtype)
    for n, row in enumerate(rows):
        if len(row) and row.shape[1:] != shape:
            raise ValueError(
                f"all steps must have the shape {shape} of the first sequence's, got {row.shape[1:]} in {n}"
            )
        at = slice(length - len(row), None) if padding == "pre" else slice(len(row))
        if len(row):
            out[n, at] = row
    return out


def to_categorical(x: ArrayLike, num_classes: int | None = None) -> Array:
    """Class numbers (...) or (..., 1) as one-hot vectors (..., num_classes), float64; num_classes is by default max + 1.

    ValueError for what is no class number from 0 to num_classes - 1.
    """
    given = np.asarray(x)
    classes = given.astype("int64")
    if given.dtype.kind == "f" and not np.array_equal(given, classes):
        raise ValueError(f"to_categorical takes class numbers 0, 1, 2, ..., got {given[given != classes].flat[0]}")
    if classes.ndim > 1 and classes.shape[-1] == 1:
        classes = classes[..., 0]
    if num_classes is None and not classes.size:
        raise ValueError("to_categorical cannot tell the number of classes from no label at all: give num_classes")
    count = int(classes.max()) + 1 if num_classes is None else positive_int("num_classes", num_classes)
    if outside := classes[(classes < 0) | (classes >= count)].tolist():
        raise ValueError(f"class {outside[0]} does not lie between 0 and num_classes - 1 = {count - 1}")
    out = np.zeros((*classes.shape, count))
    np.put_along_axis(out, classes[..., None], 1.0, axis=-1)
    return out
