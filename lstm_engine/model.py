"""Model: a network with Keras's verbs: compile, fit, evaluate, predict. `Sequential` in `sequential.py` is a row of layers.

A training step is `Network.step` in `network.py`. Every argument means what it means in Keras 3; an argument that the engine
does not have is refused by name.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from . import tensors
from .activations import Array
from .assembly import NOT_BUILT
from .backend import one_thread_pool
from .callbacks import Callback, History, Listeners, Logs, ProgressBar, check_callback, progress_line
from .checks import counted, positive_int
from .layer import Layer, listed, unlisted
from .metrics import Scores
from .network import Batch, Network
from .samples import Data, Samples, Several
from .saving import Files
from .streaming import Stream
from .summary import summary
from .trace import Trace
from .trace import trace as make_trace


class Model(Files, Network):
    """A network with Keras's verbs: `Model(inputs, outputs)`, where outputs come from layers called on the inputs.

    inputs and outputs are Tensors, lists of them, or dicts by name. seed draws the weights, the dropout masks and the order
    of the batches, so that two runs with one seed are equal; dtype is "float32" or "float64"; backend is "auto", "numba" or
    "numpy" (see `backend.py`). `metadata` is a dict of JSON values that is saved with the model and not interpreted.
    """

    def __init__(
        self, inputs: Any, outputs: Any, name: str | None = None, *, seed: int | None = None, dtype: str = "float32",
        backend: str = "auto",
    ) -> None:  # fmt: skip
        super().__init__(name=name, seed=seed, dtype=dtype, backend=backend)
        names = None
        if isinstance(inputs, Mapping):
            inputs = [tensors.named(item, key) for key, item in inputs.items()]
        if isinstance(outputs, Mapping):
            names, outputs = list(outputs), list(outputs.values())
        self.describe(listed(inputs), listed(outputs))
        self.output_names = names or self.output_names
        self.as_dict = names is not None  # predict then returns a dict

    def rebuilt(self, layers: Sequence[Layer], **how: Any) -> Self:
        """The same calls of other layers, by their names."""
        by_name = {layer.name: layer for layer in layers}
        inputs = [tensors.source(by_name[name]) for name in self.graph.inputs]
        outputs = tensors.call_again(self.graph, inputs, by_name)
        return type(self)(
            inputs, dict(zip(self.output_names, outputs, strict=True)) if self.as_dict else outputs, **how
        )

    def reset_states(self) -> None:
        """Lets every stateful layer start again from zeros."""
        for layer in self.layers:
            if hasattr(layer, "reset_states"):
                layer.reset_states()

    def count_params(self) -> int:
        return sum(w.size for w in self.weights.values())

    def summary(self) -> None:
        """Prints one row a layer: name, output shape, parameters, and the backend that runs it."""
        print(summary(self))

    # -- one batch ---------------------------------------------------------------------------------------------------

    def __call__(self, x: Any, *, training: bool = False, mask: Any = None) -> Any:
        """The output for one batch x (N, T, D), perhaps with a mask (N, T) of the steps that exist.

        On a Tensor, or a list of them, the model's layers are called once more, as part of another model.
        """
        if tensors.is_symbolic(x):
            return unlisted(tensors.call_again(self.graph, listed(x)))
        x, mask = self.samples(x, mask).take(slice(None))
        with one_thread_pool(self.backends()):
            return self.forward(x, training, mask, taped=False)[0]

    def train_on_batch(
        self, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None,
        class_weight: dict[int, float] | None = None, *, mask: ArrayLike | None = None, return_dict: bool = False,
    ) -> Any:  # fmt: skip
        """One training step. Returns this batch's loss and metrics from before the step, in the form of `evaluate`."""
        data = self.data(x, y, mask, sample_weight)
        if class_weight is not None:
            data.weigh(class_weight)
        scores = Scores(self.targets)
        with one_thread_pool(self.backends()):
            outcome = self.step(Batch(*data.take(slice(None))))
            scores.add(outcome.loss, outcome.heads)
        return self._result(scores.logs(), return_dict)

    def gradients(
        self, x: ArrayLike, y: ArrayLike, *, mask: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> tuple[float, dict[str, Array]]:
        """The loss on (x, y) and its gradient by weight name. Dropout is off; no weight and no kept state changes."""
        batch = Batch(*self.data(x, y, mask, sample_weight).take(slice(None)))
        with one_thread_pool(self.backends()), self.undisturbed():
            forward_pass = self.forward_pass(batch, training=False)
            return float(forward_pass.loss), self.backward_pass(forward_pass, want_dx=False).weights

    def trace(
        self, x: ArrayLike, y: ArrayLike | None = None, *, mask: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None, dtype: str = "float64",
    ) -> Trace:  # fmt: skip
        """Every intermediate value of the recurrent layers on x (N, T, D), and with y the loss's gradient with respect to it.

        trace["lstm"].f is the forget gate (N, T, units), trace["lstm"].grad.f its gradient; see `trace.py`. The readable
        pair runs, in `dtype`, whatever this model runs on. Dropout is off; no weight and no kept state changes.
        """
        with one_thread_pool(self.backends()):
            return make_trace(self, x, y, mask, sample_weight, dtype)

    # -- Keras's verbs -----------------------------------------------------------------------------------------------

    def fit(
        self,
        x: ArrayLike | Sequence[ArrayLike],
        y: ArrayLike,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Callback | Sequence[Callback] | None = None,
        validation_split: float = 0.0,
        validation_data: Sequence[Any] | None = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: ArrayLike | None = None,
        initial_epoch: int = 0,
        *,
        mask: ArrayLike | None = None,
        order: Sequence[Sequence[Any]] | None = None,
    ) -> History:
        """Trains for some epochs and returns their History.

        x (N, T, D), perhaps with a mask (N, T) of the steps that exist, or a list of N arrays (T_n, D): those are
        padded batch by batch, similar lengths together. y (N,), (N, 1) or what the loss needs. class_weight {0: 1.0, 1: 2.0}
        or sample_weight (N,) weigh the loss, not the metrics. validation_data is (X, y) or (X, y, sample_weight);
        validation_split takes the last part of x and y, before any shuffling.

        The loss and metrics of an epoch are means over its samples while the weights move, as in Keras; the last,
        smaller batch is kept. order gives the batches explicitly: order[epoch] is a list of batches, each an array of row
        numbers; without it, an epoch's order follows from the seed and its number. initial_epoch is the number of the first.
        """
        data = self.data(x, y, mask, sample_weight)
        batch_size = _batch_size(batch_size)
        data, held_out = self._held_out(data, validation_data, validation_split)
        if class_weight is not None:
            data.weigh(class_weight)
        if order is not None and len(order) < positive_int("epochs", epochs):
            raise ValueError(f"order has batches for {counted(len(order), 'epoch')}, but epochs={epochs}")
        self.history, self.stop_training = History(), False
        listeners = _listeners(callbacks, verbose, self.history)
        steps = -(-len(data) // batch_size)
        listeners.begin(self, {"epochs": epochs, "steps": steps, "verbose": _verbosity(verbose)})
        logs: Logs = {}
        for epoch in range(initial_epoch, positive_int("epochs", epochs)):
            if order is not None:
                batches = _ordered(order, epoch, len(data))
            else:
                batches = data.samples.batches(batch_size, self.epoch_rng() if shuffle else None)
            listeners.tell("on_epoch_begin", epoch, {}, steps=len(batches))
            logs = self._train_epoch(data, batches, listeners) or logs
            if held_out is not None:
                logs |= {f"val_{name}": value for name, value in self._evaluate(held_out, batch_size, 0).items()}
            listeners.tell("on_epoch_end", epoch, logs)
            if self.stop_training:
                break
        listeners.tell("on_train_end", logs)
        return self.history

    def _train_epoch(self, data: Data, batches: Sequence[Array], listeners: Listeners) -> Logs:
        """A training step per batch, until a callback stops the training. Returns the epoch's loss and metrics."""
        logs: Logs = {}
        scores = Scores(self.targets)
        with one_thread_pool(self.backends()):
            for n, rows in enumerate(batches):
                listeners.tell("on_train_batch_begin", n, {})
                scores.add(*self.step(Batch(*data.take(rows))))
                logs = scores.logs()
                listeners.tell("on_train_batch_end", n, logs)
                if self.stop_training:
                    break
        self.epochs_done += 1
        return logs

    def _held_out(self, data: Data, validation_data: Any, validation_split: float) -> tuple[Data, Data | None]:
        """The data to train on, and the data to validate on if there is any."""
        if validation_data is None:
            return data.split(validation_split) if validation_split else (data, None)
        if not isinstance(validation_data, list | tuple) or len(validation_data) not in (2, 3):
            items = f" of {len(validation_data)} items" if isinstance(validation_data, list | tuple) else ""
            got = f"{type(validation_data).__name__}{items}"
            raise ValueError(f"validation_data is (X, y) or (X, y, sample_weight), got: {got}")
        x, y, *sample_weight = validation_data
        return data, self.data(x, y, None, *sample_weight)

    def evaluate(
        self,
        x: ArrayLike | Sequence[ArrayLike],
        y: ArrayLike,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        sample_weight: ArrayLike | None = None,
        *,
        mask: ArrayLike | None = None,
        return_dict: bool = False,
    ) -> Any:
        """The loss and metrics over (x, y): [loss, accuracy], the loss alone without metrics, or a dict of names."""
        data = self.data(x, y, mask, sample_weight)
        return self._result(self._evaluate(data, _batch_size(batch_size), verbose), return_dict)

    def _evaluate(self, data: Data, batch_size: int, verbose: str | int) -> Logs:
        _ = self.compiled
        scores = Scores(self.targets)
        for rows, p, mask in self._predictions(data.samples, batch_size, verbose, scores.logs):
            _, y, _, sample_weight = data.take(rows)
            heads = self.heads(p, mask, y, sample_weight)
            scores.add(float(self.total_loss(heads)), heads)
        return scores.logs()

    def _result(self, logs: Logs, return_dict: bool) -> Any:
        """Keras's list: the loss, those of several outputs, then the metrics in the order of their names."""
        if return_dict:
            return logs
        first = ["loss", *(name for target in self.targets if (name := f"{target.name}_loss") in logs)]
        return [logs[name] for name in [*first, *sorted(logs.keys() - first)]] if len(logs) > 1 else logs["loss"]

    def predict(
        self,
        x: ArrayLike | Sequence[ArrayLike],
        batch_size: int | None = None,
        verbose: str | int = "auto",
        *,
        mask: ArrayLike | None = None,
    ) -> Any:
        """The model's output for x, with dropout off: (N, units), or (N, T, units) when the last layer returns sequences.

        Several outputs are a list, or a dict where the Model was made with one. For a list of sequences (T_n, D) a model
        that returns sequences returns a list of (T_n, units).
        """
        samples = self.samples(x, mask)
        rows_of: list[list[Any]] = [[None] * len(samples) for _ in self.output_names]
        for rows, p, _ in self._predictions(samples, _batch_size(batch_size), verbose, dict):
            for out, p_ in zip(rows_of, listed(p), strict=True):
                ends = [None] * len(rows) if samples.lengths is None or p_.ndim == 2 else samples.lengths[rows]
                for n, row, end in zip(rows, p_, ends, strict=True):
                    out[n] = row[:end]
        whole = [out if samples.lengths is not None and out[0].ndim > 1 else np.stack(out) for out in rows_of]
        return dict(zip(self.output_names, whole, strict=True)) if self.as_dict else unlisted(whole)

    def _predictions(
        self, samples: Samples | Several, batch_size: int, verbose: str | int, logs: Any
    ) -> Iterator[tuple[Array, Any, Any]]:
        """Row numbers, outputs and their mask, batch by batch, similar lengths together; verbose prints a line at the end."""
        started = time.perf_counter()
        rows = np.arange(len(samples))
        if samples.lengths is not None and not any(getattr(layer, "stateful", False) for layer in self.layers):
            rows = np.argsort(samples.lengths, kind="stable")
        steps = range(0, len(rows), batch_size)
        for start in steps:
            at = rows[start : start + batch_size]
            x, mask = samples.take(at)
            with one_thread_pool(self.backends()):
                p, mask, _ = self.forward(x, False, mask, taped=False)
            yield at, p, mask
        if verbose:
            print(progress_line(len(steps), len(steps), time.perf_counter() - started, logs()))

    def stream(self, batch: int = 1) -> Stream:
        """The model for input step by step: stream.step(x (batch, D)) returns the output so far.

        ValueError for layers that need the whole sequence.
        """
        if not self.built or self.input_shape is None:
            raise ValueError(NOT_BUILT)
        return Stream(self.graph, self.dtype, (positive_int("batch", batch), self.input_shape[-1]))


def _listeners(callbacks: Any, verbose: str | int, history: History) -> Listeners:
    """The progress bar, the caller's callbacks, and last the history, as in Keras: it sees all logs."""
    listed: list[Any] = [callbacks] if isinstance(callbacks, Callback | type) else list(callbacks or ())
    bars = [ProgressBar()] if _verbosity(verbose) else []
    return Listeners([*bars, *map(check_callback, listed), history])


def _ordered(order: Sequence[Sequence[Any]], epoch: int, samples: int) -> list[Array]:
    """The batches that `order` has for an epoch. ValueError for a row number without a sample."""
    batches = [np.asarray(rows, np.intp) for rows in order[epoch]]
    for n, rows in enumerate(batches):
        if (outside := rows[(rows < -samples) | (rows >= samples)]).size:
            raise ValueError(f"order[{epoch}][{n}] has row {outside[0]}, but there are {samples} samples to train on")
    return batches


def _batch_size(batch_size: int | None) -> int:
    return 32 if batch_size is None else positive_int("batch_size", batch_size)  # 32 is Keras's


def _verbosity(verbose: str | int) -> int:
    if verbose not in ("auto", 0, 1, 2):
        raise ValueError(f'verbose must be "auto", 0, 1 or 2, got {verbose!r}')
    return 1 if verbose == "auto" else int(verbose)
