"""The first elements of a sequence give its class, noise on the same channel follows: which of two classes was it?

Hochreiter & Schmidhuber 1997, section 5.3, after Bengio et al. 1994: tasks 3a, 3b (noise on the first elements
too) and 3c (noise on the targets).
"""

from dataclasses import dataclass, replace

import numpy as np

from experiments.study.tasks import AllWithin, Sequences

NOISE = np.sqrt(0.2)  # standard deviation
TARGETS_3C = (0.8, 0.2)  # of the elements -1 and +1
TARGET_NOISE = np.sqrt(0.1)


@dataclass(frozen=True)
class TwoSequences(AllWithin):
    """Numbers: the first N are +1 (the target is 1) or -1 (0), the others Gaussian noise of variance 0.2.

    Lengths are from T to T + T/10. noisy (3b): the same noise on the first N too.
    """

    T: int = 100
    N: int = 3
    noisy: bool = False

    features, outputs, per_step = 1, 1, False
    head, loss, within = "sigmoid", "binary_crossentropy", 0.2

    def __post_init__(self) -> None:
        if not 1 <= self.N < self.T:
            raise ValueError(f"N must be from 1 to below T = {self.T}, got {self.N}")

    @property
    def name(self) -> str:
        return f"two sequences, T = {self.T}, N = {self.N}" + (", noisy" if self.noisy else "")

    def draw(self, n: int, rng: np.random.Generator) -> Sequences:
        lengths = rng.integers(self.T, self.T + self.T // 10, n, endpoint=True)
        x = rng.normal(0.0, NOISE, (n, int(lengths.max()))).astype("float32")
        target = rng.integers(2, size=n).astype("float32")[:, None]
        x[:, : self.N] = 2 * target - 1 + (x[:, : self.N] if self.noisy else 0.0)
        x *= np.arange(x.shape[1]) < lengths[:, None]
        return Sequences(x[..., None], lengths, target)


@dataclass(frozen=True)
class NoisyTargets(TwoSequences):
    """3c: the target is 0.2 for elements +1, 0.8 for -1, plus Gaussian noise of variance 0.1, whose standard deviation is
    about half the distance of the two.

    An answer is right when it is near to the target without its noise. Squared error, whose minimum is at that mean.
    """

    loss, within = "mean_squared_error", 0.1

    @property
    def name(self) -> str:
        return f"{super().name}, noisy targets"

    def draw(self, n: int, rng: np.random.Generator) -> Sequences:
        drawn = super().draw(n, rng)
        expected = np.array(TARGETS_3C, "float32")[drawn.y.astype(int)]
        noise = rng.normal(0.0, TARGET_NOISE, expected.shape).astype("float32")
        return replace(drawn, y=expected + noise, expected=expected)
