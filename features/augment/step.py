"""A step of augmentation, and steps that are made of steps.

A step is called with samples (n,), their rate in Hz and a generator, and returns new samples. The contract: the result is
float32 and finite; its peak is at most 1 (a louder result is scaled down, never clipped); a clip with sound never becomes
silent; the same state of the generator gives the same bytes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Range = tuple[float, float]

SHORTEST_S = 0.1
FAINTEST = 1e-5  # of the clip's peak, -100 dB: a fainter result counts as silence


class Step:
    """One change of a clip: `step(samples, rate, rng) -> samples`. A subclass defines the method `change`."""

    def __call__(self, samples: np.ndarray, rate: int, rng: np.random.Generator) -> Array:
        """Samples (n,) at `rate` Hz -> samples (m,) float32; m equals n except for Speed.

        If the change would leave silence (a tone of 6 kHz through a telephone), the clip is returned unchanged. Raises
        ValueError unless the samples are one-dimensional and finite and last at least 0.1 s.
        """
        x = np.asarray(samples, np.float32)
        if x.ndim != 1 or len(x) < SHORTEST_S * rate:
            raise ValueError(
                f"got samples of shape {x.shape} at {rate} Hz; expected one channel (n,) of {SHORTEST_S} s or more"
            )
        if bad := np.count_nonzero(~np.isfinite(x)):
            raise ValueError(f"{bad} of {len(x)} samples are not finite: leave this clip out, as read_clip does")
        return self.bounded(x, rate, rng)

    def bounded(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        """The change, limited to the contract. Steps made of steps call this method: after Speed a clip may be too short."""
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
    """The steps one after the other, in this order: Chain(Reverb(), Noise()) adds the room to the voice, then its noise."""

    steps: tuple[Step, ...]

    def __init__(self, *steps: Step) -> None:
        object.__setattr__(self, "steps", steps)

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        for step in self.steps:
            x = step.bounded(x, rate, rng)
        return x


@dataclass(frozen=True, init=False)
class OneOf(Step):
    """One of the steps, drawn at random; all are equally likely."""

    steps: tuple[Step, ...]

    def __init__(self, *steps: Step) -> None:
        object.__setattr__(self, "steps", steps)

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        return self.steps[rng.integers(len(self.steps))].bounded(x, rate, rng)


@dataclass(frozen=True)
class Sometimes(Step):
    """The step with probability p; otherwise the clip stays unchanged."""

    p: float
    step: Step

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        return self.step.bounded(x, rate, rng) if rng.random() < self.p else x


def decibels(db: float | np.ndarray) -> float | np.ndarray:
    """The amplitude factor for a level difference in dB."""
    return 10 ** (db / 20)


def peak(x: Array) -> float:
    return float(np.abs(x).max())


def rms(x: Array) -> float:
    """Root mean square, full scale 1."""
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))
