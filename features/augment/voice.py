"""Changes of the voice itself that keep its sex: speed, pitch, and the length of the vocal tract."""

from dataclasses import dataclass

import librosa
import numpy as np
import scipy.fft
import soxr
from scipy.ndimage import uniform_filter1d
from threadpoolctl import ThreadpoolController

from features.augment.step import Array, Range, Step, peak

BLAS = ThreadpoolController().select(user_api="blas")


@dataclass(frozen=True)
class Speed(Step):
    """Played faster or slower: tempo, pitch and formants change together, and (n,) becomes about (n / factor,).

    The range is less than half of the distance to the other sex, so that a voice keeps its label: women's formants are about
    1.16 times men's, their F0 1.7 times (Hillenbrand et al. 1995, JASA 97:3099). Speech recognition, whose labels are words,
    uses 0.9 to 1.1 (Ko et al. 2015, Audio augmentation for speech recognition).
    """

    factor: Range = (0.93, 1.07)

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        return soxr.resample(x, rate * rng.uniform(*self.factor), rate, "HQ")


@dataclass(frozen=True)
class Pitch(Step):
    """Spoken higher or lower by some semitones: the pitch changes, tempo and formants stay.

    A raised voice is higher, by an octave if it has to carry far (Traunmüller & Eriksson 2000, JASA 107:3438). The range is
    less than half of the 9 semitones to the other sex, and the formants, which tell the sexes apart as well, stay where they
    are: a phase vocoder shifts the pitch and the formants with it, and the formants are then moved back.
    """

    semitones: Range = (-2.0, 4.0)

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        semitones = rng.uniform(*self.semitones)
        y = librosa.effects.pitch_shift(x, sr=rate, n_steps=semitones, n_fft=window(rate), res_type="soxr_hq")
        return formants_moved(y, rate, 2 ** (-semitones / 12))


@dataclass(frozen=True)
class Formants(Step):
    """A longer or shorter vocal tract: formants times the factor, pitch and tempo kept. For the range see `Speed`.

    Vocal tract length perturbation (Jaitly & Hinton 2013, ICML workshop) changes the mel axis; this step changes the sound.
    """

    factor: Range = (0.93, 1.07)

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        return formants_moved(x, rate, rng.uniform(*self.factor))


def formants_moved(x: Array, rate: int, factor: float) -> Array:
    """Stretch the spectral envelope of x (n,) in frequency by the factor; the harmonics under it stay in place."""
    n_fft = window(rate)
    spectrum = librosa.stft(x, n_fft=n_fft, hop_length=n_fft // 4)  # (bins, T)
    broad = np.arange(round(0.002 * rate))  # (K,) the cepstrum's part for shapes broader than harmonics 500 Hz apart
    power = np.square(np.abs(spectrum))
    around = uniform_filter1d(power, round(400 * n_fft / rate), axis=0)  # (bins, T) mean within 200 Hz
    filled = power + 1e-2 * around  # limit valleys to 20 dB: the depth between harmonics says nothing about formants
    cepstrum = scipy.fft.irfft(np.log(np.maximum(filled, 1e-12 * peak(x) ** 2)) / 2, axis=0)[broad]  # (K, T)
    bins = np.arange(len(spectrum))
    stretched = np.minimum(bins / factor, bins[-1])  # (bins,) the place whose envelope each bin gets
    waves = [np.cos(2 * np.pi / n_fft * np.outer(f, broad)) for f in (stretched, bins)]  # (bins, K) each
    with BLAS.limit(limits=1):  # more threads might sum in another order
        change = 2 * (waves[0] - waves[1]).astype(np.float32) @ cepstrum  # (bins, T) change of the envelope's logarithm
    return librosa.istft(spectrum * np.exp(change), n_fft=n_fft, hop_length=n_fft // 4, length=len(x))


def window(rate: int) -> int:
    """The length in samples of a window of about 64 ms, a power of two: at least two periods of a deep voice."""
    return 2 ** round(np.log2(0.064 * rate))
