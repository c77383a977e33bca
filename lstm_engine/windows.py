"""Windows of a long series, gathered a batch at a time: Keras's `timeseries_dataset_from_array`.

    hourly = timeseries_dataset_from_array(data, targets, sequence_length=120, sampling_rate=6, batch_size=256)
    model.fit(hourly, epochs=10)             # or: for x, y in hourly: ...

The series stays where it is; a pass holds one batch of windows in memory, also of a series of gigabytes in a memory map.
"""

import copy
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from .activations import Array
from .checks import positive_int


class BatchArray(np.ndarray):
    """An array with TensorFlow's `.numpy()`, since scripts call it on what a dataset hands out."""

    def numpy(self) -> Array:
        return np.asarray(self)


class Windows:
    """Batches of windows, with their targets if there are any: iterate it as often as you like.

    len() is the number of batches. `take(n)` and `skip(n)` are the first n batches and the others, `as_numpy_iterator()`
    hands out plain arrays.
    """

    def __init__(
        self, data: Array, targets: Array | None, starts: Array, steps: Array, batch_size: int | None, seed: Any
    ) -> None:
        self.data, self.targets = data, targets
        self.starts = starts  # (N,) of each window, in data and targets
        self.steps = steps  # (T,) of a window's steps, counted from its start
        self.batch_size = batch_size  # None: single windows
        self.seed = seed  # of the order; None: in the order of time
        self.batches = range(len(starts) if batch_size is None else -(-len(starts) // batch_size))
        self.passes = 0  # so far: with the seed it gives the order of the next

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        """x (B, T, ...) or (x, y) with y (B, ...). With shuffle every pass has an order of its own."""
        starts = self.starts
        if self.seed is not None:
            starts = np.random.default_rng([self.seed, self.passes]).permutation(starts)
        self.passes += 1
        for n in self.batches:
            at = starts[n] if self.batch_size is None else starts[n * self.batch_size : (n + 1) * self.batch_size]
            x = self.data[np.add.outer(at, self.steps)].view(BatchArray)
            yield x if self.targets is None else (x, np.asarray(self.targets[at]).view(BatchArray))

    def as_numpy_iterator(self) -> Iterator[Any]:
        for batch in self:
            yield tuple(map(np.asarray, batch)) if isinstance(batch, tuple) else np.asarray(batch)

    def take(self, n: int) -> Self:
        """The first n batches; all of them for -1, as in TensorFlow."""
        return self._only(self.batches[: n if n >= 0 else None])

    def skip(self, n: int) -> Self:
        """What `take(n)` leaves."""
        return self._only(self.batches[n if n >= 0 else len(self) :])

    def _only(self, batches: range) -> Self:
        part = copy.copy(self)
        part.batches = batches
        return part

    def __getattr__(self, name: str) -> Any:
        hint = "" if name.startswith("_") else ": windows can be iterated and have take, skip and as_numpy_iterator"
        raise AttributeError(f"{type(self).__name__} has no {name}{hint}")


def timeseries_dataset_from_array(
    data: ArrayLike, targets: ArrayLike | None, sequence_length: int, sequence_stride: int = 1, sampling_rate: int = 1,
    batch_size: int | None = 128, shuffle: bool = False, seed: int | None = None, start_index: int | None = None,
    end_index: int | None = None,
) -> Windows:  # fmt: skip
    """All windows of `sequence_length` steps of a series data (steps, ...), in batches.

    Window n begins at step n · sequence_stride and takes every `sampling_rate`-th step; targets[i] belongs to the window that
    begins at step i, so that a forecast `ahead` steps after a window's first takes targets = data[ahead:]. Only data from
    start_index up to, not including, end_index is used. With shuffle every pass through the windows has another order, which
    follows from the seed.

    ValueError for indices outside of the data, for a series shorter than a window, and for targets that are too few.
    """
    data = np.asanyarray(data)  # a memory map stays one
    targets = None if targets is None else np.asanyarray(targets)
    length, stride = positive_int("sequence_length", sequence_length), positive_int("sequence_stride", sequence_stride)
    rate = positive_int("sampling_rate", sampling_rate)
    for what, value in (("sampling_rate", rate), ("sequence_stride", stride)):
        if value >= len(data):
            raise ValueError(f"{what}={value} must be lower than the number of steps, {len(data)}")
    first, end = start_index or 0, end_index or len(data)
    if not 0 <= first < end or (end_index and end >= len(data)):
        raise ValueError(
            f"start_index and end_index must lie within the {len(data)} steps, the first below the second: got "
            f"{start_index=} and {end_index=}"
        )
    windows = end - first - (length - 1) * rate
    if targets is not None:
        windows = min(windows, len(targets))
    if windows < 1:
        raise ValueError(
            f"a window spans {(length - 1) * rate + 1} steps, but there are {end - first} steps"
            + (f" and {len(targets)} targets" if targets is not None else "")
        )
    starts = first + np.arange(0, windows, stride)
    if targets is not None and starts[-1] >= len(targets):
        raise ValueError(
            f"targets[i] belongs to the window that begins at step i: the last begins at {starts[-1]}, but there are "
            f"{len(targets)} targets"
        )
    if shuffle and seed is None:
        seed = int(np.random.SeedSequence().generate_state(1)[0])
    batch_size = None if batch_size is None else positive_int("batch_size", batch_size)
    return Windows(data, targets, starts, rate * np.arange(length), batch_size, seed if shuffle else None)
