"""From anything to batches: the data of fit, evaluate and predict.

    arrays, frames, lists of sequences     Rows      batches of their rows, drawn anew for every epoch
    a PyDataset: batch k is data[k]        Batches   its batches, in a new order for every epoch
    any iterable of batches                Batches   a pass through it is an epoch
    a generator, which passes once         Batches   to its end, or `steps` batches an epoch

A batch is (x, y), (x, y, sample_weight), or for predict x alone. With a number of steps, an epoch goes on where the last one
stopped, and begins again where the data ends. One batch is in memory at a time, and no thread reads ahead: what a generator
raises comes out of `fit`, after the steps that it fed.
"""

from __future__ import annotations

import itertools
import warnings
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator
from collections.abc import Sequence as Listed
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from . import finite
from .activations import Array
from .checks import counted, positive_int
from .network import Batch
from .samples import Data, Samples, Several

if TYPE_CHECKING:
    from .network import Network


class PyDataset:
    """Base of data that makes its own batches, as in Keras: `self[k]` is batch k, (x, y) or (x, y, sample_weight).

    A subclass has `__getitem__` and `__len__`, the number of batches, and where it likes `on_epoch_begin` and `on_epoch_end`.
    `fit` takes the batches in a new order for every epoch, unless shuffle=False. Keras prepares batches in `workers` threads
    or processes; here they are made one after the other, in the thread that trains, so that the numbers are the same.
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        if workers > 1 or use_multiprocessing:
            warnings.warn(
                f"{type(self).__name__}: {workers=} and {use_multiprocessing=} change nothing here: batches are made one "
                "after the other, in the thread that trains",
                stacklevel=2,
            )
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} needs __getitem__(self, index), which returns batch `index`")

    @property
    def num_batches(self) -> int | None:
        """How many batches there are; a subclass without an end returns None."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError(f"{type(self).__name__} needs __len__(self), the number of its batches")

    def __iter__(self) -> Iterator[Any]:
        return (self[k] for k in up_to(self.num_batches))

    def on_epoch_begin(self) -> None: ...

    def on_epoch_end(self) -> None: ...


Sequence = PyDataset  # Keras's older name


class Fed(NamedTuple):
    """A batch, and where its samples stand in the data."""

    batch: Batch
    rows: Array  # (B,) numbers
    lengths: Array | None  # (B,) steps of each sequence of a list


class Feed(ABC):
    """Batches, an epoch at a time. `steps` is the number that an epoch was asked to have, or None: a whole pass.

    With again=True every epoch begins a new pass.
    """

    def __init__(self, network: Network, steps: int | None, again: bool = False) -> None:
        self.network, self.again = network, again
        self.steps = None if steps is None else positive_int("the number of steps", steps)
        self.per_pass: int | None = None  # batches in a pass, once they are known
        self.passing: Iterator[Fed] | None = None  # the pass that the next epoch goes on with

    @property
    def expected(self) -> int | None:
        """The number of batches in an epoch, or None before it is known."""
        return self.steps or self.per_pass

    @abstractmethod
    def one_pass(self, epoch: int) -> Iterator[Fed]:
        """The batches of a new pass through the data."""

    @abstractmethod
    def epoch(self, n: int = 0) -> Iterator[Fed] | None:
        """The batches of epoch n, or None if the data has come to its end."""

    def some(self) -> Iterator[Fed]:
        """The batches of one epoch. ValueError if there are none."""
        batches = self.epoch()
        if batches is None:
            raise ValueError("the data has come to its end: there is no batch left")
        return batches

    def batches(self, n: int) -> Iterator[Fed]:
        """A pass, or `steps` batches; a warning says where the data ends before them."""
        if self.steps is None:
            yield from self.one_pass(n)
            return
        if self.again:
            self.passing = None
        for done in range(self.steps):
            fed = None if self.passing is None else next(self.passing, None)
            if fed is None and done == 0:
                self.passing = self.one_pass(n)
                fed = next(self.passing, None)
            if fed is None:
                self.passing = None
                if done:
                    warnings.warn(f"the data ran out after {done} of {self.steps} steps", stacklevel=4)
                return
            yield fed


class Rows(Feed):
    """Batches of the rows of `samples`, with targets if `data` is given.

    They are in order, or shuffled, or as `order` says; by_length puts similar lengths together without shuffling.
    """

    def __init__(
        self, network: Network, samples: Samples | Several, data: Data | None, batch_size: int | None,
        steps: int | None = None, shuffle: bool = False, order: Listed[Listed[Any]] | None = None, by_length: bool = False,
        again: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(network, steps, again)
        self.samples, self.data, self.shuffle, self.order, self.by_length = samples, data, shuffle, order, by_length
        self.batch_size = 32 if batch_size is None else positive_int("batch_size", batch_size)  # 32 is Keras's
        self.per_pass = -(-len(samples) // self.batch_size)

    def epoch(self, n: int = 0) -> Iterator[Fed]:
        if self.order is not None:
            self.per_pass = len(self.order[n])
        return self.batches(n)

    def one_pass(self, epoch: int) -> Iterator[Fed]:
        lengths = self.samples.lengths
        for rows in self._rows(epoch):
            if self.data is None:
                x, mask = self.samples.take(rows)
                batch = Batch(x, None, mask)
            else:
                batch = Batch(*self.data.take(rows))
            yield Fed(batch, rows, None if lengths is None else lengths[rows])

    def _rows(self, epoch: int) -> list[Array]:
        if self.order is not None:
            return ordered(self.order, epoch, len(self.samples))
        if self.shuffle:
            return self.samples.batches(self.batch_size, self.network.epoch_rng())
        rows = np.arange(len(self.samples))
        if self.by_length and self.samples.lengths is not None:
            rows = np.argsort(self.samples.lengths, kind="stable")
        return [rows[start : start + self.batch_size] for start in range(0, len(rows), self.batch_size)]


class Batches(Feed):
    """The batches that `source` makes. `targets` says whether y is needed."""

    def __init__(
        self, network: Network, source: Any, steps: int | None, class_weight: dict[int, float] | None = None,
        shuffle: bool = False, targets: bool = True, again: bool = False, allow_nan: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(network, steps, again)
        self.source, self.class_weight, self.targets, self.allow_nan = source, class_weight, targets, allow_nan
        self.indexed = is_indexed(source)
        self.once = hasattr(source, "__next__")
        self.shuffle = shuffle and self.indexed
        self.per_pass = self.promised = number_of_batches(source)
        self.opened: Iterator[Fed] | None = None
        if self.indexed and self.promised is None and steps is None:
            raise ValueError(f"a {type(source).__name__} without an end needs a number of steps for each epoch")

    def open(self) -> Self:
        """Looks at the first batch: the network is built for it, and what does not fit is said before anything begins.

        ValueError if there is none.
        """
        self.opened = self.epoch()
        if self.opened is None:
            raise ValueError(f"{named(self.source)} gave no batch")
        return self

    def epoch(self, n: int = 0) -> Iterator[Fed] | None:
        if self.opened is not None:
            batches, self.opened = self.opened, None
            return batches
        batches = self.batches(n)
        first = next(batches, None)
        return None if first is None else itertools.chain([first], batches)

    def batches(self, n: int) -> Iterator[Fed]:
        self._tell("on_epoch_begin")
        yield from super().batches(n)
        self._tell("on_epoch_end")

    def one_pass(self, epoch: int) -> Iterator[Fed]:
        start, k = 0, -1
        for k, item in enumerate(self._items()):
            fed = self._fed(item, k, start)
            start += len(fed.rows)
            yield fed
        self.per_pass = k + 1

    def _items(self) -> Iterator[Any]:
        if not self.indexed:
            return iter(self.source.as_numpy_iterator() if hasattr(self.source, "as_numpy_iterator") else self.source)
        order: Any = up_to(self.promised)
        if self.shuffle and self.promised is not None:
            order = self.network.epoch_rng().permutation(self.promised).tolist()
        return (self.source[k] for k in order)

    def _fed(self, item: Any, k: int, start: int) -> Fed:
        """Batch k, whose first sample is number `start` of the data. ValueError or TypeError names the batch."""
        x, y, sample_weight = unpacked(item, k)
        try:
            if not self.targets:
                samples = self.network.samples(x, allow_nan=self.allow_nan)
                x, mask = samples.take(slice(None))
                return Fed(Batch(x, None, mask), start + np.arange(len(samples)), samples.lengths)
            if y is None:
                raise ValueError("it has x alone, and the loss needs y: a batch is (x, y) or (x, y, sample_weight)")
            data = self.network.data(x, y, None, sample_weight)
            if self.class_weight is not None:
                data.weigh(self.class_weight)
            return Fed(Batch(*data.take(slice(None))), start + np.arange(len(data)), data.samples.lengths)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"batch {k}: {error}") from error

    def _tell(self, hook: str) -> None:
        if self.indexed:
            getattr(self.source, hook, lambda: None)()


def training(
    network: Network, x: Any, y: Any, batch_size: int | None, steps: int | None, shuffle: bool, mask: Any,
    sample_weight: Any, class_weight: dict[int, float] | None, order: Any, split: float, epochs: int,
) -> tuple[Feed, Data | None]:  # fmt: skip
    """What `fit` trains on, and the rows that validation_split, `split`, holds out of it."""
    _ = network.compiled
    if is_batches(x):
        alone(
            x, y=y, sample_weight=sample_weight, batch_size=batch_size, mask=mask, order=order, validation_split=split
        )
        return Batches(network, x, steps, class_weight, shuffle).open(), None
    if order is not None and steps is not None:
        raise ValueError("order gives the batches of every epoch: leave steps_per_epoch out")
    if order is not None and len(order) < epochs:
        raise ValueError(f"order has batches for {counted(len(order), 'epoch')}, but epochs={epochs}")
    data, held_out = complete(network, x, y, mask, sample_weight), None
    if split:
        data, held_out = data.split(split)
    if class_weight is not None:
        data.weigh(class_weight)
    return Rows(network, data.samples, data, batch_size, steps, shuffle, order), held_out


def validation(
    network: Network, data: Any, held_out: Data | None, batch_size: int | None, own_batch_size: int | None,
    steps: int | None, freq: int | Collection[int], epochs: int,
) -> Feed | None:  # fmt: skip
    """What `fit` validates on, if anything: validation_data, or the rows that validation_split has held out."""
    due(0, freq)  # checks it
    if data is None and held_out is None:
        if steps is not None or own_batch_size is not None:
            raise ValueError("validation_steps and validation_batch_size need validation_data or validation_split")
        return None
    if is_batches(data):
        alone(data, validation_batch_size=own_batch_size)
        feed = Batches(network, data, steps, again=True)
        if feed.once and steps is None and epochs > 1:
            raise ValueError(
                f"validation_data is {named(data)}, which can be passed through once: give validation_steps, the number of "
                "its batches for each epoch, or a PyDataset"
            )
        return feed.open()
    if data is not None:
        if not isinstance(data, list | tuple) or len(data) not in (2, 3):
            items = f" of {len(data)} items" if isinstance(data, list | tuple) else ""
            raise ValueError(
                "validation_data is (X, y) or (X, y, sample_weight), or makes batches of these, got: "
                f"{type(data).__name__}{items}"
            )
        x, y, *sample_weight = data
        held_out = complete(network, x, y, None, *sample_weight)
    assert held_out is not None
    by_length = steps is None and not is_stateful(network)
    size = batch_size if own_batch_size is None else own_batch_size
    return Rows(network, held_out.samples, held_out, size, steps, by_length=by_length, again=True)


def reading(
    network: Network, x: Any, y: Any, batch_size: int | None, steps: int | None, mask: Any, sample_weight: Any = None,
    targets: bool = True, allow_nan: bool = False,
) -> Feed:  # fmt: skip
    """What `evaluate` reads, and with targets=False `predict`; allow_nan is for `predict`'s x."""
    if targets:
        _ = network.compiled
    finite.require_weights(network, allow_nan)
    if is_batches(x):
        alone(x, y=y, sample_weight=sample_weight, batch_size=batch_size, mask=mask)
        return Batches(network, x, steps, targets=targets, allow_nan=allow_nan).open()
    data = complete(network, x, y, mask, sample_weight) if targets else None
    samples = network.samples(x, mask, allow_nan) if data is None else data.samples
    by_length = steps is None and not is_stateful(network)
    return Rows(network, samples, data, batch_size, steps, by_length=by_length)


def complete(network: Network, x: Any, y: Any, mask: Any = None, sample_weight: Any = None) -> Data:
    """x and y as Data. ValueError where y is missing."""
    if y is None:
        listed = isinstance(x, list | tuple) and len(x) and all(isinstance(item, tuple) for item in x)
        hint = "; for a list of batches (x, y) give iter(batches)" if listed else ""
        raise ValueError(f"y is missing: the loss compares the predictions for x with it{hint}")
    return network.data(x, y, mask, sample_weight)


def in_order(predicted: Iterable[tuple[Fed, list[Array]]]) -> list[Any]:
    """Each output of all batches, in the order of the data: an array, or a list where its steps differ in number."""
    rows: list[dict[int, Array]] = []
    listed: set[int] = set()  # outputs for which x was a list of sequences, cut to their lengths
    for fed, outputs in predicted:
        rows = rows or [{} for _ in outputs]
        for k, p in enumerate(outputs):
            ends: Any = [None] * len(p)
            if fed.lengths is not None and p.ndim > 2:
                ends, listed = fed.lengths, listed | {k}
            rows[k] |= {n: row[:end] for n, row, end in zip(fed.rows.tolist(), p, ends, strict=True)}
    whole = [[of_one[n] for n in range(len(of_one))] for of_one in rows]
    return [out if k in listed or len({row.shape for row in out}) > 1 else np.stack(out) for k, out in enumerate(whole)]


def is_batches(x: Any) -> bool:
    """Whether x makes batches, rather than being the samples themselves."""
    if x is None or isinstance(x, list | tuple | dict | str | bytes | set) or hasattr(x, "__array__"):
        return False
    return hasattr(x, "__iter__") or is_indexed(x)


def is_indexed(x: Any) -> bool:
    """Whether batch k is x[k]: a PyDataset of the engine or of Keras, or a class like it."""
    if hasattr(x, "__next__") or not hasattr(x, "__getitem__"):
        return False
    return hasattr(x, "on_epoch_end") or (hasattr(x, "__len__") and not hasattr(x, "__iter__"))


def number_of_batches(source: Any) -> int | None:
    """None where it isn't known, or where there is no end."""
    if hasattr(source, "num_batches"):
        return source.num_batches
    try:
        return len(source)
    except TypeError:  # TensorFlow's and PyTorch's way to say that it isn't known
        return None


def up_to(n: int | None) -> Any:
    return itertools.count() if n is None else range(n)


def unpacked(item: Any, k: int) -> tuple[Any, Any, Any]:
    """x, y and sample_weight of a batch; as in Keras, a list is read as a tuple."""
    if not isinstance(item, list | tuple):
        return item, None, None
    if not 1 <= len(item) <= 3:
        got = f"a {type(item).__name__} of {len(item)}"
        raise ValueError(f"batch {k} must be x, (x, y) or (x, y, sample_weight), got {got}")
    x, y, sample_weight = (*item, None, None)[:3]
    return x, y, sample_weight


def ordered(order: Listed[Listed[Any]], epoch: int, samples: int) -> list[Array]:
    """The batches that `order` has for an epoch. ValueError for a row number without a sample."""
    batches = [np.asarray(rows, np.intp) for rows in order[epoch]]
    if not batches or not all(rows.size for rows in batches):
        raise ValueError(f"order[{epoch}] needs batches of at least one row, got {order[epoch]}")
    for n, rows in enumerate(batches):
        if (outside := rows[(rows < -samples) | (rows >= samples)]).size:
            raise ValueError(f"order[{epoch}][{n}] has row {outside[0]}, but there are {samples} samples to train on")
    return batches


def due(epoch: int, every: int | Collection[int]) -> bool:
    """Whether validation_freq asks for a validation after this epoch, counted from 0: a number n means every n-th."""
    if isinstance(every, Collection):
        return epoch + 1 in every
    return (epoch + 1) % positive_int("validation_freq", every) == 0


def is_stateful(network: Network) -> bool:
    return any(getattr(layer, "stateful", False) for layer in network.layers)


def named(x: Any) -> str:
    """ "a generator", "an ndarray"."""
    name = type(x).__name__
    return f"a{'n' * (name[0].lower() in 'aeiou')} {name}"


ELSEWHERE = {
    "y": "its batches are (x, y)",
    "sample_weight": "its batches may be (x, y, sample_weight)",
    "batch_size": "it makes the batches itself",
    "validation_batch_size": "it makes the batches itself",
    "mask": "a Masking layer finds padded steps, and a sample_weight of 0 leaves samples out",
    "order": "its batches come in its own order",
    "validation_split": "give validation_data",
}


def alone(x: Any, **beside: Any) -> None:
    """ValueError for what cannot be given beside data that makes its own batches."""
    for name, value in beside.items():
        if value is not None and not (name == "validation_split" and value == 0):
            raise ValueError(f"{name} cannot be given beside {named(x)}: {ELSEWHERE[name]}")
