"""Measure a clip in frames, one every 20 ms: pitch, voicing, energy, and the shape of the spectrum.

For the recipe `frames`. The contract: frame t describes the sound around t * 20 ms, every number is finite, the level of the
recording changes the energy column alone, and an offset or a slow drift of the samples changes nothing.

YIN, the mel bands and the coefficients are those of librosa 0.11, to the last bit, in a few lines each: importing librosa
takes longer than measuring a minute of speech, and a single answer should not wait for it. pYIN is librosa's own.
"""

from functools import cache

import numpy as np
import soxr
from numpy.lib.stride_tricks import sliding_window_view
from scipy.fft import dct, irfft, next_fast_len, rfft
from threadpoolctl import ThreadpoolController

from features.highpass import steady

REVISION = 2  # increase it whenever the same samples give other numbers, and keep the way of each revision
RATE_HZ = 16_000
HOP = 320  # samples: 20 ms
LOWEST_HZ, HIGHEST_HZ = 60, 500
PITCH_FRAME = 1_024  # samples: 64 ms, so that the half that YIN compares holds nearly two periods of LOWEST_HZ
SHORTEST, LONGEST = RATE_HZ // HIGHEST_HZ, -(-RATE_HZ // LOWEST_HZ)  # samples: YIN's periods, 32 and 267
TROUGH = 0.1  # YIN's threshold of d'
BLOCK = 3_000  # frames whose pitch is computed at once: a minute, so that a long recording needs no more memory
WINDOW = 512  # samples of the spectrum's window: 32 ms
MELS, MEL_HZ = 40, (60, 7_600)
FLOOR_DB = 80.0
N_MFCC = 20
SILENCE = 1e-6  # -120 dB of full scale: the least energy, and the least amplitude in the spectrum
COLUMNS = ("log_f0", "voicing", "energy_db", *(f"mfcc{k}" for k in range(1, N_MFCC + 1)))
LOG_F0, VOICING, ENERGY_DB = range(3)

_BLAS = ThreadpoolController().select(user_api="blas")


def frames(samples: np.ndarray, rate: int, pitch: str = "yin", revision: int = REVISION) -> np.ndarray:
    """(T, 23) float32 of samples (n,) at `rate` Hz; T is 1 + n' // 320, with n' samples after resampling to 16 kHz.

    log_f0: natural logarithm of the fundamental frequency in Hz, finite in unvoiced frames too. voicing: 0 to 1, for "yin"
    the `periodicity`, for "pyin" the probability from its hidden Markov model. energy_db: root mean square in dB of full
    scale. mfcc1 to mfcc20: of 40 mel bands, without coefficient 0, which repeats the energy. revision: 1 measures the samples
    with their offset, as older stores and models do. Raises ValueError if `pitch` is neither "yin" nor "pyin".
    """
    if pitch not in TRACKERS:
        raise ValueError(f"pitch must be {' or '.join(TRACKERS)}, got {pitch!r}")
    x = np.asarray(samples if revision == 1 else steady(samples, rate), np.float32)
    if rate != RATE_HZ:
        x = soxr.resample(x, rate, RATE_HZ, "HQ")
    f0, voicing = TRACKERS[pitch](x)
    rms = np.sqrt(np.mean(np.square(windows(x, WINDOW).T), axis=0))  # (T,)
    energy_db = 20 * np.log10(np.maximum(rms, SILENCE))
    return np.column_stack([np.log(f0), voicing, energy_db, mfcc(x)]).astype(np.float32)


def windows(x: np.ndarray, length: int) -> np.ndarray:
    """(T, length): the stretches of samples (n,) centred on every HOP-th of them, with zeros beyond the ends; a view."""
    return sliding_window_view(np.pad(x, length // 2), length)[::HOP]


def mfcc(x: np.ndarray) -> np.ndarray:
    """Coefficients 1 to 20, (T, 20), of samples (n,) at 16 kHz; mel bands are floored at 80 dB below the loudest."""
    framed = windows(x, WINDOW)
    hann = 0.5 + 0.5 * np.cos(np.linspace(-np.pi, np.pi, WINDOW + 1)[:-1])
    blocks = (rfft(hann * framed[start : start + BLOCK]) for start in range(0, len(framed), BLOCK))
    power = np.concatenate([np.abs(block.astype(np.complex64)) ** 2 for block in blocks]).T  # (257, T)
    with _BLAS.limit(limits=1):  # more threads would sum in another order and change the last digits
        bands = np.einsum("ft,mf->mt", power, mel_filters(), optimize=True)  # (40, T)
    decibels = 10 * np.log10(np.maximum(SILENCE**2, bands))
    decibels -= 10 * np.log10(np.maximum(SILENCE**2, bands.max()))
    return dct(np.maximum(decibels, decibels.max() - FLOOR_DB), axis=0, norm="ortho")[1 : 1 + N_MFCC].T


@cache
def mel_filters() -> np.ndarray:
    """(40, 257) float32: triangles of equal area over the spectrum's bins, equally spaced in mel (Slaney 1998)."""
    linear, step = 200 / 3, np.log(6.4) / 27  # Hz a mel below 1 kHz, and the logarithm's growth a mel above
    knee = 1_000 / linear  # mel
    hz = np.array(MEL_HZ, float)
    low, high = np.where(hz < 1_000, hz / linear, knee + np.log(hz / 1_000) / step)
    mel = np.linspace(low, high, MELS + 2)
    edges = np.where(mel < knee, mel * linear, 1_000 * np.exp(step * (mel - knee)))  # Hz
    slopes = np.subtract.outer(edges, np.fft.rfftfreq(WINDOW, 1 / RATE_HZ))  # (42, 257)
    widths = np.diff(edges)[:, None]
    rise, fall = -slopes[:-2] / widths[:-1], slopes[2:] / widths[1:]  # (40, 257)
    triangles = np.maximum(0, np.minimum(rise, fall)).astype(np.float32)
    triangles *= (2 / (edges[2:] - edges[:-2]))[:, None]
    return triangles


def yin(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F0 in Hz (T,) by YIN (de Cheveigné & Kawahara 2002), and the `periodicity` at F0 (T,), 0 to 1.

    YIN takes the shortest period at which d' has a trough below TROUGH, or the lowest d', then the vertex of the parabola
    through its neighbours.
    """
    framed = windows(x, PITCH_FRAME)
    f0, voicing = [], []
    for start in range(0, len(framed), BLOCK):
        block = framed[start : start + BLOCK]
        f0.append(RATE_HZ / period(normalized_difference(block)))
        voicing.append(periodicity(block, f0[-1]))
    return np.concatenate(f0), np.concatenate(voicing)


def normalized_difference(framed: np.ndarray) -> np.ndarray:
    """(T, 236): d' of frames (T, 1024) at periods from SHORTEST to LONGEST samples, as librosa computes it.

    Here Σ runs over the whole frame, as far as x_(j+τ) lies in it.
    """
    n = next_fast_len(2 * PITCH_FRAME - 1, real=True)
    spectrum = rfft(framed, n)
    r = irfft(spectrum.real**2 + spectrum.imag**2, n)[:, : LONGEST + 1]
    energy = np.cumsum(np.square(framed), axis=1)[:, :LONGEST]
    energy[:, 0] = 0  # librosa leaves out the first square at period 1
    d = 2 * (r[:, :1] - r[:, 1:]) - energy  # (T, 267), from period 1 on
    mean = np.cumsum(d, axis=1) / np.arange(1, LONGEST + 1)
    lags = slice(SHORTEST - 1, LONGEST)
    return d[:, lags] / (mean[:, lags] + np.finfo(float).tiny)


def period(d: np.ndarray) -> np.ndarray:
    """(T,) in samples: the period that YIN takes by d' (T, K)."""
    after = np.pad(d[:, 1:], ((0, 0), (0, 1)), constant_values=np.inf)
    before = np.pad(d[:, :-1], ((0, 0), (1, 0)), constant_values=np.inf)
    deep = (d < before) & (d <= after) & (d < TROUGH)
    at = np.where(deep.any(axis=1), deep.argmax(axis=1), d.argmin(axis=1))  # (T,)
    inside = np.clip(at, 1, d.shape[1] - 2)
    left, middle, right = (d[np.arange(len(d)), inside + k] for k in (-1, 0, 1))
    curve, slope = (right + left) - 2 * middle, (right - left) / 2
    vertex = (inside == at) & (np.abs(slope) < np.abs(curve))
    return SHORTEST + at + np.where(vertex, -slope / np.where(vertex, curve, 1), 0)


def periodicity(framed: np.ndarray, f0: np.ndarray) -> np.ndarray:
    """1 - d'(τ) at the period τ of f0, (T,), from 0 (noise) to 1 (periodic): framed (T, 1024), f0 (T,) in Hz from YIN.

    d(τ) = Σ_j (x_j - x_(j+τ))² over half a frame, and d'(τ) is d(τ) divided by its mean from 1 to τ (YIN's equation 8):
    small if a shift by τ changes the sound less than shorter shifts do. YIN finds τ by d', but by another sum (see `yin`).
    """
    half, longest = PITCH_FRAME // 2, RATE_HZ // LOWEST_HZ
    w = framed - framed.mean(axis=1, keepdims=True)
    first = np.where(np.arange(PITCH_FRAME) < half, w, 0)
    r = irfft(rfft(w) * np.conj(rfft(first)))[
        :, : longest + 1
    ]  # r(τ) = Σ x_j x_(j+τ), (T, 267); it does not wrap around
    squares = np.pad(np.cumsum(w.astype(float) ** 2, axis=1), ((0, 0), (1, 0)))  # (T, 1025)
    energy = squares[:, half : half + longest + 1] - squares[:, : longest + 1]  # of x_τ to x_(τ+511)
    d = np.maximum(energy[:, :1] + energy - 2 * r, 0)  # (T, 267)
    period = np.clip(np.rint(RATE_HZ / f0).astype(int), 1, longest)  # (T,) in samples
    sums = np.cumsum(d, axis=1)  # d(0) is 0
    at = np.arange(len(f0)), period
    return np.clip(1 - d[at] * period / np.maximum(sums[at], np.finfo(float).tiny), 0, 1) * (sums[at] > 0)


def pyin(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F0 in Hz (T,) by probabilistic YIN (Mauch & Dixon 2014), and the probability of voice (T,); some 30 x slower."""
    import librosa

    f0, _, probability = librosa.pyin(
        x, fmin=LOWEST_HZ, fmax=HIGHEST_HZ, sr=RATE_HZ, frame_length=PITCH_FRAME, hop_length=HOP, fill_na=None
    )
    return f0, probability


TRACKERS = {"yin": yin, "pyin": pyin}
