"""Sequential: a stack of layers with Keras's compile, fit, evaluate and predict.

A training step is `_step`: through the layers to the loss and back (`passes.py`), then one optimizer step. Every argument
means what it means in Keras 3; what the engine does not have is refused by name.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import losses, optimizers, passes, weights
from .activations import Array
from .backend import BACKENDS, one_thread_pool
from .callbacks import Callback, History, Listeners, Logs, ProgressBar, check_callback, progress_line
from .keras_names import snake
from .layers import LAYERS, Layer, Shape, fill, positive_int
from .metrics import Metric, Scores, get_all
from .passes import Batch
from .samples import Data, Samples
from .streaming import Stream
from .trace import Trace
from .trace import trace as make_trace
from .wrappers import as_config, from_config

DTYPES = ("float32", "float64")


class Input:
    """Keras's `Input((T, D))` as the first item of a Sequential: gives the input's shape, and nothing else.

    T may be None: sequences of any length. A batch_shape (N, T, D) serves too, as Keras asks for with stateful layers.
    """

    def __init__(self, shape: Shape | None = None, *, batch_shape: Shape | None = None) -> None:
        if (shape is None) == (batch_shape is None):
            raise ValueError("Input takes a shape (T, D), or a batch_shape (N, T, D)")
        self.shape = tuple(shape) if shape is not None else tuple(batch_shape or ())[1:]


class Sequential:
    """Layers in a row: `Sequential([LSTM(64), Dense(1, activation="sigmoid")], seed=0)`.

    seed draws the weights, the dropout masks and the order of the batches, so that two runs are the same run;
    dtype is "float32" or "float64"; backend is "auto", "numba" or "numpy" (see `backend.py`). `metadata` is a dict
    of JSON values that travels with the model's file and is not interpreted.
    """

    def __init__(
        self,
        layers: Sequence[Layer | Input] = (),
        *,
        seed: int | None = None,
        dtype: str = "float32",
        backend: str = "auto",
    ) -> None:
        if dtype not in DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
        if backend not in BACKENDS:
            raise ValueError(f"backend must be one of {', '.join(BACKENDS)}, got {backend!r}")
        self.dtype, self.backend, self.seed = dtype, backend, seed
        self.layers: list[Layer] = []
        self.input_shape: Shape | None = None
        self.optimizer: optimizers.Optimizer | None = None
        self.loss: losses.Loss | None = None
        self.metrics: list[Metric] = []
        self.metadata: dict[str, Any] = {}
        self.epochs_done = (
            0  # how many epochs this model has been through: with the seed, it gives the next one's order
        )
        self._seeds = np.random.SeedSequence(seed)
        for layer in layers:
            self.add(layer)

    # -- building ----------------------------------------------------------------------------------------------------

    def add(self, layer: Layer | Input) -> None:
        """Puts a layer on top. It is built at once when the shape below it is known, else with the first data."""
        if isinstance(layer, Input):
            if self.layers:
                raise ValueError("Input gives the model's input shape: it goes first")
            self.input_shape = layer.shape
            return
        if not isinstance(layer, Layer):
            raise TypeError(f"Sequential takes layers of lstm_engine ({', '.join(LAYERS)}), got {layer!r}")
        if any(layer is other for other in self.layers):
            raise ValueError(f"layer {layer.name} is in this model already: make a new one for every place")
        if getattr(layer, "return_state", False) or getattr(layer, "merge_mode", "concat") is None:
            raise ValueError(
                f"a Sequential hands one array from layer to layer, but {type(layer).__name__} would return several: leave "
                "return_state and merge_mode=None to a layer that you call yourself, layer(x)"
            )
        layer.name = self._free_name(layer)
        self.layers.append(layer)
        if len(self.layers) == 1 and self.input_shape is None:
            self.input_shape = layer.input_shape
        try:
            if self.input_shape is not None:
                self.build(self.input_shape)
        except ValueError:
            self.layers.pop()  # a layer that does not fit leaves the model as it was
            raise

    def _free_name(self, layer: Layer) -> str:
        taken = {other.name for other in self.layers}
        if layer.name:
            if layer.name in taken:
                raise ValueError(f"two layers cannot both be named {layer.name!r}")
            return layer.name
        base, n = snake(type(layer).__name__), 0
        while (name := f"{base}_{n}" if n else base) in taken:
            n += 1
        return name

    def build(self, input_shape: Shape) -> None:
        """Draws the weights of the layers that have none yet, for inputs (samples, *input_shape)."""
        if not self.layers:
            raise ValueError("the model has no layers yet: add some")
        self.input_shape = shape = tuple(input_shape)
        for below, layer in zip([None, *self.layers], self.layers, strict=False):
            if (
                below
                and layer.reads_sequences
                and getattr(below, "return_sequences", None) is False
                and len(shape) == 1
            ):
                raise ValueError(
                    f"{layer.name} reads sequences, but {below.name} below it returns its last step alone: "
                    f"give {below.name} return_sequences=True"
                )
            if layer.built:
                if layer.input_shape and layer.input_shape[-1] != shape[-1]:
                    raise ValueError(f"{layer.name} was built for {layer.input_shape[-1]} features, got {shape[-1]}")
                shape = layer.output_shape(shape)
            else:
                rng = np.random.default_rng(self._seeds.spawn(1)[0])
                shape = layer.build(shape, self.dtype, self.backend, rng)

    @property
    def built(self) -> bool:
        return bool(self.layers) and all(layer.built for layer in self.layers)

    @property
    def weights(self) -> dict[str, Array]:
        """Every weight by name, "lstm/kernel": the arrays themselves."""
        return passes.weights(self.layers)

    def get_weights(self) -> list[Array]:
        """Copies of all weights, in Keras's order and layouts."""
        return [w.copy() for w in self.weights.values()]

    def set_weights(self, new: Sequence[ArrayLike]) -> None:
        """Takes weights in the order of `get_weights`. ValueError, and nothing changed, when one does not fit."""
        if not self.built:
            raise ValueError("the model has no weights yet: give input_shape, or call build((T, D))")
        fill(self.weights, new)

    def reset_states(self) -> None:
        """Makes every stateful layer begin anew."""
        for layer in self.layers:
            if hasattr(layer, "reset_states"):
                layer.reset_states()

    def count_params(self) -> int:
        return sum(w.size for w in self.weights.values())

    def summary(self) -> None:
        """Prints one row a layer: name, output shape, parameters, and which backend runs it."""
        rows = [("Layer (type)", "Output shape", "Param #", "Backend")]
        shape = self.input_shape
        for layer in self.layers:
            shape = layer.output_shape(shape) if layer.built and shape is not None else None
            size = sum(w.size for w in layer.weights.values())
            runs = ", ".join(sorted(layer.backends()))
            title = f"{layer.name} ({type(layer).__name__})"
            rows.append((title, "not built" if shape is None else str((None, *shape)), f"{size:,}", runs))
        widths = [max(len(row[k]) for row in rows) for k in range(4)]
        for n, row in enumerate(rows):
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
            if n == 0:
                print("  ".join("─" * width for width in widths))
        kib = self.count_params() * np.dtype(self.dtype).itemsize / 1024
        print(f"Total params: {self.count_params():,} ({kib:.1f} KiB, {self.dtype})")

    # -- one batch ---------------------------------------------------------------------------------------------------

    def __call__(self, x: ArrayLike, *, training: bool = False, mask: ArrayLike | None = None) -> Array:
        """The output for one batch x (N, T, D) as it is, with a mask (N, T) of the steps that there are."""
        samples = self._samples(x, mask)
        batch, mask = samples.take(slice(None))
        with one_thread_pool(self._backends()):
            return passes.forward(self.layers, batch, training, mask, taped=False)[0]

    def train_on_batch(
        self, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None,
        class_weight: dict[int, float] | None = None, *, mask: ArrayLike | None = None, return_dict: bool = False,
    ) -> Any:  # fmt: skip
        """One optimizer step. Returns this batch's loss and metrics, before the step, as `evaluate` does."""
        data = self._data(x, y, mask, sample_weight)
        if class_weight is not None:
            data.weigh(class_weight)
        scores = Scores(self.metrics)
        with one_thread_pool(self._backends()):
            self._step(Batch(*data.take(slice(None))), scores)
        return self._result(scores.logs(), return_dict)

    def _step(self, batch: Batch, scores: Scores) -> None:
        optimizer, loss = self._compiled()
        way = passes.there(self.layers, loss, batch, training=True)
        gradients = passes.back(self.layers, loss, way, to_x=False).weights
        scores.add(float(way.loss), way.y, way.p, way.mask)
        optimizer.apply(self.weights, gradients, "numba" if "numba" in self._backends() else "numpy")

    def gradients(
        self, x: ArrayLike, y: ArrayLike, *, mask: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> tuple[float, dict[str, Array]]:
        """The loss on (x, y) and its gradient by weight name. Dropout is off; no weight and no kept state moves."""
        batch = Batch(*self._data(x, y, mask, sample_weight).take(slice(None)))
        _, loss = self._compiled()
        with one_thread_pool(self._backends()), passes.undisturbed(self.layers):
            way = passes.there(self.layers, loss, batch, training=False)
            return float(way.loss), passes.back(self.layers, loss, way, to_x=False).weights

    def trace(
        self, x: ArrayLike, y: ArrayLike | None = None, *, mask: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None, dtype: str = "float64",
    ) -> Trace:  # fmt: skip
        """Every intermediate value of the recurrent layers on x (N, T, D), and with y the loss's gradient with respect to it.

        trace["lstm"].f is the forget gate (N, T, units), trace["lstm"].grad.f its gradient; see `trace.py`. The readable
        pair runs, in `dtype`, whatever this model runs on. Dropout is off; no weight and no kept state moves.
        """
        with one_thread_pool(self._backends()):
            return make_trace(self, x, y, mask, sample_weight, dtype)

    def twin(self, dtype: str = "float64", backend: str = "numpy") -> Sequential:
        """The same network with weights and states of its own, in another dtype or on another backend."""
        if not self.built:
            raise ValueError("the model has no weights yet: give input_shape, or call build((T, D))")
        twin = Sequential(
            [from_config(as_config(layer)) for layer in self.layers], seed=self.seed, dtype=dtype, backend=backend
        )
        twin.build(self.input_shape or ())
        twin.set_weights(self.get_weights())
        for own, new in zip(self._parts(), twin._parts(), strict=True):
            new.rng.bit_generator.state = own.rng.bit_generator.state
            if getattr(own, "states", None) is not None:
                new.states = [state.astype(dtype) for state in own.states]
        if self.optimizer and self.loss:
            twin.compile(optimizers.from_config(optimizers.to_config(self.optimizer)), self.loss.name)
        return twin

    # -- Keras's verbs -----------------------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: str | optimizers.Optimizer = "rmsprop",
        loss: str | None = None,
        *,
        metrics: Sequence[str | Metric] | None = None,
    ) -> None:
        """Says how to train: an optimizer ("adam", Adam(1e-3), ...), a loss by name, and metrics ("accuracy", AUC(), ...)."""
        if not isinstance(loss, str):
            raise ValueError(f"compile needs a loss by name, got {loss!r}: one of {', '.join(losses.LOSSES)}")
        self.optimizer, self.loss = optimizers.get(optimizer), losses.get(loss)
        self.metrics = get_all(metrics)

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

        x (N, T, D), perhaps with a mask (N, T) of the steps that there are, or a list of N arrays (T_n, D): those are
        padded batch by batch, like lengths together. y (N,), (N, 1) or what the loss needs. class_weight {0: 1.0, 1: 2.0}
        or sample_weight (N,) weigh the loss, not the metrics. validation_data is (X, y) or (X, y, sample_weight);
        validation_split takes the last part of x and y, before any shuffling.

        The loss and metrics of an epoch are means over its samples while the weights move, as in Keras; the last,
        smaller batch is kept. order gives the batches explicitly: order[epoch] is a list of batches, each an array of row
        numbers; without it, an epoch's order follows from the seed and its number. initial_epoch is the number of the first.
        """
        data, held_out = self._data(x, y, mask, sample_weight), None
        batch_size, verbosity = _batch_size(batch_size), _verbosity(verbose)
        if validation_data is not None:
            if not isinstance(validation_data, list | tuple) or len(validation_data) not in (2, 3):
                got = f"{type(validation_data).__name__} of {len(validation_data)} items"
                raise ValueError(f"validation_data is (X, y) or (X, y, sample_weight), got a {got}")
            vx, vy, *vw = validation_data
            held_out = self._data(vx, vy, None, vw[0] if vw else None)
        elif validation_split:
            data, held_out = data.split(validation_split)
        if class_weight is not None:
            data.weigh(class_weight)
        if order is not None and len(order) < positive_int("epochs", epochs):
            raise ValueError(f"order has batches for {len(order)} epochs, but epochs={epochs}")
        self.history, self.stop_training = History(), False
        own = [callbacks] if isinstance(callbacks, Callback | type) else list(callbacks or ())
        bars = [ProgressBar()] if verbosity else []
        told = Listeners(
            [*bars, *map(check_callback, own), self.history]
        )  # the history last, as Keras: it sees all logs
        told.begin(self, {"epochs": epochs, "steps": -(-len(data) // batch_size), "verbose": verbosity})
        logs: Logs = {}
        for epoch in range(initial_epoch, positive_int("epochs", epochs)):
            if order is None:
                batches = data.samples.batches(batch_size, self._epoch_rng() if shuffle else None)
            else:
                batches = [np.asarray(rows, np.intp) for rows in order[epoch]]
            told.tell("on_epoch_begin", epoch, {}, steps=len(batches))
            scores = Scores(self.metrics)
            with one_thread_pool(self._backends()):
                for n, batch in enumerate(batches):
                    told.tell("on_train_batch_begin", n, {})
                    self._step(Batch(*data.take(batch)), scores)
                    logs = scores.logs()
                    told.tell("on_train_batch_end", n, logs)
                    if self.stop_training:
                        break
            self.epochs_done += 1
            if held_out is not None:
                scored = self._evaluate(held_out, batch_size, 0)
                logs |= {f"val_{name}": value for name, value in scored.items()}
            told.tell("on_epoch_end", epoch, logs)
            if self.stop_training:
                break
        told.tell("on_train_end", logs)
        return self.history

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
        data = self._data(x, y, mask, sample_weight)
        return self._result(self._evaluate(data, _batch_size(batch_size), verbose), return_dict)

    def _evaluate(self, data: Data, batch_size: int, verbose: str | int) -> Logs:
        _, loss = self._compiled()
        scores = Scores(self.metrics)
        for rows, p, mask in self._predictions(data.samples, batch_size, verbose, scores.logs):
            _, y, _, sample_weight = data.take(rows)
            y = losses.fit_targets(loss, y, p.shape)
            w = losses.weights(p.shape[:-1], mask, sample_weight)
            scores.add(float(passes.total(self.layers, loss, y, p, w)), y, p, mask)
        return scores.logs()

    def predict(
        self,
        x: ArrayLike | Sequence[ArrayLike],
        batch_size: int | None = None,
        verbose: str | int = "auto",
        *,
        mask: ArrayLike | None = None,
    ) -> Any:
        """The model's output for x, with dropout off: (N, units), or (N, T, units) when the last layer gives sequences.

        For a list of sequences (T_n, D) such a model returns a list of (T_n, units).
        """
        samples = self._samples(x, mask)
        out: list[Any] = [None] * len(samples)
        for rows, p, _ in self._predictions(samples, _batch_size(batch_size), verbose, dict):
            ends = [None] * len(rows) if samples.lengths is None or p.ndim == 2 else samples.lengths[rows]
            for n, row, end in zip(rows, p, ends, strict=True):
                out[n] = row[:end]
        return out if samples.lengths is not None and p.ndim > 2 else np.stack(out)

    def _predictions(
        self, samples: Samples, batch_size: int, verbose: str | int, logs: Any
    ) -> Iterator[tuple[Array, Array, Array | None]]:
        """Row numbers, outputs and their mask, batch by batch, like lengths together; at the end a line if wanted."""
        started, rows = time.perf_counter(), np.arange(len(samples))
        if samples.lengths is not None and not any(getattr(layer, "stateful", False) for layer in self.layers):
            rows = np.argsort(samples.lengths, kind="stable")
        steps = range(0, len(rows), batch_size)
        for start in steps:
            at = rows[start : start + batch_size]
            x, mask = samples.take(at)
            with one_thread_pool(self._backends()):
                p, mask, _ = passes.forward(self.layers, x, False, mask, taped=False)
            yield at, p, mask
        if verbose:
            print(progress_line(len(steps), len(steps), time.perf_counter() - started, logs()))

    def stream(self, batch: int = 1) -> Stream:
        """The model fed step by step: stream.step(x (batch, D)) is the output so far. ValueError for layers that cannot."""
        if not self.built or self.input_shape is None:
            raise ValueError("the model has no weights yet: give input_shape, or call build((T, D))")
        return Stream(self.layers, self.dtype, (positive_int("batch", batch), self.input_shape[-1]))

    def save(self, path: str | Path, metadata: dict[str, Any] | None = None) -> None:
        """Writes weights, architecture, optimizer and metadata (JSON values) into one safetensors file, or nothing."""
        weights.save(self, Path(path), self.metadata if metadata is None else metadata)

    def save_weights(self, path: str | Path) -> None:
        """Writes the weights as Keras reads them: .weights.h5, .keras (a whole model to Keras) or the older .h5."""
        from .interchange import keras_files

        keras_files.save(self, Path(path))

    def load_weights(self, path: str | Path) -> None:
        """Takes the weights out of Keras's file. ValueError, and nothing changed, when one does not fit."""
        from .interchange import keras_files

        keras_files.load(self, Path(path))

    # -- small things ------------------------------------------------------------------------------------------------

    def _compiled(self) -> tuple[optimizers.Optimizer, losses.Loss]:
        if self.optimizer is None or self.loss is None:
            raise ValueError(
                'compile the model first: model.compile("adam", "binary_crossentropy", metrics=["accuracy"])'
            )
        return self.optimizer, self.loss

    def _parts(self) -> list[Any]:
        """The layers that hold the weights, those inside wrappers too."""
        return [part for layer in self.layers for part in layer.parts.values()]

    def _backends(self) -> set[str]:
        return {backend for layer in self.layers for backend in layer.backends()}

    def _epoch_rng(self) -> np.random.Generator:
        """Draws the order of the next epoch: it follows from the seed and the epoch's number alone."""
        return np.random.default_rng([self._seeds.generate_state(1)[0], self.epochs_done])

    def _samples(self, x: Any, mask: ArrayLike | None = None) -> Samples:
        samples = Samples(x, self.dtype, mask)
        for layer in self.layers if samples.lengths is not None else ():
            if getattr(layer, "go_backwards", False) and getattr(layer, "return_sequences", False):
                raise ValueError(
                    f"{layer.name} returns sequences in reverse, so that the padding of a list of sequences would come "
                    "first; put it into Bidirectional, or give arrays of one length"
                )
        if not self.built:
            self.build(samples.shape)
        elif self.layers and samples.shape != self.input_shape:
            self._check_shape(samples.shape)
        return samples

    def _data(self, x: Any, y: Any, mask: Any = None, sample_weight: Any = None) -> Data:
        self._compiled()
        return Data(self._samples(x, mask), y, self.dtype, sample_weight)

    def _check_shape(self, shape: Shape) -> None:
        """Lets sequences of another length through; ValueError for anything else that the weights were not made for."""
        self.layers[0].output_shape(shape)  # explains a missing axis
        built_for = self.input_shape or ()
        if len(shape) != len(built_for) or shape[-1] != built_for[-1]:
            raise ValueError(
                f"the model was built for X of shape (samples, {_words(built_for)}), got (samples, {_words(shape)})"
            )
        for layer in self.layers:
            shape = layer.output_shape(shape)

    def _result(self, logs: Logs, return_dict: bool) -> Any:
        if return_dict:
            return logs
        return list(logs.values()) if self.metrics else logs["loss"]


def _batch_size(given: int | None) -> int:
    return 32 if given is None else positive_int("batch_size", given)  # 32 is Keras's


def _verbosity(verbose: str | int) -> int:
    if verbose not in ("auto", 0, 1, 2):
        raise ValueError(f'verbose must be "auto", 0, 1 or 2, got {verbose!r}')
    return 1 if verbose == "auto" else int(verbose)


def _words(shape: Shape) -> str:
    return ", ".join(map(str, shape))
