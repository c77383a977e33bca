"""A clip as frames, one every 20 ms: pitch, how voiced it is, energy, and the shape of the spectrum.

For the recipe `frames`. The contract: frame t is about the sound around t * 20 ms, every number is finite, and the level of
the recording moves nothing but the energy column.
"""

import librosa
import numpy as np
import soxr
from threadpoolctl import ThreadpoolController

RATE_HZ = 16_000
HOP = 320  # samples: 20 ms
LOWEST_HZ, HIGHEST_HZ = 60, 500
PITCH_FRAME = 1_024  # samples: 64 ms, so that the half that YIN compares holds two periods of LOWEST_HZ
WINDOW = 512  # samples: 32 ms, of the spectrum
MELS, MEL_HZ = 40, (60, 7_600)
N_MFCC = 20
PITCHES = ("yin", "pyin")
COLUMNS = ("log_f0", "voicing", "energy_db", *(f"mfcc{k}" for k in range(1, N_MFCC + 1)))

_BLAS = ThreadpoolController().select(user_api="blas")


def frames(samples: np.ndarray, rate: int, pitch: str = "yin") -> np.ndarray:
    """(T, 23) float32 of samples (n,) at `rate` Hz, T = 1 + n16 // 320 with n16 the samples at 16 kHz.

    log_f0: natural logarithm of the fundamental frequency in Hz, also where nothing is voiced (voicing tells).
    voicing: 0 to 1. energy_db: root mean square in dB of full scale. mfcc1-20: coefficients 1 to 20 of 40 mel bands.
    """
    x = np.asarray(samples, np.float32)
    if rate != RATE_HZ:
        x = soxr.resample(x, rate, RATE_HZ, "HQ")
    rms = librosa.feature.rms(y=x, frame_length=WINDOW, hop_length=HOP)[0]  # (T,)
    f0, voicing = PITCH_TRACKERS[pitch](x)
    with _BLAS.limit(limits=1):  # more threads sum in another order: the last digit must not depend on them
        bands = librosa.feature.melspectrogram(
            y=x, sr=RATE_HZ, n_fft=WINDOW, hop_length=HOP, n_mels=MELS, fmin=MEL_HZ[0], fmax=MEL_HZ[1]
        )
        decibels = librosa.power_to_db(bands, ref=np.max, amin=1e-20)
        mfcc = librosa.feature.mfcc(S=decibels, n_mfcc=N_MFCC + 1)[1:]  # (20, T)
    energy = 20 * np.log10(np.maximum(rms, 1e-6))
    return np.column_stack([np.log(f0), voicing, energy, mfcc.T]).astype(np.float32)


def yin(x):
    f0 = librosa.yin(x, fmin=LOWEST_HZ, fmax=HIGHEST_HZ, sr=RATE_HZ, frame_length=PITCH_FRAME, hop_length=HOP)
    return f0, periodicity(x, f0)


def periodicity(x, f0):
    half = PITCH_FRAME // 2
    padded = np.pad(x, (half, half))
    w = librosa.util.frame(padded, frame_length=PITCH_FRAME, hop_length=HOP).T  # (T, 1024)
    lag = np.clip(np.rint(RATE_HZ / f0).astype(int), 1, half)  # (T,)
    at = np.arange(half)
    a, b = w[:, :half].astype(float), np.take_along_axis(w, lag[:, None] + at, axis=1).astype(float)
    a -= a.mean(1, keepdims=True)
    b -= b.mean(1, keepdims=True)
    energy = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    r = np.divide((a * b).sum(axis=1), energy, out=np.zeros(len(f0)), where=energy > 0)
    return np.clip(r, 0.0, 1.0)


def pyin(x):
    f0, _, p = librosa.pyin(
        x, fmin=LOWEST_HZ, fmax=HIGHEST_HZ, sr=RATE_HZ, frame_length=PITCH_FRAME, hop_length=HOP, fill_na=None
    )
    return f0, p


PITCH_TRACKERS = {"yin": yin, "pyin": pyin}
