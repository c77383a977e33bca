"""Changes by lossy compression: the telephone's mu-law, MP3, Ogg Vorbis, Opus."""

import io
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr

from features.augment.step import Array, Range, Step, decibels, peak, rms


@dataclass(frozen=True)
class Coder:
    """A codec: the sampling rate in Hz, libsndfile's format and subtype, and the range of its compression level, 0 to 1."""

    rate: int
    format: str
    subtype: str
    compression: Range | None = None


CODERS = {
    "mulaw": Coder(8_000, "WAV", "ULAW"),  # 64 kbit/s, the telephone's (ITU-T G.711)
    "mp3": Coder(16_000, "MP3", "MPEG_LAYER_III", (0.3, 0.95)),
    "vorbis": Coder(16_000, "OGG", "VORBIS", (0.5, 1.0)),
    "opus": Coder(16_000, "OGG", "OPUS", (0.8, 0.97)),  # browsers and messengers
}


@dataclass(frozen=True)
class Codec(Step):
    """Encode and decode the clip by one of the coders, drawn at random.

    The clip is scaled to -26 dB of full scale, the level at which codecs are tested (ITU-T G.191), and back, because a quiet
    clip would be lost in the quantisation noise. The result depends on libsndfile's version. Raises ValueError for an unknown
    name.
    """

    coders: tuple[str, ...] = tuple(CODERS)

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.coders) - set(CODERS)):
            raise ValueError(f"no coder {', '.join(unknown)}; there are {', '.join(CODERS)}")

    def change(self, x: Array, rate: int, rng: np.random.Generator) -> Array:
        coder = CODERS[self.coders[rng.integers(len(self.coders))]]
        compression = rng.uniform(*coder.compression) if coder.compression else None
        level = min(decibels(-26) / rms(x), 1 / peak(x))
        coded = packed(soxr.resample(level * x, rate, coder.rate, "HQ"), coder, compression)
        y = soxr.resample(coded, coder.rate, rate, "HQ")[: len(x)] / level
        return np.pad(y, (0, len(x) - len(y)))


def packed(x: Array, coder: Coder, compression: float | None) -> Array:
    """Encode and decode the samples (k,), which have the coder's rate, in memory."""
    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", coder.rate, 1, coder.subtype, format=coder.format, compression_level=compression
    ) as sound:
        # a second at a time: libvorbis overflows its stack if a long clip is written at once
        for start in range(0, len(x), coder.rate):
            sound.write(x[start : start + coder.rate])
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0]
