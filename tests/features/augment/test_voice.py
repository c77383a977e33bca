import numpy as np
import pytest

from features.augment import Formants, Pitch, Speed
from features.synth import PITCH, VOWELS

from .conftest import RATE, exactly, generator


def resonance(f, formant):
    """dB at f Hz of one broad resonance."""
    return -20 * np.log10(1 + ((f - formant) / 400) ** 2)


def vowel(f0=125.0, formant=1500.0, seconds=2.0):
    """(n,) harmonics under one resonance, peak 0.3."""
    t = np.arange(round(seconds * RATE)) / RATE
    k = np.arange(1, int(7600 / f0))[:, None]
    strength = 10 ** (resonance(k * f0, formant) / 20)
    x = np.sum(strength * np.sin(2 * np.pi * k * f0 * t + k**2), axis=0)  # phases k²: no peak far above the rest
    return (0.3 * x / np.abs(x).max()).astype(np.float32)


def pitch_and_formant(y):
    """(Hz, Hz): the first peak of the autocorrelation, and the resonance that fits best to the harmonics' levels."""
    middle = y[len(y) // 4 : -len(y) // 4].astype(float)
    n = 1 << 18  # padded to bins of 0.06 Hz
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), n))
    lags = np.fft.irfft(spectrum**2, 8 * n)  # eight times as fine as the samples
    shortest, longest = 8 * RATE // 200, 8 * RATE // 90
    f0 = 8 * RATE / (shortest + np.argmax(lags[shortest:longest]))
    f = f0 * np.arange(np.ceil(500 / f0), np.floor(2500 / f0) + 1)
    level = 20 * np.log10([spectrum[round((h - 20) * n / RATE) : round((h + 20) * n / RATE)].max() for h in f])
    formants = np.arange(1200.0, 2000.0)
    misfit = [np.std(level - resonance(f, formant)) for formant in formants]
    return f0, formants[np.argmin(misfit)]


@pytest.mark.parametrize("factor", [0.93, 1.07])
def test_speed_moves_length_pitch_and_formants_by_its_factor(factor):
    x = vowel()
    y = Speed(exactly(factor))(x, RATE, generator())
    assert len(y) == pytest.approx(len(x) / factor, abs=1)
    before, after = pitch_and_formant(x), pitch_and_formant(y)
    assert after[0] / before[0] == pytest.approx(factor, rel=1e-3)  # the lags are an eighth of a sample apart
    assert after[1] / before[1] == pytest.approx(factor, rel=0.01)  # and its breadth moved too, which the fit does not


@pytest.mark.parametrize("semitones", [-2.0, 4.0])
def test_pitch_moves_the_harmonics_and_leaves_formant_and_length(semitones):
    x = vowel()
    y = Pitch(exactly(semitones))(x, RATE, generator())
    assert len(y) == len(x)
    before, after = pitch_and_formant(x), pitch_and_formant(y)
    assert 12 * np.log2(after[0] / before[0]) == pytest.approx(semitones, abs=0.02)
    assert after[1] / before[1] == pytest.approx(1, abs=0.03)  # taken along it would be 0.89 or 1.26


@pytest.mark.parametrize("factor", [0.93, 1.07])
def test_formants_move_by_their_factor_and_the_harmonics_stay(factor):
    x = vowel()
    y = Formants(exactly(factor))(x, RATE, generator())
    assert len(y) == len(x)
    before, after = pitch_and_formant(x), pitch_and_formant(y)
    assert after[0] == pytest.approx(before[0], rel=1e-3)
    assert after[1] / before[1] == pytest.approx(factor, abs=0.01)  # of a move of 0.07


def test_formants_moved_by_a_factor_of_1_change_nothing():
    x = vowel()
    np.testing.assert_allclose(Formants(exactly(1.0))(x, RATE, generator()), x, atol=1e-6)  # float32 STFT and back


def test_no_voice_is_moved_half_the_way_to_the_other_sex():
    tract = np.exp(np.mean(np.log(VOWELS["female"] / VOWELS["male"])))  # Hillenbrand et al. 1995
    octaves = np.log2(PITCH["female"][0] / PITCH["male"][0])
    for step in (Speed(), Formants()):
        assert max(step.factor[1], 1 / step.factor[0]) < np.sqrt(tract)
    assert max(np.abs(Pitch().semitones)) < 12 * octaves / 2
