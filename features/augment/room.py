"""Changes by the room: its reverberation, its noise, other people in it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.signal import fftconvolve

from features.augment.channel import filtered
from features.augment.step import Array, Range, Step, decibels, rms


@dataclass(frozen=True)
class Reverb(Step):
    """Reverberation: the direct sound and a tail of noise that decays by 60 dB in rt60_s seconds.

    rt60_s reaches from a furnished room to a bare one. drr_db, the energy of the direct sound over that of the tail, reaches
    from a speaker across the table to one close to the microphone.
    """

    rt60_s: Range = (0.1, 0.6)
    drr_db: Range = (0.0, 15.0)

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        rt60 = rng.uniform(*self.rt60_s)
        t = np.arange(round(rt60 * rate), dtype=np.float32) / rate  # (k,) s
        h = rng.standard_normal(len(t), dtype=np.float32) * np.exp(-np.log(1000) / rt60 * t)  # (k,) amplitude / 1000
        h[0] = 0
        h *= decibels(-rng.uniform(*self.drr_db)) / np.sqrt(np.sum(h**2))
        h[0] = 1  # the direct sound
        return fftconvolve(x, h)[: len(x)]


@dataclass(frozen=True)
class Noise(Step):
    """Steady noise whose power falls as 1 / f^slope: 0 is white, 1 pink (a room, a fan), 2 brown (wind, traffic).

    snr_db is the clip's energy over the noise's, pauses included. The training of x-vectors uses 0 to 15 dB (Snyder et al.
    2018, ICASSP); our range reaches from the noise in which a pitch can just be found to a quiet room.
    """

    snr_db: Range = (5.0, 30.0)
    slope: Range = (0.0, 2.0)

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        slope = rng.uniform(*self.slope)
        white = rng.standard_normal(len(x), dtype=np.float32)
        # the amplitude is constant below 50 Hz, where microphones are insensitive
        noise = filtered(white, rate, lambda f: np.maximum(f, 50.0) ** (-slope / 2))
        return mixed(x, noise, rng.uniform(*self.snr_db))


@dataclass(frozen=True)
class Babble(Step):
    """Other people talking in the background: `talker(rate, rng)` gives a clip (k,) of one of them at `rate` Hz, any length.

    Three to seven talkers at 13 to 20 dB, as in the training of x-vectors (Snyder et al. 2018): at a lower ratio, the label
    would describe the wrong voice.
    """

    talker: Callable[[int, np.random.Generator], np.ndarray]
    talkers: tuple[int, int] = (3, 7)
    snr_db: Range = (13.0, 20.0)

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        babble = np.zeros_like(x)
        for _ in range(rng.integers(*self.talkers, endpoint=True)):
            voice = np.asarray(self.talker(rate, rng), np.float32)
            voice = np.roll(np.resize(voice, len(x)), rng.integers(len(x)))  # repeated to the clip's length
            babble += voice / max(rms(voice), 1e-9)
        return mixed(x, babble, rng.uniform(*self.snr_db))


@dataclass(frozen=True)
class Hum(Step):
    """Mains hum: 50 or 60 Hz and its harmonics, each fainter than the one before; a pitch that is not the speaker's."""

    snr_db: Range = (15.0, 40.0)

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        t = np.arange(len(x)) / rate  # (n,) s
        f = rng.choice([50.0, 60.0])
        hum = sum(rng.random() / k * np.sin(2 * np.pi * k * f * t + rng.uniform(0, 2 * np.pi)) for k in range(1, 7))
        return mixed(x, hum, rng.uniform(*self.snr_db))


def mixed(x: Array, noise: np.ndarray, snr_db: float) -> Array:
    """x plus the noise (n,), scaled so that x's energy is `snr_db` above the noise's."""
    return x + noise * np.float32(rms(x) * decibels(-snr_db) / max(rms(noise), 1e-9))
