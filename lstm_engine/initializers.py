"""Initial weights as in Keras 3: by default Glorot-uniform kernels, orthogonal recurrent kernels and zero biases.

Layers take an initializer's name ("he_normal") or an object of this module. `draw(shape, rng)` returns float64, and the layer
casts to the model's dtype.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .absent import Answering
from .backend import one_blas_thread
from .registry import file_name, make, options

Drawn = NDArray[np.float64]
MODES = ("fan_in", "fan_out", "fan_avg")
DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")
CUT = 0.87962566103423978  # the standard deviation of N(0, 1) cut off at ±2


@dataclass(frozen=True)
class Initializer(Answering):
    """Base. Equal initializers draw the same numbers from the same generator."""

    keras_class, never_called = "Initializer", ("__call__",)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Drawn:
        raise NotImplementedError

    def generator(self, rng: np.random.Generator) -> np.random.Generator:
        """rng, or with a seed a new one of its own: then every draw gives the same numbers, as in Keras."""
        seed = getattr(self, "seed", None)
        return rng if seed is None else np.random.default_rng(seed)

    def config(self) -> dict[str, Any]:
        """The initializer as JSON values, from which `get` makes it again."""
        return {"class": file_name(self), **options(self)}


@dataclass(frozen=True)
class Constant(Initializer):
    """The same value everywhere."""

    value: float = 0.0

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Drawn:
        return np.full(shape, float(self.value))


@dataclass(frozen=True)
class RandomNormal(Initializer):
    """N(mean, stddev²)."""

    mean: float = 0.0
    stddev: float = 0.05
    seed: int | None = None

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Drawn:
        return self.generator(rng).normal(self.mean, self.stddev, shape)


@dataclass(frozen=True)
class TruncatedNormal(Initializer):
    """N(mean, stddev²), drawn again where it lies more than two deviations from the mean."""

    mean: float = 0.0
    stddev: float = 0.05
    seed: int | None = None

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Drawn:
        return self.mean + self.stddev * truncated(shape, self.generator(rng))


def truncated(shape: tuple[int, ...], rng: np.random.Generator) -> Drawn:
    """N(0, 1), drawn again where it lies outside ±2."""
    drawn = rng.standard_normal(shape)
    while (outside := np.abs(drawn) > 2).any():
        drawn[outside] = rng.standard_normal(outside.sum())
    return drawn


@dataclass(frozen=True)
class RandomUniform(Initializer):
    """Uniform from minval to maxval."""

    minval: float = -0.05
    maxval: float = 0.05
    seed: int | None = None

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Drawn:
        return self.generator(rng).uniform(self.minval, self.maxval, shape)


@dataclass(frozen=True)
class VarianceScaling(Initializer):
    """Random numbers of variance scale / fan. As in Keras, an LSTM's (D, 4H) counts as one matrix with fan_out 4H.

    glorot (Glorot & Bengio 2010) divides by (fan_in + fan_out) / 2, he (He et al. 2015) and lecun by fan_in.
    """

    scale: float = 1.0
    mode: str = "fan_in"
    distribution: str = "truncated_normal"
    seed: int | None = None

    def __post_init__(self) -> None:
        for option, value, known in (("mode", self.mode, MODES), ("distribution", self.distribution, DISTRIBUTIONS)):
            if value not in known:
                raise ValueError(f"VarianceScaling's {option} must be one of {', '.join(known)}, got {value!r}")

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Drawn:
        fan_in, fan_out, rng = shape[0], shape[-1], self.generator(rng)
        variance = self.scale / {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        if self.distribution == "uniform":
            limit = np.sqrt(3.0 * variance)
            return rng.uniform(-limit, limit, shape)
        if self.distribution == "untruncated_normal":
            return rng.standard_normal(shape) * np.sqrt(variance)
        return truncated(shape, rng) * np.sqrt(variance) / CUT


@dataclass(frozen=True)
class Orthogonal(Initializer):
    """A random orthogonal matrix (Saxe et al. 2014); in a wide one, as an LSTM's (H, 4H), the rows are orthonormal."""

    gain: float = 1.0
    seed: int | None = None

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Drawn:
        rng = self.generator(rng)
        rows, columns = shape
        with one_blas_thread():  # two threads take twice as long, and seconds on a busy machine
            q, r = np.linalg.qr(rng.standard_normal((max(shape), min(shape))))
        q *= np.sign(np.diag(r))  # makes the distribution uniform over rotations
        return self.gain * (q.T if rows < columns else q)


@dataclass(frozen=True)
class Identity(Initializer):
    """Ones on the diagonal (with a ReLU SimpleRNN: Le et al. 2015)."""

    gain: float = 1.0

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Drawn:
        return self.gain * np.eye(shape[0], shape[-1])


# Keras's further names, each for one of these.
# fmt: off
def GlorotNormal(seed: int | None = None) -> VarianceScaling: return VarianceScaling(1.0, "fan_avg", "truncated_normal", seed)
def GlorotUniform(seed: int | None = None) -> VarianceScaling: return VarianceScaling(1.0, "fan_avg", "uniform", seed)
def HeNormal(seed: int | None = None) -> VarianceScaling: return VarianceScaling(2.0, "fan_in", "truncated_normal", seed)
def HeUniform(seed: int | None = None) -> VarianceScaling: return VarianceScaling(2.0, "fan_in", "uniform", seed)
def LecunNormal(seed: int | None = None) -> VarianceScaling: return VarianceScaling(1.0, "fan_in", "truncated_normal", seed)
def LecunUniform(seed: int | None = None) -> VarianceScaling: return VarianceScaling(1.0, "fan_in", "uniform", seed)
def Ones() -> Constant: return Constant(1.0)
def Zeros() -> Constant: return Constant(0.0)
# fmt: on


constant, ones, zeros, variance_scaling = Constant, Ones, Zeros, VarianceScaling
glorot_normal, glorot_uniform, he_normal, he_uniform = GlorotNormal, GlorotUniform, HeNormal, HeUniform
lecun_normal, lecun_uniform, truncated_normal = LecunNormal, LecunUniform, TruncatedNormal
normal = random_normal = RandomNormal
uniform = random_uniform = RandomUniform
identity = IdentityInitializer = Identity
orthogonal = OrthogonalInitializer = Orthogonal

NAMED: dict[str, Initializer] = {
    "glorot_normal": GlorotNormal(), "glorot_uniform": GlorotUniform(), "he_normal": HeNormal(), "he_uniform": HeUniform(),
    "identity": Identity(), "lecun_normal": LecunNormal(), "lecun_uniform": LecunUniform(), "normal": RandomNormal(),
    "ones": Ones(), "orthogonal": Orthogonal(), "random_normal": RandomNormal(), "random_uniform": RandomUniform(),
    "truncated_normal": TruncatedNormal(), "uniform": RandomUniform(), "zeros": Zeros(),
}  # fmt: skip
CLASSES = {
    c.__name__: c
    for c in (Constant, Identity, Orthogonal, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling)
}


def get(initializer: str | Initializer | dict[str, Any]) -> Initializer:
    """The initializer itself, that of this name, or that of this config. ValueError if the engine does not have it."""
    if isinstance(initializer, Initializer):
        return initializer
    if isinstance(initializer, dict) and "class" in initializer:
        options = {k: v for k, v in initializer.items() if k != "class"}
        made: Initializer = make("initializer", initializer["class"], options)
        return made
    if not isinstance(initializer, str) or initializer not in NAMED:
        raise ValueError(
            f"initializer {initializer!r} is not in the engine; it has {', '.join(NAMED)} and {', '.join(CLASSES)}"
        )
    return NAMED[initializer]
