import numpy as np
import pytest
from scipy.signal import correlate

from features.augment import CODERS, TELEPHONE, Codec
from features.synth import draw_speaker, speak

from .conftest import RATE, generator, level


@pytest.mark.parametrize("loudness", [1.0, 1e-3])
def test_a_telephone_word_has_the_noise_of_8_bits_of_mu_law_at_any_level(loudness):
    t = np.arange(RATE) / RATE
    x = loudness * sum(np.sin(2 * np.pi * f * t + f**2) for f in range(200, 3300, 130)) / 100
    y = Codec(("mulaw",))(x, RATE, generator())
    middle = slice(RATE // 4, -RATE // 4)  # the resampler's edges
    x, y = x[middle], y[middle]
    # 6.02 * 8 + 4.77 - 20 log10(ln 256) = 38.0 dB (Rabiner & Schafer 1978, 5.3) for a smooth mu-law. G.711's is made of
    # straight segments, each with steps of one size: up to 3 dB off within one.
    assert level(x) - level(y - x) == pytest.approx(38.0, abs=3)


def test_a_telephone_call_has_nothing_above_its_band():
    x = generator().standard_normal(RATE) / 10
    power = np.abs(np.fft.rfft(TELEPHONE(x, RATE, generator()))) ** 2  # bins of 1 Hz
    assert power[4100:].sum() < 1e-6 * power.sum()


@pytest.mark.parametrize("coder", CODERS)
def test_a_codec_keeps_length_time_and_level(coder):
    x = speak(draw_speaker("male", "a", generator()), 3.0, generator())
    y = Codec((coder,))(x, RATE, generator())
    assert len(y) == len(x)
    lags = correlate(y, x, mode="full", method="fft")
    assert abs(int(np.argmax(lags)) - (len(x) - 1)) <= 1
    assert 0.8 < lags.max() / np.sqrt(np.sum(x**2) * np.sum(y**2)) < 1  # the voice, and no exact copy
    assert level(y) == pytest.approx(level(x), abs=1.5)


def test_a_codec_takes_a_long_clip():
    # Written at once, libvorbis puts 4 bytes a sample on the stack, and 8 MiB end the process (libsndfile issue 1095).
    x = generator().standard_normal(180 * RATE) / 10
    assert len(Codec(("vorbis",))(x, RATE, generator())) == len(x)


def test_an_unknown_coder_is_named():
    with pytest.raises(ValueError, match="no coder amr; there are mulaw"):
        Codec(("amr",))
