"""Optimizers that update weights in place, exactly as Keras 3 does.

`apply(weights, gradients)` takes two dicts with the same names and makes one step: clip the gradients, decay the weights,
update. An optimizer's state is `iterations` and `slots` ("momentum/lstm/kernel", ...), plain arrays that a file can hold.
Scalars are computed in the weights' dtype, as in Keras, so that float32 training agrees with Keras's.
"""

import copy
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from numbers import Real
from typing import Any, Self

import numpy as np

from . import finite, keras_2_words, schedules
from .absent import Answering, argument
from .activations import Array
from .backend import compiled
from .keras_names import arguments, refuse_unknown
from .owned import OwnsArrays
from .registry import file_name, make
from .schedules import Schedule

Arrays = dict[str, Array]

# Arguments of Keras that the engine accepts at these default values only; other values are refused.
KERAS_DEFAULTS: dict[str, Any] = {
    "amsgrad": False, "use_ema": False, "ema_momentum": 0.99, "ema_overwrite_frequency": None,
    "loss_scale_factor": None, "gradient_accumulation_steps": None,
}  # fmt: skip


class Optimizer(Answering, OwnsArrays):
    """Base: a learning rate, the number of steps taken, and the slots of each weight. Every optimizer has these arguments:

    weight_decay reduces each weight by learning_rate * weight_decay of itself before the step. clipvalue limits every
    element of a gradient, clipnorm each gradient's norm, global_clipnorm the norm of all together; only one may be set.
    """

    slot_names: tuple[str, ...] = ()
    keras_class, never_called = "Optimizer", ("update_step",)

    def __init__(
        self,
        learning_rate: float | Schedule,
        *,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
        **unknown: Any,
    ) -> None:
        learning_rate = keras_2_words.rate(self, unknown, learning_rate)
        if unknown.pop("decay", None) is not None:
            warnings.warn(f"decay is ignored, as in Keras 3: {argument('decay')}", stacklevel=3)
        refuse_unknown(type(self), unknown, KERAS_DEFAULTS, self.options())
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        clips = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        for name_, value in {"weight_decay": weight_decay, **clips}.items():
            number(name_, value or 0)
        if len(limits := [f"{key}={value}" for key, value in clips.items() if value is not None]) > 1:
            raise ValueError(f"only one of {', '.join(clips)} can be set, got {', '.join(limits)}")
        self.name = name or type(self).__name__.lower()  # a label, as in Keras
        self.iterations = 0
        self.slots: Arrays = {}
        self._rate: float | Schedule = 0.0
        self.learning_rate = learning_rate
        self._weights: list[Array] = []  # the arrays that this optimizer trains
        self._known: Arrays | None = None  # slots that are checked

    @classmethod
    def options(cls) -> list[str]:
        """The names of the constructor's arguments: those of the class first, then those of every optimizer."""
        return arguments(cls, "name")

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON values, under Keras's names; a schedule in Keras's form."""
        rate = schedules.to_config(self._rate) if isinstance(self._rate, Schedule) else self._rate
        return {name: getattr(self, name) for name in self.options()} | {"learning_rate": rate}

    @property
    def scheduled(self) -> bool:
        """Whether the rate follows a schedule."""
        return isinstance(self._rate, Schedule)

    def fresh(self) -> Self:
        """The same optimizer before its first step, for another model."""
        new = copy.copy(self)
        new.iterations, new.slots, new._weights, new._known = 0, {}, [], None
        return new

    @property
    def learning_rate(self) -> float:
        """The rate of the next step. It can be set while training; TypeError if it follows a schedule."""
        return self._rate(self.iterations) if isinstance(self._rate, Schedule) else self._rate

    @learning_rate.setter
    def learning_rate(self, rate: float | Schedule | dict[str, Any]) -> None:
        if isinstance(rate, dict):  # a schedule out of a file
            rate = schedules.from_config(rate)
        if isinstance(self._rate, Schedule) and not isinstance(rate, Schedule):
            raise TypeError(
                f"the learning rate follows the schedule {type(self._rate).__name__} and cannot be set to {rate!r}: "
                "give the optimizer a number instead of the schedule, or do not set the rate"
            )
        self._rate = rate if isinstance(rate, Schedule) else number("learning_rate", rate)

    lr = keras_2_words.renamed("lr", "learning_rate")

    def apply(self, weights: Mapping[str, Array], gradients: Arrays, backend: str = "numpy") -> None:
        """One step: changes every weight in place. The two dicts have the same names and shapes.

        With backend="numba" the compiled twin of `update` runs, where there is one. ValueError if this optimizer has
        trained other arrays before: its slots belong to them.
        """
        if fixed := [name for name, w in weights.items() if not w.flags.writeable]:
            raise ValueError(f"{', '.join(fixed)} cannot be trained: the array is read-only (np.array(w) copies it)")
        if weights.keys() != gradients.keys() or [1 for k, w in weights.items() if w.shape != gradients[k].shape]:
            shapes, got = ({name: a.shape for name, a in arrays.items()} for arrays in (weights, gradients))
            raise ValueError(f"gradients must have the names and shapes of the weights, {shapes}, got {got}")
        rate = self._finite_rate(weights)
        if [*map(id, weights.values())] != [*map(id, self._weights)] or self._known is not self.slots:
            self._begin(weights)
        if not self.slots:
            zeros = {f"{slot}/{name}": np.zeros_like(w) for slot in self.slot_names for name, w in weights.items()}
            self.slots = self._known = zeros
        gradients = self.clipped(gradients)
        kernel = getattr(type(self).update, "kernel", "") if backend == "numba" else ""
        update = partial(compiled(kernel), self) if kernel else self.update
        for name, w in weights.items():
            lr = w.dtype.type(rate)
            if self.weight_decay:
                w -= w * w.dtype.type(self.weight_decay) * lr
            update(w, gradients[name], lr, *[self.slots[f"{slot}/{name}"] for slot in self.slot_names])
        self.iterations += 1

    def _begin(self, weights: Mapping[str, Array]) -> None:
        """Takes these weights to train. ValueError if it trains others, or has slots of others."""
        if self._weights and [*map(id, weights.values())] != [*map(id, self._weights)]:
            raise ValueError(
                "this optimizer trains other weights already, of another model or of layers that were trainable: compile the "
                "model with a new one"
            )
        if self.slots and self.slot_shapes(weights) != {k: a.shape for k, a in self.slots.items()}:
            raise ValueError("this optimizer's slots belong to other weights: make a new one for every model")
        if broken := finite.broken(self.slots):
            raise ValueError(f"the optimizer's {broken} holds NaN or infinity: compile the model with a new optimizer")
        self._weights = list(weights.values())
        self._known = self.slots

    def _finite_rate(self, weights: Mapping[str, Array]) -> float:
        """The rate of this step. ValueError for NaN, and for what is infinite in the dtype of a weight."""
        rate = self.learning_rate
        if abs(rate) <= finite.LARGEST["float32"]:  # False for NaN
            return rate
        for dtype in {w.dtype for w in weights.values()}:
            if not abs(rate) <= float(np.finfo(dtype).max):
                of = f" by {type(self._rate).__name__}" if isinstance(self._rate, Schedule) else ""
                raise ValueError(
                    f"the learning rate of step {self.iterations}{of} is {rate:g}, no number that {dtype} holds"
                )
        return rate

    def slot_shapes(self, weights: Mapping[str, Array]) -> dict[str, tuple[int, ...]]:
        """The names and shapes of the slots that these weights need."""
        return {f"{slot}/{name}": w.shape for slot in self.slot_names for name, w in weights.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(
            state | {"_weights": [], "_known": None}
        )  # the next step says which arrays the copied model has

    def clipped(self, gradients: Arrays) -> Arrays:
        """The gradients, clipped if a limit is set (0 and None are none). An infinite joint norm makes all of them NaN."""
        if limit := self.clipvalue:
            return {name: np.clip(g, -limit, limit) for name, g in gradients.items()}
        if limit := self.clipnorm:
            return {name: g * limit / np.maximum(np.sqrt((g * g).sum()), limit) for name, g in gradients.items()}
        if limit := self.global_clipnorm:
            norm = np.sqrt(np.sum([(g * g).sum() for g in gradients.values()]))
            with np.errstate(divide="ignore", invalid="ignore"):
                scale = limit * np.minimum(1 / norm, 1 / limit) + (norm - norm)
                return {name: g * scale for name, g in gradients.items()}
        return gradients

    def update(self, w: Array, g: Array, lr: Any, *slots: Array) -> None:
        """Changes w by its clipped gradient g; lr is the rate in w's dtype."""
        raise NotImplementedError


class SGD(Optimizer):
    """w += m with m = μm - ηg, or with `nesterov` w += μm - ηg (Sutskever et al. 2013, as Keras writes it)."""

    def __init__(
        self, learning_rate: float | Schedule = 0.01, momentum: float = 0.0, nesterov: bool = False, **general: Any
    ) -> None:
        super().__init__(learning_rate, **general)
        self.momentum = number("momentum", momentum, 1)
        self.nesterov = nesterov
        self.slot_names = ("momentum",) if momentum else ()

    def update(self, w: Array, g: Array, lr: Any, *slots: Array) -> None:
        step = g * lr
        if not slots:
            w -= step
            return
        (m,) = slots
        m *= self.momentum
        m -= step
        w += self.momentum * m - step if self.nesterov else m


class RMSprop(Optimizer):
    """v = ρv + (1 - ρ)g², w -= ηg / √(v + ε) (Hinton 2012, as Keras writes it: ε under the root).

    `momentum` sums up the steps, m = μm + ηg / √(v + ε) and w -= m; `centered` subtracts the squared mean gradient from v.
    """

    def __init__(
        self,
        learning_rate: float | Schedule = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **general: Any,
    ) -> None:
        super().__init__(learning_rate, **general)
        self.rho = number("rho", rho, 1)
        self.momentum = number("momentum", momentum, 1)
        self.epsilon = number("epsilon", keras_2_words.epsilon(epsilon))
        self.centered = centered
        self.slot_names = ("velocity", *(["momentum"] if momentum else []), *(["average_gradient"] if centered else []))

    def update(self, w: Array, g: Array, lr: Any, *slots: Array) -> None:
        slot = dict(zip(self.slot_names, slots, strict=True))
        v = slot["velocity"]
        v *= self.rho
        v += (1 - self.rho) * (g * g)
        spread = v
        if self.centered:
            mean = slot["average_gradient"]
            mean *= self.rho
            mean += (1 - self.rho) * g
            spread = v - mean * mean
        step = lr * g / np.sqrt(spread + self.epsilon)
        if self.momentum:
            m = slot["momentum"]
            m *= self.momentum
            m += step
            step = m
        w -= step


class Adam(Optimizer):
    """Adam with Keras's "epsilon hat" (Kingma & Ba 2015, the form before section 2.1).

    m += (g - m)(1 - β₁)    v += (g² - v)(1 - β₂)    w -= α m / (√v + ε)    α = η √(1 - β₂ᵗ) / (1 - β₁ᵗ)
    """

    slot_names = ("momentum", "velocity")
    _alpha: tuple[Any, Any] = None, None  # what the last α was computed from, and its value

    def __init__(
        self,
        learning_rate: float | Schedule = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **general: Any,
    ) -> None:
        super().__init__(learning_rate, **general)
        self.beta_1 = number("beta_1", beta_1, 1)
        self.beta_2 = number("beta_2", beta_2, 1)
        self.epsilon = number("epsilon", keras_2_words.epsilon(epsilon))

    def update(self, w: Array, g: Array, lr: Any, *slots: Array) -> None:
        m, v = slots
        m += (g - m) * (1 - self.beta_1)
        v += (g * g - v) * (1 - self.beta_2)
        w -= self.alpha(lr) * m / (np.sqrt(v) + self.epsilon)

    update.kernel = "adam"  # type: ignore[attr-defined]  # its compiled twin, kernels/adam.py; an override has none

    def alpha(self, lr: Any) -> Any:
        """α of this step, in lr's dtype. It corrects the bias of m and v, which start at 0. Computed once for all weights."""
        real = type(lr)
        of = real, lr, self.iterations, self.beta_1, self.beta_2
        if self._alpha[0] != of:
            t = real(self.iterations + 1)
            self._alpha = of, lr * np.sqrt(1 - real(self.beta_2) ** t) / (1 - real(self.beta_1) ** t)
        return self._alpha[1]


class AdamW(Adam):
    """Adam with decoupled weight decay, not through the gradient (Loshchilov & Hutter 2019)."""

    def __init__(self, learning_rate: float | Schedule = 0.001, weight_decay: float = 0.004, **general: Any) -> None:
        super().__init__(learning_rate, weight_decay=number("weight_decay", weight_decay), **general)


class Nadam(Adam):
    """Adam with Nesterov's momentum, whose μ warms up (Dozat 2016, as Keras writes it).

    m and v as in Adam    μₜ = β₁ (1 - ½ 0.96ᵗ)    Πₜ = μ₁ μ₂ ... μₜ
    w -= η m̂ / (√v̂ + ε)    m̂ = μₜ₊₁ m / (1 - Πₜ₊₁) + (1 - μₜ) g / (1 - Πₜ)    v̂ = v / (1 - β₂ᵗ)
    """

    def update(self, w: Array, g: Array, lr: Any, *slots: Array) -> None:
        m, v = slots
        real, t = type(lr), self.iterations + 1
        beta_2 = real(self.beta_2)  # in float32, unlike Adam's: 1 - β₂ is then 1.3e-5 off .001, in v and in v̂ alike
        m += (g - m) * (1 - real(self.beta_1))
        v += (g * g - v) * (1 - beta_2)
        product, mu, mu_next = self.product(t, real), self.mu(t, real), self.mu(t + 1, real)
        m_hat = mu_next * m / (1 - product * mu_next) + (1 - mu) * g / (1 - product)
        v_hat = v / (1 - beta_2 ** real(t))
        w -= lr * m_hat / (np.sqrt(v_hat) + self.epsilon)

    def mu(self, t: int, real: Any) -> Any:
        return real(self.beta_1) * (1 - real(0.5) * real(0.96) ** real(t))

    def product(self, t: int, real: Any) -> Any:
        """Πₜ. It follows from t, so that no file needs to hold it; the last one is kept, so that a step multiplies once."""
        of, before, product = vars(self).get("_product", (None, 0, None))
        if of != (real, self.beta_1) or before > t:
            of, before, product = (real, self.beta_1), 0, real(1)
        for step in range(before + 1, t + 1):
            product = product * self.mu(step, real)
        self._product = of, t, product
        return product


OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "adam": Adam, "adamw": AdamW, "nadam": Nadam, "rmsprop": RMSprop, "sgd": SGD,
}  # fmt: skip


def number(name: str, value: Any, most: float = np.inf) -> float:
    """The value as a float. ValueError unless it is a finite number from 0 to `most`."""
    if not isinstance(value, Real) or not 0 <= float(value) <= most or float(value) == np.inf:
        limits = "of at least 0" if most == np.inf else f"from 0 to {most}"
        raise ValueError(f"{name} must be a number {limits if value != np.inf else 'that is finite'}, got {value!r}")
    return float(value)


def get(optimizer: str | Optimizer) -> Optimizer:
    """The optimizer itself, or the one of this name with its defaults. ValueError if the engine does not have it."""
    if isinstance(optimizer, Optimizer):
        return optimizer
    if not isinstance(optimizer, str) or optimizer.lower() not in OPTIMIZERS:
        raise ValueError(f"optimizer {optimizer!r} is not in the engine; it has {', '.join(OPTIMIZERS)}")
    return OPTIMIZERS[optimizer.lower()]()


def to_config(optimizer: Optimizer) -> dict[str, Any]:
    return {"name": file_name(optimizer), "config": optimizer.config()}


def from_config(config: dict[str, Any]) -> Optimizer:
    optimizer: Optimizer = make("optimizer", config["name"], config["config"])
    return optimizer
