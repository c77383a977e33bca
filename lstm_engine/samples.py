"""The data of fit, evaluate and predict: one array, or a list of sequences of different lengths, taken batch by batch.

A batch from a list of (T_n, D) arrays is padded to its longest sequence, with a mask of the existing steps; `batches`
puts sequences of similar length together, so that there is little padding.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import finite, losses
from .activations import Array
from .checks import Shape, check_mask, counted, numbers
from .compiling import per_output

CLEAN = ". Mend the data, or of sequences leave the step out with mask="
POOL = 32  # so many batches are sorted by length together: enough for similar lengths, few enough to stay mixed


class Samples:
    """X as an array (N, T, D), perhaps with a mask (N, T), or as a list of N arrays (T_n, D).

    `shape` is that of one sample, (None, D) for a list. TypeError or ValueError for anything else names what came, and so
    for NaN and infinity, unless allow_nan or at steps that the mask leaves out.
    """

    def __init__(
        self, x: ArrayLike | Sequence[ArrayLike], dtype: str, mask: ArrayLike | None = None, allow_nan: bool = False,
        name: str = "X",
    ) -> None:  # fmt: skip
        self.lengths: Array | None = None  # (N,) steps of each sequence of a list
        self.mask: Array | None = None
        if isinstance(x, list | tuple) and len(x) == 1 and np.ndim(x[0]) > 2:
            x = x[0]  # Keras's list of the arrays of all inputs, of which there is one
        if isinstance(x, list | tuple) and len(x) and np.ndim(x[0]) >= 2:
            given = [numbers(row, f"{name}[{n}]") for n, row in enumerate(x)]
            self.rows: Any = [finite.cast(row, dtype) for row in given]
            odd = next(
                (n for n, row in enumerate(self.rows) if row.ndim != 2 or row.shape[1:] != self.rows[0].shape[1:]), None
            )
            if odd is not None:
                got = ", ".join(f"X[{n}] {self.rows[n].shape}" for n in sorted({0, odd}))
                raise ValueError(f"a list of sequences holds (T, D) arrays of one D, got {got}")
            if mask is not None:
                raise ValueError("a list of sequences is masked by their lengths: leave mask= out")
            self.lengths = np.array([len(row) for row in self.rows])
            self.shape: Shape = (None, self.rows[0].shape[1])  # a number of steps that differs
            for n, row in enumerate(() if allow_nan else self.rows):
                finite.check(f"{name}[{n}]", row, given[n], sample=n, advice=CLEAN)
        else:
            array = numbers(x, name)
            if array.ndim == 0 or len(array) == 0:
                raise ValueError(f"{name} must hold at least one sample, got shape {array.shape}")
            self.rows = finite.cast(array, dtype)
            self.shape = self.rows.shape[1:]
            self.mask = check_mask(name, self.rows, mask)
            if not allow_nan:
                finite.check(name, self.rows, array, self.mask, advice=CLEAN)

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, at: Any) -> tuple[Array, Array | None]:
        """The samples at these row numbers or in this slice: x (B, T, D), and their mask (B, T) or None."""
        if self.lengths is None:
            return self.rows[at], None if self.mask is None else self.mask[at]
        x = pad([self.rows[n] for n in np.arange(len(self))[at]])
        return x, np.arange(x.shape[1]) < self.lengths[at][:, None]

    def slice(self, at: slice) -> "Samples":
        """A new Samples with these rows."""
        part = object.__new__(Samples)
        part.rows = self.rows[at]
        part.shape = self.shape
        part.lengths = None if self.lengths is None else self.lengths[at]
        part.mask = None if self.mask is None else self.mask[at]
        return part

    def batches(self, batch_size: int, rng: np.random.Generator | None) -> list[Array]:
        """Row numbers cut into batches: in order, or shuffled by rng, with sequences of similar length together."""
        rows = np.arange(len(self)) if rng is None else rng.permutation(len(self))
        if rng is None or self.lengths is None:
            return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
        lengths = self.lengths
        pool = POOL * batch_size
        pools = (rows[start : start + pool] for start in range(0, len(rows), pool))
        by_length = np.concatenate([p[np.argsort(lengths[p], kind="stable")] for p in pools])
        batches = [by_length[start : start + batch_size] for start in range(0, len(rows), batch_size)]
        return [batches[n] for n in rng.permutation(len(batches))]


class Several:
    """The samples of a network with several inputs: one `Samples` an input, of one number of samples."""

    lengths = None  # of sequences in a list, which are for one input alone

    def __init__(self, parts: Sequence[Samples], names: Sequence[str]) -> None:
        self.parts = list(parts)
        if any(part.lengths is not None for part in self.parts):
            raise ValueError("a network with several inputs takes arrays of one length, not lists of sequences")
        if len({len(part) for part in self.parts}) > 1:
            sizes = ", ".join(f"{name} {len(part)}" for name, part in zip(names, self.parts, strict=True))
            raise ValueError(f"all inputs must have the same number of samples, got {sizes}")
        self.shape = [part.shape for part in self.parts]

    def __len__(self) -> int:
        return len(self.parts[0])

    def take(self, at: Any) -> tuple[list[Array], list[Array | None]]:
        """The samples at these row numbers or in this slice: a list of x, and a list of their masks or None."""
        x, masks = zip(*(part.take(at) for part in self.parts), strict=True)
        return list(x), list(masks)

    def slice(self, at: slice) -> "Several":
        """A new Several with these rows."""
        return Several([part.slice(at) for part in self.parts], [])

    def batches(self, batch_size: int, rng: np.random.Generator | None) -> list[Array]:
        return self.parts[0].batches(batch_size, rng)


class Data:
    """Samples with their targets and weights: of several outputs in lists, or in dicts by the outputs' names."""

    def __init__(
        self, samples: Samples | Several, y: Any, dtype: str, sample_weight: Any = None, outputs: Sequence[str] = ("y",)
    ) -> None:
        self.samples = samples
        self.several = len(outputs) > 1
        hint = ": male is 1 and female 0, for instance"
        named = [f"y of {name}" for name in outputs] if self.several else ["y"]
        ys = per_output("y", y, outputs) if self.several or isinstance(y, Mapping) else [y]
        self.y = [self._rows(part, what, dtype, hint) for part, what in zip(ys, named, strict=True)]
        self.given = list(zip(named, ys, strict=True))  # each y by its name in errors, as it came
        each = (
            sample_weight
            if isinstance(sample_weight, list | Mapping) and self.several
            else [sample_weight] * len(outputs)
        )
        given = per_output("sample_weight", each, outputs, missing=None)
        self.weights = [None if part is None else self._rows(part, "sample_weight", dtype) for part in given]
        for part, came in zip(self.weights, given, strict=True):
            if isinstance(part, list):
                for n, row in enumerate(part):
                    finite.check(f"sample_weight[{n}]", row, numbers(came[n], "sample_weight"), sample=n)
            elif part is not None:
                finite.check("sample_weight", part, came)

    def _rows(self, values: Any, what: str, dtype: str, hint: str = "") -> Any:
        """An array with one row per sample; or a list, if X is a list and `values` has a value for every step."""
        listed = isinstance(values, list | tuple) and len(values) == len(self)
        if listed and self.samples.lengths is not None and has_steps(values, what, self.samples.lengths):
            return [finite.cast(numbers(row, what, hint), dtype) for row in values]
        array = finite.cast(numbers(values, what, hint), dtype)
        if array.ndim == 0 or len(array) != len(self):
            got = f"X {(len(self), *self.samples.shape)} and {what} {array.shape}"
            raise ValueError(f"X and {what} must have the same number of samples, got {got}")
        return array

    def weigh(self, class_weight: dict[int, float]) -> None:
        """Gives every sample the weight of its class."""
        if self.several:
            raise ValueError(
                "class_weight is for a network with one output: give sample_weight, a list of one an output"
            )
        if self.weights != [None]:
            raise ValueError("class_weight and sample_weight cannot both be given: multiply one into the other")
        self.weights = [losses.class_weights(self.y[0], class_weight)]

    def __len__(self) -> int:
        return len(self.samples)

    def take(self, at: Any) -> tuple[Any, Any, Any, Any]:
        """x, y, mask and weights at these row numbers or in this slice; lists where the network has several."""
        x, mask = self.samples.take(at)
        y = [self._of(part, at) for part in self.y]
        weights = [None if part is None else self._of(part, at) for part in self.weights]
        return (x, y, mask, weights) if self.several else (x, y[0], mask, weights[0])

    def _of(self, values: Any, at: Any) -> Any:
        return pad([values[n] for n in np.arange(len(self))[at]]) if isinstance(values, list) else values[at]

    def split(self, share: float) -> "tuple[Data, Data]":
        """The rows without the last `share` of them, and those; rounded as in Keras."""
        if not 0 < share < 1:
            raise ValueError(f"validation_split must lie between 0 and 1, got {share}")
        at = int(np.floor(len(self) * (1.0 - share)))
        if at == 0 or at == len(self):
            raise ValueError(f"validation_split={share} of {counted(len(self), 'sample')} leaves one side empty")
        first, last = copy.copy(self), copy.copy(self)
        for part, rows in ((first, slice(at)), (last, slice(at, None))):
            part.samples = self.samples.slice(rows)
            part.y = [y[rows] for y in self.y]
            part.weights = [None if w is None else w[rows] for w in self.weights]
        return first, last


def has_steps(rows: Sequence[Any], what: str, lengths: Array) -> bool:
    """Whether there is a value for every step. ValueError for rows whose lengths are neither X's nor all the same."""
    row_lengths = [len(row) if np.ndim(row) else 0 for row in rows]
    if row_lengths != lengths.tolist() and len(set(row_lengths)) > 1:
        raise ValueError(
            f"{what} of every step needs the lengths of X's sequences, {lengths.tolist()}, got {row_lengths}"
        )
    return row_lengths == lengths.tolist()


def pad(rows: list[Array]) -> Array:
    """One array (B, T, ...) from arrays (T_n, ...), with zeros after the end of each."""
    longest = max(1, *(len(row) for row in rows)) if len(rows) > 1 else max(1, len(rows[0]))
    out = np.zeros((len(rows), longest, *rows[0].shape[1:]), rows[0].dtype)
    for n, row in enumerate(rows):
        out[n, : len(row)] = row
    return out
