"""What a step of augmentation is, and steps made of steps. The contract is in the package's docstring."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Range = tuple[float, float]

SHORTEST_S = 0.1
FAINTEST = 1e-5  # of the clip's peak, -100 dB: what a step leaves below it is taken as nothing


class Step:
    """One change of a clip: `step(samples, rate, rng) -> samples`. A subclass says which in `change`."""

    def __call__(self, samples: np.ndarray, rate: int, rng: np.random.Generator) -> Array:
        """Samples (m,) float32 from (n,) at `rate` Hz; m is n but for Speed.

        Where the change would leave nothing (a tone of 6 kHz through a telephone), the clip comes back unchanged.
        Raises ValueError for anything but at least 0.1 s of finite numbers in one dimension.
        """
        x = np.asarray(samples, np.float32)
        if x.ndim != 1 or len(x) < SHORTEST_S * rate:
            raise ValueError(
                f"got samples of shape {x.shape} at {rate} Hz; a step changes one channel (n,) of {SHORTEST_S} s or more"
            )
        if bad := np.count_nonzero(~np.isfinite(x)):
            raise ValueError(f"{bad} of {len(x)} samples are not finite: leave this clip out, as read_clip does")
        return self.bounded(x, rate, rng)

    def bounded(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        """The change, held to the contract; steps made of steps call this, for after Speed a clip may be shorter."""
        if not x.any():
            return x
        y = self.change(x, rate, rng)
        if peak(y) <= FAINTEST * peak(x):
            y = x
        return np.asarray(y / max(1.0, peak(y)), np.float32)

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        raise NotImplementedError


@dataclass(frozen=True, init=False)
class Chain(Step):
    """One step after the other, in the order given: Chain(Reverb(), Noise()) is a voice in a room, then its noise."""

    steps: tuple[Step, ...]

    def __init__(self, *steps: Step) -> None:
        object.__setattr__(self, "steps", steps)

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        for step in self.steps:
            x = step.bounded(x, rate, rng)
        return x


@dataclass(frozen=True, init=False)
class OneOf(Step):
    """Any one of the steps, each as likely as the others."""

    steps: tuple[Step, ...]

    def __init__(self, *steps: Step) -> None:
        object.__setattr__(self, "steps", steps)

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        return self.steps[rng.integers(len(self.steps))].bounded(x, rate, rng)


@dataclass(frozen=True)
class Sometimes(Step):
    """The step with probability p, otherwise the clip as it is."""

    p: float
    step: Step

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        return self.step.bounded(x, rate, rng) if rng.random() < self.p else x


def decibels(db: float | np.ndarray) -> float | np.ndarray:
    """The factor in amplitude of so many dB."""
    return 10 ** (db / 20)


def peak(x: Array) -> float:
    return float(np.abs(x).max())


def rms(x: Array) -> float:
    """Root mean square, 0 to 1."""
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))
