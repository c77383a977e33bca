"""The class of a sequence is in its first elements, noise on the same channel follows: which of two classes was it?

Hochreiter & Schmidhuber 1997, section 5.3, after Bengio et al. 1994: tasks 3a, 3b (noise on the first elements
too) and 3c (noise on the targets).
"""

from dataclasses import dataclass, replace

import numpy as np

from experiments.study.tasks import Sequences, all_within

NOISE = np.sqrt(0.2)  # standard deviation
LIMIT = 0.2  # a sequence is classified correctly within it
TARGETS_3C = (0.8, 0.2)  # of the elements -1 and +1
TARGET_NOISE = np.sqrt(0.1)
LIMIT_3C = 0.1


@dataclass(frozen=True)
class TwoSequences:
    """Numbers: the first N are +1 (the target is 1) or -1 (0), the others Gaussian noise of variance 0.2.

    Lengths are from T to T + T/10. noisy (3b): the same noise on the first N too.
    """

    T: int = 100
    N: int = 3
    noisy: bool = False

    features, outputs, per_step = 1, 1, False
    head, loss, within = "sigmoid", "binary_crossentropy", LIMIT

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

    def right(self, p: np.ndarray, drawn: Sequences) -> np.ndarray:
        return all_within(p, drawn.truth, self.within)


@dataclass(frozen=True)
class NoisyTargets(TwoSequences):
    """3c: what is learnt from is 0.2 for elements +1, 0.8 for -1, plus Gaussian noise of variance 0.1: about half
    as wide as the two are apart.

    Right is what is near to the target without its noise. Squared error, whose least value is at that mean.
    """

    loss, within = "mean_squared_error", LIMIT_3C

    @property
    def name(self) -> str:
        return f"{super().name}, noisy targets"

    def draw(self, n: int, rng: np.random.Generator) -> Sequences:
        drawn = super().draw(n, rng)
        expected = np.array(TARGETS_3C, "float32")[drawn.y.astype(int)]
        noise = rng.normal(0.0, TARGET_NOISE, expected.shape).astype("float32")
        return replace(drawn, y=expected + noise, expected=expected)
