"""Changes by the microphone and the transmission: level, colour, bandwidth, overload."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.fft
from scipy.signal import butter, sosfilt

from features.augment.step import Array, Range, Step, decibels, peak, rms


@dataclass(frozen=True)
class Gain(Step):
    """A change of level, in dB. A clip that would exceed full scale is limited to it."""

    db: Range = (-20.0, 6.0)

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        return x * decibels(rng.uniform(*self.db))


@dataclass(frozen=True)
class Tilt(Step):
    """A microphone's colour: a slope over the octaves about 1 kHz, and a bump or dip in each octave; the level is kept."""

    db_per_octave: Range = (-3.0, 3.0)
    ripple_db: float = 2.0  # SD of the bumps, one in each octave

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        octaves = np.arange(-4, 4)  # (8,) 62.5 Hz to 8 kHz; constant beyond the ends
        curve = rng.uniform(*self.db_per_octave) * octaves + self.ripple_db * rng.standard_normal(len(octaves))  # dB
        y = filtered(x, rate, lambda f: decibels(np.interp(np.log2(np.maximum(f, 1.0) / 1000), octaves, curve)))
        return y * (rms(x) / rms(y))


@dataclass(frozen=True)
class BandLimit(Step):
    """A Butterworth band-pass from low_hz to high_hz, both drawn on a logarithmic scale.

    The ranges reach from a telephone's band, 300 to 3400 Hz (ITU-T G.712), to a full band. An upper edge above 0.45 of the
    rate is left out.
    """

    low_hz: Range = (30.0, 300.0)
    high_hz: Range = (3400.0, 8000.0)
    order: int = 4  # 24 dB per octave

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        low, high = (np.exp(rng.uniform(*np.log(edge))) for edge in (self.low_hz, self.high_hz))
        edges, kind = ((low, high), "bandpass") if high < 0.45 * rate else (low, "highpass")
        sos = butter(self.order, edges, kind, fs=rate, output="sos").astype(np.float32)
        return sosfilt(sos, x)


@dataclass(frozen=True)
class Clipping(Step):
    """Overload: the waveform is clipped at `db` below its peak."""

    db: Range = (0.0, 10.0)

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        ceiling = peak(x) * decibels(-rng.uniform(*self.db))
        return np.clip(x, -ceiling, ceiling)


def filtered(x: Array, rate: int, gain: Callable[[np.ndarray], np.ndarray]) -> Array:
    """Filter x (n,) without delay; `gain(f)` is the filter's amplitude at frequencies f in Hz."""
    m = scipy.fft.next_fast_len(len(x) + round(0.05 * rate), real=True)  # 50 ms for the filter's ringing to die out
    spectrum = scipy.fft.rfft(x, m) * gain(scipy.fft.rfftfreq(m, 1 / rate)).astype(np.float32)
    return scipy.fft.irfft(spectrum, m)[: len(x)]
