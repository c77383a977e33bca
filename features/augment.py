"""The same voice in another room, through another microphone: random changes of a clip, for training a model that travels.

A step is called with samples (n,), their rate in Hz and a generator, and gives new samples; steps compose. The contract:
float32 out, finite, peak at most 1 (a louder result is turned down as a whole, never clipped), a clip that sounds never
falls silent, and the same generator state gives the same bytes. Ranges are drawn from uniformly and are fields; where no
source stands beside one, it is our choice.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import librosa
import numpy as np
import scipy.fft
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, fftconvolve, sosfilt
from threadpoolctl import ThreadpoolController

Array = NDArray[np.float32]
Range = tuple[float, float]

SHORTEST_S = 0.1
BLAS = ThreadpoolController().select(user_api="blas")
FAINTEST = 1e-5  # of the clip's peak, -100 dB: what a step leaves below it is taken as nothing


class Step:
    """One change of a clip: `step(samples, rate, rng) -> samples`. A subclass says which in `change`."""

    def __call__(self, samples: np.ndarray, rate: int, rng: np.random.Generator) -> Array:
        """Samples (m,) float32 from (n,) at `rate` Hz; m is n but for Speed.

        Where the change would leave nothing (a tone of 6 kHz through a telephone), the clip comes back unchanged.
        Raises ValueError for anything but at least 0.1 s of finite numbers in one dimension.
        """
        x = np.asarray(samples, np.float32)
        if x.ndim != 1 or len(x) < SHORTEST_S * rate or not np.isfinite(x).all():
            raise ValueError(
                f"got samples of shape {x.shape} at {rate} Hz, {np.count_nonzero(~np.isfinite(x))} of them not finite; "
                f"a step changes one channel (n,) of finite numbers, at least {SHORTEST_S} s long"
            )
        return self.bounded(x, rate, rng)

    def bounded(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        """The change, held to the contract; steps made of steps call this, for after Speed a clip may be shorter."""
        if not x.any():
            return x
        y = self.change(x, rate, rng)
        if peak(y) <= FAINTEST * peak(x):
            y = x
        return np.asarray(y / max(1.0, peak(y)), np.float32)

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        raise NotImplementedError


# Steps made of steps


@dataclass(frozen=True, init=False)
class Chain(Step):
    """One step after the other, in the order given: Chain(Reverb(), Noise()) is a voice in a room, then its noise."""

    steps: tuple[Step, ...]

    def __init__(self, *steps: Step) -> None:
        object.__setattr__(self, "steps", steps)

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        for step in self.steps:
            x = step.bounded(x, rate, rng)
        return x


@dataclass(frozen=True, init=False)
class OneOf(Step):
    """Any one of the steps, each as likely as the others."""

    steps: tuple[Step, ...]

    def __init__(self, *steps: Step) -> None:
        object.__setattr__(self, "steps", steps)

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        return self.steps[rng.integers(len(self.steps))].bounded(x, rate, rng)


@dataclass(frozen=True)
class Sometimes(Step):
    """The step with probability p, otherwise the clip as it is."""

    p: float
    step: Step

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        return self.step.bounded(x, rate, rng) if rng.random() < self.p else x


# The voice


@dataclass(frozen=True)
class Speed(Step):
    """Played faster or slower, so that tempo, pitch and formants move together and (n,) becomes about (n / factor,).

    The range stays below half of the way to the other sex, so that a voice keeps its label: women's formants lie about
    1.16 times above men's, their F0 1.7 times (Hillenbrand et al. 1995, JASA 97:3099). Speech recognition takes 0.9
    to 1.1 (Ko et al. 2015, Audio augmentation for speech recognition), where words and not voices are the labels.
    """

    factor: Range = (0.93, 1.07)

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        return soxr.resample(x, rate * rng.uniform(*self.factor), rate, "HQ")


@dataclass(frozen=True)
class Pitch(Step):
    """Spoken higher or lower by some semitones: the pitch moves, tempo and formants stay.

    A raised voice is higher, by an octave when it has to carry far (Traunmüller & Eriksson 2000, JASA 107:3438); the range
    stays below half of the 9 semitones to the other sex, and the formants, which say as much, stay where they are. A
    phase vocoder shifts, and the formants that it took along are moved back.
    """

    semitones: Range = (-2.0, 4.0)

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        semitones = rng.uniform(*self.semitones)
        y = librosa.effects.pitch_shift(x, sr=rate, n_steps=semitones, n_fft=window(rate), res_type="soxr_hq")
        return formants_moved(y, rate, 2 ** (-semitones / 12))


@dataclass(frozen=True)
class Formants(Step):
    """A longer or shorter vocal tract: the formants times the factor, pitch and tempo kept. For the range see Speed.

    As vocal tract length perturbation does to the mel axis (Jaitly & Hinton 2013, ICML workshop), here to the sound.
    """

    factor: Range = (0.93, 1.07)

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        return formants_moved(x, rate, rng.uniform(*self.factor))


def formants_moved(x: Array, rate: int, factor: float) -> Array:
    """x (n,) with the envelope of its spectrum stretched by the factor in frequency, what lies under it kept in place."""
    n_fft = window(rate)
    spectrum = librosa.stft(x, n_fft=n_fft, hop_length=n_fft // 4)  # (bins, T)
    broad = np.arange(round(0.002 * rate))  # (K,) the cepstrum's part that is broader than the harmonics of 500 Hz
    power = np.square(np.abs(spectrum))
    around = uniform_filter1d(power, round(400 * n_fft / rate), axis=0)  # (bins, T) the mean within 200 Hz
    filled = power + 1e-2 * around  # valleys end 20 dB down: how deep they are between harmonics tells of no formant
    cepstrum = scipy.fft.irfft(np.log(filled + np.float32(1e-12 * peak(x) ** 2)) / 2, axis=0)[broad]  # (K, T)
    bins = np.arange(len(spectrum))
    stretched = np.minimum(bins / factor, bins[-1])  # (bins,) where the envelope of each comes from
    waves = [np.cos(2 * np.pi / n_fft * np.outer(f, broad)) for f in (stretched, bins)]  # (bins, K) each
    with BLAS.limit(limits=1):  # more threads may sum in another order
        change = 2 * (waves[0] - waves[1]).astype(np.float32) @ cepstrum  # (bins, T) of the envelope's logarithm
    return librosa.istft(spectrum * np.exp(change), n_fft=n_fft, hop_length=n_fft // 4, length=len(x))


def window(rate: int) -> int:
    """Samples of a window of about 64 ms, a power of two: two periods of a deep voice and more."""
    return 2 ** round(np.log2(0.064 * rate))


# The room


@dataclass(frozen=True)
class Reverb(Step):
    """A room: the direct sound and a tail of noise that decays by 60 dB in rt60_s.

    From a furnished room to a bare one; drr_db is the energy of the direct sound over that of the tail, from close to
    the microphone to across the table.
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
    """Steady noise, its power falling as 1 / f^slope: 0 is white, 1 pink (a room, a fan), 2 brown (wind, traffic).

    snr_db is the clip's energy over the noise's, pauses included. The training of x-vectors takes 0 to 15 dB (Snyder et
    al. 2018, ICASSP); we begin where the pitch is still found, and end at a quiet room.
    """

    snr_db: Range = (5.0, 30.0)
    slope: Range = (0.0, 2.0)

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        slope = rng.uniform(*self.slope)
        white = rng.standard_normal(len(x), dtype=np.float32)
        noise = filtered(white, rate, lambda f: np.maximum(f, 50.0) ** (-slope / 2))  # Hz; below, microphones fall off
        return mixed(x, noise, rng.uniform(*self.snr_db))


@dataclass(frozen=True)
class Babble(Step):
    """Other people talking behind: `talker(rate, rng)` gives a clip (k,) of one of them at `rate` Hz, any length.

    Three to seven talkers at 13 to 20 dB, as in the training of x-vectors (Snyder et al. 2018): with less, the label would be
    about the wrong voice.
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
    """The mains at 50 or 60 Hz and its harmonics, each fainter: a pitch that is nobody's."""

    snr_db: Range = (15.0, 40.0)

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        t = np.arange(len(x)) / rate  # (n,) s
        f = rng.choice([50.0, 60.0])
        hum = sum(rng.random() / k * np.sin(2 * np.pi * k * f * t + rng.uniform(0, 2 * np.pi)) for k in range(1, 7))
        return mixed(x, hum, rng.uniform(*self.snr_db))


# The microphone and the wire


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


@dataclass(frozen=True)
class Coder:
    """How a recording is packed: at which rate (Hz), in which format of libsndfile, and how hard (its 0 to 1)."""

    rate: int
    format: str
    subtype: str
    compression: Range | None = None


# kbit/s that the hardest and the softest packing came to on speech of 16 kHz stand beside.
CODERS = {
    "mulaw": Coder(8_000, "WAV", "ULAW"),  # 64, the telephone's (ITU-T G.711)
    "mp3": Coder(16_000, "MP3", "MPEG_LAYER_III", (0.3, 0.95)),
    "vorbis": Coder(16_000, "OGG", "VORBIS", (0.5, 1.0)),
    "opus": Coder(16_000, "OGG", "OPUS", (0.8, 0.97)),  # browsers and messengers
}


@dataclass(frozen=True)
class Codec(Step):
    """Packed and unpacked by one of the coders named.

    The clip is brought to -26 dB of full scale, as codecs are tested (ITU-T G.191), and back, for a quiet one would drown
    in their steps. What a coder makes of it depends on libsndfile's version. Raises ValueError for an unknown name.
    """

    coders: tuple[str, ...] = tuple(CODERS)

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.coders) - set(CODERS)):
            raise ValueError(f"no coder {', '.join(unknown)}; there are {', '.join(CODERS)}")

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        coder = CODERS[self.coders[rng.integers(len(self.coders))]]
        hard = rng.uniform(*coder.compression) if coder.compression else None
        level = min(decibels(-26) / rms(x), 1 / peak(x))
        coded = packed(soxr.resample(level * x, rate, coder.rate, "HQ"), coder, hard)
        y = soxr.resample(coded, coder.rate, rate, "HQ")[: len(x)] / level
        return np.pad(y, (0, len(x) - len(y)))


def packed(x: Array, coder: Coder, hard: float | None) -> Array:
    """The samples (k,) at the coder's rate, encoded and decoded in memory."""
    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", coder.rate, 1, coder.subtype, format=coder.format, compression_level=hard
    ) as sound:
        for start in range(0, len(x), coder.rate):  # in seconds: libvorbis overflows its stack on a long clip at once
            sound.write(x[start : start + coder.rate])
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0]


# Arithmetic that steps share


def decibels(db: float | np.ndarray) -> float | np.ndarray:
    """The factor in amplitude of so many dB."""
    return 10 ** (db / 20)


def peak(x: Array) -> float:
    return float(np.abs(x).max())


def rms(x: Array) -> float:
    """Root mean square, 0 to 1."""
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def mixed(x: Array, noise: np.ndarray, snr_db: float) -> Array:
    """x and as much of the noise (n,) that their energies are snr_db apart."""
    return x + noise * np.float32(rms(x) * decibels(-snr_db) / max(rms(noise), 1e-9))


def filtered(x: Array, rate: int, gain: Callable[[np.ndarray], np.ndarray]) -> Array:
    """x (n,) through a filter without delay; `gain(f)` is its amplitude at frequencies f in Hz."""
    m = scipy.fft.next_fast_len(len(x) + round(0.05 * rate), real=True)  # 50 ms in which what rings on dies out
    spectrum = scipy.fft.rfft(x, m) * gain(scipy.fft.rfftfreq(m, 1 / rate)).astype(np.float32)
    return scipy.fft.irfft(spectrum, m)[: len(x)]


TELEPHONE = Chain(BandLimit(low_hz=(300.0, 300.0), high_hz=(3400.0, 3400.0)), Codec(("mulaw",)))

# A voice, its room, the noise there, the microphone, the recorder: the order in which they come to a real recording.
VOICES = Chain(
    Sometimes(0.5, OneOf(Speed(), Pitch(), Formants())),
    Sometimes(0.4, Reverb()),
    Sometimes(0.5, Noise()),
    Sometimes(0.1, Hum()),
    Sometimes(0.7, Tilt()),
    Sometimes(0.3, BandLimit()),
    Sometimes(0.1, Clipping()),
    Sometimes(0.2, OneOf(Codec(), TELEPHONE)),
    Gain(),
)
