"""Measure a clip in frames, one every 20 ms: pitch, voicing, energy, and the shape of the spectrum.

For the recipe `frames`. The contract: frame t describes the sound around t * 20 ms, every number is finite, the level of the
recording changes the energy column alone, and an offset or a slow drift of the samples changes nothing.
"""

import librosa
import numpy as np
import soxr
from scipy.fft import irfft, rfft
from scipy.signal import butter, sosfiltfilt
from threadpoolctl import ThreadpoolController

REVISION = 2  # increase it whenever the same samples give other numbers, and keep the way of each revision
RATE_HZ = 16_000
SLOW_HZ, SLOW_ORDER = 30, 4  # below this no voice has energy: the high-pass that removes offset, drift and rumble
HOP = 320  # samples: 20 ms
LOWEST_HZ, HIGHEST_HZ = 60, 500
PITCH_FRAME = 1_024  # samples: 64 ms, so that the half that YIN compares holds nearly two periods of LOWEST_HZ
BLOCK = 3_000  # frames whose pitch is computed at once: a minute, so that a long recording needs no more memory
WINDOW = 512  # samples of the spectrum's window: 32 ms
MELS, MEL_HZ = 40, (60, 7_600)
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
    rms = librosa.feature.rms(y=x, frame_length=WINDOW, hop_length=HOP)[0]  # (T,)
    energy_db = 20 * np.log10(np.maximum(rms, SILENCE))
    return np.column_stack([np.log(f0), voicing, energy_db, mfcc(x)]).astype(np.float32)


def steady(samples: np.ndarray, rate: int) -> np.ndarray:
    """(n,) float64: samples (n,) at `rate` Hz without what lies below SLOW_HZ, by a Butterworth high-pass without delay."""
    return sosfiltfilt(butter(SLOW_ORDER, SLOW_HZ, "highpass", fs=rate, output="sos"), samples)


def mfcc(x: np.ndarray) -> np.ndarray:
    """Coefficients 1 to 20, (T, 20), of samples (n,) at 16 kHz; mel bands are floored at 80 dB below the loudest."""
    with _BLAS.limit(limits=1):  # more threads would sum in another order and change the last digits
        bands = librosa.feature.melspectrogram(
            y=x, sr=RATE_HZ, n_fft=WINDOW, hop_length=HOP, n_mels=MELS, fmin=MEL_HZ[0], fmax=MEL_HZ[1]
        )
        decibels = librosa.power_to_db(bands, ref=np.max, amin=SILENCE**2)  # (40, T)
        return librosa.feature.mfcc(S=decibels, n_mfcc=1 + N_MFCC)[1:].T


def yin(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F0 in Hz (T,) by YIN (de Cheveigné & Kawahara 2002), and the `periodicity` at F0 (T,), 0 to 1."""
    padded = np.pad(x, PITCH_FRAME // 2)  # frame t is centred on sample t * HOP
    f0, voicing = [], []
    for start in range(0, 1 + len(x) // HOP, BLOCK):
        block = padded[start * HOP : (start + BLOCK - 1) * HOP + PITCH_FRAME]
        f0.append(
            librosa.yin(
                block,
                fmin=LOWEST_HZ,
                fmax=HIGHEST_HZ,
                sr=RATE_HZ,
                frame_length=PITCH_FRAME,
                hop_length=HOP,
                center=False,
            )
        )
        voicing.append(periodicity(librosa.util.frame(block, frame_length=PITCH_FRAME, hop_length=HOP).T, f0[-1]))
    return np.concatenate(f0), np.concatenate(voicing)


def periodicity(framed: np.ndarray, f0: np.ndarray) -> np.ndarray:
    """1 - d'(τ) at the period τ of f0, (T,), from 0 (noise) to 1 (periodic): framed (T, 1024), f0 (T,) in Hz from YIN.

    d(τ) = Σ_j (x_j - x_(j+τ))² over half a frame, and d'(τ) is d(τ) divided by its mean from 1 to τ (YIN's equation 8):
    small if a shift by τ changes the sound less than shorter shifts do. YIN finds τ by d', but librosa does not return it.
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
    f0, _, probability = librosa.pyin(
        x, fmin=LOWEST_HZ, fmax=HIGHEST_HZ, sr=RATE_HZ, frame_length=PITCH_FRAME, hop_length=HOP, fill_na=None
    )
    return f0, probability


TRACKERS = {"yin": yin, "pyin": pyin}
