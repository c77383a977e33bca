"""Metrics, accumulated over batches as Keras 3 accumulates them.

`get("accuracy")` or `get(AUC(num_thresholds=50))` returns a new metric; `update(y, p)` adds a batch, and `result()` returns
the metric over all batches since `reset`. Sample weights do not count, as in Keras's `metrics=`.
"""

import copy
import itertools
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from types import FunctionType
from typing import Any, ClassVar

import numpy as np

from .absent import Answering
from .activations import Array
from .keras_names import snake
from .losses import mean_absolute_error, mean_squared_error
from .registry import file_name, make, options


@dataclass(kw_only=True)
class Metric(Answering):
    """Base: sums up the `counts` of batches; `score` turns the sums into one number, by default sums[0] / sums[1]."""

    keras_class, never_called = "Metric", ("update_state",)
    direction: ClassVar[str | None] = None  # "up" where larger is better, "down" where smaller is; None: not known
    name: str

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.sums: Array | None = None

    def update(self, y: Array, p: Array, mask: Array | None = None) -> None:
        """Adds a batch: predictions p (N, ..., K), y (N, ..., K) or class numbers (N, ...), mask (N, T) of bool."""
        if mask is not None:
            y, p = y[mask], p[mask]  # (existing steps, ...)
        counts = self.counts(y, p)
        self.sums = counts if self.sums is None else self.sums + counts

    def result(self) -> float:
        """The metric over everything since `reset`; 0.0, as in Keras, where there is nothing to divide by."""
        return 0.0 if self.sums is None else float(self.score(self.sums))

    def counts(self, y: Array, p: Array) -> Array:
        raise NotImplementedError

    def score(self, sums: Array) -> float:
        return sums[0] / sums[1] if sums[1] else 0.0

    def config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON values."""
        return options(self)


@dataclass(kw_only=True)
class Accuracy(Metric):
    """Keras's "accuracy", the share of correct predictions: the shapes decide, binary (p > 0.5), one-hot or class numbers."""

    direction = "up"
    name: str = "accuracy"

    def counts(self, y: Array, p: Array) -> Array:
        if p.shape[-1] == 1:
            right = (p > 0.5) == y.reshape(p.shape)
        else:
            right = p.argmax(axis=-1) == (y.argmax(axis=-1) if y.shape == p.shape else y.reshape(p.shape[:-1]))
        return np.array([right.sum(), right.size])


@dataclass
class BinaryAccuracy(Metric):
    """The share of outputs that are on y's side of the threshold. It compares p as it is: of logits give threshold=0."""

    direction = "up"
    name: str = "binary_accuracy"
    _: KW_ONLY
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if isinstance(self.threshold, bool) or not isinstance(self.threshold, int | float | np.number):
            raise ValueError(f"threshold must be a number, got {self.threshold!r}")
        super().__post_init__()

    def counts(self, y: Array, p: Array) -> Array:
        right = (p > self.threshold) == in_shape(self, y, p)
        return np.array([right.sum(), right.size])


@dataclass
class CategoricalAccuracy(Metric):
    """The share of samples, or steps, whose largest output is the class of one-hot y."""

    direction = "up"
    name: str = "categorical_accuracy"

    def counts(self, y: Array, p: Array) -> Array:
        right = p.argmax(axis=-1) == in_shape(self, y, p).argmax(axis=-1)
        return np.array([right.sum(), right.size])


@dataclass
class SparseCategoricalAccuracy(Metric):
    """The share of samples, or steps, whose largest output is the class with the number y."""

    direction = "up"
    name: str = "sparse_categorical_accuracy"

    def counts(self, y: Array, p: Array) -> Array:
        if y.size * p.shape[-1] != p.size:
            raise ValueError(
                f"{type(self).__name__} takes class numbers: predictions {p.shape} need y of shape {p.shape[:-1]}, got "
                f"{y.shape}. For one-hot y take categorical_accuracy"
            )
        right = p.argmax(axis=-1) == y.reshape(p.shape[:-1])
        return np.array([right.sum(), right.size])


@dataclass
class MeanSquaredError(Metric):
    """(p - y)², the mean over all outputs."""

    direction = "down"
    name: str = "mean_squared_error"

    def counts(self, y: Array, p: Array) -> Array:
        e = p - in_shape(self, y, p)
        return np.array([(e * e).sum(dtype=float), e.size])


@dataclass
class RootMeanSquaredError(MeanSquaredError):
    """The root of `MeanSquaredError`. Masked steps do not count. (Keras counts them here; not in its other means.)"""

    name: str = "root_mean_squared_error"

    def score(self, sums: Array) -> float:
        return np.sqrt(super().score(sums))


@dataclass
class MeanAbsoluteError(Metric):
    """|p - y|, the mean over all outputs."""

    direction = "down"
    name: str = "mean_absolute_error"

    def counts(self, y: Array, p: Array) -> Array:
        e = np.abs(p - in_shape(self, y, p))
        return np.array([e.sum(dtype=float), e.size])


@dataclass(kw_only=True)
class BalancedAccuracy(Metric):
    """The mean recall of the classes that occur in y. Keras has no such metric."""

    direction = "up"
    name: str = "balanced_accuracy"

    def counts(self, y: Array, p: Array) -> Array:
        if p.shape[-1] == 1:
            true, predicted = y.ravel() > 0.5, p.ravel() > 0.5
        else:
            true = (y.argmax(axis=-1) if y.shape == p.shape else y).ravel()
            predicted = p.argmax(axis=-1).ravel()
        true = true.astype(np.intp)
        k = max(2, p.shape[-1])
        return np.stack([np.bincount(true[predicted == true], minlength=k), np.bincount(true, minlength=k)])

    def score(self, sums: Array) -> float:  # (2, classes)
        correct, total = sums[:, sums[1] > 0]  # of the classes that occur
        return (correct / total).mean() if total.size else 0.0


@dataclass
class Precision(Metric):
    """TP / (TP + FP), over all outputs together; a prediction above `thresholds` (one number) is positive.

    Masked steps do not count. (Keras counts them in this metric; it leaves them out of accuracy only.)
    """

    direction = "up"
    thresholds: float = 0.5
    _: KW_ONLY
    name: str = "precision"

    def __post_init__(self) -> None:
        if not isinstance(self.thresholds, float | int) or not 0 <= self.thresholds <= 1:
            raise ValueError(f"thresholds must be one number from 0 to 1, got {self.thresholds!r}")
        super().__post_init__()

    def counts(self, y: Array, p: Array) -> Array:
        positive, true = p > self.thresholds, truth(self, y, p)
        return np.array([(positive & true).sum(), positive.sum()])


@dataclass
class Recall(Precision):
    """TP / (TP + FN); thresholds, outputs and masks as in `Precision`."""

    _: KW_ONLY
    name: str = "recall"

    def counts(self, y: Array, p: Array) -> Array:
        positive, true = p > self.thresholds, truth(self, y, p)
        return np.array([(positive & true).sum(), true.sum()])


@dataclass
class AUC(Metric):
    """The area under the ROC curve through `num_thresholds` points, as Keras's AUC. Outputs and masks as in `Precision`."""

    direction = "up"
    num_thresholds: int = 200
    _: KW_ONLY
    name: str = "auc"

    def __post_init__(self) -> None:
        if not isinstance(self.num_thresholds, int) or self.num_thresholds < 2:
            raise ValueError(f"num_thresholds must be a whole number of at least 2, got {self.num_thresholds!r}")
        super().__post_init__()

    def counts(self, y: Array, p: Array) -> Array:
        """How many positives (row 0) and negatives (row 1) lie above each threshold but not above the next."""
        n = self.num_thresholds
        true = truth(self, y, p)
        q = np.clip(np.nan_to_num(p), 0, 1)  # a diverged network's NaN counts as 0, as in Keras
        above = np.maximum(np.ceil(q * (n - 1)) - 1, 0).astype(np.intp)
        return np.stack([np.bincount(above[true], minlength=n), np.bincount(above[~true], minlength=n)])

    def score(self, sums: Array) -> float:  # (2, num_thresholds)
        if not sums.any(axis=1).all():
            return 0.0  # one of the two classes does not occur
        true_rate, false_rate = sums[:, ::-1].cumsum(axis=1) / sums.sum(axis=1, keepdims=True)  # from (0, 0) to (1, 1)
        return np.trapezoid(true_rate, false_rate)


class Scores:
    """The loss and the metrics over batches. The loss is the mean of the batches' losses, weighted by their sizes.

    With several outputs it holds their losses too, "dense_loss". targets: a loss and metrics for each output.
    """

    def __init__(self, targets: Sequence[Any]) -> None:
        self.n = 0  # samples so far
        names = ["loss"] + [f"{target.name}_loss" for target in targets if len(targets) > 1]
        self.losses = dict.fromkeys(names, 0.0)
        self.metrics = [[copy.deepcopy(metric) for metric in target.metrics] for target in targets]  # a list an output
        for metric in itertools.chain(*self.metrics):
            metric.reset()

    def add(self, loss: float, heads: Sequence[Any]) -> None:
        """Adds a batch: its loss, and for each output its loss, p, y and mask."""
        n = len(heads[0].p)
        self.n += n
        for name, value in zip(self.losses, [loss, *(float(head.loss) for head in heads)], strict=False):
            self.losses[name] += value * n
        for metrics, head in zip(self.metrics, heads, strict=True):
            for metric in metrics:
                metric.update(head.y, head.p, head.mask)

    def names(self) -> list[str]:
        """The keys of the logs."""
        return [*self.losses, *(metric.name for metric in itertools.chain(*self.metrics))]

    def logs(self) -> dict[str, float]:
        means = {name: value / self.n for name, value in self.losses.items()}
        return means | {metric.name: metric.result() for metric in itertools.chain(*self.metrics)}


METRICS: dict[str, Any] = {
    "accuracy": Accuracy, "acc": Accuracy, "balanced_accuracy": BalancedAccuracy,
    "auc": AUC, "precision": Precision, "recall": Recall,
    "binary_accuracy": BinaryAccuracy, "categorical_accuracy": CategoricalAccuracy,
    "sparse_categorical_accuracy": SparseCategoricalAccuracy,
    "mean_squared_error": MeanSquaredError, "mse": MeanSquaredError, "root_mean_squared_error": RootMeanSquaredError,
    "mean_absolute_error": MeanAbsoluteError, "mae": MeanAbsoluteError,
}  # fmt: skip
CLASSES: dict[str, Any] = {c.__name__: c for c in METRICS.values()}
FUNCTIONS: dict[Any, Any] = {mean_squared_error: MeanSquaredError, mean_absolute_error: MeanAbsoluteError}


def get(metric: Any) -> Metric:
    """A new metric like this one, of this class or function, or with this name, which is its key in the history as written.

    ValueError for what the engine does not have.
    """
    if isinstance(metric, Metric):
        metric = copy.deepcopy(metric)
        metric.reset()
        return metric
    if isinstance(metric, str) and snake(metric) in METRICS:
        return METRICS[snake(metric)](name=metric)
    if isinstance(metric, type) and issubclass(metric, Metric):
        return metric()  # type: ignore[call-arg]  # every metric has a default name
    if isinstance(metric, FunctionType) and metric in FUNCTIONS:
        return FUNCTIONS[metric]()
    raise ValueError(
        f"metric {metric!r} is not in the engine; it has {', '.join(METRICS)}. A metric of your own is a subclass of "
        "lstm_engine.metrics.Metric with counts(y, p)"
    )


def get_all(metrics: Sequence[str | Metric] | None) -> list[Metric]:
    """`get` for each of compile's `metrics`. A second metric of the same name is called name_1, as in Keras's history."""
    if isinstance(metrics, str | Metric):
        raise ValueError(f"metrics is a list, such as ['accuracy'], got {metrics!r}")
    new = [get(metric) for metric in metrics or ()]
    names = [metric.name for metric in new]
    for n, metric in enumerate(new):
        metric.name += f"_{names[:n].count(metric.name)}" if metric.name in names[:n] else ""
    return new


def to_config(metric: Metric) -> str | dict[str, Any]:
    """The metric as JSON values: its name alone if `get` of the name gives the same metric."""
    if snake(metric.name) in METRICS and get(metric.name) == metric:
        return metric.name
    return {"class_name": file_name(metric), "config": metric.config()}


def from_config(config: str | dict[str, Any]) -> Metric:
    return get(config) if isinstance(config, str) else make("metric", config["class_name"], config["config"])


def in_shape(metric: Metric, y: Array, p: Array) -> Array:
    """y in p's shape. ValueError for class numbers beside several outputs, which Keras refuses as well."""
    if y.size != p.size:
        raise ValueError(
            f"{type(metric).__name__} compares y with every output: predictions {p.shape} need y of that shape, got "
            f"{y.shape}. Give one-hot y with categorical_crossentropy, or take accuracy or balanced_accuracy"
        )
    return y.reshape(p.shape)


def truth(metric: Metric, y: Array, p: Array) -> Array:
    return in_shape(metric, y, p).astype(bool)
