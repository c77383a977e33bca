"""Losses as Keras 3 computes them: one value a sample, and its gradient beside it.

`values(y, p)` gives one number for every position of p but its last axis; `gradient(y, p)` is d mean(values) / dp. A loss is
named as in Keras ("mae", "mean_absolute_error"), made as an object, `BinaryCrossentropy(from_logits=True)`, or given as the
function `mean_absolute_error`. Both halves of a pair are generic in dtype, so that a complex step can pass through.

Probabilities are clipped to [1e-7, 1 - 1e-7] before the logarithm, as Keras's JAX and NumPy backends do, and outside that
zone the gradient is exactly 0. With from_logits nothing is clipped: no logarithm of a rounded 0 occurs.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from .absent import Answering
from .activations import Array, softmax, softplus
from .checks import share
from .keras_names import arguments, refuse_unknown, snake
from .registry import file_name, make

EPSILON = 1e-7

# Arguments of Keras that the engine accepts at these default values only; other values are refused.
KERAS_DEFAULTS: dict[str, Any] = {"reduction": "sum_over_batch_size", "axis": -1, "ignore_class": None, "dtype": None}


class Loss(Answering):
    """Base of the losses. A loss of your own is a subclass with `values` and `gradient`; `gradcheck` proves the pair.

    Called, loss(y_true, y_pred, sample_weight) is the mean of the values, as in Keras.
    """

    keras_class, never_called = "Loss", ("call",)
    sparse: ClassVar[bool] = False  # whether y holds class numbers (...,); else it has p's shape

    def __init__(self, *, name: str | None = None, **unknown: Any) -> None:
        refuse_unknown(type(self), unknown, KERAS_DEFAULTS, [*self.options(), "name"])
        self.name = name or snake(type(self).__name__)

    @classmethod
    def options(cls) -> list[str]:
        """The names of the constructor's arguments without name."""
        return arguments(cls, "name")

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON values, without name."""
        return {name: getattr(self, name) for name in self.options()}

    def values(self, y: Array, p: Array) -> Array:
        """p (N, ..., K), y alike or class numbers (N, ...) -> (N, ...)."""
        raise NotImplementedError

    def gradient(self, y: Array, p: Array) -> Array:
        """d mean(values) / dp, in p's shape."""
        raise NotImplementedError

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        values = on_arrays(self, y_true, y_pred)
        w = None if sample_weight is None else weights(values.shape, None, np.asarray(sample_weight, values.dtype))
        return float(mean(values) if w is None else mean(values * w))


class MeanSquaredError(Loss):
    """(p - y)², averaged over the last axis."""

    def values(self, y: Array, p: Array) -> Array:
        return mean((y - p) ** 2, -1)

    def gradient(self, y: Array, p: Array) -> Array:
        return 2.0 * (p - y) / p.size


class MeanAbsoluteError(Loss):
    """|y - p|, averaged over the last axis. At the kink p = y the slope is that of p < y, as JAX takes it for Keras."""

    def values(self, y: Array, p: Array) -> Array:
        e = y - p
        return mean(np.where(e.real >= 0, e, -e), -1)

    def gradient(self, y: Array, p: Array) -> Array:
        return np.where((y - p).real >= 0, p.dtype.type(-1), p.dtype.type(1)) / p.size


class Huber(Loss):
    """½e² where |e| ≤ δ, else δ(|e| - ½δ), with e = p - y, averaged over the last axis (Huber 1964).

    With c = e clipped to [-δ, δ], both are c (e - ½c), and the derivative of both is c.
    """

    def __init__(self, delta: float = 1.0, **general: Any) -> None:
        super().__init__(**general)
        if isinstance(delta, bool) or not isinstance(delta, int | float | np.number) or not 0 < delta < np.inf:
            raise ValueError(f"delta must be a number above 0, got {delta!r}")
        self.delta = float(delta)

    def values(self, y: Array, p: Array) -> Array:
        e = p - y
        c = np.clip(e, -self.delta, self.delta)
        return mean(c * (e - 0.5 * c), -1)

    def gradient(self, y: Array, p: Array) -> Array:
        return np.clip(p - y, -self.delta, self.delta) / p.size


class Crossentropy(Loss):
    """Base: p are probabilities or, with from_logits, the z before the sigmoid or softmax that makes them."""

    def __init__(self, from_logits: bool = False, **general: Any) -> None:
        super().__init__(**general)
        if not isinstance(from_logits, bool | np.bool_):
            raise ValueError(f"from_logits must be True or False, got {from_logits!r}")
        self.from_logits = bool(from_logits)


class BinaryCrossentropy(Crossentropy):
    """-(y log p + (1 - y) log(1 - p)), averaged over the last axis.

    From logits z: -log σ(z) = softplus(-z) and -log(1 - σ(z)) = softplus(z), with the derivatives -exp(-softplus(z)) and
    exp(-softplus(-z)), which are σ(z) - 1 and σ(z) to the last digit however large z is. label_smoothing α makes y to
    y (1 - α) + ½α.
    """

    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0, **general: Any) -> None:
        super().__init__(from_logits, **general)
        self.label_smoothing = share("label_smoothing", label_smoothing)

    def values(self, y: Array, p: Array) -> Array:
        y = smoothed(y, self.label_smoothing, 2)
        if self.from_logits:
            return mean(y * softplus(-p) + (1.0 - y) * softplus(p), -1)
        q = np.clip(p, EPSILON, 1 - EPSILON)
        return -mean(y * np.log(q) + (1.0 - y) * np.log(1.0 - q), -1)

    def gradient(self, y: Array, p: Array) -> Array:
        y = smoothed(y, self.label_smoothing, 2)
        if self.from_logits:
            return ((1.0 - y) * np.exp(-softplus(-p)) - y * np.exp(-softplus(p))) / p.size
        q = np.clip(p, EPSILON, 1 - EPSILON)
        return (q - y) / (q * (1.0 - q)) * (q == p) / p.size


class CategoricalCrossentropy(Crossentropy):
    """-Σₖ yₖ log pₖ with p normalised to sum 1; y is one-hot, or any distribution.

    From logits: log pₖ = zₖ - log Σⱼ exp(zⱼ), and dzₖ = pₖ Σⱼ yⱼ - yₖ. label_smoothing α makes y to y (1 - α) + α / K.
    """

    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0, **general: Any) -> None:
        super().__init__(from_logits, **general)
        self.label_smoothing = share("label_smoothing", label_smoothing)

    def values(self, y: Array, p: Array) -> Array:
        y = smoothed(y, self.label_smoothing, p.shape[-1])
        if self.from_logits:
            z = p - p.real.max(axis=-1, keepdims=True)  # so that exp stays finite
            return -(y * (z - np.log(np.exp(z).sum(axis=-1, keepdims=True)))).sum(axis=-1)
        q = np.clip(p / p.sum(axis=-1, keepdims=True), EPSILON, 1 - EPSILON)
        return -(y * np.log(q)).sum(axis=-1)

    def gradient(self, y: Array, p: Array) -> Array:
        y = smoothed(y, self.label_smoothing, p.shape[-1])
        positions = p.size // p.shape[-1]
        if self.from_logits:
            return (softmax(p) * y.sum(axis=-1, keepdims=True) - y) / positions
        total = p.sum(axis=-1, keepdims=True)
        normal = p / total
        q = np.clip(normal, EPSILON, 1 - EPSILON)
        dq = -y / q * (q == normal)
        return (dq - (dq * normal).sum(axis=-1, keepdims=True)) / total / positions


class SparseCategoricalCrossentropy(Crossentropy):
    """CategoricalCrossentropy for labels that are class numbers."""

    sparse = True

    def values(self, y: Array, p: Array) -> Array:
        return CategoricalCrossentropy(self.from_logits).values(one_hot(y, p), p)

    def gradient(self, y: Array, p: Array) -> Array:
        return CategoricalCrossentropy(self.from_logits).gradient(one_hot(y, p), p)


# -- Keras's functions -------------------------------------------------------------------------------------------------


def mean_squared_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """The values of `MeanSquaredError`."""
    return on_arrays(MeanSquaredError(), y_true, y_pred)


def mean_absolute_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """The values of `MeanAbsoluteError`."""
    return on_arrays(MeanAbsoluteError(), y_true, y_pred)


def huber(y_true: ArrayLike, y_pred: ArrayLike, delta: float = 1.0) -> Array:
    """The values of `Huber`."""
    return on_arrays(Huber(delta), y_true, y_pred)


def binary_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    """The values of `BinaryCrossentropy`."""
    return on_arrays(BinaryCrossentropy(from_logits, label_smoothing, axis=axis), y_true, y_pred)


def categorical_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    """The values of `CategoricalCrossentropy`."""
    return on_arrays(CategoricalCrossentropy(from_logits, label_smoothing, axis=axis), y_true, y_pred)


def sparse_categorical_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Array:
    """The values of `SparseCategoricalCrossentropy`."""
    loss = SparseCategoricalCrossentropy(from_logits, ignore_class=ignore_class, axis=axis)
    return on_arrays(loss, y_true, y_pred)


FUNCTIONS: dict[Callable[..., Array], type[Loss]] = {
    binary_crossentropy: BinaryCrossentropy,
    categorical_crossentropy: CategoricalCrossentropy,
    sparse_categorical_crossentropy: SparseCategoricalCrossentropy,
    mean_squared_error: MeanSquaredError,
    mean_absolute_error: MeanAbsoluteError,
    huber: Huber,
}
CLASSES: dict[str, type[Loss]] = {loss.__name__: loss for loss in FUNCTIONS.values()}
LOSSES: dict[str, type[Loss]] = {function.__name__: loss for function, loss in FUNCTIONS.items()}
ALIASES: dict[str, type[Loss]] = {
    "bce": BinaryCrossentropy, "BCE": BinaryCrossentropy, "mae": MeanAbsoluteError, "MAE": MeanAbsoluteError,
    "mse": MeanSquaredError, "MSE": MeanSquaredError,
}  # fmt: skip


def get(loss: Any) -> Loss:
    """The loss of this name or function of Keras's, or the loss itself. ValueError for what the engine does not have."""
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, type) and issubclass(loss, Loss):
        return loss()
    if isinstance(loss, str) and (known := {**LOSSES, **CLASSES, **ALIASES}.get(loss)):
        return known()
    if isinstance(loss, FunctionType) and loss in FUNCTIONS:
        return FUNCTIONS[loss]()
    has = f"the engine has {', '.join(LOSSES)} (and mse, mae, bce)"
    if callable(loss):
        raise ValueError(
            f"the engine knows no gradient of the loss {getattr(loss, '__name__', loss)!r}: {has}. A loss of your own is a "
            "subclass of lstm_engine.losses.Loss with values(y, p) and gradient(y, p)"
        )
    raise ValueError(f"loss {loss!r} is not in the engine: {has}")


def to_config(loss: Loss) -> str | dict[str, Any]:
    """The loss as JSON values: its name alone if it is the engine's with default options.

    ValueError where a file would take its class for another one.
    """
    name, kind = file_name(loss), type(loss)
    if CLASSES.get(name) is kind and loss.config() == kind().config():
        return snake(name)
    return {"class_name": name, "config": loss.config()}


def from_config(config: str | dict[str, Any]) -> Loss:
    return get(config) if isinstance(config, str) else make("loss", config["class_name"], config["config"])


# -- targets and weights -----------------------------------------------------------------------------------------------


def on_arrays(loss: Loss, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """The loss's values of anything that NumPy takes for arrays."""
    p = np.asarray(y_pred)
    p = p if np.issubdtype(p.dtype, np.inexact) else p.astype(float)
    return loss.values(fit_targets(loss, np.asarray(y_true, p.real.dtype), p.shape), p)


def mean(a: Array, axis: int | None = None) -> Any:
    """np.mean, which takes four times as long for the numbers of a small batch."""
    return np.add.reduce(a, axis) / (a.size if axis is None else a.shape[axis])


def smoothed(y: Array, alpha: float, classes: int) -> Array:
    """y with a share α of every label given to all classes alike."""
    return y * (1.0 - alpha) + alpha / classes if alpha else y


def samples_of(shape: tuple[int, ...]) -> str:
    """A shape in words, (samples, 3): it may be that of a batch, or of the first rows alone."""
    return f"({', '.join(['samples', *map(str, shape[1:])])}{',' * (len(shape) == 1)})"


def fit_targets(loss: Loss, y: Array, p_shape: tuple[int, ...]) -> Array:
    """Brings y to the shape that the loss compares with p: a last axis of size 1 is added or dropped, as in Keras.

    ValueError when the shapes do not fit, when a label is no class of p, or is no probability where the loss needs one.
    """
    expected = p_shape[:-1] if loss.sparse else p_shape
    fitted = y
    if y.ndim == len(expected) + 1 and y.shape[-1] == 1:
        fitted = y[..., 0]
    elif y.ndim == len(expected) - 1 and expected[-1] == 1:
        fitted = y[..., None]
    if fitted.shape != expected:
        needed, predicted, got = (samples_of(shape) for shape in (expected, p_shape, y.shape))
        raise ValueError(f"{loss.name} expects y of shape {needed} for predictions of shape {predicted}, got {got}")
    if loss.sparse:
        classes = p_shape[-1]
        if not np.all((fitted >= 0) & (fitted < classes) & (fitted == np.floor(fitted))):
            raise ValueError(
                f"{loss.name} expects whole class numbers from 0 to {classes - 1}, got {np.unique(fitted)[:8]}"
            )
    elif isinstance(loss, Crossentropy) and not ((fitted >= 0) & (fitted <= 1)).all():
        raise ValueError(f"{loss.name} expects targets from 0 to 1, got values from {fitted.min()} to {fitted.max()}")
    return fitted


def one_hot(y: Array, p: Array) -> Array:
    """Class numbers (...,) to (..., K) in p's real dtype."""
    return np.eye(p.shape[-1], dtype=p.real.dtype)[y.astype(np.intp)]


def weights(shape: tuple[int, ...], mask: Array | None, sample_weight: Array | None) -> Array | None:
    """The factors of the values (N,) or (N, T) before their mean; None is 1 everywhere.

    The result is Keras's reduction: with a mask (N, T) the mean over the unmasked steps (0 if there are none); with
    sample_weight (N,), (N, 1) or (N, T) the sum of the weighted values divided by the number of all samples. ValueError names
    the shapes.
    """
    w = None
    if mask is not None:
        w = mask * (mask.size / max(mask.sum(), 1))
    if sample_weight is not None:
        fitted = sample_weight
        if fitted.ndim < len(shape):
            fitted = fitted.reshape(len(fitted), *[1] * (len(shape) - 1))
        elif fitted.ndim == len(shape) + 1 and fitted.shape[-1] == 1:
            fitted = fitted[..., 0]
        if fitted.ndim != len(shape) or any(n not in (1, m) for n, m in zip(fitted.shape, shape, strict=True)):
            expected = " or ".join(dict.fromkeys((samples_of(shape), "(samples,)")))
            raise ValueError(f"sample_weight must have shape {expected}, got {samples_of(sample_weight.shape)}")
        w = np.broadcast_to(fitted, shape) if w is None else w * fitted
    return w


def class_weights(y: Array, by_class: dict[int, float]) -> Array:
    """The weight of each sample's class, 1 for classes not named. y: class numbers (N,), (N, 1) or one-hot (N, K)."""
    one_each = isinstance(y, np.ndarray) and (y.size == len(y) or (y.ndim == 2 and np.all(y.sum(axis=1) == 1)))
    if not one_each or not isinstance(by_class, dict) or not all(isinstance(k, int | np.integer) for k in by_class):
        raise ValueError(
            "class_weight is a dict from class number to weight, for targets of one class a sample; "
            "use sample_weight for others"
        )
    if odd := {k: w for k, w in by_class.items() if not abs(w) <= float(np.finfo(y.dtype).max)}:  # NaN too
        k, w = next(iter(odd.items()))
        raise ValueError(f"class_weight[{k}] is {w:g}, which is no number that {y.dtype} holds")
    labels = y.reshape(len(y)) if y.size == len(y) else y.argmax(axis=-1)
    return np.array([by_class.get(int(label), 1.0) for label in np.round(labels)], y.dtype)
