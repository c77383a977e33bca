"""Sequential: a stack of layers with Keras's compile, fit, evaluate and predict.

A training step is four lines of `train_on_batch`: forward through the layers, the loss and its gradient, backward
through the layers, one optimizer step. Every argument means what it means in Keras 3; what the engine does not have
is refused by name.
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import losses, optimizers, weights
from .activations import Array
from .backend import BACKENDS, one_thread_pool, resolve
from .callbacks import Callback, History, Logs, ProgressBar, check_callback, progress_line
from .cells.lstm import LSTM
from .layers import Dense, Dropout, Layer, Shape, positive_int
from .metrics import METRICS, check_name

LAYERS: dict[str, type[Layer]] = {"LSTM": LSTM, "Dense": Dense, "Dropout": Dropout}
DTYPES = ("float32", "float64")


class Input:
    """Keras's `Input((T, D))` as the first item of a Sequential: gives the input's shape, and nothing else."""

    def __init__(self, shape: Shape) -> None:
        self.shape = tuple(shape)


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
        self.metric_names: list[str] = []
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
        base, n = type(layer).__name__.lower(), 0
        while (name := f"{base}_{n}" if n else base) in taken:
            n += 1
        return name

    def build(self, input_shape: Shape) -> None:
        """Draws the weights of the layers that have none yet, for inputs (samples, *input_shape)."""
        if not self.layers:
            raise ValueError("the model has no layers yet: add some")
        self.input_shape = shape = tuple(input_shape)
        for below, layer in zip([None, *self.layers], self.layers, strict=False):
            if layer.cell and below is not None and below.cell and len(shape) == 1:
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
        return {f"{layer.name}/{name}": w for layer in self.layers for name, w in layer.weights.items()}

    def get_weights(self) -> list[Array]:
        """Copies of all weights, in Keras's order and layouts."""
        return [w.copy() for w in self.weights.values()]

    def set_weights(self, new: Sequence[ArrayLike]) -> None:
        """Takes weights in the order of `get_weights`. ValueError, and nothing changed, when one does not fit."""
        if not self.built:
            raise ValueError("the model has no weights yet: give input_shape, or call build((T, D))")
        own = self.weights
        arrays = [np.asarray(w, self.dtype) for w in new]
        if [a.shape for a in arrays] != [w.shape for w in own.values()]:
            expected = ", ".join(f"{name} {w.shape}" for name, w in own.items())
            raise ValueError(
                f"the model's weights are {expected}; got shapes {', '.join(str(a.shape) for a in arrays)}"
            )
        for w, array in zip(own.values(), arrays, strict=True):
            w[...] = array

    def count_params(self) -> int:
        return sum(w.size for w in self.weights.values())

    def summary(self) -> None:
        """Prints one row a layer: name, output shape, parameters, and which backend runs it."""
        rows = [("Layer (type)", "Output shape", "Param #", "Backend")]
        shape = self.input_shape
        for layer in self.layers:
            shape = layer.output_shape(shape) if layer.built and shape is not None else None
            size = sum(w.size for w in layer.weights.values())
            runs = resolve(layer.cell, self.backend) if layer.cell else "numpy"
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

    def _forward(self, x: Array, training: bool) -> tuple[Array, list[Any]]:
        tapes = []
        for layer in self.layers:
            x, tape = layer.forward(x, training)
            tapes.append(tape)
        return x, tapes

    def _backward(self, tapes: list[Any], dy: Array) -> dict[str, Array]:
        gradients: dict[str, dict[str, Array]] = {}
        for layer, tape in zip(reversed(self.layers), reversed(tapes), strict=True):
            dy, gradients[layer.name] = layer.backward(tape, dy)
        return {f"{layer.name}/{name}": g for layer in self.layers for name, g in gradients[layer.name].items()}

    def _loss_and_gradients(self, x: Array, y: Array, training: bool) -> tuple[Logs, dict[str, Array]]:
        _, loss = self._compiled()
        p, tapes = self._forward(x, training)
        y = losses.fit_targets(loss, y, p.shape)
        gradients = self._backward(tapes, loss.gradient(y, p).astype(p.dtype, copy=False))
        return self._logs(loss, y, p), gradients

    def _logs(self, loss: losses.Loss, y: Array, p: Array) -> Logs:
        logs = {"loss": float(loss.values(y, p).mean())}
        return logs | {name: float(METRICS[name](y, p).mean()) for name in self.metric_names}

    def train_on_batch(self, x: ArrayLike, y: ArrayLike, *, return_dict: bool = False) -> Any:
        """One optimizer step. Returns this batch's loss and metrics, before the step, as `evaluate` does."""
        X, Y = self._arrays(x, y)
        with one_thread_pool(self._backends()):
            logs = self._step(X, Y)
        return self._result(logs, return_dict)

    def _step(self, x: Array, y: Array) -> Logs:
        optimizer, _ = self._compiled()
        logs, gradients = self._loss_and_gradients(x, y, training=True)
        optimizer.apply(self.weights, gradients)
        return logs

    def gradients(self, x: ArrayLike, y: ArrayLike) -> tuple[float, dict[str, Array]]:
        """The loss on (x, y) and its gradient by weight name. Dropout is off; no weight moves."""
        X, Y = self._arrays(x, y)
        with one_thread_pool(self._backends()):
            logs, gradients = self._loss_and_gradients(X, Y, training=False)
        return logs["loss"], gradients

    # -- Keras's verbs -----------------------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: str | optimizers.Optimizer = "rmsprop",
        loss: str | None = None,
        *,
        metrics: Sequence[str] | None = None,
    ) -> None:
        """Says how to train: an optimizer ("adam", Adam(1e-3), ...), a loss and metrics by name."""
        if not isinstance(loss, str):
            raise ValueError(f"compile needs a loss by name, got {loss!r}: one of {', '.join(losses.LOSSES)}")
        self.optimizer, self.loss = optimizers.get(optimizer), losses.get(loss)
        self.metric_names = [check_name(m) for m in metrics or ()]

    def fit(
        self,
        x: ArrayLike,
        y: ArrayLike,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Callback | Sequence[Callback] | None = None,
        validation_split: float = 0.0,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        shuffle: bool = True,
        *,
        order: Sequence[Sequence[Any]] | None = None,
    ) -> History:
        """Trains for some epochs and returns their History.

        x (N, T, D) and y (N,), (N, 1) or what the loss needs. The loss and metrics of an epoch are means over its
        samples while the weights move, as in Keras; the last, smaller batch is kept. validation_split takes the last
        part of x and y, before any shuffling. order gives the batches explicitly: order[epoch] is a list of
        batches, each an array of row numbers; without it, an epoch's order follows from the seed and its number.
        """
        X, Y = self._arrays(x, y)
        batch_size, verbosity = _batch_size(batch_size), 1 if verbose == "auto" else int(verbose)
        if validation_data is not None and len(validation_data) != 2:
            raise ValueError(f"validation_data is (X, y); got {len(validation_data)} items (no sample weights here)")
        if validation_data is None and validation_split:
            X, Y, validation_data = _split_off_the_end(X, Y, validation_split)
        if order is not None and len(order) < epochs:
            raise ValueError(f"order has batches for {len(order)} epochs, but epochs={epochs}")
        history, own = History(), [callbacks] if isinstance(callbacks, Callback) else list(callbacks or ())
        listeners = [history, *([ProgressBar()] if verbosity else []), *map(check_callback, own)]
        self.stop_training = False
        for listener in listeners:
            listener.set_model(self)
            listener.set_params({"epochs": epochs, "steps": -(-len(X) // batch_size), "verbose": verbosity})
            listener.on_train_begin({})
        logs: Logs = {}
        for epoch in range(epochs):
            batches = (
                self._batches(len(X), batch_size, shuffle) if order is None else [np.asarray(b) for b in order[epoch]]
            )
            for listener in listeners:
                listener.params["steps"] = len(batches)
                listener.on_epoch_begin(epoch, {})
            mean = _Mean()
            with one_thread_pool(self._backends()):
                for n, batch in enumerate(batches):
                    for listener in listeners:
                        listener.on_train_batch_begin(n, {})
                    mean.add(self._step(X[batch], Y[batch]), len(batch))
                    for listener in listeners:
                        listener.on_train_batch_end(n, mean.logs())
            self.epochs_done += 1
            logs = mean.logs()
            if validation_data is not None:
                scores = self.evaluate(validation_data[0], validation_data[1], batch_size, 0, return_dict=True)
                logs |= {f"val_{name}": value for name, value in scores.items()}
            for listener in listeners:
                listener.on_epoch_end(epoch, logs)
            if self.stop_training:
                break
        for listener in listeners:
            listener.on_train_end(logs)
        return history

    def evaluate(
        self,
        x: ArrayLike,
        y: ArrayLike,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        *,
        return_dict: bool = False,
    ) -> Any:
        """The loss and metrics over (x, y): [loss, accuracy], the loss alone without metrics, or a dict of names."""
        X, Y = self._arrays(x, y)
        _, loss = self._compiled()
        mean = _Mean()
        for rows, p in self._predictions(X, _batch_size(batch_size), verbose, mean.logs):
            mean.add(self._logs(loss, losses.fit_targets(loss, Y[rows], p.shape), p), len(p))
        return self._result(mean.logs(), return_dict)

    def predict(self, x: ArrayLike, batch_size: int | None = None, verbose: str | int = "auto") -> Array:
        """The model's output for x (N, T, D): (N, units) of the last layer, with dropout off."""
        X = self._input(x)
        parts = [p for _, p in self._predictions(X, _batch_size(batch_size), verbose, dict)]
        return np.concatenate(parts)

    def _predictions(self, X: Array, batch_size: int, verbose: str | int, logs: Any) -> Iterator[tuple[slice, Array]]:
        """The outputs batch by batch, with the rows they belong to; at the end one line of progress if wanted."""
        started, steps = time.perf_counter(), -(-len(X) // batch_size)
        for start in range(0, len(X), batch_size):
            rows = slice(start, start + batch_size)
            with one_thread_pool(self._backends()):
                p, _ = self._forward(X[rows], training=False)
            yield rows, p
        if verbose:
            print(progress_line(steps, steps, time.perf_counter() - started, logs()))

    def save(self, path: str | Path, metadata: dict[str, Any] | None = None) -> None:
        """Writes weights, architecture, optimizer and metadata (JSON values) into one safetensors file, or nothing."""
        weights.save(self, Path(path), self.metadata if metadata is None else metadata)

    # -- small things ------------------------------------------------------------------------------------------------

    def _compiled(self) -> tuple[optimizers.Optimizer, losses.Loss]:
        if self.optimizer is None or self.loss is None:
            raise ValueError(
                'compile the model first: model.compile("adam", "binary_crossentropy", metrics=["accuracy"])'
            )
        return self.optimizer, self.loss

    def _backends(self) -> set[str]:
        return {resolve(layer.cell, self.backend) for layer in self.layers if layer.cell}

    def _batches(self, n: int, batch_size: int, shuffle: bool) -> list[Array]:
        """The next epoch's batches of row numbers: a permutation of all, from the seed and the epoch's number."""
        rng = np.random.default_rng([self._seeds.generate_state(1)[0], self.epochs_done])
        rows = rng.permutation(n) if shuffle else np.arange(n)
        return [rows[start : start + batch_size] for start in range(0, n, batch_size)]

    def _input(self, x: ArrayLike) -> Array:
        X = np.asarray(x)
        if X.dtype.kind not in "buif":
            raise TypeError(f"X must be an array of numbers, got dtype {X.dtype} and shape {X.shape}")
        if X.ndim == 0 or len(X) == 0:
            raise ValueError(f"X must hold at least one sample, got shape {X.shape}")
        if not self.built:
            self.build(X.shape[1:])
        elif self.layers and X.shape[1:] != self.input_shape:
            self._check_shape(X.shape[1:])
        return X.astype(self.dtype, copy=False)

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

    def _arrays(self, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        self._compiled()
        X, Y = self._input(x), np.asarray(y)
        if Y.dtype.kind not in "buif":
            raise TypeError(f"y must be an array of numbers, got dtype {Y.dtype}: male is 1 and female 0, for instance")
        if Y.ndim == 0 or len(Y) != len(X):
            raise ValueError(f"X and y must have the same number of samples, got X {X.shape} and y {Y.shape}")
        return X, Y.astype(self.dtype, copy=False)

    def _result(self, logs: Logs, return_dict: bool) -> Any:
        if return_dict:
            return logs
        return list(logs.values()) if self.metric_names else logs["loss"]


class _Mean:
    """The mean of logs over samples: batches count by their size."""

    def __init__(self) -> None:
        self.n, self.sums = 0, Logs()

    def add(self, logs: Logs, n: int) -> None:
        self.n += n
        for name, value in logs.items():
            self.sums[name] = self.sums.get(name, 0.0) + value * n

    def logs(self) -> Logs:
        return {name: value / self.n for name, value in self.sums.items()}


def _split_off_the_end(X: Array, Y: Array, share: float) -> tuple[Array, Array, tuple[Array, Array]]:
    if not 0 < share < 1:
        raise ValueError(f"validation_split must lie between 0 and 1, got {share}")
    at = int(np.floor(len(X) * (1.0 - share)))  # Keras's rounding
    if at == 0 or at == len(X):
        raise ValueError(f"validation_split={share} of {len(X)} samples leaves one side empty")
    return X[:at], Y[:at], (X[at:], Y[at:])


def _batch_size(given: int | None) -> int:
    return 32 if given is None else positive_int("batch_size", given)  # 32 is Keras's


def _words(shape: Shape) -> str:
    return ", ".join(map(str, shape))
