"""Learning rates that change with the steps: `Adam(CosineDecay(1e-3, decay_steps=1000))`. Formulae and names of Keras 3.

A schedule is called with the number of completed steps (0 before the first) and returns the rate of the next step, a float.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from .lists import listed
from .registry import file_name, make, options


class Schedule:
    """Base: a function of the step. Subclasses are dataclasses; `config` returns their arguments as JSON values."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not all(math.isfinite(n) for n in listed(value) if isinstance(n, int | float | np.number)):
                raise ValueError(f"{type(self).__name__}: {name} must be finite, got {value}")
        if (steps := getattr(self, "decay_steps", 1)) <= 0:
            raise ValueError(f"decay_steps must be above 0, got {steps}")

    def __call__(self, step: int) -> float:
        raise NotImplementedError

    def config(self) -> dict[str, Any]:
        return options(self)


@dataclass
class CosineDecay(Schedule):
    """Half a cosine from the initial rate down to `alpha` of it in `decay_steps` (Loshchilov & Hutter 2016).

    With `warmup_target` the rate first rises linearly to it in `warmup_steps`, and then falls from there.
    """

    initial_learning_rate: float
    decay_steps: int
    alpha: float = 0.0
    name: str = "CosineDecay"
    warmup_target: float | None = None
    warmup_steps: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.warmup_target is None and self.warmup_steps:
            raise ValueError(f"warmup_steps={self.warmup_steps} needs a warmup_target, the rate to rise to")

    def __call__(self, step: int) -> float:
        start = self.initial_learning_rate
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return (self.warmup_target - start) * step / self.warmup_steps + start
            start = self.warmup_target
            step -= self.warmup_steps
        cosine = 0.5 * (1 + math.cos(math.pi * min(step, self.decay_steps) / self.decay_steps))
        return start * ((1 - self.alpha) * cosine + self.alpha)


@dataclass
class ExponentialDecay(Schedule):
    """initial_learning_rate * decay_rate ** (step / decay_steps); with `staircase` the exponent is rounded down."""

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False
    name: str = "ExponentialDecay"

    def __call__(self, step: int) -> float:
        p = step / self.decay_steps
        return self.initial_learning_rate * self.decay_rate ** (math.floor(p) if self.staircase else p)


@dataclass
class InverseTimeDecay(Schedule):
    """initial_learning_rate / (1 + decay_rate * step / decay_steps); with `staircase` step / decay_steps is rounded down.

    `InverseTimeDecay(lr, 1, decay)` is what `decay=` of Keras 2's optimizers did.
    """

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False
    name: str = "InverseTimeDecay"

    def __call__(self, step: int) -> float:
        p = step / self.decay_steps
        return self.initial_learning_rate / (1 + self.decay_rate * (math.floor(p) if self.staircase else p))


@dataclass
class PolynomialDecay(Schedule):
    """From the initial rate to end_learning_rate in `decay_steps`, along (1 - step / decay_steps) ** power.

    With `cycle` each next multiple of decay_steps takes the place of decay_steps once it is passed: the rate rises again.
    """

    initial_learning_rate: float
    decay_steps: int
    end_learning_rate: float = 0.0001
    power: float = 1.0
    cycle: bool = False
    name: str = "PolynomialDecay"

    def __call__(self, step: int) -> float:
        end = self.decay_steps * (max(1, math.ceil(step / self.decay_steps)) if self.cycle else 1)
        rest = (1 - min(step, end) / end) ** self.power
        return (self.initial_learning_rate - self.end_learning_rate) * rest + self.end_learning_rate


@dataclass
class CosineDecayRestarts(Schedule):
    """Half cosines, each `t_mul` times as long as the last and from `m_mul` times its rate (Loshchilov & Hutter 2016)."""

    initial_learning_rate: float
    first_decay_steps: int
    t_mul: float = 2.0
    m_mul: float = 1.0
    alpha: float = 0.0
    name: str = "SGDRDecay"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.first_decay_steps <= 0:
            raise ValueError(f"first_decay_steps must be above 0, got {self.first_decay_steps}")
        if self.t_mul < 1:
            raise ValueError(f"t_mul must be at least 1, or the restarts come to an end, got {self.t_mul}")

    def __call__(self, step: int) -> float:
        at, length, start = float(step), float(self.first_decay_steps), self.initial_learning_rate
        while at >= length:
            at, length, start = at - length, length * self.t_mul, start * self.m_mul
        cosine = 0.5 * (1 + math.cos(math.pi * at / length))
        return start * cosine * (1 - self.alpha) + self.alpha * self.initial_learning_rate


@dataclass
class PiecewiseConstantDecay(Schedule):
    """values[0] up to and including step boundaries[0], values[1] up to and including boundaries[1], ..., then values[-1]."""

    boundaries: Sequence[float]
    values: Sequence[float]
    name: str = "PiecewiseConstant"

    def __post_init__(self) -> None:
        self.boundaries, self.values = list(self.boundaries), list(self.values)
        super().__post_init__()
        if len(self.boundaries) != len(self.values) - 1:
            raise ValueError(f"{len(self.values)} values need one boundary less, got boundaries={self.boundaries}")
        if any(a >= b for a, b in pairwise(self.boundaries)):
            raise ValueError(f"boundaries must rise from one to the next, got {self.boundaries}")

    def __call__(self, step: int) -> float:
        return self.values[bisect_left(self.boundaries, step)]


LearningRateSchedule = Schedule  # Keras's name
SCHEDULES = {
    c.__name__: c
    for c in (
        CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay,
    )
}  # fmt: skip


def to_config(schedule: Schedule) -> dict[str, Any]:
    """The schedule as JSON values, in the form in which Keras's optimizers write and read it."""
    place = {"module": "keras.optimizers.schedules", "registered_name": None}
    return place | {"class_name": file_name(schedule), "config": schedule.config()}


def from_config(config: dict[str, Any]) -> Schedule:
    """The schedule that `to_config` or Keras wrote. ValueError if the engine does not have it."""
    schedule: Schedule = make("schedule", config["class_name"], config["config"])
    return schedule
