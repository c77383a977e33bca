"""Remove what lies below 30 Hz from a recording: offset, drift and rumble, where no voice has energy.

For the recipe `frames`. The numbers are those of `scipy.signal.butter` and `sosfiltfilt`, to the last bit; importing
scipy.signal takes longer than to measure a minute of speech, and a single answer should not wait for it.
"""

import numba
import numpy as np

SLOW_HZ, SLOW_ORDER = 30, 4
EDGE = 3 * (SLOW_ORDER + 1)  # samples by which the ends are continued, each mirrored at its last point


def steady(samples: np.ndarray, rate: int) -> np.ndarray:
    """(n,) float64: samples (n,) at `rate` Hz without what lies below SLOW_HZ, by a Butterworth high-pass without delay."""
    x = np.asarray(samples, float)
    if len(x) <= EDGE:
        raise ValueError(f"expected more than {EDGE} samples, got {len(x)}")
    sos = sections(rate)
    y = np.concatenate([2 * x[0] - x[EDGE:0:-1], x, 2 * x[-1] - x[-2 : -EDGE - 2 : -1]])
    for _ in range(2):  # forwards, then backwards
        _filter(sos, y, settled(sos) * y[0])
        y = y[::-1].copy()
    return y[EDGE:-EDGE]


def sections(rate: int) -> np.ndarray:
    """(2, 6) second-order sections (b0, b1, b2, a0, a1, a2): the analogue poles, through the bilinear transform."""
    m = np.arange(1 - SLOW_ORDER, SLOW_ORDER, 2)
    analogue = 4 * np.tan(np.pi * (2 * SLOW_HZ / rate) / 2) / -np.exp(1j * np.pi * m / (2 * SLOW_ORDER))  # (4,)
    poles = (4 + analogue) / (4 - analogue)
    gain = np.real(4.0**SLOW_ORDER / np.prod(4 - analogue))
    above = poles[poles.imag > 0]
    below = poles[poles.imag < 0]
    pairs = (above[np.argsort(above.real)] + below[np.argsort(below.real)].conj()) / 2  # exactly conjugate
    far_first = pairs[np.argsort(-np.abs(1 - np.abs(pairs)))]
    sos = np.array([[1, -2, 1, *np.convolve([1, -p], [1, -p.conj()]).real] for p in far_first])
    sos[0, :3] *= gain
    return sos


def settled(sos: np.ndarray) -> np.ndarray:
    """(K, 2): the state of each section after an endless input of ones."""
    state, scale = np.empty((len(sos), 2)), 1.0
    for k, (b0, b1, b2, _, a1, a2) in enumerate(sos):
        change = np.array([[1 + a1, -1], [a2, 1]])  # of the state in one step, for a constant input
        state[k] = scale * np.linalg.solve(change, [b1 - a1 * b0, b2 - a2 * b0])
        scale *= sos[k, :3].sum() / sos[k, 3:].sum()
    return state


@numba.njit(cache=True)
def _filter(sos: np.ndarray, x: np.ndarray, z: np.ndarray) -> None:
    """Filter x (n,) in place by K sections in direct form II transposed; z (K, 2) is their state."""
    for n in range(len(x)):
        for k in range(len(sos)):
            old = x[n]
            x[n] = sos[k, 0] * old + z[k, 0]
            z[k, 0] = sos[k, 1] * old - sos[k, 4] * x[n] + z[k, 1]
            z[k, 1] = sos[k, 2] * old - sos[k, 5] * x[n]
