"""Sounds and measures that the tests of augmentation share."""

import numpy as np

RATE = 16_000


def level(x):
    """Root mean square in dB."""
    return 10 * np.log10(np.mean(np.square(x, dtype=float)))


def exactly(value):
    """A range of one value."""
    return (value, value)


def generator(seed=0):
    return np.random.default_rng(seed)


def tones(seconds=2.0):
    """(n,) 40 tones between 100 and 6000 Hz at random phases, peak 0.3."""
    t = np.arange(round(seconds * RATE)) / RATE
    rng = generator()
    x = np.sum([np.sin(2 * np.pi * (f * t + rng.random())) for f in np.geomspace(100, 6000, 40)], axis=0)
    return (0.3 * x / np.abs(x).max()).astype(np.float32)


def impulse(seconds=1.0, at=0.5):
    x = np.zeros(round(seconds * RATE), np.float32)
    x[round(at * RATE)] = 0.5
    return x
