"""The microphone and the wire: level, colour, band, overload."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.fft
from scipy.signal import butter, sosfilt

from features.augment.step import Array, Range, Step, decibels, peak, rms


@dataclass(frozen=True)
class Gain(Step):
    """Louder or softer. A clip that would pass full scale stops there."""

    db: Range = (-20.0, 6.0)

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        return x * decibels(rng.uniform(*self.db))


@dataclass(frozen=True)
class Tilt(Step):
    """A microphone's own colour: a slope over the octaves about 1 kHz and a bump or dip in each; the level is kept."""

    db_per_octave: Range = (-3.0, 3.0)
    ripple_db: float = 2.0  # SD of the bumps, one an octave

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        octaves = np.arange(-4, 4)  # (8,) 62.5 Hz to 8 kHz; beyond, as at the ends
        curve = rng.uniform(*self.db_per_octave) * octaves + self.ripple_db * rng.standard_normal(len(octaves))  # dB
        y = filtered(x, rate, lambda f: decibels(np.interp(np.log2(np.maximum(f, 1.0) / 1000), octaves, curve)))
        return y * (rms(x) / rms(y))


@dataclass(frozen=True)
class BandLimit(Step):
    """Nothing below low_hz, nothing above high_hz: Butterworth edges, drawn on a logarithmic scale.

    From a telephone's 300 to 3400 Hz (ITU-T G.712) to a full band; a high edge above 0.45 of the rate is left out.
    """

    low_hz: Range = (30.0, 300.0)
    high_hz: Range = (3400.0, 8000.0)
    order: int = 4  # 24 dB an octave

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        low, high = (np.exp(rng.uniform(*np.log(edge))) for edge in (self.low_hz, self.high_hz))
        edges, kind = ((low, high), "bandpass") if high < 0.45 * rate else (low, "highpass")
        sos = butter(self.order, edges, kind, fs=rate, output="sos").astype(np.float32)
        return sosfilt(sos, x)


@dataclass(frozen=True)
class Clipping(Step):
    """Overdriven: the waveform is cut off db below its peak."""

    db: Range = (0.0, 10.0)

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        ceiling = peak(x) * decibels(-rng.uniform(*self.db))
        return np.clip(x, -ceiling, ceiling)


def filtered(x: Array, rate: int, gain: Callable[[np.ndarray], np.ndarray]) -> Array:
    """x (n,) through a filter without delay; `gain(f)` is its amplitude at frequencies f in Hz."""
    m = scipy.fft.next_fast_len(len(x) + round(0.05 * rate), real=True)  # 50 ms in which what rings on dies out
    spectrum = scipy.fft.rfft(x, m) * gain(scipy.fft.rfftfreq(m, 1 / rate)).astype(np.float32)
    return scipy.fft.irfft(spectrum, m)[: len(x)]
