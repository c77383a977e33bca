"""Model: a network with Keras's verbs: compile, fit, evaluate, predict. `Sequential` in `sequential.py` is a row of layers.

A training step is `Network.step` in `network.py`. Every argument means what it means in Keras 3; an argument that the engine
does not have is refused by name.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

from numpy.typing import ArrayLike

from . import diverging, feeding, small_step, tensors
from .activations import Array
from .assembly import NOT_BUILT
from .backend import one_thread_pool
from .callbacks import Callback, History, Listeners, Logs, progress_line, verbosity
from .checks import positive_int
from .feeding import Fed, Feed
from .keras_2_words import Keras2Verbs
from .keras_names import takes_keras_arguments
from .layer import Layer
from .lists import listed, unlisted
from .masks import handed_out, mask_of
from .metrics import Scores
from .network import Batch, Network
from .saving import Files
from .streaming import Stream
from .summary import summary
from .trace import Trace
from .trace import trace as make_trace
from .undone import undone_if_they_fail


@undone_if_they_fail("fit", "evaluate", "predict", "train_on_batch", "gradients", "trace", "_call")
class Model(Files, Keras2Verbs, Network):
    """A network with Keras's verbs: `Model(inputs, outputs)`, where outputs come from layers called on the inputs.

    inputs and outputs are Tensors, lists of them, or dicts by name. seed draws the weights, the dropout masks and the order
    of the batches, so that two runs with one seed are equal; dtype is "float32" or "float64"; backend is "auto", "numba" or
    "numpy" (see `backend.py`). `metadata` is a dict of JSON values that is saved with the model and not interpreted.
    """

    @takes_keras_arguments
    def __init__(
        self, inputs: Any, outputs: Any, name: str | None = None, *, seed: int | None = None, dtype: str = "float32",
        backend: str = "auto",
    ) -> None:  # fmt: skip
        super().__init__(name=name, seed=seed, dtype=dtype, backend=backend)
        names = None
        if isinstance(inputs, Mapping):  # in the order of the names, as in Keras
            inputs = [tensors.named(inputs[key], key) for key in sorted(inputs)]
        if isinstance(outputs, Mapping):
            names = sorted(outputs)
            outputs = [outputs[name] for name in names]
        self.describe(listed(inputs), listed(outputs))
        self.output_names = names or self.output_names
        self.as_dict = names is not None  # predict then returns a dict

    def rebuilt(self, layers: Sequence[Layer], **how: Any) -> Self:
        """The same calls of other layers, by their names."""
        by_name = {layer.name: layer for layer in layers}
        inputs = [tensors.source(by_name[name]) for name in self.graph.inputs]
        outputs = tensors.call_again(self.graph, inputs, by_name)
        return type(self)(inputs, self._as_made(outputs), **how)

    def reset_states(self) -> None:
        """Lets every stateful layer start again from zeros."""
        for layer in self.layers:
            if hasattr(layer, "reset_states"):
                layer.reset_states()

    @takes_keras_arguments
    def summary(self) -> None:
        """Prints one row a layer: name, output shape, parameters, and the backend that runs it."""
        print(summary(self))

    # -- one batch ---------------------------------------------------------------------------------------------------

    def __call__(self, x: Any, *, training: bool | None = None, mask: Any = None) -> Any:
        """The output for one batch x (N, T, D), perhaps with a mask (N, T) of the steps that exist.

        On a Tensor, or a list of them, the model's layers are called once more, as part of another model.
        """
        if mask is None and not training and small_step.predicts(self, x):
            return small_step.prediction(self, x)
        return self._call(x, training, mask)

    def _call(self, x: Any, training: bool | None, mask: Any) -> Any:
        if tensors.is_symbolic(x):
            tensors.check_noted(self.layers, training, mask)
            if not self.built:
                self.build(x.shape[1:])
            return self._as_made(tensors.call_again(self.graph, listed(self.in_order(x))))
        x, mask = self.samples(x, mask_of(x) if mask is None else mask).take(slice(None))
        with one_thread_pool(self.backends()):
            p, mask, _ = self.forward(x, bool(training), mask, taped=False)
        return self._as_made(listed(handed_out(p, mask, x)))

    def _as_made(self, outputs: list[Any]) -> Any:
        """The outputs as the Model was made with them: one, a list, or a dict."""
        return dict(zip(self.output_names, outputs, strict=True)) if self.as_dict else unlisted(outputs)

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
            scores.add(*diverging.one_step(self, Batch(*data.take(slice(None)))))
        return self._result(scores.logs(), return_dict)

    def gradients(
        self, x: ArrayLike, y: ArrayLike, *, mask: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> tuple[float, dict[str, Array]]:
        """The loss on (x, y) and its gradient by weight name. Dropout is off; no weight and no kept state changes."""
        batch = Batch(*self.data(x, y, mask, sample_weight).take(slice(None)))
        with one_thread_pool(self.backends()), self.undisturbed():
            forward_pass = self.forward_pass(batch, training=False)
            gradients = self.backward_pass(forward_pass, want_dx=False).weights
            return diverging.checked(self, batch, float(forward_pass.loss), gradients)

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

    @takes_keras_arguments
    def fit(
        self, x: Any, y: Any = None, batch_size: int | None = None, epochs: int = 1, verbose: str | int = "auto",
        callbacks: Callback | Sequence[Callback] | None = None, validation_split: float = 0.0, validation_data: Any = None,
        shuffle: bool = True, class_weight: dict[int, float] | None = None, sample_weight: Any = None,
        initial_epoch: int = 0, steps_per_epoch: int | None = None, validation_steps: int | None = None,
        validation_batch_size: int | None = None, validation_freq: int | Collection[int] = 1, *,
        mask: Any = None, order: Sequence[Sequence[Any]] | None = None,
    ) -> History:  # fmt: skip
        """Trains for some epochs and returns their History. Diverged, at the last good epoch, if a loss is not finite.

        x (N, T, D), perhaps with a mask (N, T) of the steps that exist, or a list of N arrays (T_n, D): those are
        padded batch by batch, similar lengths together. y (N,), (N, 1) or what the loss needs. Or x makes batches (x, y): a
        PyDataset, a generator, any iterable; see `feeding.py`. class_weight {0: 1.0, 1: 2.0} or sample_weight (N,) weigh
        the loss, not the metrics. validation_data is (X, y) or (X, y, sample_weight), or makes batches of these;
        validation_split takes the last part of x and y, before any shuffling.

        The loss and metrics of an epoch are means over its samples while the weights move, as in Keras; the last,
        smaller batch is kept. order gives the batches explicitly: order[epoch] is a list of batches, each an array of row
        numbers; without it, an epoch's order follows from the seed and its number. initial_epoch is the number of the first.
        """
        history, epochs = History(), positive_int("epochs", epochs)
        listeners = Listeners.of(callbacks, verbose, history)
        split = validation_split if validation_data is None else 0.0
        training, held_out = feeding.training(
            self, x, y, batch_size, steps_per_epoch, shuffle, mask, sample_weight, class_weight, order, split, epochs
        )  # fmt: skip
        validation = feeding.validation(
            self, validation_data, held_out, batch_size, validation_batch_size, validation_steps, validation_freq, epochs
        )  # fmt: skip
        params = {"epochs": epochs, "steps": training.expected, "verbose": verbosity(verbose)}
        listeners.prepare(self, params, Scores(self.targets).names(), validation is not None)
        self.history, self.stop_training, self.initial_epoch = history, False, initial_epoch
        listeners.tell("on_train_begin", {})
        logs: Logs = {}
        for epoch in range(self.initial_epoch, epochs):  # BackupAndRestore has set another one where it goes on
            batches = training.epoch(epoch)
            if batches is None:
                warnings.warn(f"the data has come to its end: training stops before epoch {epoch + 1}", stacklevel=2)
                break
            listeners.tell("on_epoch_begin", epoch, {}, steps=training.expected)
            with diverging.Guard(self, listeners.callbacks, epoch) as guard:
                logs = self._train_epoch(batches, listeners, guard) or logs
                if validation is not None and feeding.due(epoch, validation_freq):
                    logs |= {f"val_{name}": value for name, value in self._evaluate(validation, 0).items()}
            listeners.tell("on_epoch_end", epoch, logs)
            if self.stop_training:
                break
        listeners.tell("on_train_end", logs)
        return self.history

    def _train_epoch(self, batches: Iterable[Fed], listeners: Listeners, guard: diverging.Guard) -> Logs:
        """A training step per batch, until a callback stops the training. Returns the epoch's loss and metrics."""
        logs, scores = Logs(), Scores(self.targets)
        with one_thread_pool(self.backends()):
            for n, fed in enumerate(batches):
                listeners.tell("on_train_batch_begin", n, {})
                scores.add(*guard.step(fed.batch))  # self.step, and what was good put back if it diverges
                logs = scores.logs()
                listeners.tell("on_train_batch_end", n, logs)
                if self.stop_training:
                    break
        self.epochs_done += 1
        return logs

    @takes_keras_arguments
    def evaluate(
        self, x: Any, y: Any = None, batch_size: int | None = None, verbose: str | int = "auto", sample_weight: Any = None,
        steps: int | None = None, *, mask: Any = None, return_dict: bool = False,
    ) -> Any:  # fmt: skip
        """The loss and metrics over (x, y): [loss, accuracy], the loss alone without metrics, or a dict of names.

        x may make batches (x, y), as in `fit`; with `steps` only so many batches are read.
        """
        feed = feeding.reading(self, x, y, batch_size, steps, mask, sample_weight)
        return self._result(self._evaluate(feed, verbose), return_dict)

    def _evaluate(self, feed: Feed, verbose: str | int) -> Logs:
        scores = Scores(self.compiled[1])
        for n, (fed, p, mask) in enumerate(self._predictions(feed, verbose, scores.logs)):
            heads = self.heads(p, mask, fed.batch.y, fed.batch.sample_weight)
            scores.add(diverging.evaluated(self, fed, n, heads), heads)
        return scores.logs()

    def _result(self, logs: Logs, return_dict: bool) -> Any:
        return logs if return_dict else unlisted([logs[name] for name in self.metrics_names])

    @takes_keras_arguments
    def predict(
        self, x: Any, batch_size: int | None = None, verbose: str | int = "auto", steps: int | None = None, *,
        mask: Any = None, allow_nan: bool = False,
    ) -> Any:  # fmt: skip
        """The model's output for x, with dropout off: (N, units), or (N, T, units) when the last layer returns sequences.

        Several outputs are a list, or a dict where the Model was made with one. For a list of sequences (T_n, D) a model
        that returns sequences returns a list of (T_n, units). x may make batches, of x alone or (x, y), as in `fit`; with
        `steps` only so many are read. ValueError for NaN and infinity in x or the output, which allow_nan lets through.
        """
        feed = feeding.reading(self, x, None, batch_size, steps, mask, targets=False, allow_nan=allow_nan)
        made = diverging.predicted(self, self._predictions(feed, verbose, dict), allow_nan)
        return self._as_made(feeding.in_order(made))

    def _predictions(self, feed: Feed, verbose: str | int, logs: Any) -> Iterator[tuple[Fed, Any, Any]]:
        """Each batch with the outputs and their masks; verbose prints a line at the end."""
        started, done = time.perf_counter(), 0
        for fed in feed.some():
            with one_thread_pool(self.backends()):
                p, mask, _ = self.forward(fed.batch.x, False, fed.batch.mask, taped=False)
            yield fed, p, mask
            done += 1
        if verbose:
            print(progress_line(done, done, time.perf_counter() - started, logs()))

    def stream(self, batch: int = 1, *, allow_nan: bool = False) -> Stream:
        """The model for input step by step: stream.step(x (batch, D)) returns the output so far.

        ValueError for layers that need the whole sequence, and unless allow_nan for NaN and infinity in the weights or x.
        """
        if not self.built or self.input_shape is None:
            raise ValueError(NOT_BUILT)
        step = self.graph.nodes[0].layer.step_shape(self.input_shape)
        return Stream(self.graph, self.dtype, (positive_int("batch", batch), *step), allow_nan)
