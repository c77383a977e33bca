"""The tutorial's mel-frequency cepstral coefficients (MFCC): the shape of the spectrum in 11 frames of a clip.

For the tutorial's recipe, which is kept with its oddities: 5 s at most, and a mel axis for 22,050 Hz on a signal of 8,000 Hz.
"""

import numpy as np
import soxr
from threadpoolctl import ThreadpoolController

LOAD_RATE_HZ = 22_050  # librosa.load's default, with its default resampler and its float32
RATE_HZ = 8_000
LENGTH = 40_000  # samples at RATE_HZ: 5 s
N_MFCC = 10
HOP = 4_000  # samples: half a second, so 11 frames
RESAMPLER = "HQ"
PAD_MODE = "reflect"  # as in old versions of librosa; padding with zeros moves the first and last frame by 20 to 50

_BLAS = ThreadpoolController().select(user_api="blas")


def tutorial_mfcc(samples: np.ndarray, rate: int) -> np.ndarray:
    """MFCC (10 coefficients, 11 frames) float32 of samples (n,) at `rate` Hz, cut or zero-padded to 5 s.

    They differ from the row published for the tutorial's sample recording by 1.41 (median) and 2.34 (largest), because the
    tutorial's resampler is not known.
    """
    import librosa  # slow, and the recipe frames does not need it

    loaded = soxr.resample(np.asarray(samples, np.float32), rate, LOAD_RATE_HZ, RESAMPLER)
    signal = soxr.resample(loaded, LOAD_RATE_HZ, RATE_HZ, RESAMPLER)[:LENGTH]
    signal = np.pad(signal, (0, LENGTH - len(signal)))  # (40000,)
    # sr=22,050 for a signal of 8,000 Hz is the tutorial's mistake. It warps the mel axis; the published tables contain it.
    with _BLAS.limit(limits=1):  # more threads would sum in another order and change the last digits
        return librosa.feature.mfcc(y=signal, sr=LOAD_RATE_HZ, n_mfcc=N_MFCC, hop_length=HOP, pad_mode=PAD_MODE)
